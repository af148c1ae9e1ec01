"""Puts batches of finished exchanges into the database, each in one short transaction, any number of times.

COPY on PostgreSQL and `executemany` elsewhere: `bulk_create` holds the interpreter several times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from operator import itemgetter
from typing import Any

from django.db import IntegrityError, connections, models, transaction

from accounts.models import ApiKey
from proxyapp.history.rows import Rows
from proxyapp.models.history import Outcome, RequestAttempt, RequestContent, RequestLog

Row = dict[str, Any]
TRIES = 3


def store(batch: Iterable[Rows], using: str = "default") -> list[Rows]:
    """Those that were new. What is there already is left alone, save that an end replaces `interrupted`."""
    by_id: dict[str, Rows] = {}
    for rows in batch:
        known = by_id.get(rows.request_id)
        if known is None or (rows.is_complete and not known.is_complete):
            by_id[rows.request_id] = rows
    for _ in range(TRIES - 1):
        with suppress(IntegrityError):  # a sibling wrote the same rows at the same moment: next time they are seen
            return _store(by_id, using)
    return _store(by_id, using)


def _store(by_id: dict[str, Rows], using: str) -> list[Rows]:
    with transaction.atomic(using=using):
        new = _not_yet_there(by_id, using)
        _insert(RequestLog, [rows.log for rows in new], using)
        numbers = dict(_logs(new, using).values_list("request_id", "id"))
        _insert(RequestAttempt, [_of(numbers, rows, attempt) for rows in new for attempt in rows.attempts], using)
        _insert(RequestContent, [_of(numbers, rows, rows.content) for rows in new], using)
    return new


def mark_used(used: Mapping[int, datetime], using: str = "default") -> None:
    """Tells keys (by number) when they were last used: one UPDATE a key, never back in time.

    Each stands for itself. In one transaction two keys would be locked at once, and whoever changes both the other way
    round, such as a declarative file, could wait for us while we wait for them.
    """
    for key, moment in used.items():
        ApiKey.objects.using(using).filter(pk=key).exclude(last_used_at__gte=moment).update(last_used_at=moment)


def _not_yet_there(by_id: dict[str, Rows], using: str) -> list[Rows]:
    there = {name: (pk, outcome) for name, pk, outcome in _logs(by_id.values(), using).values_list(
        "request_id", "id", "outcome"
    )}  # fmt: skip
    replaced = [
        pk for name, (pk, outcome) in there.items() if outcome == Outcome.INTERRUPTED and by_id[name].is_complete
    ]
    if replaced:
        remove(replaced, using)
    return [rows for name, rows in by_id.items() if name not in there or there[name][0] in replaced]


def _logs(batch: Iterable[Rows], using: str) -> models.QuerySet[RequestLog]:
    return RequestLog.objects.using(using).filter(request_id__in=[rows.request_id for rows in batch])


def remove(numbers: Sequence[int], using: str = "default") -> tuple[int, int, int]:
    """Deletes rows by number with all that hangs on them: (requests, attempts, contents)."""
    attempts = RequestAttempt.objects.using(using).filter(log_id__in=numbers)._raw_delete(using)
    contents = remove_contents(numbers, using)
    return RequestLog.objects.using(using).filter(id__in=numbers)._raw_delete(using), attempts, contents


def remove_contents(numbers: Sequence[int], using: str = "default") -> int:
    return RequestContent.objects.using(using).filter(log_id__in=numbers)._raw_delete(using)


def _of(numbers: dict[str, int], rows: Rows, row: Row) -> Row:
    row["log_id"] = numbers[rows.request_id]
    return row


def _insert(model: type[models.Model], rows: Sequence[Row], using: str) -> None:
    if not rows:
        return
    connection = connections[using]
    if "created_at" in rows[0]:
        adapt = connection.ops.adapt_datetimefield_value
        rows = [row | {"created_at": adapt(row["created_at"])} for row in rows]
    columns, places, values = _columns(model)
    into = f'"{model._meta.db_table}" ({columns})'
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with connection.wrap_database_errors, cursor.copy(f"COPY {into} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(values(row))
        else:
            statement = f"INSERT INTO {into} VALUES ({places})"  # noqa: S608 (names of our own columns)
            cursor.executemany(statement, [values(row) for row in rows])


@cache
def _columns(model: type[models.Model]) -> tuple[str, str, Callable[[Row], tuple[Any, ...]]]:
    """Names, placeholders, and what takes a row's values in their order; without an automatic number."""
    fields = [field for field in model._meta.concrete_fields if not isinstance(field, models.AutoField)]
    names = ", ".join(f'"{field.column}"' for field in fields)
    return names, ", ".join(["%s"] * len(fields)), itemgetter(*(field.attname for field in fields))
