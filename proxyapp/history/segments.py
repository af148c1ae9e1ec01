"""Reads the workers' journal segments: frames, torn tails, and the lock that tells the living from the dead.

The counterpart of `engine.journal`, which writes them. Imports no Django.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from proxyapp.engine.journal import HEAD, MAGIC, SUFFIX, Frame
from proxyapp.engine.record import Begun, Ended

CHUNK_BYTES = 4 * 2**20
"""Read at once; a longer frame is read by itself."""
BATCH = 100
"""Finished exchanges in one batch: what the database thread does in one go without stalling the event loop."""
LARGEST_FRAME = 2**30
PATIENCE = 5
"""Times a living segment's damaged frame is read again before it is believed."""

_decode = msgspec.msgpack.Decoder(Frame).decode


class Batch(msgspec.Struct):
    """What was read, not yet committed."""

    frames: list[Frame] = msgspec.field(default_factory=list)
    refused: list[bytes] = msgspec.field(default_factory=list)
    """Whole payloads that are no record of ours."""
    damaged: int = 0
    """Frames whose checksum is wrong."""
    end: int = 0
    """Offset behind the last frame."""

    @property
    def ended(self) -> list[Ended]:
        return [frame for frame in self.frames if isinstance(frame, Ended)]


class SegmentReader:
    """One segment, read from its beginning on. Raises OSError when made for a file that is gone or is no segment."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDWR)
        if os.pread(self.fd, len(MAGIC), 0) != MAGIC:
            os.close(self.fd)
            raise NotASegment(f"{path.name} does not begin like a segment")
        self.offset = len(MAGIC)
        self.open: dict[str, Begun] = {}
        """Begun and not ended, up to `offset`."""
        self.continued = False
        """What is open goes on in another segment."""
        self.taken = False
        """The lock is ours: its owner is dead or done with it, nothing will be appended."""
        self._doubts = 0

    def take(self) -> bool:
        """Tries to get the lock; at most one reader anywhere succeeds."""
        if self.taken:
            return True
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another reader may have had it before, and deleted it.
            self.taken = os.stat(self.path).st_ino == os.fstat(self.fd).st_ino
        except OSError:
            return False
        return self.taken

    def read(self) -> Batch:
        """What follows `offset`, up to BATCH finished exchanges. An incomplete frame is left for later."""
        batch = Batch(end=self.offset)
        finished = 0
        for payload, end in self._payloads():
            if payload is None:
                batch.damaged += 1
            else:
                finished += self._take_in(batch, payload)
            batch.end = end
            if finished >= BATCH:
                break
        return batch

    def commit(self, batch: Batch) -> None:
        """The batch is safe elsewhere: the next one begins behind it."""
        for frame in batch.frames:
            if isinstance(frame, Begun):
                self.open[frame.request_id] = frame
            elif isinstance(frame, Ended):
                self.open.pop(frame.begun.request_id, None)
            else:
                self.continued = True
        self.offset = batch.end

    @property
    def waiting(self) -> int:
        """Bytes behind `offset`."""
        return max(os.fstat(self.fd).st_size - self.offset, 0)

    def delete(self) -> None:
        """Removes the file, while still holding its lock."""
        os.unlink(self.path)
        self.close()

    def close(self) -> None:
        os.close(self.fd)

    @staticmethod
    def _take_in(batch: Batch, payload: memoryview) -> bool:
        try:
            frame = _decode(payload)
        except (msgspec.MsgspecError, RecursionError):
            batch.refused.append(bytes(payload))
            return True
        batch.frames.append(frame)
        return isinstance(frame, Ended)

    def _payloads(self) -> Iterator[tuple[memoryview | None, int]]:
        """(payload, or None when damaged; offset behind it), as long as frames are whole."""
        data = memoryview(os.pread(self.fd, CHUNK_BYTES, self.offset))
        at = 0
        while len(data) - at >= HEAD.size:
            length, crc = HEAD.unpack_from(data, at)
            if not 0 < length <= LARGEST_FRAME:
                return  # no frame of ours begins like this: what follows cannot be told apart
            end = at + HEAD.size + length
            if end > len(data) and at == 0:
                data = memoryview(os.pread(self.fd, end, self.offset))
            if end > len(data):
                return
            payload = data[at + HEAD.size : end]
            if zlib.crc32(payload) == crc:
                self._doubts = 0
                yield payload, self.offset + end
            elif self._believes_damage():
                yield None, self.offset + end
            else:
                return
            at = end

    def _believes_damage(self) -> bool:
        """A frame being taken back and written anew by its living owner looks damaged for a moment."""
        self._doubts += 1
        return self.taken or self._doubts > PATIENCE


class Aside:
    """A file for records that found no place in the database, in the journal's own form and bounded."""

    SUFFIX = ".aside"
    MOST_BYTES = 16 * 2**20

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self, payload: bytes) -> bool:
        """False when there is no room, or the disk will not take it."""
        frame = HEAD.pack(len(payload), zlib.crc32(payload)) + payload
        try:
            fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                size = os.fstat(fd).st_size
                fits = size + len(frame) <= self.MOST_BYTES
                return fits and bool(os.write(fd, frame if size else MAGIC + frame))
            finally:
                os.close(fd)
        except OSError:
            return False


class NotASegment(OSError):
    """The file does not begin with the journal's mark."""


def listing(directory: Path) -> list[Path]:
    """All segments, the oldest of each worker first."""
    return sorted(directory.glob(f"*{SUFFIX}"))
