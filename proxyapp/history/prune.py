"""Deletes what is older than its retention, in small transactions, while the gateway goes on serving."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from django.db import OperationalError, transaction
from msgspec import Struct

from proxyapp.history.store import remove, remove_contents
from proxyapp.models.history import RequestContent, RequestLog

T = TypeVar("T")

BATCH = 500
PAUSE_SECONDS = 0.02
"""Between two batches, for whoever waits to write."""
PATIENCE = 5
"""Times a batch that meets a locked database is tried."""


class Pruned(Struct):
    """What was deleted."""

    requests: int = 0
    attempts: int = 0
    contents: int = 0


def prune(
    requests_before: datetime,
    contents_before: datetime | None = None,
    *,
    batch: int = BATCH,
    pause: Callable[[float], None] = time.sleep,
    using: str = "default",
) -> Pruned:
    """Requests older than `requests_before` go with all that is theirs; contents may go sooner and alone.

    Each batch is a transaction of its own, so that a stop in the middle loses nothing but time, and two at once only
    share the work. Raises OperationalError when the database stays locked.
    """
    done = Pruned()
    while numbers := _oldest(RequestLog, "id", requests_before, batch, using):
        requests, attempts, contents = _patiently(remove, numbers, using)
        done.requests += requests
        done.attempts += attempts
        done.contents += contents
        pause(PAUSE_SECONDS)
    while numbers := _oldest(RequestContent, "log_id", contents_before or requests_before, batch, using):
        done.contents += _patiently(remove_contents, numbers, using)
        pause(PAUSE_SECONDS)
    return done


def _oldest(
    model: type[RequestLog] | type[RequestContent], name: str, before: datetime, most: int, using: str
) -> list[int]:
    rows = model._default_manager.using(using).filter(created_at__lt=before).order_by("created_at", name)
    return list(rows.values_list(name, flat=True)[:most])


def _patiently(action: Callable[[list[int], str], T], numbers: list[int], using: str) -> T:
    for attempt in range(1, PATIENCE):
        try:
            with transaction.atomic(using=using):
                return action(numbers, using)
        except OperationalError:
            time.sleep(0.5 * attempt)
    with transaction.atomic(using=using):
        return action(numbers, using)
