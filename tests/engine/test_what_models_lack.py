"""Models that cannot stream, models without tools: callers of every dialect are served, or told, all the same."""

from __future__ import annotations

from typing import Any

import pytest

from proxyapp.engine.counting import count
from proxyapp.engine.forwarding import forward
from proxyapp.engine.serve import serve
from proxyapp.engine.snapshot import Model, Route
from tests.engine.conftest import a_body, a_call, a_snapshot, an_upstream, ask, collect
from tests.fakes import answers, tongues
from tests.fakes.tongues import CHAT, GEMINI, MESSAGES, RESPONSES, TONGUES
from tests.fakes.upstream import Script, answer_json, answer_sse, answer_text

callers = pytest.mark.parametrize("dialect", TONGUES)
upstreams = pytest.mark.parametrize("spoken", TONGUES)
pairs = pytest.mark.parametrize(
    ("dialect", "spoken"),
    [pair for number, one in enumerate(TONGUES) for pair in ((one, one), (one, TONGUES[number - 1]))],
)
"""Each caller over its own dialect and over another."""


@pytest.fixture
def engine_over(make_engine, upstream):
    """Makes an engine over an upstream that speaks one dialect, with overrides of the model's profile."""

    def make(spoken: str, *, lenient: bool = False, keepalive: float = 15.0, **profile: Any) -> Any:
        api = "responses" if spoken == RESPONSES else None
        up = an_upstream("up", upstream.url, kind=tongues.KINDS[spoken], api=api)
        model = Model(name="m", routes=(Route("up", "um"),), profile=profile, lenient=lenient)
        return make_engine(a_snapshot(up, models={"m": model}), keepalive_seconds=keepalive)

    return make


# --- no streams


@upstreams
@callers
async def test_a_stream_is_made_of_a_whole_answer_where_the_upstream_has_no_streams(
    engine_over, upstream, dialect, spoken
):
    upstream.then(answer_json(tongues.whole(spoken)))
    outcome = await ask(engine_over(spoken, streaming=False), tongues.the_call(dialect, stream=True))
    assert tongues.text_of(dialect, outcome.raw) == "Hello there."
    assert tongues.is_over(dialect, outcome.raw)
    assert outcome.reply.media_type.startswith("text/event-stream")
    assert outcome.row.fresh_input == 9
    assert upstream.last.body.get("stream", False) is False
    assert "stream_options" not in upstream.last.body
    assert upstream.last.headers["accept"] == "application/json"
    assert "stream" not in upstream.last.path.lower()


@callers
async def test_while_the_whole_answer_is_made_the_callers_stream_is_kept_alive(engine_over, upstream, dialect):
    script = answer_json(tongues.whole(CHAT))
    script.before_head = 0.3
    upstream.then(script)
    outcome = await ask(engine_over(CHAT, keepalive=0.05, streaming=False), tongues.the_call(dialect, stream=True))
    alive = {CHAT: b": ", RESPONSES: b": ", MESSAGES: b"event: ping", GEMINI: b"\r\n"}[dialect]
    assert outcome.raw.startswith(alive)
    assert tongues.text_of(dialect, outcome.raw) == "Hello there."
    assert tongues.is_over(dialect, outcome.raw)


@callers
async def test_its_error_reaches_the_caller_with_its_status(engine_over, upstream, dialect):
    upstream.then(answer_json({"error": {"message": "too long", "type": "invalid_request_error"}}, 400))
    outcome = await ask(engine_over(CHAT, streaming=False), tongues.the_call(dialect, stream=True))
    assert outcome.status == 400
    assert "too long" in outcome.raw.decode()


async def test_options_of_a_stream_do_not_reach_it(engine_over, upstream):
    upstream.then(answer_json(tongues.whole(CHAT)))
    body = tongues.asked(CHAT, stream=True, stream_options={"include_usage": True}, seed=7)
    outcome = await ask(engine_over(CHAT, streaming=False), tongues.the_call(CHAT, body))
    assert b'"completion_tokens":4' in outcome.raw.replace(b" ", b"")
    assert upstream.last.body["seed"] == 7
    assert {"stream", "stream_options"}.isdisjoint(upstream.last.body)


