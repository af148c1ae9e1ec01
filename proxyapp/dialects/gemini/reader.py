"""The parts of one upstream answer as IR events; one part open at a time.

Names and wrapped tools are put back as the caller knows them (reference/translation.md 3.1, 7.1, 7.7). A proof stands
as reasoning before the part it came on; one that comes after text that is already open follows that text.
"""

from __future__ import annotations

from typing import Any

from proxyapp.dialects import arguments, jsonio, proofs
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.gemini import media
from proxyapp.dialects.gemini.contents import server_call, server_result
from proxyapp.dialects.gemini.numbers import tidy
from proxyapp.dialects.gemini.partial import PartialCall
from proxyapp.dialects.gemini.tables import FAMILY, NAME
from proxyapp.errors import BadRequest
from proxyapp.ir import events as ev
from proxyapp.ir import parts as p

Raw = dict[str, Any]
Events = list[ev.Event]

_HOSTED = {"executableCode": "codeExecutionResult", "toolCall": "toolResponse"}
_RESULTS = frozenset(_HOSTED.values())


class PartReader:
    """Feed parts in order, `end` once."""

    def __init__(self, side: UpstreamSide) -> None:
        self.side = side
        self.called = False
        """A tool of the caller was called."""
        self.bases: dict[int, int] = {}
        """Where the parts of this chunk begin in the open text, in bytes."""
        self._open: p.Text | p.Reasoning | None = None
        self._text: list[str] = []
        self._late: str | None = None
        """A proof that follows the open text."""
        self._partial: PartialCall | None = None
        self._ids: set[str] = set()
        self._last_hosted = ""
        self._index = 0
        self._cited: set[tuple[str | None, int | None, int | None]] = set()

    def part(self, part: Raw) -> Events:
        """Raises UpstreamBroken for arguments that make no sense."""
        index, self._index = self._index, self._index + 1
        signature = part.get("thoughtSignature")
        signature = signature if isinstance(signature, str) and signature else None
        call = part.get("functionCall")
        if isinstance(call, dict):
            return self._call(call, signature)
        out = self._finish_partial()
        if part.get("thought") is True:
            return out + self._thought(_words(part.get("text")), signature)
        if "text" in part:
            return out + self._say(_words(part.get("text")), signature, index)
        return out + self._whole(part, signature)

    def chunk_ended(self) -> None:
        """Offsets by part hold within one chunk; over several the text is counted as a whole."""
        self._index = 0
        self.bases = {}

    def end(self) -> Events:
        return self._finish_partial() + self._close()

    def text(self) -> str:
        """The open text so far."""
        return "".join(self._text) if isinstance(self._open, p.Text) else ""

    def cite(self, citation: p.Citation) -> Events:
        """A source of the open text. Without one it stands on a text of its own. Told again, it is told once."""
        told = (citation.url, citation.start, citation.end)
        if told in self._cited:
            return []
        self._cited.add(told)
        if isinstance(self._open, p.Text):
            return [ev.CitationGiven(citation)]
        citation.start = citation.end = None
        return [*self._close(), *self._start(p.Text(text="")), ev.CitationGiven(citation)]

    def weigh(self, tokens: list[Raw]) -> Events:
        return [ev.LogprobsGiven(tokens)] if isinstance(self._open, p.Text) else []

    # --- text and thoughts

    def _say(self, text: str, signature: str | None, index: int) -> Events:
        out: Events = []
        if not isinstance(self._open, p.Text):
            if not text:
                return self._prove(signature)
            out = self._prove(signature) if signature else self._close()
            signature = None
            out += self._start(p.Text(text=""))
        elif text and self._late:  # a proof in the middle of text: what follows is another text
            out = [*self._close(), *self._start(p.Text(text=""))]
        self.bases[index] = len("".join(self._text).encode()) if self._index > 1 else 0
        if text:
            self._text.append(text)
            out.append(ev.TextDelta(text))
        self._late = signature or self._late
        return out

    def _thought(self, text: str, signature: str | None) -> Events:
        out: Events = []
        if text:
            if not isinstance(self._open, p.Reasoning):
                out = [*self._close(), *self._start(self._reasoning())]
            out.append(ev.ReasoningDelta(text))
        return out + (self._prove(signature) if signature else [])

    def _prove(self, signature: str | None) -> Events:
        """A proof: of the open thought, else as reasoning of its own. Closes what is open."""
        if signature is None:
            return []
        out: Events = [] if isinstance(self._open, p.Reasoning) else self._close()
        if self._open is None:
            out += self._start(self._reasoning())
        self._open = None
        return [*out, ev.SignatureDelta(signature, FAMILY), ev.PartEnded()]

    def _reasoning(self) -> p.Reasoning:
        return p.Reasoning(family=FAMILY, meta=proofs.owner(self.side))

    def _start(self, part: p.Text | p.Reasoning) -> Events:
        self._open, self._text = part, []
        return [ev.PartStarted(part)]

    def _close(self) -> Events:
        if self._open is None:
            return []
        self._open = None
        late, self._late = self._late, None
        return [ev.PartEnded(), *(self._prove(late) if late else [])]

    # --- calls

    def _call(self, call: Raw, signature: str | None) -> Events:
        name, goes_on = _words(call.get("name")), call.get("willContinue") is True
        if name:
            out = self._finish_partial() + (self._prove(signature) if signature else self._close())
            partial = PartialCall(name, _words(call.get("id")))
            args = call.get("args")
            partial.args = dict(args) if isinstance(args, dict) else {}
            partial.add(call.get("partialArgs"))
            self._partial = partial
            return out if goes_on else out + self._finish_partial()
        if self._partial is None:
            return []
        self._partial.add(call.get("partialArgs"))
        return [] if goes_on else self._finish_partial()

    def _finish_partial(self) -> Events:
        partial, self._partial = self._partial, None
        if partial is None:
            return []
        self.called = True
        name = self.side.wire_names.get(partial.name, partial.name)
        is_custom = name in self.side.wrapped_tools
        text = jsonio.text(tidy(partial.args)) if partial.args else ""
        if is_custom:
            text = arguments.unwrapped(text)
        call = p.ToolCall(id=self._call_id(partial.call_id), name=name, kind="custom" if is_custom else "function")
        return [ev.PartStarted(call), *([ev.ArgumentsDelta(text)] if text else []), ev.PartEnded()]

    def _call_id(self, said: str) -> str:
        """The upstream's, unless it gave none or the same twice."""
        call_id = said if said and said not in self._ids else f"call_{self.side.new_id()}"
        while call_id in self._ids:
            call_id = f"{call_id}_{len(self._ids)}"
        self._ids.add(call_id)
        return call_id

    # --- parts that come whole

    def _whole(self, part: Raw, signature: str | None) -> Events:
        out = self._prove(signature) if signature else []
        found = self._known(part)
        if found is None:
            return out
        out += self._close()
        started: Events = [ev.PartStarted(found)]
        if isinstance(found, p.ServerCall):
            text, found.arguments = found.arguments, ""
            started += [ev.ArgumentsDelta(text)] if text else []
        return [*out, *started, ev.PartEnded()]

    def _known(self, part: Raw) -> p.Part | None:
        for key, value in part.items():
            if not isinstance(value, dict):
                continue
            if key in _HOSTED:
                call = server_call(key, value, f"srv_{self.side.new_id()}")
                self._last_hosted = call.id
                return call
            if key in _RESULTS:
                return server_result(key, value, self._last_hosted)
            if key == "inlineData":
                return _medium(value, part)
        rest = {key: value for key, value in part.items() if key != "thoughtSignature"}
        return p.Opaque(dialect=NAME, raw=rest) if rest else None


def _medium(blob: Raw, part: Raw) -> p.Part:
    try:
        found = media.read_blob(blob, "content")
    except BadRequest:
        return p.Opaque(dialect=NAME, raw=part)
    return found if isinstance(found, p.Image | p.Audio) else p.Opaque(dialect=NAME, raw=part)


def _words(value: Any) -> str:
    return value if isinstance(value, str) else ""
