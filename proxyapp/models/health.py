"""What is out, as the workers share it and the console shows it. One row for each subject that ever failed."""

from __future__ import annotations

from django.db import models


class HealthState(models.Model):
    """Of a credential or a proxy. Not configuration: writing it raises no configuration version."""

    subject = models.CharField(max_length=64, unique=True)
    """`key:12`, `token:3`, `proxy:7`"""
    reason = models.CharField(max_length=500, blank=True, default="")
    """Why it is out, a sentence without secrets; "" = it is well."""
    status = models.PositiveSmallIntegerField(null=True)
    """HTTP status that was the cause."""
    since = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)
    """null with a reason = until somebody puts it back."""
    failures = models.PositiveIntegerField(default=0)
    """In a row."""
    quota = models.JSONField(default=dict)
    """What the upstream last said of its limits."""
    last_ok = models.DateTimeField(null=True)
    version = models.BigIntegerField(default=0, db_index=True)
    """Raised with every write, over all rows, so that readers ask for what is newer."""

    def __str__(self) -> str:
        return self.subject
