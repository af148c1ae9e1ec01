"""Deletes what is kept for callers once its end has come, in small transactions."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from django.db import models

from proxyapp.models.conversations import RememberedProof, StoredItem, StoredResponse

BATCH = 500
PAUSE_SECONDS = 0.02

KEPT: tuple[type[models.Model], ...] = (RememberedProof, StoredResponse)


def prune_kept(now: datetime, *, batch: int = BATCH, pause: Callable[[float], None] = time.sleep) -> int:
    """How many rows were deleted. Each batch is a transaction of its own."""
    done = 0
    for model in KEPT:
        rows = model._default_manager.filter(expires_at__lt=now).order_by("expires_at")
        while keys := list(rows.values_list("pk", flat=True)[:batch]):
            if model is StoredResponse:
                StoredItem.objects.filter(response_id__in=keys)._raw_delete("default")
            done += model._default_manager.filter(pk__in=keys)._raw_delete("default")
            pause(PAUSE_SECONDS)
    return done
