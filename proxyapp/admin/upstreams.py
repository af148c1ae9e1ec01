"""Console pages of upstreams and their keys."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from accounts.admin.lines import FirstPartMixin, LinesMixin
from proxyapp.admin.secrets import LostSecretsMixin, SecretsForm
from proxyapp.models import Upstream, UpstreamKey


class UpstreamKeyInline(FirstPartMixin, TabularInline):
    model = UpstreamKey
    hide_title = True
    form = SecretsForm
    fields = ["name", "value", "weight", "enabled"]


@admin.register(Upstream)
class UpstreamAdmin(LostSecretsMixin, LinesMixin, ModelAdmin):
    form = SecretsForm
    list_display = ["name", "kind", "base_url", "enabled", "key_count", "models_served", "proxy_pool"]
    list_filter = ["enabled", "kind", ("proxy_pool", admin.RelatedOnlyFieldListFilter)]
    search_fields = ["name", "base_url"]
    list_select_related = ["proxy_pool"]
    readonly_fields = ["used_by"]
    inlines = [UpstreamKeyInline]
    actions = ["enable", "disable"]
    fieldsets = [
        (None, {"fields": [("name", "enabled"), ("kind", "allow_caller_keys"), "base_url", "used_by"]}),
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

    @display(description="keys", ordering="keys_enabled")
    def key_count(self, upstream: Upstream) -> int:
        return upstream.keys_enabled  # type: ignore[attr-defined]

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

    @admin.action(description="Enable", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Upstream]) -> None:
        self.message_user(request, f"{queryset.update(enabled=True)} enabled; in force within a second.")

    @admin.action(description="Disable: no route leads there", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Upstream]) -> None:
        self.message_user(request, f"{queryset.update(enabled=False)} disabled; in force within a second.")
