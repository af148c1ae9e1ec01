"""Console pages of OAuth tokens: how each of them does, and what a person can do about it."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from proxyapp.admin import health
from proxyapp.admin.secrets import LostSecretsMixin, SecretsForm
from proxyapp.models import OAuthToken
from proxyapp.models.tokens import TokenState
from proxyapp.tokens import rows

COLOURS = {
    TokenState.FRESH.label: "success",
    TokenState.DUE.label: "info",
    TokenState.REFRESHING.label: "info",
    TokenState.FAILING.label: "warning",
    TokenState.DEAD.label: "danger",
}


@admin.register(OAuthToken)
class OAuthTokenAdmin(health.StandingMixin, LostSecretsMixin, ModelAdmin):
    word = "token"
    form = SecretsForm
    list_display = [
        "name",
        "upstream",
        "status",
        "expires_in",
        "last_refresh",
        "next_run",
        "last_error",
        "use",
        "enabled",
    ]
    list_filter = ["enabled", ("upstream", admin.RelatedOnlyFieldListFilter)]
    search_fields = ["name", "upstream__name"]
    list_select_related = ["upstream"]
    readonly_fields = ["status", "expires_in", "last_refresh", "next_run", "last_error"]
    actions = ["refresh_now", "put_back", "enable", "disable"]
    actions_submit_line = ["refresh_this"]
    fieldsets = [
        (None, {"fields": [("upstream", "name"), ("seed", "weight"), "enabled"]}),
        ("How it does", {"fields": [("status", "expires_in"), ("last_refresh", "next_run"), "last_error"]}),
        ("Where it is refreshed", {"fields": ["token_url", ("client_id", "organization_id")]}),
    ]

    def save_model(self, request: HttpRequest, obj: OAuthToken, form: ModelForm, change: bool) -> None:
        if change and "seed" in form.changed_data:
            rows.start_anew(obj.pk)
        super().save_model(request, obj, form, change)

    # --- how it does

    @display(description="state", label=COLOURS)
    def status(self, token: OAuthToken) -> str:
        return str(token.state(timezone.now()).label) if token.pk else "—"

    @display(description="expires", ordering="expires_at")
    def expires_in(self, token: OAuthToken) -> str:
        return _when(token.expires_at) if token.expires_at else "no access token yet"

    @display(description="last refresh", ordering="refreshed_at")
    def last_refresh(self, token: OAuthToken) -> str:
        return _when(token.refreshed_at) if token.refreshed_at else "never"

    @display(description="next run", ordering="due_at")
    def next_run(self, token: OAuthToken) -> str:
        if not token.pk or token.is_dead:
            return "—"
        if token.upstream.keys.filter(enabled=True).exists():
            return "rests: a static key goes first"
        return "now" if token.is_untried or token.due_at is None else _when(token.due_at)

    @display(description="last error")
    def last_error(self, token: OAuthToken) -> str:
        return token.error_message if token.error and not token.is_untried else "—"

    @display(description="use")
    def use(self, token: OAuthToken) -> SafeString:
        return health.told(health.standing_of(token, self.word))

    # --- what can be done

    @action(description="Save and refresh now", permissions=["change"])
    def refresh_this(self, request: HttpRequest, obj: OAuthToken) -> None:
        self.refresh_now(request, self.get_queryset(request).filter(pk=obj.pk))

    @admin.action(description="Refresh now", permissions=["change"])
    def refresh_now(self, request: HttpRequest, queryset: QuerySet[OAuthToken]) -> None:
        asked = 0
        for token in queryset.select_related("upstream"):
            if reason := _why_not(token):
                self.message_user(request, f"{token} is not refreshed: {reason}", messages.WARNING)
            else:
                rows.ask_for(token.pk)
                asked += 1
        if asked:
            who = "in a moment" if settings.DRAGOMAN_REFRESH_TOKENS else "by the next run of refresh_tokens"
            self.message_user(request, f"{asked} will be refreshed {who}.")

    @admin.action(description="Enable", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[OAuthToken]) -> None:
        self.message_user(request, f"{queryset.update(enabled=True)} enabled; in force within a second.")

    @admin.action(description="Disable: neither used nor refreshed", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[OAuthToken]) -> None:
        self.message_user(request, f"{queryset.update(enabled=False)} disabled; in force within a second.")


def _why_not(token: OAuthToken) -> str:
    if not (token.enabled and token.upstream.enabled):
        return "it is switched off."
    if token.is_dead:
        return "its refresh token is dead. Log in anew and enter the new one."
    if token.upstream.keys.filter(enabled=True).exists():
        return "its upstream has a static key, which goes first."
    return ""


def _when(moment: datetime) -> str:
    """`2026-11-22 05:48 (in 7 h 59 min)`"""
    seconds = (moment - timezone.now()).total_seconds()
    minutes = int(abs(seconds) // 60)
    words = [f"{minutes // 1440} d", f"{minutes % 1440 // 60} h", f"{minutes % 60} min"]
    span = " ".join([word for word in words if not word.startswith("0 ")][:2]) or "less than a minute"
    return f"{moment:%Y-%m-%d %H:%M} ({f'in {span}' if seconds > 0 else f'{span} ago'})"
