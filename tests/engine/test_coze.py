"""Coze behind the engine: streams, whole answers in several requests, its errors inside a 200, and being called off."""

from __future__ import annotations

import asyncio
import json

import pytest

from proxyapp.engine.serve import serve
from proxyapp.engine.snapshot import Credential, Model, Route, Timeouts
from tests.engine.conftest import a_body, a_call, a_snapshot, an_upstream, ask
from tests.fakes import strict_coze
from tests.fakes.strict_coze import BOT, LEAKS, StrictCoze
from tests.fakes.upstream import answer_json, answer_text

callers = pytest.mark.parametrize("dialect", ["openai-chat", "anthropic-messages"])
both_forms = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture
def coze(upstream):
    upstream.default = StrictCoze()
    return upstream.default


def snapshot(upstream, *more, name=f"bot-{BOT}", **changes):
    facts = {"kind": "coze", "credentials": (Credential("main", strict_coze.KEY),)}
    one = an_upstream("coze", upstream.url, **{**facts, **changes})
    routes = (Route("coze", name), *(Route(u.name, "um", priority=i + 1) for i, u in enumerate(more)))
    return a_snapshot(one, *more, models={"m": Model(name="m", routes=routes, lenient=False)})


def says(words: str, stream: bool = False, **more):
    return a_body(stream, **{"messages": [{"role": "user", "content": words}], **more})


def text_of(dialect: str, outcome) -> str:
    if not outcome.raw.startswith((b"data:", b"event:")):
        body = outcome.json
        if dialect == "openai-chat":
            return body["choices"][0]["message"]["content"]
        return "".join(block["text"] for block in body["content"] if block["type"] == "text")
    frames = [json.loads(line[6:]) for line in outcome.raw.decode().splitlines() if line.startswith("data: {")]
    if dialect == "openai-chat":
        return "".join(c["delta"].get("content") or "" for f in frames for c in f.get("choices", []))
    return "".join(f["delta"].get("text", "") for f in frames if f["type"] == "content_block_delta")


@callers
@both_forms
async def test_a_bot_answers_and_nothing_but_its_answer_is_shown(make_engine, upstream, coze, dialect, stream):
    outcome = await ask(make_engine(snapshot(upstream)), a_call(dialect, says("hello", stream)))
    assert outcome.status == 200
    assert text_of(dialect, outcome) == "Hello there, Zoë 🌍."
    assert not any(leak in outcome.raw.decode() for leak in LEAKS)
    assert coze.refused == []
    assert (outcome.row.outcome, outcome.row.fresh_input, outcome.row.output) == ("ok", 12, 7)
    assert outcome.row.upstream_request_id == ("" if stream else strict_coze.LOG_ID)
    assert [(a.status, a.error) for a in outcome.row.attempts] == [(200, "")]
    paths = [seen.path.partition("?")[0] for seen in upstream.seen]
    assert paths == (["/v3/chat"] if stream else ["/v3/chat", "/v3/chat/message/list"])


@callers
async def test_what_came_in_several_answers_is_in_the_history_together(make_engine, upstream, coze, dialect):
    outcome = await ask(make_engine(snapshot(upstream)), a_call(dialect, says("hello")))
    kept = json.loads(outcome.row.content.upstream_answer)
    assert kept["create"]["data"]["status"] == "completed"
    assert kept["messages"]["data"][2]["content"] == "Hello there, Zoë 🌍."
    assert json.loads(outcome.row.content.upstream_request)["bot_id"] == BOT


@pytest.mark.slow
@callers
@pytest.mark.parametrize("cue", ["slow:2", "stumbles"])
async def test_a_chat_that_takes_its_time_is_asked_for_until_it_is_over(make_engine, upstream, coze, dialect, cue):
    outcome = await ask(make_engine(snapshot(upstream)), a_call(dialect, says(cue)))
    assert text_of(dialect, outcome) == "Hello."
    paths = [seen.path.partition("?")[0] for seen in upstream.seen]
    assert paths == ["/v3/chat", *["/v3/chat/retrieve"] * 2, "/v3/chat/message/list"]
    assert len(coze.chats) == 1
    assert len(outcome.row.attempts) == 1
    assert (outcome.row.fresh_input, outcome.row.output) == (12, 7)
    assert coze.refused == []


async def test_the_caller_is_the_user_and_else_its_client(make_engine, upstream, coze):
    engine = make_engine(snapshot(upstream))
    await ask(engine, a_call("openai-chat", says("hello", user="zoe")))
    assert upstream.seen[0].body["user_id"] == "zoe"
    upstream.seen.clear()
    engine.books.ended.clear()
    await ask(engine, a_call("openai-chat", says("hello")))
    assert upstream.seen[0].body["user_id"] == "alice"


