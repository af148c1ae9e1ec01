"""The parts of one answer as parts of a caller's content; shared by whole bodies and streams.

Reference: translation.md 3.1, 4.5, 6.4 and 6.5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxyapp.dialects import arguments
from proxyapp.dialects.contract import ClientSide
from proxyapp.dialects.gemini import proving
from proxyapp.dialects.gemini.grounding import Grounding
from proxyapp.dialects.gemini.media import inline
from proxyapp.dialects.gemini.tables import NAME
from proxyapp.ir import parts as p
from proxyapp.ir.request import Request

Part = dict[str, Any]


class AnswerWriter:
    """Give it the parts in order. `parts` may hold a proof back for the part that follows; `rest` gives what is left.

    `count` is how many parts were written, `refused` the words of a refusal, `queries` what hosted searches looked for.
    """

    def __init__(self, request: Request, side: ClientSide) -> None:
        self.side = side
        self.shows = request.reasoning is not None and request.reasoning.show is True
        self.count = 0
        self.refused = ""
        self.has_content = False
        self.grounding = Grounding()
        self._queries: list[str] = []
        self._proof: str | None = None
        """Gemini's own proof, which belongs on the next part."""
        self._hidden = ""
        """Thinking that nobody proved and the caller does not see; some upstreams want it back with the calls."""
        self._ids: set[str] = set()

    def parts(self, part: p.Part) -> list[Part]:
        if not isinstance(part, p.Reasoning):
            self.has_content = True
        return self._counted(_WRITERS[type(part)](self, part))

    def rest(self) -> list[Part]:
        """A proof that no part followed."""
        proof, self._proof = self._proof, None
        return self._counted([{"text": "", "thoughtSignature": proof}] if proof else [])

    def metadata(self) -> dict[str, Any]:
        """What stands beside the content of the candidate."""
        found = self.grounding.metadata() or {}
        if self._queries:
            found["webSearchQueries"] = self._queries
        return {"groundingMetadata": found} if found else {}

    def _counted(self, parts: list[Part]) -> list[Part]:
        self.count += len(parts)
        return parts

    def signed(self, part: Part) -> Part:
        proof, self._proof = self._proof, None
        return {**part, "thoughtSignature": proof} if proof else part

    # --- one function a kind of part

    def _text(self, part: p.Text) -> list[Part]:
        self.grounding.add(part, self.count)
        return [self.signed({"text": part.text})] if part.text else []

    def _refusal(self, part: p.Refusal) -> list[Part]:
        """Its words are the `finishMessage` (3.2)."""
        self.refused += part.text
        return []

    def _reasoning(self, part: p.Reasoning) -> list[Part]:
        text = part.text if self.shows else ""
        shown: list[Part] = [{"text": text, "thought": True}] if text else []
        if proving.is_own(part):
            shown = [*self.rest_of_own(), *shown]
            self._proof = part.signature
            return shown
        if not part.signature:
            self._hidden += "" if self.shows else part.text
            return shown
        return [{"text": text, "thought": True, "thoughtSignature": self.proof(part)}]

    def rest_of_own(self) -> list[Part]:
        """A proof that another one follows stands alone."""
        proof, self._proof = self._proof, None
        return [{"text": "", "thoughtSignature": proof}] if proof else []

    def proof(self, part: p.Reasoning) -> str:
        """The `thoughtSignature` of somebody else's proof."""
        return proving.for_caller(part, self.side.sealer, hidden="" if self.shows else part.text)

    def _call(self, part: p.ToolCall) -> list[Part]:
        before: list[Part] = []
        if self._hidden:
            carrier = p.Reasoning(text=self._hidden)
            signature = proving.for_caller(carrier, self.side.sealer, hidden=self._hidden)
            before, self._hidden = [{"text": "", "thought": True, "thoughtSignature": signature}], ""
        args: dict[str, Any] = {"input": part.arguments}
        if part.kind != "custom":
            args, changed = arguments.as_object(part.arguments)
            if changed:
                self.side.notes.add(f"content.{part.name}", changed, dropped=False)
        return [*before, self.signed({"functionCall": {"id": self._call_id(part.id), "name": part.name, "args": args}})]

    def _call_id(self, call_id: str) -> str:
        if not call_id or call_id in self._ids:
            call_id = f"call_{self.side.new_id()}"
        self._ids.add(call_id)
        return call_id

    def _server_call(self, part: p.ServerCall) -> list[Part]:
        if part.dialect == NAME:
            return [self.signed(dict(part.meta[NAME]))] if part.meta.get(NAME) else []
        query = arguments.as_object(part.arguments)[0].get("query")
        if isinstance(query, str) and query:
            self._queries.append(query)
        self.side.notes.add("content", f"The provider's own call of `{part.name}` is not shown.")
        return []

    def _raw(self, part: p.ServerResult | p.Opaque) -> list[Part]:
        if part.dialect == NAME and isinstance(part.raw, dict):
            return [part.raw]
        self.side.notes.add("content", "A part that only the upstream's own dialect knows is not shown.")
        return []

    def _medium(self, part: p.Image | p.Audio | p.Document) -> list[Part]:
        source = part.source
        if source.kind == "base64":
            kind = {"Image": "image/png", "Audio": "audio/wav"}.get(type(part).__name__, "application/octet-stream")
            return [self.signed(inline(source.mime or kind, source.data))]
        if source.kind == "url":
            return [{"fileData": {"fileUri": source.data, **({"mimeType": source.mime} if source.mime else {})}}]
        return self._unsayable(part)

    def _unsayable(self, part: p.Part) -> list[Part]:
        self.side.notes.add("content", f"A part of kind {type(part).__name__} cannot be said in this dialect.")
        return []


_WRITERS: dict[type, Callable[[AnswerWriter, Any], list[Part]]] = {
    p.Text: AnswerWriter._text,
    p.Refusal: AnswerWriter._refusal,
    p.Reasoning: AnswerWriter._reasoning,
    p.ToolCall: AnswerWriter._call,
    p.ServerCall: AnswerWriter._server_call,
    p.ServerResult: AnswerWriter._raw,
    p.Opaque: AnswerWriter._raw,
    p.Image: AnswerWriter._medium,
    p.Audio: AnswerWriter._medium,
    p.Document: AnswerWriter._medium,
    p.ToolResult: AnswerWriter._unsayable,
    p.SearchResult: AnswerWriter._unsayable,
}
