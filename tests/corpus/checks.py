"""What every recorded exchange is held to. Each check raises AssertionError, or returns the losses it met, as the
sentences of `losses`; an empty set means that nothing at all was lost."""

from __future__ import annotations

import json
from typing import Any

from proxyapp.dialects.registry import DIALECTS
from proxyapp.dialects.sse import FrameReader
from proxyapp.ir import events as ev
from proxyapp.ir.fold import fold
from proxyapp.ir.grammar import check_all
from tests.corpus import crossing, losses, responses, roads, schemas, sdk
from tests.corpus.exchanges import CHAT, GEMINI, MESSAGES, RESPONSES, Exchange, asked_in
from tests.corpus.folding import payloads
from tests.corpus.house import UPSTREAM_MODEL, House
from tests.corpus.readers import READ
from tests.engine.conftest import Outcome

Losses = set[str]
Json = dict[str, Any]


# --- the same dialect on both sides


async def same(house: House, exchange: Exchange) -> Losses:
    """The upstream gets the caller's request, the caller the upstream's answer: unchanged."""
    asked = exchange.asked()
    outcome = await house.ask(exchange, exchange.dialect, asked)
    assert house.sent == patched(exchange.dialect, asked, kept_here=True)
    if exchange.is_error:
        return check_error(exchange, exchange.dialect, outcome)
    if exchange.id in losses.NO_ANSWER and not exchange.stream:
        return check_no_answer(exchange, exchange.dialect, outcome)
    assert outcome.status == 200
    kept = exchange.dialect == RESPONSES and asked.get("store") is not False
    if not exchange.stream:
        assert json.loads(outcome.raw) == exchange.json() | ({"store": False} if kept else {})
        return set()
    assert outcome.raw == relayed(exchange).replace(b'"store":true', b'"store":false' if kept else b'"store":true')
    return {losses.BYTES[exchange.id]} if exchange.id in losses.BYTES else set()


def patched(dialect: str, asked: Json, model: str = UPSTREAM_MODEL, *, kept_here: bool = False) -> Json:
    """What the gateway changes in a body of the same dialect, and nothing else: docs/dialects. `kept_here`: the
    gateway holds the conversations of Responses itself, so that no upstream needs to."""
    sent = {**asked} if dialect == GEMINI else {**asked, "model": model}
    if dialect == CHAT:
        if not sent.get("tools", True):
            sent = {key: value for key, value in sent.items() if key not in ("tools", "tool_choice")}
        if sent.get("stream"):
            sent["stream_options"] = {**(sent.get("stream_options") or {}), "include_usage": True}
    if dialect == RESPONSES and kept_here and asked.get("store") is not False:
        sent |= {"store": False, "include": [*(asked.get("include") or []), "reasoning.encrypted_content"]}
    return sent


def relayed(exchange: Exchange) -> bytes:
    """The recorded bytes, as far as they are one answer."""
    raw = exchange.raw
    if exchange.id in losses.BYTES:
        if exchange.dialect == CHAT:
            return raw.rstrip(b"\n") + b"\n\n"
        end = {MESSAGES: b"event: message_stop\n", RESPONSES: b"event: response.completed\n"}[exchange.dialect]
        head, found, rest = raw.partition(end)
        raw = head + found + rest[: rest.index(b"\n\n") + 2]
    return raw


# --- another dialect


async def cross(house: House, exchange: Exchange, caller: str) -> Losses:
    """A caller of another dialect gets the same meaning, in a form that its specification and its SDK accept."""
    outcome = await house.ask(exchange, caller, exchange.asked_by(caller))
    if exchange.is_error:
        return check_error(exchange, caller, outcome)
    if exchange.id in losses.NO_ANSWER:
        return check_no_answer(exchange, caller, outcome)
    assert outcome.status == 200
    want = crossing.expected(crossing.recorded(exchange), caller, exchange.dialect)
    got = crossing.given(caller, outcome.raw, stream=exchange.stream)
    agree(want, got)
    assert got.beyond <= want.beyond
    check_form(caller, outcome.raw, stream=exchange.stream)
    if (caller, exchange.id) not in losses.SDK:
        check_sdk(want, caller, outcome.raw, stream=exchange.stream)
    check_books(want, outcome)
    return named(caller, want.beyond - got.beyond)


def named(caller: str, beyond: set[str]) -> Losses:
    """What the caller did not get, as the sentences that allow it."""
    assert all((caller, word) in losses.ANSWERS for word in beyond), f"no table allows the loss of {beyond}"
    return {losses.ANSWERS[caller, word] for word in beyond}


def check_form(caller: str, raw: bytes, *, stream: bool) -> None:
    """What we make ourselves keeps to the specification, but where that is stricter than its own service."""
    told = payloads(raw) if stream else [json.loads(raw)]
    for value in told:
        if value.get("type") != "ping":
            schema = schemas.event(caller, value) if stream else schemas.ANSWER[caller]
            fault = schemas.fault(caller, schema, value)
            assert fault is None, fault
    if stream and caller == RESPONSES:
        responses.check_lifecycle(raw)


