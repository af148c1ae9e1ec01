"""Puts batches of finished exchanges into the database, each in one short transaction, any number of times.

Plain `executemany`, because `bulk_create` holds the interpreter twice as long and gives no ids back beside
`ignore_conflicts`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from django.db import connections, models, transaction

from proxyapp.history.rows import Rows
from proxyapp.models.history import Outcome, RequestAttempt, RequestContent, RequestLog

CONVERTED = (models.DateTimeField, models.BinaryField, models.JSONField)
"""Fields whose values a driver does not take as they are."""


def store(batch: Iterable[Rows], using: str = "default") -> list[Rows]:
    """Those that were new. What is there already is left alone, save that an end replaces `interrupted`."""
    by_id: dict[str, Rows] = {}
    for rows in batch:
        known = by_id.get(rows.request_id)
        if known is None or (rows.is_complete and not known.is_complete):
            by_id[rows.request_id] = rows
    with transaction.atomic(using=using):
        new = _not_yet_there(by_id, using)
        _insert(RequestLog, [rows.log for rows in new], using)
        numbers = dict(_logs(new, using).values_list("request_id", "id"))
        tries = [attempt | {"log_id": numbers[rows.request_id]} for rows in new for attempt in rows.attempts]
        _insert(RequestAttempt, tries, using)
        _insert(RequestContent, [rows.content | {"log_id": numbers[rows.request_id]} for rows in new], using)
    return new


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
    contents = RequestContent.objects.using(using).filter(log_id__in=numbers)._raw_delete(using)
    return RequestLog.objects.using(using).filter(id__in=numbers)._raw_delete(using), attempts, contents


def _insert(model: type[models.Model], rows: Sequence[dict[str, Any]], using: str) -> None:
    if not rows:
        return
    connection = connections[using]
    fields = _fields(model)
    names = ", ".join(connection.ops.quote_name(field.column) for field, _, _ in fields)
    places = ", ".join(["%s"] * len(fields))
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table} ({names}) VALUES ({places}) ON CONFLICT DO NOTHING",  # noqa: S608
            [
                [
                    field.get_db_prep_save(row.get(field.attname, default), connection) if converted
                    else row.get(field.attname, default)
                    for field, default, converted in fields
                ]
                for row in rows
            ],
        )  # fmt: skip


@lru_cache
def _fields(model: type[models.Model]) -> list[tuple[Any, Any, bool]]:
    """(field, default, whether it must be converted) of all columns but an automatic number."""
    return [
        (field, None if field.primary_key else field.get_default(), isinstance(field, CONVERTED))
        for field in model._meta.concrete_fields
        if not isinstance(field, models.AutoField)
    ]
