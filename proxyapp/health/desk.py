"""The desk: a thread that shares what one worker has learned of credentials and proxies, and hears what others know.

Twice a second one integer is read; rows only when it has moved or this worker has news. While the database is away the
worker goes on with what it knows, and tells it later.
"""

from __future__ import annotations

import logging
import threading
import time

from django.db import DataError, connection

from proxyapp.engine.health import Health
from proxyapp.health import shelf

USES_SECONDS = 5.0
"""Between two writes of what was used."""
PRUNE_SECONDS = 600.0

log = logging.getLogger("dragoman.health")


class HealthDesk:
    """`start` once, `stop` once. The clock of its intervals is monotonic; what is shared bears wall-clock times."""

    def __init__(self, health: Health, interval: float = 0.5) -> None:
        self._health = health
        self._interval = interval
        self._seen: int | None = None
        self._uses_written = self._pruned = 0.0
        self._is_away = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="health-desk", daemon=True)

    def start(self) -> None:
        """What is out is known when this returns, unless the database is away."""
        self._round()
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Tells what is still untold. May be called more than once."""
        self._stopping.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while not self._stopping.wait(self._interval):
                self._round()
            self._uses_written = 0.0
            self._round()
        finally:
            connection.close()

    def _round(self) -> None:
        self.exchange()
        if self._is_away or connection.vendor != "sqlite":
            connection.close()  # whatever state it is in; or back to the pool

    def exchange(self) -> None:
        """One round. Raises nothing."""
        try:
            self._tell()
            self._hear()
            self._write_uses()
            self._prune()
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker goes on with what it knows
            if not self._is_away:
                log.error("States of credentials cannot be shared: %s: %s", type(error).__name__, error)
            self._is_away = True
            return
        if self._is_away:
            self._is_away = False
            log.info("States of credentials are shared again.")

    def _tell(self) -> None:
        changes = self._health.changes()
        if not changes:
            return
        try:
            shelf.write(changes)
        except DataError:
            raise  # it would never be taken
        except BaseException:
            self._health.give_back(changes)
            raise

    def _hear(self) -> None:
        version = shelf.current_version()
        if version != self._seen:
            # Beginning anew after a version that went back: another database was put in the place of this one.
            since = self._seen if self._seen is not None and self._seen < version else 0
            self._health.hear(shelf.newer_than(since))
            self._seen = version

    def _write_uses(self) -> None:
        now = time.monotonic()
        if now - self._uses_written >= USES_SECONDS:
            self._uses_written = now
            shelf.write_uses(self._health.used())

    def _prune(self) -> None:
        now = time.monotonic()
        if now - self._pruned >= PRUNE_SECONDS:
            self._pruned = now
            shelf.prune()
