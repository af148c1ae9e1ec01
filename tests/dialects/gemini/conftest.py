"""Builders for the Gemini tests: two sides of a request, streams from lists, and the way through the dialect."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

import pytest

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import ClientSide, Peek, Profile, UpstreamSide
from proxyapp.dialects.gemini import GEMINI
from proxyapp.dialects.registry import DIALECTS
from proxyapp.dialects.signatures import Sealer
from proxyapp.dialects.sse import FrameReader
from proxyapp.ir.events import Event
from proxyapp.ir.grammar import check_all
from proxyapp.ir.request import Request
from proxyapp.upstreams.contract import Upstream
from proxyapp.upstreams.gemini import Gemini

Json = dict[str, Any]
NEW, OLD, PRO, OLDEST = "gemini-3-flash-preview", "gemini-2.5-flash", "gemini-2.5-pro", "gemini-2.0-flash"
SIGNATURE = "EqsFCqgFAb4+9vvtAF5n87lB4OGDOoTRMOqp35jW65XsYXh6"


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(b"a key of thirty-two bytes, just so")


@pytest.fixture
def caller(sealer: Sealer) -> ClientSide:
    numbers = count(1)
    asked = Peek("asked", stream=False)
    return ClientSide(sealer=sealer, now=1_700_000_000, new_id=lambda: f"{next(numbers):024d}", asked=asked)


def profile_of(model: str) -> Profile:
    return Gemini().profile(Upstream(name="google", kind="gemini"), model)


@pytest.fixture
def upstream(sealer: Sealer) -> Callable[..., UpstreamSide]:
    """`upstream("gemini-2.5-pro", lenient=True)`: a side for that model."""

    def build(model: str = NEW, *, lenient: bool = False, account: str = "acme") -> UpstreamSide:
        numbers = count(1)
        return UpstreamSide(
            profile=profile_of(model),
            sealer=sealer,
            model=model,
            lenient=lenient,
            account=account,
            new_id=lambda: f"{next(numbers):024d}",
        )

    return build


@pytest.fixture
def parse(caller: ClientSide) -> Callable[..., Request]:
    """A caller's body as IR; the content "hi" where none is given."""

    def run(**body: Any) -> Request:
        return GEMINI.parse_request({"contents": [{"parts": [{"text": "hi"}]}], **body}, caller)

    return run


@pytest.fixture
def asked(caller: ClientSide, upstream: Callable[..., UpstreamSide]) -> Callable[..., tuple[Json, UpstreamSide]]:
    """A body of Chat, or of another dialect, as the Gemini body that goes upstream, and its side with the Notes."""

    def run(
        body: Json, model: str = NEW, *, dialect: str = "openai-chat", lenient: bool = False
    ) -> tuple[Json, UpstreamSide]:
        minimum = {"max_tokens": 100} if dialect == "anthropic-messages" else {}
        request = DIALECTS[dialect].parse_request({"model": "m", **minimum, **body}, caller)
        side = upstream(model, lenient=lenient)
        return json.loads(jsonio.encode(GEMINI.render_request(request, side))), side

    return run


def chunks(*values: Json | bytes) -> bytes:
    """A stream as Google frames it."""
    data = (value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode() for value in values)
    return b"".join(b"data: " + each + b"\r\n\r\n" for each in data)


def said(*parts: Json, finish: str | None = None, **more: Any) -> Json:
    """One chunk."""
    candidate: Json = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    return {"candidates": [{**candidate, **({"finishReason": finish} if finish else {}), **more}], "responseId": "r1"}


def decoded(raw: bytes, side: UpstreamSide, cut: int | None = None) -> list[Event]:
    """The events of a stream, checked against the grammar; its bytes cut in two at `cut`, or all in one."""
    frames, decoder = FrameReader(), GEMINI.decoder(side)
    pieces: Iterable[bytes] = [raw] if cut is None else [raw[:cut], raw[cut:]]
    events: list[Event] = []
    for piece in pieces:
        for frame in frames.feed(piece):
            events += decoder.feed(frame)
    for frame in frames.close():
        events += decoder.feed(frame)
    events += decoder.close()
    check_all(events)
    return events


def frames_of(raw: bytes) -> list[Json]:
    """The chunks that a caller gets."""
    reader = FrameReader()
    return [json.loads(frame.data) for frame in [*reader.feed(raw), *reader.close()] if frame.data]
