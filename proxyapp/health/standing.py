"""How subjects stand, in words for people: what is out, why, until when, and what is left of their limits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from django.utils import timezone
from msgspec import Struct, field

from proxyapp.models import HealthState

WELL, UNUSED, OUT, COOLING, DUE = "well", "not used yet", "out", "cooling", "to be tried"
_WINDOW = 4
"""Fields of a stored `upstreams.quota.Window`."""


class Trouble(Struct):
    """One thing that a subject is out for."""

    state: str
    """OUT: not by itself; COOLING: until a time; DUE: that time is over, the next request looks."""
    scope: str
    """"" = everything, else the one model."""
    why: str
    """A sentence, with the upstream's status."""
    since: datetime | None
    until: datetime | None
    failures: int


class Left(Struct):
    """What is left of one limit."""

    model: str
    name: str
    remaining: int | None
    limit: int | None
    reset: datetime | None


class Standing(Struct):
    """Of one subject."""

    subject: str
    troubles: list[Trouble] = field(default_factory=list)
    """What is for everything first."""
    limits: list[Left] = field(default_factory=list)
    last_used: datetime | None = None
    last_ok: datetime | None = None

    @property
    def word(self) -> str:
        """Of the whole subject: one model's trouble makes it no worse than cooling."""
        if not self.troubles:
            return UNUSED if self.last_used is None else WELL
        whole = [trouble for trouble in self.troubles if not trouble.scope]
        if whole:
            return whole[0].state
        return DUE if all(trouble.state == DUE for trouble in self.troubles) else COOLING


def standings(subjects: Iterable[str]) -> dict[str, Standing]:
    """One for each subject, in one query."""
    found = {subject: Standing(subject) for subject in subjects}
    now = timezone.now()
    for row in HealthState.objects.filter(subject__in=list(found)).order_by("scope"):
        standing = found[row.subject]
        if row.kind:
            standing.troubles.append(_trouble(row, now))
        if not row.scope:
            standing.last_used, standing.last_ok = row.last_used, row.last_ok
            standing.limits = _limits(row.quota, now)
    return found


def _trouble(row: HealthState, now: datetime) -> Trouble:
    state = OUT if row.until is None else COOLING if row.until > now else DUE
    why = f"{row.status}: {row.reason}" if row.status else row.reason
    return Trouble(state, row.scope, why, row.since, row.until, row.failures)


def _limits(quota: object, now: datetime) -> list[Left]:
    """What was told last, without what is whole again by now."""
    limits = []
    for model, windows in quota.items() if isinstance(quota, dict) else ():
        for window in windows if isinstance(windows, list) else ():
            if isinstance(window, list) and len(window) == _WINDOW:
                name, limit, remaining, reset = window
                when = _time(reset)
                if when is not None and when <= now:
                    remaining, when = limit, None
                limits.append(Left(model, name, remaining, limit, when))
    return limits


def _time(seconds: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int | float) else None
    except (ValueError, OverflowError, OSError):
        return None
