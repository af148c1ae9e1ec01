"""A level over a tool loop, for callers who know nothing of it: they ask with a small limit and a temperature, and most
return nothing of the thinking. Strict upstreams hold every request to what the vendors take."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from proxyapp.dialects.contract import Peek
from proxyapp.engine.serve import serve
from proxyapp.engine.snapshot import Credential, Model, Route
from tests.engine.conftest import a_call, a_snapshot, an_upstream, collect
from tests.engine.test_thinking_over_turns import BODY, CALLERS, GEMINI, TURN, UPSTREAMS, Json

LIMITS: dict[str, Json] = {
    "openai-chat": {"max_tokens": 900, "temperature": 0.3},
    "openai-responses": {"max_output_tokens": 900, "temperature": 0.3},
    "anthropic-messages": {"max_tokens": 900, "temperature": 0.3},
    "gemini": {"generationConfig": {"maxOutputTokens": 900, "temperature": 0.3}},
}
WISHES = ("reasoning_effort", "reasoning", "thinking")


def plain_body(caller: str, said: list[Json], model: str) -> Json:
    """Claude 4.7 takes no temperature from anybody, and what passes as it is, is the caller's own affair."""
    asked = {name: value for name, value in BODY[caller](said).items() if name not in WISHES}
    body = {**asked, **LIMITS[caller], **({} if caller == GEMINI else {"model": "m"})}
    return {name: value for name, value in body.items() if (name, model) != ("temperature", "claude-opus-4-7")}


async def ask(engine: Any, caller: str, said: list[Json], model: str) -> Json:
    call = a_call(caller, plain_body(caller, said, model))
    if caller == GEMINI:
        call.asked = Peek("m", stream=False)
    reply = await serve(engine, call)
    raw = await collect(reply)
    assert reply.status == 200, raw
    return json.loads(raw)


def thinks(body: Json) -> bool:
    """Does the request ask for thinking?"""
    words = body.get("reasoning", {}).get("effort"), body.get("thinking", {}).get("type")
    return words not in ((None, None), ("none", None), (None, "disabled")) or "thinkingConfig" in str(body)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("model", UPSTREAMS)
async def test_a_tool_loop_goes_on_under_every_level(make_engine, upstream, model, caller):
    kind, dialect, key, server = UPSTREAMS[model]
    more = {"api": "responses"} if kind == "openai" else {}
    for level, whole in itertools.product(("off", "low", "xhigh"), (True, False)):
        if dialect == caller == GEMINI and not whole:
            continue  # Gemini 3 wants its signatures, whatever the level
        strict = upstream.default = server()
        up = an_upstream("up", upstream.url, kind=kind, credentials=(Credential("k", key),), **more)
        routes = (Route("up", model),)
        engine = make_engine(a_snapshot(up, models={"m": Model(name="m", reasoning=level, routes=routes)}))
        first = await ask(engine, caller, [], model)
        began = upstream.last.body
        await ask(engine, caller, TURN[caller](first, whole), model)
        assert strict.refused == [], f"{level}, {'whole' if whole else 'bare'}"
        assert thinks(began) == (level != "off" or kind == "gemini")
        goes_on = whole or caller != dialect or "4-5" not in model
        assert thinks(upstream.last.body) == (thinks(began) and goes_on)
