"""What every reader of an item does: it collects events until it is its item's turn."""

from __future__ import annotations

from typing import Any

from proxyapp.ir import events as ev


class ItemReader:
    """Base of the readers."""

    def __init__(self) -> None:
        self._pending: list[ev.Event] = []
        self._has_ended = False
        self.is_closed = False
        """Ended, and read out."""

    def take(self, kind: str, event: dict[str, Any]) -> None:
        """An event inside the item; kinds not known are left alone."""

    def end(self, item: dict[str, Any]) -> None:
        """The finished item; {} when the answer ended without it. Only the first end counts."""
        if not self._has_ended:
            self._has_ended = True
            self.finished(item)

    def finished(self, item: dict[str, Any]) -> None:
        """Says what is left, and closes what is open."""
        raise NotImplementedError

    def pull(self) -> list[ev.Event]:
        """What may be said now."""
        events, self._pending = self._pending, []
        self.is_closed = self._has_ended
        return events

    def _say(self, *events: ev.Event) -> None:
        self._pending += events
