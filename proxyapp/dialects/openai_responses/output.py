"""The items of an answer while they are made: each writes its own events and knows its finished form.

An item is begun, added to, and ended once, by `finish`: whether it is complete is known only then. Grammar and
order: reference/translation.md 4.1 (R) and 4.4.
"""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct, field

from proxyapp.dialects.openai.custom import unwrapped, wrapped
from proxyapp.dialects.openai_responses.citations import annotation_of
from proxyapp.dialects.openai_responses.frames import Frames, around
from proxyapp.ir.parts import Citation

Item = dict[str, Any]


class Writer(Protocol):
    """One item of the output."""

    def finish(self, status: str) -> tuple[bytes, Item]:
        """The last events of the item, and the item as it is now. `status`: completed or incomplete."""
        ...


class _Part(Struct):
    """The open content part of a message."""

    refusal: bool
    pieces: list[str] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    tokens: list[Item] = field(default_factory=list)
    waiting: list[Item] = field(default_factory=list)
    """Log probabilities that no delta has carried yet."""


class MessageWriter:
    """A message: one or more content parts, one after the other."""

    def __init__(self, frames: Frames, index: int, item_id: str, phase: str | None) -> None:
        self._frames = frames
        self._index = index
        self._id = item_id
        self._phase = phase
        self._content: list[Item] = []
        self._part: _Part | None = None
        self._head = self._tail = b""

    def begin(self) -> bytes:
        return self._frames.event(
            "response.output_item.added", output_index=self._index, item=self._item("in_progress", [])
        )

    def begin_part(self, *, refusal: bool) -> bytes:
        self._part = _Part(refusal=refusal)
        kind = "response.refusal.delta" if refusal else "response.output_text.delta"
        self._head, self._tail = around(kind, self._place(), {} if refusal else {"logprobs": []})
        return self._frames.event("response.content_part.added", **self._place(), part=_content(self._part, [], []))

    def add(self, text: str) -> bytes:
        part = self._part
        assert part is not None
        part.pieces.append(text)
        if part.waiting and not part.refusal:
            tokens, part.waiting = part.waiting, []
            told = [_brief(token) for token in tokens]
            return self._frames.event("response.output_text.delta", **self._place(), delta=text, logprobs=told)
        return self._frames.delta(self._head, text, self._tail)

    def cite(self, citation: Citation) -> None:
        if self._part is not None:
            self._part.citations.append(citation)

    def weigh(self, tokens: list[Item]) -> None:
        if self._part is not None:
            self._part.tokens += tokens
            self._part.waiting += tokens

    def end_part(self) -> bytes:
        """Annotations come last: some cover the whole text, whose length is known only now."""
        part, self._part = self._part, None
        if part is None:
            return b""
        place = {"item_id": self._id, "output_index": self._index, "content_index": len(self._content)}
        text = "".join(part.pieces)
        notes = [note for each in part.citations if (note := annotation_of(each, len(text))) is not None]
        out = [
            self._frames.event(
                "response.output_text.annotation.added", **place, annotation_index=number, annotation=note
            )
            for number, note in enumerate(notes)
        ]
        whole = _content(part, notes, part.tokens)
        if part.refusal:
            out.append(self._frames.event("response.refusal.done", **place, refusal=text))
        else:
            told = [_brief(token) for token in part.tokens]
            out.append(self._frames.event("response.output_text.done", **place, text=text, logprobs=told))
        out.append(self._frames.event("response.content_part.done", **place, part=whole))
        self._content.append(whole)
        return b"".join(out)

    def finish(self, status: str) -> tuple[bytes, Item]:
        out = self.end_part()
        item = self._item(status, self._content)
        return out + self._frames.event("response.output_item.done", output_index=self._index, item=item), item

    def _place(self) -> dict[str, Any]:
        return {"item_id": self._id, "output_index": self._index, "content_index": len(self._content)}

    def _item(self, status: str, content: list[Item]) -> Item:
        item = {"id": self._id, "type": "message", "status": status, "role": "assistant", "content": content}
        return {**item, "phase": self._phase} if self._phase else item


