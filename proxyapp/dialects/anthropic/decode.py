"""An upstream's event stream as IR events (reference/translation.md 4.1 M, 4.6 row M, 4.7).

Blocks may overlap on the wire; the IR has one part open at a time, so a block that begins while another is open waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from proxyapp.dialects import jsonio
from proxyapp.dialects.anthropic import errors, finish, usage
from proxyapp.dialects.anthropic.blocks import Block, Delta, opened
from proxyapp.dialects.anthropic.reader import AnswerReader, text_of
from proxyapp.dialects.anthropic.response import service_tier
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.sse import Frame
from proxyapp.errors import UpstreamBroken, UpstreamFault
from proxyapp.ir import events as ev

_CUT = "The upstream's stream ended before the answer was complete."
_UNREADABLE = "The upstream sent an event that cannot be read."
_TWO = "The upstream began a second answer inside the first."


class _Wire(Struct):
    """Any event; only what its kind needs is there."""

    type: str = ""
    index: int = 0
    delta: Delta | None = None
    content_block: Any = None
    message: Any = None
    usage: Any = None
    error: Any = None


_wire = msgspec.json.Decoder(_Wire)

_IMPLIED = {
    "text_delta": {"type": "text", "text": ""},
    "thinking_delta": {"type": "thinking", "thinking": "", "signature": ""},
}
"""Blocks that may be taken as begun when a server leaves out their `content_block_start`."""


class AnthropicDecoder:
    """One stream. Never raises for what an upstream sends."""

    def __init__(self, side: UpstreamSide) -> None:
        self._reader = AnswerReader(side)
        self._id: str | None = None
        self._began_content = False
        self._started = False
        self._ended = False
        self._counts: dict[str, Any] = {}
        self._stop: Delta | None = None
        self._open: dict[int, Block] = {}
        self._line: list[Block] = []
        """Blocks in the order they began; the first one's events go out, the others' wait."""

    def feed(self, frame: Frame) -> list[ev.Event]:
        if self._ended:
            return []
        data = frame.data
        if not data or data == b"[DONE]":
            return self._alive()
        try:
            wire = _wire.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._misshapen(frame)
        step = _STEPS.get(wire.type or frame.event)
        if step is None:
            return []  # a kind of event that is newer than this code
        try:
            return step(self, wire, data)
        except UpstreamFault as fault:
            return self._failed(fault)

    def close(self) -> list[ev.Event]:
        if self._ended:
            return []
        if self._stop is not None:
            return self._finish()
        return self._failed(UpstreamBroken(_CUT))

    # --- one step an event

    def _message_start(self, wire: _Wire, data: bytes) -> list[ev.Event]:
        message = wire.message if isinstance(wire.message, dict) else {}
        message_id = text_of(message.get("id"))
        if self._began_content and message_id != self._id:
            # A retry somewhere on the way was spliced into the body (vercel/ai#18331): the parts do not belong
            # together, and what was shown cannot be taken back.
            raise UpstreamBroken(_TWO)
        self._counts = usage.merged(self._counts, message.get("usage"))
        if self._started:
            return []
        self._id = message_id
        return self._start(message)

    def _start(self, message: dict[str, Any]) -> list[ev.Event]:
        self._started = True
        counts = message.get("usage")
        return [
            ev.Started(
                id=text_of(message.get("id")),
                model=text_of(message.get("model")),
                usage=usage.parse(counts),
                service_tier=service_tier(counts),
            )
        ]

    def _block_start(self, wire: _Wire, data: bytes) -> list[ev.Event]:
        out = [] if self._started else self._start({})
        if wire.index in self._open:
            out += self._stop_block(wire.index)
        return out + self._begin(wire.index, wire.content_block)

    def _begin(self, index: int, raw: Any) -> list[ev.Event]:
        if not isinstance(raw, dict) or not isinstance(raw.get("type"), str):
            raise UpstreamBroken(_UNREADABLE)
        self._began_content = True
        block = opened(raw, self._reader)
        self._open[index] = block
        self._line.append(block)
        return self._say(block, block.start())

    def _block_delta(self, wire: _Wire, data: bytes) -> list[ev.Event]:
        delta, block = wire.delta, self._open.get(wire.index)
        if delta is None:
            return []
        if block is not None:
            return self._say(block, block.feed(delta, data))
        implied = _IMPLIED.get(delta.type)
        if implied is None:
            return []
        out = [] if self._started else self._start({})
        out += self._begin(wire.index, implied)
        return out + self._say(self._open[wire.index], self._open[wire.index].feed(delta, data))

    def _block_stop(self, wire: _Wire, data: bytes) -> list[ev.Event]:
        return self._stop_block(wire.index) if wire.index in self._open else []

    def _message_delta(self, wire: _Wire, data: bytes) -> list[ev.Event]:
        self._counts = usage.merged(self._counts, wire.usage)
        if wire.delta is not None and wire.delta.stop_reason is not None:
            self._stop = wire.delta
        return []

    def _message_stop(self, wire: _Wire, data: bytes) -> list[ev.Event]:
        return self._finish()

    def _error(self, wire: _Wire, data: bytes) -> list[ev.Event]:
        told = jsonio.try_object(data) or {}
        fault = errors.refusal_in({**told, "type": "error"}, raw=data)
        return self._failed(fault or UpstreamBroken(_UNREADABLE))

    def _ping(self, wire: _Wire, data: bytes) -> list[ev.Event]:
        return self._alive()

    # --- blocks in line

    def _say(self, block: Block, said: list[ev.Event]) -> list[ev.Event]:
        if block is self._line[0]:
            return said
        block.held += said
        return []

    def _stop_block(self, index: int) -> list[ev.Event]:
        block = self._open.pop(index)
        out = self._say(block, block.stop())
        block.is_done = True
        while self._line and self._line[0].is_done:
            self._line.pop(0)
            if self._line:
                out += self._line[0].held
                self._line[0].held = []
        return out

    # --- ends

    def _finish(self) -> list[ev.Event]:
        out = [] if self._started else self._start({})
        for index in list(self._open):
            out += self._stop_block(index)
        counted = usage.parse(self._counts)
        if counted is not None:
            out.append(ev.UsageGiven(counted))
        stop = self._stop or Delta()
        answered = self._reader.answered and not self._reader.called
        out.append(
            ev.Finished(finish.parse(stop.stop_reason, stop.stop_sequence, stop.stop_details, answered=answered))
        )
        self._ended = True
        return out

    def _failed(self, fault: UpstreamFault) -> list[ev.Event]:
        self._ended = True
        return [ev.Failed(fault)]

    def _alive(self) -> list[ev.Event]:
        return [ev.Alive()] if self._started else []

    def _misshapen(self, frame: Frame) -> list[ev.Event]:
        """Not JSON, or a known field of another type: a fault, unless the event is of a kind not known here."""
        value = jsonio.try_object(frame.data)
        if value is not None and (text_of(value.get("type")) or frame.event) not in _STEPS:
            return []
        return self._failed(UpstreamBroken(_UNREADABLE))


_STEPS: dict[Any, Callable[[AnthropicDecoder, _Wire, bytes], list[ev.Event]]] = {
    "message_start": AnthropicDecoder._message_start,
    "content_block_start": AnthropicDecoder._block_start,
    "content_block_delta": AnthropicDecoder._block_delta,
    "content_block_stop": AnthropicDecoder._block_stop,
    "message_delta": AnthropicDecoder._message_delta,
    "message_stop": AnthropicDecoder._message_stop,
    "error": AnthropicDecoder._error,
    "ping": AnthropicDecoder._ping,
}
