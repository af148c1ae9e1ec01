"""Looks through proxies from outside the workers, for the console and the command."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from proxyapp.engine.health import UNREACHABLE, State
from proxyapp.engine.probing import SECONDS, Verdict, addresses, probe
from proxyapp.engine.snapshot import Proxy, ProxyPool, Snapshot
from proxyapp.engine.transport import Transport, trusting
from proxyapp.health import shelf
from proxyapp.models import HealthState

AT_ONCE = 16
Look = tuple[ProxyPool, Proxy, Verdict]


def look(snapshot: Snapshot, pools: Iterable[ProxyPool], seconds: float = SECONDS) -> list[Look]:
    """Once through each proxy, some beside each other; in the pools' order. Call it where no event loop runs."""
    return asyncio.run(_look(snapshot, pools, seconds))


async def _look(snapshot: Snapshot, pools: Iterable[ProxyPool], seconds: float) -> list[Look]:
    transport = Transport(tls=trusting(settings.DRAGOMAN_CA_FILE))
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(pool: ProxyPool, proxy: Proxy) -> Look:
        async with gate:
            return pool, proxy, await probe(transport, proxy, addresses(snapshot, pool), seconds=seconds)

    try:
        return await asyncio.gather(*(one(pool, proxy) for pool in pools for proxy in pool.proxies))
    finally:
        await transport.close()


def tell(looks: Iterable[Look]) -> None:
    """Tells the workers: what is up is used again, what is down by a fault of its own is left alone for a while."""
    out = set(HealthState.objects.exclude(kind="").values_list("subject", flat=True))
    now = timezone.now()
    down = []
    for pool, proxy, verdict in looks:
        if verdict.is_up and proxy.subject in out:
            shelf.put_back(proxy.subject)
        elif not verdict.is_up and verdict.is_certain and proxy.subject not in out:
            until = now + timedelta(seconds=pool.cooldown)
            state = State(
                subject=proxy.subject,
                kind=UNREACHABLE,
                reason=f"It {verdict.words}.",
                since=now.timestamp(),
                until=until.timestamp(),
                changed=now.timestamp(),
            )
            down.append(state)
    if down:
        shelf.write(down)
