"""One worker's meter: asks the sources, shares what they say with the siblings, and answers for all of them.

A thread writes this worker's share about once a second. What is asked of a worker is its own numbers of this moment,
and its siblings' of at most that second before.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxyapp.metrics.families import Family, Labels, Numbers, Reading, gauge, merged
from proxyapp.metrics.shares import Counted, Share
from proxyapp.metrics.sources import OF_WORKER, SHARED

if TYPE_CHECKING:
    from proxyapp.wiring import Worker

EVERY_SECONDS = 1.0
FAILED = gauge("dragoman_metrics_failed", "1 for a source of metrics that could not be read.", "source")

log = logging.getLogger("dragoman.metrics")
Table = dict[Family, dict[Labels, Numbers]]


class Meter:
    """`start` once in every worker, `stop` once; `gather` from any thread."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._worker: Worker | None = None
        self._share: Share | None = None
        self._lock = threading.Lock()
        self._broken: set[str] = set()
        """Sources that could not be read the last time."""
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, worker: Worker) -> None:
        """Without a file (a disk that is full, a directory that may not be written) a worker answers for itself."""
        self._worker = worker
        try:
            self._share = Share(self._directory)
        except OSError as exc:
            log.error("metrics: workers cannot share their numbers: %s", exc)
            return
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(10)
        with self._lock:
            if self._share is not None:
                self._share.close()
                self._share = None

    def gather(self) -> Table:
        """The numbers of all workers and of the shared sources, which are not asked while the database is away. Raises
        nothing."""
        table: Table = {}
        failed: dict[str, float] = {}
        with self._lock:
            _add(table, self._own(failed))
            if self._share is not None:
                with contextlib.suppress(OSError):
                    _add(table, self._share.others())
        is_away = self._worker is not None and self._worker.watcher.is_database_away
        for name, source in SHARED.items():
            if is_away:  # whoever asks does not wait as long as a pool of connections does
                failed[name] = 1
            else:
                _add(table, self._ask(name, failed, source))
        table[FAILED] = {(name,): (value,) for name, value in sorted(failed.items())}
        return table

    def _run(self) -> None:
        is_told = False
        while True:
            is_last = self._stopping.wait(EVERY_SECONDS)
            with self._lock:
                try:
                    assert self._share is not None
                    self._share.write(self._own({}))
                    is_told = False
                except OSError as exc:
                    if not is_told:
                        log.error("metrics: the numbers of this worker are not shared: %s", exc)
                    is_told = True
            if is_last:
                return

    def _own(self, failed: dict[str, float]) -> list[Counted]:
        """This worker's numbers now, with those that it has inherited."""
        table: Table = {}
        if self._worker is not None:
            for name, source in OF_WORKER.items():
                _add(table, self._ask(name, failed, source, self._worker))
        if self._share is not None:
            _add(table, self._share.inherited)
        return [Counted(family, list(values.items())) for family, values in table.items()]

    def _ask(
        self, name: str, failed: dict[str, float], source: Callable[..., Iterable[Reading]], *args: Any
    ) -> list[Counted]:
        """What a source says; its fault must not take the others' numbers along, and is told once."""
        try:
            counted = [Counted(r.family, [(k, _numbers(v)) for k, v in r.values.items()]) for r in source(*args)]
        except Exception:
            if name not in self._broken:
                log.exception("metrics: %s cannot be read", name)
            self._broken.add(name)
            failed[name] = 1
            return []
        self._broken.discard(name)
        failed[name] = 0
        return counted


def _numbers(value: float | Numbers) -> Numbers:
    return value if isinstance(value, tuple) else (float(value),)


def _add(table: Table, counted: Iterable[Counted]) -> None:
    """Families are matched by name: a sibling of another version may describe one in other words."""
    known = {family.name: family for family in table}
    for part in counted:
        family = known.setdefault(part.family.name, part.family)
        values = table.setdefault(family, {})
        for labels, numbers in part.values:
            present = values.get(labels)
            if present is None:
                values[labels] = numbers
            elif len(present) == len(numbers):
                values[labels] = merged(family, present, numbers)
