"""The composition root: one Engine per worker, with its journal, history writer, configuration watcher and meter.

The only place where the pure engine meets Django's settings and database.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from django.conf import settings
from msgspec import Struct

from proxyapp.config.address import own_address
from proxyapp.config.watch import Watcher
from proxyapp.conversations.desk import Desk
from proxyapp.conversations.proofs import ProofShelf
from proxyapp.conversations.responses import ResponseStore
from proxyapp.dialects.signatures import Sealer
from proxyapp.engine.core import Engine
from proxyapp.engine.estimate import Factors
from proxyapp.engine.health import Health
from proxyapp.engine.journal import Journal
from proxyapp.engine.memory import Memory
from proxyapp.engine.rounds import Rounds
from proxyapp.engine.settings import EngineSettings
from proxyapp.engine.snapshot import Credential, Snapshot, secrets_of
from proxyapp.engine.transport import Transport, trusting
from proxyapp.health.desk import HealthDesk
from proxyapp.history.calibration import Calibrator
from proxyapp.history.redaction import redact
from proxyapp.history.writer import Writer
from proxyapp.metrics.exchanges import CountingBooks
from proxyapp.metrics.meter import Meter
from proxyapp.tokens.keeping import Keeper


class Worker(Struct):
    """Everything that runs in one worker process."""

    pid: int
    engine: Engine
    watcher: Watcher
    journal: Journal
    writer: Writer
    desk: Desk
    health: HealthDesk
    calibrator: Calibrator
    meter: Meter
    keeper: Keeper
    started: float
    """Unix seconds."""
    rounds: asyncio.Task[None] | None = None
    """Looks after the proxies."""


_worker: Worker | None = None
_starting: asyncio.Lock | None = None


async def start() -> Worker:
    """The worker's parts, started on first use. Database work is done in a thread."""
    global _worker, _starting
    if _worker is not None and _worker.pid == os.getpid():
        return _worker
    if _starting is None:
        _starting = asyncio.Lock()
    async with _starting:
        if _worker is None or _worker.pid != os.getpid():
            _worker = await asyncio.to_thread(_build)
            _worker.rounds = asyncio.create_task(_rounds(_worker.engine).run())
            _settle_memory()
    return _worker


def current() -> Worker | None:
    """The running worker, if one was started in this process."""
    return _worker if _worker is not None and _worker.pid == os.getpid() else None


def begin_nothing_long() -> None:
    """A stop has begun, and requests have their time to end. A token's refresh that began at the end of it would
    outlive the worker, and its answer be lost; one that is under way ends meanwhile. Waits for nothing."""
    worker = current()
    if worker is not None:
        worker.keeper.stop(timeout=0)


def is_database_away() -> bool:
    """As far as this worker knows."""
    worker = current()
    return worker is not None and worker.watcher.is_database_away


async def stop() -> None:
    """Ends what `start` began: history is written out, threads end, connections close."""
    global _worker, _starting
    worker, _worker, _starting = _worker, None, None
    if worker is None:
        return
    if worker.rounds is not None:
        worker.rounds.cancel()
    await worker.engine.close()
    await asyncio.to_thread(_stop_threads, worker)


def _settle_memory() -> None:
    """What is loaded by now lives as long as the process: the collector need not look at it again and again. A request
    makes a few hundred objects, nearly none in cycles, so it may also look less often than after every 700."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def _rounds(engine: Engine) -> Rounds:
    return Rounds(engine.exits, lambda: engine.snapshot, settings.DRAGOMAN_PROXY_CHECK_SECONDS)


def journal_directory() -> Path:
    """Where the workers' journal files lie."""
    return Path(settings.DATA_DIR) / "journal"


def metrics_directory() -> Path:
    """Where the workers share their numbers."""
    return Path(settings.DATA_DIR) / "metrics"


def derived_key(purpose: str) -> bytes:
    """32 bytes for one purpose, from the server's secret."""
    return hashlib.blake2b(purpose.encode(), key=settings.SECRET_KEY.encode()[:64], digest_size=32).digest()


def demo_key() -> str:
    """The only key the demo upstream takes."""
    return derived_key("demo upstream").hex()


