"""Counts finished exchanges: stands before the journal, so that the engine knows nothing of measuring."""

from __future__ import annotations

from bisect import bisect_left

from proxyapp.engine.exchange import Books
from proxyapp.engine.record import Begun, Ended
from proxyapp.metrics.families import Family, Labels, Numbers, Reading, counter, histogram

SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
FIRST_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
OVERHEAD_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)

REQUESTS = counter("dragoman_requests", "Finished requests.", "dialect", "upstream", "outcome")
ATTEMPTS = counter("dragoman_upstream_attempts", "Tries at upstreams; error is empty for good ones.", "upstream",
                   "error")  # fmt: skip
TOKENS = counter("dragoman_tokens", "Tokens as upstreams counted them.", "upstream", "kind")
TIMES = histogram("dragoman_request_seconds", "From the request's arrival to its last byte.", "dialect", "upstream",
                  bounds=SECONDS)  # fmt: skip
FIRST = histogram("dragoman_first_byte_seconds", "From the request's arrival to the answer's first content.", "dialect",
                  "upstream", bounds=FIRST_SECONDS)  # fmt: skip
OVERHEAD = histogram("dragoman_overhead_seconds", "Time in the gateway itself, waiting for others left out.", "dialect",
                     bounds=OVERHEAD_SECONDS)  # fmt: skip
FAMILIES = (REQUESTS, ATTEMPTS, TOKENS, TIMES, FIRST, OVERHEAD)

_TOKENS = {"input": "fresh_input", "cache_read": "cache_read", "output": "output"}


class CountingBooks:
    """Books that count what passes through. Called from the event loop alone; read from any thread."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._counts: dict[Family, dict[Labels, float]] = {family: {} for family in (REQUESTS, ATTEMPTS, TOKENS)}
        self._times: dict[Family, dict[Labels, list[float]]] = {family: {} for family in (TIMES, FIRST, OVERHEAD)}

    def begin(self, record: Begun) -> None:
        self._books.begin(record)

    def end(self, record: Ended) -> None:
        self._books.end(record)
        dialect, upstream = record.begun.dialect, record.upstream
        self._add(REQUESTS, (dialect, upstream, record.outcome))
        for attempt in record.attempts:
            self._add(ATTEMPTS, (attempt.upstream, attempt.error))
        for kind, field in _TOKENS.items():
            self._add(TOKENS, (upstream, kind), getattr(record, field))
        self._add(TOKENS, (upstream, "cache_write"), (record.cache_write_5m or 0) + (record.cache_write_1h or 0))
        self._observe(TIMES, (dialect, upstream), record.duration_ms)
        self._observe(FIRST, (dialect, upstream), record.first_byte_ms)
        self._observe(OVERHEAD, (dialect,), record.overhead_ms)

    def read(self) -> list[Reading]:
        """All counts so far."""
        counted = [Reading(family, dict(values)) for family, values in self._counts.items()]
        timed: list[Reading] = []
        for family, values in self._times.items():
            seen: dict[Labels, float | Numbers] = {labels: tuple(numbers) for labels, numbers in dict(values).items()}
            timed.append(Reading(family, seen))
        return counted + timed

    def _add(self, family: Family, labels: Labels, count: float | None = 1) -> None:
        if count:
            values = self._counts[family]
            values[labels] = values.get(labels, 0) + count

    def _observe(self, family: Family, labels: Labels, milliseconds: float | None) -> None:
        if milliseconds is None:
            return
        seconds, values = milliseconds / 1000, self._times[family]
        numbers = values.get(labels)
        if numbers is None:
            numbers = values[labels] = [0.0] * (len(family.bounds) + 2)
        numbers[bisect_left(family.bounds, seconds)] += 1
        numbers[-1] += seconds
