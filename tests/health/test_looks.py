"""What a look through the proxies from outside tells the workers."""

from __future__ import annotations

import pytest

from proxyapp.config.build import build
from proxyapp.engine.health import Health, State
from proxyapp.engine.probing import Verdict
from proxyapp.health import shelf
from proxyapp.health.looks import tell
from proxyapp.models import Proxy, ProxyPool

pytestmark = pytest.mark.django_db


@pytest.fixture
def pool():
    row = ProxyPool.objects.create(name="eu", cooldown_seconds=30)
    Proxy.objects.create(pool=row, name="p1", url="http://127.0.0.1:1")
    return build()[0].pools["eu"]


def heard(pool) -> Health:
    """A worker that has listened."""
    health = Health()
    health.know({proxy.subject: proxy.url for proxy in pool.proxies})
    health.hear(shelf.newer_than(0))
    return health


def a_verdict(is_up: bool, is_certain: bool = True) -> Verdict:
    return Verdict(is_up=is_up, is_certain=is_certain, words="cannot be connected to", seconds=0.1)


def test_what_is_down_by_its_own_fault_is_left_alone_by_every_worker(pool):
    tell([(pool, pool.proxies[0], a_verdict(is_up=False))])
    state = heard(pool).state(pool.proxies[0].subject)
    assert state.reason == "It cannot be connected to."
    assert heard(pool).is_out(pool.proxies[0].subject)


def test_what_may_not_be_at_fault_is_used_on(pool):
    tell([(pool, pool.proxies[0], a_verdict(is_up=False, is_certain=False))])
    assert heard(pool).is_clear


def test_what_is_up_is_put_back(pool):
    proxy = pool.proxies[0]
    worker = heard(pool)
    worker.failed(proxy.subject, "It was gone.", 3600)
    shelf.write(worker.changes())
    assert heard(pool).is_out(proxy.subject)
    tell([(pool, proxy, a_verdict(is_up=True))])
    assert heard(pool).is_clear


def test_what_was_out_before_keeps_its_time(pool):
    proxy = pool.proxies[0]
    worker = heard(pool)
    worker.failed(proxy.subject, "It was gone.", 3600)
    shelf.write(worker.changes())
    tell([(pool, proxy, a_verdict(is_up=False))])
    state: State | None = heard(pool).state(proxy.subject)
    assert state is not None
    assert state.reason == "It was gone."
