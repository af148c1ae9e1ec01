"""Builders for the Messages tests: two sides of a request, streams from lists, and the way through the dialect."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

import pytest

from proxyapp.dialects import jsonio
from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.contract import ClientSide, Profile, UpstreamSide
from proxyapp.dialects.signatures import Sealer
from proxyapp.dialects.sse import FrameReader
from proxyapp.ir.events import Event
from proxyapp.ir.grammar import check_all
from proxyapp.ir.request import Request

Json = dict[str, Any]


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(b"a key of thirty-two bytes, just so")


@pytest.fixture
def caller(sealer: Sealer) -> ClientSide:
    numbers = count(1)
    return ClientSide(sealer=sealer, now=1_700_000_000, new_id=lambda: f"{next(numbers):024d}")


@pytest.fixture
def upstream(sealer: Sealer) -> Callable[..., UpstreamSide]:
    """`upstream(lenient=True, prefill=False)`: a side whose profile has these fields."""

    def build(*, lenient: bool = False, account: str = "acme", **profile: Any) -> UpstreamSide:
        numbers = count(1)
        return UpstreamSide(
            profile=Profile(**profile),
            sealer=sealer,
            model="up-model",
            lenient=lenient,
            account=account,
            new_id=lambda: f"{next(numbers):024d}",
        )

    return build


@pytest.fixture
def parse(caller: ClientSide) -> Callable[..., Request]:
    """A caller's body as IR; the message "hi" and a limit of 4096 where none are given."""

    def run(**body: Any) -> Request:
        body = {"model": "asked", "max_tokens": 4096, "messages": [{"role": "user", "content": "hi"}], **body}
        return ANTHROPIC.parse_request({key: value for key, value in body.items() if value is not ...}, caller)

    return run


@pytest.fixture
def render(upstream: Callable[..., UpstreamSide]) -> Callable[..., Json]:
    """IR as the upstream's body after a trip over the wire, for a side or for profile fields."""

    def run(request: Request, side: UpstreamSide | None = None, **profile: Any) -> Json:
        return json.loads(jsonio.encode(ANTHROPIC.render_request(request, side or upstream(**profile))))

    return run


@pytest.fixture
def stream() -> Callable[..., bytes]:
    """The bytes of an upstream's stream from its events."""

    def build(*events: Json) -> bytes:
        return b"".join(
            b"event: " + event["type"].encode() + b"\ndata: " + json.dumps(event).encode() + b"\n\n" for event in events
        )

    return build


@pytest.fixture
def decode(upstream: Callable[..., UpstreamSide]) -> Callable[..., list[Event]]:
    """The events of an upstream's bytes, cut into pieces of `step`; they are held to the grammar."""

    def run(raw: bytes, side: UpstreamSide | None = None, step: int = 1 << 20) -> list[Event]:
        decoder = ANTHROPIC.decoder(side or upstream())
        reader = FrameReader()
        events: list[Event] = []
        for start in range(0, len(raw), step):
            for frame in reader.feed(raw[start : start + step]):
                events += decoder.feed(frame)
        for frame in reader.close():
            events += decoder.feed(frame)
        events += decoder.close()
        check_all(events)
        return events

    return run


@pytest.fixture
def encode(caller: ClientSide, parse: Callable[..., Request]) -> Callable[..., bytes]:
    """The bytes a caller reads for these events; `body`: fields of its request."""

    def run(events: Iterable[Event], side: ClientSide | None = None, **body: Any) -> bytes:
        encoder = ANTHROPIC.encoder(parse(stream=True, **body), side or caller)
        return b"".join(encoder.encode(event) for event in events)

    return run


@pytest.fixture
def read() -> Callable[[bytes], list[Json]]:
    """A caller's stream as its events, without pings; every frame must bear its name."""

    def run(raw: bytes) -> list[Json]:
        reader = FrameReader()
        frames = [*reader.feed(raw), *reader.close()]
        events = [json.loads(frame.data) for frame in frames]
        assert [frame.event for frame in frames] == [event["type"] for event in events]
        return [event for event in events if event["type"] != "ping"]

    return run


@pytest.fixture
def a_message() -> Callable[..., Json]:
    """A whole answer of an upstream with these content blocks."""

    def build(*content: Json, **more: Any) -> Json:
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude",
            "content": list(content),
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 3, "output_tokens": 9},
            **more,
        }

    return build


@pytest.fixture
def a_stream(stream: Callable[..., bytes]) -> Callable[..., bytes]:
    """A whole stream whose blocks are given as (start, delta, delta, ...)."""

    def build(*blocks: tuple[Json, ...], stop_reason: str = "end_turn", **usage: Any) -> bytes:
        events: list[Json] = [
            {
                "type": "message_start",
                "message": {"id": "msg_1", "model": "claude", "usage": {"input_tokens": 3, "output_tokens": 1}},
            }
        ]
        for index, (start, *deltas) in enumerate(blocks):
            events.append({"type": "content_block_start", "index": index, "content_block": start})
            events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
            events.append({"type": "content_block_stop", "index": index})
        delta = {"stop_reason": stop_reason, "stop_sequence": None}
        events.append({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 9, **usage}})
        events.append({"type": "message_stop"})
        return stream(*events)

    return build
