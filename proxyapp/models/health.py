"""What is out, as the workers share it and the console shows it. No configuration: writing it raises none of its
versions."""

from __future__ import annotations

from django.db import models

ROW = 1


class HealthState(models.Model):
    """Of a credential or a proxy (`scope` ""), or of one model of a credential. Rows without a kind are well; with
    scope "" they hold what is known of the subject's use."""

    subject = models.CharField(max_length=64)
    """`key:12`, `token:3`, `proxy:7`"""
    scope = models.CharField(max_length=200, blank=True, default="")
    """"" = everything, else the one model that it is out for."""
    kind = models.CharField(max_length=20, blank=True, default="")
    """refused | unpaid | forbidden | limited | unreachable; "" = it is well."""
    reason = models.CharField(max_length=500, blank=True, default="")
    """Why it is out, a sentence without secrets."""
    status = models.PositiveSmallIntegerField(null=True)
    """HTTP status that was the cause."""
    since = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)
    """null with a kind = until somebody puts it back, or its value changes."""
    failures = models.PositiveIntegerField(default=0)
    """In a row."""
    mark = models.CharField(max_length=32, blank=True, default="")
    """Which value it is about."""
    changed_at = models.DateTimeField(null=True)
    """When this was learned; the newest knowledge counts."""
    quota = models.JSONField(default=dict)
    """Model -> what the upstream last said of its limits, as lists of `upstreams.quota.Window`."""
    last_used = models.DateTimeField(null=True)
    last_ok = models.DateTimeField(null=True)
    version = models.BigIntegerField(default=0, db_index=True)
    """`HealthVersion` at its last change of state, so that readers ask for what is newer."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["subject", "scope"], name="healthstate_once_per_scope")]

    def __str__(self) -> str:
        return f"{self.subject} {self.scope}".rstrip()


class HealthVersion(models.Model):
    """One row, id 1: raised with every change of a state, in its transaction."""

    version = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=ROW), name="healthversion_one_row")]

    def __str__(self) -> str:
        return str(self.version)
