"""Numbers of a protobuf Struct, which are all doubles: 3.0 means 3 (reference/translation.md 7.6)."""

from __future__ import annotations

from typing import Any

EXACT = 2**53
"""Up to here a double is exact."""


def tidy(value: Any) -> Any:
    """The same value with whole numbers as integers."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= EXACT else value
    if isinstance(value, dict):
        return {key: tidy(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [tidy(entry) for entry in value]
    return value


def is_exact(value: Any) -> bool:
    """Would every number in it survive as a double?"""
    if isinstance(value, dict):
        return all(is_exact(entry) for entry in value.values())
    if isinstance(value, list):
        return all(is_exact(entry) for entry in value)
    return not isinstance(value, int) or abs(value) <= EXACT
