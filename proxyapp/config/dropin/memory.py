"""A `Run` that remembers what the environment made, and sets again only what the environment says anew.

For each row there are three versions: what was applied last, what the environment says now, and what is there. A
column whose first two agree is the operator's; so is a row that nobody remembers, and one that was removed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.db import models
from msgspec import field

from proxyapp.config.matching import Run
from proxyapp.fields import EncryptedTextField, SecretUnreadable

Marks = dict[str, Any]
"""Column -> value, of a secret its digest."""
COST = {"n": 2**10, "r": 8, "p": 1}
"""Of the digest: some milliseconds, so that a stolen database does not tell weak keys at once."""


class Remembering(Run):
    applied: dict[str, Marks] = field(default_factory=dict)
    """Label -> what the environment set there last."""
    salt: str = ""
    afresh: bool = False
    """Set everything that the environment says, also what an operator changed or removed."""
    told: list[str] = field(default_factory=list)

    def match(
        self,
        row: models.Model,
        values: Mapping[str, Any],
        *,
        path: str,
        label: str,
        check: Callable[[], None] | None = None,
    ) -> bool:
        known = self.applied.get(label)
        is_new = row._state.adding
        if known is None and not is_new:
            self.told.append(f"{label} was there before and stays as it is")
            return False
        said = {name: self.mark(row, name, value) for name, value in values.items()}
        fresh = {name for name in said if known is None or self.afresh or known.get(name, said[name]) != said[name]}
        if is_new and known is not None and not fresh:
            return False  # somebody removed it, and the environment says nothing new
        wanted = values if is_new else {name: value for name, value in values.items() if name in fresh}
        if wanted and not super().match(row, wanted, path=path, label=label, check=check):
            return False
        self.applied[label] = said
        return True

    def remove(self, rows: Iterable[models.Model], label: Callable[[Any], str], path: str) -> None:
        """Only what the environment made and nobody changed since."""
        for row in rows:
            told = label(row)
            is_ours = self.is_as_made(row, told)
            was_known = self.applied.pop(told, None) is not None
            if is_ours:
                super().remove([row], label, path)
            elif was_known:
                self.told.append(f"{told} is no longer in the environment; it was changed here, and is left to you")

    def labels(self, label: str) -> list[str]:
        """The label and those of its parts, where they are remembered."""
        return [known for known in self.applied if known == label or known.startswith(f"{label} ")]

    def is_as_made(self, row: models.Model, label: str) -> bool:
        known = self.applied.get(label)
        if known is None or getattr(row, "generation", 0):  # a token that was refreshed: its seed is dead
            return False
        try:
            return all(self.mark(row, name, getattr(row, name)) == value for name, value in known.items())
        except SecretUnreadable:
            return False

    def mark(self, row: models.Model, name: str, value: Any) -> Any:
        """The value of a column as JSON. Raises SecretUnreadable."""
        if isinstance(row._meta.get_field(name), EncryptedTextField):
            return self._digest(value)
        if isinstance(value, models.Model):
            return str(value)
        return json.loads(json.dumps(value, default=str))

    def _digest(self, value: Any) -> str:
        plain = value.reveal() if hasattr(value, "reveal") else value
        text = plain if isinstance(plain, str) else json.dumps(plain, sort_keys=True)
        return hashlib.scrypt(text.encode("utf-8", "surrogatepass"), salt=self.salt.encode(), **COST).hex()
