"""Every stored secret, found by introspection: what no key opens, and re-encryption under the first key.

A batch is a transaction, and each value is replaced only where it is still the one that was read, so this may be cut
off anywhere, run twice at once, and run while the gateway serves and refreshes tokens: what somebody else wrote in
between is theirs. The texts stay the same, so no configuration version is raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.apps import apps
from django.conf import settings
from django.db import models, transaction
from django.db.models import TextField, Value
from django.db.models.functions import Cast
from msgspec import Struct, field

from proxyapp.fields import EncryptedTextField, cipher
from proxyapp.tokens import spool

BATCH = 100
PASSES = 5
"""How often a table is gone through again for what was changed in between."""


class Unreadable(Struct, frozen=True):
    """A secret that none of the keys opens."""

    row: models.Model
    field: str
    """Name of the column, as people call it."""

    def __str__(self) -> str:
        return f"{self.row._meta.verbose_name} {self.row}: {self.field}"


class Table(Struct):
    """What was found in one model."""

    name: str
    renewed: int = 0
    """Re-encrypted, or would be."""
    current: int = 0
    """Under the first key already."""
    unreadable: list[Unreadable] = field(default_factory=list)
    missed: int = 0
    """Changed by somebody else again and again: run it once more."""


def encrypted_fields(model: type[models.Model]) -> list[EncryptedTextField]:
    return [column for column in model._meta.concrete_fields if isinstance(column, EncryptedTextField)]


def encrypted_models() -> list[type[models.Model]]:
    return [model for model in apps.get_models() if encrypted_fields(model)]


def unreadable(*only: type[models.Model]) -> list[Unreadable]:
    """What no key opens, in all models or in these. Raises django.db.Error when the database is away."""
    keys = cipher()
    found = []
    for model in only or encrypted_models():
        for column in encrypted_fields(model):
            for row in _with_ciphertext(model, column).order_by("pk").iterator():
                try:
                    keys.decrypt(row.ciphertext)  # type: ignore[attr-defined]
                except InvalidToken:
                    found.append(Unreadable(row, str(column.verbose_name)))
    return found


def rekey(*, dry_run: bool = False, batch: int = BATCH) -> list[Table]:
    """Put every secret under the first of DRAGOMAN_ENCRYPTION_KEYS; with `dry_run` only count."""
    tables = []
    for model in encrypted_models():
        table = Table(str(model._meta.verbose_name))
        for column in encrypted_fields(model):
            _column(model, column, table, dry_run=dry_run, batch=batch)
        tables.append(table)
    return tables


def waiting_tokens() -> int:
    """Refreshed tokens on disk that the database has not taken yet, encrypted with another key than the first: they
    are lost when that one goes."""
    first = Fernet(settings.DRAGOMAN_ENCRYPTION_KEYS[0])
    return sum(1 for path in spool.waiting() if not _opens(first, path))


def _opens(key: Fernet, path: Path) -> bool:
    try:
        key.decrypt(path.read_bytes())
    except FileNotFoundError:
        return True  # taken up in this moment
    except (OSError, InvalidToken):
        return False
    return True


def _column(model: type[models.Model], column: EncryptedTextField, table: Table, *, dry_run: bool, batch: int) -> None:
    for number in range(PASSES):
        seen = Table(table.name)
        for rows in _batches(model, column, batch):
            with transaction.atomic():
                for row in rows:
                    _secret(row, column, seen, dry_run=dry_run)
        table.renewed += seen.renewed
        # A later pass looks only for what the one before has missed; the rest it meets under the first key.
        table.current += 0 if number else seen.current
        table.unreadable += [] if number else seen.unreadable
        table.missed = seen.missed
        if not seen.missed:
            return


def _batches(model: type[models.Model], column: EncryptedTextField, batch: int) -> Iterator[list[Any]]:
    last: Any = None
    while True:
        rows = _with_ciphertext(model, column).order_by("pk")
        found = list((rows if last is None else rows.filter(pk__gt=last))[:batch])
        if not found:
            return
        last = found[-1].pk
        yield found


def _with_ciphertext(model: type[models.Model], column: EncryptedTextField) -> models.QuerySet[Any]:
    """Rows that hold a secret there, each with what the database keeps, as `ciphertext`."""
    rows = model._base_manager.annotate(ciphertext=Cast(column.name, TextField()))
    return rows.exclude(ciphertext="").exclude(ciphertext=None)


def _secret(row: Any, column: EncryptedTextField, table: Table, *, dry_run: bool) -> None:
    first = Fernet(settings.DRAGOMAN_ENCRYPTION_KEYS[0])
    try:
        first.decrypt(row.ciphertext)
        table.current += 1
        return
    except InvalidToken:
        pass
    try:
        renewed = cipher().rotate(row.ciphertext.encode("utf-8")).decode("ascii")
    except InvalidToken:
        table.unreadable.append(Unreadable(row, str(column.verbose_name)))
        return
    if dry_run or _replaced(row, column, renewed):
        table.renewed += 1
    else:
        table.missed += 1


def _replaced(row: Any, column: EncryptedTextField, ciphertext: str) -> bool:
    """False when the row is gone or holds something else by now. By the base manager, which raises no version."""
    unchanged = _with_ciphertext(type(row), column).filter(pk=row.pk, ciphertext=row.ciphertext)
    return bool(unchanged.update(**{column.name: Value(ciphertext, TextField())}))
