"""Retries on a route, the next key, the next route; what is never sent again; whose fault an upstream's no is."""

from __future__ import annotations

import pytest

from proxyapp.engine.snapshot import Credential
from tests.engine.conftest import a_body, a_call, a_snapshot, an_upstream, ask
from tests.fakes import answers
from tests.fakes.upstream import answer_json, answer_sse, free_port, reset

DIALECTS = ("openai-chat", "anthropic-messages")
callers = pytest.mark.parametrize("dialect", DIALECTS)
streams = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def good(stream: bool = False):
    return answer_sse(answers.stream("openai-chat")) if stream else answer_json(answers.whole("openai-chat"))


def no(status: int, message: str = "no", **headers: str):
    return answer_json({"error": {"message": message, "type": "t", "param": None, "code": None}}, status, **headers)


@callers
@streams
@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 529])
async def test_passing_faults_are_tried_again_on_the_same_route(make_engine, upstream, dialect, stream, status):
    upstream.then(no(status), no(status), good(stream))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, retries=2)))
    outcome = await ask(engine, a_call(dialect, a_body(stream)))
    assert outcome.status == 200
    assert [attempt.status for attempt in outcome.row.attempts] == [status, status, 200]
    assert outcome.row.outcome == "ok"


async def test_a_reset_and_an_unreadable_answer_are_tried_again(make_engine, upstream):
    upstream.then(reset(), answer_json(b"{"), good())
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, retries=2)))
    outcome = await ask(engine, a_call("openai-chat", a_body()))
    assert outcome.status == 200
    assert [a.error for a in outcome.row.attempts] == ["upstream_unreachable", "upstream_broken", ""]


@pytest.mark.parametrize("retries", [0, 1, 3])
async def test_retries_is_the_number_of_further_attempts(make_engine, upstream, retries):
    upstream.default = no(500)
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, retries=retries)))
    outcome = await ask(engine, a_call("openai-chat", a_body()))
    assert len(upstream.seen) == 1 + retries
    assert outcome.status == 500


@callers
@streams
@pytest.mark.parametrize("status", [400, 404, 413, 422])
async def test_the_callers_own_faults_are_never_sent_again(
    make_engine, upstream, second_upstream, dialect, stream, status
):
    upstream.then(no(status, "field x is wrong"))
    snapshot = a_snapshot(an_upstream("one", upstream.url, retries=2), an_upstream("two", second_upstream.url))
    outcome = await ask(make_engine(snapshot), a_call(dialect, a_body(stream)))
    assert outcome.status == status
    assert "field x is wrong" in outcome.json["error"]["message"]
    assert not second_upstream.seen


@pytest.mark.parametrize("status", [401, 402, 403, 429])
async def test_a_key_that_is_refused_gives_way_to_the_next_key(make_engine, upstream, status):
    keys = (Credential("first", "sk-first-secret"), Credential("second", "sk-second-secret"))
    upstream.then(no(status), good())
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, credentials=keys)))
    outcome = await ask(engine, a_call("openai-chat", a_body()))
    assert outcome.status == 200
    assert {attempt.key for attempt in outcome.row.attempts} == {"first", "second"}
    sent = [seen.headers["authorization"] for seen in upstream.seen]
    assert len(set(sent)) == 2


@callers
@pytest.mark.parametrize("status", [401, 402, 403])
async def test_the_gateways_own_bad_key_is_a_502_that_names_the_upstream_and_no_account(
    make_engine, upstream, dialect, status
):
    upstream.then(no(status, "account org-12345 of bob@example.com: Incorrect API key sk-secret-of-up"))
    outcome = await ask(make_engine(a_snapshot(an_upstream("up", upstream.url))), a_call(dialect, a_body()))
    assert (outcome.status, outcome.row.error) == (502, "upstream_credential")
    message = outcome.json["error"]["message"]
    assert "up" in message
    outcome.row.content = None  # the upstream's answer as it came is the operator's to see, redacted by the journal
    for secret in ("org-12345", "bob@example.com", "sk-secret"):
        assert secret not in outcome.raw.decode()
        assert secret not in repr(outcome.row)