def check_sdk(want: crossing.Meaning, caller: str, raw: bytes, *, stream: bool) -> None:
    try:
        body = sdk.read(caller, raw, stream=stream)
    except sdk.Filtered:
        assert want.stop == "content_filter"
        return
    got = READ[caller](body)
    if caller == GEMINI:
        got.refusal = want.refusal  # the SDK does not hand out `finishMessage` of this API
    agree(want, got)


def agree(want: crossing.Meaning, got: crossing.Meaning) -> None:
    found = crossing.differences(want, got)
    assert not found, "\n".join(found)


def check_books(want: crossing.Meaning, outcome: Outcome) -> None:
    """The row for the books tells the same counts."""
    row, counts = outcome.row, want.counts
    assert row.outcome == "ok"
    if counts is not None:
        prompt = (row.fresh_input, row.cache_read, row.cache_write_5m, row.cache_write_1h)
        assert sum(count or 0 for count in prompt) == counts.prompt
        assert (row.output, row.cache_read or 0) == (counts.output, counts.cached or 0)


# --- answers that are none


def check_error(exchange: Exchange, caller: str, outcome: Outcome) -> Losses:
    """Status and message stay, in the caller's dialect's own form."""
    recorded = exchange.error
    assert recorded is not None
    assert outcome.status == (exchange.status if exchange.status >= 400 else losses.STATUS[exchange.id])
    told = outcome.json
    assert told["error"]["message"] == recorded["message"]
    fault = schemas.fault(caller, schemas.ERROR[caller], told)
    assert fault is None, fault
    if caller == exchange.dialect:
        assert all(told["error"][key] == value for key, value in recorded.items() if value not in (None, []))
    return set()


def check_no_answer(exchange: Exchange, caller: str, outcome: Outcome) -> Losses:
    """An error in the caller's form, as a status or as the last event, never a whole answer."""
    told = payloads(outcome.raw)[-1] if outcome.status == 200 else outcome.json
    assert told["error"]["message"]
    assert outcome.row.error == "upstream_broken"
    fault = schemas.fault(caller, schemas.ERROR[caller], told)
    assert fault is None, fault
    return {losses.NO_ANSWER[exchange.id]}


# --- bytes, forms, events


def piecewise(exchange: Exchange, caller: str) -> Losses:
    """Where the network cuts the bytes changes nothing, down to one byte at a time."""
    at_once = roads.drive(exchange, caller)
    for size in (1, 1000):
        given = roads.drive(exchange, caller, size)
        assert given.raw == at_once.raw
        assert given.error == at_once.error or type(given.error) is type(at_once.error)
    return set()


def alike(exchange: Exchange, caller: str) -> Losses:
    """A stream and a whole answer mean the same: the recorded one as it is, the other form made of it."""
    if exchange.id in losses.NO_ANSWER:
        return _alike_in_failing(exchange, caller)
    asked = exchange.asked() if caller == exchange.dialect else exchange.asked_by(caller)
    given = roads.drive(exchange, caller)
    one = crossing.given(caller, given.raw, stream=exchange.stream)
    one.counts = crossing.counts_told(one.counts, caller)
    if caller == GEMINI and len(one.call_ids) < len(one.calls):
        one.beyond.add("call id")
    if exchange.stream:
        two = crossing.given(caller, _folded(exchange, caller, asked), stream=False)
    else:
        way = roads.road(caller, exchange.dialect, asked_in(caller, asked, stream=True), stream=True)
        two = crossing.given(caller, way.whole_as_stream(exchange.raw), stream=True)
    agree(one, two)
    assert two.beyond <= one.beyond
    return {losses.ALIKE[caller, word] for word in one.beyond - two.beyond}


def _folded(exchange: Exchange, caller: str, asked: Json) -> bytes:
    """The recorded stream as the whole answer that the caller would get."""
    client, side = DIALECTS[caller], roads.asked_side(caller, stream=False)
    request = client.parse_request(asked, side)
    return json.dumps(client.render_response(fold(decoded(exchange)), request, side)).encode()


def _alike_in_failing(exchange: Exchange, caller: str) -> Losses:
    if exchange.stream:
        if caller != exchange.dialect:
            assert roads.drive(exchange, caller).error is not None
        assert isinstance(decoded(exchange)[-1], ev.Failed)
    else:
        assert roads.drive(exchange, caller).error is not None
    return {losses.NO_ANSWER[exchange.id]}


def decoded(exchange: Exchange) -> list[ev.Event]:
    """The events of a recorded stream, held to the grammar."""
    decoder = DIALECTS[exchange.dialect].decoder(roads.upstream_side(exchange.dialect))
    reader = FrameReader()
    events: list[ev.Event] = []
    for frame in [*reader.feed(exchange.raw), *reader.close()]:
        events += decoder.feed(frame)
    events += decoder.close()
    check_all(events)
    return events
