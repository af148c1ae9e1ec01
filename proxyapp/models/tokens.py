"""OAuth tokens of upstreams: the pair that is in force, and how its refreshing goes."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from accounts.models import WatchedModel, validate_name
from proxyapp.fields import EncryptedTextField, Secret, SecretUnreadable
from proxyapp.models.proxies import check_checked_url
from proxyapp.models.upstreams import Upstream

OWN_TOKEN_SERVER = ("factory",)
"""Kinds whose token server is known, as in proxyapp/upstreams/oauth.py."""
ONE_LINE = re.compile(r"\S+\Z")


def check_seed(token: str) -> None:
    """Raises ValidationError, without the token, for what was pasted with something around it."""
    if not ONE_LINE.match(token):
        raise ValidationError("A refresh token has no spaces and no line ends.")


class TokenState(models.TextChoices):
    """How a token is doing, in the order in which they are asked for."""

    REFRESHING = "refreshing", "being refreshed"
    DEAD = "dead", "dead: log in anew"
    FAILING = "failing", "failing"
    DUE = "due", "due"
    FRESH = "fresh", "fresh"


class OAuthToken(WatchedModel):
    """One account of an upstream. The stored pair wins over the seed as long as the seed is the one it grew from."""

    UNWATCHED = (
        "lease_holder",
        "lease_until",
        "attempted_at",
        "tried_digest",
        "failures",
        "failures_total",
        "error",
        "error_message",
        "doubt",
        "due_at",
    )
    CONFIGURED = ("upstream", "name", "seed", "token_url", "client_id", "organization_id", "weight", "enabled",
                  "config_digest")  # fmt: skip
    """What people say. All else is the refreshing's own, and moves on under whoever holds a row in memory."""
    DEAD = "invalid_grant"
    """The error after which the same refresh token is never shown again."""

    upstream = models.ForeignKey(Upstream, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(
        max_length=100, validators=[validate_name], help_text="Shown in the history instead of the token."
    )
    seed = EncryptedTextField(
        verbose_name="refresh token",
        validators=[check_seed],
        help_text="The first refresh token, as its maker gave it. Encrypted, never shown again. A new one starts anew.",
    )
    token_url = models.CharField(
        max_length=500,
        blank=True,
        default="",
        validators=[check_checked_url],
        verbose_name="token URL",
        help_text="Where the token is refreshed. Empty: the kind's own.",
    )
    client_id = models.CharField(
        max_length=200, blank=True, default="", verbose_name="client id", help_text="Empty: the kind's own."
    )
    organization_id = models.CharField(
        max_length=200,
        blank=True,
        default="",
        verbose_name="organization id",
        help_text="The organization to ask the token for. Empty: none is named.",
    )
    weight = models.PositiveIntegerField(default=1, help_text="Share of the requests among this upstream's tokens.")
    enabled = models.BooleanField(default=True, help_text="Off: neither used nor refreshed.")

    seed_digest = models.CharField(max_length=64, blank=True, default="", editable=False)
    """SHA-256 of the seed that the stored pair grew from; "" = nothing is stored yet."""
    access_token = EncryptedTextField(blank=True, default="", editable=False)
    refresh_token = EncryptedTextField(blank=True, default="", editable=False)
    expires_at = models.DateTimeField(null=True, editable=False)
    """Of the access token."""
    refreshed_at = models.DateTimeField(null=True, editable=False)
    generation = models.PositiveIntegerField(default=0, editable=False)
    """Raised with each stored pair."""

    due_at = models.DateTimeField(null=True, editable=False)
    """When it is to be refreshed next; null = now."""
    lease_holder = models.CharField(max_length=200, blank=True, default="", editable=False)
    """`host:pid:…` of who is refreshing it."""
    lease_until = models.DateTimeField(null=True, editable=False)
    attempted_at = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    """In a row."""
    failures_total = models.PositiveIntegerField(default=0, editable=False)
    error = models.CharField(max_length=50, blank=True, default="", editable=False)
    """Of the last attempt: `invalid_grant`, `unreachable`, …; "" = it went well."""
    error_message = models.CharField(max_length=500, blank=True, default="", editable=False)
    """A sentence without secrets."""
    doubt = models.CharField(max_length=500, blank=True, default="", editable=False)
    """Why the stored refresh token may be spent already: a refresh was begun since, and nobody knows its end."""
    config_digest = models.CharField(max_length=64, blank=True, default="", editable=False)
    """SHA-256 of seed, token URL, client and organization as they are configured now."""
    tried_digest = models.CharField(max_length=64, blank=True, default="", editable=False)
    """The `config_digest` of the last attempt; another one makes the token due, also a dead one."""

    class Meta:
        ordering = ["id"]
        verbose_name = "OAuth token"
        constraints = [models.UniqueConstraint(fields=["upstream", "name"], name="oauthtoken_name_once_per_upstream")]

    def __str__(self) -> str:
        return f"{self.upstream.name}/{self.name}"

    def clean(self) -> None:
        if self.upstream_id and self.upstream.kind not in OWN_TOKEN_SERVER and not self.token_url:
            raise ValidationError({"token_url": "This kind of upstream has no token server of its own; give its URL."})

    def save(self, *args: Any, **more: Any) -> None:
        """Of a row that is there only what people say is written, unless `update_fields` names more: the pair that was
        loaded with it may be spent by now."""
        self.config_digest = self._configured() or self.config_digest
        if not self._state.adding:
            more.setdefault("update_fields", self.CONFIGURED)
        super().save(*args, **more)

    @property
    def is_untried(self) -> bool:
        """Never refreshed as it is configured now."""
        return self.config_digest != self.tried_digest

    @property
    def is_dead(self) -> bool:
        return self.error == self.DEAD and not self.is_untried

    def state(self, now: datetime) -> TokenState:
        is_held = bool(self.lease_holder) and self.lease_until is not None and self.lease_until > now
        claims = {
            TokenState.REFRESHING: is_held,
            TokenState.DEAD: self.is_dead,
            TokenState.FAILING: bool(self.error) and not self.is_untried,
            TokenState.DUE: self.is_untried or self.due_at is None or self.due_at <= now,
        }
        return next((state for state, holds in claims.items() if holds), TokenState.FRESH)

    def _configured(self) -> str:
        """ "" when the seed cannot be read."""
        try:
            seed = self.seed.reveal() if isinstance(self.seed, Secret) else ""
        except SecretUnreadable:
            return ""
        words = [seed, self.token_url, self.client_id, self.organization_id]
        return hashlib.sha256("\n".join(words).encode()).hexdigest()
