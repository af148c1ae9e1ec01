"""Builders for the Responses tests: the two sides of a request, streams from events, and ways through the dialect."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

import pytest

from proxyapp.dialects.contract import ClientSide, Profile, UpstreamSide
from proxyapp.dialects.openai_responses import OPENAI_RESPONSES
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
    """`upstream(lenient=True, top_k=True)`: a side whose profile has these fields."""

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
    """A caller's body as IR; the input "hi" where none is given."""

    def run(**body: Any) -> Request:
        return OPENAI_RESPONSES.parse_request({"model": "asked", "input": "hi", **body}, caller)

    return run


@pytest.fixture
def sse() -> Callable[..., bytes]:
    """A stream from events, numbered."""

    def build(*events: Json) -> bytes:
        told = ({**event, "sequence_number": number} for number, event in enumerate(events))
        return b"".join(
            f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode() for event in told
        )

    return build


@pytest.fixture
def decode(upstream: Callable[..., UpstreamSide]) -> Callable[..., list[Event]]:
    """A stream, in pieces or whole, as events that keep to the grammar."""

    def run(pieces: bytes | Iterable[bytes], side: UpstreamSide | None = None) -> list[Event]:
        reader, decoder = FrameReader(), OPENAI_RESPONSES.decoder(side or upstream())
        events: list[Event] = []
        for piece in [pieces] if isinstance(pieces, bytes) else pieces:
            for frame in reader.feed(piece):
                events += decoder.feed(frame)
        for frame in reader.close():
            events += decoder.feed(frame)
        events += decoder.close()
        check_all(events)
        return events

    return run


@pytest.fixture
def encode(caller: ClientSide) -> Callable[..., bytes]:
    """Events as the bytes of a caller's stream."""

    def run(events: Iterable[Event], request: Request | None = None) -> bytes:
        asked = request or Request(client_dialect="openai-responses", model="asked", stream=True)
        encoder = OPENAI_RESPONSES.encoder(asked, caller)
        return b"".join(encoder.encode(event) for event in events)

    return run


@pytest.fixture
def told() -> Callable[[bytes], list[Json]]:
    """The events of a stream: each named as its type, numbered from 0 without a gap."""

    def read(raw: bytes) -> list[Json]:
        reader = FrameReader()
        frames = [*reader.feed(raw), *reader.close()]
        events = [json.loads(frame.data) for frame in frames]
        assert [frame.event for frame in frames] == [event["type"] for event in events]
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        return events

    return read
