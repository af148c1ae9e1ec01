"""Thinking over two turns: callers of every dialect, upstreams that prove their thinking and refuse what is not theirs.

Each pair twice: a caller who returns the whole answer, and one who returns its text and calls alone. The strict
upstreams hold both to what the vendors ask for.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from proxyapp.dialects.contract import Peek
from proxyapp.engine.serve import serve
from proxyapp.engine.snapshot import Credential, Model, Route
from tests.corpus.readers import FOLD
from tests.engine.conftest import a_call, a_snapshot, an_upstream, collect
from tests.fakes import strict_gemini, strict_messages, strict_responses
from tests.fakes.strict_gemini import StrictGemini
from tests.fakes.strict_messages import StrictMessages
from tests.fakes.strict_responses import StrictResponses

CHAT, MESSAGES, RESPONSES, GEMINI = "openai-chat", "anthropic-messages", "openai-responses", "gemini"
CALLERS = (CHAT, MESSAGES, RESPONSES, GEMINI)
UPSTREAMS: dict[str, tuple[str, str, str, Callable[[], Any]]] = {
    "claude-sonnet-4-5": ("anthropic", MESSAGES, strict_messages.KEY, StrictMessages),
    "claude-opus-4-7": ("anthropic", MESSAGES, strict_messages.KEY, StrictMessages),
    "gpt-5.2": ("openai", RESPONSES, strict_responses.KEY, StrictResponses),
    "gemini-3-pro-preview": ("gemini", GEMINI, strict_gemini.KEY, StrictGemini),
}
"""model -> kind, dialect, key, server."""
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string"}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
Json = dict[str, Any]


def chat_body(said: list[Json]) -> Json:
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}
    return {"messages": [{"role": "user", "content": "ponder"}, *said], "tools": [tool], "reasoning_effort": "medium"}


def messages_body(said: list[Json]) -> Json:
    return {
        "max_tokens": 9000,
        "messages": [{"role": "user", "content": "ponder"}, *said],
        "tools": [{"name": "get_weather", "input_schema": SCHEMA}],
        "thinking": {"type": "enabled", "budget_tokens": 4000},
    }


def responses_body(said: list[Json]) -> Json:
    return {
        "input": [{"role": "user", "content": "ponder"}, *said],
        "tools": [{"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": True}],
        "reasoning": {"effort": "medium", "summary": "auto"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }


def gemini_body(said: list[Json]) -> Json:
    declaration = {"name": "get_weather", "parametersJsonSchema": SCHEMA}
    return {
        "contents": [{"role": "user", "parts": [{"text": "ponder"}]}, *said],
        "tools": [{"functionDeclarations": [declaration]}],
        "generationConfig": {"thinkingConfig": {"includeThoughts": True, "thinkingLevel": "HIGH"}},
    }


def chat_turn(answer: Json, whole: bool) -> list[Json]:
    message = {**answer["choices"][0]["message"], "role": "assistant"}
    if isinstance(message["content"], list):  # folded from a stream
        message["content"] = "".join(part["text"] for part in message["content"])
        message["tool_calls"] = [{**call, "type": "function"} for call in message["tool_calls"]]
    if not whole:
        message = {name: message.get(name) for name in ("role", "content", "tool_calls")}
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "7"} for call in message["tool_calls"]]
    return [message, *results]


def messages_turn(answer: Json, whole: bool) -> list[Json]:
    content = [block for block in answer["content"] if whole or "thinking" not in block["type"]]
    uses = [block["id"] for block in content if block["type"] == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": name, "content": "7"} for name in uses]
    return [{"role": "assistant", "content": content}, {"role": "user", "content": results}]


def responses_turn(answer: Json, whole: bool) -> list[Json]:
    items = [item for item in answer["output"] if whole or item["type"] != "reasoning"]
    calls = [item["call_id"] for item in items if item["type"] == "function_call"]
    return [*items, *({"type": "function_call_output", "call_id": name, "output": "7"} for name in calls)]


def gemini_turn(answer: Json, whole: bool) -> list[Json]:
    content = answer["candidates"][0]["content"]
    parts = content["parts"]
    if not whole:
        parts = [
            {name: value for name, value in part.items() if name != "thoughtSignature"}
            for part in parts
            if not part.get("thought") and part.get("text") != ""
        ]
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    results = [
        {"functionResponse": {**({"id": c["id"]} if "id" in c else {}), "name": c["name"], "response": {"r": "7"}}}
        for c in calls
    ]
    return [{"role": "model", "parts": parts}, {"role": "user", "parts": results}]


BODY = {CHAT: chat_body, MESSAGES: messages_body, RESPONSES: responses_body, GEMINI: gemini_body}
TURN = {CHAT: chat_turn, MESSAGES: messages_turn, RESPONSES: responses_turn, GEMINI: gemini_turn}


async def ask(engine, caller: str, said: list[Json], stream: bool) -> Json:
    body = BODY[caller](said)
    if caller != GEMINI:
        body |= {"model": "m", "stream": stream}
    call = a_call(caller, body)
    if caller == GEMINI:
        call.asked = Peek("m", stream=stream)
    reply = await serve(engine, call)
    raw = await collect(reply)
    assert reply.status == 200, raw
    return FOLD[caller](raw) if stream else json.loads(raw)


def pairs() -> list[Any]:
    found = []
    for caller in CALLERS:
        for model, (_, dialect, *_) in UPSTREAMS.items():
            if caller == MESSAGES and model == "claude-opus-4-7":
                continue  # passes as it is, and this model takes no budget
            for whole in (True, False):
                if whole or caller != dialect:  # what passes as it is, is the caller's own affair
                    found.append(
                        pytest.param(caller, model, whole, id=f"{caller}-{model}-{'whole' if whole else 'bare'}")
                    )
    return found


@pytest.mark.parametrize("stream", [False, True], ids=["at once", "stream"])
@pytest.mark.parametrize(("caller", "model", "whole"), pairs())
async def test_thinking_goes_on(make_engine, upstream, caller, model, whole, stream):
    kind, _, key, server = UPSTREAMS[model]
    strict = upstream.default = server()
    more = {"api": "responses"} if kind == "openai" else {}
    up = an_upstream("up", upstream.url, kind=kind, credentials=(Credential("k", key),), **more)
    engine = make_engine(a_snapshot(up, models={"m": Model(name="m", routes=(Route("up", model),))}))

    first = await ask(engine, caller, [], stream)
    turn = TURN[caller](first, whole)
    second = await ask(engine, caller, turn, stream)
    assert "Then: " in json.dumps(second, ensure_ascii=False)
    assert strict.refused == []
    assert getattr(strict, "forgotten", []) == [], "the thinking before the calls came back"
    sent = upstream.last.body
    if kind == "anthropic":
        said = next(message for message in sent["messages"] if message["role"] == "assistant")
        assert said["content"][0]["type"] == "thinking"
        assert sent["thinking"]["type"] != "disabled"
    elif kind == "gemini":
        signatures = [part.get("thoughtSignature") for content in sent["contents"] for part in content["parts"]]
        assert any(signature in strict.proofs for signature in signatures if signature)
