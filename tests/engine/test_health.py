"""Who is out, until when, and what ends it; without a network and with a clock of its own."""

from __future__ import annotations

from math import inf

import pytest

from proxyapp.engine.health import (
    ASK_AGAIN_SECONDS,
    LONGEST,
    PATIENT_REFUSALS,
    PROBE_SECONDS,
    REFUSED,
    SCOPES,
    Health,
    State,
)

KEY = "key:1"


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def health(clock):
    made = Health(clock)
    made.know({KEY: "sk-one", "key:2": "sk-two", "token:3": "access", "proxy:4": "http://p"})
    return made


def test_what_never_failed_is_well(health):
    assert not health.is_out(KEY)
    assert health.back(KEY, "m") == 0
    assert health.is_clear


def test_out_until_its_time_and_then_one_request_alone_looks(health, clock):
    health.failed(KEY, "too much", 20, kind="limited")
    assert health.is_out(KEY, "any model")
    clock.now += 19.9
    assert health.is_out(KEY)
    clock.now += 0.2
    assert not health.is_out(KEY)
    health.take(KEY)
    assert health.is_out(KEY), "one is looking"
    clock.now += PROBE_SECONDS + 1
    assert not health.is_out(KEY), "it never came back, another may look"


def test_a_look_that_told_nothing_lets_the_next_one_look(health, clock):
    health.failed(KEY, "too much", 20)
    clock.now += 21
    health.take(KEY)
    health.left(KEY)
    assert not health.is_out(KEY)


def test_success_ends_it_and_failure_counts_up(health, clock):
    health.failed(KEY, "no", 10)
    assert health.failures_with(KEY) == 1, "a failure while it is out is the same failure"
    clock.now += 11
    assert health.failures_with(KEY) == 2
    health.failed(KEY, "no", 20)
    assert health.state(KEY).failures == 2
    assert health.state(KEY).since == 1_000_000.0
    health.succeeded(KEY)
    assert health.state(KEY) is None
    assert health.failures_with(KEY) == 1


def test_requests_that_were_on_their_way_together_fail_as_one(health, clock):
    began = clock.now
    clock.now += 1
    health.failed(KEY, "no", 10, began=began)
    clock.now += 20
    health.failed(KEY, "no", 10, began=began)
    assert health.state(KEY).failures == 1


def test_a_success_that_was_on_its_way_proves_nothing(health, clock):
    began = clock.now
    clock.now += 1
    health.failed(KEY, "too much", 20)
    clock.now += 1
    health.succeeded(KEY, began=began)
    assert health.is_out(KEY)
    health.succeeded(KEY, began=clock.now)
    assert not health.is_out(KEY)


def test_a_shorter_wait_never_shortens_a_longer_one(health, clock):
    health.failed(KEY, "too much", 100, kind="limited")
    clock.now += 1
    health.failed(KEY, "too much", 5, kind="limited")
    assert health.back(KEY) == 1_000_100


def test_whatever_was_asked_for_a_day_is_the_longest(health, clock):
    health.failed(KEY, "too much", 10**9)
    assert health.back(KEY) == clock.now + LONGEST


def test_one_models_limit_leaves_the_others_alone(health):
    health.failed(KEY, "too much", 20, scope="gpt-5")
    assert health.is_out(KEY, "gpt-5")
    assert not health.is_out(KEY, "gpt-4")
    assert not health.is_out(KEY)
    health.succeeded(KEY, "gpt-4")
    assert health.is_out(KEY, "gpt-5")
    health.succeeded(KEY, "gpt-5")
    assert not health.is_out(KEY, "gpt-5")


def test_invented_models_do_not_fill_the_memory(health):
    for number in range(SCOPES * 3):
        health.failed(KEY, "too much", 20 + number, scope=f"m{number}")
    assert len(health.states()) == SCOPES
    assert health.is_out(KEY, f"m{SCOPES * 3 - 1}")


def test_for_good_means_until_it_is_put_back(health, clock):
    health.failed(KEY, "unknown", None, kind=REFUSED)
    health.failed(KEY, "too much", 20, scope="m")
    clock.now += 10**8
    assert health.back(KEY) == inf
    health.put_back(KEY)
    assert health.is_clear


