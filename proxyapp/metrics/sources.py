"""Where the numbers come from: one line for each source. A source is a function that gives readings.

`OF_WORKER`: numbers of one process, such as requests in flight. Asked about once a second in every worker, in a thread,
with its `wiring.Worker`; what the workers say is merged (`Family.merge`). Must not wait for anything.

`SHARED`: what is the same for all, such as the state of tokens in the database. Asked when `/metrics` is asked, in the
worker that answers, in a thread; may query the database. One that fails costs its own metrics alone and is told by
`dragoman_metrics_failed`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from proxyapp.health import measures
from proxyapp.metrics.exchanges import CountingBooks
from proxyapp.metrics.families import Merge, Reading, counter, gauge
from proxyapp.metrics.tokens import tokens

if TYPE_CHECKING:
    from proxyapp.wiring import Worker

RUNNING = gauge("dragoman_running_requests", "Requests in flight.")
LOST = counter("dragoman_history_lost", "Exchanges that the history could not keep.", "reason")
SLIM = counter("dragoman_history_bodies_left_out", "Exchanges kept without their bodies, for want of room on disk.")
WAITING = gauge("dragoman_history_waiting_bytes", "On disk, not yet in the database.")
VERSION = gauge("dragoman_config_version", "Configuration in force; of several workers the oldest.", merge=Merge.LEAST)
READABLE = gauge("dragoman_config_readable", "1 while the database answers for it, in every worker.", merge=Merge.LEAST)
WORKERS = gauge("dragoman_workers", "Living worker processes.")
PROXY_UP = gauge("dragoman_proxy_up", "1 while a proxy is used, 0 while some worker leaves it alone.",
                 "pool", "proxy", merge=Merge.LEAST)  # fmt: skip

LOSSES = ("disk", "full", "unwritable", "refused", "damaged")
"""The first three are the journal's, the others the history writer's."""


def exchanges(worker: Worker) -> Iterable[Reading]:
    books = worker.engine.books
    return books.read() if isinstance(books, CountingBooks) else ()


def process(worker: Worker) -> Iterable[Reading]:
    lost, stats = worker.journal.lost, worker.writer.stats
    refused = {"refused": stats.set_aside, "damaged": stats.damaged}
    yield Reading(RUNNING, {(): worker.engine.running})
    yield Reading(LOST, {(reason,): refused.get(reason, lost[reason]) for reason in LOSSES})
    yield Reading(SLIM, {(): worker.journal.contents_left_out})
    yield Reading(WAITING, {(): stats.waiting_bytes})
    yield Reading(VERSION, {(): worker.engine.snapshot.version})
    yield Reading(READABLE, {(): worker.watcher.healthy})
    yield Reading(WORKERS, {(): 1})


def proxies(worker: Worker) -> Iterable[Reading]:
    health, pools = worker.engine.health, worker.engine.snapshot.pools
    yield Reading(
        PROXY_UP,
        {(pool.name, way.name): not health.is_out(way.subject) for pool in pools.values() for way in pool.proxies},
    )


OF_WORKER: dict[str, Callable[[Worker], Iterable[Reading]]] = {
    "exchanges": exchanges,
    "process": process,
    "proxies": proxies,
}
SHARED: dict[str, Callable[[], Iterable[Reading]]] = {
    "credentials": measures.credentials,
    "tokens": tokens,
}