@pytest.mark.parametrize("status", [401, 402, 403])
async def test_a_credential_in_the_upstreams_headers_is_the_gateways_own_too(
    make_engine, upstream, second_upstream, status
):
    upstream.default = no(status, "Incorrect API key of account org-12345")
    headers = {"Authorization": "Bearer sk-of-the-operator"}
    first = an_upstream("one", upstream.url, credentials=(), headers=headers)
    outcome = await ask(make_engine(a_snapshot(first)), a_call("openai-chat", a_body()))
    assert (outcome.status, outcome.row.error) == (502, "upstream_credential")
    assert "org-12345" not in outcome.raw.decode()
    second_upstream.then(good())
    both = a_snapshot(first, an_upstream("two", second_upstream.url))
    assert (await ask(make_engine(both), a_call("openai-chat", a_body()))).status == 200


@pytest.mark.parametrize("allows", [True, False])
async def test_an_upstream_that_wants_a_key_and_has_none_here_is_a_401_that_says_what_to_do(
    make_engine, upstream, second_upstream, allows
):
    upstream.default = no(401, "Bearer token required")
    first = an_upstream("one", upstream.url, credentials=(), allow_caller_keys=allows)
    outcome = await ask(make_engine(a_snapshot(first)), a_call("openai-chat", a_body()))
    assert (outcome.status, outcome.row.error) == (401, "no_upstream_credential")
    message = outcome.json["error"]["message"]
    assert "one" in message
    assert ("X-API-Key" in message) is allows
    second_upstream.then(good())
    both = a_snapshot(first, an_upstream("two", second_upstream.url))
    assert (await ask(make_engine(both), a_call("openai-chat", a_body()))).status == 200


async def test_a_callers_own_bad_key_stays_as_it_is(make_engine, upstream):
    upstream.then(no(401, "your key is wrong"))
    own = an_upstream("up", upstream.url, allow_caller_keys=True)
    outcome = await ask(make_engine(a_snapshot(own)), a_call("openai-chat", a_body(), x_api_key="sk-own-key-of-caller"))
    assert outcome.status == 401
    assert "your key is wrong" in outcome.json["error"]["message"]
    assert upstream.last.headers["authorization"] == "Bearer sk-own-key-of-caller"
    assert outcome.row.attempts[0].key == "caller's own"


@callers
@streams
async def test_the_next_route_takes_over_across_dialects(make_engine, upstream, second_upstream, dialect, stream):
    upstream.default = no(503)
    second_upstream.then(
        answer_sse(answers.stream("anthropic-messages")) if stream else answer_json(answers.whole("anthropic-messages"))
    )
    snapshot = a_snapshot(
        an_upstream("one", upstream.url), an_upstream("two", second_upstream.url, "anthropic-messages")
    )
    outcome = await ask(make_engine(snapshot), a_call(dialect, a_body(stream)))
    assert outcome.status == 200
    assert answers.text_of(dialect, outcome.raw) == "Hello there."
    assert outcome.reply.headers["x-dragoman-upstream"] == "two"
    assert outcome.reply.headers["x-dragoman-model"] == "m-at-two"
    assert second_upstream.last.headers["x-api-key"] == "sk-secret-of-two"
    assert "authorization" not in second_upstream.last.headers


async def test_a_dead_first_route_costs_nothing_but_an_attempt(make_engine, upstream):
    upstream.then(good())
    snapshot = a_snapshot(an_upstream("dead", f"http://127.0.0.1:{free_port()}"), an_upstream("alive", upstream.url))
    outcome = await ask(make_engine(snapshot), a_call("openai-chat", a_body()))
    assert outcome.status == 200
    assert [(a.upstream, a.error) for a in outcome.row.attempts] == [("dead", "upstream_unreachable"), ("alive", "")]


