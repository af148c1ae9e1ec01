"""Claude Code's recorded requests, in its three shapes, over upstreams of other dialects that are strict about them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proxyapp.engine.serve import serve
from proxyapp.engine.snapshot import Credential, Model, Route
from tests.corpus.readers import FOLD
from tests.engine.conftest import a_call, a_snapshot, an_upstream, collect
from tests.fakes import strict_chat, strict_gemini, strict_responses
from tests.fakes.strict_chat import StrictChat
from tests.fakes.strict_gemini import StrictGemini
from tests.fakes.strict_responses import StrictResponses

MESSAGES = "anthropic-messages"
CLIENTS = Path(__file__).parent.parent / "fixtures/corpus/clients"
RECORDED = sorted(path.name for path in CLIENTS.glob("claude-code-*-v1_messages.json"))
UPSTREAMS: dict[str, tuple[str, dict[str, Any], str, Callable[[], Any]]] = {
    "gpt-5.1": ("openai", {"api": "chat"}, strict_chat.KEY, StrictChat),
    "deepseek-chat": ("openai_compatible", {}, strict_chat.KEY, StrictChat),
    "gpt-5.2": ("openai", {"api": "responses"}, strict_responses.KEY, StrictResponses),
    "gemini-3-pro-preview": ("gemini", {}, strict_gemini.KEY, StrictGemini),
}


@pytest.mark.parametrize("model", UPSTREAMS)
@pytest.mark.parametrize("recording", RECORDED)
async def test_every_recorded_request_is_answered(make_engine, upstream, recording, model):
    recorded = json.loads((CLIENTS / recording).read_text())
    kind, more, key, server = UPSTREAMS[model]
    strict = upstream.default = server()
    up = an_upstream("up", upstream.url, kind=kind, credentials=(Credential("k", key),), **more)
    name = recorded["body"]["model"]
    engine = make_engine(a_snapshot(up, models={name: Model(name=name, routes=(Route("up", model),))}))
    headers = {n.lower(): v for n, v in recorded["headers"].items() if n.lower().startswith("anthropic-")}
    call = a_call(MESSAGES, recorded["body"], **headers)
    reply = await serve(engine, call)
    raw = await collect(reply)
    assert reply.status == 200, raw
    assert strict.refused == []
    answer = FOLD[MESSAGES](raw) if recorded["body"].get("stream") else json.loads(raw)
    assert "lo there, Zoë" in json.dumps(answer, ensure_ascii=False)
    sent = upstream.last.raw.decode()
    assert "output_config" not in sent
