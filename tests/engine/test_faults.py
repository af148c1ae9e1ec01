"""Whatever an upstream does, the caller gets its own dialect's error and a true status, and the row tells the truth."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from proxyapp.engine.snapshot import Timeouts
from tests.engine.conftest import a_body, a_call, a_snapshot, an_upstream, ask
from tests.fakes import answers
from tests.fakes.upstream import (
    Script,
    answer_json,
    answer_sse,
    answer_text,
    free_port,
    garbage,
    hang,
    reset,
)

DIALECTS = ("openai-chat", "anthropic-messages")
both_sides = pytest.mark.parametrize("upstream_dialect", DIALECTS)
callers = pytest.mark.parametrize("dialect", DIALECTS)
streams = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def check_error_shape(dialect: str, status: int, body: dict[str, Any]) -> dict[str, Any]:
    if dialect == "openai-chat":
        assert set(body) == {"error"}
        assert set(body["error"]) >= {"message", "type", "param", "code"}
    else:
        assert body["type"] == "error"
        assert set(body["error"]) >= {"type", "message"}
        assert body["request_id"]
    assert status >= 400
    assert body["error"]["message"]
    return body["error"]


FAULTS = {
    "reset": (reset, 502, "upstream_unreachable"),
    "garbage": (garbage, 502, None),
    "an HTML 500": (lambda: answer_text("<html>oops</html>", 500), 500, None),
    "an HTML 200": (lambda: answer_text("<html>hello</html>", 200), 502, "upstream_broken"),
    "a redirect": (lambda: Script(302, {"location": "http://127.0.0.1:9/"}, [b"moved"]), 502, "upstream_broken"),
    "an empty 200": (lambda: Script(200, {"content-type": "application/json"}, []), 502, "upstream_broken"),
    "half a JSON object": (lambda: answer_json(b'{"id": "x", "choi'), 502, "upstream_broken"),
    "a JSON list": (lambda: answer_json([1, 2]), 502, "upstream_broken"),
}


@both_sides
@callers
@streams
@pytest.mark.parametrize("fault", FAULTS, ids=list(FAULTS))
async def test_a_broken_upstream_is_an_error_in_the_callers_words(
    make_engine, upstream, dialect, upstream_dialect, stream, fault
):
    script, status, code = FAULTS[fault]
    upstream.then(script())
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, upstream_dialect)))
    outcome = await ask(engine, a_call(dialect, a_body(stream)))
    assert outcome.status == status
    check_error_shape(dialect, outcome.status, outcome.json)
    assert outcome.row.outcome == "error"
    assert outcome.row.status == status
    assert outcome.row.attempts[0].upstream == "up"
    assert outcome.row.error
    if code:
        assert outcome.row.error == code
    assert len(outcome.row.attempts) == 1


@both_sides
@callers
@streams
async def test_a_closed_port_is_unreachable(make_engine, dialect, upstream_dialect, stream):
    engine = make_engine(a_snapshot(an_upstream("up", f"http://127.0.0.1:{free_port()}", upstream_dialect)))
    outcome = await ask(engine, a_call(dialect, a_body(stream)))
    assert (outcome.status, outcome.row.error) == (502, "upstream_unreachable")
    check_error_shape(dialect, 502, outcome.json)


@both_sides
@callers
@streams
async def test_silence_before_the_first_byte_is_a_504(make_engine, upstream, dialect, upstream_dialect, stream):
    upstream.then(hang())
    patience = Timeouts(connect=0.1, first_byte=0.1, idle=5, total=5)
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, upstream_dialect, timeouts=patience)))
    outcome = await ask(engine, a_call(dialect, a_body(stream)))
    assert (outcome.status, outcome.row.error) == (504, "upstream_timeout")
    assert "first_byte" in check_error_shape(dialect, 504, outcome.json)["message"]


@both_sides
@callers
async def test_silence_in_the_middle_of_a_whole_answer_is_a_504(make_engine, upstream, dialect, upstream_dialect):
    upstream.then(Script(200, {"content-type": "application/json"}, [b'{"id":'], end="hang"))
    patience = Timeouts(connect=1, first_byte=1, idle=0.1, total=5)
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, upstream_dialect, timeouts=patience)))
    outcome = await ask(engine, a_call(dialect, a_body()))
    assert outcome.status == 504
    assert "idle" in outcome.json["error"]["message"]


@both_sides
@callers
@streams
async def test_an_error_inside_a_200_before_content_is_a_real_http_error(
    make_engine, upstream, dialect, upstream_dialect, stream
):
    if stream:
        upstream.then(answer_sse(answers.error_in_stream(upstream_dialect)))
    elif upstream_dialect == "openai-chat":
        upstream.then(
            answer_json({"error": {"message": "the machine is on fire", "type": "server_error", "code": 503}})
        )
    else:
        upstream.then(
            answer_json({"type": "error", "error": {"type": "overloaded_error", "message": "the machine is on fire"}})
        )
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, upstream_dialect)))
    outcome = await ask(engine, a_call(dialect, a_body(stream)))
    assert outcome.status >= 500
    assert "on fire" in check_error_shape(dialect, outcome.status, outcome.json)["message"]
    assert outcome.row.outcome == "error"


def last_frame(raw: bytes) -> dict[str, Any]:
    frames = [line[6:] for line in raw.splitlines() if line.startswith(b"data: ")]
    return json.loads(frames[-1])


def check_stream_error(dialect: str, raw: bytes) -> None:
    error = last_frame(raw)
    assert error["error"]["message"]
    assert raw.endswith(b"\n\n")
    assert b"[DONE]" not in raw
    assert b"message_stop" not in raw
    if dialect == "anthropic-messages":
        assert b"\nevent: error\n" in raw
    for line in raw.splitlines():
        if line.startswith(b"data: "):
            json.loads(line[6:])  # nothing is half a frame


@both_sides
@callers
@pytest.mark.parametrize("end", ["done", "cut", "reset"])
async def test_a_stream_that_ends_too_early_ends_in_an_error_event(
    make_engine, upstream, dialect, upstream_dialect, end
):
    pieces = answers.stream(upstream_dialect)[: answers.first_content(upstream_dialect)]
    upstream.then(answer_sse([*pieces, b'data: {"half": '], pause=0.02, end=end))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, upstream_dialect)))
    outcome = await ask(engine, a_call(dialect, a_body(True)))
    assert outcome.status == 200
    check_stream_error(dialect, outcome.raw)
    assert answers.text_of(dialect, outcome.raw) == "Hello"
    assert (outcome.row.outcome, outcome.row.error) == ("partial", "upstream_broken")
    assert outcome.row.attempts[-1].error == "upstream_broken"


@both_sides
@callers
async def test_an_error_after_content_is_the_dialects_own_error_event(make_engine, upstream, dialect, upstream_dialect):
    pieces = answers.stream(upstream_dialect)[: answers.first_content(upstream_dialect)]
    upstream.then(answer_sse([*pieces, answers.error_in_stream(upstream_dialect)], pause=0.15))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, upstream_dialect, retries=2)))
    outcome = await ask(engine, a_call(dialect, a_body(True)))
    check_stream_error(dialect, outcome.raw)
    assert "on fire" in last_frame(outcome.raw)["error"]["message"]
    assert outcome.row.outcome == "partial"
    assert len(upstream.seen) == 1, "after the first content nothing is ever sent again"


@both_sides
@callers
async def test_idle_and_total_time_end_a_stream_in_words(make_engine, upstream, dialect, upstream_dialect):
    pieces = answers.stream(upstream_dialect)[: answers.first_content(upstream_dialect)]
    for patience, word in (
        (Timeouts(connect=1, first_byte=1, idle=0.15, total=9), "idle"),
        (Timeouts(connect=1, first_byte=1, idle=9, total=0.15), "total"),
    ):
        upstream.then(answer_sse(pieces, end="hang"))
        engine = make_engine(a_snapshot(an_upstream("up", upstream.url, upstream_dialect, timeouts=patience)))
        outcome = await ask(engine, a_call(dialect, a_body(True)))
        check_stream_error(dialect, outcome.raw)
        assert word in last_frame(outcome.raw)["error"]["message"]
        assert outcome.row.error == "upstream_timeout"


@both_sides
@callers
async def test_a_silent_stream_is_kept_alive(make_engine, upstream, dialect, upstream_dialect):
    upstream.then(answer_sse(answers.stream(upstream_dialect), pause=0.12))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, upstream_dialect)), keepalive_seconds=0.05)
    outcome = await ask(engine, a_call(dialect, a_body(True)))
    alive = b"event: ping" if dialect == "anthropic-messages" else b"\n: "
    assert alive in outcome.raw or outcome.raw.startswith(b": ")
    assert answers.text_of(dialect, outcome.raw) == "Hello there."
    assert outcome.row.outcome == "ok"


@both_sides
@callers
async def test_a_slow_beginning_is_kept_alive_and_may_still_fail_over(
    make_engine, upstream, second_upstream, dialect, upstream_dialect
):
    upstream.then(Script(500, {"content-type": "application/json"}, [b"{}"], before_head=0.2))
    second_upstream.then(answer_sse(answers.stream(upstream_dialect)))
    snapshot = a_snapshot(
        an_upstream("one", upstream.url, upstream_dialect), an_upstream("two", second_upstream.url, upstream_dialect)
    )
    engine = make_engine(snapshot, keepalive_seconds=0.05)
    outcome = await ask(engine, a_call(dialect, a_body(True)))
    assert outcome.status == 200
    assert answers.text_of(dialect, outcome.raw) == "Hello there."
    assert [attempt.upstream for attempt in outcome.row.attempts] == ["one", "two"]
    assert outcome.row.outcome == "ok"


@callers
async def test_a_slow_beginning_that_fails_ends_in_the_error_event(make_engine, upstream, dialect):
    upstream.then(Script(500, {"content-type": "application/json"}, [b"{}"], before_head=0.2))
    engine = make_engine(a_snapshot(an_upstream("one", upstream.url)), keepalive_seconds=0.05)
    outcome = await ask(engine, a_call(dialect, a_body(True)))
    check_stream_error(dialect, outcome.raw)
    assert outcome.row.outcome == "error"


@both_sides
@callers
@pytest.mark.parametrize("moment", ["before the head", "before content", "mid-stream"])
async def test_xl_180_a_caller_who_hangs_up_frees_the_upstream_at_once(
    make_engine, upstream, dialect, upstream_dialect, moment
):
    pieces = answers.stream(upstream_dialect)
    script = {
        "before the head": hang(),
        "before content": answer_sse(pieces[:1], end="hang"),
        "mid-stream": answer_sse(pieces[: answers.first_content(upstream_dialect)], end="hang"),
    }[moment]
    upstream.then(script)
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, upstream_dialect)))
    arrived = asyncio.Event()

    async def caller() -> None:
        from proxyapp.engine.serve import serve

        reply = await serve(engine, a_call(dialect, a_body(True)))
        try:
            async for _ in reply.body:
                arrived.set()
        finally:
            reply.body.close()

    task = asyncio.ensure_future(caller())
    while not upstream.open_requests:
        await asyncio.sleep(0.01)
    if moment == "mid-stream":
        await asyncio.wait_for(arrived.wait(), 5)
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait({task})
    for _ in range(100):
        if not upstream.open_requests:
            break
        await asyncio.sleep(0.01)
    assert upstream.open_requests == 0
    assert engine.books.row.outcome == "client_closed"
    assert engine.running == 0


@callers
async def test_a_stream_nobody_reads_is_closed_too(make_engine, upstream, dialect):
    upstream.then(answer_sse(answers.stream("openai-chat")[:2], end="hang"))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url)))
    from proxyapp.engine.serve import serve

    reply = await serve(engine, a_call(dialect, a_body(True)))
    reply.body.close()
    for _ in range(100):
        if not upstream.open_requests:
            break
        await asyncio.sleep(0.01)
    assert upstream.open_requests == 0
    assert engine.books.row.outcome == "client_closed"


@callers
async def test_a_stopping_server_ends_running_streams_in_words(make_engine, upstream, dialect):
    upstream.then(answer_sse(answers.stream("openai-chat")[:2], end="hang"))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url)))
    task = asyncio.ensure_future(ask(engine, a_call(dialect, a_body(True))))
    while not upstream.open_requests:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    engine.abort_all()
    outcome = await asyncio.wait_for(task, 5)
    check_stream_error(dialect, outcome.raw)
    assert outcome.row.error == "shutting_down"


@callers
async def test_an_answer_that_is_too_large_is_refused(make_engine, upstream, dialect):
    upstream.then(answer_json(answers.whole("openai-chat", "x" * (5 * 2**20))))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url)))
    outcome = await ask(engine, a_call(dialect, a_body()))
    assert (outcome.status, outcome.row.error) == (502, "upstream_broken")


@callers
async def test_a_small_answer_that_inflates_without_end_is_refused(make_engine, upstream, dialect):
    import gzip

    upstream.then(answer_json(gzip.compress(b" " * (50 * 2**20)), content_encoding="gzip"))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url)))
    outcome = await ask(engine, a_call(dialect, a_body()))
    assert (outcome.status, outcome.row.error) == (502, "upstream_broken")


@callers
async def test_a_compressed_answer_is_inflated(make_engine, upstream, dialect):
    import gzip

    upstream.then(
        answer_json(gzip.compress(json.dumps(answers.whole("openai-chat")).encode()), content_encoding="gzip")
    )
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url)))
    outcome = await ask(engine, a_call(dialect, a_body()))
    assert outcome.status == 200
    assert answers.text_of(dialect, outcome.raw) == "Hello there."


@callers
@both_sides
async def test_an_endless_event_is_refused(make_engine, upstream, dialect, upstream_dialect):
    head = answers.stream(upstream_dialect)[: answers.first_content(upstream_dialect)]
    upstream.then(answer_sse([*head, b"data: " + b"x" * 70_000, b"x" * 70_000], pause=0.02, end="hang"))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, upstream_dialect)), max_event_bytes=65536)
    outcome = await ask(engine, a_call(dialect, a_body(True)))
    check_stream_error(dialect, outcome.raw)
    assert outcome.row.error == "upstream_broken"
