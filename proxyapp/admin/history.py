"""Console pages of the request history. Read-only; bodies only for those with a permission of their own."""

from __future__ import annotations

import re
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display

from proxyapp.admin.history_list import (
    ClientFilter,
    DialectFilter,
    HistoryChangeList,
    ModelFilter,
    OutcomeFilter,
    UpstreamFilter,
    WindowFilter,
)
from proxyapp.history import detail
from proxyapp.models import RequestContent, RequestLog
from proxyapp.models.history import Outcome

REQUEST_ID = re.compile(r"[0-9a-fA-F]{32}")
NUMBER = re.compile(r"[0-9]{1,18}")
MAY_READ = "proxyapp.view_requestcontent"
BADGES = {
    Outcome.OK: "success",
    Outcome.ERROR: "danger",
    Outcome.PARTIAL: "warning",
    Outcome.CLIENT_CLOSED: "info",
    Outcome.INTERRUPTED: "warning",
}
# The theme's own label, without its template: fifty of those are a tenth of the list's time.
COLOURS = {"success": "green", "danger": "red", "warning": "orange", "info": "blue"}
BADGE = (
    '<span class="inline-block font-semibold rounded-default text-[11px] uppercase whitespace-nowrap h-6 leading-6 '
    'px-2 bg-{0}-100 text-{0}-700 dark:bg-{0}-500/20 dark:text-{0}-400">{1}</span>'
)
# What matters, and below it what belongs to it; each cut to its column, with the whole as its title.
TWO_LINES = '<div class="history-cell"><span title="{0}">{0}</span><small title="{1}">{1}</small></div>'


@admin.register(RequestLog)
class RequestLogAdmin(ModelAdmin):
    list_display = ["time", "result", "caller", "models", "used", "took", "http_status"]
    list_display_links = ["time"]
    list_filter = [
        WindowFilter,
        OutcomeFilter,
        ClientFilter,
        ModelFilter,
        UpstreamFilter,
        DialectFilter,
        ("created_at", RangeDateTimeFilter),
    ]
    list_filter_submit = True
    list_filter_sheet = True
    list_fullwidth = True
    list_per_page = 50
    search_fields = ["request_id"]
    search_help_text = "Id (8 digits or more), the caller's id, or a model"
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()
    actions = None

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[HistoryChangeList]:
        return HistoryChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[RequestLog], search_term: str
    ) -> tuple[QuerySet[RequestLog], bool]:
        return queryset, False  # the list searches by itself

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: RequestLog | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: RequestLog | None = None) -> bool:
        return False

    @display(description="time (UTC)")
    def time(self, log: RequestLog) -> SafeString:
        return format_html('<span class="whitespace-nowrap">{}</span>', f"{log.created_at:%Y-%m-%d %H:%M:%S}")

    @display(description="outcome")
    def result(self, log: RequestLog) -> SafeString:
        return format_html(BADGE, COLOURS[_badge(log)], log.get_outcome_display())

    @display(description="client")
    def caller(self, log: RequestLog) -> SafeString:
        return format_html(TWO_LINES, log.client or "—", log.key)

    @display(description="model → upstream")
    def models(self, log: RequestLog) -> SafeString:
        where = log.upstream and f"→ {log.upstream}"
        if log.upstream and log.upstream_model != log.model:
            where += f": {log.upstream_model}"
        return format_html(TWO_LINES, log.model or "—", where)

    @display(description="tokens in / out")
    def used(self, log: RequestLog) -> SafeString:
        cached = f"{log.cache_read:,} cached" if log.cache_read else ""
        return format_html(TWO_LINES, f"{_number(log.total_input)} / {_number(log.output)}", cached)

    @display(description="duration")
    def took(self, log: RequestLog) -> SafeString:
        is_told = log.stream and log.first_byte_ms is not None  # of a whole answer it would say the same twice
        return format_html(TWO_LINES, _seconds(log.duration_ms), f"first byte {_seconds(log.first_byte_ms)}" * is_told)

    @display(description="status")
    def http_status(self, log: RequestLog) -> SafeString:
        return format_html(TWO_LINES, log.status or "—", log.error)

    def get_urls(self) -> list[URLPattern]:
        layer = self.admin_site.admin_view(self.layer_view)
        return [
            path("<str:object_id>/layer/<str:name>/", layer, name="proxyapp_requestlog_layer"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One request in full. `object_id` is a row's number or a request id."""
        log = self._find(request, object_id)
        may_read = request.user.has_perm(MAY_READ)
        contents = RequestContent.objects.filter(log=log)
        content = (contents if may_read else contents.defer(*RequestContent.LAYERS)).first()
        attempts = list(log.attempts.all())
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Request {log.request_id}",
            "original": log,
            "log": log,
            "badge": _badge(log),
            "content": content,
            "may_read": may_read,
            "facts": detail.facts(log, content),
            "tokens": detail.tokens(log),
            "timeline": detail.timeline(log, attempts),
            "attempts": attempts,
            "notes": detail.notes(content) if content else [],
            "layers": detail.layers(content, bool(attempts)) if content and may_read else [],
            "list_url": reverse("admin:proxyapp_requestlog_changelist"),
        }
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(request, "admin/proxyapp/requestlog/detail.html", context)

    def layer_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """One layer as it was, as a file: never shown by the browser, whatever it holds."""
        log = self._find(request, object_id)
        if not request.user.has_perm(MAY_READ):
            raise PermissionDenied
        content = RequestContent.objects.filter(log=log).first()
        data = content.layer(name) if content and name in RequestContent.LAYERS else None
        if data is None:
            raise Http404("There is no such layer.")
        headers = {
            "Content-Disposition": f'attachment; filename="{log.pk}-{name}.txt"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        return HttpResponse(data, content_type="text/plain; charset=utf-8", headers=headers)

    def _find(self, request: HttpRequest, object_id: str) -> RequestLog:
        if not self.has_view_permission(request):
            raise PermissionDenied
        log = None
        if REQUEST_ID.fullmatch(object_id):
            log = RequestLog.objects.filter(request_id=object_id.lower()).first()
        elif NUMBER.fullmatch(object_id):
            log = RequestLog.objects.filter(pk=object_id).first()
        if log is None:
            raise Http404("There is no such request, or it is past its retention.")
        return log


def _badge(log: RequestLog) -> str:
    return BADGES[Outcome(log.outcome)] if log.outcome in Outcome.values else "info"


def _number(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def _seconds(ms: float | None) -> str:
    if ms is None:
        return "—"
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"
