"""The engine of one worker: the parts that outlive a request, and the snapshot in force."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from proxyapp.dialects.signatures import Sealer
from proxyapp.engine.conversation import Store
from proxyapp.engine.estimate import Factors
from proxyapp.engine.exchange import Books, Exchange
from proxyapp.engine.exits import Exits
from proxyapp.engine.health import Health
from proxyapp.engine.limits import Limiter
from proxyapp.engine.media import Fetcher
from proxyapp.engine.memory import Memory
from proxyapp.engine.settings import EngineSettings
from proxyapp.engine.snapshot import Snapshot
from proxyapp.engine.transport import Transport
from proxyapp.errors import ShuttingDown


class Engine:
    """One a worker process, used from its event loop. `snapshot` is replaced from another thread by one assignment."""

    def __init__(
        self,
        *,
        settings: EngineSettings,
        books: Books,
        sealer: Sealer,
        transport: Transport,
        memory: Memory | None = None,
        store: Store | None = None,
        health: Health | None = None,
    ) -> None:
        self.settings = settings
        self.books = books
        self.sealer = sealer
        self.transport = transport
        self.health = health or Health()
        """What is out."""
        self.exits = Exits(transport, self.health)
        self.memory = memory or Memory()
        self.store = store
        """Where Responses are kept; None = they are not."""
        self.snapshot = Snapshot()
        self.factors: Factors = {}
        """What the history has taught of token counts; replaced like the snapshot."""
        self.fetcher = Fetcher(transport) if settings.fetch_media else None
        """Gets media that callers gave by address."""
        self.limiter = Limiter()
        self.rng = random.Random()  # noqa: S311 (shares load, guards nothing)
        self._running: dict[Exchange, asyncio.Task[Any]] = {}

    @property
    def running(self) -> int:
        """Requests in flight."""
        return len(self._running)

    def enter(self, exchange: Exchange) -> None:
        """Keeps track of a running request until it finishes."""
        task = asyncio.current_task()
        if task is not None:
            self._running[exchange] = task
            exchange.on_finish(lambda: self._leave(exchange))

    def _leave(self, exchange: Exchange) -> None:
        self._running.pop(exchange, None)

    def abort_all(self) -> None:
        """The time for a graceful stop is over: every running request ends with its dialect's own error."""
        for exchange, task in list(self._running.items()):
            exchange.aborting = ShuttingDown("The server is stopping; please send the request again.")
            task.cancel()

    async def close(self) -> None:
        await self.transport.close()