async def test_a_conversation_goes_on_with_the_id_of_its_answer_and_only_what_is_new(make_engine, upstream, coze):
    engine = make_engine(snapshot(upstream))
    first = await ask(engine, a_call("openai-chat", says("hello")))
    answer_id = first.json["id"]
    conversation = answer_id.split("-")[1]
    assert conversation in coze.conversations
    engine.books.ended.clear()
    said = ["hello", "Hello there.", "hello again"]
    history = [{"role": ("user", "assistant")[n % 2], "content": words} for n, words in enumerate(said)]
    history.insert(0, {"role": "system", "content": "Be kind."})
    second = await ask(engine, a_call("openai-chat", says("", messages=history, conversation_id=answer_id)))
    assert second.status == 200
    assert second.json["id"].split("-")[1] == conversation
    assert [message["content"] for message in coze.conversations[conversation]] == ["hello", "hello again"]
    assert coze.refused == []


async def test_without_a_conversation_the_whole_history_is_sent(make_engine, upstream, coze):
    history = [
        {"role": ("user", "assistant")[n % 2], "content": words} for n, words in enumerate(("one", "two", "three"))
    ]
    history.insert(0, {"role": "system", "content": "Be kind."})
    outcome = await ask(make_engine(snapshot(upstream)), a_call("openai-chat", says("", messages=history)))
    sent = upstream.seen[0].body["additional_messages"]
    assert [(m["role"], m["type"], m["content"]) for m in sent] == [
        ("user", "question", "Be kind.\n\none"), ("assistant", "answer", "two"), ("user", "question", "three"),
    ]  # fmt: skip
    assert "conversation_id" not in upstream.seen[0].path
    assert outcome.status == 200


@callers
@both_forms
@pytest.mark.parametrize(
    ("cue", "status"), [("busy", 409), ("limited", 429), ("broken", 502), ("odd", 502), ("stranger", 502)]
)
async def test_an_error_inside_a_200_has_the_status_it_deserves(
    make_engine, upstream, coze, dialect, stream, cue, status
):
    outcome = await ask(make_engine(snapshot(upstream)), a_call(dialect, says(cue, stream)))
    assert outcome.status == status
    said = outcome.json["error"]["message"]
    assert "refused this gateway's credential (403)" in said if cue == "stranger" else f"scripted {cue}" in said
    assert outcome.row.outcome == "error"
    assert b'"code":' in outcome.row.content.upstream_answer


@callers
@both_forms
async def test_a_token_that_coze_does_not_know_is_the_operators_matter(make_engine, upstream, coze, dialect, stream):
    wrong = snapshot(upstream, credentials=(Credential("main", "pat_wrong"),))
    outcome = await ask(make_engine(wrong), a_call(dialect, says("hello", stream)))
    assert outcome.status == 502
    assert "refused this gateway's credential (401)" in outcome.json["error"]["message"]


async def test_the_next_token_is_tried_when_one_is_refused(make_engine, upstream, coze):
    keys = (Credential("old", "pat_wrong", weight=10**9), Credential("new", strict_coze.KEY))
    outcome = await ask(make_engine(snapshot(upstream, credentials=keys)), a_call("openai-chat", says("hello")))
    assert outcome.status == 200
    assert [a.error for a in outcome.row.attempts] == ["upstream_credential", ""]


@callers
@both_forms
@pytest.mark.parametrize(
    ("cue", "said"),
    [("fails", "the model gave up"), ("canceled", "was cancelled"), ("action", "runs outside of it")],
)
async def test_a_chat_without_an_answer_is_an_error(make_engine, upstream, coze, dialect, stream, cue, said):
    outcome = await ask(make_engine(snapshot(upstream)), a_call(dialect, says(cue, stream)))
    assert outcome.status == 502
    assert said in outcome.json["error"]["message"]


@callers
@pytest.mark.parametrize("cue", ["quiet", "studio"])
async def test_streams_of_other_forms_are_read_too(make_engine, upstream, coze, dialect, cue):
    outcome = await ask(make_engine(snapshot(upstream)), a_call(dialect, says(cue, stream=True)))
    assert text_of(dialect, outcome) == "Hello."
    assert outcome.row.outcome == "ok"


@callers
@pytest.mark.parametrize("cue", ["break", "cut"])
async def test_a_stream_that_breaks_ends_with_an_error_and_not_a_stop(make_engine, upstream, coze, dialect, cue):
    outcome = await ask(make_engine(snapshot(upstream)), a_call(dialect, says(cue, stream=True)))
    assert text_of(dialect, outcome) == "So far so "
    assert outcome.row.outcome == "partial"
    assert b'"error"' in outcome.raw
    assert b'"finish_reason":"stop"' not in outcome.raw
    assert b"message_stop" not in outcome.raw


@pytest.mark.slow
async def test_a_chat_over_its_time_is_called_off(make_engine, upstream, coze):
    patient = snapshot(upstream, timeouts=Timeouts(connect=20, first_byte=30, idle=30, total=1.5))
    outcome = await ask(make_engine(patient), a_call("openai-chat", says("never")))
    assert outcome.status == 504
    assert "total timeout" in outcome.json["error"]["message"]
    await until(lambda: coze.canceled)
    assert coze.canceled == list(coze.chats)
    assert len(outcome.row.content.upstream_answer.split(b"\n")) >= 2


