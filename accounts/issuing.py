"""Makes gateway keys and renews them, for commands, the management API and the console."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from accounts import keys
from accounts.models import ApiKey, Client

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
DURATION = re.compile(r"(\d{1,5})([mhdw])\Z")
LONGEST_OVERLAP = timedelta(days=366)


def issue(client: Client, name: str, **fields: Any) -> tuple[ApiKey, str]:
    """A new key of `client`, stored by its digest. The key itself is the second value. Raises ValidationError."""
    key = keys.make_key()
    row = ApiKey(client=client, name=name, **fields)
    row.take(key)
    row.full_clean()
    row.save()
    return row, key


def rotate(row: ApiKey, now: datetime, overlap: timedelta = timedelta()) -> str:
    """A new key in the place of the old one, which goes on for `overlap`; the row keeps its id and all else. The key
    from before the old one, should its own overlap still run, ends now: a row knows one key before the present one.

    Also without overlap the old digest is kept: what was a key of this gateway never passes for somebody's own.
    Raises ApiKey.DoesNotExist when the row was deleted meanwhile.
    """
    key = keys.make_key()
    with transaction.atomic():
        present = ApiKey.objects.select_for_update().get(pk=row.pk)
        before = present.digest
        present.take(key)
        present.previous_digest, present.previous_until = before, now + overlap
        present.save(update_fields=["digest", "prefix", "previous_digest", "previous_until"])
    row.refresh_from_db()
    return key


def owner_of(digest: str) -> ApiKey | None:
    """Whose key has this digest, or had it before it was last renewed."""
    return ApiKey.objects.filter(Q(digest=digest) | Q(previous_digest=digest)).select_related("client").first()


def parse_overlap(text: str | int | float) -> timedelta:
    """Seconds, or 90m, 24h, 7d, 2w. Raises ValueError for anything else, and over LONGEST_OVERLAP."""
    if isinstance(text, str):
        found = DURATION.match(text.strip())
        if not found and not text.strip().isdecimal():
            raise ValueError("no duration")
        overlap = timedelta(**{UNITS[found[2]]: int(found[1])}) if found else timedelta(seconds=int(text))
    else:
        overlap = timedelta(seconds=text)
    if not timedelta() <= overlap <= LONGEST_OVERLAP:
        raise ValueError("out of bounds")
    return overlap


def free_name(client: Client, wanted: str) -> str:
    """`wanted`, or with the first number that makes it new: laptop, laptop-2, laptop-3."""
    taken = set(client.keys.values_list("name", flat=True))
    names = (wanted if number == 1 else f"{wanted}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def parse_time(text: str) -> datetime:
    """ISO 8601, in UTC; a date is its first moment, and without a zone it is UTC. Raises ValueError, also for a moment
    that is in the year 9999 or 1 in its own zone and in none that can be written in UTC."""
    time = datetime.fromisoformat(text)
    try:
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError("no such year in UTC") from error


def parse_expiry(text: str, now: datetime) -> datetime:
    """As `parse_time`, or a time from now: 90m, 12h, 30d, 4w. Raises ValueError."""
    if found := DURATION.match(text):
        return now + timedelta(**{UNITS[found[2]]: int(found[1])})
    return parse_time(text)
