"""The journal: framing, locks, rotation, bounds, and that no fault of the disk reaches a request."""

import fcntl
import itertools
import logging
import os
import threading
import time
import zlib

import msgspec
import pytest

from proxyapp.engine.journal import DROP_AT, HEAD, MAGIC, Continued, Frame, Journal
from proxyapp.engine.record import AttemptRecord, Begun, Content, Ended

KEY = "sk-dg-Zb3k9Qw7LmN0pRsTuVwXyZ"


def hide(data):
    return data.replace(KEY.encode(), b"[redacted]")


def begun(number=1, **changes):
    return Begun(**{"request_id": f"{number:032x}", "started": 1_700_000_000.25, "model": "m", **changes})


def ended(number=1, begun_with=None, **changes):
    return Ended(begun=begun(number, **(begun_with or {})), **changes)


@pytest.fixture
def make(tmp_path):
    """Journals in one directory, closed at the end."""
    made = []

    def journal(**options):
        made.append(Journal(tmp_path, hide, **options))
        return made[-1]

    yield journal
    for each in made:
        each.close()


def frames(path):
    data = path.read_bytes()
    assert data.startswith(MAGIC)
    at, found = len(MAGIC), []
    while at < len(data):
        length, crc = HEAD.unpack_from(data, at)
        payload = data[at + HEAD.size : at + HEAD.size + length]
        assert zlib.crc32(payload) == crc
        found.append(msgspec.msgpack.decode(payload, type=Frame))
        at += HEAD.size + length
    return found


def segments(directory):
    return sorted(directory.glob("*.journal"))


def all_frames(directory):
    return [frame for path in segments(directory) for frame in frames(path)]


