"""Typed reading of a caller's JSON: the value, None for absent or null, or BadRequest naming the field's path.

Google's servers read protobuf JSON: every field may be written in camelCase or in snake_case. Names are given here in
camelCase and found in both spellings. Keys that are data (arguments, schemas' properties, labels) never come here.
"""

from __future__ import annotations

import functools
import math
import re
from typing import Any

from proxyapp.errors import BadRequest

_UPPER = re.compile(r"[A-Z]")
_INT64 = 2**63
_UNDERSCORE = re.compile(r"_([a-z0-9])")


@functools.lru_cache(maxsize=512)
def snake(name: str) -> str:
    return _UPPER.sub(lambda match: f"_{match.group().lower()}", name)


@functools.lru_cache(maxsize=2048)
def camel(name: str) -> str:
    return _UNDERSCORE.sub(lambda match: match.group(1).upper(), name)


def pick(source: dict[str, Any], name: str) -> Any:
    """The value under either spelling; None when absent."""
    value = source.get(name)
    return value if value is not None else source.get(snake(name))


def camelled(source: dict[str, Any]) -> dict[str, Any]:
    """The same object with its keys (of this level only) in camelCase, without nulls."""
    return {camel(key): value for key, value in source.items() if value is not None}


def join(path: str, name: str | int) -> str:
    return f"{path}.{name}" if path else str(name)


def wrong(path: str, must: str) -> BadRequest:
    """The error for a value of a wrong type or meaning."""
    return BadRequest(f"Invalid value at '{path}': must be {must}.", param=path)


def record(source: dict[str, Any], name: str, at: str = "") -> dict[str, Any] | None:
    value = pick(source, name)
    return None if value is None else as_record(value, join(at, name))


def as_record(value: Any, path: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise wrong(path, "an object")


def listing(source: dict[str, Any], name: str, at: str = "") -> list[Any]:
    """A list; a single value stands for a list of one, as Google's own parser has it. Absent: empty."""
    value = pick(source, name)
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def text(source: dict[str, Any], name: str, at: str = "") -> str | None:
    value = pick(source, name)
    if value is None or isinstance(value, str):
        return value
    raise wrong(join(at, name), "a string")


def flag(source: dict[str, Any], name: str, at: str = "") -> bool | None:
    value = pick(source, name)
    if value is None or isinstance(value, bool):
        return value
    raise wrong(join(at, name), "true or false")


def number(source: dict[str, Any], name: str, at: str = "") -> float | None:
    value = pick(source, name)
    if isinstance(value, str):
        value = _of_text(value)
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise wrong(join(at, name), "a number")


def whole(source: dict[str, Any], name: str, at: str = "") -> int | None:
    """An integer; `5.0` and `"5"` count as one (protobuf JSON)."""
    value = number(source, name, at)
    if value is None:
        return None
    if value != int(value) or abs(value) >= _INT64:
        raise wrong(join(at, name), "a whole number")
    return int(value)


def texts(source: dict[str, Any], name: str, at: str = "") -> list[str]:
    values = listing(source, name, at)
    if not all(isinstance(value, str) for value in values):
        raise wrong(join(at, name), "a list of strings")
    return values


def _of_text(value: str) -> Any:
    """A number written as a string, else the string, which is then refused."""
    try:
        found = float(value)
    except ValueError:
        return [value]
    if not math.isfinite(found):
        return [value]
    return int(found) if found.is_integer() and "." not in value else found
