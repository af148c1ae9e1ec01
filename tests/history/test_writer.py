"""From journal files to rows: nothing lost, nothing twice, whatever dies or goes away in between."""

import os
import signal
import subprocess
import sys
import threading
import time
import zlib

import msgspec
import pytest
from django.db import OperationalError, connection, transaction

from proxyapp.engine.journal import HEAD, MAGIC, Journal
from proxyapp.engine.record import AttemptRecord, Content, Ended
from proxyapp.history import writer as writer_module
from proxyapp.history.redaction import redact
from proxyapp.history.rows import to_rows
from proxyapp.history.segments import SegmentReader
from proxyapp.history.store import store
from proxyapp.history.writer import Writer
from proxyapp.models import RequestAttempt, RequestContent, RequestLog

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def start(tmp_path):
    """(journal=None) -> a started writer; all are stopped at the end."""
    writers = []

    def started(journal=None, poll=0.02):
        writers.append(Writer(tmp_path, journal, poll=poll))
        writers[-1].start()
        return writers[-1]

    yield started
    for writer in writers:
        writer.stop(flush=False, timeout=5)


@pytest.fixture
def running(start, journal):
    """A started writer beside the worker's journal."""
    return start(journal)


def outcomes():
    return dict(RequestLog.objects.order_by("request_id").values_list("request_id", "outcome"))


def name(number):
    return f"{number:032x}"


def segments(directory):
    return sorted(directory.glob("*.journal"))


def test_an_exchange_becomes_a_row_its_attempts_and_its_content(journal, running, an_exchange):
    failed = AttemptRecord(upstream="a", key="k1", status=529, error="upstream_refused", message="busy", ms=3.25)
    journal.end(
        an_exchange(
            7,
            attempts=[failed, AttemptRecord(upstream="anthropic", key="main", status=200, proxy="p1")],
            notes=[("top_k", "Has no counterpart.", True)],
            content=Content(client_request=b"question " * 100, upstream_answer=b"answer", truncated=True),
            extra={"later": [1, 2.5, "x"]},
            reasoning=0,
        )
    )
    assert running.flush()
    log = RequestLog.objects.get()
    assert (log.request_id, log.outcome, log.status, log.client, log.key_id) == (name(7), "ok", 200, "alice", 2)
    assert log.created_at.timestamp() == 1_790_000_007.5
    assert (log.fresh_input, log.cache_read, log.cache_write_5m, log.reasoning) == (10, 5, None, 0)
    assert (log.total_input, log.cache_write, log.duration_ms) == (15, None, 1234.568)
    assert (log.cost_nanos, log.cost_state) == (None, "unpriced")
    tries = list(log.attempts.values_list("position", "upstream", "status", "error", "message", "ms", "proxy"))
    assert tries == [
        (0, "a", 529, "upstream_refused", "busy", 3.25, ""),
        (1, "anthropic", 200, "", "", 0.0, "p1"),
    ]
    content = log.content
    assert content.layer("client_request") == b"question " * 100
    assert len(content.client_request) < 100
    assert content.layer("client_answer") is None
    assert content.sizes == {"client_request": 900, "upstream_answer": 6}
    assert (content.truncated, content.notes) == (True, [["top_k", "Has no counterpart.", True]])
    assert (content.finish, content.path, content.address, content.user_agent) == (
        "stop",
        "/v1/messages",
        "127.0.0.1",
        "tests",
    )
    assert content.extra == {"later": [1, 2.5, "x"]}


def test_a_record_is_in_the_database_within_a_second_or_two_without_being_asked_for(journal, running, an_exchange):
    journal.end(an_exchange(1))
    deadline = time.monotonic() + 5
    while not RequestLog.objects.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_running_exchange_has_no_row_yet(journal, running, a_beginning, an_exchange):
    journal.begin(a_beginning(1))
    assert running.flush()
    assert outcomes() == {}
    journal.end(an_exchange(1))
    assert running.flush()
    assert outcomes() == {name(1): "ok"}


def test_full_segments_are_deleted_and_open_exchanges_survive_them(tmp_path, a_beginning, an_exchange):
    journal = Journal(tmp_path, redact, segment_bytes=4_000)
    writer = Writer(tmp_path, journal)
    journal.begin(a_beginning(1))
    for number in range(10, 60):
        journal.begin(a_beginning(number))
        journal.end(an_exchange(number))
        if number % 7 == 0:
            assert writer.flush()
    assert writer.flush()
    assert segments(tmp_path) == [journal.segment]
    assert name(1) not in outcomes()
    journal.end(an_exchange(1))
    assert writer.flush()
    assert len(outcomes()) == 51
    assert set(outcomes().values()) == {"ok"}
    assert writer.stats.interrupted == 0
    journal.close()
    assert writer.flush()
    assert segments(tmp_path) == []
    assert RequestLog.objects.count() == RequestContent.objects.count() == RequestAttempt.objects.count() == 51


