"""Console pages of proxy pools."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from accounts.admin.lines import FirstPartMixin
from proxyapp.admin.secrets import LostSecretsMixin, SecretsForm
from proxyapp.models import Proxy, ProxyPool


class ProxyInline(FirstPartMixin, TabularInline):
    model = Proxy
    hide_title = True
    form = SecretsForm
    fields = ["position", "name", "url", "enabled"]


@admin.register(ProxyPool)
class ProxyPoolAdmin(LostSecretsMixin, ModelAdmin):
    list_display = ["name", "strategy", "on_exhausted", "proxy_count", "used_by"]
    list_filter = ["strategy", "on_exhausted"]
    search_fields = ["name"]
    readonly_fields = ["used_by"]
    inlines = [ProxyInline]
    fields = ["name", "strategy", "on_exhausted", "used_by"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProxyPool]:
        count = Count("proxies", filter=Q(proxies__enabled=True), distinct=True)
        return super().get_queryset(request).annotate(proxies_enabled=count).prefetch_related("upstreams")

    @display(description="proxies", ordering="proxies_enabled")
    def proxy_count(self, pool: ProxyPool) -> int:
        return pool.proxies_enabled  # type: ignore[attr-defined]

    @display(description="used by")
    def used_by(self, pool: ProxyPool) -> str:
        names = sorted(upstream.name for upstream in pool.upstreams.all()) if pool.pk else []
        return ", ".join(names) or "no upstream"
