"""What is out, and until when: credentials and proxies alike, by subject (`key:12`, `token:3`, `proxy:7`).

One a worker, in memory, used from its event loop; no I/O. Whoever shares it among workers reads and writes it from
outside (`proxyapp.health`).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec import Struct


class State(Struct, kw_only=True):
    """Of one subject that failed and has not worked since."""

    reason: str
    """A sentence without secrets."""
    status: int | None = None
    """HTTP status that was the cause; None = no answer."""
    since: float
    """Unix seconds of the first failure in a row."""
    until: float | None
    """Unix seconds; None = until somebody puts it back."""
    failures: int = 1
    """In a row."""


class Health:
    """States of subjects that are out or were; a subject without a state is well."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._states: dict[str, State] = {}

    def state(self, subject: str) -> State | None:
        return self._states.get(subject)

    def is_out(self, subject: str) -> bool:
        """Should it be left alone now? After its time one may try it again."""
        state = self._states.get(subject)
        return state is not None and (state.until is None or state.until > self._clock())

    def failed(self, subject: str, reason: str, seconds: float | None, *, status: int | None = None) -> None:
        """It is out for so long; `seconds` None = until somebody puts it back. "" is nobody's subject."""
        if not subject:
            return
        now = self._clock()
        before = self._states.get(subject)
        self._states[subject] = State(
            reason=reason,
            status=status,
            since=before.since if before else now,
            until=None if seconds is None else now + seconds,
            failures=before.failures + 1 if before else 1,
        )

    def succeeded(self, subject: str) -> None:
        """It worked."""
        if self._states:
            self._states.pop(subject, None)
