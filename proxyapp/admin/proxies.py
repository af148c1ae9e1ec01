"""Console pages of proxy pools: the proxies, how each of them does, and looking through them now."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from accounts.admin.lines import FirstPartMixin
from proxyapp.admin import health
from proxyapp.admin.secrets import LostSecretsMixin, SecretsForm
from proxyapp.config.build import build
from proxyapp.health.looks import look, tell
from proxyapp.health.standing import COOLING, OUT, standings
from proxyapp.models import Proxy, ProxyPool
from proxyapp.wiring import with_demo

CHECK_SECONDS = 5.0
"""Whoever has asked for a check waits for it."""


class ProxyInline(FirstPartMixin, TabularInline):
    model = Proxy
    hide_title = True
    form = SecretsForm
    fields = ["position", "name", "url", "enabled", "health"]
    readonly_fields = ["health"]

    def get_formset(self, request: HttpRequest, obj: Any = None, **more: Any) -> Any:
        self.may_put_back = self.has_change_permission(request, obj)
        return super().get_formset(request, obj, **more)

    @display(description="state")
    def health(self, proxy: Proxy) -> SafeString | str:
        if not proxy.pk:
            return "—"
        url = reverse("admin:proxyapp_proxypool_put_back", args=["proxy", proxy.pk]) if self.may_put_back else ""
        standing = health.standing_of(proxy, "proxy")
        worked = f"Last worked {health.when(standing.last_ok)}." if standing.last_ok else ""
        return format_html('{}<p class="mt-1 text-xs">{}</p>', health.told(standing, url), worked)


@admin.register(ProxyPool)
class ProxyPoolAdmin(health.PutBackMixin, LostSecretsMixin, ModelAdmin):
    parts = {"proxy": (Proxy, "pool")}
    list_display = ["name", "strategy", "on_exhausted", "proxy_count", "state", "used_by"]
    list_filter = ["strategy", "on_exhausted"]
    search_fields = ["name"]
    readonly_fields = ["used_by", "look_through"]
    inlines = [ProxyInline]
    actions = ["check_now"]
    fields = ["name", ("strategy", "sticky"), ("on_exhausted", "cooldown_seconds"), "check_url", "used_by",
              "look_through"]  # fmt: skip

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.check_view)
        return [path("<int:pk>/check/", view, name="proxyapp_proxypool_check"), *super().get_urls()]

    def get_fields(self, request: HttpRequest, obj: ProxyPool | None = None) -> Any:
        may_check = obj is not None and self.has_change_permission(request, obj)
        return self.fields if may_check else self.fields[:-1]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProxyPool]:
        count = Count("proxies", filter=Q(proxies__enabled=True), distinct=True)
        users = ("upstreams", "proxies", "models", "upstream_keys__upstream")
        return super().get_queryset(request).annotate(proxies_enabled=count).prefetch_related(*users)

    @display(description="proxies", ordering="proxies_enabled")
    def proxy_count(self, pool: ProxyPool) -> int:
        return pool.proxies_enabled  # type: ignore[attr-defined]

    @display(description="state", label={"well": "success", "all left alone": "danger"})
    def state(self, pool: ProxyPool) -> str:
        """How many of its proxies are left alone now."""
        subjects = [f"proxy:{proxy.pk}" for proxy in pool.proxies.all() if proxy.enabled]
        out = sum(standing.word in (OUT, COOLING) for standing in standings(subjects).values())
        if not subjects:
            return "—"
        return "well" if not out else "all left alone" if out == len(subjects) else f"{out} left alone"

    @display(description="used by")
    def used_by(self, pool: ProxyPool) -> str:
        if not pool.pk:
            return "nobody"
        names = [
            *sorted(upstream.name for upstream in pool.upstreams.all()),
            *sorted(f"model {model.name}" for model in pool.models.all()),
            *sorted(f"key {key.name} of {key.upstream.name}" for key in pool.upstream_keys.all()),
        ]
        return ", ".join(names) or "nobody"

    @display(description="check now")
    def look_through(self, pool: ProxyPool) -> SafeString:
        return health.button("Look through each proxy", reverse("admin:proxyapp_proxypool_check", args=[pool.pk]))

    def check_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Asks through each proxy once. What else stood in the form is not saved."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        pool = get_object_or_404(ProxyPool, pk=pk)
        if not self.has_change_permission(request, pool):
            raise PermissionDenied
        self._look(request, [pool.name])
        return redirect(reverse("admin:proxyapp_proxypool_change", args=[pk]))

    @admin.action(description="Check now: look through each proxy", permissions=["change"])
    def check_now(self, request: HttpRequest, queryset: QuerySet[ProxyPool]) -> None:
        self._look(request, list(queryset.values_list("name", flat=True)))

    def _look(self, request: HttpRequest, names: list[str]) -> None:
        snapshot, _ = build()
        looks = look(with_demo(snapshot), [snapshot.pools[name] for name in names if name in snapshot.pools],
                     CHECK_SECONDS)  # fmt: skip
        tell(looks)
        if not looks:
            self.message_user(request, "There is no proxy that is switched on and can be read.", messages.WARNING)
        for pool, proxy, verdict in looks:
            words = f"{pool.name}, {proxy.name}: {verdict.words} ({verdict.seconds * 1000:.0f} ms)."
            self.message_user(request, words, messages.SUCCESS if verdict.is_up else messages.ERROR)
