"""Reasoning of OpenAI's models over turns, keys and routes: two organisations that refuse each other's proofs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxyapp.conversations.responses import ResponseStore
from proxyapp.engine.serve import serve
from proxyapp.engine.snapshot import Model, Route
from tests.engine.conftest import (
    a_call,
    a_snapshot,
    an_upstream,
    collect,
    make_engine,
    scripted,
    scripted_too,
    second_upstream,
    upstream,
)
from tests.fakes.strict_responses import StrictResponses
from tests.fakes.upstream import Script, Seen, answer_json, answer_sse

__all__ = ["make_engine", "scripted", "scripted_too", "second_upstream", "upstream"]

RESPONSES, MODEL = "openai-responses", "gpt-5.2"
streams = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "unit": {"type": "string"}}},
    "strict": False,
}


@pytest.fixture
def organisations(upstream, second_upstream):
    """Two of one service: each knows the other's reasoning and will not read it."""
    red = StrictResponses(key="sk-secret-of-red")
    blue = StrictResponses(key="sk-secret-of-blue", proofs=red.proofs)
    upstream.default, second_upstream.default = red, blue
    return red, blue


@pytest.fixture
def engine(make_engine, desk, upstream, second_upstream):
    def build(*priorities: int):
        ups = [
            an_upstream(name, server.url, kind="openai", api="responses")
            for name, server in (("red", upstream), ("blue", second_upstream))
        ]
        routes = tuple(Route(up.name, MODEL, priority=place) for up, place in zip(ups, priorities, strict=True))
        made = make_engine(a_snapshot(*ups, models={"m": Model(name="m", routes=routes)}))
        made.store = ResponseStore(desk, 30)
        return made

    return build


async def say(engine, words: Any, previous: str | None = None, *, stream: bool = False, **more: Any) -> dict[str, Any]:
    body = {"model": "m", "input": words, "tools": [WEATHER], "stream": stream, "reasoning": {"effort": "low"}, **more}
    if previous:
        body["previous_response_id"] = previous
    reply = await serve(engine, a_call(RESPONSES, body))
    raw = await collect(reply)
    assert reply.status == 200, raw
    if not stream:
        return json.loads(raw)
    return json.loads(raw.rpartition(b"data: ")[2])["response"]


def results(answer: dict[str, Any]) -> list[dict[str, Any]]:
    calls = [item for item in answer["output"] if item["type"] == "function_call"]
    return [{"type": "function_call_output", "call_id": call["call_id"], "output": "7"} for call in calls]


def reasoning_in(raw: bytes) -> list[dict[str, Any]]:
    return [item for item in json.loads(raw)["input"] if item.get("type") == "reasoning"]


@streams
async def test_a_kept_conversation_stays_with_the_account_that_reasoned(
    engine, organisations, upstream, second_upstream, stream
):
    one = engine(0, 0)
    makers = set()
    for _ in range(10):
        upstream.seen.clear()
        second_upstream.seen.clear()
        answer = await say(one, "ponder", stream=stream)
        await say(one, results(answer), answer["id"], stream=stream)
        assert sorted((len(upstream.seen), len(second_upstream.seen))) == [0, 2]
        makers.add(bool(upstream.seen))
    assert makers == {True, False}, "first turns are shared as before"
    assert not organisations[0].refused + organisations[1].refused
    assert not organisations[0].forgotten + organisations[1].forgotten


@streams
async def test_failover_never_shows_one_accounts_reasoning_to_another(
    engine, organisations, upstream, second_upstream, stream
):
    one = engine(0, 1)
    answer = await say(one, "ponder", stream=stream)
    assert any(item["type"] == "reasoning" for item in answer["output"])
    upstream.then(answer_json({"error": {"message": "down", "type": "server_error"}}, 500))
    await say(one, results(answer), answer["id"], stream=stream)
    assert len(reasoning_in(upstream.last.raw)) == 1
    assert reasoning_in(second_upstream.last.raw) == []
    assert not organisations[1].refused


