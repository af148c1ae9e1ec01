"""Files of pairs that no database took: which are taken up, which are put aside, and who may hold a lease."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta

import msgspec
import pytest
from django.db import OperationalError
from django.utils import timezone

from proxyapp.models import OAuthToken
from proxyapp.tokens import lease, recovering, rows, spool
from proxyapp.tokens.refreshing import Result
from tests.tokens.conftest import go, pair

pytestmark = pytest.mark.django_db


@pytest.fixture
def lost_pair(make_token, server, monkeypatch):
    """A token whose new pair was granted while the database was away."""
    token = make_token()

    def away(pair):
        raise OperationalError("the server closed the connection")

    with monkeypatch.context() as patch:
        patch.setattr(rows, "store", away)
        with pytest.raises(OperationalError):
            go(token)
    return token


def test_with_the_database_away_the_pair_waits_on_disk_and_is_taken_up_later(server, lost_pair):
    assert pair(lost_pair) == ("", "")
    assert len(list(spool.waiting())) == 1
    assert recovering.recover() == 1
    assert pair(lost_pair) == ("at-olga-1-secret", "rt-olga-1-secret")
    assert lost_pair.lease_holder == ""
    assert go(lost_pair).result is Result.NOT_DUE
    assert len(server.seen) == 1


def test_another_host_that_finds_the_token_spent_says_where_the_newer_one_may_be(server, lost_pair, data):
    (file,) = spool.waiting()
    hidden = file.rename(data / "on-the-other-host")
    OAuthToken.objects.update(lease_holder="berlin/abc/1/2/3", lease_until=timezone.now() - timedelta(seconds=1))
    outcome = go(lost_pair)
    assert "the host berlin did not end: the newer token may lie in the data directory there" in outcome.sentence
    assert lost_pair.is_dead
    hidden.rename(file)  # the other host comes back
    assert recovering.recover() == 1
    assert pair(lost_pair)[1] == "rt-olga-1-secret"
    assert not lost_pair.is_dead
    assert go(lost_pair, force=True).result is Result.REFRESHED


def test_a_pair_that_was_overtaken_is_put_aside_and_never_saved(server, lost_pair, caplog):
    lost_pair.seed = server.account("new").refresh_token
    lost_pair.save()
    (file,) = spool.waiting()
    old = spool.read(file)
    OAuthToken.objects.filter(pk=lost_pair.pk).update(generation=5)
    assert recovering.recover() == 0
    assert list(spool.waiting()) == []
    assert [path.suffix for path in spool.directory().iterdir()] == [".aside"]
    assert "token_file_put_aside" in caplog.text
    assert old.refresh_token not in caplog.text + repr(old)


def test_a_pair_of_another_database_with_the_same_number_is_not_taken(server, lost_pair):
    (file,) = spool.waiting()
    foreign = msgspec.structs.replace(spool.read(file), parent=rows.digest("something else"))
    file.unlink()
    spool.keep(foreign)
    assert recovering.recover() == 0
    assert pair(lost_pair) == ("", "")


def test_a_pair_of_a_token_that_is_gone_is_put_aside(lost_pair):
    lost_pair.delete()
    assert recovering.recover() == 0
    assert list(spool.waiting()) == []


def test_a_file_that_was_cut_short_is_left_while_it_may_still_be_written(lost_pair):
    (file,) = spool.waiting()
    file.write_bytes(file.read_bytes()[:40])
    assert recovering.recover() == 0
    assert list(spool.waiting()) == [file]
    os.utime(file, (1, 1))
    assert recovering.recover() == 0
    assert list(spool.waiting()) == []


def test_a_disk_that_takes_nothing_does_not_stop_the_refresh(server, make_token, data, caplog):
    (data / "tokens").write_text("a file where the directory should be")
    token = make_token()
    assert go(token).result is Result.REFRESHED
    assert pair(token)[1] == "rt-olga-1-secret"
    assert "token_not_kept_on_disk" in caplog.text


def test_a_pair_is_saved_once_also_when_another_process_took_it_up_first(server, make_token, monkeypatch, caplog):
    token = make_token()
    store = rows.store

    def second(pair):
        assert recovering.recover() == 1  # the other process, between our file and our save
        return store(pair)

    with monkeypatch.context() as patch:
        patch.setattr(spool, "keep", lambda kept, keep=spool.keep: (keep(kept), patch.setattr(rows, "store", once))[0])

        def once(pair):
            patch.setattr(rows, "store", store)
            return second(pair)

        assert go(token).result is Result.REFRESHED
    assert token.generation == 1
    assert pair(token)[1] == "rt-olga-1-secret"
    assert list(spool.waiting()) == []
    assert "put_aside" not in caplog.text


def test_a_pair_for_a_row_that_moved_on_meanwhile_is_kept_beside_it(server, make_token, monkeypatch):
    token = make_token()
    keep = spool.keep

    def overtaken(kept):
        OAuthToken.objects.filter(pk=token.pk).update(generation=9)
        return keep(kept)

    monkeypatch.setattr(spool, "keep", overtaken)
    assert go(token).result is Result.ELSEWHERE
    assert token.generation == 9
    assert [path.suffix for path in spool.directory().iterdir()] == [".aside"]


# --- leases ----------------------------------------------------------------------------------------------------------


def test_a_lease_is_taken_by_one(make_token):
    token = make_token()
    now = timezone.now()
    first = lease.take(token, now)
    assert first
    assert lease.take(token, now) == ""
    token.refresh_from_db()
    assert not lease.is_free(token, now)
    assert lease.is_free(token, now + timedelta(seconds=lease.SECONDS + 1))
    lease.give_back(token.pk, "somebody else")
    token.refresh_from_db()
    assert token.lease_holder == first


def test_a_holder_whose_process_is_gone_is_known_to_be():
    code = "from proxyapp.tokens.lease import _started; import os; print(os.getpid(), _started(os.getpid()))"
    code = f"import django; django.setup(); {code}"
    pid, started = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split()
    mine = lease.new_holder()
    host, place, *_ = mine.split("/")
    assert not lease.is_dead(mine)
    assert lease.is_dead(f"{host}/{place}/{pid}/{started}/x")
    assert lease.is_dead(f"{host}/{place}/{os.getpid()}/1/x"), "the number was given to another process"
    assert not lease.is_dead(f"elsewhere/{place}/{pid}/{started}/x")
    assert not lease.is_dead(f"{host}/other/{pid}/{started}/x"), "another container has other numbers"
    assert not lease.is_dead("")
