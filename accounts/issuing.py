"""Makes gateway keys for commands; the console's form does the same for itself."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from accounts import keys
from accounts.models import ApiKey, Client

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
DURATION = re.compile(r"(\d{1,5})([mhdw])\Z")


def issue(client: Client, name: str, **fields: Any) -> tuple[ApiKey, str]:
    """A new key of `client`, stored by its digest. The key itself is the second value. Raises ValidationError."""
    key = keys.make_key()
    row = ApiKey(client=client, name=name, **fields)
    row.take(key)
    row.full_clean()
    row.save()
    return row, key


def free_name(client: Client, wanted: str) -> str:
    """`wanted`, or with the first number that makes it new: laptop, laptop-2, laptop-3."""
    taken = set(client.keys.values_list("name", flat=True))
    names = (wanted if number == 1 else f"{wanted}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def parse_time(text: str) -> datetime:
    """ISO 8601; a date is its first moment, and without a zone it is UTC. Raises ValueError."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def parse_expiry(text: str, now: datetime) -> datetime:
    """As `parse_time`, or a time from now: 90m, 12h, 30d, 4w. Raises ValueError."""
    if found := DURATION.match(text):
        return now + timedelta(**{UNITS[found[2]]: int(found[1])})
    return parse_time(text)
