"""Secrets at rest: model fields that are ciphertext in the database and decrypted only when they are asked for.

A row whose secret cannot be read still loads, lists and saves; reading the attribute raises `SecretUnreadable`.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.query_utils import DeferredAttribute


class SecretUnreadable(Exception):
    """A stored secret was encrypted with a key that DRAGOMAN_ENCRYPTION_KEYS does not hold. Never carries its text."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} cannot be decrypted: none of DRAGOMAN_ENCRYPTION_KEYS fits. "
            "Add the key it was stored with, or enter the secret again."
        )


@lru_cache(maxsize=4)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def cipher() -> MultiFernet:
    """The keys in force: the first encrypts, all decrypt."""
    return _cipher(tuple(settings.DRAGOMAN_ENCRYPTION_KEYS))


class Sealed:
    """A value as it stands in the database. Kept as it is when the row is saved again unchanged."""

    __slots__ = ("_plain", "token")

    def __init__(self, token: str) -> None:
        self.token = token
        self._plain: str | None = None

    def open(self, what: str) -> str:
        if self._plain is None:
            try:
                self._plain = cipher().decrypt(self.token.encode("ascii")).decode("utf-8")
            except (InvalidToken, UnicodeError):
                raise SecretUnreadable(what) from None
        return self._plain

    def __repr__(self) -> str:
        return "<sealed>"


class SecretAttribute(DeferredAttribute):
    """Decrypts on access. A data descriptor, so that the instance's own dictionary does not hide it."""

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        value = super().__get__(instance, cls)
        if isinstance(value, Sealed):
            return self.field.opened(value)
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class EncryptedTextField(models.TextField):
    """Text, encrypted. Empty text stays empty and readable as such. Cannot be searched; `isnull` alone works."""

    descriptor_class = SecretAttribute

    def opened(self, sealed: Sealed) -> Any:
        return sealed.open(f"{self.model._meta.verbose_name} {self.verbose_name}")

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return Sealed(value) if value else value

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, Sealed):
            return value.token
        text = self.as_text(value)
        return cipher().encrypt(text.encode("utf-8")).decode("ascii") if text else text

    def as_text(self, value: Any) -> str | None:
        """The plain text of a Python value."""
        return None if value is None else str(value)

    def to_python(self, value: Any) -> Any:
        """What our own keys can open is already sealed: a dump of the database comes back as it was."""
        if isinstance(value, str) and value.startswith("gAAAA"):
            try:
                cipher().decrypt(value.encode("utf-8"))
            except InvalidToken:
                return value
            return Sealed(value)
        return value

    def pre_save(self, model_instance: Any, add: bool) -> Any:
        # The stored form, so that a row whose secret cannot be read can still be saved.
        return self.stored(model_instance)

    def stored(self, instance: Any) -> Any:
        """The value without opening it."""
        if self.attname in instance.get_deferred_fields():
            instance.refresh_from_db(fields=[self.attname])
        return instance.__dict__.get(self.attname)

    def is_set(self, instance: Any) -> bool:
        """Whether there is a secret, without opening it."""
        return bool(self.stored(instance))

    def value_from_object(self, obj: Any) -> str:
        """What a form shows: never the secret."""
        return ""

    def value_to_string(self, obj: Any) -> str:
        """What a dump holds: the sealed form."""
        return str(self.get_prep_value(self.stored(obj)) or "")

    def clean(self, value: Any, model_instance: Any) -> Any:
        return value if isinstance(value, Sealed) else super().clean(value, model_instance)

    def save_form_data(self, instance: Any, data: Any) -> None:
        """An empty input keeps what is stored."""
        if data not in (None, "", {}):
            setattr(instance, self.name, data)

    def formfield(self, **kwargs: Any) -> Any:
        field = super().formfield(**kwargs)
        field.widget.attrs.setdefault("autocomplete", "off")
        return field

    def get_lookup(self, lookup_name: str) -> Any:
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None


class EncryptedJSONField(EncryptedTextField):
    """A flat JSON object of texts, encrypted as a whole. Empty is `{}`."""

    def opened(self, sealed: Sealed) -> Any:
        return json.loads(super().opened(sealed))

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return Sealed(value) if value else {}

    def as_text(self, value: Any) -> str | None:
        return json.dumps(value, ensure_ascii=False, sort_keys=True) if value else ""

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        if not isinstance(value, str):
            return value
        if not value.strip():
            return {}
        try:
            parsed = json.loads(value)
        except ValueError:
            raise ValidationError('Give a JSON object, such as {"x-team": "blue"}.')
        return parsed

    def validate(self, value: Any, model_instance: Any) -> None:
        if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
            raise ValidationError("Give a JSON object whose values are texts.")
