"""The way out of a request: directly, or through a proxy of the pool that its credential, model or upstream names.

A proxy that does not bring the request to its upstream is passed over for the next one: nothing was sent. One whose own
fault that was cools down, for longer each time, and one request then tries whether it is back. Where the upstream might
be at fault as well, a proxy cools only when another way out got through. The credential is never to blame.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
from collections.abc import Iterator, Mapping

from msgspec import Struct

from proxyapp.engine.health import UNREACHABLE, Health
from proxyapp.engine.record import AttemptRecord
from proxyapp.engine.routing import Target
from proxyapp.engine.transport import Answer, Transport
from proxyapp.engine.ways import ProxyFault
from proxyapp.errors import NoHealthyUpstream, UpstreamFault, UpstreamUnreachable
from proxyapp.upstreams.contract import Credential, Outbound, Proxy, ProxyPool, Upstream

DIRECT = "direct"
"""In the place of a proxy's name: the pool was exhausted, and going out directly is allowed then."""
MOST_IN_DOUBT = 5
"""Proxies that fail to reach an upstream one after another; then it is the upstream, and no more of them are asked."""
LONGEST_COOLDOWN = 900.0
_GROWTH = 2.0

log = logging.getLogger("dragoman.exits")


class _Turn(Struct):
    """Whose turn it is in a pool. Counted in each worker process for itself."""

    proxies: tuple[Proxy, ...]
    following: int = 0


class _Load(Struct):
    """Requests through one proxy, in this process."""

    running: int = 0
    total: int = 0


class Exits:
    """One a worker: the connections, and what is known of the proxies."""

    def __init__(self, transport: Transport, health: Health, rng: random.Random | None = None) -> None:
        self.transport = transport
        self.health = health
        self._rng = rng or random.Random()  # noqa: S311 (shares load, guards nothing)
        self._turns: dict[str, _Turn] = {}
        self._loads: dict[str, _Load] = {}
        """By URL, as the transport's connections are."""
        self._exhausted: set[str] = set()
        """Pools whose last request found no proxy: that is told once, not with every request."""

    async def open(
        self,
        outbound: Outbound,
        target: Target,
        credential: Credential | None,
        record: AttemptRecord | None = None,
        session: str = "",
    ) -> Answer:
        """Sends the request and waits for the answer's head. `record` learns which proxy it was; a further request of
        the same attempt leaves the same way while it can. Raises UpstreamUnreachable (also when no proxy of the pool
        brought a connection), UpstreamTimeout, NoHealthyUpstream (the pool has none and must not be gone around)."""
        pool = target.pool(credential)
        if pool is None:
            return await self.transport.open(outbound, target.upstream.name, target.upstream.timeouts)
        if record is None:
            record = AttemptRecord(upstream=target.upstream.name)
        return await _Walk(self, pool, target.upstream, record, session).open(outbound)

    async def ask(self, proxy: Proxy, outbound: Outbound, upstream: Upstream) -> Answer:
        """Through one proxy. Raises as `Transport.open`."""
        load = self._loads.setdefault(proxy.url, _Load())
        load.running += 1
        load.total += 1
        self.health.take(proxy.subject)
        answer: Answer | None = None
        try:
            answer = await self.transport.open(outbound, upstream.name, upstream.timeouts, proxy.url)
        finally:
            if answer is None:
                self.health.left(proxy.subject)
                load.running -= 1
        answer.on_close = lambda: _left(load)
        return answer

    def cool(self, pool: ProxyPool, proxy: Proxy, reason: str, began: float) -> None:
        """It failed. `began`: unix seconds; requests that were under way together fail together, and count once."""
        failures = self.health.failures_with(proxy.subject, began=began)
        seconds = max(min(pool.cooldown * _GROWTH ** min(failures - 1, 20), LONGEST_COOLDOWN), pool.cooldown)
        if not self.health.is_out(proxy.subject):
            named = (proxy.name, pool.name, reason, seconds)
            log.warning("The proxy %s of the pool %s %s; it is left alone for %d s", *named)
        self.health.failed(proxy.subject, f"It {reason}.", seconds, kind=UNREACHABLE, began=began, secret=proxy.url)

    def pick(self, pool: ProxyPool, among: list[Proxy], session: str) -> Proxy:
        """By the pool's rule. `among`: at least one, in the pool's order."""
        if pool.sticky and session:
            return max(among, key=lambda proxy: _affinity(session, proxy))
        if pool.strategy == "random":
            return self._rng.choice(among)
        if pool.strategy == "least_used":
            return min(among, key=self._use)
        return self._in_turn(pool, among)

    def _use(self, proxy: Proxy) -> tuple[int, int]:
        load = self._loads.get(proxy.url)
        return (load.running, load.total) if load else (0, 0)

    def _in_turn(self, pool: ProxyPool, among: list[Proxy]) -> Proxy:
        turn = self._turns.get(pool.name)
        if turn is None or turn.proxies != pool.proxies:  # a changed list starts at its first entry
            turn = self._turns[pool.name] = _Turn(pool.proxies)
        count = len(pool.proxies)
        for step in range(count):
            position = (turn.following + step) % count
            if pool.proxies[position] in among:
                turn.following = (position + 1) % count
                return pool.proxies[position]
        raise AssertionError("none of these is of this pool")

    def tell(self, pool: ProxyPool, upstream: str, *, is_exhausted: bool) -> None:
        """A request went around the pool, or a proxy of it works again."""
        if not is_exhausted:
            self._exhausted.discard(pool.name)
            return
        level = logging.INFO if pool.name in self._exhausted else logging.WARNING
        self._exhausted.add(pool.name)
        log.log(
            level,
            "No proxy of the pool %s can be used: the request to upstream %s goes out directly",
            pool.name,
            upstream,
        )

    async def keep(self, pools: Mapping[str, ProxyPool]) -> None:
        """Closes the connections through proxies that no pool has any more, once nobody uses them."""
        known = {proxy.url for pool in pools.values() for proxy in pool.proxies}
        for url in [url for url, load in self._loads.items() if url not in known and not load.running]:
            del self._loads[url]
            await self.transport.drop(url)
        for name in self._turns.keys() - pools.keys():
            del self._turns[name]


