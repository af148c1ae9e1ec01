"""How the history is asked for, so that a million rows cost no more than a thousand: pages by key, counts by estimate.

Nothing here counts, sorts or searches the whole table; each query follows one index and stops.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from django.db import connections
from msgspec import Struct

from proxyapp.models.history import RequestLog, RequestLogQuerySet

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
EXACT_UP_TO = 10_000
"""All rows are counted when there are no more."""
COUNT_AT_MOST = 2_000
"""The rows of a filter are counted up to this number."""
MOST_NAMES = 200
MOST_MATCHES = 20
"""Names that a search for part of a name may stand for."""
MOST_IDS = 500
"""Requests that the beginning of an id may stand for."""
LEAST_ID_PREFIX = 8
"""Ids begin with their time: fewer digits would name hours of requests."""
NAMED = ("client", "model", "upstream", "dialect")
"""Columns with an index of their own whose values are names."""


class Cursor(Struct, frozen=True):
    """Where a page begins or ends: the order is by time, then by number."""

    created_at: datetime
    pk: int

    def __str__(self) -> str:
        return f"{(self.created_at - EPOCH) // MICROSECOND}-{self.pk}"

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """None for whatever is no cursor of ours."""
        moment, _, pk = text.partition("-")
        try:
            cursor = cls(EPOCH + MICROSECOND * int(moment), int(pk))
        except (ValueError, OverflowError):
            return None
        return cursor if 0 <= cursor.pk < 2**63 else None

    @classmethod
    def of(cls, log: RequestLog) -> Cursor:
        return cls(log.created_at, log.pk)


class Page(Struct):
    """Rows, the newest first, and where the pages beside it begin; None = there is none."""

    rows: list[RequestLog]
    newer: Cursor | None = None
    older: Cursor | None = None


def page(
    queries: RequestLogQuerySet | Sequence[RequestLogQuerySet],
    size: int,
    before: Cursor | None = None,
    after: Cursor | None = None,
) -> Page:
    """The page behind `before`, or the one in front of `after`, else the newest.

    Several queries are taken as one with OR between them, which no database does well in an order.
    """
    several = [queries] if isinstance(queries, RequestLogQuerySet) else list(queries)
    if after and not before:
        rows = _union(several, size + 1, after, forwards=True)
        if len(rows) <= size:  # the newest page, filled up
            return page(several, size)
        rows = rows[:size][::-1]
        return Page(rows, newer=Cursor.of(rows[0]), older=Cursor.of(rows[-1]))
    rows = _union(several, size + 1, before)
    older = Cursor.of(rows[size - 1]) if len(rows) > size else None
    rows = rows[:size]
    return Page(rows, newer=Cursor.of(rows[0]) if before and rows else None, older=older)


def _union(
    queries: Iterable[RequestLogQuerySet], most: int, cursor: Cursor | None, forwards: bool = False
) -> list[RequestLog]:
    found: dict[int, RequestLog] = {}
    for query in queries:
        if forwards and cursor:
            rows = query.after(cursor.created_at, cursor.pk).order_by("created_at", "id")
        elif cursor:
            rows = query.before(cursor.created_at, cursor.pk).newest_first()
        else:
            rows = query.newest_first()
        found.update((row.pk, row) for row in rows[:most])
    return sorted(found.values(), key=lambda row: (row.created_at, row.pk), reverse=not forwards)[:most]


def search(query: RequestLogQuerySet, text: str) -> list[RequestLogQuerySet]:
    """Requests whose id begins with `text`, whose caller's id is `text`, or whose model's name holds it."""
    text = text.strip()
    wanted = [query.with_caller_id(text)]
    if len(text) >= LEAST_ID_PREFIX and set(text.lower()) <= set("0123456789abcdef"):
        # The inner order keeps the database on the index of the ids.
        ids = query.with_id_prefix(text.lower()[:32]).order_by("-request_id").values_list("id", flat=True)
        wanted.append(RequestLog.objects.using(query.db).filter(id__in=list(ids[:MOST_IDS])))
    matches = [name for name in names("model", query.db) if text.lower() in name.lower()]
    return wanted + [query.by_model(name) for name in matches[:MOST_MATCHES]]


def names(column: str, using: str = "default", most: int = MOST_NAMES) -> list[str]:
    """The values that occur in an indexed column, by jumping from one to the next instead of reading all rows."""
    if column not in NAMED:
        raise ValueError(f"{column} has no index to jump along")
    table = RequestLog._meta.db_table
    jump = f"SELECT MIN({column}) FROM {table} WHERE {column} > "  # noqa: S608 (a name from our own list)
    statement = (
        f"WITH RECURSIVE found(name) AS ({jump} '' UNION ALL SELECT ({jump} found.name) FROM found "  # noqa: S608
        "WHERE found.name IS NOT NULL) SELECT name FROM found WHERE name IS NOT NULL LIMIT %s"
    )
    with connections[using].cursor() as cursor:
        cursor.execute(statement, [most])
        return [name for (name,) in cursor.fetchall()]


class About(Struct, frozen=True):
    """A count that may not be exact."""

    number: int
    is_exact: bool = True
    is_least: bool = False
    """There are more."""

    def __str__(self) -> str:
        if self.is_least:
            return f"more than {self.number:,}"
        return f"{self.number:,}" if self.is_exact else f"about {self.number:,}"


def about_all(using: str = "default") -> About:
    """How many rows there are, from the first number and the last: exact until something was deleted in between."""
    numbers = RequestLog.objects.using(using).values_list("id", flat=True)
    first, last = numbers.order_by("id").first(), numbers.order_by("-id").first()  # MIN and MAX at once read it all
    if first is None or last is None:
        return About(0)
    number = last - first + 1
    if number > EXACT_UP_TO:
        return About(number, is_exact=False)
    return About(RequestLog.objects.using(using).count())


def about(query: RequestLogQuerySet, most: int = COUNT_AT_MOST) -> About:
    """Counts up to `most` along an index; only for a query that one index serves."""
    number = query.order_by().values("id")[: most + 1].count()
    return About(most, is_least=True) if number > most else About(number)
