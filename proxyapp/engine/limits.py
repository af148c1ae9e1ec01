"""How often and how much at once. In memory: exact within one process, else per process.

rpm: at most N accepted in any 60 seconds; refused calls do not count. `retry_after` is when the next one will pass.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from proxyapp.engine.snapshot import Key
from proxyapp.errors import LimitReached

WINDOW = 60.0


class Limiter:
    """Counts per client, over all its keys and dialects."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._accepted: dict[int, deque[float]] = {}
        self._running: dict[int, int] = {}

    def admit(self, key: Key) -> Callable[[], None]:
        """Takes a place; call the result once when the request is over. Raises LimitReached."""
        limits, client = key.limits, key.client_id
        if limits.concurrency is not None and self._running.get(client, 0) >= limits.concurrency:
            raise LimitReached(f"Over {limits.concurrency} requests at once for this client.", retry_after=1)
        if limits.rpm is not None:
            self._take(client, limits.rpm)
        if limits.concurrency is None:
            return _nothing
        self._running[client] = self._running.get(client, 0) + 1
        return lambda: self._leave(client)

    def _take(self, client: int, rpm: int) -> None:
        now = self._clock()
        accepted = self._accepted.setdefault(client, deque())
        while accepted and accepted[0] <= now - WINDOW:
            accepted.popleft()
        if len(accepted) >= rpm:
            wait = accepted[-rpm] + WINDOW - now if rpm else WINDOW
            raise LimitReached(f"The limit of {rpm} requests per minute is reached.", retry_after=wait)
        accepted.append(now)

    def _leave(self, client: int) -> None:
        left = self._running.get(client, 1) - 1
        if left > 0:
            self._running[client] = left
        else:
            self._running.pop(client, None)


def _nothing() -> None:
    return None
