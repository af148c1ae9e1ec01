"""Typed reads of a caller's JSON: the value, None for absent or null, or BadRequest with a sentence and the path."""

from __future__ import annotations

from typing import Any

from proxyapp.errors import BadRequest

_LARGEST = 2**63
"""Python refuses to write out numbers of thousands of digits."""


def path_of(at: str, name: str | int) -> str:
    """`messages.2` + `content` -> `messages.2.content`."""
    return f"{at}.{name}" if at else str(name)


def wrong(path: str, must: str) -> BadRequest:
    """The error for a value of a wrong type or meaning."""
    return BadRequest(f"'{path}' must be {must}.", param=path)


def text(source: dict[str, Any], name: str, at: str = "") -> str | None:
    value = source.get(name)
    if value is None or isinstance(value, str):
        return value
    raise wrong(path_of(at, name), "a string")


def needed_text(source: dict[str, Any], name: str, at: str = "") -> str:
    """A string that may be neither absent nor empty."""
    value = text(source, name, at)
    if not value:
        raise wrong(path_of(at, name), "given, as a string that is not empty")
    return value


def flag(source: dict[str, Any], name: str, at: str = "") -> bool | None:
    value = source.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise wrong(path_of(at, name), "true or false")


def number(source: dict[str, Any], name: str, at: str = "") -> float | None:
    value = source.get(name)
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise wrong(path_of(at, name), "a number")


def whole(source: dict[str, Any], name: str, at: str = "", *, least: int | None = None) -> int | None:
    """An integer; 5.0 counts as one. `least` is the smallest legal value."""
    value = number(source, name, at)
    if value is None:
        return None
    if isinstance(value, float) and not value.is_integer():
        raise wrong(path_of(at, name), "a whole number")
    if least is not None and value < least:
        raise wrong(path_of(at, name), f"at least {least}")
    return int(value)


def record(source: dict[str, Any], name: str, at: str = "") -> dict[str, Any] | None:
    value = source.get(name)
    if value is None or isinstance(value, dict):
        return value
    raise wrong(path_of(at, name), "an object")


def listing(source: dict[str, Any], name: str, at: str = "") -> list[Any] | None:
    value = source.get(name)
    if value is None or isinstance(value, list):
        return value
    raise wrong(path_of(at, name), "a list")


def as_record(value: Any, path: str) -> dict[str, Any]:
    """An element of a list that must be an object."""
    if isinstance(value, dict):
        return value
    raise wrong(path, "an object")


def checked_search(tool: dict[str, Any], path: str) -> dict[str, Any]:
    """A hosted tool whose filters and place, which other dialects read into, are objects. Raises BadRequest."""
    record(tool, "filters", path)
    place = record(tool, "user_location", path)
    if place is not None:
        record(place, "approximate", path_of(path, "user_location"))
    return tool


def as_text(value: Any) -> str:
    """An id, a model name, a code: text where the server sent text or a number; "" for anything else."""
    if isinstance(value, str):
        return value
    is_number = isinstance(value, int | float) and abs(value) < _LARGEST
    return str(value) if is_number and not isinstance(value, bool) else ""
