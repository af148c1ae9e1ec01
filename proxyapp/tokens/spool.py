"""A new pair of tokens on disk, from the moment it was read until the database has it.

The token server has forgotten the old refresh token by then; a crash, or a database that is away, must not lose the
new one. A file is encrypted and authenticated, so one that was cut short in the writing is known as such: no renaming
is needed to make it whole or absent.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog
from cryptography.fernet import InvalidToken
from django.conf import settings
from msgspec import Struct

from proxyapp.fields import cipher

log = structlog.get_logger(__name__)

ENDING, ASIDE = ".spool", ".aside"


class Kept(Struct, kw_only=True):
    """A pair that was granted, and what it replaces."""

    token: int
    """Primary key of the row."""
    generation: int
    """The row's, before this pair."""
    parent: str
    """Digest of the refresh token that was shown for it."""
    seed_digest: str
    """Digest of the configured refresh token that the pair grew from."""
    config_digest: str
    """The row's, as it was asked for."""
    access_token: str
    refresh_token: str
    expires_at: float
    """Unix seconds, as all times here."""
    due_at: float

    def __repr__(self) -> str:
        return f"Kept(token={self.token}, generation={self.generation})"


def directory() -> Path:
    return Path(settings.DATA_DIR) / "tokens"


def keep(kept: Kept) -> Path | None:
    """Write it and see it to the disk. None when that cannot be done, which is logged: the database is the better
    place anyhow, and it comes next."""
    path = directory() / f"{kept.token}-{kept.generation}-{secrets.token_hex(8)}{ENDING}"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(path, cipher().encrypt(msgspec.json.encode(kept)))
    except OSError as exc:
        log.warning("token_not_kept_on_disk", path=str(path), reason=exc.strerror)
        forget(path)
        return None
    return path


def _write(path: Path, data: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(file, left) :]
        os.fsync(file)
    finally:
        os.close(file)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name itself
    finally:
        os.close(folder)


def waiting() -> Iterator[Path]:
    """Files that no database has taken yet, the oldest first."""
    found = []
    for path in directory().glob(f"*{ENDING}"):
        with suppress(OSError):  # another process took it away in this moment
            found.append((path.stat().st_mtime, path))
    yield from (path for _, path in sorted(found))


def read(path: Path) -> Kept | None:
    """None when it is gone, cut short, or encrypted with a key that is not known."""
    try:
        return msgspec.json.decode(cipher().decrypt(path.read_bytes()), type=Kept)
    except (OSError, InvalidToken, msgspec.DecodeError):
        return None


def forget(path: Path) -> None:
    """The database has it."""
    try:
        path.unlink(missing_ok=True)
    except OSError as exc:
        log.warning("token_file_not_removed", path=str(path), reason=exc.strerror)


def put_aside(path: Path, reason: str) -> None:
    """Kept for an operator to look at, never taken up again by itself."""
    try:
        path.rename(path.with_suffix(ASIDE))
    except FileNotFoundError:
        return
    except OSError as exc:
        reason = f"{reason} It cannot be renamed ({exc.strerror})."
    log.warning("token_file_put_aside", path=str(path), reason=reason)
