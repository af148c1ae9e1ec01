"""Goes round the proxies now and then: closes connections through those that are gone, and looks at those that failed.

Proxies that are well are not asked: a quiet installation sends nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from proxyapp.engine.exits import Exits
from proxyapp.engine.probing import addresses, probe
from proxyapp.engine.snapshot import Proxy, ProxyPool, Snapshot

TIDY_SECONDS = 2.0
AT_ONCE = 8
"""Proxies that are looked at beside each other."""

log = logging.getLogger("dragoman.rounds")


class Rounds:
    """One a worker, as a task in its event loop. `every`: seconds between two looks; 0 = none."""

    def __init__(
        self, exits: Exits, snapshot: Callable[[], Snapshot], every: float, tidy: float = TIDY_SECONDS
    ) -> None:
        self._exits = exits
        self._snapshot = snapshot
        self._every = every
        self._tidy = tidy

    async def run(self) -> None:
        """Until it is cancelled."""
        waited = 0.0
        while True:
            pause = min(self._tidy, self._every or self._tidy)
            await asyncio.sleep(pause)
            waited += pause
            try:
                await self._exits.keep(self._snapshot().pools)
                if self._every and waited >= self._every:
                    waited = 0.0
                    await self.look()
            except Exception:  # one round's fault must not end the others
                log.exception("The round through the proxies broke off")

    async def look(self) -> None:
        """At each proxy that failed and has not worked since."""
        snapshot = self._snapshot()
        ill = [
            (pool, proxy)
            for pool in snapshot.pools.values()
            for proxy in pool.proxies
            if self._exits.health.state(proxy.subject) is not None
        ]
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(pool: ProxyPool, proxy: Proxy) -> None:
            async with gate:
                await self._look_at(snapshot, pool, proxy)

        await asyncio.gather(*(one(pool, proxy) for pool, proxy in ill))

    async def _look_at(self, snapshot: Snapshot, pool: ProxyPool, proxy: Proxy) -> None:
        health = self._exits.health
        began = health.clock()
        verdict = await probe(self._exits.transport, proxy, addresses(snapshot, pool))
        if verdict.is_up:
            log.info("The proxy %s of the pool %s is back: it %s", proxy.name, pool.name, verdict.words)
            health.succeeded(proxy.subject, began=began)
        elif verdict.is_certain:
            self._exits.cool(pool, proxy, verdict.words, began)
