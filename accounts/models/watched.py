"""Rows whose every change must be noticed: single writes send Django's signals, bulk writes send `rows_changed`.

A write and what its signals do are one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from django.db import models, transaction

from accounts.signals import rows_changed

M = TypeVar("M", bound=models.Model)


class WatchedQuerySet(models.QuerySet[M]):
    """Bulk writes that are noticed. `delete` needs nothing: it sends `post_delete` for each row."""

    def update(self, **values: Any) -> int:
        with transaction.atomic(using=self.db):
            count = super().update(**values)
            if count and not set(values) <= set(getattr(self.model, "UNWATCHED", ())):
                rows_changed.send(sender=self.model)
        return count

    update.alters_data = True  # type: ignore[attr-defined]

    def bulk_create(self, objs: Iterable[M], *args: Any, **more: Any) -> list[M]:
        with transaction.atomic(using=self.db):
            made = super().bulk_create(objs, *args, **more)
            if made:
                rows_changed.send(sender=self.model)
        return made

    bulk_create.alters_data = True  # type: ignore[attr-defined]


class WatchedModel(models.Model):
    """Base of configuration rows. `UNWATCHED` names columns whose change alone nobody needs to know."""

    UNWATCHED: tuple[str, ...] = ()

    objects = WatchedQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **more: Any) -> None:
        with transaction.atomic():
            super().save(*args, **more)

    def delete(self, *args: Any, **more: Any) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            return super().delete(*args, **more)
