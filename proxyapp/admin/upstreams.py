"""Console pages of upstreams and their keys."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from accounts.admin.lines import FirstPartMixin, LinesMixin
from proxyapp.admin import health
from proxyapp.admin.secrets import LostSecretsMixin, SecretsForm
from proxyapp.models import OAuthToken, ProxyPool, Upstream, UpstreamKey


class UpstreamKeyInline(FirstPartMixin, TabularInline):
    model = UpstreamKey
    hide_title = True
    form = SecretsForm
    fields = ["name", "value", "weight", "enabled", "health"]
    readonly_fields = ["health"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """A pool of its own is offered where there are pools."""
        pool = ["proxy_pool"] if ProxyPool.objects.exists() else []
        return [*self.fields[:-1], *pool, self.fields[-1]]

    def get_formset(self, request: HttpRequest, obj: Any = None, **more: Any) -> Any:
        self.may_put_back = self.has_change_permission(request, obj)
        return super().get_formset(request, obj, **more)

    @display(description="state")
    def health(self, key: UpstreamKey) -> SafeString | str:
        if not key.pk:
            return "—"
        url = reverse("admin:proxyapp_upstream_put_back", args=["key", key.pk]) if self.may_put_back else ""
        return health.told(health.standing_of(key, "key"), url)


@admin.register(UpstreamKey)
class UpstreamKeyAdmin(health.StandingMixin, LostSecretsMixin, ModelAdmin):
    """All keys and how they do. They are made and changed on their upstream's page."""

    list_display = ["name", "upstream", "health", "limits", "last_used", "enabled"]
    list_filter = ["enabled", ("upstream", admin.RelatedOnlyFieldListFilter)]
    search_fields = ["name", "upstream__name"]
    list_select_related = ["upstream"]
    ordering = ["upstream__name", "name"]
    actions = ["put_back"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: UpstreamKey | None = None) -> bool:
        return False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        key = get_object_or_404(UpstreamKey, pk=object_id) if object_id.isdecimal() else None
        return redirect(reverse("admin:proxyapp_upstream_change", args=[key.upstream_id if key else 0]))


@admin.register(Upstream)
class UpstreamAdmin(health.PutBackMixin, LostSecretsMixin, LinesMixin, ModelAdmin):
    form = SecretsForm
    parts = {"key": (UpstreamKey, "upstream"), "token": (OAuthToken, "upstream")}
    list_display = ["name", "kind", "base_url", "enabled", "key_count", "models_served", "proxy_pool"]
    list_filter = ["enabled", "kind", ("proxy_pool", admin.RelatedOnlyFieldListFilter)]
    search_fields = ["name", "base_url"]
    list_select_related = ["proxy_pool"]
    readonly_fields = ["used_by", "oauth_tokens"]
    inlines = [UpstreamKeyInline]
    actions = ["enable", "disable"]
    fieldsets = [
        (
            None,
            {"fields": [("name", "enabled"), ("kind", "allow_caller_keys"), "base_url", "used_by", "oauth_tokens"]},
        ),
        ("On the way", {"fields": ["headers", "system_prompt", ("retries", "proxy_pool"), ("api", "api_version")]}),
        (
            "Time limits (seconds)",
            {"fields": [("timeout_connect", "timeout_first_byte"), ("timeout_idle", "timeout_total")]},
        ),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Upstream]:
        counts = {
            "keys_enabled": Count("keys", filter=Q(keys__enabled=True), distinct=True),
            "models_using": Count("routes__model", distinct=True),
        }
        return super().get_queryset(request).annotate(**counts)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        found = super().get_changelist_instance(request)
        upstreams = list(found.result_list)
        keys = list(UpstreamKey.objects.filter(enabled=True, upstream__in=upstreams).only("pk", "upstream_id"))
        health.attach(keys, "key")
        for upstream in upstreams:
            upstream.key_words = [key.standing.word for key in keys if key.upstream_id == upstream.pk]
        found.result_list = upstreams
        return found

    @display(description="keys", ordering="keys_enabled")
    def key_count(self, upstream: Upstream) -> SafeString:
        """How many there are, and how many of them are out or cooling."""
        words: list[str] = getattr(upstream, "key_words", [])
        bad = [(health.badge(word, words.count(word)),) for word in (health.OUT, health.COOLING) if word in words]
        return format_html("{} {}", len(words), format_html_join(" ", "{}", bad))

    @display(description="models", ordering="models_using")
    def models_served(self, upstream: Upstream) -> int:
        return upstream.models_using  # type: ignore[attr-defined]

    @display(description="used by")
    def used_by(self, upstream: Upstream) -> str:
        """The models with a route here, each with a link. An upstream in use cannot be deleted."""
        rows = upstream.routes.select_related("model").order_by("model__name") if upstream.pk else []
        models = {route.model.pk: route.model.name for route in rows}
        if not models:
            return "no model"
        links = ((reverse("admin:proxyapp_modelconfig_change", args=[pk]), name) for pk, name in models.items())
        return format_html("{}", format_html_join(", ", '<a href="{}" class="underline">{}</a>', links))

    @display(description="OAuth tokens")
    def oauth_tokens(self, upstream: Upstream) -> str:
        """Each with its state and a link; they are entered on pages of their own."""
        now = timezone.now()
        rows = [
            (reverse("admin:proxyapp_oauthtoken_change", args=[token.pk]), token.name, token.state(now).label)
            for token in (upstream.tokens.all() if upstream.pk else [])
        ]
        return format_html_join(", ", '<a href="{}" class="underline">{}</a> ({})', rows) or "none"

    @admin.action(description="Enable", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Upstream]) -> None:
        self.message_user(request, f"{queryset.update(enabled=True)} enabled; in force within a second.")

    @admin.action(description="Disable: no route leads there", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Upstream]) -> None:
        self.message_user(request, f"{queryset.update(enabled=False)} disabled; in force within a second.")
