"""The thread of each worker: what it refreshes, what it leaves, and what it lives through."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError
from django.utils import timezone

from proxyapp.models import OAuthToken, UpstreamKey
from proxyapp.tokens import keeping, rows
from proxyapp.tokens.keeping import Keeper
from tests.fakes.token_server import within
from tests.tokens.conftest import go, pair

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def told():
    return []


@pytest.fixture
def make_keeper(told):
    made = []

    def make(**changes):
        keeper = Keeper(told.append, every=0.02, **changes)
        made.append(keeper)
        keeper.start()
        return keeper

    yield make
    for keeper in made:
        keeper.stop()


def test_a_token_is_refreshed_when_it_comes_and_when_it_is_due(server, make_token, make_keeper, told):
    make_keeper()
    token = make_token()
    assert within(10, lambda: pair(token)[1] == "rt-olga-1-secret")
    OAuthToken.objects.filter(pk=token.pk).update(due_at=timezone.now() - timedelta(seconds=1))
    assert within(10, lambda: pair(token)[1] == "rt-olga-2-secret")
    assert within(10, lambda: len(told) == 2)
    assert len(server.seen) == 2


def test_two_keepers_refresh_once(server, make_token, make_keeper, told):
    make_token()
    make_keeper()
    make_keeper()
    assert within(10, lambda: told)
    make_token("sam")
    assert within(10, lambda: "rt-sam-0-secret" in [form["refresh_token"] for form in server.seen])
    assert within(10, lambda: not OAuthToken.objects.filter(generation=0).exists())
    assert len(server.seen) == 2


def test_what_is_off_dead_or_resting_is_left_alone(server, make_token, make_keeper):
    make_token("off", enabled=False)
    dead = make_token("dead", seed="rt-of-nobody")
    go(dead)
    resting = make_token("resting")
    UpstreamKey.objects.create(upstream=resting.upstream, name="main", value="sk-1")
    before = len(server.seen)
    keeper = Keeper()
    keeper._round()
    assert len(server.seen) == before


def test_it_goes_on_while_the_database_is_away_and_says_so_once(
    server, make_token, make_keeper, told, monkeypatch, caplog
):
    rounds = []
    real = keeping._in_use

    def away(upstream):
        rounds.append(1)
        raise DatabaseError("gone")

    monkeypatch.setattr(keeping, "_in_use", away)
    make_token()
    make_keeper()
    assert within(10, lambda: len(rounds) > 3)
    monkeypatch.setattr(keeping, "_in_use", real)
    assert within(10, lambda: told)
    assert caplog.text.count("tokens_not_looked_at") == 1
    assert within(10, lambda: "tokens_readable_again" in caplog.text)


def test_a_failure_waits_for_its_pause(server, make_token):
    token = make_token()
    server.next_answers.append((500, {}, b""))
    keeper = Keeper()
    for _ in range(3):
        keeper._round()
    assert len(server.seen) == 1
    rows.ask_for(token.pk)
    keeper._round()
    assert pair(token)[1] == "rt-olga-1-secret"
