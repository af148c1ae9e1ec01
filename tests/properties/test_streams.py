"""Recorded streams, damaged in every way a network or a server can damage them."""

from __future__ import annotations

import functools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyapp.dialects.registry import DIALECTS
from proxyapp.dialects.sse import FrameReader
from proxyapp.errors import GatewayError, UpstreamFault
from proxyapp.ir.events import Event, Failed, Finished
from proxyapp.ir.grammar import Grammar
from tests.corpus import roads
from tests.corpus.exchanges import SPOKEN, Exchange, exchanges
from tests.corpus.folding import frames, payloads
from tests.properties.sides import upstream_side

MOST = 12_000
"""Bytes of a stream that is worth damaging; longer ones say more of the same."""


@functools.cache
def streams(dialect: str) -> list[Exchange]:
    return [each for each in exchanges(dialect) if each.stream and len(each.raw) <= MOST]


def pieces(raw: bytes) -> list[bytes]:
    return [frame.raw for frame in FrameReader().feed(raw + b"\n\n") if frame.data]


@st.composite
def damaged(draw, dialect: str) -> bytes:
    """A recorded stream after up to four mishaps."""
    found = pieces(draw(st.sampled_from(streams(dialect))).raw)
    for _ in range(draw(st.integers(1, 4))):
        if not found:
            break
        at = draw(st.integers(0, len(found) - 1))
        match draw(st.sampled_from(["drop", "double", "swap", "cut", "splice", "flip", "junk", "shorten"])):
            case "drop":
                del found[at]
            case "double":
                found.insert(at, found[at])
            case "swap":
                other = draw(st.integers(0, len(found) - 1))
                found[at], found[other] = found[other], found[at]
            case "cut":
                del found[at:]
            case "splice":
                strange = pieces(draw(st.sampled_from(streams(draw(st.sampled_from(SPOKEN))))).raw)
                found[at:at] = strange[: draw(st.integers(1, 4))]
            case "flip":
                found[at] = _flipped(found[at], draw(st.integers(0, 2**16)), draw(st.integers(1, 255)))
            case "junk":
                found.insert(at, draw(st.sampled_from(JUNK)))
            case "shorten":
                found[at] = found[at][: draw(st.integers(0, len(found[at])))]
    return b"".join(found)


def _flipped(piece: bytes, where: int, how: int) -> bytes:
    changed = bytearray(piece)
    changed[where % len(piece)] ^= how
    return bytes(changed)


JUNK = (
    b"data: null\n\n", b"data: []\n\n", b"data: {}\n\n", b"data: 7\n\n", b'data: "x"\n\n', b"data: {\n\n",
    b": a comment\n\n", b"event: error\ndata: {}\n\n", b"event: ping\n\n", b"data: [DONE]\n\n", b"\xff\xfe\n\n",
    b'data: {"error": "no"}\n\n', b'data: {"error": {"message": 5, "code": []}}\n\n', b'data: {"choices": 5}\n\n',
    b'data: {"type": "message_delta"}\n\n', b'data: {"type": "response.completed"}\n\n',
    b'data: {"candidates": {}}\n\n', b"<html>502</html>\n\n",
)  # fmt: skip


def decoded(dialect: str, raw: bytes) -> list[Event]:
    """As the engine feeds it: nothing after the end. Every event is held to the grammar."""
    decoder, grammar, events = DIALECTS[dialect].decoder(upstream_side(dialect)), Grammar(), []
    reader = FrameReader()
    for frame in [*reader.feed(raw), *reader.close()]:
        events += decoder.feed(frame)
    events += decoder.close()
    for event in events:
        grammar.check(event)
    return events


@pytest.mark.parametrize("dialect", SPOKEN)
@given(data=st.data())
def test_a_decoder_keeps_the_grammar_on_whatever_comes(dialect, data):
    events = decoded(dialect, data.draw(damaged(dialect)))
    assert isinstance(events[-1], Finished | Failed)


@pytest.mark.parametrize("caller", SPOKEN)
@pytest.mark.parametrize("dialect", SPOKEN)
@given(data=st.data())
def test_a_caller_gets_frames_that_can_be_read_and_an_end_in_words(dialect, caller, data):
    if caller == dialect:
        return  # bytes are relayed as they are
    raw = data.draw(damaged(dialect))
    exchange = data.draw(st.sampled_from(streams(dialect)))
    given_ = roads.stream(roads.road(caller, dialect, exchange.asked_by(caller), stream=True), raw)
    assert given_.error is None or isinstance(given_.error, UpstreamFault)
    for _, told in frames(given_.raw):
        assert told == "[DONE]" or isinstance(json.loads(told), dict)
    if given_.error is not None:
        assert "error" in json.dumps(payloads(given_.raw)[-1])


@pytest.mark.parametrize("dialect", SPOKEN)
@given(data=st.data())
def test_listening_in_on_a_damaged_stream_breaks_nothing(dialect, data):
    exchange = data.draw(st.sampled_from(streams(dialect)))
    way = roads.road(dialect, dialect, exchange.asked(), stream=True)
    given_ = roads.stream(way, data.draw(damaged(dialect)))
    assert given_.error is None or isinstance(given_.error, GatewayError)


@pytest.mark.parametrize("caller", SPOKEN)
@pytest.mark.parametrize("dialect", SPOKEN)
@given(data=st.data())
def test_where_the_bytes_are_cut_changes_nothing(dialect, caller, data):
    exchange = data.draw(st.sampled_from(streams(dialect)))
    asked = exchange.asked() if caller == dialect else exchange.asked_by(caller)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(exchange.raw)), max_size=12)))
    way = roads.road(caller, dialect, asked, stream=True)
    out = b""
    for start, end in zip([0, *cuts], [*cuts, len(exchange.raw)], strict=True):
        if way.error is None and not way.is_done:
            out += way.feed(exchange.raw[start:end])
    if way.error is None and not way.is_done:
        out += way.close()
    if way.error is not None:
        out += way.fail(way.error)
    assert out == roads.drive(exchange, caller).raw
