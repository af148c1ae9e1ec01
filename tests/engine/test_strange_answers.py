"""Answers that no honest server gives: the caller gets an error in words or what was meant, the books stay true."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest

from proxyapp.dialects.contract import Body
from proxyapp.engine.recollection import Recollection
from proxyapp.engine.snapshot import Model
from tests.engine.conftest import a_body, a_call, a_snapshot, an_upstream, ask
from tests.fakes import answers
from tests.fakes.upstream import Script, answer_json, answer_sse, answer_text

callers = pytest.mark.parametrize("dialect", ["openai-chat", "anthropic-messages"])
both_sides = pytest.mark.parametrize("upstream_dialect", ["openai-chat", "anthropic-messages"])
both_forms = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@callers
@both_sides
async def test_counts_of_tokens_that_cannot_be_do_not_cost_the_row(make_engine, upstream, dialect, upstream_dialect):
    """The journal could not write them, and the exchange was lost."""
    answer = answers.whole(upstream_dialect)
    answer["usage"] = {name: 10**30 for name in answer["usage"]}
    upstream.then(answer_json(answer))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, upstream_dialect)))
    outcome = await ask(engine, a_call(dialect, a_body()))
    assert outcome.status == 200
    assert (outcome.row.fresh_input, outcome.row.output) == (None, None)
    assert msgspec.msgpack.encode(outcome.row)


@callers
@both_sides
@pytest.mark.parametrize("status", [600, 999])
async def test_a_status_that_http_does_not_know_is_a_broken_answer(
    make_engine, upstream, dialect, upstream_dialect, status
):
    upstream.then(answer_json({"error": {"message": "x"}}, status))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, upstream_dialect)))
    outcome = await ask(engine, a_call(dialect, a_body()))
    assert (outcome.status, outcome.row.error) == (502, "upstream_broken")
    assert str(status) in outcome.json["error"]["message"]


@callers
@both_forms
@pytest.mark.parametrize(
    "word", [["stop"], {"a": 1}, 7, "9" * 4000, "[" * 900 + "1" + "]" * 900], ids=lambda w: str(w)[:9]
)
async def test_a_finish_reason_that_is_no_word_harms_nothing(make_engine, upstream, dialect, stream, word):
    raw = (word if isinstance(word, str) else json.dumps(word)).encode()
    if stream:
        frames = [frame.replace(b'"finish_reason":"stop"', b'"finish_reason":' + raw) for frame in CHAT_STREAM]
        upstream.then(answer_sse(frames))
    else:
        whole = json.dumps(answers.whole("openai-chat")).encode()
        upstream.then(answer_json(whole.replace(b'"finish_reason": "stop"', b'"finish_reason": ' + raw)))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url)))
    outcome = await ask(engine, a_call(dialect, a_body(stream)))
    assert outcome.status in (200, 502)
    assert outcome.row.error in ("", "upstream_broken")
    if outcome.status == 200 and outcome.row.error == "":
        assert answers.text_of(dialect, outcome.raw) == "Hello there."


CHAT_STREAM = answers.stream("openai-chat")


@callers
@pytest.mark.parametrize(
    "code",
    [b'"%s"' % (b"1" * 5000), b"1" * 4000, b"[" * 900 + b"]" * 900, b'{"x":1}', b"429"],
    ids=lambda c: c[:9].decode(),
)
async def test_an_error_code_of_any_shape_is_read(make_engine, upstream, dialect, code):
    upstream.then(answer_json(b'{"error":{"message":"no","code":' + code + b"}}", 400))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url)))
    outcome = await ask(engine, a_call(dialect, a_body()))
    assert (outcome.status, outcome.json["error"]["message"]) == (400, "no")


@callers
@both_sides
@both_forms
async def test_an_answer_too_deep_to_be_read_is_a_broken_one(make_engine, upstream, dialect, upstream_dialect, stream):
    """Read, but not written again: a level more was one too many, and the caller was told of a fault of ours."""
    for depth in range(900, 1000, 7):
        deep = b"[" * depth + b"]" * depth
        if upstream_dialect == "openai-chat":
            raw = b'{"choices":[],"error":{"message":' + deep + b"}}"
        else:
            raw = b'{"type":"error","error":{"type":"api_error","message":"x","details":' + deep + b"}}"
        upstream.then(answer_sse(b"event: error\ndata: " + raw + b"\n\n") if stream else answer_json(raw))
        engine = make_engine(a_snapshot(an_upstream("up", upstream.url, upstream_dialect)))
        outcome = await ask(engine, a_call(dialect, a_body(stream)))
        assert outcome.status in (500, 502)
        assert outcome.row.error in ("upstream_broken", "upstream_refused")


@callers
@both_sides
@pytest.mark.parametrize("status", [401, 403, 429])
async def test_a_refusal_without_json_moves_on_to_the_next_key_too(
    make_engine, upstream, dialect, upstream_dialect, status
):
    """As proxies and content networks send it. What it means is in the status."""
    from proxyapp.engine.snapshot import Credential

    keys = (Credential("first", "sk-1"), Credential("second", "sk-2"))
    upstream.then(answer_text("<html>go away</html>", status), answer_json(answers.whole(upstream_dialect)))
    up = an_upstream("up", upstream.url, upstream_dialect, credentials=keys)
    outcome = await ask(make_engine(a_snapshot(up)), a_call(dialect, a_body()))
    assert outcome.status == 200
    assert {attempt.key for attempt in outcome.row.attempts} == {"first", "second"}


@callers
@both_sides
async def test_a_limit_told_without_json_stays_a_limit(make_engine, upstream, dialect, upstream_dialect):
    upstream.then(Script(429, {"content-type": "text/plain", "retry-after": "7"}, [b"slow down"]))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, upstream_dialect)))
    outcome = await ask(engine, a_call(dialect, a_body()))
    assert (outcome.status, outcome.reply.headers["retry-after"]) == (429, "7")
    assert "slow down" not in outcome.raw.decode()


@both_sides
async def test_a_stream_of_nothing_but_its_end_mark_is_no_answer(
    make_engine, upstream, second_upstream, upstream_dialect
):
    upstream.then(answer_sse(answers.stream(upstream_dialect)[-1]))
    second_upstream.then(answer_sse(answers.stream(upstream_dialect)))
    snapshot = a_snapshot(
        an_upstream("one", upstream.url, upstream_dialect), an_upstream("two", second_upstream.url, upstream_dialect)
    )
    outcome = await ask(make_engine(snapshot), a_call(upstream_dialect, a_body(True)))
    assert answers.text_of(upstream_dialect, outcome.raw) == "Hello there."
    assert [attempt.upstream for attempt in outcome.row.attempts] == ["one", "two"]


def ends_for_no_known_reason(dialect: str) -> list[bytes]:
    """A stream without content that ends with a word nobody knows: a plain `stop` would be a false one."""
    if dialect == "openai-chat":
        return [answers.chunk({"role": "assistant", "content": ""}), answers.chunk({}, "weird"), b"data: [DONE]\n\n"]
    start, *_, delta, stop = answers.stream(dialect)
    return [start, delta.replace(b"end_turn", b"weird"), stop]


@pytest.mark.parametrize(
    ("dialect", "other"), [("openai-chat", "anthropic-messages"), ("anthropic-messages", "openai-chat")]
)
async def test_an_end_that_is_no_answer_is_told_as_an_error_and_booked_as_one(make_engine, upstream, dialect, other):
    """The caller got the error event in a 200, and the row said `ok`."""
    upstream.then(answer_sse(ends_for_no_known_reason(other)))
    outcome = await ask(make_engine(a_snapshot(an_upstream("up", upstream.url, other))), a_call(dialect, a_body(True)))
    assert outcome.status == 502
    assert (outcome.row.outcome, outcome.row.error) == ("error", "upstream_broken")


@pytest.mark.parametrize(
    ("dialect", "other"), [("openai-chat", "anthropic-messages"), ("anthropic-messages", "openai-chat")]
)
async def test_an_end_that_is_no_answer_moves_on_to_the_next_route(
    make_engine, upstream, second_upstream, dialect, other
):
    upstream.then(answer_sse(ends_for_no_known_reason(other)))
    second_upstream.then(answer_sse(answers.stream(other)))
    snapshot = a_snapshot(an_upstream("one", upstream.url, other), an_upstream("two", second_upstream.url, other))
    outcome = await ask(make_engine(snapshot), a_call(dialect, a_body(True)))
    assert answers.text_of(dialect, outcome.raw) == "Hello there."


async def test_a_piece_too_deep_to_be_written_ends_a_stream_in_words(make_engine, upstream):
    """The stream was cut without a word, and its row said that the caller had left."""
    *head, usage, done = answers.stream("openai-chat")
    told = set()
    for depth in range(880, 1000, 2):
        call = b'{"name":"f","arguments":{"a":' + b"[" * depth + b"]" * depth + b"}}"
        piece = b'data: {"choices":[{"index":0,"delta":{"function_call":' + call + b"}}]}\n\n"
        upstream.then(answer_sse([b"".join(head[:2]), piece + head[-1] + usage + done], pause=0.01))
        engine = make_engine(a_snapshot(an_upstream("up", upstream.url)))
        outcome = await ask(engine, a_call("anthropic-messages", a_body(True)))
        told.add(outcome.row.message)
        assert outcome.row.outcome in ("ok", "partial", "error")
        assert (b"event: error" in outcome.raw) == (outcome.row.outcome == "partial")
    assert "The upstream's answer is nested too deeply to be read." in told


async def test_a_fault_of_ours_ends_a_stream_that_was_slow_to_begin_in_words(make_engine):
    """Behind the head of a stream there is no view any more that could answer."""
    from proxyapp.engine.exchange import Exchange
    from proxyapp.engine.late import LatePump
    from proxyapp.engine.prepare import Preparation

    engine = make_engine(a_snapshot())
    call = a_call("anthropic-messages", a_body(True))
    exchange = Exchange(call, engine.books, "all", 1000)
    recollection = Recollection(engine.memory, 1, lasting=False)
    preparation = Preparation(
        call, Body(await call.read_body()), Model(name="m"), "alice", engine.sealer, 1000, recollection
    )
    opening = asyncio.get_running_loop().create_future()
    opening.set_exception(TypeError("not thought of"))
    late = LatePump(opening, call.dialect.keepalive, 1.0, exchange, preparation.error_event)
    raw = b"".join([piece async for piece in late])
    late.close()
    assert b"event: error" in raw
    assert b"not thought of" not in raw
    assert (engine.books.row.outcome, engine.books.row.error) == ("error", "internal_error")


@callers
@both_sides
async def test_what_a_server_sends_behind_the_end_keeps_nobody_waiting(
    make_engine, upstream, dialect, upstream_dialect
):
    """The caller had its answer, but not the end of it, for as long as the server talked on."""
    more = [b": more\n\n"] * 10_000
    upstream.then(answer_sse([b"".join(answers.stream(upstream_dialect)), *more], pause=0.005))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, upstream_dialect)))
    outcome = await asyncio.wait_for(ask(engine, a_call(dialect, a_body(True))), 20)
    assert answers.text_of(dialect, outcome.raw) == "Hello there."
    assert b": more" not in outcome.raw
    assert outcome.row.outcome == "ok"


@callers
@both_sides
async def test_an_overflow_told_in_numbers_of_any_length_is_told_on(make_engine, upstream, dialect, upstream_dialect):
    """Python reads no number of over 4,300 digits; the exception left no row and held its place among the running."""
    body = {
        "error": {
            "type": "invalid_request_error",
            "message": f"prompt is too large: maximum context length is {'9' * 5000}",
        }
    }
    upstream.then(answer_json(body if upstream_dialect == "openai-chat" else {"type": "error", **body}, 400))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, upstream_dialect)))
    outcome = await ask(engine, a_call(dialect, a_body()))
    assert outcome.status == 400
    assert outcome.row.error == "upstream_refused"
    assert engine.running == 0
