"""Pairs that a crash or an absent database left on disk, taken into the database at the next occasion."""

from __future__ import annotations

import time
from pathlib import Path

import structlog

from proxyapp.fields import SecretUnreadable
from proxyapp.models import OAuthToken
from proxyapp.tokens import rows, spool

log = structlog.get_logger(__name__)

YOUNG_SECONDS = 300.0
"""A file that cannot be read and is younger may be one that a process is writing in this moment."""


def recover(pk: int | None = None) -> int:
    """How many pairs were saved, of one token or of all. Raises django.db.Error; the files stay then.

    Any process may do so at any time, also while another is about to save the same pair: the one that comes second
    finds it saved.
    """
    return sum(_taken(path, pk) for path in spool.waiting())


def _taken(path: Path, only: int | None) -> bool:
    if only is not None and not path.name.startswith(f"{only}-"):
        return False
    pair = spool.read(path)
    if pair is None:
        return _unreadable(path)
    token = OAuthToken.objects.filter(pk=pair.token).first()
    if token is None:
        spool.put_aside(path, "Its token is not configured any more.")
        return False
    try:
        secrets = rows.opened(token)
    except SecretUnreadable as exc:
        log.warning("token_file_waits", path=str(path), reason=str(exc))
        return False
    if rows.digest(secrets.refresh_token) == rows.digest(pair.refresh_token) and token.generation > pair.generation:
        spool.forget(path)  # it was saved, and only the file was left
        return False
    is_parent = pair.parent in (rows.digest(secrets.seed), rows.digest(secrets.refresh_token))
    if token.generation != pair.generation or not is_parent or not rows.store(pair):
        spool.put_aside(path, f"The token {token} has moved on to a newer pair.")
        return False
    spool.forget(path)
    log.warning("token_recovered_from_disk", which=str(token), generation=pair.generation + 1)
    return True


def _unreadable(path: Path) -> bool:
    try:
        age = time.time() - path.stat().st_mtime
    except OSError:  # taken by another process
        return False
    if age > YOUNG_SECONDS:
        spool.put_aside(path, "It was cut short in the writing, or encrypted with a key that is not known here.")
    return False
