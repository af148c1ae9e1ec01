"""The watcher against a real database file (or server), with its own thread and connection."""

import time

import pytest
from django.db import DatabaseError, connection, connections

from proxyapp.config.watch import Watcher
from proxyapp.models import ModelConfig, Upstream
from proxyapp.models.config import current_version

pytestmark = pytest.mark.django_db(transaction=True)


def within(seconds, claim):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if claim():
            return True
        time.sleep(0.01)
    return claim()


@pytest.fixture
def seen():
    return []


@pytest.fixture
def watcher(seen):
    watcher = Watcher(seen.append)
    yield watcher
    watcher.stop()


def test_start_hands_over_the_first_snapshot_before_it_returns(watcher, seen):
    ModelConfig.objects.create(name="first")
    watcher.start()
    assert "first" in seen[0].models
    assert watcher.healthy
    assert watcher.version == current_version()


def test_a_change_is_in_force_within_a_second(watcher, seen):
    watcher.start()
    ModelConfig.objects.create(name="new")
    assert within(1.0, lambda: "new" in seen[-1].models)
    ModelConfig.objects.get(name="new").delete()
    assert within(1.0, lambda: "new" not in seen[-1].models)


def test_nothing_is_rebuilt_when_nothing_changed(seen):
    watcher = Watcher(seen.append, interval=0.01)
    watcher.start()
    time.sleep(0.2)
    watcher.stop()
    assert len(seen) == 1


def test_the_last_snapshot_stays_while_the_database_cannot_be_read(seen, monkeypatch):
    ModelConfig.objects.create(name="kept")
    watcher = Watcher(seen.append, interval=0.02)
    watcher.start()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE proxyapp_configversion RENAME TO away")
    try:
        assert within(1.0, lambda: not watcher.healthy)
        assert watcher.is_database_away
        assert "kept" in seen[-1].models
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO proxyapp_configversion")
    assert within(1.0, lambda: watcher.healthy)
    assert not watcher.is_database_away
    Upstream.objects.create(name="u", kind="openai")
    assert within(1.0, lambda: "u" in seen[-1].upstreams)
    watcher.stop()


def test_a_start_without_a_database_raises_and_leaves_no_thread(seen):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE proxyapp_configversion RENAME TO away")
    try:
        watcher = Watcher(seen.append)
        with pytest.raises(DatabaseError):
            watcher.start()
        assert not watcher.healthy
        assert not watcher._thread.is_alive()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO proxyapp_configversion")


def test_stop_ends_the_thread_and_may_be_called_twice(watcher):
    watcher.start()
    watcher.stop()
    watcher.stop()
    assert not watcher.healthy


def test_the_connection_is_the_threads_own(watcher):
    used = []
    watcher._on_change = lambda _: used.append(connections["default"])
    watcher.start()
    assert used[0] is not connections["default"]
