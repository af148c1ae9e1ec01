"""Moves finished exchanges from the journals to the database, in a thread with a connection of its own.

It tails the segments of its own process and takes over those of dead ones. The lock of a segment says who is alive,
the unique request id makes every step repeatable, and a segment is deleted only when all it holds is stored. With the
database away it waits, and the journals grow up to their bound.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from django.db import DatabaseError, InterfaceError, connections
from django.db.utils import DataError, IntegrityError

from proxyapp.engine.journal import Journal, process_name
from proxyapp.engine.record import Ended
from proxyapp.history.rows import Rows, interrupted, to_rows
from proxyapp.history.segments import BATCH, Aside, NotASegment, SegmentReader, listing
from proxyapp.history.store import mark_used, store

LOOK_SECONDS = 1.0
"""How often the directory is searched for segments of dead workers."""
MARK_SECONDS = 10.0
"""How often, at most, a busy writer writes down when keys were last used."""
MOST_TAKEN = 4
"""Dead workers' segments in hand at once: siblings shall have some too."""
BREATH_SECONDS = 0.002
"""Between two batches, for the event loop."""
LONGEST_WAIT = 10.0
"""Seconds between two tries to reach a database that is away."""
STALE_SECONDS = 3600.0
ROTATE_SECONDS = 900.0
"""An idle worker's segment is ended after this time, so that no body outlives its retention in a journal."""

POISON = (DataError, IntegrityError, ValueError, TypeError, OverflowError, RecursionError)
"""What a record raises that is itself at fault."""

log = logging.getLogger("dragoman.history")


class Away(Exception):
    """The database cannot be reached, is locked, or is not migrated: nothing is wrong with the records."""


class Stats(msgspec.Struct):
    """Since the start of this writer."""

    stored: int = 0
    interrupted: int = 0
    """Of `stored`, those whose process died while they ran."""
    set_aside: int = 0
    """Records that the database will not take, or that cannot be read; each is a loss."""
    damaged: int = 0
    """Frames with a wrong checksum; each is a loss."""
    torn: int = 0
    """Segments that end in the middle of a frame: their worker died while writing it, so it was not answered yet."""
    taken_over: int = 0
    """Segments of dead workers."""
    segments: int = 0
    """In hand now."""
    waiting_bytes: int = 0
    """In those, not yet stored."""
    away_since: float | None = None
    """Unix seconds; None = the database answers."""


