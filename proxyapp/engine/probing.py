"""Looks whether a proxy carries requests: asks for an address through it, and any answer will do.

Nothing of a probe is a caller's, and no credential goes along.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from msgspec import Struct

from proxyapp.engine.snapshot import Proxy, ProxyPool, Snapshot, Timeouts, Upstream
from proxyapp.engine.transport import Transport
from proxyapp.engine.ways import ProxyFault
from proxyapp.errors import UpstreamFault
from proxyapp.upstreams.contract import Outbound
from proxyapp.upstreams.registry import KINDS

SECONDS = 10.0
"""For the connection, and again for the answer."""
_HEADERS = {"accept": "*/*", "user-agent": "dragoman"}


class Verdict(Struct, frozen=True, kw_only=True):
    """What one look has told."""

    is_up: bool
    words: str
    """Follow the proxy's name: `carried an answer (404) of api.example.org`."""
    seconds: float
    is_certain: bool = True
    """False: it is not up, and that may be the asked servers' fault."""


async def probe(transport: Transport, proxy: Proxy, addresses: Iterable[str], *, seconds: float = SECONDS) -> Verdict:
    """Asks for one address after the other until one answers; without any, only the connection is tried."""
    clock = asyncio.get_running_loop().time
    began = clock()
    words, asked = "", False
    for address in addresses:
        asked = True
        try:
            words = await _carried(transport, proxy, address, seconds)
        except ProxyFault as fault:
            words = fault.reason
            if fault.certain:
                return Verdict(is_up=False, words=words, seconds=clock() - began)
        except UpstreamFault:
            words = f"brought no answer of {urlsplit(address).hostname}"
        else:
            return Verdict(is_up=True, words=words, seconds=clock() - began)
    if asked:
        return Verdict(is_up=False, words=words, seconds=clock() - began, is_certain=False)
    try:
        await transport.reach(proxy.url, seconds)
    except ProxyFault as fault:
        return Verdict(is_up=False, words=fault.reason, seconds=clock() - began)
    return Verdict(
        is_up=True, words="takes connections (nobody uses the pool: nothing was sent)", seconds=clock() - began
    )


async def _carried(transport: Transport, proxy: Proxy, address: str, seconds: float) -> str:
    host = urlsplit(address).hostname or ""
    timeouts = Timeouts(connect=seconds, first_byte=seconds)
    answer = await transport.open(Outbound("GET", address, _HEADERS, b""), host, timeouts, proxy.url)
    answer.close()
    return f"carried an answer ({answer.status}) of {host}"


def addresses(snapshot: Snapshot, pool: ProxyPool) -> list[str]:
    """What a look through the pool asks for: its own address for that, else the servers that are reached through it."""
    if pool.check_url:
        return [pool.check_url]
    found = (_root(upstream) for upstream in _users(snapshot, pool.name))
    return list(dict.fromkeys(address for address in found if address))


def _users(snapshot: Snapshot, pool: str) -> Iterator[Upstream]:
    through_model = {
        route.upstream
        for model in (*snapshot.models.values(), *snapshot.wildcards)
        if model.proxy_pool == pool
        for route in model.routes
    }
    for upstream in snapshot.upstreams.values():
        credentials = (*upstream.credentials, *upstream.tokens)
        if upstream.proxy_pool == pool or upstream.name in through_model or any(c.pool == pool for c in credentials):
            yield upstream


def _root(upstream: Upstream) -> str:
    """`https://api.example.org/`; "" for an upstream whose address cannot be told."""
    kind = KINDS.get(upstream.kind)
    if kind is None:
        return ""
    try:
        dialect = kind.dialect(upstream, "model", "openai-chat")
        parts = urlsplit(kind.url(upstream, "model", dialect=dialect, stream=False))
    except (UpstreamFault, ValueError):
        return ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/" if parts.hostname else ""