@both_forms
async def test_a_chat_whose_caller_hangs_up_is_called_off(make_engine, upstream, coze, stream):
    if stream:
        upstream.default = lambda seen: coze(as_if_whole(seen))
    engine = make_engine(snapshot(upstream))
    serving = asyncio.ensure_future(serve(engine, a_call("openai-chat", says("never", stream))))
    await until(lambda: coze.chats)
    await asyncio.sleep(0.1)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    await until(lambda: coze.canceled)
    assert coze.canceled == list(coze.chats)
    assert engine.books.row.outcome == "client_closed"


@pytest.mark.parametrize("when", ["before its first words", "while they come"])
async def test_a_stream_whose_caller_hangs_up_is_called_off(make_engine, upstream, coze, when):
    """A bot goes on answering, and is paid for, when its stream is cut."""
    engine = make_engine(snapshot(upstream), keepalive_seconds=0.2)
    cue = "endless" if when == "while they come" else "mute"
    reply = await serve(engine, a_call("openai-chat", says(cue, stream=True)))
    stream = aiter(reply.body)
    assert await anext(stream)
    reply.body.close()
    await until(lambda: coze.canceled)
    assert coze.canceled == list(coze.chats)
    assert engine.books.row.outcome == "client_closed"


@callers
@both_forms
async def test_an_answer_that_was_read_to_its_end_is_not_called_off(make_engine, upstream, coze, dialect, stream):
    for words in ("hello", "quiet", "studio", "fails"):
        engine = make_engine(snapshot(upstream))
        await ask(engine, a_call(dialect, says(words, stream)))
    await asyncio.sleep(0.1)
    assert not any("/cancel" in seen.path for seen in upstream.seen)


def as_if_whole(seen):
    """A server that does not stream: it takes the request as one without."""
    if seen.path == "/v3/chat":
        seen.raw = json.dumps({**seen.body, "stream": False}).encode()
    return seen


@callers
async def test_a_server_that_does_not_stream_answers_a_stream_all_the_same(make_engine, upstream, coze, dialect):
    upstream.default = lambda seen: coze(as_if_whole(seen))
    outcome = await ask(make_engine(snapshot(upstream)), a_call(dialect, says("hello", stream=True)))
    assert text_of(dialect, outcome) == "Hello there, Zoë 🌍."
    assert outcome.row.outcome == "ok"


async def until(holds, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_many_callers_at_once_each_get_their_own_bot_and_answer(make_engine, upstream, coze):
    engine = make_engine(snapshot(upstream))
    calls = [a_call("openai-chat", says(f"mirror {n}", user=f"u{n}")) for n in range(20)]
    replies = await asyncio.gather(*(serve(engine, call) for call in calls))
    for number, reply in enumerate(replies):
        shown = json.loads(json.loads(reply.body)["choices"][0]["message"]["content"])
        assert shown["body"]["user_id"] == f"u{number}"
        assert shown["body"]["additional_messages"][0]["content"] == f"mirror {number}"


@callers
async def test_tools_are_refused_with_the_fields_name(make_engine, upstream, coze, dialect):
    function = {"name": "f", "parameters": {"type": "object"}}
    tool = {"type": "function", "function": function} if dialect == "openai-chat" else {
        "name": "f", "input_schema": {"type": "object"}}  # fmt: skip
    outcome = await ask(make_engine(snapshot(upstream)), a_call(dialect, says("hello", tools=[tool])))
    assert outcome.status == 400
    assert "Bots have tools of their own" in outcome.json["error"]["message"]
    assert upstream.seen == []


async def test_a_route_behind_coze_answers_when_the_bot_does_not(make_engine, upstream, second_upstream, coze):
    from tests.fakes import answers

    second_upstream.default = answer_json(answers.whole("openai-chat", "From the other."))
    other = an_upstream("other", second_upstream.url)
    outcome = await ask(make_engine(snapshot(upstream, other)), a_call("openai-chat", says("broken")))
    assert text_of("openai-chat", outcome) == "From the other."


@both_forms
@pytest.mark.parametrize(
    "script",
    [
        answer_text("<html>Bad gateway</html>", 502),
        answer_json(b"[1]"),
        answer_json(b"not json"),
        answer_json({"code": 0, "msg": ""}),
        answer_json({"code": 0, "data": {"id": 7, "conversation_id": None, "status": "in_progress"}}),
        answer_json({"code": 0, "data": {"id": "1", "conversation_id": "2", "status": "asleep"}}),
    ],
)
async def test_what_is_no_answer_of_coze_is_a_502(make_engine, upstream, stream, script):
    upstream.default = script
    outcome = await ask(make_engine(snapshot(upstream)), a_call("openai-chat", says("hello", stream)))
    assert outcome.status == 502
