"""Bytes one at a time over sockets, and usage that nobody asked for. All recordings in full: test_table.py."""

from __future__ import annotations

import json

import pytest

from tests.corpus import checks, crossing
from tests.corpus.exchanges import CHAT, SPOKEN, Exchange, exchanges
from tests.corpus.folding import payloads

SAMPLE = (
    "openai-chat.sse.openllmetry.agent-arun-streaming-with-tools-0.e5f21c",
    "openai-chat.sse.vercel.mistral-reasoning-0.c7b200",
    "anthropic-messages.sse.vercel.anthropic-tool-no-args-0.75d0d3",
    "anthropic-messages.sse.vercel.duplicate-message-start-0.cb12f7",
)


@pytest.mark.parametrize("caller", SPOKEN)
@pytest.mark.parametrize("exchange", [each for each in exchanges() if each.id in SAMPLE], ids=lambda each: each.id)
async def test_bytes_that_arrive_one_at_a_time_change_nothing(house, exchange, caller):
    asked = exchange.asked() if caller == exchange.dialect else exchange.asked_by(caller)
    outcome = await house.ask(exchange, caller, asked, piece=1)
    if caller == exchange.dialect:
        assert outcome.raw == exchange.raw
    else:
        want = crossing.expected(crossing.recorded(exchange), caller, exchange.dialect)
        checks.agree(want, crossing.given(caller, outcome.raw, stream=True))
    assert outcome.row.outcome == "ok"


def told_of_usage(exchange: Exchange) -> list[bytes]:
    """The frames of a recorded stream that hold usage and nothing else."""
    frames = [piece + b"\n\n" for piece in exchange.raw.split(b"\n\n")]
    return [frame for frame in frames if frame.startswith(b"data: {") and _is_usage(json.loads(frame[6:]))]


def _is_usage(chunk: dict) -> bool:
    return chunk.get("choices") == [] and bool(chunk.get("usage"))


@pytest.mark.parametrize(
    "exchange", [each for each in exchanges(CHAT) if "usage-chunk" in each.tags], ids=lambda each: each.id
)
async def test_usage_that_the_caller_did_not_ask_for_is_held_back(house, exchange):
    asked = {key: value for key, value in exchange.asked().items() if key != "stream_options"}
    outcome = await house.ask(exchange, CHAT, asked)
    (usage,) = told_of_usage(exchange)
    assert outcome.raw == exchange.raw.replace(usage, b"")
    assert not any(map(_is_usage, payloads(outcome.raw)))
    assert outcome.row.output is not None, "the books have it all the same"