def test_what_is_open_when_the_journal_is_closed_was_interrupted(tmp_path, journal, a_beginning):
    writer = Writer(tmp_path, journal)
    journal.begin(a_beginning(1, session="s"))
    assert writer.flush()
    journal.close()
    assert writer.flush()
    log = RequestLog.objects.get()
    assert (log.outcome, log.status, log.duration_ms, log.session, log.model) == (
        "interrupted",
        None,
        None,
        "s",
        "claude-sonnet-4-5",
    )
    assert log.content.path == "/v1/messages"
    assert segments(tmp_path) == []
    assert writer.stats.interrupted == 1


def test_the_same_segment_may_be_read_any_number_of_times(tmp_path, journal, an_exchange, a_beginning):
    for number in range(5):
        journal.end(an_exchange(number))
    journal.begin(a_beginning(9))
    data = journal.segment.read_bytes()
    journal.close()
    for copy in range(3):
        (tmp_path / f"again-1-{copy}.000001.journal").write_bytes(data)
        assert Writer(tmp_path).flush()
    assert outcomes() == {name(n): "ok" for n in range(5)} | {name(9): "interrupted"}
    assert RequestAttempt.objects.count() == 5
    assert RequestContent.objects.count() == 6


def test_an_end_replaces_interrupted_and_never_the_reverse(tmp_path, a_beginning, an_exchange):
    for step, put in enumerate(
        [lambda j: j.begin(a_beginning(1)), lambda j: j.end(an_exchange(1)), lambda j: j.begin(a_beginning(1))]
    ):
        journal = Journal(tmp_path, redact)
        put(journal)
        journal.close()
        assert Writer(tmp_path).flush()
        assert outcomes() == {name(1): "interrupted" if step == 0 else "ok"}
    assert RequestContent.objects.count() == RequestAttempt.objects.count() == 1


@pytest.mark.parametrize("cut", [1, 7, 8, 20, 60])
def test_a_torn_tail_is_tolerated(tmp_path, an_exchange, a_beginning, cut):
    journal = Journal(tmp_path, redact)
    journal.begin(a_beginning(1))
    journal.end(an_exchange(2))
    whole = journal.segment.stat().st_size
    journal.end(an_exchange(1))
    path = journal.segment
    journal.close()
    os.truncate(path, whole + cut)
    writer = Writer(tmp_path)
    assert writer.flush()
    assert outcomes() == {name(1): "interrupted", name(2): "ok"}
    assert writer.stats.torn == 1
    assert segments(tmp_path) == []


def test_damaged_and_foreign_frames_are_counted_and_passed_over(tmp_path, an_exchange):
    journal = Journal(tmp_path, redact)
    for number in (1, 2):
        journal.end(an_exchange(number))
    path = journal.segment
    journal.close()
    data = bytearray(path.read_bytes())
    data[len(MAGIC) + HEAD.size + 40] ^= 1
    foreign = msgspec.msgpack.encode(["z", 1])
    data += HEAD.pack(len(foreign), zlib.crc32(foreign)) + foreign
    path.write_bytes(data)
    writer = Writer(tmp_path)
    assert writer.flush()
    assert outcomes() == {name(2): "ok"}
    assert (writer.stats.damaged, writer.stats.set_aside) == (1, 1)
    assert len(list(tmp_path.glob("*.aside"))) == 1


def test_a_file_that_is_no_segment_is_left_alone(tmp_path, journal, an_exchange):
    (tmp_path / "zz.journal").write_bytes(b"something else")
    (tmp_path / "empty.journal").write_bytes(b"")
    journal.end(an_exchange(1))
    writer = Writer(tmp_path, journal)
    assert writer.flush()
    assert outcomes() == {name(1): "ok"}
    assert (tmp_path / "zz.journal").read_bytes() == b"something else"


def test_zeros_at_the_end_of_a_segment_are_a_torn_tail(tmp_path, an_exchange):
    journal = Journal(tmp_path, redact)
    journal.end(an_exchange(1))
    path = journal.segment
    journal.close()
    with path.open("ab") as file:
        file.write(bytes(4096))
    writer = Writer(tmp_path)
    assert writer.flush()
    assert (outcomes(), writer.stats.torn) == ({name(1): "ok"}, 1)


