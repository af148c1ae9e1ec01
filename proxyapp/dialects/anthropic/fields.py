"""Typed reading of a caller's JSON: each function returns the value or raises BadRequest naming the field's path.

The wording follows what Anthropic answers ("max_tokens: Field required"), since clients match on it.
"""

from __future__ import annotations

from typing import Any, NoReturn

from proxyapp.errors import BadRequest


def wrong(path: str, problem: str) -> NoReturn:
    raise BadRequest(f"{path}: {problem}", param=path)


def text(value: Any, path: str) -> str:
    if value is None:
        wrong(path, "Field required")
    if not isinstance(value, str):
        wrong(path, "Input should be a valid string")
    return value


def mapping(value: Any, path: str) -> dict[str, Any]:
    if value is None:
        wrong(path, "Field required")
    if not isinstance(value, dict):
        wrong(path, "Input should be a valid object")
    return value


def listing(value: Any, path: str) -> list[Any]:
    if value is None:
        wrong(path, "Field required")
    if not isinstance(value, list):
        wrong(path, "Input should be a valid list")
    return value


def maybe_text(value: Any, path: str) -> str | None:
    return None if value is None else text(value, path)


def maybe_mapping(value: Any, path: str) -> dict[str, Any]:
    return {} if value is None else mapping(value, path)


def maybe_listing(value: Any, path: str) -> list[Any]:
    return [] if value is None else listing(value, path)


def maybe_bool(value: Any, path: str) -> bool | None:
    if value is not None and not isinstance(value, bool):
        wrong(path, "Input should be a valid boolean")
    return value


def maybe_int(value: Any, path: str) -> int | None:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        wrong(path, "Input should be a valid integer")
    return value


def maybe_number(value: Any, path: str) -> float | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        wrong(path, "Input should be a valid number")
    return value


def texts(value: Any, path: str) -> list[str]:
    return [text(entry, f"{path}.{index}") for index, entry in enumerate(maybe_listing(value, path))]


def rest(block: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """The keys nobody here models, without nulls: they go into `meta` and return to this dialect only."""
    return {key: value for key, value in block.items() if key not in known and value is not None}
