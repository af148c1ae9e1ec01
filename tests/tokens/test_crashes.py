"""`refresh_tokens` as processes that are killed at each step, and that run beside each other.

The database is the suite's own, so `make test-postgres` plays all this on PostgreSQL.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection, transaction

from proxyapp.models import OAuthToken
from proxyapp.tokens import lease, spool
from proxyapp.tokens.refreshing import Result
from tests.fakes.token_server import within
from tests.tokens import child
from tests.tokens.conftest import go, pair

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


class Run:
    """One run of the command in a process of its own."""

    def __init__(self, process: Any, output: Path) -> None:
        self._process = process
        self._output = output

    def wait(self) -> int:
        """The exit status; negative: the signal that ended it."""
        self._process.join(60)
        assert self._process.exitcode is not None, "it did not end"
        return int(self._process.exitcode)

    def kill(self, how: int = signal.SIGKILL) -> None:
        os.kill(self._process.pid, how)

    @property
    def said(self) -> str:
        return self._output.read_text()


Start = Callable[..., Run]


def database_url() -> str:
    facts = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{facts['NAME']}"
    login = f"{quote(facts['USER'])}:{quote(facts['PASSWORD'] or '')}".rstrip(":")
    return f"postgres://{login}@{facts['HOST']}:{facts['PORT'] or 5432}/{facts['NAME']}"


@pytest.fixture(scope="module")
def forks() -> Any:
    """Processes that have loaded everything and wait to be one."""
    return multiprocessing.get_context("forkserver")


@pytest.fixture
def start(forks: Any, data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """A `refresh_tokens` of its own against the same rows."""
    running: list[Any] = []
    monkeypatch.setenv("DATABASE_URL", database_url())
    monkeypatch.setenv("DRAGOMAN_TESTS_CHILD", "1")
    forks.set_forkserver_preload(["tests.tokens.child"])

    def begin(*arguments: str) -> Run:
        output = data / f"output-{len(running)}"
        process = forks.Process(target=child.run, args=(list(arguments), str(data), str(output)))
        running.append(process)
        process.start()
        return Run(process, output)

    yield begin
    for process in running:
        process.kill()
        process.join(10)


def killed_while_saving(start: Start, server: Any, token: OAuthToken) -> None:
    """A process is killed when its new pair is on disk and the database, which we hold, has not taken it."""
    server.hold("arrived")
    process = start()
    server.wait_until_held("arrived")
    with transaction.atomic():
        OAuthToken.objects.select_for_update().get(pk=token.pk)
        server.release()
        assert within(30, lambda: [path for path in spool.waiting() if spool.read(path)])
        process.kill()
        process.wait()


def test_of_two_at_once_one_refreshes_and_both_are_content(start, server, make_token):
    token = make_token()
    both = [start(), start()]
    assert [process.wait() for process in both] == [0, 0]
    assert server.account().refreshes == 1
    assert len(server.seen) == 1
    assert pair(token) == ("at-olga-1-secret", "rt-olga-1-secret")
    told = both[0].said + both[1].said
    assert told.count("Token refreshed successfully, expires at") == 1
    assert "secret" not in told


def test_who_waits_for_a_refresh_finds_it_done(start, server, make_token):
    token = make_token()
    server.hold("arrived")
    process = start("--force")
    server.wait_until_held("arrived")
    outcome = go(token, force=True, pause=lambda seconds: server.release())
    assert outcome.result is Result.ELSEWHERE
    assert process.wait() == 0
    assert len(server.seen) == 1


def test_killed_before_the_server_did_anything_the_next_one_refreshes_at_once(start, server, make_token):
    token = make_token()
    server.hold("arrived")
    process = start()
    server.wait_until_held("arrived")
    process.kill()
    process.wait()
    server.next_answers.append((500, {}, b""))  # for the request of the dead: the server gave up on it
    server.release()
    assert within(10, lambda: not server.next_answers)
    token.refresh_from_db()
    assert lease.is_dead(token.lease_holder)
    assert go(token).result is Result.REFRESHED
    assert pair(token) == ("at-olga-1-secret", "rt-olga-1-secret")


@pytest.mark.parametrize("graceful", [True, False], ids=["with a grace period", "without one"])
def test_killed_when_the_server_had_rotated_and_said_nothing(start, server, make_token, graceful):
    """The one loss that nobody can prevent: the token was rotated and its answer never arrived. It is told."""
    server.is_graceful = graceful
    token = make_token()
    server.hold("rotated")
    process = start()
    server.wait_until_held("rotated")
    process.kill()
    process.wait()
    server.release()
    outcome = go(token)
    if graceful:
        assert outcome.result is Result.REFRESHED
        assert pair(token)[1] == server.account().refresh_token
    else:
        assert "A refresh that began on this host did not end" in outcome.sentence
        assert token.is_dead
        assert go(token).is_failure
        assert len(server.seen) == 2


def test_killed_with_the_pair_on_disk_the_next_one_takes_it_up(start, server, make_token):
    token = make_token()
    killed_while_saving(start, server, token)
    assert pair(token) == ("", "")
    (file,) = spool.waiting()
    assert file.stat().st_mode & 0o777 == 0o600
    assert b"secret" not in file.read_bytes()
    assert go(token).result is Result.ELSEWHERE
    assert pair(token) == ("at-olga-1-secret", "rt-olga-1-secret")
    assert token.generation == 1
    assert list(spool.waiting()) == []
    assert go(token, force=True).result is Result.REFRESHED
    assert server.account().refreshes == 2


def test_killed_with_the_pair_saved_and_its_file_still_there(start, server, make_token, tmp_path):
    token = make_token()
    server.hold("arrived")
    process = start()
    server.wait_until_held("arrived")
    with transaction.atomic():
        OAuthToken.objects.select_for_update().get(pk=token.pk)
        server.release()
        assert within(30, lambda: [path for path in spool.waiting() if spool.read(path)])
        (file,) = spool.waiting()
        shutil.copy(file, tmp_path / "copy")
    assert process.wait() == 0
    shutil.copy(tmp_path / "copy", file)  # as it was between the save and the removal
    assert go(token).result is Result.NOT_DUE
    assert list(spool.waiting()) == []
    assert list(spool.directory().iterdir()) == []
    assert pair(token) == ("at-olga-1-secret", "rt-olga-1-secret")


def test_a_loop_takes_up_what_another_left_and_new_tokens_and_ends_on_sigterm(start, server, make_token):
    token = make_token()
    killed_while_saving(start, server, token)
    process = start("--loop")
    assert within(30, lambda: pair(token)[1] == "rt-olga-1-secret")
    new = make_token("sam")
    assert within(30, lambda: pair(new)[1] == "rt-sam-1-secret")
    process.kill(signal.SIGTERM)
    assert process.wait() == 0
    assert "accounts/sam: Token refreshed successfully, expires at" in process.said


def test_a_stop_lets_the_refresh_end_that_is_under_way(start, server, make_token):
    token = make_token()
    server.hold("rotated")
    process = start()
    server.wait_until_held("rotated")
    process.kill(signal.SIGTERM)
    server.release()
    assert process.wait() == 0
    assert pair(token)[1] == server.account().refresh_token
