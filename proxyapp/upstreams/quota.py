"""What an answer's headers say of the limits its key has: how many requests and tokens, how many are left, until when.

Names and forms: OpenAI's `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, whose reset is a duration such as
`6m0s`, and which Groq, Azure, Mistral and most compatible servers use too; Anthropic's
`anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`, whose reset is a date of RFC
3339; the plain `x-ratelimit-{limit,remaining,reset}` of OpenRouter and others, which counts from 1970 or from now.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Struct

_WINDOWS = (
    *(
        (name, *(f"x-ratelimit-{what}-{name}" for what in ("limit", "remaining", "reset")))
        for name in ("requests", "tokens")
    ),
    *(
        (name, *(f"anthropic-ratelimit-{name}-{what}" for what in ("limit", "remaining", "reset")))
        for name in ("requests", "tokens", "input-tokens", "output-tokens")
    ),
    ("requests", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"),
)
"""What is counted, and the headers that say its limit, what is left, and when it is whole again."""
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|s|m|h|d)")
_SECONDS = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_SINCE_1970, _IN_MILLISECONDS = 1e9, 1e11
"""No duration is so long: from the first on a number counts seconds since 1970, from the second on milliseconds."""
_LARGEST = 2**53


class Window(Struct, frozen=True, array_like=True):
    """One limit of a key, as its upstream told it."""

    name: str
    """requests | tokens | input-tokens | output-tokens."""
    limit: int | None
    remaining: int | None
    reset: float | None
    """Unix seconds at which it is whole again; None when that was not said."""


def windows(headers: Mapping[str, str], now: float) -> tuple[Window, ...]:
    """The limits an answer tells. `headers` is case-insensitive or in lower case, `now` in unix seconds. Numbers below
    zero, which Azure sends for "not known", are left out. Raises nothing."""
    found: dict[str, Window] = {}
    for name, limit, remaining, reset in _WINDOWS:
        if name in found or (limit not in headers and remaining not in headers):
            continue
        window = Window(
            name, _count(headers.get(limit)), _count(headers.get(remaining)), moment(headers.get(reset), now)
        )
        if window.limit is not None or window.remaining is not None:
            found[name] = window
    return tuple(found.values())


def spent_until(told: tuple[Window, ...]) -> float | None:
    """When all limits that are used up are whole again, unix seconds; None when none is, or none says when."""
    resets = [window.reset for window in told if window.remaining == 0 and window.reset is not None]
    return max(resets, default=None)


def moment(value: str | None, now: float) -> float | None:
    """A reset as unix seconds: a duration (`1m30s`, `12ms`), a number, or a date. None for what is none of these."""
    value = (value or "").strip()
    if not value or len(value) > 40:
        return None
    seconds = _number(value)
    if seconds is not None:
        if seconds >= _IN_MILLISECONDS:
            return seconds / 1000
        return seconds if seconds >= _SINCE_1970 else now + seconds
    parts = _PART.findall(value)
    if parts and "".join(number + unit for number, unit in parts) == value:
        return now + sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return _date(value)


def _date(value: str) -> float | None:
    try:
        told = datetime.fromisoformat(value)
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and 0 <= number < _LARGEST else None


def _count(value: str | None) -> int | None:
    number = _number(value or "")
    return None if number is None else int(number)
