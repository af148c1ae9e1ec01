"""The journal: every exchange is in a local file before its last byte is sent. No Django, no database, no fsync.

A worker appends to one segment file at a time and holds its lock for as long as it lives, so that a killed worker's
segments can be told from a living one's. `history.writer` moves the records to the database and deletes the segments.

    segment  MAGIC frame*            <host>-<pid>-<start>-<random>.<number>.journal, mode 0600
    frame    length crc32 payload    two little-endian unsigned 32 bit numbers, then a record in msgpack

A frame is one write, so that only the last one of a killed worker can be torn. When a segment is full the exchanges
that are still open are begun again in the next one, and `Continued` closes the old: only a segment without it can
hold exchanges that were interrupted.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import secrets
import socket
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec

from proxyapp.engine.record import Begun, Ended
from proxyapp.engine.scrub import Scrubber

MAGIC = b"DRAGOMAN JOURNAL 1\n"
SUFFIX = ".journal"
HEAD = struct.Struct("<II")
"""Length of the payload, crc32 of the payload."""
SEGMENT_BYTES = 16 * 2**20
MAX_TOTAL_BYTES = 2**30
DROP_AT = 1.25
"""Times `max_total_bytes`: from there on whole records are dropped; before, only their contents."""
LOOK_SECONDS = 1.0
"""How often the size of the directory is measured."""
LOG_SECONDS = 60.0

UNWRITABLE = (msgspec.MsgspecError, TypeError, AttributeError, ValueError, OverflowError, RecursionError)
"""What encoding a record with impossible values may raise."""

log = logging.getLogger("dragoman.journal")


class Continued(msgspec.Struct, array_like=True, tag="c"):
    """The last frame of a full segment: what is open here was begun again in `successor`."""

    successor: str


Frame = Begun | Ended | Continued


def process_name() -> str:
    """Begins the name of every segment that this process makes, and perhaps of one that had its number before."""
    host = "".join(c if c.isalnum() else "_" for c in socket.gethostname())[:40]
    return f"{host}-{os.getpid()}-"


class Segment:
    """One open segment file and its lock."""

    def __init__(self, path: Path) -> None:
        """Raises OSError. The file gets its name once it is locked: nobody can mistake it for a dead worker's."""
        self.path = path
        self.size = len(MAGIC)
        self.torn = False
        """Holds part of a frame that could not be taken back: nothing may follow it."""
        self.born = time.monotonic()
        unnamed = path.with_suffix(".new")
        self.fd = os.open(unnamed, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(self.fd, MAGIC)
            os.rename(unnamed, path)
        except OSError:
            os.close(self.fd)
            with contextlib.suppress(OSError):
                os.unlink(unnamed)
            raise

    def append(self, frame: bytearray) -> None:
        """Raises OSError, and leaves no part of the frame behind; when that fails too the segment is `torn`."""
        written = os.write(self.fd, frame)
        if written == len(frame):
            self.size += written
            return
        self.torn = True
        os.ftruncate(self.fd, self.size)
        self.torn = False
        raise OSError(errno.ENOSPC, f"only {written} of {len(frame)} bytes could be written")

    def close(self) -> None:
        """Gives the lock back."""
        with contextlib.suppress(OSError):
            os.close(self.fd)


class Journal:
    """A worker's journal. `begin` and `end` are called from the event loop and never raise; the rest from any thread.

    `lost` counts exchanges that could not be kept, by reason: disk (an OSError), full (the directory is over its
    bound), unwritable (a value that cannot be encoded). `contents_left_out` counts those kept without their bodies.
    """

    def __init__(
        self,
        directory: Path | str,
        redact: Callable[[bytes], bytes],
        segment_bytes: int = SEGMENT_BYTES,
        max_total_bytes: int = MAX_TOTAL_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.directory = Path(directory)
        self.worker = f"{process_name()}{time.time_ns():x}-{secrets.token_hex(4)}"
        """Begins the name of each of this worker's segments."""
        self.lost: Counter[str] = Counter()
        self.contents_left_out = 0
        self._scrub = Scrubber(redact)
        self._encode_into = msgspec.msgpack.Encoder().encode_into
        self._segment_bytes = segment_bytes
        self._max_total_bytes = max_total_bytes
        self._drop_bytes = int(max_total_bytes * DROP_AT)
        self._clock = clock
        self._open: dict[str, Begun] = {}
        self._segment: Segment | None = None
        self._number = 0
        self._elsewhere = 0
        """Bytes of all other segments in the directory, as of the last look."""
        self._looked = self._logged = -LOG_SECONDS
        self._reported = 0
        self._trouble = ""
        """What the last OSError said."""
        self._lock = threading.Lock()
        self._closed = False

    def begin(self, record: Begun) -> None:
        """An exchange was admitted."""
        try:
            clean = self._scrub.begun(record)
            frame = self._frame(clean)
        except UNWRITABLE:
            return  # its end will be counted
        with self._lock:
            self._look()
            if self.bytes < self._drop_bytes:
                self._put(frame)
            self._open[record.request_id] = clean

    def end(self, record: Ended) -> None:
        """An exchange is over. On return it is on disk, or counted in `lost`."""
        try:
            clean = self._scrub.ended(record)
            frame = self._frame(clean)
            slim = None if clean.content is None else msgspec.structs.replace(clean, content=None)
        except UNWRITABLE:
            with self._lock:
                self._open.pop(record.begun.request_id, None)
                self._lose("unwritable")
            return
        with self._lock:
            reason = self._keep(frame, slim)
            if reason:
                self._lose(reason)
            # Only now: should the segment turn just before, its beginning must have come along.
            self._open.pop(record.begun.request_id, None)

    def rotate(self, older_than: float = 0.0) -> None:
        """Begins a new segment when the present one holds records and is older than `older_than` seconds."""
        with self._lock:
            segment = self._segment
            if segment and segment.size > len(MAGIC) and time.monotonic() - segment.born >= older_than:
                with contextlib.suppress(OSError):
                    self._turn()

    def close(self) -> None:
        """Gives the segment up. Exchanges that are still open become `interrupted`; later calls count as lost."""
        with self._lock:
            self._closed = True
            if self._segment:
                self._segment.close()
                self._segment = None

    @property
    def segment(self) -> Path | None:
        """The file being written."""
        return self._segment.path if self._segment else None

    @property
    def bytes(self) -> int:
        """Size of all segments in the directory, of the last look and what was written since."""
        return self._elsewhere + (self._segment.size if self._segment else 0)

    def _frame(self, record: Frame) -> bytearray:
        frame = bytearray(HEAD.size)
        self._encode_into(record, frame, HEAD.size)
        with memoryview(frame) as view:
            crc = zlib.crc32(view[HEAD.size :])
        HEAD.pack_into(frame, 0, len(frame) - HEAD.size, crc)
        return frame

    def _keep(self, frame: bytearray, slim: Ended | None) -> str:
        """Writes the frame, or else the record without its contents. Gives the reason when neither was written."""
        self._look()
        if self.bytes >= self._drop_bytes:
            return "full"
        if (slim is None or self.bytes < self._max_total_bytes) and self._put(frame):
            return ""
        if slim is None or not self._put(self._frame(slim)):
            return "disk"
        self.contents_left_out += 1
        return ""

    def _put(self, frame: bytearray) -> bool:
        try:
            self._room_for(len(frame)).append(frame)
        except OSError as exc:
            self._trouble = exc.strerror or str(exc)
            return False
        return True

    def _room_for(self, size: int) -> Segment:
        segment = self._segment
        if segment is None or segment.torn:
            return self._turn()
        if segment.size + size > self._segment_bytes and segment.size > len(MAGIC):
            return self._turn()
        return segment

    def _turn(self) -> Segment:
        """The next segment, with what is open begun again in it; only then is the old one marked as continued."""
        if self._closed:
            raise OSError("the journal is closed")
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        old = self._segment
        self._number += 1
        new = Segment(self.directory / f"{self.worker}.{self._number:06d}{SUFFIX}")
        try:
            if self._open:
                new.append(bytearray().join(self._frame(record) for record in self._open.values()))
        except OSError:
            new.close()
            with contextlib.suppress(OSError):
                new.path.unlink()
            raise
        self._segment = new
        if old:
            self._elsewhere += old.size
            if not old.torn:
                with contextlib.suppress(OSError):
                    old.append(self._frame(Continued(new.path.name)))
            old.close()
        return new

    def _look(self) -> None:
        """Once a second: how full the directory is, and whether our own file is still in it."""
        now = self._clock()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        try:
            with os.scandir(self.directory) as entries:
                sizes = {entry.name: entry.stat().st_size for entry in entries if not entry.name.endswith(".new")}
        except FileNotFoundError:
            sizes = {}
        except OSError:
            return
        if self._segment and sizes.pop(self._segment.path.name, None) is None:
            self._segment.close()
            self._segment = None  # somebody removed it: the next record begins another
        self._elsewhere = sum(sizes.values())

    def _lose(self, reason: str) -> None:
        self.lost[reason] += 1
        now = self._clock()
        if now - self._logged < LOG_SECONDS:
            return
        self._logged = now
        cause = self._trouble if reason == "disk" else reason
        log.error("history: %d exchanges lost since the last notice: %s", self.lost.total() - self._reported, cause)
        self._reported = self.lost.total()
