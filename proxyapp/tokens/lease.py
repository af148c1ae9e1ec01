"""Who may refresh a token now: one holder at a time, over processes and hosts, by compare-and-set on its row.

A lease is a name and an end by the database's clock. Names are never used twice, so a row that still shows the name
that was read has not changed hands in between.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

from django.db import Error

from proxyapp.models import OAuthToken

SECONDS = 120.0
"""Longer than a refresh can take: 30 s for the token server, and the database's own patience (20 s) when saving."""


def new_holder() -> str:
    """`host/place/pid/start/nonce`: enough to tell whether the process is still there, when it is on this host."""
    pid = os.getpid()
    return "/".join([_host(), _place(), str(pid), _started(pid), secrets.token_hex(8)])


def host_of(holder: str) -> str:
    return holder.partition("/")[0]


def is_here(holder: str) -> bool:
    """Did it begin on this host, where its spool files would lie?"""
    return holder.split("/")[:2] == [_host(), _place()]


def is_dead(holder: str) -> bool:
    """The process was on this host and is gone. False whenever that cannot be known."""
    parts = holder.split("/")
    if len(parts) != 5 or not is_here(holder) or not parts[2].isdecimal():
        return False
    return _started(int(parts[2])) != parts[3]


def is_free(token: OAuthToken, now: datetime) -> bool:
    """May the token be taken? `now` by the database's clock."""
    return (
        not token.lease_holder or token.lease_until is None or token.lease_until <= now or is_dead(token.lease_holder)
    )


def take(token: OAuthToken, now: datetime) -> str:
    """The new holder's name; "" when another was quicker. Raises django.db.Error."""
    holder = new_holder()
    free = OAuthToken.objects.filter(pk=token.pk, generation=token.generation, lease_holder=token.lease_holder)
    taken = free.update(lease_holder=holder, lease_until=now + timedelta(seconds=SECONDS))
    return holder if taken else ""


def give_back(pk: int, holder: str) -> None:
    """Raises django.db.Error; the lease ends by itself then."""
    OAuthToken.objects.filter(pk=pk, lease_holder=holder).update(lease_holder="", lease_until=None)


@contextmanager
def held(pk: int, holder: str) -> Iterator[None]:
    """Gives the lease back at the end, if it can; what went wrong inside matters more."""
    try:
        yield
    finally:
        with suppress(Error):
            give_back(pk, holder)


def _host() -> str:
    return socket.gethostname().replace("/", "-")[:100] or "host"


@lru_cache(maxsize=1)
def _place() -> str:
    """What process numbers mean something in: this start of this machine, and this container. "" where the system
    does not tell (other than Linux); the host's name must do then."""
    try:
        words = Path("/proc/sys/kernel/random/boot_id").read_text() + os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
    return hashlib.sha256(words.encode()).hexdigest()[:12]


def _started(pid: int) -> str:
    """When the process began, in the system's own count, so that a number that was given away again is noticed. "" for
    one that is gone or a zombie."""
    try:
        # The name in parentheses may hold anything, also spaces and parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _asked(pid)
    return "" if fields[0] in ("Z", "X") else fields[19]


def _asked(pid: int) -> str:
    """The same where there is no /proc: only whether it is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "alive"