def test_a_new_value_starts_afresh_and_a_failure_of_the_old_one_is_not_its_own(health):
    health.failed(KEY, "unknown", None, kind=REFUSED, secret="sk-one")
    assert health.is_out(KEY)
    health.know({KEY: "sk-new"})
    assert not health.is_out(KEY)
    health.failed(KEY, "unknown", None, kind=REFUSED, secret="sk-one")
    assert not health.is_out(KEY)
    health.failed(KEY, "unknown", None, kind=REFUSED, secret="sk-new")
    assert health.is_out(KEY)


def test_a_renewed_token_that_is_refused_again_is_known_as_such(health):
    health.failed("token:3", "unknown", None, kind=REFUSED, secret="access")
    assert health.state("token:3").failures == 1
    health.know({"token:3": "access-2"})
    health.failed("token:3", "unknown", None, kind=REFUSED, secret="access-2")
    assert health.state("token:3").failures == 2
    health.know({"token:3": "access-3"})
    health.succeeded("token:3")
    health.failed("token:3", "unknown", None, kind=REFUSED, secret="access-3")
    assert health.state("token:3").failures == 1


def test_what_is_gone_is_forgotten(health):
    health.failed(KEY, "no", 20)
    health.know({"key:2": "sk-two"})
    assert health.is_clear
    assert KEY not in health.uses


def test_a_refused_key_is_asked_in_vain_only_so_often(health, clock):
    for _ in range(PATIENT_REFUSALS):
        assert not health.is_hopeless(KEY)
        clock.now += 1
        health.failed(KEY, "unknown", None, kind=REFUSED, began=clock.now)
    assert health.is_hopeless(KEY)
    clock.now += ASK_AGAIN_SECONDS
    assert not health.is_hopeless(KEY)


def test_workers_hear_from_each_other_and_the_newer_knowledge_counts(clock, health):
    other = Health(clock)
    other.know({KEY: "sk-one"})
    health.failed(KEY, "no", 100)
    told = health.changes()
    assert health.changes() == []
    other.hear(told)
    assert other.is_out(KEY)
    assert other.changes() == [], "what was heard is not told on"
    clock.now += 1
    other.put_back(KEY)
    health.hear(other.changes())
    assert not health.is_out(KEY)
    clock.now += 1
    health.failed(KEY, "no", 100)
    health.hear([State(subject=KEY, changed=clock.now - 0.5)])
    assert health.is_out(KEY), "older news"


def test_a_worker_whose_clock_is_behind_ends_what_another_one_told(clock, health):
    slow = Clock()
    slow.now = clock.now - 30
    other = Health(slow)
    other.know({KEY: "sk-one"})
    health.failed(KEY, "no", 100)
    other.hear(health.changes())
    other.succeeded(KEY)
    health.hear(other.changes())
    assert not health.is_out(KEY)


def test_of_another_value_and_of_strangers_nothing_is_heard(clock, health):
    other = Health(clock)
    other.know({KEY: "sk-other", "key:9": "x"})
    other.failed(KEY, "no", 100)
    other.failed("key:9", "no", 100)
    health.hear(other.changes())
    assert health.is_clear


def test_what_could_not_be_shared_is_told_again_unless_something_newer_is_known(health, clock):
    health.failed(KEY, "no", 100)
    health.failed("key:2", "no", 100)
    untold = health.changes()
    clock.now += 1
    health.succeeded(KEY)
    health.give_back(untold)
    told = {state.subject: state.kind for state in health.changes()}
    assert told == {KEY: "", "key:2": "unreachable"}


def test_nobodys_subject_has_no_health(health):
    health.failed("", "no", 100)
    health.succeeded("")
    health.noticed("", "m", {"x-ratelimit-limit": "1"})
    assert health.is_clear
    assert not health.uses


def test_limits_are_remembered_by_model_and_looked_at_now_and_then(health, clock):
    def told(left: int) -> dict[str, str]:
        return {"x-ratelimit-limit-requests": "10", "x-ratelimit-remaining-requests": str(left)}

    health.noticed(KEY, "m", told(9))
    health.noticed(KEY, "m", told(8))
    assert health.uses[KEY].quotas["m"][0].remaining == 9
    clock.now += 3
    health.noticed(KEY, "m", told(7))
    assert health.uses[KEY].quotas["m"][0].remaining == 7
    for number in range(50):
        health.noticed(KEY, f"m{number}", told(1))
    assert len(health.uses[KEY].quotas) == 8
    assert list(health.used()) == [KEY]
    assert not health.used()
