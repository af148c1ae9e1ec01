"""One row made to match its declaration: what differs is written, checked and told as one line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models
from django.db.models import ProtectedError
from msgspec import Struct, field

from proxyapp.fields import Secret, SecretUnreadable

# Where a column has another name in the file.
SPEC_NAMES = {
    "timeout_connect": "timeouts.connect",
    "timeout_first_byte": "timeouts.first_byte",
    "timeout_idle": "timeouts.idle",
    "timeout_total": "timeouts.total",
    "rpm": "limits.rpm",
    "tpm": "limits.tpm",
    "concurrency": "limits.concurrency",
    "budget_usd": "budget.usd",
    "budget_per": "budget.per",
    "upstream_model": "model",
    "expires_at": "expires",
    "digest": "value",
    "seed": "refresh_token",
    "cooldown_seconds": "cooldown",
}


class MadeKey(Struct, frozen=True):
    """A gateway key that was made because the file gave none. To be shown once."""

    client: str
    name: str
    key: str

    def __repr__(self) -> str:
        return f"MadeKey({self.client!r}, {self.name!r})"


class Run(Struct):
    """One application of a document: what it did so far."""

    prune: bool = False
    changes: list[str] = field(default_factory=list)
    """`+ upstream anthropic`, `~ model x: aliases`, `- client bob`"""
    problems: list[str] = field(default_factory=list)
    made: list[MadeKey] = field(default_factory=list)

    def match(
        self,
        row: models.Model,
        values: Mapping[str, Any],
        *,
        path: str,
        label: str,
        check: Callable[[], None] | None = None,
    ) -> bool:
        """Give `row` the values and save it when that changes it or it is new. False: refused, see `problems`."""
        is_new = row._state.adding
        changed = [name for name, value in values.items() if _differs(row, name, value)]
        if not changed and not is_new:
            return True
        for name in changed:
            setattr(row, name, values[name])
        try:
            (check or row.full_clean)()
        except ValidationError as exc:
            self.refuse(path, exc)
            return False
        row.save()
        details = ", ".join(map(_told(row), changed))
        self.changes.append(f"+ {label}" if is_new else f"~ {label}: {details}")
        return True

    def remove(self, rows: Iterable[models.Model], label: Callable[[Any], str], path: str) -> None:
        """Delete rows that the file does not name."""
        for row in rows:
            told = label(row)
            try:
                row.delete()
            except ProtectedError as exc:
                users = ", ".join(sorted({str(user) for user in exc.protected_objects}))
                self.problems.append(f"{path}: {told} cannot be removed, it is still used by {users}")
            else:
                self.changes.append(f"- {told}")

    def refuse(self, path: str, exc: ValidationError) -> None:
        """Keep the sentences of a failed check, each with its path."""
        by_field = exc.message_dict if hasattr(exc, "error_dict") else {NON_FIELD_ERRORS: exc.messages}
        for name, messages in by_field.items():
            place = path if name == NON_FIELD_ERRORS else f"{path}.{SPEC_NAMES.get(name, name)}"
            self.problems.extend(f"{place}: {message}" for message in messages)


def _differs(row: models.Model, name: str, value: Any) -> bool:
    present = getattr(row, name)
    if isinstance(present, Secret):
        try:
            return bool(present.reveal() != value)
        except SecretUnreadable:
            return True
    return bool(present != value)


def _told(row: models.Model) -> Callable[[str], str]:
    """How a changed column is named: secrets never with their value."""

    def told(name: str) -> str:
        is_secret = name == "digest" or isinstance(getattr(row, name), Secret)
        return SPEC_NAMES.get(name, name) + (" (changed)" if is_secret else "")

    return told