def with_demo(snapshot: Snapshot) -> Snapshot:
    """Upstreams of kind `demo` get this server's own address and key, which depend on HOST, PORT and the secret."""
    if not any(upstream.kind == "demo" for upstream in snapshot.upstreams.values()):
        return snapshot
    changes = {"base_url": f"{own_address()}/_demo", "credentials": (Credential("demo", demo_key()),)}
    upstreams = {
        name: msgspec.structs.replace(upstream, **changes) if upstream.kind == "demo" else upstream
        for name, upstream in snapshot.upstreams.items()
    }
    return msgspec.structs.replace(snapshot, upstreams=upstreams)


def values_of(snapshot: Snapshot) -> dict[str, str]:
    """Everything whose health is kept, by its subject, with its secret."""
    values = {
        each.subject: each.secret
        for upstream in snapshot.upstreams.values()
        for each in (*upstream.credentials, *upstream.tokens)
    }
    return values | {proxy.subject: proxy.url for pool in snapshot.pools.values() for proxy in pool.proxies}


def unusual_secrets(snapshot: Snapshot) -> list[str]:
    """Secrets of the configuration that the redactor would not know by their form. Each costs a pass over every stored
    body, so the usual ones are left to its rules."""
    secrets = set(secrets_of(snapshot))
    return [secret for secret in secrets if redact(secret.encode()) == secret.encode()]


def _build() -> Worker:
    directory = journal_directory()
    desk = Desk()
    journal = Journal(directory, redact, max_total_bytes=settings.DRAGOMAN_JOURNAL_MAX_MB * 2**20)
    engine = Engine(
        settings=_engine_settings(),
        books=CountingBooks(journal),
        sealer=Sealer(derived_key("reasoning proofs")),
        transport=Transport(
            max_answer_bytes=settings.DRAGOMAN_MAX_ANSWER_MB * 2**20, tls=trusting(settings.DRAGOMAN_CA_FILE)
        ),
        memory=Memory(_shelf(desk)),
        store=_store(desk),
        health=Health(mark_of=_marker()),
    )

    def put_in_force(snapshot: Snapshot) -> None:
        engine.health.know(values_of(snapshot))
        engine.snapshot = with_demo(snapshot)
        redact.register(unusual_secrets(snapshot))

    def put_factors(factors: Factors) -> None:
        engine.factors = factors

    watcher = Watcher(put_in_force)
    watcher.start(initial=True)
    health = HealthDesk(engine.health)
    health.start()
    writer = Writer(directory, journal)
    writer.start()
    calibrator = Calibrator(put_factors)
    calibrator.start()
    meter = Meter(metrics_directory())
    keeper = Keeper()
    if settings.DRAGOMAN_REFRESH_TOKENS:
        keeper.start()
    worker = Worker(os.getpid(), engine, watcher, journal, writer, desk, health, calibrator, meter, keeper, time.time())
    meter.start(worker)
    return worker


def _marker() -> Callable[[str], str]:
    """Words that tell values of a credential apart, the same in every worker, and mean nothing elsewhere."""
    key = derived_key("health of credentials")

    def mark(secret: str) -> str:
        return hashlib.blake2b(secret.encode("utf-8", "surrogateescape"), key=key, digest_size=8).hexdigest()

    return mark


def _engine_settings() -> EngineSettings:
    return EngineSettings(
        max_body_bytes=settings.DRAGOMAN_MAX_BODY_MB * 2**20,
        max_event_bytes=settings.DRAGOMAN_MAX_EVENT_MB * 2**20,
        max_answer_bytes=settings.DRAGOMAN_MAX_ANSWER_MB * 2**20,
        history_bodies=settings.HISTORY_BODIES,
        fetch_media=settings.DRAGOMAN_FETCH_MEDIA,
        body_cap_bytes=settings.DRAGOMAN_HISTORY_BODY_KB * 1024,
    )


def _stop_threads(worker: Worker) -> None:
    worker.keeper.stop(timeout=0)
    worker.watcher.stop()
    worker.health.stop()
    worker.desk.close()
    worker.calibrator.stop()
    worker.journal.close()
    worker.writer.stop(flush=True, timeout=10)
    worker.meter.stop()  # last: what could not be kept is counted until now
    worker.keeper.stop()  # a refresh under way is let end, for its answer would be lost


def _shelf(desk: Desk) -> ProofShelf | None:
    hours = settings.DRAGOMAN_REASONING_HOURS
    return ProofShelf(desk, hours) if hours else None


def _store(desk: Desk) -> ResponseStore | None:
    days = settings.DRAGOMAN_RESPONSES_DAYS
    return ResponseStore(desk, days) if days else None
