"""IR events as a caller's event stream (reference/translation.md 4.1 M, 4.3).

What the official SDKs demand: an `event:` line on every frame, block indexes 0, 1, 2 without a gap, one block open at
a time, `message_start` first, argument fragments that are the beginning of a JSON object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from proxyapp.dialects import arguments, jsonio
from proxyapp.dialects.anthropic import errors, finish, usage
from proxyapp.dialects.anthropic.response import message_id, tokens_of
from proxyapp.dialects.anthropic.writer import AnswerWriter, foreign_citation
from proxyapp.dialects.contract import ClientSide
from proxyapp.dialects.sse import named_frame
from proxyapp.errors import GatewayError
from proxyapp.ir import events as ev
from proxyapp.ir import parts as p
from proxyapp.ir.request import Request
from proxyapp.ir.usage import Usage

PING = b'event: ping\ndata: {"type":"ping"}\n\n'

_DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%s","%s":'
_END = b"}}\n\n"
_STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_OPENING = '{"input":"'
_CLOSING = '"}'


class AnthropicEncoder:
    """One stream. Each call returns whole frames, or b""."""

    def __init__(self, request: Request, side: ClientSide) -> None:
        self._request = request
        self._side = side
        self._writer = AnswerWriter(request, side)
        self._usage: Usage | None = None
        self._told = 0
        """Characters given so far, for an estimate when the upstream counts nothing."""
        self._called = self._refused = self._answered = False
        self._part: p.Part | None = None
        self._skips = False
        """The open part is not shown: its deltas are passed over."""
        self._index = -1
        self._is_open = False
        self._text_prefix = self._json_prefix = b""
        self._hidden: list[str] = []
        self._has_spoken = False
        """There is a block that is not thinking."""
        self._late: list[p.Reasoning] = []
        """Thinking after it that shows nothing: a message that ends with it has no last word for Claude Code's
        print mode (seen with 2.1.197), so it waits for what follows it."""
        self._arguments: list[str] | None = None
        """Argument text that is held back, since it does not begin like an object; None = it flows."""

    def encode(self, event: ev.Event) -> bytes:
        return _STEPS[type(event)](self, event)

    def fail(self, error: GatewayError) -> bytes:
        return errors.error_frame(error)

    # --- the message

    def _started(self, event: ev.Started) -> bytes:
        self._usage = event.usage
        message: dict[str, Any] = {
            "id": message_id(event.id, self._side),
            "type": "message",
            "role": "assistant",
            "model": self._request.model or event.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "stop_details": None,
            "container": None,
            "usage": usage.render(event.usage, estimated_input=self._side.estimate_input),
        }
        return _frame(b"message_start", {"type": "message_start", "message": message}) + PING

    def _given(self, event: ev.UsageGiven) -> bytes:
        self._usage = event.usage
        return b""

    def _alive(self, event: ev.Alive) -> bytes:
        return PING

    def _finished(self, event: ev.Finished) -> bytes:
        delta = finish.render(event.finish, called=self._called, refused=self._refused, has_content=self._answered)
        counts = usage.render(
            self._usage, estimated_input=self._side.estimate_input, estimated_output=tokens_of(self._told)
        )
        body = {"type": "message_delta", "delta": {**delta, "container": None}, "usage": counts}
        return _frame(b"message_delta", body) + _MESSAGE_STOP

    def _failed(self, event: ev.Failed) -> bytes:
        return self.fail(event.error)

    # --- parts

    def _part_started(self, event: ev.PartStarted) -> bytes:
        self._part, self._skips, self._hidden, self._arguments = event.part, False, [], None
        self._answered = self._answered or not isinstance(event.part, p.Reasoning)
        start = _STARTS.get(type(event.part))
        return start(self, event.part) if start is not None else b""

    def _refusal_start(self, part: p.Refusal) -> bytes:
        self._refused = True
        return b""

    def _call_start(self, part: p.ToolCall) -> bytes:
        self._called = True
        out = self._begin(self._writer.call_start(part))
        if part.kind == "custom":
            return out + self._json(_OPENING)
        self._arguments = []
        return out

    def _server_call_start(self, part: p.ServerCall) -> bytes:
        block = self._writer.server_call_start(part)
        self._skips = block is None
        return self._begin(block) if block is not None else b""

    def _reasoning_start(self, part: p.Reasoning) -> bytes:
        if part.redacted:
            return self._whole(part)
        self._part = msgspec.structs.replace(part)  # takes the signature when it comes
        return b""

    def _whole(self, part: p.Part) -> bytes:
        """Parts that come at once: their blocks are opened and closed here."""
        out = b""
        for block in self._writer.blocks(part):
            out += self._begin(block) + self._end()
        return out

    def _part_ended(self, event: ev.PartEnded) -> bytes:
        part, self._part = self._part, None
        out = b""
        if isinstance(part, p.Reasoning) and not part.redacted:
            part.text = "".join(self._hidden)
            if self._has_spoken and not self._is_open:
                self._late.append(part)
                return b""
            out = self._sign(part)
        elif isinstance(part, p.ToolCall):
            out = self._json(_CLOSING) if part.kind == "custom" else self._late_arguments(part)
        return out + self._end()

    # --- deltas

    def _text(self, event: ev.TextDelta) -> bytes:
        self._told += len(event.text)
        if not self._is_open:
            return self._begin({"type": "text", "text": ""}) + self._text_prefix + jsonio.encode(event.text) + _END
        return self._text_prefix + jsonio.encode(event.text) + _END

    def _citation(self, event: ev.CitationGiven) -> bytes:
        out = b"" if self._is_open else self._begin({"type": "text", "text": ""})
        delta = {"type": "citations_delta", "citation": foreign_citation(event.citation)}
        return out + self._delta(delta)

    def _reasoning(self, event: ev.ReasoningDelta) -> bytes:
        self._told += len(event.text)
        if self._writer.hides_thinking() or not self._wanted():
            self._hidden.append(event.text)
            return b""
        out = b"" if self._is_open else self._begin({"type": "thinking", "thinking": "", "signature": ""})
        return out + self._delta({"type": "thinking_delta", "thinking": event.text})

    def _wanted(self) -> bool:
        return isinstance(self._part, p.Reasoning) and self._writer.wants(self._part)

    def _signature(self, event: ev.SignatureDelta) -> bytes:
        if isinstance(self._part, p.Reasoning):
            self._part.signature, self._part.family = event.signature, event.family
        return b""

    def _sign(self, part: p.Reasoning) -> bytes:
        """The proof goes just before the end of its block, which it opens when no text did (4.3 rule 7)."""
        if not self._is_open and (not self._writer.wants(part) or not (part.text or part.signature)):
            return b""
        out = b"" if self._is_open else self._begin({"type": "thinking", "thinking": "", "signature": ""})
        return out + self._delta({"type": "signature_delta", "signature": self._writer.signature(part)})

    def _argument(self, event: ev.ArgumentsDelta) -> bytes:
        if self._skips:
            return b""
        self._told += len(event.text)
        if isinstance(self._part, p.ToolCall) and self._part.kind == "custom":
            return self._json(jsonio.text(event.text)[1:-1])
        if self._arguments is None:
            return self._json_prefix + jsonio.encode(event.text) + _END
        self._arguments.append(event.text)
        held = "".join(self._arguments).lstrip()
        if not held.startswith("{"):
            return b""
        self._arguments = None
        return self._json(held)

    def _late_arguments(self, part: p.ToolCall) -> bytes:
        """What never looked like an object: repaired or wrapped, and sent in one piece (7.6 rule 5)."""
        held = "".join(self._arguments or [])
        if not held.strip():
            return b""  # the block's own `input: {}` says it
        value, changed = arguments.as_object(held)
        if changed:
            self._side.notes.add(f"content.{part.name}", changed, dropped=False)
        return self._json(jsonio.text(value))

    # --- blocks

    def _begin(self, block: dict[str, Any]) -> bytes:
        late, self._late = self._late, []
        before = b"".join(self._sign(part) + self._end() for part in late)
        self._has_spoken = self._has_spoken or block["type"] not in ("thinking", "redacted_thinking")
        self._index += 1
        self._is_open = True
        self._text_prefix = _DELTA % (self._index, b"text_delta", b"text")
        self._json_prefix = _DELTA % (self._index, b"input_json_delta", b"partial_json")
        body = {"type": "content_block_start", "index": self._index, "content_block": block}
        return before + _frame(b"content_block_start", body)

    def _delta(self, delta: dict[str, Any]) -> bytes:
        body = {"type": "content_block_delta", "index": self._index, "delta": delta}
        return _frame(b"content_block_delta", body)

    def _json(self, text: str) -> bytes:
        return self._json_prefix + jsonio.encode(text) + _END

    def _end(self) -> bytes:
        if not self._is_open:
            return b""
        self._is_open = False
        return _STOP % self._index

    def _nothing(self, event: Any) -> bytes:
        return b""


def _frame(name: bytes, body: dict[str, Any]) -> bytes:
    return named_frame(name, jsonio.encode(body))


_STARTS: dict[type, Callable[[AnthropicEncoder, Any], bytes]] = {
    p.Refusal: AnthropicEncoder._refusal_start,
    p.Reasoning: AnthropicEncoder._reasoning_start,
    p.ToolCall: AnthropicEncoder._call_start,
    p.ServerCall: AnthropicEncoder._server_call_start,
    p.ServerResult: AnthropicEncoder._whole,
    p.Opaque: AnthropicEncoder._whole,
    p.Image: AnthropicEncoder._whole,
    p.Audio: AnthropicEncoder._whole,
}

_STEPS: dict[type, Callable[[AnthropicEncoder, Any], bytes]] = {
    ev.Started: AnthropicEncoder._started,
    ev.PartStarted: AnthropicEncoder._part_started,
    ev.TextDelta: AnthropicEncoder._text,
    ev.ReasoningDelta: AnthropicEncoder._reasoning,
    ev.SignatureDelta: AnthropicEncoder._signature,
    ev.ArgumentsDelta: AnthropicEncoder._argument,
    ev.CitationGiven: AnthropicEncoder._citation,
    ev.LogprobsGiven: AnthropicEncoder._nothing,
    ev.PartEnded: AnthropicEncoder._part_ended,
    ev.UsageGiven: AnthropicEncoder._given,
    ev.Finished: AnthropicEncoder._finished,
    ev.Failed: AnthropicEncoder._failed,
    ev.Alive: AnthropicEncoder._alive,
}
