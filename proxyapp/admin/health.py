"""How credentials and proxies do, on console pages: a badge, the reasons, what is left of limits, and putting back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from proxyapp.admin.history import BADGE, TWO_LINES
from proxyapp.health import shelf
from proxyapp.health.standing import COOLING, DUE, OUT, UNUSED, WELL, Standing, Trouble, standings

COLOURS = {WELL: "green", OUT: "red", COOLING: "orange", DUE: "blue", UNUSED: "base"}
_BUTTON = (
    '<button type="submit" formaction="{}" formmethod="post" formnovalidate class="border border-base-200 bg-white '
    "cursor-pointer font-medium mt-1 px-2 py-1 rounded-default text-important whitespace-nowrap dark:bg-base-900 "
    'dark:border-base-700">{}</button>'
)


class StandingMixin:
    """For the list of a model whose rows are subjects: a column `health` and more, and the action `put_back`. `word` is
    how their subjects begin."""

    word = "key"

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        found = super().get_changelist_instance(request)  # type: ignore[misc]
        attach(found.result_list, self.word)
        return found

    @display(description="state")
    def health(self, row: Any) -> SafeString:
        return told(standing_of(row, self.word))

    @display(description="limits")
    def limits(self, row: Any) -> SafeString:
        return limits(standing_of(row, self.word))

    @display(description="last used")
    def last_used(self, row: Any) -> SafeString:
        standing = standing_of(row, self.word)
        ok = f"went well {when(standing.last_ok)}" if standing.last_ok else ""
        return format_html(TWO_LINES, when(standing.last_used) or "—", ok)

    @admin.action(description="Put back: use again", permissions=["change"])
    def put_back(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        ended = 0
        for row in queryset:
            ended += bool(shelf.put_back(f"{self.word}:{row.pk}"))
            self.log_change(request, row, "Put back.")  # type: ignore[attr-defined]
        self.message_user(request, f"{ended} put back; in force within a second.")  # type: ignore[attr-defined]


class PutBackMixin:
    """For the page of an object whose parts are subjects: the address that their buttons *Put back* lead to. `parts`:
    by the word that their subjects begin with, the parts' model and the name of its field that leads to the object."""

    parts: dict[str, tuple[type[Model], str]] = {}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.put_back_view)  # type: ignore[attr-defined]
        name = f"{self.opts.app_label}_{self.opts.model_name}_put_back"  # type: ignore[attr-defined]
        return [
            path("put-back/<str:word>/<int:pk>/", view, name=name),
            *super().get_urls(),  # type: ignore[misc]
        ]

    def put_back_view(self, request: HttpRequest, word: str, pk: int) -> HttpResponse:
        """In force within a second. What else stood in the form is not saved."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        model, owner = self.parts.get(word, (None, ""))
        part = get_object_or_404(model, pk=pk) if model is not None else None
        if part is None or not self.has_change_permission(request, whole := getattr(part, owner)):  # type: ignore[attr-defined]
            raise PermissionDenied
        shelf.put_back(f"{word}:{pk}")
        self.log_change(request, whole, f"Put back {part.name}.")  # type: ignore[attr-defined]
        self.message_user(request, f"{part.name} is put back; in force within a second.")  # type: ignore[attr-defined]
        back = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[whole.pk])  # type: ignore[attr-defined]
        return redirect(back)


def attach(rows: Iterable[Any], word: str) -> None:
    """Gives each row its standing, all by one query."""
    by_subject = {f"{word}:{row.pk}": row for row in rows}
    for subject, standing in standings(by_subject).items():
        by_subject[subject].standing = standing


def standing_of(row: Any, word: str) -> Standing:
    """Of one row; looked up once."""
    if not hasattr(row, "standing"):
        subject = f"{word}:{row.pk}"
        row.standing = standings([subject])[subject]
    return row.standing  # type: ignore[no-any-return]


def badge(word: str, count: int | None = None) -> SafeString:
    return format_html(BADGE, COLOURS[word], word if count is None else f"{count} {word}")


def button(text: str, url: str) -> SafeString:
    """Sends the form that it stands in to another address."""
    return format_html(_BUTTON, url, text)


def told(standing: Standing, put_back_url: str = "") -> SafeString:
    """The badge, below it why and until when; with a button where there is something to put back."""
    lines = format_html_join("", '<p class="mt-1 text-xs">{}</p>', ((_sentence(each),) for each in standing.troubles))
    shown = button("Put back", put_back_url) if put_back_url and standing.troubles else ""
    return format_html('<div class="health-cell">{}{}{}</div>', badge(standing.word), lines, shown)


def limits(standing: Standing) -> SafeString | str:
    """What is left of each limit, and when it is whole again."""
    if not standing.limits:
        return "—"
    by_model: dict[str, list[str]] = {}
    for left in standing.limits:
        count = "?" if left.remaining is None else f"{left.remaining:,}"
        most = "" if left.limit is None else f" of {left.limit:,}"
        reset = f", whole again {when(left.reset)}" if left.reset else ""
        by_model.setdefault(left.model, []).append(f"{left.name}: {count}{most} left{reset}")
    lines = ((model, format_html_join("", "<br>{}", ((line,) for line in told))) for model, told in by_model.items())
    models = format_html_join("", '<p class="text-xs"><b>{}</b>{}</p>', lines)
    return format_html('<div class="health-cell">{}</div>', models)


def when(time: datetime | None) -> str:
    """UTC; the day only where it is not today's."""
    if time is None:
        return ""
    return f"{time:%H:%M:%S}" if time.date() == timezone.now().date() else f"{time:%Y-%m-%d %H:%M}"


def _sentence(trouble: Trouble) -> str:
    words = f"{trouble.scope}: {trouble.why}" if trouble.scope else trouble.why
    if trouble.since is not None:
        words += f" Since {when(trouble.since)}"
        words += f", {trouble.failures} times in a row." if trouble.failures > 1 else "."
    if trouble.state == OUT:
        return f"{words} Until it is put back or changed."
    if trouble.state == DUE:
        return f"{words} The next request tries it."
    return f"{words} Until {when(trouble.until)}."
