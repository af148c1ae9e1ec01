"""The list of requests without a count, a sort or a scan of the whole table: key pages, jumping filters, own search."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from unfold.views import ChangeList

from proxyapp.history import queries
from proxyapp.history.queries import About, Cursor
from proxyapp.models.history import Outcome, RequestLog, RequestLogQuerySet

CURSORS = ("before", "after")
WINDOWS = {
    "15m": ("the last 15 minutes", timedelta(minutes=15)),
    "1h": ("the last hour", timedelta(hours=1)),
    "24h": ("the last 24 hours", timedelta(hours=24)),
    "7d": ("the last 7 days", timedelta(days=7)),
    "30d": ("the last 30 days", timedelta(days=30)),
}


# The theme's own cells, see its ROW_CLASSES and LINK_CLASSES.
CELL = (
    '<td class="align-middle flex border-t border-base-200 font-normal gap-4 items-center min-w-0 overflow-hidden px-3 '
    "py-1.5 h-[45px] text-left before:flex before:capitalize before:content-[attr(data-label)] before:items-center "
    "before:font-semibold before:text-font-important-light before:mr-auto first:border-t-0 lg:before:hidden "
    'lg:first:border-t lg:table-cell dark:border-base-800 dark:before:text-font-important-dark" data-label="{}">{}</td>'
)
LINK = '<a href="{}" class="text-font-important-light dark:text-font-important-dark">{}</a>'


class SelectFilter(SimpleListFilter):
    """One of several, as a plain list to choose from. Django's widgets would render a template for each choice."""

    template = "admin/proxyapp/requestlog/filter.html"

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        chosen = self.value() or ""
        pairs = [("", "All"), *((str(value), str(words)) for value, words in self.lookup_choices)]
        options = ((value, SELECTED if value == chosen else "", words) for value, words in pairs)
        yield {"options": format_html_join("", '<option value="{}"{}>{}</option>', options)}


SELECTED = mark_safe(" selected")


class WindowFilter(SelectFilter):
    title = "age"
    parameter_name = "window"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(name, words) for name, (words, _) in WINDOWS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        window = WINDOWS.get(self.value() or "")
        return queryset.filter(created_at__gte=timezone.now() - window[1]) if window else queryset


class OutcomeFilter(SelectFilter):
    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(str(value), str(label)) for value, label in Outcome.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(outcome=self.value()) if self.value() else queryset


class NameFilter(SelectFilter):
    """One value of an indexed column, out of those that occur."""

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        chosen = [name for name in [request.GET.get(str(self.parameter_name))] if name]
        return [(name, name) for name in dict.fromkeys([*chosen, *queries.names(str(self.parameter_name))])]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value and "\0" in value:  # no name of ours, and PostgreSQL would refuse it
            return queryset.none()
        return queryset.filter(**{str(self.parameter_name): value}) if value else queryset


class ClientFilter(NameFilter):
    title = parameter_name = "client"


class ModelFilter(NameFilter):
    title = parameter_name = "model"


class UpstreamFilter(NameFilter):
    title = parameter_name = "upstream"


class DialectFilter(NameFilter):
    title = parameter_name = "dialect"


INDEXED = (OutcomeFilter, ClientFilter, ModelFilter, UpstreamFilter, DialectFilter)


class KeyPaginator(Paginator):
    """Stands where Django wants a paginator; counts nothing."""

    template_name = "admin/proxyapp/requestlog/paging.html"
    count = 0


class HistoryChangeList(ChangeList):
    """Django's list with pages by key: `?before=` and `?after=` instead of a page number."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: list[str | None] | None = None) -> QuerySet[Any]:
        for name in CURSORS:  # no lookups; and a changed filter begins at the newest again
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        return super().get_queryset(request, exclude_parameters)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Model]) -> list[str]:
        return ["-created_at", "-id"]

    def get_results(self, request: HttpRequest) -> None:
        query: RequestLogQuerySet = self.queryset  # type: ignore[assignment]
        wanted = queries.search(query, self.query) if self.query.strip() else query
        before, after = (Cursor.parse(request.GET.get(name, "")) for name in CURSORS)
        self.page = queries.page(wanted, self.list_per_page, before, after)
        self.result_list = self.page.rows  # type: ignore[assignment]
        self.about = self._about(query)
        self.result_count = len(self.page.rows)
        self.full_result_count = self.result_count
        self.show_full_result_count = self.show_admin_actions = False
        self.can_show_all = self.multi_page = False
        self.paginator = KeyPaginator(self.page.rows, self.list_per_page)

    def _about(self, query: RequestLogQuerySet) -> About | None:
        """How many there are, where that can be said quickly."""
        active = [spec for spec in self.filter_specs if spec.used_parameters and any(spec.used_parameters.values())]
        if self.query.strip():
            return None
        if not active:
            return queries.about_all(query.db)
        names = [spec for spec in active if isinstance(spec, INDEXED)]
        return queries.about(query) if len(names) <= 1 else None

    @property
    def headers(self) -> list[str]:
        return [capfirst(getattr(column, "short_description", "")) for column in self._columns]

    @property
    def cells(self) -> Iterator[SafeString]:
        """The cells of each row; the first one leads to the request."""
        columns, headers = self._columns, self.headers
        base = reverse("admin:proxyapp_requestlog_changelist")
        filters = f"?{self.preserved_filters}" if self.preserved_filters else ""
        for log in self.page.rows:
            cells = [column(log) for column in columns]
            cells[0] = format_html(LINK, f"{base}{log.pk}/change/{filters}", cells[0])
            yield format_html_join("", CELL, zip(headers, cells, strict=True))

    @property
    def _columns(self) -> list[Callable[[RequestLog], str]]:
        return [getattr(self.model_admin, name) for name in self.list_display if name != "action_checkbox"]

    @property
    def newer_link(self) -> str:
        """Query string of the page in front of this one; "" when there is none."""
        return self.get_query_string({"after": str(self.page.newer)} | self._searched) if self.page.newer else ""

    @property
    def older_link(self) -> str:
        return self.get_query_string({"before": str(self.page.older)} | self._searched) if self.page.older else ""

    @property
    def newest_link(self) -> str:
        return self.get_query_string(self._searched)

    @property
    def _searched(self) -> dict[str, str]:
        return {"q": self.query} if self.query else {}