class _Walk:
    """One request's search for a way out."""

    def __init__(self, exits: Exits, pool: ProxyPool, upstream: Upstream, record: AttemptRecord, session: str) -> None:
        self._exits = exits
        self._pool = pool
        self._upstream = upstream
        self._record = record
        self._session = session
        self._tried: set[str] = set()
        """Names."""
        self._doubted: list[tuple[Proxy, str, float]] = []
        """Those that failed and may not be at fault, with the reason and the time."""

    async def open(self, outbound: Outbound) -> Answer:
        for proxy in self._candidates():
            self._tried.add(proxy.name)
            self._record.proxy = proxy.name
            log.info("Using proxy %s for request to upstream %s", proxy.name, self._upstream.name)
            began = self._exits.health.clock()
            try:
                answer = await self._exits.ask(proxy, outbound, self._upstream)
            except ProxyFault as fault:
                self._failed(proxy, fault, began)
            else:
                self._exits.health.succeeded(proxy.subject, began=began)
                self._exits.tell(self._pool, self._upstream.name, is_exhausted=False)
                self._blame_the_doubted()
                return answer
        return await self._exhausted(outbound)

    def _candidates(self) -> Iterator[Proxy]:
        """Those that are fit, by the pool's rule; then, for want of another, the cooling one that is back first. Each
        at most once. What is fit is asked anew each time: other requests learn too."""
        clock = asyncio.get_running_loop().time
        end = clock() + self._upstream.timeouts.first_byte
        while len(self._doubted) < MOST_IN_DOUBT and clock() < end:
            left = [proxy for proxy in self._pool.proxies if proxy.name not in self._tried]
            health = self._exits.health
            fit = [proxy for proxy in left if not health.is_out(proxy.subject)]
            if not fit:
                if left:
                    yield min(left, key=lambda proxy: health.back(proxy.subject))
                return
            same = next((proxy for proxy in fit if proxy.name == self._record.proxy), None)
            yield same or self._exits.pick(self._pool, fit, self._session)

    def _failed(self, proxy: Proxy, fault: ProxyFault, began: float) -> None:
        if fault.certain:
            self._exits.cool(self._pool, proxy, fault.reason, began)
        else:
            self._doubted.append((proxy, fault.reason, began))
            log.info("The proxy %s %s, asked for the upstream %s", proxy.name, fault.reason, self._upstream.name)

    def _blame_the_doubted(self) -> None:
        """There is a way to the upstream, so those that found none are at fault."""
        for proxy, reason, began in self._doubted:
            self._exits.cool(self._pool, proxy, reason, began)

    async def _exhausted(self, outbound: Outbound) -> Answer:
        if self._pool.on_exhausted != "direct":
            raise self._no_way_out()
        self._record.proxy = DIRECT
        self._exits.tell(self._pool, self._upstream.name, is_exhausted=True)
        answer = await self._exits.transport.open(outbound, self._upstream.name, self._upstream.timeouts)
        self._blame_the_doubted()
        return answer

    def _no_way_out(self) -> UpstreamFault:
        name, pool = self._upstream.name, self._pool.name
        if not self._tried:
            return NoHealthyUpstream(
                f"The upstream {name} is reached through the proxy pool {pool} only, which has no proxy in use.",
                upstream=name,
                pool=pool,
            )
        return UpstreamUnreachable(
            f"No proxy of the pool {pool} brought a connection to the upstream {name}.", upstream=name, pool=pool
        )


def _left(load: _Load) -> None:
    load.running -= 1


def _affinity(session: str, proxy: Proxy) -> bytes:
    """Rendezvous hashing: when a proxy goes or comes, only its own conversations move."""
    return hashlib.blake2b(f"{session}\0{proxy.name}".encode(), digest_size=8).digest()