def test_hostile_values_fit_into_their_columns(journal, tmp_path, an_exchange):
    long = "x\0" * 5000
    begun = {
        "caller_request_id": long, "client": long, "key": long, "dialect": long, "model": long, "path": long,
        "address": long, "user_agent": long, "session": long, "client_id": 2**63 - 1, "key_id": -5,
        "started": float("nan"),
    }  # fmt: skip
    journal.end(
        an_exchange(
            1, begun=begun, outcome="strange", status=10**9, error=long, message=long, upstream=long, finish=long,
            upstream_model=long, upstream_request_id=long, duration_ms=float("inf"), first_byte_ms=float("nan"),
            overhead_ms=-1.0, fresh_input=2**40, output=-1, proxy=long,
            attempts=[AttemptRecord(upstream=long, key=long, model=long, error=long, message=long, status=-9)] * 300,
            notes=[("\0", "\0", True)], extra={"\0": ["\0", float("nan"), 2**60, {"a": None}]},
        )
    )  # fmt: skip
    journal.end(an_exchange(2, begun={"started": 1e30}))
    journal.end(an_exchange(3, begun={"started": -1e30}))
    writer = Writer(tmp_path, journal)
    assert writer.flush()
    assert writer.stats.set_aside == 0
    log = RequestLog.objects.get(request_id=name(1))
    assert (log.outcome, log.model, log.status, log.fresh_input, log.output) == ("error", "x" * 200, None, None, None)
    assert (log.duration_ms, log.overhead_ms, log.key_id, log.client_id) == (None, None, None, 2**63 - 1)
    assert log.attempts.count() == 100
    assert outcomes().keys() == {name(1), name(2), name(3)}


def test_a_record_the_database_refuses_does_not_hold_up_the_others(journal, tmp_path, an_exchange, monkeypatch):
    real = writer_module.store

    def picky(batch, using):
        if any(rows.request_id == name(13) for rows in batch):
            raise ValueError("not this one")
        return real(batch, using)

    monkeypatch.setattr(writer_module, "store", picky)
    for number in range(30):
        journal.end(an_exchange(number))
    journal.end(an_exchange(99, begun={"request_id": ""}))
    writer = Writer(tmp_path, journal)
    assert writer.flush()
    assert outcomes().keys() == {name(n) for n in range(30) if n != 13}
    assert writer.stats.set_aside == 2
    (aside,) = tmp_path.glob("*.aside")
    kept = SegmentReader(aside).read().frames
    assert [frame.begun.request_id for frame in kept] == ["", name(13)]


def test_with_the_database_away_nothing_is_lost_and_a_stop_is_quick(journal, start, an_exchange, monkeypatch):
    real, away = writer_module.store, [True]

    def unreachable(batch, using):
        if away[0]:
            raise OperationalError("connection refused")
        return real(batch, using)

    monkeypatch.setattr(writer_module, "store", unreachable)
    writer = start(journal)
    for number in range(250):
        journal.end(an_exchange(number))
    assert not writer.flush(timeout=0.3)
    assert writer.stats.away_since is not None
    assert writer.stats.waiting_bytes > 0
    assert writer.stop(timeout=5), "a stop does not wait for a database that is away"
    assert journal.segment.exists()
    away[0] = False
    again = start(journal)
    assert again.flush()
    assert len(outcomes()) == 250
    assert again.stats.away_since is None


def test_a_database_that_comes_back_gets_what_waited(journal, start, an_exchange, monkeypatch):
    real, failures = writer_module.store, iter([True] * 3)

    def shaky(batch, using):
        if next(failures, False):
            raise OperationalError("database is locked")
        return real(batch, using)

    monkeypatch.setattr(writer_module, "store", shaky)
    writer = start(journal)
    journal.end(an_exchange(1))
    assert writer.flush(timeout=10)
    assert outcomes() == {name(1): "ok"}
    assert writer.stats.away_since is None


def test_a_locked_table_delays_history_and_loses_nothing(journal, running, an_exchange):
    held, release = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("LOCK TABLE proxyapp_requestlog IN EXCLUSIVE MODE")
            held.set()
            release.wait(10)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(5)
    for number in range(20):
        journal.end(an_exchange(number))
    assert not running.flush(timeout=0.5)
    release.set()
    holder.join()
    assert running.flush(timeout=15)
    assert len(outcomes()) == 20


def test_siblings_take_over_dead_workers_segments_without_sharing_one(tmp_path, start, an_exchange, a_beginning):
    for worker in range(6):
        journal = Journal(tmp_path, redact)
        for number in range(40):
            journal.end(an_exchange(100 * worker + number))
        journal.begin(a_beginning(100 * worker + 99))
        journal.close()
    writers = [start(Journal(tmp_path, redact)) for _ in range(3)]
    assert all(writer.flush(timeout=20) for writer in writers)
    for writer in writers:
        assert writer.stop()
    assert sum(writer.stats.taken_over for writer in writers) == 6
    assert sum(writer.stats.stored for writer in writers) == 6 * 41
    assert sum(writer.stats.interrupted for writer in writers) == 6
    assert RequestLog.objects.count() == 6 * 41
    assert segments(tmp_path) == []