async def test_callers_who_keep_their_reasoning_themselves_stay_with_its_account_too(
    engine, organisations, upstream, second_upstream
):
    """Codex's way: nothing is kept, everything is sent again."""
    one = engine(0, 0)
    own = {"store": False, "include": ["reasoning.encrypted_content"]}
    for _ in range(10):
        upstream.seen.clear()
        second_upstream.seen.clear()
        answer = await say(one, "ponder", **own)
        history = [{"role": "user", "content": "ponder"}, *answer["output"], *results(answer)]
        await say(one, history, **own)
        assert sorted((len(upstream.seen), len(second_upstream.seen))) == [0, 2]
    assert not organisations[0].refused + organisations[1].refused


@streams
async def test_xl_190_reasoning_that_an_upstream_cannot_read_is_left_out_and_sent_again_once(
    engine, organisations, upstream, second_upstream, stream
):
    one = engine(0, 1)
    own = {"store": False, "include": ["reasoning.encrypted_content"]}
    answer = await say(one, "ponder", **own)
    history = [{"role": "user", "content": "ponder"}, *answer["output"], *results(answer)]
    upstream.then(answer_json({"error": {"message": "down", "type": "server_error"}}, 500))
    last = await say(one, history, stream=stream, **own)
    assert last["status"] == "completed"
    first, second = second_upstream.seen
    assert (len(reasoning_in(first.raw)), len(reasoning_in(second.raw))) == (1, 0)
    assert len(organisations[1].refused) == 1


@pytest.mark.parametrize("tries", [1, 2], ids=["nothing to leave out", "something to leave out"])
async def test_a_refusal_that_stays_is_told(engine, upstream, second_upstream, tries):
    error = {"message": "cannot be verified", "type": "invalid_request_error", "code": "invalid_encrypted_content"}
    upstream.default = answer_json({"error": error}, 400)
    one = engine(0, 1)
    items = [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA" * 20}] * (tries - 1)
    body = {"model": "m", "input": [*items, {"role": "user", "content": "hi"}], "store": False}
    reply = await serve(one, a_call(RESPONSES, body))
    assert (reply.status, json.loads(await collect(reply))["error"]["code"]) == (400, "invalid_encrypted_content")
    assert len(upstream.seen) == tries
    assert second_upstream.seen == []


@streams
async def test_the_history_shows_what_the_upstream_got_and_what_the_caller_got(
    engine, organisations, upstream, second_upstream, stream
):
    one = engine(0, 1)
    answer = await say(one, "hello", stream=stream)
    await say(one, "more", answer["id"], stream=stream)
    content = one.books.ended[-1].content
    assert b"previous_response_id" in content.client_request
    assert b"hello" not in content.client_request
    assert b"hello" in content.upstream_request
    assert b'"store":false' in content.upstream_request
    assert b'"store":true' in content.client_answer
    assert b'"store":true' not in content.upstream_answer


async def test_an_answer_that_broke_off_is_kept_as_failed_and_can_be_gone_on_from(
    engine, organisations, upstream, second_upstream
):
    one = engine(0, 1)
    broken = await say(one, "cut", stream=True)
    assert (broken["status"], broken["store"]) == ("failed", True)
    kept = await one.store.get(1, broken["id"])
    assert kept["status"] == "failed"
    answer = await say(one, "hello", broken["id"])
    assert answer["status"] == "completed"
    assert not organisations[0].refused


async def test_a_caller_who_hangs_up_leaves_nothing_behind(engine, organisations, upstream, second_upstream):
    def stuck(seen: Seen) -> Script:
        script = organisations[0](seen)
        text = b"".join(script.pieces)
        until = text.index(b"\n\n", text.index(b"output_text.delta")) + 2
        return answer_sse(text[:until], end="hang")

    one = engine(0, 1)
    upstream.default = stuck
    reply = await serve(one, a_call(RESPONSES, {"model": "m", "input": "hello", "stream": True}))
    begun = json.loads((await anext(aiter(reply.body))).split(b"data: ", 1)[1].split(b"\n", 1)[0])
    reply.body.close()
    assert await one.store.get(1, begun["response"]["id"]) is None
    assert one.books.row.outcome == "client_closed"
