"""Counts in the words of Responses: asked of OpenAI, of others in their words, and estimated where nobody counts."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from proxyapp.dialects.registry import DIALECTS
from proxyapp.engine.conversation import Chain, Turn
from proxyapp.engine.counting import count
from proxyapp.engine.serve import serve
from proxyapp.engine.snapshot import Credential
from tests.engine.conftest import a_call, a_snapshot, an_upstream, collect
from tests.fakes.strict_responses import KEY, StrictResponses
from tests.fakes.upstream import ScriptedUpstream, answer_json

MODEL = "gpt-5.2"
TOOL = {"type": "function", "name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {}}}


@pytest.fixture
def strict(upstream: ScriptedUpstream) -> StrictResponses:
    made = StrictResponses()
    upstream.default = made
    return made


def at(upstream: ScriptedUpstream, dialect: str = "openai-chat", **changes: Any):
    snapshot = a_snapshot(an_upstream("up", upstream.url, dialect, **changes), model=MODEL)
    routes = tuple(msgspec.structs.replace(route, model=MODEL) for route in snapshot.models[MODEL].routes)
    named = msgspec.structs.replace(snapshot.models[MODEL], routes=routes)
    return msgspec.structs.replace(snapshot, models={MODEL: named})


def openai(upstream: ScriptedUpstream):
    return at(upstream, kind="openai", credentials=(Credential("main", KEY),))


def body(**more: Any) -> dict[str, Any]:
    return {"model": MODEL, "input": "How many tokens is this?", **more}


async def counted(engine, dialect: str, asked: Any):
    call = msgspec.structs.replace(
        a_call("openai-chat", asked), dialect=DIALECTS[dialect], path="/v1/responses/input_tokens"
    )
    reply = await serve(engine, call, count)
    return reply, json.loads(await collect(reply)), engine.books.ended[-1]


async def test_openai_counts_itself(make_engine, upstream, strict):
    asked = body(tools=[TOOL], instructions="Be brief.", new_field={"kept": 1})
    upstream.then(answer_json({"object": "response.input_tokens", "input_tokens": 21, "of_tomorrow": 1}))
    reply, answer, row = await counted(make_engine(openai(upstream)), "openai-responses", {**asked, "stream": True})
    assert answer == {"object": "response.input_tokens", "input_tokens": 21, "of_tomorrow": 1}
    assert upstream.last.path == "/v1/responses/input_tokens"
    assert upstream.last.body == asked
    assert ("x-dragoman-estimated" in reply.headers, row.fresh_input) == (False, None)
    _, answer, _ = await counted(make_engine(openai(upstream)), "openai-responses", body(tools=[TOOL]))
    assert (answer["input_tokens"], strict.refused) == (len(upstream.last.raw) // 4, [])


async def test_xl_210_messages_callers_are_counted_by_openai_in_its_words(make_engine, upstream, strict):
    tool = {"name": "look", "input_schema": {"type": "object", "properties": {"q": {"type": "string"}}}}
    asked = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "tools": [tool], "system": "Be brief."}
    reply, answer, _ = await counted(make_engine(openai(upstream)), "anthropic-messages", asked)
    assert not strict.refused
    assert answer == {"input_tokens": len(upstream.last.raw) // 4}
    assert upstream.last.path == "/v1/responses/input_tokens"
    assert upstream.last.body["tools"][0]["name"] == "look"
    assert not {"stream", "store", "max_output_tokens"} & upstream.last.body.keys()
    assert "x-dragoman-estimated" not in reply.headers


async def test_anthropic_counts_for_callers_of_responses(make_engine, upstream):
    upstream.then(answer_json({"input_tokens": 31}))
    asked = body(tools=[TOOL], instructions="Be brief.")
    _, answer, _ = await counted(make_engine(at(upstream, "anthropic-messages")), "openai-responses", asked)
    assert answer == {"object": "response.input_tokens", "input_tokens": 31}
    assert (upstream.last.path, upstream.last.body["tools"][0]["name"]) == ("/v1/messages/count_tokens", "look")


async def test_a_server_of_chat_alone_is_estimated_and_never_asked(make_engine, upstream):
    reply, answer, _ = await counted(make_engine(at(upstream)), "openai-responses", body(tools=[TOOL]))
    assert answer["object"] == "response.input_tokens"
    assert answer["input_tokens"] > 10
    assert (reply.headers["x-dragoman-estimated"], upstream.seen) == ("true", [])


async def test_proofs_that_openai_cannot_read_are_left_out_of_the_count(make_engine, upstream):
    wrong = {
        "message": "unreadable",
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_encrypted_content",
    }
    upstream.then(answer_json({"error": wrong}, 400), answer_json({"input_tokens": 5}))
    thought = {"type": "reasoning", "id": f"rs_{'0' * 48}", "summary": [], "encrypted_content": "of-another"}
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello."}]}
    question = {"type": "message", "role": "user", "content": "Hi"}
    asked = body(input=[question, thought, said, question])
    _, answer, _ = await counted(make_engine(openai(upstream)), "openai-responses", asked)
    assert answer == {"input_tokens": 5}
    assert [b"of-another" in seen.raw for seen in upstream.seen] == [True, False]


class Kept:
    """A store that holds one conversation."""

    async def chain(self, client: int, response_id: str) -> Chain | None:
        said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "word " * 400}]}
        turn = Turn(sent=[said], response={"id": "resp_1", "output": []})
        return Chain(rows=[1], turns=[turn]) if (client, response_id) == (1, "resp_1") else None

    async def holders(self, client: int, ids: Any) -> list[Turn]:
        return []

    async def put(self, client: int, turn: Any, after: Any) -> bool:
        raise AssertionError("nothing of a count is kept")


async def test_what_was_said_before_is_counted_too_and_nothing_is_kept(make_engine, upstream, strict):
    for snapshot in (at(upstream), openai(upstream)):
        engine = make_engine(snapshot)
        engine.store = Kept()
        _, alone, _ = await counted(engine, "openai-responses", body(store=True))
        _, together, _ = await counted(engine, "openai-responses", body(previous_response_id="resp_1"))
        assert together["input_tokens"] > alone["input_tokens"] + 400
        reply, answer, _ = await counted(engine, "openai-responses", body(previous_response_id="resp_9"))
        assert (reply.status, answer["error"]["param"]) == (400, "previous_response_id")
    assert "previous_response_id" not in upstream.last.body
