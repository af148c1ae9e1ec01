"""JSON in and out, one place: msgspec for speed, our errors for faults."""

from __future__ import annotations

from typing import Any

import msgspec

from proxyapp.errors import BodyUnreadable

_top = msgspec.json.Decoder(dict[str, msgspec.Raw])
_any = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()

encode = _encoder.encode
"""Any value as compact JSON bytes; non-ASCII stays as it is."""


def text(value: Any) -> str:
    """Any value as compact JSON text."""
    return _encoder.encode(value).decode()


def decode(raw: bytes | msgspec.Raw | str) -> Any:
    """Raises BodyUnreadable."""
    try:
        return _any.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise BodyUnreadable(f"The body is not valid JSON: {exc}.") from exc


def decode_object(raw: bytes | msgspec.Raw) -> dict[str, Any]:
    """Raises BodyUnreadable when `raw` is anything but a JSON object."""
    value = decode(raw)
    if not isinstance(value, dict):
        raise BodyUnreadable("The body must be a JSON object.")
    return value


def decode_top(raw: bytes) -> dict[str, msgspec.Raw]:
    """The top level only; values stay raw JSON. Raises BodyUnreadable."""
    try:
        return _top.decode(raw)
    except msgspec.ValidationError as exc:
        raise BodyUnreadable("The body must be a JSON object.") from exc
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise BodyUnreadable(f"The body is not valid JSON: {exc}.") from exc


def try_object(raw: bytes | str | None) -> dict[str, Any] | None:
    """A JSON object, or None for anything else. Raises nothing."""
    if not raw:
        return None
    try:
        value = _any.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
