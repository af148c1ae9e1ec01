"""Keys that an upstream refuses stay out and come back: what is asked next, of whom, and what the caller hears."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from proxyapp.engine.health import PATIENT_REFUSALS
from proxyapp.engine.serve import serve
from proxyapp.engine.snapshot import Credential, Model, Route
from tests.engine.conftest import BooksInAList, a_body, a_call, a_snapshot, an_upstream, ask
from tests.fakes import answers
from tests.fakes.upstream import answer_json, reset

CHAT = "openai-chat"
A, B = Credential("a", "sk-key-a", 1, "key:1"), Credential("b", "sk-key-b", 1, "key:2")
T = Credential("t", "access-t", 1, "token:1")


def good():
    return answer_json(answers.whole(CHAT))


def no(status: int, message: str = "no", code: str | None = None, **headers: str):
    return answer_json({"error": {"message": message, "type": "t", "param": None, "code": code}}, status, **headers)


class Clock:
    now = 1_790_000_000.0

    def __call__(self) -> float:
        self.now += 0.001  # no two moments are the same
        return self.now


class Bench:
    """An engine with a clock of its own, asked again and again."""

    def __init__(self, engine, upstream) -> None:
        self.engine, self.upstream, self.clock = engine, upstream, Clock()
        engine.health.clock = self.clock

    async def ask(self, model: str = "m", call=None, **more):
        assert isinstance(self.engine.books, BooksInAList)
        self.engine.books.ended.clear()
        self.upstream.seen.clear()
        self.outcome = await ask(self.engine, call or a_call(CHAT, a_body(model=model, **more)))
        return [attempt.key for attempt in self.outcome.row.attempts]

    async def first_asked(self, times: int = 8) -> set[str]:
        return {(await self.ask())[0] for _ in range(times)}


@pytest.fixture
def bench(make_engine, upstream):
    def build(*keys: Credential, **changes):
        tokens = tuple(key for key in keys if key.is_token)
        static = tuple(key for key in keys if not key.is_token)
        up = an_upstream("up", upstream.url, credentials=static, tokens=tokens, **changes)
        other = Model(name="n", routes=(Route("up", "n-at-up"),))
        snapshot = a_snapshot(up)
        engine = make_engine(a_snapshot(up, models={**snapshot.models, "n": other}))
        engine.rng = random.Random(5)
        return Bench(engine, upstream)

    return build


def by_key(**scripts):
    """Answers by the last letter of the key that was shown."""
    return lambda seen: scripts.get(seen.headers["authorization"][-1], good)()


@pytest.mark.parametrize("status", [401, 402, 403])
async def test_a_refused_key_is_out_and_the_others_go_on(bench, upstream, status):
    one = bench(A, B)
    upstream.default = by_key(a=lambda: no(status, "This API key may not"))
    asked = [await one.ask() for _ in range(8)]
    assert {tuple(keys) for keys in asked} <= {("a", "b"), ("b",)}
    assert sum(keys[0] == "a" for keys in asked) == 1, "asked once, and then no more"
    assert one.outcome.status == 200


async def test_a_refused_key_stays_out_until_it_is_put_back(bench, upstream):
    one = bench(A, B)
    one.engine.health.failed("key:1", "unknown", None, kind="refused")
    upstream.default = good()
    one.clock.now += 10**7
    assert await one.first_asked() == {"b"}
    one.engine.health.put_back("key:1")
    assert await one.first_asked() == {"a", "b"}


async def test_a_key_without_money_is_looked_at_again_after_an_hour_then_two(bench, upstream):
    one = bench(A, B)
    upstream.default = by_key(a=lambda: no(402, "Insufficient Balance"))
    await one.first_asked()
    for hours in (1, 2):
        one.clock.now += hours * 3600 - 60
        assert await one.first_asked() == {"b"}
        one.clock.now += 120
        assert "a" in await one.first_asked(), "one request looks"
        assert await one.first_asked() == {"b"}
    upstream.default = good()
    one.clock.now += 4 * 3600 + 60
    assert await one.first_asked() == {"a", "b"}
    assert one.engine.health.is_clear


async def test_a_look_that_tells_of_one_model_alone_does_not_hold_the_others_up(bench, upstream):
    one = bench(A)
    one.engine.health.failed("key:1", "no money", 3600, kind="unpaid")
    one.clock.now += 3601
    upstream.default = no(429, "slow down", retry_after="20")
    await one.ask()
    assert one.engine.health.is_out("key:1", "m-at-up")
    assert not one.engine.health.is_out("key:1", "n-at-up")


async def test_a_rate_limit_holds_as_long_as_it_says_and_for_that_model_alone(bench, upstream):
    one = bench(A, B)
    upstream.default = lambda seen: (
        no(429, "slow down", retry_after="20")
        if seen.headers["authorization"].endswith("a") and seen.body["model"] == "m-at-up"
        else good()
    )
    await one.first_asked()
    assert await one.first_asked() == {"b"}
    assert {(await one.ask("n"))[0] for _ in range(8)} == {"a", "b"}
    one.clock.now += 21
    upstream.default = good()
    assert await one.first_asked() == {"a", "b"}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "7000"}, 7),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m0s"}, 60),
        (
            {
                "x-ratelimit-remaining-requests": "5",
                "x-ratelimit-reset-requests": "9h",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "45s",
            },
            45,
        ),
        ({"anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": "2026-09-21T14:14:00Z"},
         40),
        ({"anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": "2026-09-21T14:00:00Z"},
         1),
        ({}, 10),
        ({"retry-after": "nonsense"}, 10),
        ({"retry-after": "99999999999"}, 86_400),
        ({"retry-after": "0"}, 1),
    ],
    ids=str,
)  # fmt: skip
async def test_how_long_a_rate_limit_holds(bench, upstream, headers, seconds):
    one = bench(A)
    script = no(429)
    script.headers.update(headers)
    upstream.default = script
    began = one.clock.now
    await one.ask()
    assert one.engine.health.back("key:1", "m-at-up") - began == pytest.approx(seconds, abs=0.5)


async def test_a_limit_without_a_time_holds_longer_each_time(bench, upstream):
    one = bench(A, B)
    upstream.default = by_key(a=lambda: no(429))
    for seconds in (10, 20, 40):
        await one.first_asked(12)
        held = one.engine.health.back("key:1", "m-at-up") - one.clock.now
        assert seconds - 1 < held <= seconds
        one.clock.now += seconds + 1


async def test_when_all_are_cooling_the_one_that_is_back_first_is_used_all_the_same(bench, upstream):
    one = bench(A, B)
    upstream.default = by_key(a=lambda: no(429, retry_after="100"), b=lambda: no(429, retry_after="30"))
    await one.ask()
    assert one.outcome.status == 429
    assert await one.ask() == ["b"], "one try and no more"
    upstream.default = good()
    assert await one.ask() == ["b"]
    assert one.outcome.status == 200
    assert await one.first_asked() == {"b"}, "and it is well again"


@pytest.mark.parametrize("status", [401, 402, 403, 429])
async def test_the_only_key_is_used_all_the_same(bench, upstream, status):
    one = bench(A)
    upstream.default = no(status, "This API key may not")
    for _ in range(3):
        await one.ask()
        assert one.outcome.status == (429 if status == 429 else 502)
        assert len(upstream.seen) == 1
    upstream.default = good()
    await one.ask()
    assert one.outcome.status == 200
    assert one.engine.health.is_clear


async def test_a_key_that_was_refused_too_often_is_asked_now_and_then(bench, upstream):
    one = bench(A)
    upstream.default = no(401)
    for _ in range(PATIENT_REFUSALS):
        await one.ask()
    assert await one.ask() == []
    assert (one.outcome.status, one.outcome.row.error) == (503, "no_healthy_upstream")
    message = one.outcome.json["error"]["message"]
    assert "up" in message
    assert "key-a" not in one.outcome.raw.decode()
    one.clock.now += 31
    upstream.default = good()
    await one.ask()
    assert one.outcome.status == 200


@pytest.mark.parametrize("script", [
    lambda: no(400), lambda: no(404), lambda: no(413), lambda: no(422), lambda: no(500), lambda: no(529),
    lambda: no(503, retry_after="60"), lambda: no(408), lambda: answer_json(b"{"), reset,
    lambda: no(403, "Your input was flagged by moderation"),
], ids=["400", "404", "413", "422", "500", "529", "503", "408", "broken", "reset", "content"])  # fmt: skip
async def test_what_is_no_fault_of_the_key_never_takes_it_out(bench, upstream, script):
    one = bench(A, B)
    upstream.default = lambda seen: script()
    for _ in range(3):
        await one.ask()
    assert one.engine.health.is_clear
    upstream.default = good()
    assert await one.first_asked() == {"a", "b"}


async def test_a_403_to_the_prompt_reaches_the_caller_and_is_not_sent_again(bench, upstream):
    one = bench(A, B)
    upstream.default = no(403, "Your input was flagged by moderation")
    assert len(await one.ask()) == 1
    assert one.outcome.status == 403
    assert "flagged" in one.outcome.json["error"]["message"]


async def test_a_403_about_one_model_takes_the_key_out_for_that_model_alone(bench, upstream):
    one = bench(A, B)
    upstream.default = lambda seen: (
        no(403, "Project `p` does not have access to model `m-at-up`", "model_not_found")
        if seen.headers["authorization"].endswith("a") and seen.body["model"] == "m-at-up"
        else good()
    )
    await one.first_asked()
    assert await one.first_asked() == {"b"}
    assert {(await one.ask("n"))[0] for _ in range(8)} == {"a", "b"}


async def test_a_400_about_money_moves_on_and_is_no_400_of_the_callers(make_engine, upstream):
    low = {"type": "invalid_request_error", "message": "Your credit balance is too low to access the Anthropic API."}
    upstream.default = answer_json({"type": "error", "error": low}, 400)
    up = an_upstream("up", upstream.url, "anthropic-messages", credentials=(A, B))
    engine = make_engine(a_snapshot(up))
    outcome = await ask(engine, a_call("anthropic-messages", a_body()))
    assert (outcome.status, outcome.row.error) == (502, "upstream_credential")
    assert {attempt.key for attempt in outcome.row.attempts} == {"a", "b"}
    assert {state.kind for state in engine.health.states()} == {"unpaid"}


async def test_a_route_whose_keys_are_all_out_waits_behind_the_others(make_engine, upstream, second_upstream):
    upstream.default = no(429, retry_after="60")
    second_upstream.default = good()
    one = an_upstream("one", upstream.url, credentials=(A,))
    two = an_upstream("two", second_upstream.url, credentials=(B,))
    engine = make_engine(a_snapshot(one, two))
    for expected in (["one", "two"], ["two"], ["two"]):
        engine.books.ended.clear()
        outcome = await ask(engine, a_call(CHAT, a_body()))
        assert [attempt.upstream for attempt in outcome.row.attempts] == expected
    second_upstream.default = no(500)
    engine.books.ended.clear()
    outcome = await ask(engine, a_call(CHAT, a_body()))
    assert [attempt.upstream for attempt in outcome.row.attempts] == ["two", "one"], "and is there for want of others"


# --- which credential goes upstream


async def test_static_keys_come_before_tokens_and_tokens_step_in_for_keys_that_are_out(bench, upstream):
    one = bench(A, T)
    upstream.default = good()
    assert await one.first_asked() == {"a"}
    upstream.default = by_key(a=lambda: no(401))
    assert await one.ask() == ["a", "t"]
    assert await one.first_asked() == {"t"}


async def test_a_key_that_is_only_cooling_is_used_before_a_token(bench, upstream):
    one = bench(A, T)
    upstream.default = by_key(a=lambda: no(429, retry_after="60"))
    assert await one.ask() == ["a", "t"]
    assert await one.ask() == ["a", "t"]


async def test_a_refused_token_waits_for_its_refresh(bench, upstream):
    one = bench(T)
    one.engine.health.know({"token:1": T.secret})
    upstream.default = no(401)
    await one.ask()
    assert one.outcome.status == 502
    assert await one.ask() == []
    assert one.outcome.status == 503
    one.engine.health.know({"token:1": "access-new"})
    upstream.default = good()
    await one.ask()
    assert one.outcome.status == 200


async def test_an_expired_token_is_never_sent_and_the_caller_hears_why(bench, upstream):
    past = Credential("old", "access-old", 1, "token:2", expires=1_789_999_999.0)
    upstream.default = good()
    assert await bench(past, T).first_asked() == {"t"}
    one = bench(past, token_trouble="Its last refresh failed (busy).")
    assert await one.ask() == []
    assert one.outcome.status == 503
    assert b"The access token of the upstream up has expired. Its last refresh failed (busy)." in one.outcome.raw
    assert upstream.seen == []


async def test_a_token_that_is_not_there_yet_is_waited_for_and_nothing_goes_out_without_it(bench, upstream):
    upstream.default = good()
    one = bench(token_trouble="It has not been refreshed yet.")
    assert await one.ask() == []
    assert one.outcome.status == 503
    assert b"access token of the upstream up is not there. It has not been refreshed yet." in one.outcome.raw
    assert upstream.seen == []


OWN = {"authorization": "Bearer callers-upstream-key"}


async def test_the_callers_authorization_goes_out_when_nothing_else_applies(bench, upstream):
    one = bench(A, allow_caller_keys=True)
    one.engine.snapshot = a_snapshot(*one.engine.snapshot.upstreams.values(), auth_required=False, anonymous=True)
    upstream.default = good()

    def call():
        return a_call(CHAT, a_body(), key=None, **OWN)

    assert await one.ask(call=call()) == ["a"]
    one.engine.health.failed("key:1", "unknown", None, kind="refused")
    assert await one.ask(call=call()) == ["caller's own"]
    assert upstream.last.headers["authorization"] == "Bearer callers-upstream-key"


async def test_a_callers_own_key_has_no_health(bench, upstream):
    one = bench(A, allow_caller_keys=True)
    upstream.default = no(401, "your key is wrong")
    for _ in range(3):
        await one.ask(call=a_call(CHAT, a_body(), x_api_key="sk-own-key-of-caller"))
        assert one.outcome.status == 401
    assert one.engine.health.is_clear
    assert not one.engine.health.uses


# --- conversations


async def test_a_conversation_keeps_its_key_and_moves_only_while_that_one_is_out(bench, upstream):
    one = bench(A, B)
    upstream.default = good()

    async def keys(name: str) -> list[str]:
        return await one.ask(call=a_call(CHAT, a_body(), x_session_id=name))

    homes = {name: (await keys(name))[0] for name in ("s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8")}
    assert set(homes.values()) == {"a", "b"}
    assert all([(await keys(name)) == [home] for name, home in homes.items()])
    one.engine.health.failed("key:1", "no", 60)
    assert {(await keys(name))[0] for name in homes} == {"b"}
    one.engine.health.put_back("key:1")
    assert all([(await keys(name)) == [home] for name, home in homes.items()])


async def test_requests_without_a_conversation_are_shared_by_weight(bench, upstream):
    one = bench(Credential("a", "sk-key-a", 3, "key:1"), B)
    upstream.default = good()
    counted = Counter([(await one.ask())[0] for _ in range(100)])
    assert 60 < counted["a"] < 90


async def test_limits_that_answers_tell_are_remembered_by_key(bench, upstream):
    one = bench(A)
    script = good()
    script.headers |= {"x-ratelimit-limit-requests": "10", "x-ratelimit-remaining-requests": "9"}
    upstream.default = script
    await serve(one.engine, a_call(CHAT, a_body()))
    use = one.engine.health.uses["key:1"]
    assert use.quotas["m-at-up"][0].remaining == 9
    assert use.worked == use.used > 0
