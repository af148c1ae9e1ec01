"""How long an upstream asks to wait, out of the headers of its refusal."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_UNITS = (("retry-after-ms", 1000.0), ("retry-after", 1.0))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds: `retry-after-ms`, or `retry-after` in seconds or as a date, which is measured against the answer's own
    `date`, since there is no clock here. None when nothing sensible is said."""
    found = {name.lower(): value for name, value in headers.items()}
    for name, unit in _UNITS:
        seconds = _number(found.get(name))
        if seconds is not None:
            return seconds / unit
    try:
        delta = parsedate_to_datetime(found["retry-after"]) - parsedate_to_datetime(found["date"])
        return max(0.0, delta.total_seconds())
    except (KeyError, TypeError, ValueError):
        return None


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else -1.0
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
