"""Requests per minute and at once."""

from __future__ import annotations

import pytest

from proxyapp.engine.limits import Limiter
from proxyapp.engine.snapshot import Key, Limits
from proxyapp.errors import LimitReached


def key(client: int = 1, **limits) -> Key:
    return Key(id=1, name="k", client_id=client, client=str(client), limits=Limits(**limits))


def test_at_most_so_many_in_any_sixty_seconds():
    now = [0.0]
    limiter = Limiter(lambda: now[0])
    for _ in range(3):
        limiter.admit(key(rpm=3))
        now[0] += 10
    with pytest.raises(LimitReached) as caught:
        limiter.admit(key(rpm=3))
    assert caught.value.retry_after == pytest.approx(30)
    now[0] += caught.value.retry_after
    limiter.admit(key(rpm=3))


def test_refused_calls_do_not_count():
    now = [0.0]
    limiter = Limiter(lambda: now[0])
    limiter.admit(key(rpm=1))
    for _ in range(10):
        with pytest.raises(LimitReached):
            limiter.admit(key(rpm=1))
    now[0] = 60.0
    limiter.admit(key(rpm=1))


def test_clients_do_not_share():
    limiter = Limiter(lambda: 0.0)
    limiter.admit(key(1, rpm=1))
    limiter.admit(key(2, rpm=1))


def test_a_lowered_limit_tells_when_the_next_call_passes():
    now = [0.0]
    limiter = Limiter(lambda: now[0])
    for _ in range(5):
        limiter.admit(key(rpm=10))
        now[0] += 1
    with pytest.raises(LimitReached) as caught:
        limiter.admit(key(rpm=2))
    assert caught.value.retry_after == pytest.approx(3 + 60 - 5)


def test_a_limit_of_zero_lets_nobody_in():
    with pytest.raises(LimitReached):
        Limiter(lambda: 0.0).admit(key(rpm=0))


def test_a_place_is_given_back():
    limiter = Limiter()
    leave = limiter.admit(key(concurrency=1))
    with pytest.raises(LimitReached):
        limiter.admit(key(concurrency=1))
    leave()
    limiter.admit(key(concurrency=1))