def test_a_living_workers_segment_is_never_taken(tmp_path, journal, an_exchange):
    journal.end(an_exchange(1))
    stranger = Writer(tmp_path, Journal(tmp_path, redact))
    assert stranger.flush()
    assert outcomes() == {}
    assert journal.segment.exists()


VICTIM = """
import sys, time
from proxyapp.engine.journal import Journal
from proxyapp.engine.record import Begun, Content, Ended
journal = Journal(sys.argv[1], lambda data: data, segment_bytes=200_000)
started = time.time()
journal.begin(Begun(request_id="f" * 32, started=started))
number = 0
while True:
    begun = Begun(request_id=f"{number:032x}", started=started, model="m")
    journal.begin(begun)
    journal.end(Ended(begun=begun, status=200, content=Content(client_request=b"x" * 3000)))
    print(number, flush=True)
    number += 1
"""


@pytest.mark.parametrize("with_living_writer", [False, True])
def test_after_kill_9_what_was_answered_is_there_and_the_rest_interrupted(tmp_path, start, with_living_writer):
    writer = start() if with_living_writer else Writer(tmp_path)
    victim = subprocess.Popen([sys.executable, "-c", VICTIM, str(tmp_path)], stdout=subprocess.PIPE)
    lines = [victim.stdout.readline() for _ in range(400)]
    os.kill(victim.pid, signal.SIGKILL)
    lines += victim.stdout.readlines()
    victim.wait()
    victim.stdout.close()
    last = max(int(line) for line in lines if line.endswith(b"\n"))
    assert writer.flush(timeout=20)
    writer.stop()
    found = outcomes()
    assert found.pop("f" * 32) == "interrupted"
    assert all(found.get(name(number)) == "ok" for number in range(last + 1))
    assert len(found) <= last + 2
    assert segments(tmp_path) == []


def test_the_thread_outlives_a_fault_of_its_own(journal, start, an_exchange, monkeypatch):
    real, faults = writer_module.listing, iter([True] * 2)

    def faulty(directory):
        if next(faults, False):
            raise RuntimeError("a fault of ours")
        return real(directory)

    monkeypatch.setattr(writer_module, "listing", faulty)
    monkeypatch.setattr(writer_module, "LOOK_SECONDS", 0.02)
    writer = start(journal)
    journal.end(an_exchange(1))
    assert writer.flush()
    assert outcomes() == {name(1): "ok"}


def test_files_that_never_became_segments_are_swept_away(tmp_path, start):
    old, young = tmp_path / "a-1-1.000001.new", tmp_path / "a-1-2.000001.new"
    for path in (old, young):
        path.write_bytes(MAGIC)
    os.utime(old, (1, 1))
    start().flush()
    assert (old.exists(), young.exists()) == (False, True)


def test_stop_stores_what_is_there(tmp_path, start, journal, an_exchange):
    writer = start(journal, poll=5)
    for number in range(300):
        journal.end(an_exchange(number))
    journal.close()
    assert writer.stop(flush=True, timeout=10)
    assert len(outcomes()) == 300
    assert segments(tmp_path) == []


def test_an_idle_workers_segment_is_ended_when_it_is_old(tmp_path, journal, an_exchange, monkeypatch):
    monkeypatch.setattr(writer_module, "ROTATE_SECONDS", 0.0)
    journal.end(an_exchange(1))
    first = journal.segment
    writer = Writer(tmp_path, journal)
    assert writer.flush()
    assert not first.exists()
    assert outcomes() == {name(1): "ok"}


def test_the_record_classes_hold_nothing_the_rows_forget(an_exchange):
    """A new field of the records must find its place in the rows, or be listed here."""
    rows = to_rows(an_exchange(1))
    stored = {*rows.log, *rows.content, "attempts", "begun", "content", "started"}
    assert set(Ended.__struct_fields__) <= stored
    assert set(type(an_exchange(1).begun).__struct_fields__) <= stored


def test_the_same_exchanges_stored_by_two_at_once_are_there_once(an_exchange):
    def store_all(barrier):
        barrier.wait()
        for start in range(0, 60, 20):
            store([to_rows(an_exchange(number)) for number in range(start, start + 20)])
        connection.close()

    barrier = threading.Barrier(3)
    threads = [threading.Thread(target=store_all, args=(barrier,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert RequestLog.objects.count() == RequestAttempt.objects.count() == RequestContent.objects.count() == 60
