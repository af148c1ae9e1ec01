"""The watcher: a thread that reads the configuration version twice a second and rebuilds the snapshot when it moved."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog
from django.db import Error, connection

from proxyapp.config.build import build_snapshot
from proxyapp.engine.snapshot import Snapshot
from proxyapp.models.config import current_version

log = structlog.get_logger(__name__)

FIRST_BUILD_SECONDS = 60.0


class Watcher:
    """Keeps one process's snapshot in step with the database.

    `on_change` is called in the watcher's thread, never in the event loop; it must only swap a reference. While the
    database is away the last snapshot stays in force; that is logged once, and `healthy` is False.
    """

    def __init__(self, on_change: Callable[[Snapshot], None], interval: float = 0.5) -> None:
        self._on_change = on_change
        self._interval = interval
        self._version: int | None = None
        self._failure: Exception | None = None
        self._first_done = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="config-watcher", daemon=True)

    def start(self, initial: bool = True) -> None:
        """Start the thread. With `initial`, return once the first snapshot was handed over, or raise why it was not
        (django.db.Error when the database is away); the thread is stopped then. Call it once."""
        self._thread.start()
        if not initial:
            return
        done = self._first_done.wait(FIRST_BUILD_SECONDS)
        if not done or self._failure is not None:
            failure = self._failure or TimeoutError("The first read of the configuration took over a minute.")
            self.stop()
            raise failure

    def stop(self, timeout: float = 5.0) -> None:
        """End the thread and close its connection. May be called more than once, also from the event loop's thread
        (it waits for at most one poll)."""
        self._stopping.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    @property
    def healthy(self) -> bool:
        """True while the thread runs and its last read of the database succeeded."""
        return self._thread.is_alive() and self._failure is None and self._first_done.is_set()

    @property
    def is_database_away(self) -> bool:
        """The last read failed there: who asks now, and can do without, need not wait as long for nothing."""
        return isinstance(self._failure, Error)

    @property
    def version(self) -> int | None:
        """The version that was handed over last; None before the first."""
        return self._version

    def _run(self) -> None:
        try:
            while True:
                self._poll()
                self._first_done.set()
                if self._stopping.wait(self._interval):
                    return
        finally:
            connection.close()

    def _poll(self) -> None:
        try:
            if self._version is None or current_version() != self._version:
                self._rebuild()
        except Exception as exc:  # noqa: BLE001 - whatever it is, the last snapshot stays in force and the thread lives
            self._failed(exc)
            connection.close()
            return
        if self._failure is not None:
            self._failure = None
            log.info("configuration_readable_again", version=self._version)
        if connection.vendor != "sqlite":
            connection.close()  # back to the pool between two reads

    def _rebuild(self) -> None:
        snapshot = build_snapshot()
        self._on_change(snapshot)
        self._version = snapshot.version

    def _failed(self, exc: Exception) -> None:
        if self._failure is None:
            log.error("configuration_unreadable", error=type(exc).__name__, detail=str(exc), exc_info=exc)
        self._failure = exc
