"""Retention: what is old goes, in small steps, while others write."""

import threading
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.utils import timezone

from proxyapp.history import prune as prune_module
from proxyapp.history.prune import Pruned, prune
from proxyapp.history.rows import to_rows
from proxyapp.history.store import store
from proxyapp.models import RequestAttempt, RequestContent, RequestLog


@pytest.fixture
def aged(an_exchange):
    """`count` exchanges of each age in days."""

    def rows(*ages, count=1):
        now = timezone.now().timestamp()
        store(
            to_rows(an_exchange(100 * age + number, begun={"started": now - age * 86400 - 60 - number}))
            for age in ages
            for number in range(count)
        )

    return rows


def counts():
    return RequestLog.objects.count(), RequestAttempt.objects.count(), RequestContent.objects.count()


def days_ago(days):
    return timezone.now() - timedelta(days=days)


@pytest.mark.django_db
def test_old_requests_go_with_all_that_is_theirs(aged):
    aged(1, 5, 29, 31, 400, count=3)
    assert prune(days_ago(30), pause=lambda _: None) == Pruned(6, 6, 6)
    assert counts() == (9, 9, 9)
    assert prune(days_ago(30), pause=lambda _: None) == Pruned()


@pytest.mark.django_db
def test_contents_may_go_sooner_than_their_requests(aged):
    aged(1, 5, 40, count=2)
    assert prune(days_ago(30), days_ago(3), pause=lambda _: None) == Pruned(2, 2, 4)
    assert counts() == (4, 4, 2)


@pytest.mark.django_db
def test_batches_are_bounded_and_others_get_their_turn(aged, monkeypatch):
    aged(50, count=25)
    sizes, pauses = [], []
    real = prune_module.remove
    monkeypatch.setattr(prune_module, "remove", lambda found, using: sizes.append(len(found)) or real(found, using))
    assert prune(days_ago(30), batch=10, pause=pauses.append).requests == 25
    assert sizes == [10, 10, 5]
    assert len(pauses) == 3


@pytest.mark.django_db
def test_a_database_locked_for_a_moment_is_tried_again(aged, monkeypatch):
    aged(50)
    real, failures = prune_module.remove, iter([True, True])

    def shaky(found, using):
        if next(failures, False):
            raise OperationalError("database is locked")
        return real(found, using)

    monkeypatch.setattr(prune_module, "remove", shaky)
    monkeypatch.setattr(prune_module.time, "sleep", lambda _: None)
    assert prune(days_ago(30)).requests == 1


@pytest.mark.django_db
def test_the_command_says_what_it_did(aged, settings):
    aged(1, 31, count=2)
    out = StringIO()
    call_command("prune_history", stdout=out)
    assert out.getvalue() == "Deleted 2 requests, 2 attempts and 2 contents.\n"
    out = StringIO()
    call_command("prune_history", "--content-days", "0", "--days", "0", stdout=out)
    assert out.getvalue() == "Deleted 0 requests, 0 attempts and 0 contents.\n"
    out = StringIO()
    call_command("prune_history", "--days", "30", "--content-days", "1", "--batch", "1", stdout=out)
    assert out.getvalue() == "Deleted 0 requests, 0 attempts and 2 contents.\n"
    assert counts() == (2, 2, 0)


@pytest.mark.django_db
@pytest.mark.parametrize("wrong", [["--days", "-1"], ["--content-days", "-1"], ["--batch", "0"], ["--days", "9" * 20]])
def test_the_command_refuses_nonsense(aged, wrong):
    aged(400)
    with pytest.raises(SystemExit):
        call_command("prune_history", *wrong, stderr=StringIO())
    assert counts() == (1, 1, 1)


@pytest.mark.django_db(transaction=True)
def test_rows_can_be_written_while_old_ones_go(aged, an_exchange):
    aged(50, count=60)
    written, stop = [], threading.Event()

    def write():
        number = 10**6
        while not stop.is_set():
            written.extend(store([to_rows(an_exchange(number, begun={"started": timezone.now().timestamp()}))]))
            number += 1
        connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    done = prune(days_ago(30), batch=5, pause=lambda _: stop.wait(0.002))
    stop.set()
    thread.join()
    assert done == Pruned(60, 60, 60)
    assert len(written) > 5
    assert RequestLog.objects.count() == len(written)


@pytest.mark.django_db(transaction=True)
def test_two_at_once_share_the_work(aged):
    aged(50, count=60)
    results = []

    def run():
        results.append(prune(days_ago(30), batch=7).requests)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2
    assert sum(results) == 60
    assert counts() == (0, 0, 0)
