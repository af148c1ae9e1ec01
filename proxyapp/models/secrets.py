"""Base of configuration rows that carry encrypted fields."""

from __future__ import annotations

from collections.abc import Collection

from accounts.models import WatchedModel
from proxyapp.fields import EncryptedTextField, Sealed


class SecretsModel(WatchedModel):
    """A stored secret that nobody touched is neither opened nor checked again, so an unreadable one does not stop
    the rest of its row from being edited."""

    class Meta:
        abstract = True

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        sealed = {
            field.name
            for field in self._meta.concrete_fields
            if isinstance(field, EncryptedTextField) and isinstance(field.stored(self), Sealed)
        }
        super().clean_fields(exclude=set(exclude or ()) | sealed)
