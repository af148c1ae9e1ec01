"""What the operator says about a model holds on both roads: its system prompt, its cap, its leniency."""

from __future__ import annotations

import pytest

from proxyapp.engine.snapshot import Model, Route
from tests.engine.conftest import a_body, a_call, a_key, a_snapshot, an_upstream, ask
from tests.fakes import answers
from tests.fakes.upstream import answer_json

DIALECTS = ("openai-chat", "anthropic-messages")
both = pytest.mark.parametrize("upstream_dialect", DIALECTS)
callers = pytest.mark.parametrize("dialect", DIALECTS)


async def sent(make_engine, upstream, dialect, upstream_dialect, body, **model):
    upstream.then(answer_json(answers.whole(upstream_dialect)))
    up = an_upstream("up", upstream.url, upstream_dialect, system_prompt="House rules.")
    snapshot = a_snapshot(up, models={"m": Model(name="m", routes=(Route("up", "um"),), **model)})
    outcome = await ask(make_engine(snapshot), a_call(dialect, body))
    return outcome, upstream.last.body


def systems(body: dict) -> list[str]:
    found = [m["content"] for m in body["messages"] if m["role"] in ("system", "developer")]
    given = body.get("system", [])
    found += [given] if isinstance(given, str) else [block["text"] for block in given]
    return ["".join(p["text"] for p in text) if isinstance(text, list) else text for text in found]


@both
@callers
@pytest.mark.parametrize("own", [None, "Be brief."])
async def test_the_operators_prompt_comes_before_the_callers(make_engine, upstream, dialect, upstream_dialect, own):
    body = a_body()
    if own and dialect == "openai-chat":
        body["messages"].insert(0, {"role": "system", "content": own})
    elif own:
        body["system"] = own
    outcome, got = await sent(make_engine, upstream, dialect, upstream_dialect, body, system_prompt="Model rules.")
    assert outcome.status == 200
    words = " ".join(" ".join(systems(got)).split())
    assert words == " ".join(["House rules. Model rules.", *([own] if own else [])])
    assert got["messages"][-1]["role"] == "user"


@both
@callers
async def test_it_is_put_there_once(make_engine, upstream, dialect, upstream_dialect):
    body = a_body()
    if dialect == "openai-chat":
        body["messages"].insert(0, {"role": "system", "content": "House rules."})
    else:
        body["system"] = [{"type": "text", "text": "House rules."}]
    _, got = await sent(make_engine, upstream, dialect, upstream_dialect, body)
    assert systems(got) == ["House rules."]


@both
@callers
async def test_the_cap_on_output_holds(make_engine, upstream, dialect, upstream_dialect):
    outcome, got = await sent(make_engine, upstream, dialect, upstream_dialect, a_body(), max_output_tokens=20)
    assert got["max_tokens"] == 20
    assert "max_tokens" in outcome.reply.headers["x-dragoman-dropped"]
    _, got = await sent(make_engine, upstream, dialect, upstream_dialect, a_body(), max_output_tokens=90)
    assert got["max_tokens"] == 50


@pytest.mark.parametrize("held", [{"models": ("m",)}, {"client_models": ("m",)}])
@pytest.mark.parametrize("field", ["models", "fallbacks"])
async def test_a_key_held_to_models_cannot_name_others_in_its_body(make_engine, upstream, held, field):
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url), key=a_key(**held)))
    outcome = await ask(engine, a_call("openai-chat", a_body(False, **{field: ["dear-model"]})))
    assert outcome.status == 403
    assert outcome.json["error"]["param"] == field
    assert upstream.seen == []


@pytest.mark.parametrize(("held", "others"), [({}, ["other"]), ({"models": ("m",)}, [])])
async def test_a_free_key_may_name_other_models_in_its_body(make_engine, upstream, held, others):
    upstream.then(answer_json(answers.whole("openai-chat")))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url), key=a_key(**held)))
    outcome = await ask(engine, a_call("openai-chat", a_body(False, models=others)))
    assert outcome.status == 200
    assert upstream.last.body["models"] == others
