"""What these servers really sent, given back by an upstream that is known as that server: nothing of it is lost."""

from __future__ import annotations

import json

import pytest

from proxyapp.engine.snapshot import Model, Route
from tests.corpus.exchanges import CHAT, MESSAGES, RESPONSES, Agent, Exchange, agents, exchanges
from tests.corpus.readers import FOLD, READ
from tests.engine.conftest import a_call, a_snapshot, an_upstream, ask
from tests.engine.test_servers import deepseek, mistral
from tests.fakes.upstream import Script

HOSTS = {
    "deepseek": "api.deepseek.com",
    "mistral": "api.mistral.ai/v1",
    "groq": "api.groq.com/openai/v1",
    "xai": "api.x.ai/v1",
    "perplexity": "api.perplexity.ai",
}
RECORDED = [
    (exchange, next(HOSTS[tag] for tag in HOSTS if f".{tag}" in exchange.id))
    for exchange in exchanges(CHAT)
    if exchange.status == 200 and any(f".{tag}" in exchange.id for tag in HOSTS)
]


def whole(dialect: str, raw: bytes, *, stream: bool) -> dict:
    return FOLD[dialect](raw) if stream else json.loads(raw)


@pytest.mark.parametrize("caller", [CHAT, MESSAGES, RESPONSES])
@pytest.mark.parametrize(("exchange", "host"), RECORDED, ids=[exchange.id for exchange, _ in RECORDED])
async def test_a_recorded_answer_of_a_known_server_means_the_same_to_every_caller(
    make_engine, upstream, exchange: Exchange, host, caller
):
    kind = "text/event-stream" if exchange.stream else "application/json"
    pieces = [exchange.raw[at : at + 97] for at in range(0, len(exchange.raw), 97)]
    upstream.then(Script(200, {"content-type": kind}, pieces))
    snapshot = a_snapshot(an_upstream("up", f"{upstream.url}/https://{host}"))
    outcome = await ask(make_engine(snapshot), a_call(caller, exchange.asked_by(caller)))
    assert outcome.status == 200, outcome.raw
    assert outcome.row.outcome == "ok"
    told = READ[CHAT](whole(CHAT, exchange.raw, stream=exchange.stream))
    got = READ[caller](whole(caller, outcome.raw, stream=exchange.stream))
    assert (got.text, got.reasoning, got.calls) == (told.text, told.reasoning, told.calls)
    assert (got.counts.prompt, got.counts.output) == (told.counts.prompt, told.counts.output)


def test_every_server_of_the_recorded_traffic_is_among_them():
    assert {host for _, host in RECORDED} == set(HOSTS.values())


ASKED = [agent for agent in agents() if agent.dialect in (CHAT, MESSAGES, RESPONSES)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("host", "strict"), [("api.mistral.ai", mistral), ("api.deepseek.com", deepseek)], ids=["Mistral", "DeepSeek"]
)
@pytest.mark.parametrize("agent", ASKED, ids=[agent.id for agent in ASKED])
async def test_what_coding_agents_send_is_taken_by_strict_servers(make_engine, upstream, agent: Agent, host, strict):
    upstream.default = strict
    models = {"m": Model(name="m", routes=(Route("up", "a-model"),))}
    snapshot = a_snapshot(an_upstream("up", f"{upstream.url}/https://{host}"), models=models)
    outcome = await ask(make_engine(snapshot), a_call(agent.dialect, {**agent.body, "model": "m"}))
    assert outcome.status == 200, outcome.raw
    assert upstream.last.body["model"] == "a-model"