class Writer:
    """`start` once, `stop` once, `flush` from any thread; without `start`, `flush` works in the caller's own.

    `journal`, when given, is the one whose segments are ended when they grow old without being full.
    """

    def __init__(
        self, directory: Path | str, journal: Journal | None = None, *, using: str = "default", poll: float = 0.2
    ) -> None:
        self.directory = Path(directory)
        self.stats = Stats()
        self._journal = journal
        self._using = using
        self._poll = poll
        self._own = journal.worker if journal else process_name()
        self._readers: dict[Path, SegmentReader] = {}
        self._strange: set[Path] = set()
        """Files in the directory that we cannot read; left alone."""
        self._aside = Aside(self.directory / f"{self._own}{Aside.SUFFIX}")
        self._looked = 0.0
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._used: dict[int, datetime] = {}
        self._marked = 0.0
        self._served = threading.Condition()
        self._asked = self._answered = 0
        self._stopping = False
        self._drain = True

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="history-writer", daemon=True)
        self._thread.start()

    def stop(self, flush: bool = True, timeout: float = 10.0) -> bool:
        """Ends the thread, after all that is on disk is stored when `flush`. False when it is not over in time."""
        self._drain = flush
        self._stopping = True
        self._wake.set()
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def flush(self, timeout: float = 10.0) -> bool:
        """Returns when all that was on disk is stored; False when that took longer or the database is away."""
        if self._thread is None or not self._thread.is_alive():
            return self._flush_here()
        with self._served:
            self._asked += 1
            ticket = self._asked
            self._wake.set()
            return self._served.wait_for(lambda: self._answered >= ticket, timeout)

    def _flush_here(self) -> bool:
        try:
            while self._pass(look=True):
                pass
        except Away:
            return False
        self._mark_used()
        return True

    def _run(self) -> None:
        self._sweep()
        try:
            while self._turn_safely():
                pass
        finally:
            for reader in self._readers.values():
                reader.close()
            connections[self._using].close()

    def _sweep(self) -> None:
        """Removes what a worker left that died between making a segment's file and naming it."""
        for path in self.directory.glob("*.new"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > STALE_SECONDS:
                    path.unlink()

    def _turn_safely(self) -> bool:
        try:
            return self._turn()
        except Exception:  # the thread must outlive whatever it meets: without it no history is written
            log.exception("history: the writer met a fault and goes on")
            self._pause(LOOK_SECONDS)
            return not self._stopping

    def _turn(self) -> bool:
        """One pass and the pause after it. False when the thread shall end."""
        ticket = self._asked
        look = ticket > self._answered or self._stopping or time.monotonic() - self._looked >= LOOK_SECONDS
        try:
            moved = self._pass(look) if self._drain else 0
        except Away as exc:
            return self._wait_for_database(exc)
        if moved:
            time.sleep(BREATH_SECONDS)
            return True
        if look:
            self._mark_used()
            with self._served:
                self._answered = ticket
                self._served.notify_all()
            if self._stopping:
                return False
        self._pause(self._poll)
        return True

    def _pause(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()

    def _wait_for_database(self, cause: Away) -> bool:
        """Ever longer pauses. A stop is not kept waiting: the journals stay for the next start."""
        now = time.time()
        if self.stats.away_since is None:
            self.stats.away_since = now
            log.warning("history waits on disk, the database is away: %s", cause)
        if self._stopping:
            return False
        self._pause(min(max(0.25, (now - self.stats.away_since) / 2), LONGEST_WAIT))
        return True

    def _pass(self, look: bool) -> int:
        """Moves one batch of every segment in hand. How many records that were. Raises Away."""
        if look:
            self._look()
        try:
            moved = sum(self._move_safely(reader) for reader in list(self._readers.values()))
        finally:
            self.stats.segments = len(self._readers)
            self.stats.waiting_bytes = sum(reader.waiting for reader in self._readers.values())
        if self.stats.away_since is not None and moved:
            log.warning("the database is back, history is being written")
            self.stats.away_since = None
        return moved

    def _look(self) -> None:
        """Finds new segments of our own, and those that nobody owns any more."""
        self._looked = time.monotonic()
        if self._journal:
            self._journal.rotate(older_than=ROTATE_SECONDS)
        for reader in self._readers.values():
            reader.take()  # ours until now; succeeds once it is full or its journal closed
        for path in listing(self.directory):
            if path not in self._readers and path not in self._strange:
                self._consider(path)

    def _consider(self, path: Path) -> None:
        is_own = path.name.startswith(self._own)
        taken = sum(reader.taken for reader in self._readers.values())
        if not is_own and taken >= MOST_TAKEN:
            return
        try:
            reader = SegmentReader(path)
        except NotASegment as exc:
            self._strange.add(path)
            log.error("history: %s; it is left alone", exc)
            return
        except OSError:
            return  # a sibling was quicker
        if reader.take():
            self.stats.taken_over += not is_own
            self._readers[path] = reader
        elif is_own:
            self._readers[path] = reader
        else:
            reader.close()

    def _move_safely(self, reader: SegmentReader) -> int:
        try:
            return self._move(reader)
        except Away:
            raise
        except Exception:  # whatever is wrong with one segment, the others go on
            log.exception("history: %s cannot be read; it is left alone until the next start", reader.path.name)
            self._strange.add(reader.path)
            self._drop(reader)
            return 0

    def _move(self, reader: SegmentReader) -> int:
        batch = reader.read()
        if batch.end > reader.offset:
            self._store(batch.ended)
            for payload in batch.refused:
                self._refuse(payload, "no record of ours")
            self._count_damage(reader, batch.damaged)
            reader.commit(batch)
            if reader.continued:
                self._looked = 0.0  # the next segment is there already
            return len(batch.frames) + len(batch.refused) + batch.damaged
        if reader.taken:
            return self._finish(reader)
        if not reader.path.exists():
            self._drop(reader)  # a sibling took it the moment it was full
        return 0

    def _finish(self, reader: SegmentReader) -> int:
        """A segment that nobody appends to was read to its end; a torn last frame is no exchange that was answered."""
        left = [] if reader.continued else [interrupted(begun) for begun in reader.open.values()]
        for start in range(0, len(left), BATCH):
            self._store(left[start : start + BATCH])
        if reader.waiting:
            self.stats.torn += 1
            log.warning("history: %s ends with %d bytes of an unfinished record", reader.path.name, reader.waiting)
        with contextlib.suppress(FileNotFoundError):
            reader.path.unlink()
        self._drop(reader)
        return 1

    def _drop(self, reader: SegmentReader) -> None:
        reader.close()
        del self._readers[reader.path]

    def _store(self, records: Sequence[Ended]) -> None:
        """Raises Away. Records that the database refuses are found and set aside, once the others are stored."""
        batch: list[tuple[Ended, Rows]] = []
        refused: list[tuple[Ended, Exception]] = []
        for record in records:
            try:
                batch.append((record, to_rows(record)))
            except POISON as exc:
                refused.append((record, exc))
        if batch:
            self._store_rows(batch, refused)
        for record, cause in refused:
            self._refuse(record, f"{record.begun.request_id}: {type(cause).__name__}")

    def _store_rows(self, batch: list[tuple[Ended, Rows]], refused: list[tuple[Ended, Exception]]) -> None:
        try:
            new = store([rows for _, rows in batch], self._using)
        except POISON as exc:
            if len(batch) == 1:
                refused.append((batch[0][0], exc))
                return
            middle = len(batch) // 2
            self._store_rows(batch[:middle], refused)
            self._store_rows(batch[middle:], refused)
            return
        except (DatabaseError, InterfaceError) as exc:
            connections[self._using].close()
            raise Away(f"{type(exc).__name__}: {exc}".splitlines()[0][:200]) from exc
        self.stats.stored += len(new)
        self.stats.interrupted += sum(not rows.is_complete for rows in new)
        self._note_use(new)

    def _note_use(self, stored: list[Rows]) -> None:
        """When keys were last used: kept here, written now and then and before a flush is answered."""
        for rows in stored:
            key, moment = rows.log["key_id"], rows.log["created_at"]
            if key:
                self._used[key] = max(moment, self._used.get(key, moment))
        if time.monotonic() - self._marked >= MARK_SECONDS:
            self._mark_used()

    def _mark_used(self) -> None:
        if not self._used:
            return
        used, self._used, self._marked = self._used, {}, time.monotonic()
        with contextlib.suppress(DatabaseError, InterfaceError):  # the rows are stored; this may come late
            mark_used(used, self._using)

    def _refuse(self, record: Ended | bytes, why: str) -> None:
        payload = record if isinstance(record, bytes) else msgspec.msgpack.encode(record)
        kept = self._aside.put(payload)
        self.stats.set_aside += 1
        log.error("history: a record was %s (%s)", f"put into {self._aside.path.name}" if kept else "dropped", why)

    def _count_damage(self, reader: SegmentReader, frames: int) -> None:
        if frames:
            self.stats.damaged += frames
            log.error("history: %d damaged records in %s", frames, reader.path.name)
