"""Counting tokens: asked of the upstream where it counts, else estimated and marked; never billed, never limited."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from proxyapp.engine.counting import count
from proxyapp.engine.serve import serve
from proxyapp.engine.snapshot import Limits
from tests.engine.conftest import a_call, a_key, a_snapshot, an_upstream, collect
from tests.fakes.upstream import ScriptedUpstream, answer_json, answer_sse, answer_text, hang, reset

CLAUDE_CODE = Path(__file__).parent.parent / "fixtures/corpus/clients/claude-code-12-v1_messages_count_tokens.json"
TOOL = {
    "name": "look",
    "description": "Looks.",
    "input_schema": {"type": "object", "properties": {"q": {"type": "string"}}},
}


def body(**more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": "How many tokens is this?"}], **more}


async def counted(engine, asked: dict[str, Any], **headers: str):
    reply = await serve(engine, a_call("anthropic-messages", asked, **headers), count)
    return reply, json.loads(await collect(reply)), engine.books.ended[-1]


def at(upstream: ScriptedUpstream, dialect: str, **changes: Any):
    return a_snapshot(an_upstream("up", upstream.url, dialect, **changes))


async def test_an_upstream_of_the_same_dialect_counts_itself(make_engine, upstream):
    upstream.then(answer_json({"input_tokens": 14, "of_tomorrow": 1}))
    engine = make_engine(at(upstream, "anthropic-messages"))
    asked = body(tools=[TOOL], system="Be brief.", new_field={"kept": True}, max_tokens=5, stream=True, metadata={})
    reply, answer, row = await counted(engine, asked, anthropic_version="2023-06-01", anthropic_beta="b")
    assert (reply.status, answer) == (200, {"input_tokens": 14, "of_tomorrow": 1})
    assert "x-dragoman-estimated" not in reply.headers
    assert upstream.last.path == "/v1/messages/count_tokens"
    assert upstream.last.headers["anthropic-beta"] == "b"
    kept = {name: asked[name] for name in ("messages", "tools", "system", "new_field")}
    assert upstream.last.body == {"model": "m-at-up", **kept}
    assert (row.outcome, row.fresh_input, row.output, row.attempts[0].status) == ("ok", None, None, 200)


async def test_what_claude_code_sends_reaches_an_upstream_that_counts(make_engine, upstream):
    upstream.then(answer_json({"input_tokens": 7}))
    asked = {**json.loads(CLAUDE_CODE.read_text())["body"], "model": "m"}
    _, answer, _ = await counted(make_engine(at(upstream, "anthropic-messages")), asked)
    assert answer == {"input_tokens": 7}
    assert upstream.last.body == {**asked, "model": "m-at-up"}


async def test_xl_210_a_chat_upstream_gives_a_marked_estimate_tools_included(make_engine, upstream):
    engine = make_engine(at(upstream, "openai-chat"))
    reply, bare, _ = await counted(engine, body())
    _, with_tools, row = await counted(engine, body(tools=[TOOL] * 3))
    assert reply.status == 200
    assert reply.headers["x-dragoman-estimated"] == "true"
    assert reply.headers["x-dragoman-upstream"] == "up"
    assert 5 <= bare["input_tokens"] <= 15
    assert with_tools["input_tokens"] > bare["input_tokens"] + 40
    assert upstream.seen == []
    assert (row.outcome, row.fresh_input, row.usage_estimated, row.upstream_model) == ("ok", None, False, "m-at-up")
    assert row.attempts == []
    assert [sentence for _, sentence, _ in row.notes] == ["The upstream did not count: this is an estimate."]


async def test_what_claude_code_sends_is_estimated_for_a_chat_upstream(make_engine, upstream):
    asked = {**json.loads(CLAUDE_CODE.read_text())["body"], "model": "m"}
    reply, answer, _ = await counted(make_engine(at(upstream, "openai-chat")), asked)
    assert reply.status == 200
    assert 0.5 < answer["input_tokens"] / (len(json.dumps(asked)) / 4) < 1.2


@pytest.mark.parametrize(
    "trouble",
    [
        answer_json({"type": "error", "error": {"type": "not_found_error", "message": "Not found"}}, 404),
        answer_text("Method Not Allowed", 405),
        answer_json({"error": {"message": "not implemented"}}, 501),
        answer_json({"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}}, 429),
        answer_json({"no": "count"}),
        answer_json({"input_tokens": "many"}),
        answer_text("<html>", 200),
        reset(),
    ],
)
async def test_a_counter_that_does_not_count_is_replaced_by_an_estimate(make_engine, upstream, trouble):
    upstream.then(trouble)
    reply, answer, row = await counted(make_engine(at(upstream, "anthropic-messages")), body())
    assert (reply.status, reply.headers["x-dragoman-estimated"]) == (200, "true")
    assert answer["input_tokens"] > 0
    assert (row.outcome, len(row.attempts)) == ("ok", 1)
    assert row.attempts[0].error


async def test_what_the_upstream_says_of_the_request_itself_comes_back(make_engine, upstream):
    wrong = {"type": "error", "error": {"type": "invalid_request_error", "message": "messages: too odd"}}
    upstream.then(answer_json(wrong, 400))
    reply, answer, row = await counted(make_engine(at(upstream, "anthropic-messages")), body())
    assert (reply.status, answer["error"]["message"]) == (400, "messages: too odd")
    assert row.outcome == "error"


async def test_a_refused_key_of_ours_is_said_and_not_papered_over(make_engine, upstream):
    upstream.then(answer_json({"type": "error", "error": {"type": "authentication_error", "message": "no"}}, 401))
    reply, answer, _ = await counted(make_engine(at(upstream, "anthropic-messages")), body())
    assert reply.status == 502
    assert "up" in answer["error"]["message"]


async def test_the_next_route_counts_when_the_first_cannot_be_reached(make_engine, upstream, second_upstream):
    upstream.then(reset())
    second_upstream.then(answer_json({"input_tokens": 3}))
    both = [an_upstream(n, u.url, "anthropic-messages") for n, u in (("a", upstream), ("b", second_upstream))]
    reply, answer, row = await counted(make_engine(a_snapshot(*both)), body())
    assert (answer, reply.headers["x-dragoman-upstream"], len(row.attempts)) == ({"input_tokens": 3}, "b", 2)


async def test_a_counter_of_a_later_route_does_not_speak_for_the_first(make_engine, upstream, second_upstream):
    chat = an_upstream("chat", upstream.url)
    claude = an_upstream("claude", second_upstream.url, "anthropic-messages")
    reply, _, _ = await counted(make_engine(a_snapshot(chat, claude)), body())
    assert reply.headers["x-dragoman-estimated"] == "true"
    assert second_upstream.seen == []


async def test_counting_takes_nothing_from_a_limit(make_engine, upstream):
    key = a_key(limits=Limits(rpm=1, concurrency=1))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url), key=key))
    replies = [(await counted(engine, body()))[0].status for _ in range(5)]
    assert replies == [200] * 5
    upstream.default = answer_json({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]})
    assert (await serve(engine, a_call("openai-chat", body()))).status == 200


async def test_the_operators_prompt_is_counted_too(make_engine, upstream):
    snapshot = at(upstream, "openai-chat")
    long = msgspec.structs.replace(snapshot.models["m"], system_prompt="Mind the gap. " * 100)
    _, plain, _ = await counted(make_engine(snapshot), body())
    _, prompted, _ = await counted(make_engine(msgspec.structs.replace(snapshot, models={"m": long})), body())
    assert 300 < prompted["input_tokens"] - plain["input_tokens"] < 400


async def test_faults_come_in_the_callers_dialect_before_any_estimate(make_engine, upstream):
    engine = make_engine(at(upstream, "openai-chat"))
    reply, answer, _ = await counted(engine, body(model="nope"))
    assert (reply.status, answer["error"]["type"]) == (404, "not_found_error")
    reply, answer, _ = await counted(engine, body(messages="hello"))
    assert (reply.status, answer["error"]["type"]) == (400, "invalid_request_error")
    deep = b'{"model": "m", "messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    reply = await serve(engine, a_call("anthropic-messages", deep), count)
    assert reply.status == 400


async def test_a_thinking_budget_needs_no_limit_of_the_caller(make_engine, upstream):
    engine = make_engine(at(upstream, "openai-chat"))
    reply, _, _ = await counted(engine, body(thinking={"type": "enabled", "budget_tokens": 31999}))
    assert reply.status == 200
    upstream.then(answer_json({"input_tokens": 9}))
    engine = make_engine(at(upstream, "anthropic-messages"))
    await counted(engine, body(thinking={"type": "enabled", "budget_tokens": 31999}))
    assert upstream.last.body["thinking"] == {"type": "enabled", "budget_tokens": 31999}


async def test_a_caller_that_hangs_up_is_booked_as_such(make_engine, upstream):
    upstream.then(hang())
    engine = make_engine(at(upstream, "anthropic-messages"))
    task = asyncio.ensure_future(serve(engine, a_call("anthropic-messages", body()), count))
    while not upstream.seen:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert engine.books.row.outcome == "client_closed"


async def test_what_the_history_taught_corrects_the_estimate(make_engine, upstream):
    engine = make_engine(at(upstream, "openai-chat"))
    _, before, _ = await counted(engine, body(system="word " * 400))
    engine.factors = {("up", "m-at-up"): 1.5, ("up", "another"): 9.0}
    _, after, _ = await counted(engine, body(system="word " * 400))
    assert abs(after["input_tokens"] - before["input_tokens"] * 1.5) <= 1


async def test_a_translated_stream_begins_with_a_good_number(make_engine, upstream):
    chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}
    delta = {
        **chunk,
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    }
    upstream.default = answer_sse(f"data: {json.dumps(delta)}\n\ndata: [DONE]\n\n".encode())
    engine = make_engine(at(upstream, "openai-chat"))
    asked = body(max_tokens=10, stream=True, system="word " * 400)
    reply = await serve(engine, a_call("anthropic-messages", asked))
    stream = (await collect(reply)).decode()
    start = json.loads(stream.split("data: ", 1)[1].split("\n", 1)[0])
    _, answer, _ = await counted(engine, {name: asked[name] for name in ("model", "messages", "system")})
    assert start["message"]["usage"]["input_tokens"] == answer["input_tokens"]
    assert engine.books.ended[0].extra == {"weight": answer["input_tokens"]}


async def test_a_prompt_too_deep_to_be_looked_through_is_a_bad_request(make_engine, upstream):
    """The estimate reads further than the question to an upstream would: it ended as a fault of ours."""
    engine = make_engine(at(upstream, "openai-chat"))
    seen = set()
    for depth in range(840, 1000, 4):
        deep = b"[" * depth + b"]" * depth
        call = b'{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{"a":' + deep + b"}}]}"
        raw = json.dumps(body()).encode()[:-2] + b"," + call + b"]}"
        reply = await serve(engine, a_call("anthropic-messages", raw), count)
        seen.add(reply.status)
    assert seen == {200, 400}
