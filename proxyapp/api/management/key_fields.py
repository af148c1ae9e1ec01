"""Keys as the management API says them: what may be sent, what comes back."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils import timezone
from msgspec import UNSET, Meta, Struct, UnsetType

from accounts.issuing import parse_expiry
from accounts.models import ApiKey
from proxyapp.config.wording import say
from proxyapp.errors import BadRequest, Conflict, GatewayError

Json = dict[str, Any]
MOST_ENTRIES = 1000
Scope = Literal["inference", "admin"]
Name = Annotated[str, Meta(min_length=1, max_length=100, description="Where it is used; unique per client.")]
Patterns = Annotated[
    list[str], Meta(max_length=MOST_ENTRIES, description="Models it may use, * allowed. Empty: all of its client's.")
]
Networks = Annotated[
    list[str], Meta(max_length=MOST_ENTRIES, description="Addresses or networks it may come from. Empty: everywhere.")
]
Expires = Annotated[
    str, Meta(description="2027-01-31, 2027-01-31T12:00:00Z, or a time from now: 90m, 12h, 30d, 4w. null: never.")
]


class NewKey(Struct, forbid_unknown_fields=True):
    """A key to make."""

    client: Annotated[str, Meta(min_length=1, max_length=100, description="Made when there is none of that name.")]
    name: Name
    scope: Scope = "inference"
    models: Patterns = []
    expires: Expires | None = None
    allowed_ips: Networks = []


class KeyChanges(Struct, forbid_unknown_fields=True):
    """What is to be changed of a key; the rest stays. Its client never changes."""

    name: Name | UnsetType = UNSET
    scope: Scope | UnsetType = UNSET
    models: Patterns | UnsetType = UNSET
    expires: Expires | UnsetType | None = UNSET
    allowed_ips: Networks | UnsetType = UNSET
    enabled: Annotated[bool, Meta(description="false refuses it from now on.")] | UnsetType = UNSET


class Rotation(Struct, forbid_unknown_fields=True):
    """How a key is renewed."""

    overlap: Annotated[
        str | int | float | None,
        Meta(
            description="How long the old key goes on: seconds, or 90m, 24h, 7d; at most a year. Default: not at all."
        ),
    ] = None


class ShownKey(Struct, kw_only=True):
    """A key as it is listed: never the key itself."""

    id: int
    client: str
    name: str
    prefix: Annotated[str, Meta(description="How the key begins.")]
    scope: Scope
    models: list[str]
    allowed_ips: list[str]
    expires: str | None
    enabled: bool
    state: Annotated[
        Literal["active", "expired", "revoked"], Meta(description="revoked: it or its client is switched off.")
    ]
    created_at: str
    last_used_at: str | None
    overlap_until: Annotated[str | None, Meta(description="Until then the key from before the last rotation goes on.")]


class MadeKey(ShownKey, kw_only=True):
    """A key that was just made or renewed."""

    key: Annotated[str, Meta(description="The key itself. It is shown this once and kept nowhere.")]
    client_created: bool = False


class KeyPage(Struct):
    """A page of keys, in the order in which they were made."""

    total: Annotated[int, Meta(description="Keys that fit the filters, on all pages.")]
    next: Annotated[str | None, Meta(description="Path of the next page; null on the last.")]
    results: list[ShownKey]


def shown(row: ApiKey) -> ShownKey:
    return ShownKey(**_fields(row))


def made(row: ApiKey, key: str, *, client_created: bool = False) -> MadeKey:
    return MadeKey(**_fields(row), key=key, client_created=client_created)


def _fields(row: ApiKey) -> Json:
    return {
        "id": row.pk,
        "client": row.client.name,
        "name": row.name,
        "prefix": row.prefix,
        "scope": row.scope,
        "models": row.models,
        "allowed_ips": row.allowed_ips,
        "expires": _time(row.expires_at),
        "enabled": row.enabled,
        "state": row.state,
        "created_at": _time(row.created_at),
        "last_used_at": _time(row.last_used_at),
        "overlap_until": _time(row.overlap_until),
    }


def _time(moment: datetime | None) -> str | None:
    return moment and moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def expiry(text: str | None) -> datetime | None:
    """Raises BadRequest for what is no time or is over already."""
    if text is None:
        return None
    now = timezone.now()
    try:
        moment = parse_expiry(text.strip(), now)
    except (ValueError, OverflowError):
        raise BadRequest("expires: give 2027-01-31, 2027-01-31T12:00:00Z, or 30d.", param="expires") from None
    if moment <= now:
        raise BadRequest("expires: this time is in the past.", param="expires")
    return moment


def refused(exc: ValidationError, *, client: bool = False) -> GatewayError:
    """What a row's own checks say, in the words of the API; a name that is taken is a conflict. `client`: the row is
    the client, whose name is one field of the request."""
    by_field = exc.error_dict if hasattr(exc, "error_dict") else {NON_FIELD_ERRORS: [exc]}
    names = {"expires_at": "expires", NON_FIELD_ERRORS: "name"}
    field, errors = next(iter(by_field.items()))
    param = "client" if client else names.get(field, field)
    if any(error.code in ("unique", "unique_together") for error in errors):
        return Conflict("This client has a key of that name already.", param=param)
    return BadRequest(f"{param}: {' '.join(message for error in errors for message in error.messages)}", param=param)


def read(body: Json, shape: type[Any]) -> Any:
    """A body in the shape of one of the structs above. Raises BadRequest."""
    try:
        return msgspec.convert(body, shape)
    except msgspec.ValidationError as exc:
        raise _unreadable(exc, shape) from None


def _unreadable(exc: msgspec.ValidationError, shape: type[Any]) -> BadRequest:
    if unknown := _UNKNOWN.search(str(exc)):
        fields = ", ".join(shape.__struct_fields__)
        return BadRequest(f"There is no field {unknown[1]!r}; there are: {fields}.", param=unknown[1])
    sentence = say(exc)
    named = _MISSING.match(sentence) or _NAMED.match(sentence)
    return BadRequest(f"{sentence}.", param=named[1] if named else None)


_UNKNOWN = re.compile(r"^Object contains unknown field `(.*?)`")
_MISSING = re.compile(r"(\w+) is missing")
_NAMED = re.compile(r"(\w+)[\w\[\].]*:")
