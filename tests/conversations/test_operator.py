"""What the operator adds to a kept conversation is added anew to each turn, kept by nobody, and told to no caller."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxyapp.conversations.responses import ResponseStore
from proxyapp.engine.serve import serve
from proxyapp.engine.snapshot import Model, Route
from tests.engine.conftest import a_call, a_snapshot, an_upstream, collect, make_engine, scripted, upstream
from tests.fakes import answers
from tests.fakes.upstream import Script, Seen, answer_json, answer_sse

__all__ = ["make_engine", "scripted", "upstream"]

RULES = "House rules, for the house alone."


def a_response(seen: Seen) -> Script:
    """An answer that repeats its request, as OpenAI's do."""
    told = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": []}
    response = {
        "id": f"resp_{len(seen.raw)}", "object": "response", "created_at": 1, "status": "completed", "model": "um",
        "instructions": seen.body.get("instructions"), "reasoning": seen.body.get("reasoning"), "output": [told],
    }  # fmt: skip
    if not seen.body.get("stream"):
        return answer_json(response)
    events = [{"type": "response.created", "response": {**response, "output": []}},
              {"type": "response.output_item.done", "output_index": 0, "item": told},
              {"type": "response.completed", "response": response}]  # fmt: skip
    return answer_sse(b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in events))


def an_engine(make_engine: Any, desk: Any, upstream: Any, **facts: Any) -> Any:
    up = an_upstream("up", upstream.url, system_prompt=RULES, **facts)
    model = Model(name="m", reasoning="high", routes=(Route("up", "gpt-5.2"),))
    engine = make_engine(a_snapshot(up, models={"m": model}))
    engine.store = ResponseStore(desk, 30)
    return engine


async def said(engine: Any, words: str, previous: str | None, **more: Any) -> dict[str, Any]:
    body = {"model": "m", "input": words, **more}
    if previous:
        body["previous_response_id"] = previous
    reply = await serve(engine, a_call("openai-responses", body))
    raw = await collect(reply)
    assert reply.status == 200, raw
    if not more.get("stream"):
        return json.loads(raw)
    assert RULES.encode() not in raw
    return json.loads(raw.rpartition(b"data: ")[2])["response"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_prompt_does_not_grow_with_the_turns_and_is_not_repeated_to_the_caller(
    make_engine, desk, upstream, stream
):
    upstream.default = a_response
    engine = an_engine(make_engine, desk, upstream, kind="openai", api="responses")
    previous = None
    for number in range(4):
        answer = await said(engine, f"turn {number}", previous, instructions="Be brief.", stream=stream)
        previous = answer["id"]
        assert answer["instructions"] == "Be brief."
        assert upstream.last.body["instructions"] == f"{RULES}\n\nBe brief."
        assert upstream.last.body["reasoning"] == {"effort": "high", "summary": "auto"}
        assert RULES not in json.dumps(upstream.last.body["input"])
    assert len(upstream.last.body["input"]) == 7
    bare = await said(engine, "one more", previous, stream=stream)
    assert bare["instructions"] is None
    assert upstream.last.body["instructions"] == RULES


async def test_the_same_holds_where_the_conversation_is_translated(make_engine, desk, upstream):
    upstream.default = answer_json(answers.whole("openai-chat"))
    engine = an_engine(make_engine, desk, upstream)
    previous = None
    for number in range(4):
        answer = await said(engine, f"turn {number}", previous, instructions="Be brief.")
        previous = answer["id"]
        assert answer["instructions"] == "Be brief."
        assert upstream.last.body["messages"][0] == {"role": "system", "content": f"{RULES}\n\nBe brief."}
        assert upstream.last.raw.count(RULES.encode()) == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_nor_is_it_repeated_to_a_caller_who_keeps_nothing_here(make_engine, desk, upstream, stream):
    upstream.default = a_response
    engine = an_engine(make_engine, desk, upstream, kind="openai", api="responses")
    answer = await said(engine, "hi", None, instructions="Be brief.", store=False, stream=stream)
    assert answer["instructions"] == "Be brief."