class ReasoningWriter:
    """Thinking: one summary part with its text, and the proof in the finished item alone."""

    def __init__(self, frames: Frames, index: int, item_id: str) -> None:
        self._frames = frames
        self._index = index
        self._id = item_id
        self._pieces: list[str] = []
        self.proof = ""
        """Set before `finish`."""
        place = {"item_id": item_id, "output_index": index, "summary_index": 0}
        self._place = place
        self._head, self._tail = around("response.reasoning_summary_text.delta", place)

    def begin(self) -> bytes:
        item = {"id": self._id, "type": "reasoning", "summary": []}
        return self._frames.event("response.output_item.added", output_index=self._index, item=item)

    def add(self, text: str) -> bytes:
        out = b""
        if not self._pieces:
            part = {"type": "summary_text", "text": ""}
            out = self._frames.event("response.reasoning_summary_part.added", **self._place, part=part)
        self._pieces.append(text)
        return out + self._frames.delta(self._head, text, self._tail)

    def finish(self, status: str) -> tuple[bytes, Item]:
        out, summary = [], []
        if self._pieces:
            text = "".join(self._pieces)
            summary = [{"type": "summary_text", "text": text}]
            out.append(self._frames.event("response.reasoning_summary_text.done", **self._place, text=text))
            out.append(self._frames.event("response.reasoning_summary_part.done", **self._place, part=summary[0]))
        item = {"id": self._id, "type": "reasoning", "summary": summary, "encrypted_content": self.proof}
        out.append(self._frames.event("response.output_item.done", output_index=self._index, item=item))
        return b"".join(out), item


class CallWriter:
    """A call of one of the caller's tools. `changed`: the text must be put into another form, so it comes at once."""

    def __init__(self, frames: Frames, index: int, item: Item, *, changed: bool) -> None:
        self._frames = frames
        self._index = index
        self._item = item
        self._is_custom = item["type"] == "custom_tool_call"
        self._field = "input" if self._is_custom else "arguments"
        self._kind = "response.custom_tool_call_input" if self._is_custom else "response.function_call_arguments"
        self._changed = changed
        self._pieces: list[str] = []
        self._place = {"item_id": item["id"], "output_index": index}
        self._head, self._tail = around(f"{self._kind}.delta", self._place)

    def begin(self) -> bytes:
        return self._frames.event(
            "response.output_item.added",
            output_index=self._index,
            item={**self._item, self._field: "", "status": "in_progress"},
        )

    def add(self, text: str) -> bytes:
        self._pieces.append(text)
        return b"" if self._changed else self._frames.delta(self._head, text, self._tail)

    def finish(self, status: str) -> tuple[bytes, Item]:
        text, out = "".join(self._pieces), []
        if self._changed:
            text = unwrapped(text) if self._is_custom else wrapped(text)
        elif not text and not self._is_custom:
            text, self._changed = "{}", True
        if self._changed and text:
            out.append(self._frames.delta(self._head, text, self._tail))
        item = {**self._item, self._field: text, "status": status}
        named = {} if self._is_custom else {"name": item["name"]}
        out.append(self._frames.event(f"{self._kind}.done", **self._place, **named, **{self._field: text}))
        out.append(self._frames.event("response.output_item.done", output_index=self._index, item=item))
        return b"".join(out), item


class HostedWriter:
    """What the provider's own tool did, or an item of a kind not known here: shown whole."""

    def __init__(self, frames: Frames, index: int) -> None:
        self._frames = frames
        self._index = index
        self.item: Item = {}
        """Set before `finish`."""

    def finish(self, status: str) -> tuple[bytes, Item]:
        item, place = self.item, {"output_index": self._index}
        begun = {**item, "status": "in_progress"} if "status" in item else item
        out = [self._frames.event("response.output_item.added", **place, item=begun)]
        for step in _STEPS.get(str(item.get("type")), ()):
            kind = f"response.{item['type']}.{step}"
            out.append(self._frames.event(kind, **place, item_id=item.get("id", "")))
        out.append(self._frames.event("response.output_item.done", **place, item=item))
        return b"".join(out), item


_STEPS = {
    "web_search_call": ("in_progress", "searching", "completed"),
    "file_search_call": ("in_progress", "searching", "completed"),
    "image_generation_call": ("in_progress", "generating", "completed"),
}


def _content(part: _Part, notes: list[Item], tokens: list[Item]) -> Item:
    text = "".join(part.pieces)
    if part.refusal:
        return {"type": "refusal", "refusal": text}
    told = [{"bytes": [], "top_logprobs": [], **token} for token in tokens]
    return {"type": "output_text", "text": text, "annotations": notes, "logprobs": told}


def _brief(token: Item) -> Item:
    """A token in the form that events have: without its bytes."""
    others = token.get("top_logprobs") or []
    return {
        "token": token.get("token", ""),
        "logprob": token.get("logprob", 0),
        "top_logprobs": [{"token": each.get("token", ""), "logprob": each.get("logprob", 0)} for each in others],
    }
