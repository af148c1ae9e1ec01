"""Keeping all tokens fresh: once round, for a command, and for ever, in a thread of each worker or in a process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import structlog
from django.db import Error, connection
from django.db.models import F

from proxyapp.models import OAuthToken
from proxyapp.tokens import recovering, rows
from proxyapp.tokens.refreshing import Manner, Outcome, Result, refresh

log = structlog.get_logger(__name__)

EVERY_SECONDS = 2.0
"""How soon a new token, or one that was asked for, is noticed."""
PATIENCE = 35.0
"""Seconds that a stop waits for a running refresh, whose answer would be lost."""


def refresh_all(manner: Manner, *, upstream: str | None = None) -> Iterable[Outcome]:
    """Every token in use, the most urgent first, each refreshed if it is due. Raises django.db.Error."""
    recovering.recover()
    for pk in [token.pk for token in _in_use(upstream)]:
        outcome = refresh(pk, manner)
        if outcome is not None:
            yield outcome


def _in_use(upstream: str | None) -> list[OAuthToken]:
    found = rows.in_use().order_by(F("due_at").asc(nulls_first=True), "pk")
    return list(found.filter(upstream__name=upstream) if upstream is not None else found)


class Keeper:
    """Refreshes what is due, as soon as it is. Many may run at once, in any number of processes.

    `told` hears of every outcome that is not an ordinary "not due". While the database is away it goes on trying; that
    is logged once.
    """

    def __init__(
        self,
        told: Callable[[Outcome], object] = lambda outcome: None,
        *,
        upstream: str | None = None,
        every: float = EVERY_SECONDS,
    ) -> None:
        self._told = told
        self._upstream = upstream
        """The only one to look after; None = all."""
        self._every = every
        self._is_away = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self.run, name="token-keeper", daemon=True)

    def start(self) -> None:
        """In a thread of its own. Call it once."""
        self._thread.start()

    def stop(self, timeout: float = PATIENCE) -> None:
        """Ends after the refresh that is under way. May be called more than once, and from a signal handler."""
        self._stopping.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    def run(self) -> None:
        """Until `stop`. Also for the main thread of a process."""
        try:
            while not self._stopping.is_set():
                self._round()
                self._stopping.wait(self._every)
        finally:
            connection.close()

    def _round(self) -> None:
        try:
            self._refresh_due()
        except Exception as exc:  # noqa: BLE001 - whatever it is, the tokens must be looked at again
            self._failed(exc)
        else:
            if self._is_away:
                self._is_away = False
                log.info("tokens_readable_again")
        finally:
            if connection.vendor != "sqlite":
                connection.close()  # back to the pool between two rounds

    def _refresh_due(self) -> None:
        recovering.recover()
        for token in _in_use(self._upstream):
            if self._stopping.is_set():
                return
            if token.has_keys or not rows.is_due(token, token.now, patient=True):
                continue
            outcome = refresh(token.pk, Manner(began=token.now, waits=False))
            if outcome is not None and outcome.result is not Result.NOT_DUE:
                self._told(outcome)

    def _failed(self, exc: Exception) -> None:
        if not self._is_away:
            shown = None if isinstance(exc, Error) else exc
            log.error("tokens_not_looked_at", error=type(exc).__name__, detail=str(exc), exc_info=shown)
        self._is_away = True
        connection.close()  # whatever state it is in
