"""Two workers' desks over one database: what one learns the other knows, restarts included."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from proxyapp.engine.health import REFUSED, Health
from proxyapp.health import shelf
from proxyapp.health.desk import HealthDesk
from proxyapp.models import HealthState, HealthVersion, OAuthToken, Upstream, UpstreamKey
from proxyapp.models.config import current_version


@pytest.fixture
def upstream(db):
    return Upstream.objects.create(name="up", kind="openai")


@pytest.fixture
def key(upstream):
    return f"key:{UpstreamKey.objects.create(upstream=upstream, name='a', value='sk-a').pk}"


@pytest.fixture
def token(upstream):
    return f"token:{OAuthToken.objects.create(upstream=upstream, name='t', seed='s', access_token='a').pk}"


@pytest.fixture
def worker(key, token):
    """A worker that knows the key and the token."""

    def build(**values) -> tuple[Health, HealthDesk]:
        health = Health()
        health.know({key: "sk-a", token: "access"} | values)
        return health, HealthDesk(health)

    return build


def rounds(*desks: HealthDesk) -> None:
    for desk in (*desks, *desks):
        desk.exchange()


def test_what_one_worker_learns_the_other_knows(worker, key):
    (one, first), (two, second) = worker(), worker()
    rounds(first, second)
    one.failed(key, "Its rate limit is reached.", 60, status=429, kind="limited", scope="gpt-5")
    rounds(first, second)
    assert two.is_out(key, "gpt-5")
    assert not two.is_out(key, "other")
    state = two.state(key, "gpt-5")
    assert (state.kind, state.status, state.failures) == ("limited", 429, 1)
    assert state.until == pytest.approx(one.state(key, "gpt-5").until, abs=0.001)
    two.succeeded(key, "gpt-5")
    rounds(second, first)
    assert one.is_clear


def test_a_worker_that_starts_knows_what_is_out(worker, key):
    one, first = worker()
    one.failed(key, "unknown", None, kind=REFUSED)
    first.exchange()
    later, desk = worker()
    desk.exchange()
    assert later.back(key) == float("inf")


def test_a_state_of_another_value_is_not_taken_over(worker, key):
    one, first = worker()
    one.failed(key, "unknown", None, kind=REFUSED)
    first.exchange()
    later, desk = worker(**{key: "sk-new"})
    desk.exchange()
    assert later.is_clear


def test_putting_back_reaches_every_worker_and_is_no_change_of_configuration(worker, key):
    (one, first), (two, second) = worker(), worker()
    one.failed(key, "unknown", None, kind=REFUSED)
    one.failed(key, "too much", 60, scope="m")
    rounds(first, second)
    before = current_version()
    assert shelf.put_back(key) == 2
    assert shelf.put_back(key) == 0
    rounds(first, second)
    assert one.is_clear
    assert two.is_clear
    assert current_version() == before
    assert not HealthState.objects.exclude(kind="").exists()


def test_putting_back_holds_against_a_host_whose_clock_is_ahead(worker, key):
    one, first = worker()
    one.clock = lambda: time.time() + 60
    one.failed(key, "unknown", None, kind=REFUSED)
    rounds(first)
    shelf.put_back(key)
    rounds(first)
    assert one.is_clear


def test_older_news_do_not_undo_newer_ones(worker, key):
    one, first = worker()
    one.failed(key, "no", 60)
    time.sleep(0.002)
    untold = one.changes()
    two, second = worker()
    second.exchange()
    two.failed(key, "no", 60)
    two.put_back(key)
    second.exchange()
    one.give_back(untold)
    first.exchange()
    assert HealthState.objects.get(subject=key).kind == ""
    assert one.is_clear, "and the worker itself hears of it"


def test_an_idle_round_reads_one_number_and_writes_nothing(worker, key, django_assert_num_queries):
    one, desk = worker()
    one.failed(key, "no", 60)
    rounds(desk)
    version = HealthVersion.objects.get().version
    with django_assert_num_queries(1):
        desk.exchange()
    assert HealthVersion.objects.get().version == version


@pytest.mark.django_db(transaction=True)
def test_without_the_database_a_worker_goes_on_and_tells_later(worker, key, caplog):
    one, desk = worker()
    desk.exchange()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE proxyapp_healthversion RENAME TO away")
    try:
        one.failed(key, "no", 60)
        desk.exchange()
        desk.exchange()
        assert one.is_out(key)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO proxyapp_healthversion")
    desk.exchange()
    assert HealthState.objects.get(subject=key, scope="").kind == "unreachable"
    assert [record.levelname for record in caplog.records if record.name == "dragoman.health"] == ["ERROR", "INFO"]


def test_uses_are_written_and_the_latest_stays(worker, key):
    one, two = worker()[0], worker()[0]
    one.noticed(key, "m", {"x-ratelimit-limit-requests": "10", "x-ratelimit-remaining-requests": "9"})
    one.succeeded(key)
    shelf.write_uses(one.used())
    ok = HealthState.objects.get(subject=key).last_ok
    assert abs((timezone.now() - ok).total_seconds()) < 60
    two.failed(key, "no", 60)
    shelf.write_uses(two.used())
    row = HealthState.objects.get(subject=key)
    assert row.last_ok == ok, "the other worker had no success, which undoes none"
    assert row.last_used >= ok
    assert row.quota == {"m": [["requests", 10, 9, None]]}
    assert row.kind == "", "a use is no state"


def test_a_refused_token_is_due_once(worker, token):
    one, desk = worker()
    one.failed(token, "unknown", None, kind=REFUSED)
    desk.exchange()
    row = OAuthToken.objects.get()
    assert row.due_at <= timezone.now()
    OAuthToken.objects.update(due_at=None)
    one.know({token: "access-2"})
    one.failed(token, "unknown", None, kind=REFUSED)
    desk.exchange()
    assert OAuthToken.objects.get().due_at is None


def test_rows_of_what_is_gone_are_taken_away(worker, key, token):
    one, desk = worker()
    for subject in (key, token):
        one.failed(subject, "no", 60)
    one.failed(token, "no", 60, scope="m")
    desk.exchange()
    UpstreamKey.objects.all().delete()
    one.put_back(token)
    rounds(desk)
    assert shelf.prune() == 1, "the key's"
    HealthState.objects.filter(scope="m").update(changed_at=timezone.now() - timedelta(hours=2))
    assert shelf.prune() == 1, "a model that is well again"
    assert HealthState.objects.get().subject == token


@pytest.mark.django_db(transaction=True)
def test_the_thread_tells_and_hears_within_a_second_and_tells_its_last_when_it_stops():
    upstream = Upstream.objects.create(name="up", kind="openai")
    key = f"key:{UpstreamKey.objects.create(upstream=upstream, name='a', value='sk-a').pk}"
    one, two = Health(), Health()
    desks = []
    for health in (one, two):
        health.know({key: "sk-a"})
        desks.append(HealthDesk(health, interval=0.02))
        desks[-1].start()
    try:
        one.failed(key, "no", 60)
        end = time.monotonic() + 30
        while not two.is_out(key) and time.monotonic() < end:
            time.sleep(0.01)
        assert two.is_out(key)
    finally:
        one.put_back(key)
        for desk in desks:
            desk.stop()
    assert HealthState.objects.get(subject=key).kind == ""
