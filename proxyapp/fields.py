"""Secrets at rest: model fields that are ciphertext in the database.

Reading such an attribute gives a `Secret`: it can be stored, compared with nothing and printed without harm; only
`reveal()` opens it. So no page, log line, template or `repr` shows one by accident, and a row whose secret cannot be
read still loads, lists and saves. An empty secret stays empty and is no `Secret`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
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
            f"The {what} cannot be decrypted: none of DRAGOMAN_ENCRYPTION_KEYS fits. "
            "Add the key it was stored with, or enter the secret again."
        )


@lru_cache(maxsize=4)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def cipher() -> MultiFernet:
    """The keys in force: the first encrypts, all decrypt."""
    return _cipher(tuple(settings.DRAGOMAN_ENCRYPTION_KEYS))


class Secret:
    """A secret that is there. Sealed (as it came from the database, and goes back unchanged) or fresh."""

    __slots__ = ("_parse", "_plain", "_token", "_what")

    def __init__(
        self, what: str, parse: Callable[[str], Any], *, token: str | None = None, plain: str | None = None
    ) -> None:
        self._what = what
        self._parse = parse
        self._token = token
        self._plain = plain

    def reveal(self) -> Any:
        """The value itself. Raises SecretUnreadable."""
        if self._plain is None:
            try:
                self._plain = cipher().decrypt((self._token or "").encode("ascii")).decode("utf-8")
            except (InvalidToken, UnicodeError):
                raise SecretUnreadable(self._what) from None
        return self._parse(self._plain)

    def sealed(self) -> str:
        """What the database keeps."""
        if self._token is None:
            self._token = cipher().encrypt((self._plain or "").encode("utf-8")).decode("ascii")
        return self._token

    @property
    def is_fresh(self) -> bool:
        """True until it is stored."""
        return self._token is None

    def __repr__(self) -> str:
        return "(set)"


class SecretAttribute(DeferredAttribute):
    """Wraps what is assigned. A data descriptor, so that the instance's own dictionary does not hide it."""

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.field.attname] = self.field.wrapped(value)


class EncryptedTextField(models.TextField):
    """Text, encrypted. Cannot be searched: every lookup but `isnull` is refused."""

    descriptor_class = SecretAttribute

    def wrapped(self, value: Any) -> Any:
        """What the attribute holds: a Secret, or the empty value as it is."""
        return value if isinstance(value, Secret) or not value else self._secret(plain=self.as_text(value))

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return self._secret(token=value) if value else self.nothing()

    def get_prep_value(self, value: Any) -> Any:
        value = self.wrapped(value)
        return value.sealed() if isinstance(value, Secret) else ""

    def to_python(self, value: Any) -> Any:
        """What our own keys can open is already sealed, so that a dump of the database comes back as it was."""
        if isinstance(value, str) and value.startswith("gAAAA"):
            try:
                cipher().decrypt(value.encode("utf-8"))
            except InvalidToken:
                return value
            return self._secret(token=value)
        return value

    def clean(self, value: Any, model_instance: Any) -> Any:
        if not isinstance(value, Secret):
            return super().clean(value, model_instance)
        if value.is_fresh:
            super().clean(value.reveal(), model_instance)
        return value

    def value_from_object(self, obj: Any) -> str:
        """What a form shows: never the secret."""
        return ""

    def value_to_string(self, obj: Any) -> str:
        """What a dump holds: the sealed form."""
        return str(self.get_prep_value(getattr(obj, self.attname)))

    def save_form_data(self, instance: Any, data: Any) -> None:
        """An empty input keeps what is stored."""
        if data in (None, ""):
            return
        try:
            setattr(instance, self.name, self.to_python(data))
        except ValidationError as exc:
            raise ValidationError({self.name: exc.messages})

    def get_lookup(self, lookup_name: str) -> Any:
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None

    def nothing(self) -> Any:
        return ""

    def as_text(self, value: Any) -> str:
        return str(value)

    def parse(self, text: str) -> Any:
        return text

    def _secret(self, token: str | None = None, plain: str | None = None) -> Secret:
        what = f"{self.model._meta.verbose_name}'s {self.verbose_name}"
        return Secret(what, self.parse, token=token, plain=plain)


class EncryptedJSONField(EncryptedTextField):
    """A JSON object of texts, encrypted as a whole. Empty is `{}`."""

    def nothing(self) -> Any:
        return {}

    def as_text(self, value: Any) -> str:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)

    def parse(self, text: str) -> Any:
        return json.loads(text)

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value.strip() else {}
        except (ValueError, RecursionError):
            raise ValidationError('Give a JSON object, such as {"x-team": "blue"}.')

    def validate(self, value: Any, model_instance: Any) -> None:
        if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
            raise ValidationError("Give a JSON object whose values are texts.")
