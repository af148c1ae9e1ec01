"""The configuration version: one integer that every configuration write raises in its own transaction.

The workers read it twice a second (`config/watch.py`), so a change is in force everywhere within a second.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import models
from django.db.models import F
from django.db.models.signals import m2m_changed, post_delete, post_save

from accounts.models import WatchedModel
from accounts.signals import rows_changed

ROW = 1


class ConfigVersion(models.Model):
    """One row, id 1."""

    version = models.BigIntegerField(default=1)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=ROW), name="configversion_one_row")]

    def __str__(self) -> str:
        return str(self.version)


def current_version() -> int:
    """The version now; 0 before the first start."""
    return ConfigVersion.objects.filter(id=ROW).values_list("version", flat=True).first() or 0


def bump_version() -> None:
    """Raise the version. Call it inside the transaction of the change; saves, deletes and bulk writes do so already."""
    if not ConfigVersion.objects.filter(id=ROW).update(version=F("version") + 1):
        _, created = ConfigVersion.objects.get_or_create(id=ROW)
        if not created:
            bump_version()


def lock_configuration() -> None:
    """Let one writer at a time past here, until its transaction ends. For writers that read, decide and write."""
    if not ConfigVersion.objects.select_for_update().filter(id=ROW).exists():
        bump_version()
        ConfigVersion.objects.select_for_update().get(id=ROW)


def watch_changes() -> None:
    """Connect every configuration model, ours and those of accounts. Called once, when the applications are ready."""
    for model in (model for model in apps.get_models() if issubclass(model, WatchedModel)):
        for signal in (post_save, post_delete, rows_changed):
            signal.connect(_on_change, sender=model, dispatch_uid=f"config-version-{model._meta.label}")
        for field in model._meta.many_to_many:
            m2m_changed.connect(_on_change, sender=getattr(model, field.name).through)


def _on_change(sender: Any, **more: Any) -> None:
    fields = more.get("update_fields")
    if more.get("raw") or (fields and set(fields) <= set(getattr(sender, "UNWATCHED", ()))):
        return
    if more.get("action", "post_").startswith("post_"):
        bump_version()
