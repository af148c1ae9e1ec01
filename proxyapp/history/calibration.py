"""What the history teaches of token counts: by how much each upstream model's own differ from what is reckoned here.

Away from the request path: a thread looks at the newest rows once a minute and hands over one table.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable

from django.db import connections
from django.db.utils import Error

from proxyapp.engine.estimate import Factors
from proxyapp.models.history import Outcome, RequestLog

ROWS = 1000
"""The newest rows that are looked at."""
MOST, LEAST = 50, 3
"""Samples of one model that are used, and that it needs."""
LIGHTEST = 20
"""Shorter prompts say more of the frame around them than of the text."""
BOUNDS = (0.3, 4.0)
"""A factor beyond these is no tokenizer's: the upstream puts a prompt of its own before ours, or counts wrong."""
FIRST_SECONDS, EVERY_SECONDS = 5.0, 60.0

log = logging.getLogger("dragoman.history")
Sample = tuple[str, str, int, int]
"""Upstream, its model, tokens it reported, weight reckoned here."""


def factors(using: str = "default") -> Factors:
    """The table as of now. Raises django.db.Error."""
    return learned(_samples(using))


def learned(samples: Iterable[Sample]) -> Factors:
    """Factors out of samples, the newest first."""
    found: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for upstream, model, reported, weight in samples:
        pairs = found[upstream, model]
        if weight >= LIGHTEST and reported > 0 and len(pairs) < MOST:
            pairs.append((reported, weight))
    return {
        name: min(
            max(sum(reported for reported, _ in pairs) / sum(weight for _, weight in pairs), BOUNDS[0]), BOUNDS[1]
        )
        for name, pairs in found.items()
        if len(pairs) >= LEAST
    }


def _samples(using: str) -> Iterable[Sample]:
    rows = (
        RequestLog.objects.using(using)
        .filter(outcome=Outcome.OK)
        .order_by("-created_at", "-id")
        .values_list(
            "upstream",
            "upstream_model",
            "fresh_input",
            "cache_read",
            "cache_write_5m",
            "cache_write_1h",
            "usage_estimated",
            "content__extra",
        )[:ROWS]
    )
    for upstream, model, *counts, estimated, extra in rows:
        weight = extra.get("weight") if isinstance(extra, dict) else None
        if isinstance(weight, int) and counts[0] is not None and not estimated:
            yield upstream, model, sum(count or 0 for count in counts), weight


class Calibrator:
    """The thread. `start` once, `stop` once; `put` is called in the thread and must only swap a reference."""

    def __init__(self, put: Callable[[Factors], None], *, using: str = "default") -> None:
        self._put = put
        self._using = using
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="calibrator", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        pause = FIRST_SECONDS
        while not self._stopping.wait(pause):
            pause = EVERY_SECONDS
            try:
                self._put(factors(self._using))
            except Error as exc:  # the last table stays in force; who minds the database says so already
                log.debug("The history could not be read for estimates: %s", type(exc).__name__)
            finally:
                connections[self._using].close()
