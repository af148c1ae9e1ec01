"""A key of a client. Only its digest is kept; the key itself is shown once, where it is made."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import models as db
from django.utils import timezone

from accounts import keys
from accounts.models.clients import Client
from accounts.models.lists import validate_networks, validate_patterns
from accounts.models.names import validate_name
from accounts.models.watched import WatchedModel


class Scope(db.TextChoices):
    INFERENCE = "inference", "inference"
    ADMIN = "admin", "admin (management and inference)"


class ApiKey(WatchedModel):
    UNWATCHED = ("last_used_at",)

    client = db.ForeignKey(Client, on_delete=db.CASCADE, related_name="keys", help_text="Whose key it is.")
    name = db.CharField(
        max_length=100, validators=[validate_name], help_text="Where it is used, such as laptop; unique per client."
    )
    prefix = db.CharField(max_length=keys.SHOWN, editable=False, help_text="How the key begins.")
    digest = db.CharField(max_length=64, unique=True, editable=False)
    previous_digest = db.CharField(max_length=64, unique=True, null=True, editable=False)
    previous_until = db.DateTimeField(null=True, editable=False)
    """Until then the key from before the last rotation is taken too."""
    scope = db.CharField(
        max_length=10,
        choices=Scope,
        default=Scope.INFERENCE,
        help_text="An admin key is for the management API and the metrics; it may do inference too.",
    )
    models = db.JSONField(
        default=list,
        blank=True,
        validators=[validate_patterns],
        help_text="Models it may use, one per line, * allowed. Empty: all that its client may use.",
    )
    allowed_ips = db.JSONField(
        default=list,
        blank=True,
        verbose_name="allowed addresses",
        validators=[validate_networks],
        help_text="Addresses or networks it may come from, one per line. Empty: from everywhere.",
    )
    expires_at = db.DateTimeField(null=True, blank=True, help_text="Refused from then on (UTC). Empty: never.")
    enabled = db.BooleanField(default=True, help_text="Off: refused within a second.")
    created_at = db.DateTimeField(default=timezone.now, editable=False)
    last_used_at = db.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["client__name", "name"]
        verbose_name = "key"
        constraints = [db.UniqueConstraint(fields=["client", "name"], name="apikey_name_once_per_client")]

    def __str__(self) -> str:
        return f"{self.client.name}/{self.name}"

    def take(self, key: str) -> None:
        """Make this the row of `key`: its digest and the part that may be shown. Raises ValidationError."""
        problem = keys.problem_with(key)
        if problem:
            raise ValidationError(problem)
        self.digest = keys.digest(key)
        self.prefix = keys.shown_prefix(key)
        self.previous_digest = self.previous_until = None

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()

    @property
    def state(self) -> str:
        """active, expired, or revoked (also by way of its client)."""
        if not (self.enabled and self.client.enabled):
            return "revoked"
        return "expired" if self.is_expired else "active"

    @property
    def overlap_until(self) -> datetime | None:
        """Until when the key from before the last rotation is taken too; None when it is not."""
        until = self.previous_until
        return until if until is not None and until > timezone.now() else None
