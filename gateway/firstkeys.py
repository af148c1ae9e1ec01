"""The two secrets that a first start makes for itself, each in a file beside the SQLite database."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from gateway.environment import Environment, bad

WAIT_SECONDS = 2.0


def secret_or_file(env: Environment, name: str, path: Path | None, make: Callable[[], str]) -> str:
    """The variable, else what the file holds, else a fresh value that is kept in the file.

    `path` None means that the database is not SQLite: the value must be given, because several hosts may share it.
    """
    value = env.secret(name)
    if value:
        return value
    if env.is_set(name):
        raise bad(name, "is set but empty; leave it out altogether to have one made, or give a value")
    if path is None:
        raise ImproperlyConfigured(
            f"{name} must be set when DATABASE_URL is not SQLite: every process and host needs the same value. "
            f"It can also be given as a file in {name}_FILE."
        )
    return made_once(path, make)


def made_once(path: Path, make: Callable[[], str]) -> str:
    """Create the file with a fresh value (mode 0600), or read the one that another process created first."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # O_EXCL lets exactly one of several processes that start together be the maker.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read_when_written(path)
    except OSError as exc:
        raise ImproperlyConfigured(
            f"{path} cannot be created ({exc.strerror}). Make its directory writable, or set DRAGOMAN_DATA_DIR."
        )
    value = make()
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(value + "\n")
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return value


def put_first(path: Path, key: str) -> None:
    """Write `key` before the ones that the file holds. It is there whole or not at all, and several at once lose
    none. Raises ImproperlyConfigured."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(f"{key},{_read_when_written(path)}\n")
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
            os.fsync(folder)  # the name itself
        finally:
            os.close(folder)
    except OSError as exc:
        fresh.unlink(missing_ok=True)
        raise ImproperlyConfigured(f"{path} cannot be written ({exc.strerror}). Nothing was changed.")


def encryption_key() -> str:
    return Fernet.generate_key().decode("ascii")


def _read_when_written(path: Path) -> str:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            value = path.read_text(encoding="utf-8").strip()
        except OSError as exc:
            raise ImproperlyConfigured(f"{path} cannot be read ({exc.strerror}).")
        if value:
            return value
        if time.monotonic() > deadline:
            raise ImproperlyConfigured(f"{path} is empty. Restore it from a backup; if there is none, delete it.")
        time.sleep(0.02)