async def test_text_completions_are_made_a_stream_likewise(engine_over, upstream):
    upstream.then(answer_json({"object": "text_completion", "choices": [{"text": "Hi", "finish_reason": "stop"}]}))
    engine = engine_over(CHAT, streaming=False)
    call = a_call(CHAT, {"model": "m", "prompt": "x", "stream": True, "seed": 7})
    reply = await serve(engine, call, forward("completions"))
    raw = await collect(reply)
    assert raw.startswith(b"data: {")
    assert raw.endswith(b"data: [DONE]\n\n")
    assert upstream.last.body == {"model": "um", "prompt": "x", "seed": 7}


# --- streams unasked


@pairs
async def test_a_stream_that_nobody_asked_for_becomes_a_whole_answer(engine_over, upstream, dialect, spoken):
    upstream.then(answer_sse(tongues.streamed(spoken)))
    outcome = await ask(engine_over(spoken), tongues.the_call(dialect))
    assert outcome.reply.media_type == "application/json"
    assert tongues.text_of(dialect, outcome.raw) == "Hello there."
    assert outcome.row.fresh_input == 9


async def test_it_is_known_by_its_bytes_where_its_head_tells_nothing(engine_over, upstream):
    comment = b"\xef\xbb\xbf: hello\n\n"
    upstream.then(Script(200, {"content-type": "text/plain"}, [comment, *tongues.streamed(MESSAGES)]))
    outcome = await ask(engine_over(MESSAGES), tongues.the_call(CHAT))
    assert tongues.text_of(CHAT, outcome.raw) == "Hello there."


@pytest.mark.parametrize("dialect", [CHAT, MESSAGES])
async def test_one_that_breaks_off_or_fails_is_no_answer(engine_over, upstream, dialect):
    cut = answers.stream(dialect)[: answers.first_content(dialect)]
    for script in (answer_sse(cut), answer_sse([*cut, answers.error_in_stream(dialect)])):
        upstream.then(script)
        outcome = await ask(engine_over(dialect), tongues.the_call(dialect))
        assert outcome.status >= 500
        assert "error" in outcome.json


async def test_a_page_that_is_neither_is_still_a_broken_answer(engine_over, upstream):
    upstream.then(answer_text("<html>data: no</html>"))
    assert (await ask(engine_over(CHAT), tongues.the_call(CHAT))).status == 502


# --- no tools


@pairs
async def test_tools_are_refused_where_the_model_has_none(engine_over, upstream, dialect, spoken):
    body = tongues.asked(dialect, **tongues.tools(dialect))
    outcome = await ask(engine_over(spoken, tools=False), tongues.the_call(dialect, body))
    assert outcome.status == 400
    assert "no tools" in outcome.raw.decode()
    if dialect in (CHAT, RESPONSES):
        assert outcome.json["error"]["param"] == "tools"
    assert upstream.seen == []


@pairs
async def test_a_lenient_model_drops_them_and_says_so(engine_over, upstream, dialect, spoken):
    upstream.then(answer_json(tongues.whole(spoken)))
    body = tongues.asked(dialect, **tongues.tools(dialect))
    outcome = await ask(engine_over(spoken, lenient=True, tools=False), tongues.the_call(dialect, body))
    assert tongues.text_of(dialect, outcome.raw) == "Hello there."
    assert outcome.reply.headers["x-dragoman-dropped"] == "tools"
    assert b"weather" not in upstream.last.raw