@callers
async def test_a_rate_limit_upstream_keeps_its_wait(make_engine, upstream, dialect):
    upstream.default = no(429, "slow down", retry_after="3.2")
    outcome = await ask(make_engine(a_snapshot(an_upstream("up", upstream.url, retries=2))), a_call(dialect, a_body()))
    assert outcome.status == 429
    assert outcome.reply.headers["retry-after"] == "4"
    assert len(upstream.seen) == 1


async def test_a_spent_quota_is_not_to_be_tried_again(make_engine, upstream):
    spent = {"type": "rate_limit_error", "message": "spent", "details": {"error_code": "enforced_spend_limit_reached"}}
    upstream.default = answer_json({"type": "error", "error": spent}, 429)
    outcome = await ask(
        make_engine(a_snapshot(an_upstream("up", upstream.url, "anthropic-messages"))),
        a_call("anthropic-messages", a_body()),
    )
    assert outcome.status == 429
    assert outcome.reply.headers["x-should-retry"] == "false"


async def test_a_long_wait_is_not_sat_out(make_engine, upstream, second_upstream):
    upstream.default = no(503, retry_after="600")
    second_upstream.then(good())
    snapshot = a_snapshot(an_upstream("one", upstream.url, retries=5), an_upstream("two", second_upstream.url))
    outcome = await ask(make_engine(snapshot), a_call("openai-chat", a_body()))
    assert outcome.status == 200
    assert len(upstream.seen) == 1


@callers
async def test_an_upstream_without_a_key_says_what_to_configure(make_engine, upstream, dialect):
    bare = an_upstream("up", upstream.url, "anthropic-messages", credentials=())
    outcome = await ask(make_engine(a_snapshot(bare)), a_call(dialect, a_body()))
    assert (outcome.status, outcome.row.error) == (401, "no_upstream_credential")
    assert "Add one in the console" in outcome.json["error"]["message"]
    assert not upstream.seen


async def test_a_compatible_server_needs_no_key(make_engine, upstream):
    upstream.then(good())
    bare = an_upstream("ollama", upstream.url, credentials=())
    outcome = await ask(make_engine(a_snapshot(bare)), a_call("openai-chat", a_body()))
    assert outcome.status == 200
    assert "authorization" not in upstream.last.headers


async def test_an_upstream_behind_a_proxy_pool_is_refused_and_never_called_directly(make_engine, upstream):
    behind = an_upstream("up", upstream.url, proxy_pool="eu")
    outcome = await ask(make_engine(a_snapshot(behind)), a_call("openai-chat", a_body()))
    assert outcome.status == 503
    assert not upstream.seen


@callers
async def test_nothing_of_the_callers_reaches_the_upstream_but_what_is_named(make_engine, upstream, dialect):
    upstream.then(answer_json(answers.whole(dialect)))
    call = a_call(
        dialect,
        a_body(),
        cookie="session=1",
        x_forwarded_for="10.0.0.1",
        openai_organization="org-1",
        anthropic_version="2026-10-21",
        anthropic_beta="a,b",
        x_custom="1",
    )
    await ask(make_engine(a_snapshot(an_upstream("up", upstream.url, dialect, headers={"X-Team": "blue"}))), call)
    sent = upstream.last.headers
    allowed = {"host", "content-length", "content-type", "accept", "accept-encoding", "user-agent", "x-team"}
    allowed |= {"authorization"} if dialect == "openai-chat" else {"x-api-key", "anthropic-version", "anthropic-beta"}
    assert set(sent) <= allowed
    assert sent["x-team"] == "blue"
    if dialect == "anthropic-messages":
        assert (sent["anthropic-version"], sent["anthropic-beta"]) == ("2026-10-21", "a,b")


async def test_a_connection_is_used_again(make_engine, upstream):
    upstream.default = lambda seen: good(seen.body.get("stream", False))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url)))
    before = upstream.connections
    for stream in (False, True, False, True):
        engine.books.ended.clear()
        await ask(engine, a_call("openai-chat", a_body(stream)))
    assert upstream.connections - before == 1
