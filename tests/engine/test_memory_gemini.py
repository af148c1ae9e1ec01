"""Gemini's thought signatures over turns, for callers of other dialects: over real HTTP."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from proxyapp.engine.serve import serve
from proxyapp.engine.snapshot import Credential
from tests.engine.conftest import a_call, a_snapshot, an_upstream, collect
from tests.engine.test_memory import CHAT, MESSAGES, QUESTION, asked, history, stripped_turn
from tests.fakes.upstream import Script, answer_json, answer_sse

SIGNATURE = base64.b64encode(b"what Gemini thought, for its own eyes").decode()
SENTINEL = base64.b64encode(b"skip_thought_signature_validator").decode()
streams = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def answer(*parts: dict[str, Any]) -> dict[str, Any]:
    return {
        "candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 5, "totalTokenCount": 10},
        "modelVersion": "gemini-3-pro",
        "responseId": "r1",
    }


def said(stream: bool, *parts: dict[str, Any]) -> Script:
    if not stream:
        return answer_json(answer(*parts))
    return answer_sse([b"data: " + json.dumps(answer(*parts)).encode() + b"\r\n\r\n"])


def a_call_part(city: str, **more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": "look", "args": {"city": city}}, **more}


def google(url: str, *names: str):
    keys = tuple(Credential(name, f"key-{name}") for name in names or ("main",))
    return an_upstream("google", url, kind="gemini", credentials=keys)


def calls_in(raw: bytes) -> list[dict[str, Any]]:
    contents = json.loads(raw)["contents"]
    return [part for content in contents for part in content["parts"] if "functionCall" in part]


def signatures(raw: bytes) -> list[str | None]:
    return [part.get("thoughtSignature") for part in calls_in(raw)]


def a_snapshot_of(up) -> Any:
    from proxyapp.engine.snapshot import Model, Route

    return a_snapshot(up, models={"m": Model(name="m", routes=(Route(up.name, "gemini-3-pro-preview"),))})


@streams
async def test_xl_182_a_chat_client_that_drops_what_it_does_not_know_keeps_its_signature(make_engine, upstream, stream):
    engine = make_engine(a_snapshot_of(google(upstream.url)))
    upstream.then(said(stream, a_call_part("Paris", thoughtSignature=SIGNATURE)))
    raw = await collect(await serve(engine, a_call(CHAT, asked([QUESTION], stream))))
    upstream.then(said(False, {"text": "Done."}))
    reply = await serve(engine, a_call(CHAT, asked(history(stripped_turn(raw)))))
    assert reply.status == 200, await collect(reply)
    assert signatures(upstream.last.raw) == [SIGNATURE]


async def test_xl_183_a_signature_that_nobody_remembers_is_replaced_by_the_sentinel(make_engine, upstream):
    engine = make_engine(a_snapshot_of(google(upstream.url)))
    turn = {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": f"call_{n}", "type": "function", "function": {"name": "look", "arguments": "{}"}} for n in range(2)
        ],
    }
    upstream.then(said(False, {"text": "Done."}))
    assert (await serve(engine, a_call(CHAT, asked(history(turn))))).status == 200
    assert signatures(upstream.last.raw) == [SENTINEL, None]


@streams
async def test_xl_184_of_parallel_calls_the_first_alone_is_signed(make_engine, upstream, stream):
    engine = make_engine(a_snapshot_of(google(upstream.url)))
    upstream.then(said(stream, a_call_part("Paris", thoughtSignature=SIGNATURE), a_call_part("Zürich")))
    raw = await collect(await serve(engine, a_call(CHAT, asked([QUESTION], stream))))
    upstream.then(said(False, {"text": "Done."}))
    await serve(engine, a_call(CHAT, asked(history(stripped_turn(raw)))))
    assert signatures(upstream.last.raw) == [SIGNATURE, None]


@streams
async def test_a_signed_text_before_the_call_does_not_take_the_calls_place(make_engine, upstream, stream):
    engine = make_engine(a_snapshot_of(google(upstream.url)))
    other = base64.b64encode(b"of the text").decode()
    parts = ({"text": "I look.", "thoughtSignature": other}, a_call_part("Paris", thoughtSignature=SIGNATURE))
    upstream.then(said(stream, *parts))
    raw = await collect(await serve(engine, a_call(CHAT, asked([QUESTION], stream))))
    upstream.then(said(False, {"text": "Done."}))
    await serve(engine, a_call(CHAT, asked(history(stripped_turn(raw)))))
    assert signatures(upstream.last.raw) == [SIGNATURE]


async def test_xl_181_a_messages_caller_brings_the_signature_back_in_its_envelope(make_engine, upstream):
    engine = make_engine(a_snapshot_of(google(upstream.url)))
    tool = {"name": "look", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
    body = {"model": "m", "max_tokens": 900, "messages": [QUESTION], "tools": [tool]}
    upstream.then(said(False, a_call_part("Paris", thoughtSignature=SIGNATURE)))
    first = json.loads(await collect(await serve(engine, a_call(MESSAGES, body))))
    use = next(block for block in first["content"] if block["type"] == "tool_use")
    result = {"type": "tool_result", "tool_use_id": use["id"], "content": "sunny"}
    for content in (first["content"], [use]):  # with its thinking, and by a caller who has dropped it
        upstream.then(said(False, {"text": "Done."}))
        turns = [QUESTION, {"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
        reply = await serve(engine, a_call(MESSAGES, {**body, "messages": turns}))
        assert reply.status == 200, await collect(reply)
        assert signatures(upstream.last.raw) == [SIGNATURE]


async def test_callers_who_speak_gemini_themselves_stay_with_the_key_that_signed(make_engine, upstream):
    engine = make_engine(a_snapshot_of(google(upstream.url, "red", "blue")))
    from proxyapp.dialects.contract import Peek

    for number in range(12):
        signature = base64.b64encode(f"thought number {number} of a long row of thoughts".encode()).decode()
        upstream.default = said(False, a_call_part("Paris", thoughtSignature=signature))
        contents: list[Any] = [{"role": "user", "parts": [{"text": "hi"}]}]
        keys = []
        for _ in range(2):
            call = a_call("gemini", {"contents": contents})
            call.asked = Peek("m", stream=False)
            given = json.loads(await collect(await serve(engine, call)))
            keys.append(upstream.last.headers["x-goog-api-key"])
            contents += [
                given["candidates"][0]["content"],
                {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"a": 1}}}]},
            ]
        assert keys[0] == keys[1]