@pairs
async def test_calls_of_before_are_told_in_words(engine_over, upstream, dialect, spoken):
    upstream.then(answer_json(tongues.whole(spoken)))
    body = {**tongues.asked(dialect), **tongues.history(dialect)}
    outcome = await ask(engine_over(spoken, tools=False), tongues.the_call(dialect, body))
    assert tongues.text_of(dialect, outcome.raw) == "Hello there."
    sent = upstream.last.raw.decode()
    for word in ("Called the tool weather with", "Paris", "answered:", "21 degrees"):
        assert word in sent
    for word in ("tool_calls", "tool_call_id", "function_call", "tool_use", "functionCall", "functionResponse"):
        assert word not in sent
    assert any("put into words" in sentence for _, sentence, _ in outcome.row.notes)
    named = {CHAT: "messages", RESPONSES: "input", MESSAGES: "messages", GEMINI: "contents"}[dialect]
    assert named in outcome.reply.headers["x-dragoman-dropped"]


@callers
async def test_a_body_without_a_word_of_tools_passes_as_it_came(engine_over, upstream, dialect):
    upstream.then(answer_json(tongues.whole(dialect)))
    own = {"a_field_of_tomorrow": 1, **({"tool_choice": None} if dialect != GEMINI else {})}
    body = tongues.asked(dialect, **own)
    await ask(engine_over(dialect, tools=False), tongues.the_call(dialect, body))
    assert upstream.last.body["a_field_of_tomorrow"] == 1


async def test_tools_that_may_not_be_called_are_no_reason_to_refuse(engine_over, upstream):
    upstream.then(answer_json(tongues.whole(CHAT)))
    body = tongues.asked(CHAT, tool_choice="none", **tongues.tools(CHAT))
    outcome = await ask(engine_over(CHAT, tools=False), tongues.the_call(CHAT, body))
    assert outcome.status == 200
    assert outcome.reply.headers["x-dragoman-dropped"] == "tools"
    assert {"tools", "tool_choice"}.isdisjoint(upstream.last.body)


async def test_a_call_cannot_be_demanded_of_a_model_without_tools(engine_over, upstream):
    engine = engine_over(CHAT, tools=False)
    outcome = await ask(engine, tongues.the_call(CHAT, tongues.asked(CHAT, tool_choice="required")))
    assert (outcome.status, outcome.json["error"]["param"]) == (400, "tool_choice")


async def test_another_route_that_has_tools_is_taken_instead(make_engine, upstream, second_upstream):
    second_upstream.then(answer_json(answers.whole(CHAT)))
    model = Model(name="m", routes=(Route("a", "gpt-4o"), Route("b", "bot-1", priority=-1)))
    bots = an_upstream("b", upstream.url, kind="coze")
    snapshot = a_snapshot(an_upstream("a", second_upstream.url), bots, models={"m": model})
    outcome = await ask(make_engine(snapshot), tongues.the_call(CHAT, tongues.asked(CHAT, **tongues.tools(CHAT))))
    assert outcome.status == 200
    assert second_upstream.last.body["tools"]


@pytest.mark.parametrize("lenient", [False, True])
async def test_counts_go_the_way_of_the_request(engine_over, upstream, lenient):
    upstream.default = answer_json({"input_tokens": 21})
    engine = engine_over(MESSAGES, tools=False, lenient=lenient)
    body = {**a_body(), **tongues.tools(MESSAGES)}
    reply = await serve(engine, a_call(MESSAGES, body), count)
    assert reply.status == (200 if lenient else 400)
    assert not lenient or "tools" not in upstream.last.body


# --- the faster service


@callers
@pytest.mark.parametrize("own", [None, "flex"])
async def test_the_faster_service_is_asked_for_unless_the_caller_names_one(engine_over, upstream, dialect, own):
    upstream.then(answer_json(tongues.whole(RESPONSES)))
    named = {"service_tier": own} if own and dialect in (CHAT, RESPONSES) else {}
    call = tongues.the_call(dialect, tongues.asked(dialect, **named))
    await ask(engine_over(RESPONSES, fast=True), call)
    assert upstream.last.body["service_tier"] == named.get("service_tier", "priority")
