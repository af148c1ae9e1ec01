"""Builders for the Chat tests: two sides of a request, streams from lists, and the way through the dialect."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

import pytest

from proxyapp.dialects.contract import ClientSide, Profile, UpstreamSide
from proxyapp.dialects.openai_chat import OPENAI_CHAT
from proxyapp.dialects.signatures import Sealer
from proxyapp.dialects.sse import FrameReader, parse_frame
from proxyapp.ir.events import Event
from proxyapp.ir.grammar import check_all
from proxyapp.ir.request import Request

DONE = "[DONE]"


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
    """A caller's body as IR; the message "hi" where none is given."""

    def run(**body: Any) -> Request:
        body = {"model": "asked", "messages": [{"role": "user", "content": "hi"}], **body}
        return OPENAI_CHAT.parse_request(body, caller)

    return run


@pytest.fixture
def render(upstream: Callable[..., UpstreamSide]) -> Callable[..., dict[str, Any]]:
    """IR as the upstream's body, for a side or for profile fields."""

    def run(request: Request, side: UpstreamSide | None = None, **profile: Any) -> dict[str, Any]:
        return OPENAI_CHAT.render_request(request, side or upstream(**profile))

    return run


@pytest.fixture
def sse() -> Callable[..., bytes]:
    """A stream from chunks: dicts, or strings that are sent as they are."""

    def build(*chunks: Any) -> bytes:
        texts = (chunk if isinstance(chunk, str) else json.dumps(chunk, ensure_ascii=False) for chunk in chunks)
        return "".join(f"data: {text}\n\n" for text in texts).encode()

    return build


@pytest.fixture
def chunk() -> Callable[..., dict[str, Any]]:
    """A chunk with one choice: `chunk({"content": "hi"}, finish="stop")`."""

    def build(delta: Any = None, *, finish: Any = None, **more: Any) -> dict[str, Any]:
        choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
        return {"id": "chatcmpl-1", "created": 1, "model": "gpt", "choices": [choice], **more}

    return build


@pytest.fixture
def decode(upstream: Callable[..., UpstreamSide]) -> Callable[..., list[Event]]:
    """A stream's events, held to the grammar. `cut` bytes a network read."""

    def run(data: bytes, side: UpstreamSide | None = None, cut: int = 1 << 30) -> list[Event]:
        reader, decoder = FrameReader(), OPENAI_CHAT.decoder(side or upstream())
        events: list[Event] = []
        for start in range(0, len(data), cut):
            for frame in reader.feed(data[start : start + cut]):
                events += decoder.feed(frame)
        for frame in reader.close():
            events += decoder.feed(frame)
        events += decoder.close()
        check_all(events)
        return events

    return run


@pytest.fixture
def encode(caller: ClientSide) -> Callable[..., bytes]:
    def run(events: Iterable[Event], request: Request | None = None, side: ClientSide | None = None) -> bytes:
        request = request or Request(client_dialect="openai-chat", model="asked", stream=True)
        encoder = OPENAI_CHAT.encoder(request, side or caller)
        return b"".join(encoder.encode(event) for event in events)

    return run


@pytest.fixture
def chunks_of() -> Callable[[bytes], list[Any]]:
    """The JSON of every frame of our own output; `[DONE]` as the word. Nothing but `data:` lines is allowed."""

    def read(data: bytes) -> list[Any]:
        assert all(line == b"" or line.startswith(b"data: ") for line in data.split(b"\n"))
        bodies = [parse_frame(raw + b"\n\n").data for raw in data.split(b"\n\n") if raw]
        return [DONE if body == b"[DONE]" else json.loads(body) for body in bodies]

    return read


@pytest.fixture
def play(decode: Any, sse: Any, chunk: Any) -> Callable[..., list[Event]]:
    """Deltas, then a finish and `[DONE]`, as events."""

    def run(*deltas: dict[str, Any], finish: str = "stop", side: Any = None) -> list[Event]:
        return decode(sse(*(chunk(delta) for delta in deltas), chunk({}, finish=finish), "[DONE]"), side)

    return run
