"""Callers of every dialect over an upstream of kind Factory, which speaks four of its own, by the model."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from proxyapp.engine.counting import count
from proxyapp.engine.identify import digest
from proxyapp.engine.serve import serve
from proxyapp.engine.snapshot import Credential, Model, Route
from tests.engine.conftest import KEY, a_body, a_call, a_key, a_snapshot, an_upstream, ask, collect
from tests.fakes import tongues
from tests.fakes.tongues import CHAT, GEMINI, MESSAGES, RESPONSES, TONGUES
from tests.fakes.upstream import answer_json, answer_sse, answer_text

MODELS = {MESSAGES: "claude-sonnet-4-5", RESPONSES: "gpt-5.2", CHAT: "glm-5", GEMINI: "gemini-3-flash-preview"}
PATHS = {
    MESSAGES: "/api/llm/a/v1/messages",
    RESPONSES: "/api/llm/o/v1/responses",
    CHAT: "/api/llm/o/v1/chat/completions",
    GEMINI: "/api/llm/g/v1/generate",
}
PROVIDERS = {MESSAGES: "anthropic", RESPONSES: "openai", CHAT: "fireworks", GEMINI: "google"}
callers = pytest.mark.parametrize("dialect", TONGUES)
forms = pytest.mark.parametrize("spoken", TONGUES)


@pytest.fixture
def factory(make_engine, upstream):
    """Makes an engine over Factory, with one model that is served in the dialect named."""

    def make(spoken: str, *, profile: dict[str, Any] | None = None, snapshot: Any = None, **changes: Any) -> Any:
        up = an_upstream("up", upstream.url, kind="factory", **changes)
        model = Model(name="m", routes=(Route("up", MODELS[spoken]),), profile=profile or {})
        return make_engine(a_snapshot(up, models={"m": model}, **(snapshot or {})))

    return make


@forms
@callers
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_every_caller_reaches_every_form(factory, upstream, dialect, spoken, stream):
    upstream.then(answer_sse(tongues.streamed(spoken)) if stream else answer_json(tongues.whole(spoken)))
    outcome = await ask(factory(spoken), tongues.the_call(dialect, stream=stream))
    assert tongues.text_of(dialect, outcome.raw) == "Hello there."
    assert not stream or tongues.is_over(dialect, outcome.raw)
    seen = upstream.last
    assert (seen.path, seen.headers["x-api-provider"]) == (PATHS[spoken], PROVIDERS[spoken])
    assert (seen.headers["authorization"], seen.headers["user-agent"]) == ("Bearer sk-secret-of-up", "dragoman")
    assert seen.body["model"] == MODELS[spoken]
    assert seen.body.get("stream", False) is stream
    assert seen.body.get("store", False) is False
    assert KEY not in str(seen.headers)


async def test_nothing_is_asked_to_be_stored_there(factory, upstream):
    upstream.then(answer_json(tongues.whole(RESPONSES)))
    await ask(factory(RESPONSES), a_call(RESPONSES, {"model": "m", "input": "hi"}))
    assert upstream.last.body["store"] is False


async def test_the_history_has_the_body_that_went_out(factory, upstream):
    upstream.then(answer_json(tongues.whole(GEMINI)))
    outcome = await ask(factory(GEMINI), tongues.the_call(CHAT))
    assert outcome.row.content.upstream_request == upstream.last.raw


@pytest.mark.parametrize("told", ["json", "events"])
async def test_an_answer_in_the_other_form_than_asked_for_is_understood(factory, upstream, told):
    script = answer_sse(tongues.streamed(CHAT)) if told == "events" else answer_json(tongues.whole(CHAT))
    upstream.then(script)
    outcome = await ask(factory(CHAT), tongues.the_call(MESSAGES, stream=told == "json"))
    assert tongues.text_of(MESSAGES, outcome.raw) == "Hello there."
    assert outcome.reply.media_type.startswith("text/event-stream" if told == "json" else "application/json")


# --- what goes out beside the body


@callers
async def test_the_callers_conversation_has_one_name_through_all_attempts(factory, upstream, dialect):
    for said in ({}, {"x_session_id": "s-1"}, {"x_claude_code_session_id": "c-1"}):
        upstream.clear()
        upstream.then(answer_json({"error": "busy"}, 500), answer_json(tongues.whole(CHAT)))
        engine = factory(CHAT, retries=1)
        await ask(engine, tongues.the_call(dialect, **said))
        first, second = (seen.headers for seen in upstream.seen)
        assert first["x-session-id"] == second["x-session-id"] == next(iter(said.values()), first["x-session-id"])
        assert first["x-assistant-message-id"] == second["x-assistant-message-id"] != first["x-session-id"]


async def test_the_profile_of_a_model_tells_who_runs_it_and_how(factory, upstream):
    upstream.then(answer_json(tongues.whole(MESSAGES)))
    engine = factory(CHAT, profile={"api": "messages", "provider": "bedrock_anthropic", "fast": True})
    await ask(engine, a_call(MESSAGES, a_body(), anthropic_beta="files-api-2025-04-14"))
    assert upstream.last.path == PATHS[MESSAGES]
    assert upstream.last.headers["x-api-provider"] == "bedrock_anthropic"
    assert upstream.last.headers["anthropic-beta"] == "files-api-2025-04-14, fast-mode-2026-02-01"


@pytest.mark.parametrize("own", [None, "flex"])
async def test_the_faster_gpt_is_a_service_tier(factory, upstream, own):
    upstream.then(answer_json(tongues.whole(RESPONSES)))
    body = tongues.asked(CHAT, **({"service_tier": own} if own else {}))
    await ask(factory(RESPONSES, profile={"fast": True}), a_call(CHAT, body))
    assert upstream.last.body["service_tier"] == (own or "priority")
    assert "anthropic-beta" not in upstream.last.headers


async def test_the_operators_level_and_the_faster_claude_share_a_header(factory, upstream):
    upstream.then(answer_json(tongues.whole(MESSAGES)))
    engine = factory(MESSAGES, profile={"fast": True})
    models = {"m": structs.replace(engine.snapshot.models["m"], reasoning="low")}
    engine.snapshot = structs.replace(engine.snapshot, models=models)
    await ask(engine, a_call(CHAT, tongues.asked(CHAT)))
    betas = upstream.last.headers["anthropic-beta"].split(", ")
    assert set(betas) == {"interleaved-thinking-2025-05-14", "fast-mode-2026-02-01"}
    assert upstream.last.body["thinking"]["type"] == "enabled"


async def test_the_operator_may_add_headers_and_say_otherwise(factory, upstream):
    upstream.then(answer_json(tongues.whole(MESSAGES)))
    engine = factory(MESSAGES, headers={"X-Factory-Org-Id": "org_1", "User-Agent": "our-agent/2"})
    await ask(engine, a_call(MESSAGES, a_body()))
    assert upstream.last.headers["x-factory-org-id"] == "org_1"
    assert upstream.last.headers["user-agent"] == "our-agent/2"


@pytest.mark.parametrize("dialect", [CHAT, MESSAGES])
async def test_of_two_sampling_settings_claude_gets_one(factory, upstream, dialect):
    upstream.then(answer_json(tongues.whole(MESSAGES)))
    outcome = await ask(factory(MESSAGES), a_call(dialect, a_body(temperature=0.5, top_p=0.9)))
    assert upstream.last.body["temperature"] == 0.5
    assert "top_p" not in upstream.last.body
    assert outcome.reply.headers["x-dragoman-dropped"] == "top_p"


async def test_tokens_are_counted_there_for_claude_and_estimated_for_others(factory, upstream):
    upstream.default = answer_json({"input_tokens": 21})
    reply = await serve(factory(MESSAGES), a_call(MESSAGES, a_body()), count)
    assert await collect(reply) == b'{"input_tokens": 21}'
    assert upstream.last.path == PATHS[MESSAGES] + "/count_tokens"
    assert upstream.last.headers["x-api-provider"] == "anthropic"
    upstream.seen.clear()
    reply = await serve(factory(RESPONSES), a_call(MESSAGES, a_body()), count)
    assert (reply.status, reply.headers["x-dragoman-estimated"], upstream.seen) == (200, "true", [])


# --- errors


ALLOWANCE = {"detail": "Ready for more? Reload your tokens in the billing settings.", "requestId": "req_1"}


@forms
@pytest.mark.parametrize("status", [401, 402, 403])
async def test_a_refused_key_of_the_gateways_is_the_gateways_fault(factory, upstream, spoken, status):
    upstream.default = answer_json(ALLOWANCE, status)
    outcome = await ask(factory(spoken), tongues.the_call(CHAT))
    assert outcome.status == 502
    assert "up refused" in outcome.json["error"]["message"]
    assert "billing" not in outcome.raw.decode()


@pytest.mark.parametrize(("dialect", "spoken"), [*((one, one) for one in TONGUES), (CHAT, GEMINI), (GEMINI, CHAT)])
async def test_a_callers_own_allowance_is_told_to_the_caller(factory, upstream, dialect, spoken):
    upstream.default = answer_json(ALLOWANCE, 402)
    engine = factory(spoken, allow_caller_keys=True)
    outcome = await ask(engine, tongues.the_call(dialect, x_factory_api_key="fk-own"))
    assert upstream.last.headers["authorization"] == "Bearer fk-own"
    assert outcome.status == 402
    assert ALLOWANCE["detail"] in outcome.json["error"]["message"]


@forms
async def test_a_limit_reached_there_is_told_with_its_wait(factory, upstream, spoken):
    upstream.default = answer_json({"error": {"message": "slow down"}}, 429, retry_after="7")
    outcome = await ask(factory(spoken), tongues.the_call(CHAT))
    assert (outcome.status, outcome.reply.headers["retry-after"]) == (429, "7")


@forms
async def test_a_web_page_in_the_place_of_an_answer_is_a_broken_upstream(factory, upstream, spoken):
    upstream.default = answer_text("<!DOCTYPE html><html>404</html>", 404)
    outcome = await ask(factory(spoken), tongues.the_call(MESSAGES))
    assert outcome.status == 502
    assert "html" not in outcome.raw.decode().lower()


async def test_a_key_without_allowance_leaves_the_work_to_the_next(factory, upstream):
    upstream.then(answer_json(ALLOWANCE, 402), answer_json(tongues.whole(MESSAGES)))
    keys = (Credential("one", "fk-1", subject="key:1"), Credential("two", "fk-2", subject="key:2"))
    outcome = await ask(factory(MESSAGES, credentials=keys), a_call(CHAT, a_body()))
    assert outcome.status == 200
    assert {seen.headers["authorization"] for seen in upstream.seen} == {"Bearer fk-1", "Bearer fk-2"}


# --- whose key


TOKEN = Credential("oauth", "jwt-1", subject="token:1")


@pytest.mark.parametrize(
    ("changes", "said", "expected"),
    [
        ({"allow_caller_keys": True}, {"x_factory_api_key": "fk-own"}, "Bearer fk-own"),
        ({"allow_caller_keys": True}, {"x_api_key": "fk-own"}, "Bearer fk-own"),
        ({"allow_caller_keys": True}, {"x_api_key": "fk-b", "x_factory_api_key": "fk-a"}, "Bearer fk-a"),
        ({"allow_caller_keys": True, "tokens": (TOKEN,)}, {}, "Bearer sk-secret-of-up"),
        ({"tokens": (TOKEN,)}, {"x_factory_api_key": "fk-own"}, "Bearer sk-secret-of-up"),
        ({"credentials": (), "tokens": (TOKEN,)}, {}, "Bearer jwt-1"),
    ],
)
async def test_the_first_credential_that_applies_goes_out(factory, upstream, changes, said, expected):
    upstream.then(answer_json(tongues.whole(MESSAGES)))
    await ask(factory(MESSAGES, **changes), a_call(CHAT, a_body(), **said))
    assert upstream.last.headers["authorization"] == expected
    assert {"x-api-key", "x-factory-api-key"}.isdisjoint(upstream.last.headers)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
@forms
async def test_the_callers_authorization_goes_out_as_it_came_for_want_of_all_others(factory, upstream, scheme, spoken):
    upstream.then(answer_json(tongues.whole(spoken)))
    engine = factory(spoken, allow_caller_keys=True, credentials=())
    call = tongues.the_call(CHAT, authorization=f"{scheme} own-jwt", x_api_key=KEY)
    assert (await ask(engine, call)).status == 200
    assert upstream.last.headers["authorization"] == f"{scheme} own-jwt"
    assert KEY not in str(upstream.last.headers)


async def test_it_does_so_for_other_kinds_too(make_engine, upstream):
    upstream.then(answer_json(tongues.whole(MESSAGES)))
    up = an_upstream("up", upstream.url, MESSAGES, credentials=(), allow_caller_keys=True)
    await ask(make_engine(a_snapshot(up)), a_call(MESSAGES, a_body(), authorization="Bearer own", x_api_key=KEY))
    assert upstream.last.headers["authorization"] == "Bearer own"
    assert "x-api-key" not in upstream.last.headers


async def test_anybodys_authorization_goes_out_where_nobody_needs_a_key_of_ours(factory, upstream):
    upstream.then(answer_json(tongues.whole(MESSAGES)))
    engine = factory(MESSAGES, allow_caller_keys=True, credentials=(), snapshot={"anonymous": True})
    await ask(engine, a_call(CHAT, a_body(), key=None, authorization="Bearer own"))
    assert upstream.last.headers["authorization"] == "Bearer own"


@pytest.mark.parametrize(
    ("open_to_callers", "words"),
    [(True, "X-Factory-API-Key"), (False, "allow callers' own keys")],
)
async def test_without_any_credential_the_answer_says_what_to_configure(factory, upstream, open_to_callers, words):
    engine = factory(MESSAGES, allow_caller_keys=open_to_callers, credentials=())
    outcome = await ask(engine, a_call(CHAT, a_body()))
    assert outcome.status == 401
    assert words in outcome.json["error"]["message"]
    assert upstream.seen == []


async def test_a_key_of_the_gateways_never_goes_there(factory, upstream):
    upstream.default = answer_json(tongues.whole(MESSAGES))
    other = "sk-dg-bob-0123456789abcdefghijklmnopqrstuvwxyz"
    keys = {digest(KEY): a_key(), digest("imported-key"): a_key(id=2)}
    engine = factory(MESSAGES, allow_caller_keys=True, credentials=(), snapshot={"keys": keys})
    for said in ({"x_factory_api_key": KEY}, {"x_api_key": KEY}, {"x_factory_api_key": "imported-key"}):
        key = None if "imported-key" in said.values() else KEY
        outcome = await serve(engine, a_call(CHAT, a_body(), key=key, **said))
        assert outcome.status == 401
    outcome = await serve(engine, a_call(CHAT, a_body(), x_factory_api_key=other))
    assert (outcome.status, upstream.seen) == (401, [])
