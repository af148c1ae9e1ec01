"""OAuth tokens of upstreams: the pair that is in force, and how its refreshing goes."""

from __future__ import annotations

from django.db import models

from accounts.models import WatchedModel, validate_name
from proxyapp.fields import EncryptedTextField
from proxyapp.models.proxies import check_checked_url
from proxyapp.models.upstreams import Upstream


class OAuthToken(WatchedModel):
    """One account of an upstream. The stored pair wins over the seed as long as the seed is the one it grew from."""

    UNWATCHED = (
        "lease_holder",
        "lease_until",
        "attempted_at",
        "failures",
        "error",
        "error_message",
        "due_at",
    )

    upstream = models.ForeignKey(Upstream, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(
        max_length=100, validators=[validate_name], help_text="Shown in the history instead of the token."
    )
    seed = EncryptedTextField(
        verbose_name="refresh token",
        help_text="The first refresh token, as its maker gave it. Encrypted, never shown again.",
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
    error = models.CharField(max_length=50, blank=True, default="", editable=False)
    """Of the last attempt: `invalid_grant`, `unreachable`, …; "" = it went well."""
    error_message = models.CharField(max_length=500, blank=True, default="", editable=False)

    class Meta:
        ordering = ["id"]
        verbose_name = "OAuth token"
        constraints = [models.UniqueConstraint(fields=["upstream", "name"], name="oauthtoken_name_once_per_upstream")]

    def __str__(self) -> str:
        return f"{self.upstream.name}/{self.name}"
