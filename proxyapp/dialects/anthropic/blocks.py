"""Open content blocks of a streamed answer: small objects with `start`, `feed` and `stop`, giving IR events."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from proxyapp.dialects import arguments, jsonio, proofs
from proxyapp.dialects.anthropic import messages
from proxyapp.dialects.anthropic.reader import AnswerReader, cited_whole, text_of
from proxyapp.dialects.anthropic.tables import FAMILY
from proxyapp.ir import events as ev
from proxyapp.ir import parts as p

Raw = dict[str, Any]


class Delta(Struct):
    """The `delta` of `content_block_delta` and `message_delta`."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    citation: Any = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Any = None


class Block:
    """Base. `held`: events that wait because another block is still open."""

    def __init__(self, raw: Raw, reader: AnswerReader) -> None:
        self.raw = raw
        self.reader = reader
        self.held: list[ev.Event] = []
        self.is_done = False
        self._is_open = False

    def start(self) -> list[ev.Event]:
        return []

    def feed(self, delta: Delta, data: bytes) -> list[ev.Event]:
        """`data` is the whole event, for deltas of kinds not known here."""
        return []

    def stop(self) -> list[ev.Event]:
        raise NotImplementedError

    def _opening(self, part: p.Part) -> list[ev.Event]:
        if self._is_open:
            return []
        self._is_open = True
        return [ev.PartStarted(part)]

    def _closing(self) -> list[ev.Event]:
        return [ev.PartEnded()] if self._is_open else []


class TextBlock(Block):
    """Opened by its first text or citation: one that stays empty is nothing."""

    def __init__(self, raw: Raw, reader: AnswerReader) -> None:
        super().__init__(raw, reader)
        self._length = 0
        self._citations = messages.parse_citations(raw.get("citations"))

    def start(self) -> list[ev.Event]:
        return self._say(text_of(self.raw.get("text")))

    def feed(self, delta: Delta, data: bytes) -> list[ev.Event]:
        if delta.text:
            return self._say(delta.text)
        if isinstance(delta.citation, dict):
            self._citations.append(messages.parse_citation(delta.citation))
        return []

    def stop(self) -> list[ev.Event]:
        out: list[ev.Event] = []
        if self._citations:  # held, since they come before the text whose span they have
            out += self._opening(p.Text(text=""))
            whole = " " * self._length
            out += [ev.CitationGiven(cited_whole(citation, whole)) for citation in self._citations]
        return out + self._closing()

    def _say(self, text: str) -> list[ev.Event]:
        if not text:
            return []
        self._length += len(text)
        return [*self._opening(p.Text(text="")), ev.TextDelta(text)] if not self._is_open else [ev.TextDelta(text)]


class ThinkingBlock(Block):
    """Opened by its first text, or at its end by a signature alone (`display: omitted`); nothing without both."""

    def __init__(self, raw: Raw, reader: AnswerReader) -> None:
        super().__init__(raw, reader)
        self._signature = text_of(raw.get("signature"))

    def start(self) -> list[ev.Event]:
        return self._say(text_of(self.raw.get("thinking")))

    def feed(self, delta: Delta, data: bytes) -> list[ev.Event]:
        if delta.signature:
            self._signature = delta.signature
        return self._say(delta.thinking or "")

    def stop(self) -> list[ev.Event]:
        if not self._signature:
            return self._closing()
        signed = ev.SignatureDelta(self._signature, FAMILY)
        return [*self._opening(self._part()), signed, *self._closing()]

    def _say(self, text: str) -> list[ev.Event]:
        return [*self._opening(self._part()), ev.ReasoningDelta(text)] if text else []

    def _part(self) -> p.Reasoning:
        return p.Reasoning(family=FAMILY, meta=proofs.owner(self.reader.side))


class CallBlock(Block):
    """A tool's call, the caller's or the provider's. Input in the start counts only if no deltas follow (S28)."""

    def __init__(self, raw: Raw, reader: AnswerReader) -> None:
        super().__init__(raw, reader)
        self._has_deltas = False

    def start(self) -> list[ev.Event]:
        return self._opening(self._part())

    def feed(self, delta: Delta, data: bytes) -> list[ev.Event]:
        if not delta.partial_json:
            return []
        self._has_deltas = True
        return [ev.ArgumentsDelta(delta.partial_json)]

    def stop(self) -> list[ev.Event]:
        text = "" if self._has_deltas else self._input()
        return [ev.ArgumentsDelta(text), *self._closing()] if text else self._closing()

    def _input(self) -> str:
        return arguments.as_text(self.raw.get("input"))

    def _part(self) -> p.Part:
        return self.reader.call(self.raw)


class ServerCallBlock(CallBlock):
    def _part(self) -> p.Part:
        return self.reader.server_call({**self.raw, "input": None})


class CustomCallBlock(CallBlock):
    """A free-text tool that was sent as a function: its JSON is gathered and unwrapped at the end (7.7)."""

    def __init__(self, raw: Raw, reader: AnswerReader) -> None:
        super().__init__(raw, reader)
        self._json: list[str] = []

    def feed(self, delta: Delta, data: bytes) -> list[ev.Event]:
        if delta.partial_json:
            self._json.append(delta.partial_json)
        return []

    def stop(self) -> list[ev.Event]:
        text = arguments.unwrapped("".join(self._json) or self._input())
        return [ev.ArgumentsDelta(text), *self._closing()] if text else self._closing()


class AnswerBlock(CallBlock):
    """The tool whose input is the answer: its JSON is the text (2.6 rule 2)."""

    def feed(self, delta: Delta, data: bytes) -> list[ev.Event]:
        said = super().feed(delta, data)
        return [ev.TextDelta(delta.partial_json or "")] if said else []

    def stop(self) -> list[ev.Event]:
        if self._has_deltas:
            return self._closing()
        return [ev.TextDelta(self._input() or "{}"), *self._closing()]

    def _part(self) -> p.Part:
        self.reader.answered = True
        return p.Text(text="")


class WholeBlock(Block):
    """Redacted thinking, results of hosted tools, and every kind not known here: given whole at its end.

    Deltas of unknown kinds add to the fields of the same name (`compaction_delta`: corpus ...compaction-1).
    """

    def __init__(self, raw: Raw, reader: AnswerReader) -> None:
        super().__init__(dict(raw), reader)

    def feed(self, delta: Delta, data: bytes) -> list[ev.Event]:
        told = (jsonio.try_object(data) or {}).get("delta")
        for key, value in told.items() if isinstance(told, dict) else ():
            if key != "type" and value is not None:
                before = self.raw.get(key)
                joins = isinstance(before, str) and isinstance(value, str)
                self.raw[key] = before + value if joins else value
        return []

    def stop(self) -> list[ev.Event]:
        part = self.reader.part(self.raw)
        return [ev.PartStarted(part), ev.PartEnded()] if part is not None else []


_KINDS: dict[str, type[Block]] = {
    "text": TextBlock,
    "thinking": ThinkingBlock,
    "server_tool_use": ServerCallBlock,
    "mcp_tool_use": ServerCallBlock,
}


def opened(raw: Raw, reader: AnswerReader) -> Block:
    """The object for a `content_block_start`."""
    if raw["type"] != "tool_use":
        return _KINDS.get(raw["type"], WholeBlock)(raw, reader)
    if reader.is_answer(raw):
        return AnswerBlock(raw, reader)
    return (CustomCallBlock if reader.is_wrapped(raw) else CallBlock)(raw, reader)