def is_locked(path):
    with path.open("rb+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def test_records_come_back_as_they_were_put(make, tmp_path):
    journal = make()
    first, last = begun(), ended(output=7, attempts=[AttemptRecord(upstream="u", status=200)])
    journal.begin(first)
    journal.end(last)
    assert all_frames(tmp_path) == [first, last]
    assert journal.segment.parent == tmp_path
    assert journal.lost.total() == 0


def test_a_record_is_on_disk_when_the_call_returns(make, tmp_path):
    journal = make()
    for number in range(20):
        journal.begin(begun(number))
        assert len(all_frames(tmp_path)) == number + 1


def test_files_are_for_the_owner_alone(make, tmp_path):
    journal = Journal(tmp_path / "new" / "journal", hide)
    journal.begin(begun())
    assert journal.segment.stat().st_mode & 0o777 == 0o600
    assert journal.segment.parent.stat().st_mode & 0o777 == 0o700
    journal.close()


def test_the_segment_is_locked_as_long_as_its_owner_lives(make):
    journal = make()
    journal.begin(begun())
    path = journal.segment
    assert is_locked(path)
    journal.close()
    assert not is_locked(path)


def test_two_journals_never_share_a_name(make, tmp_path):
    for number in range(10):
        make().begin(begun(number))
    assert len(segments(tmp_path)) == 10
    assert all(is_locked(path) for path in segments(tmp_path))


def test_secrets_are_taken_out_of_every_body_and_every_string(make, tmp_path):
    journal = make()
    body = f'{{"key": "{KEY}"}}'.encode()
    texts = {"model": f"m {KEY}", "path": f"/v1?key={KEY}", "user_agent": KEY, "caller_request_id": KEY, "session": KEY}
    journal.begin(begun(**texts))
    journal.end(
        ended(
            begun_with=texts,
            message=f"bad key {KEY}",
            upstream_model=KEY,
            attempts=[AttemptRecord(upstream="u", message=KEY, model=KEY, proxy=KEY)],
            notes=[(KEY, f"dropped {KEY}", True)],
            content=Content(client_request=body, upstream_request=body, upstream_answer=body, client_answer=body),
            extra={"deep": [{KEY: KEY}]},
        )
    )
    assert KEY.encode() not in journal.segment.read_bytes()
    first, last = all_frames(tmp_path)
    assert first.model == last.begun.model == "m [redacted]"
    assert last.content.client_answer == b'{"key": "[redacted]"}'
    assert last.notes == [("[redacted]", "dropped [redacted]", True)]
    assert last.extra == {"deep": [{"[redacted]": "[redacted]"}]}


def test_a_rotation_begins_again_what_is_open(make, tmp_path):
    journal = make(segment_bytes=600)
    journal.begin(begun(1))
    journal.begin(begun(2))
    journal.end(ended(2))
    for number in range(10, 20):
        journal.begin(begun(number))
        journal.end(ended(number))
    parts = [frames(path) for path in segments(tmp_path)]
    assert len(parts) > 2
    for part, following in itertools.pairwise(parts):
        assert isinstance(part[-1], Continued)
        assert begun(1) in part
        assert begun(2) not in following
    assert parts[-2][-1].successor == segments(tmp_path)[-1].name
    assert begun(1) in parts[-1]
    journal.end(ended(1))
    assert all_frames(tmp_path)[-1] == ended(1)


def test_an_exchange_that_ends_as_the_segment_turns_is_in_the_new_one_from_its_beginning(make, tmp_path):
    journal = make(segment_bytes=600)
    journal.begin(begun(1))
    journal.end(ended(1, message="x" * 600))
    last = frames(segments(tmp_path)[-1])
    assert last[0] == begun(1)
    assert last[-1].begun == begun(1)


def test_full_segments_are_unlocked_and_the_present_one_is_not(make, tmp_path):
    journal = make(segment_bytes=400)
    for number in range(12):
        journal.end(ended(number))
    *full, present = segments(tmp_path)
    assert full
    assert not any(is_locked(path) for path in full)
    assert is_locked(present)


def test_an_old_segment_can_be_ended_from_outside(make, tmp_path):
    journal = make()
    journal.rotate()
    assert segments(tmp_path) == []
    journal.begin(begun())
    journal.rotate(older_than=3600)
    assert len(segments(tmp_path)) == 1
    journal.rotate()
    assert len(segments(tmp_path)) == 2
    assert all_frames(tmp_path)[-1] == begun()


def test_over_its_bound_the_journal_leaves_out_contents_then_records(make, tmp_path):
    clock = [0.0]
    journal = make(max_total_bytes=10_000, clock=lambda: clock[0])
    body = Content(client_request=b"x" * 1000)

    def put(count):
        for number in range(count):
            clock[0] += 2
            journal.end(ended(number, content=body))

    put(8)
    assert all(frame.content for frame in all_frames(tmp_path))
    put(10)
    assert journal.contents_left_out
    assert all_frames(tmp_path)[-1].content is None
    assert journal.lost.total() == 0
    put(100)
    assert journal.lost["full"] > 0
    assert journal.bytes <= 10_000 * DROP_AT + 200
    assert len(all_frames(tmp_path)) + journal.lost["full"] == 118
    for path in tmp_path.iterdir():
        path.unlink()
    put(1)
    assert all_frames(tmp_path)[-1].content == body


def test_bytes_of_other_workers_count(make, tmp_path):
    (tmp_path / "other-1-aa.000001.journal").write_bytes(b"x" * 13_000)
    journal = make(max_total_bytes=10_000)
    journal.end(ended())
    assert journal.lost["full"] == 1


def test_a_full_disk_never_reaches_a_request_and_is_logged_once_a_minute(make, tmp_path, monkeypatch, caplog):
    clock = [0.0]
    journal = make(clock=lambda: clock[0])
    journal.end(ended(1))
    real = os.write

    def full(fd, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with caplog.at_level(logging.ERROR, "dragoman.journal"):
        for number in range(50):
            journal.begin(begun(number))
            journal.end(ended(number))
        assert len(caplog.records) == 1
        clock[0] += 61
        journal.end(ended(60))
        assert [record.getMessage() for record in caplog.records][-1] == (
            "history: 50 exchanges lost since the last notice: No space left on device"
        )
    assert journal.lost == {"disk": 51}
    monkeypatch.setattr(os, "write", real)
    journal.end(ended(70))
    assert all_frames(tmp_path)[-1] == ended(70)


def test_a_half_written_frame_is_taken_back(make, tmp_path, monkeypatch):
    journal = make()
    journal.end(ended(1))
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data)[: len(data) // 2]))
    journal.end(ended(2))
    monkeypatch.setattr(os, "write", real)
    journal.end(ended(3))
    assert all_frames(tmp_path) == [ended(1), ended(3)]
    assert journal.lost == {"disk": 1}


def test_when_the_contents_do_not_fit_on_the_disk_the_record_may(make, tmp_path, monkeypatch):
    journal = make()
    real = os.write

    def tight(fd, data):
        if len(data) > 1000:
            raise OSError(28, "No space left on device")
        return real(fd, data)

    monkeypatch.setattr(os, "write", tight)
    journal.end(ended(1, content=Content(client_request=b"x" * 5000)))
    assert all_frames(tmp_path) == [ended(1)]
    assert journal.contents_left_out == 1


def test_an_unusable_directory_never_reaches_a_request(tmp_path):
    (tmp_path / "file").write_text("in the way")
    journal = Journal(tmp_path / "file", hide)
    journal.begin(begun())
    journal.end(ended())
    assert journal.lost == {"disk": 1}
    journal.close()
    journal.end(ended(2))
    assert journal.lost == {"disk": 2}


def test_a_directory_that_was_removed_is_made_again(make, tmp_path):
    clock = [0.0]
    journal = Journal(tmp_path / "journal", hide, clock=lambda: clock[0])
    journal.begin(begun(1))
    journal.segment.unlink()
    (tmp_path / "journal").rmdir()
    clock[0] += 2
    journal.end(ended(2))
    assert all_frames(tmp_path / "journal") == [begun(1), ended(2)]
    journal.close()


@pytest.mark.parametrize(
    "strange",
    [
        {"extra": {"x": object()}},
        {"extra": {"x": 2**70}},
        {"output": 2**70},
        {"attempts": [None]},
        {"notes": [1]},
    ],
)
def test_a_record_that_cannot_be_written_is_counted(make, strange):
    journal = make()
    journal.end(ended(**strange))
    assert journal.lost == {"unwritable": 1}


def test_half_surrogates_and_missing_texts_are_made_writable(make, tmp_path):
    journal = make()
    journal.begin(begun(model="\ud800x", address=None))
    journal.end(ended(message="\udfff", begun_with={"model": "\ud800x"}))
    first, last = all_frames(tmp_path)
    assert (first.model, first.address, last.message) == ("?x", "", "?")
    assert journal.lost.total() == 0


def test_threads_may_use_it_at_once(make, tmp_path):
    journal = make(segment_bytes=5_000)

    def put(start):
        for number in range(start, start + 100):
            journal.begin(begun(number))
            journal.end(ended(number))

    threads = [threading.Thread(target=put, args=(1000 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        journal.rotate()
        time.sleep(0.001)
    for thread in threads:
        thread.join()
    found = [frame for frame in all_frames(tmp_path) if isinstance(frame, Ended)]
    assert sorted(frame.begun.request_id for frame in found) == sorted(
        f"{1000 * n + i:032x}" for n in range(4) for i in range(100)
    )
