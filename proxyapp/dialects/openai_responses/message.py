"""A message of an upstream's answer: its content parts, each a Text or a Refusal."""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct

from proxyapp.dialects.openai.fields import as_text
from proxyapp.dialects.openai_responses.citations import citation_of
from proxyapp.dialects.openai_responses.pending import ItemReader
from proxyapp.dialects.openai_responses.tables import NAME
from proxyapp.ir import events as ev
from proxyapp.ir import parts as p


class _Context(Protocol):
    refused: bool


class _Content(Struct):
    """What of one content part has been said."""

    refusal: bool
    length: int = 0
    notes: int = 0
    tokens: int = 0


class MessageReader(ItemReader):
    """Parts are opened by their first text; one that stays empty is not shown."""

    def __init__(self, item: dict[str, Any], context: _Context) -> None:
        super().__init__()
        self._context = context
        self._meta = _meta(item)
        self._contents: dict[int, _Content] = {}
        self._open: int | None = None

    def take(self, kind: str, event: dict[str, Any]) -> None:
        index = event.get("content_index")
        index = index if isinstance(index, int) else self._open or 0
        if kind == "response.output_text.delta":
            self._tokens(index, event.get("logprobs"), refusal=False)
            self._text(index, event.get("delta"), refusal=False)
        elif kind == "response.refusal.delta":
            self._text(index, event.get("delta"), refusal=True)
        elif kind == "response.output_text.annotation.added":
            self._note(index, event.get("annotation"))
        elif kind in ("response.content_part.done", "response.output_text.done", "response.refusal.done"):
            self._whole(index, event["part"] if isinstance(event.get("part"), dict) else event)

    def finished(self, item: dict[str, Any]) -> None:
        self._meta = {**_meta(item), **self._meta}
        content = item.get("content")
        if isinstance(content, str):
            content = [{"type": "output_text", "text": content}]
        for index, part in enumerate(content if isinstance(content, list) else ()):
            if isinstance(part, dict):
                self._whole(index, part)
        self._close()

    def _whole(self, index: int, part: dict[str, Any]) -> None:
        """A finished content part: what its deltas left out."""
        is_refusal = isinstance(part.get("refusal"), str)
        text = part.get("refusal") if is_refusal else part.get("text")
        said = self._contents.get(index)
        length = said.length if said else 0
        if isinstance(text, str) and len(text) > length:
            self._text(index, text[length:], refusal=is_refusal)
        notes, tokens = part.get("annotations"), part.get("logprobs")
        if isinstance(notes, list) and index in self._contents:
            for note in notes[self._contents[index].notes :]:
                self._note(index, note)
        if isinstance(tokens, list) and index in self._contents:
            self._tokens(index, tokens[self._contents[index].tokens :], refusal=is_refusal)

    def _text(self, index: int, text: Any, *, refusal: bool) -> None:
        if not isinstance(text, str) or not text or not self._turn_to(index, refusal=refusal):
            return
        self._contents[index].length += len(text)
        self._say(ev.TextDelta(text))

    def _note(self, index: int, raw: Any) -> None:
        citation = citation_of(raw)
        if citation is None or not self._turn_to(index, refusal=False) or self._contents[index].refusal:
            return
        self._contents[index].notes += 1
        self._say(ev.CitationGiven(citation))

    def _tokens(self, index: int, tokens: Any, *, refusal: bool) -> None:
        usable = [token for token in tokens if isinstance(token, dict)] if isinstance(tokens, list) else []
        if usable and self._turn_to(index, refusal=refusal):
            self._contents[index].tokens += len(usable)
            self._say(ev.LogprobsGiven(usable))

    def _turn_to(self, index: int, *, refusal: bool) -> bool:
        """Opens the part where it is not open. False: it is closed already, and nothing may be added."""
        if self._open == index:
            return True
        if index in self._contents:
            return False
        self._close()
        self._contents[index] = _Content(refusal=refusal)
        self._open = index
        self._context.refused = self._context.refused or refusal
        part: p.Part = p.Refusal(text="") if refusal else p.Text(text="")
        part.meta = {NAME: dict(self._meta)} if self._meta else {}
        self._say(ev.PartStarted(part))
        return True

    def _close(self) -> None:
        if self._open is not None:
            self._open = None
            self._say(ev.PartEnded())


def _meta(item: dict[str, Any]) -> dict[str, Any]:
    """What callers of this dialect get again: which message a text belongs to, and its phase."""
    kept = {name: as_text(item.get(name)) for name in ("id", "phase")}
    return {name: value for name, value in kept.items() if value}
