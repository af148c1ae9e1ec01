"""What one worker has counted, in a small file that its siblings read: any of them can answer for all.

A worker holds its file's lock for as long as it lives. One that begins goes on with the file and the counts of a dead
one, if there is any, so that no count is lost when a worker is replaced and files do not pile up; the first one of a
server (nobody else lives) begins from nothing, as counters do when a server starts.

    <random>.share   length crc32 payload    two little-endian unsigned 32 bit numbers, then msgpack

Written in place, in one write: a reader that meets a write in the middle sees it by the checksum and reads again.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import secrets
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from proxyapp.metrics.families import Family, Kind, Labels, Numbers

SUFFIX = ".share"
HEAD = struct.Struct("<II")
TRIES = 5
"""Readings of a file that is being written."""

log = logging.getLogger("dragoman.metrics")


class Counted(msgspec.Struct, array_like=True):
    """The numbers of one family."""

    family: Family
    values: list[tuple[Labels, Numbers]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Counted]).decode


class Share:
    """This worker's file. Everything here may raise OSError."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(directory):
            self._fd, self.inherited = self._begin()
        self._said = b""

    def _begin(self) -> tuple[int, list[Counted]]:
        """A locked file and what it held already."""
        dead: list[tuple[Path, int]] = []
        is_first = True
        for path in self._directory.glob(f"*{SUFFIX}"):
            fd = os.open(path, os.O_RDWR)
            if _lock(fd, fcntl.LOCK_EX):
                dead.append((path, fd))
            else:
                is_first = False
                os.close(fd)
        if dead and not is_first:
            (_, mine), *others = dead
            for _, fd in others:
                os.close(fd)
            return mine, [counted for counted in _read(mine) if counted.family.kind is not Kind.GAUGE]
        for path, fd in dead:
            path.unlink(missing_ok=True)
            os.close(fd)
        fd = os.open(self._directory / f"{secrets.token_hex(8)}{SUFFIX}", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        _lock(fd, fcntl.LOCK_EX)
        return fd, []

    def write(self, counted: list[Counted]) -> None:
        """What siblings read from now on, this worker's whole share, the inherited included."""
        payload = _encode(counted)
        if payload == self._said:
            return
        data = HEAD.pack(len(payload), zlib.crc32(payload)) + payload
        if os.pwrite(self._fd, data, 0) != len(data):
            raise OSError(errno.ENOSPC, "the disk is full")
        os.ftruncate(self._fd, HEAD.size + len(payload))
        self._said = payload

    def others(self) -> Iterator[Counted]:
        """What the other workers say. The dead ones' gauges are over; their counts stay."""
        mine = os.fstat(self._fd)
        for path in sorted(self._directory.glob(f"*{SUFFIX}")):
            with contextlib.suppress(FileNotFoundError):
                fd = os.open(path, os.O_RDONLY)
                try:
                    if not os.path.samestat(os.fstat(fd), mine):
                        is_dead = _lock(fd, fcntl.LOCK_SH)
                        yield from (c for c in _read(fd) if not (is_dead and c.family.kind is Kind.GAUGE))
                finally:
                    os.close(fd)

    def close(self) -> None:
        """From now on this worker counts as dead; its counts stay."""
        os.close(self._fd)


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One worker at a time begins."""
    fd = os.open(directory / "begin.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _lock(fd: int, how: int) -> bool:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(fd: int) -> list[Counted]:
    """The file's numbers; none of a file that is not ours or still empty."""
    for _ in range(TRIES):
        raw = os.pread(fd, os.fstat(fd).st_size, 0)
        if len(raw) < HEAD.size:
            return []
        length, checksum = HEAD.unpack_from(raw)
        payload = raw[HEAD.size : HEAD.size + length]
        if len(payload) == length and zlib.crc32(payload) == checksum:
            return _of_our_form(payload)
    log.warning("metrics: the numbers of one worker cannot be read; they are left out this once")
    return []


def _of_our_form(payload: bytes) -> list[Counted]:
    try:
        return _decode(payload)
    except msgspec.MsgspecError:  # of another version, which is being replaced
        return []
