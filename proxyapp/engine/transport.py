"""The module that knows an HTTP client: httpx's transport over aiohttp (httpx2, httpx-aiohttp).

A `Pool` is such a transport, one per way out (direct, or a proxy URL); `connections` makes its connections. The hot
path asks its aiohttp session directly: httpx's Request and Response objects cost as much per request as all of aiohttp
(docs/decisions). Redirects are never followed, cookies never kept, the environment's proxies ignored.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Callable, Mapping
from typing import NamedTuple

import aiohttp
import httpx2 as httpx
from httpx_aiohttp.httpx2 import AiohttpTransport
from yarl import URL

from proxyapp.engine.connections import GuardedResolver, new_session, reach
from proxyapp.engine.inflate import Inflater
from proxyapp.engine.ways import Way, is_forbidden, page_of, way_of
from proxyapp.errors import UpstreamBroken, UpstreamTimeout, UpstreamUnreachable
from proxyapp.upstreams.contract import Outbound, Timeouts

_NOTHING_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
_FAULTS = (aiohttp.ClientError, OSError, ValueError)


class Answer:
    """An upstream's answer: status and headers are here, the body is read on demand. `close` always."""

    def __init__(self, response: aiohttp.ClientResponse, upstream: str, limit: int) -> None:
        self.status: int = response.status
        self._upstream = upstream
        self._limit = limit
        self._raw = response
        self.headers: Mapping[str, str] = response.headers
        """Case-insensitive."""
        encoding = self.headers.get("content-encoding", "identity").lower()
        self._inflater = None if encoding in ("", "identity") else Inflater(encoding, limit)
        self.on_close: Callable[[], None] | None = None
        """Called once, when nothing is read any more."""

    async def read(self, timeout: float) -> bytes:
        """The next piece, never empty; b"" at the end. Raises TimeoutError after `timeout` seconds of silence (it may
        be called again), UpstreamBroken when the connection is lost."""
        while True:
            try:
                # aiohttp's reader survives a cancelled read: it may be taken up again after a keep-alive.
                async with asyncio.timeout(timeout):
                    piece = await self._raw.content.readany()
            except TimeoutError:
                raise
            except _FAULTS as exc:
                raise UpstreamBroken("The connection to the upstream was lost.", upstream=self._upstream) from exc
            if not piece or self._inflater is None:
                return piece
            inflated = self._inflater.feed(piece)
            if inflated:
                return inflated

    async def read_all(self, timeouts: Timeouts, deadline: float) -> bytes:
        """The whole body, bounded in size, silence and total time. Raises UpstreamBroken, UpstreamTimeout."""
        pieces: list[bytes] = []
        size = 0
        loop = asyncio.get_running_loop()
        while True:
            patience = min(timeouts.idle, deadline - loop.time())
            try:
                piece = await self.read(max(patience, 0.0))
            except TimeoutError:
                which = "idle" if patience == timeouts.idle else "total"
                raise timed_out(which, timeouts, self._upstream) from None
            if not piece:
                return b"".join(pieces)
            size += len(piece)
            if size > self._limit:
                raise UpstreamBroken("The upstream's answer is too large.", upstream=self._upstream)
            pieces.append(piece)
            if self.at_end:
                return b"".join(pieces)

    @property
    def at_end(self) -> bool:
        """The body was read to its end; the connection can serve again."""
        return self._raw.content.at_eof()

    def close(self) -> None:
        """Back to the pool when the body was read to its end, else the connection is cut at once."""
        if self.at_end:
            self._raw.release()
        else:
            self._raw.close()
        on_close, self.on_close = self.on_close, None
        if on_close is not None:
            on_close()


class Fetched(NamedTuple):
    """A whole answer to a GET."""

    status: int
    headers: dict[str, str]
    data: bytes

    def header(self, name: str) -> str:
        return next((value for known, value in self.headers.items() if known.lower() == name), "")


async def _bounded(response: aiohttp.ClientResponse, most: int) -> bytes:
    """Raises UpstreamBroken."""
    if response.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise UpstreamBroken("it came compressed, which was not asked for")
    data = bytearray()
    async for piece in response.content.iter_any():
        data += piece
        if len(data) > most:
            raise UpstreamBroken(f"it is larger than {most // 2**20} MB")
    return bytes(data)


class Pool(AiohttpTransport):
    """An httpx transport whose session can also be asked without httpx's objects around it."""

    def __init__(self, tls: ssl.SSLContext, way: Way | None) -> None:
        self._url, self._login = None, {}
        if way and not way.is_socks:
            self._url = URL.build(scheme=way.scheme, host=way.host, port=way.port)
            self._login = way.login
        proxy = httpx.Proxy(str(self._url)) if self._url else None
        super().__init__(verify=tls, trust_env=False, proxy=proxy, client=lambda: new_session(tls, way))

    async def ask(self, outbound: Outbound, url: URL, connect: float) -> aiohttp.ClientResponse:
        """The answer's head. Raises aiohttp's own errors, which tell what was sent (httpx-aiohttp's mapping of them
        does not: a lost connection reads like a connect timeout there), and ProxyFault."""
        if not isinstance(self.client, aiohttp.ClientSession):
            self.client = self.get_client()
        is_tunnel = url.scheme == "https"
        response = await self.client.request(
            outbound.method,
            url,
            headers=outbound.headers if is_tunnel or not self._login else {**outbound.headers, **self._login},
            data=outbound.body or None,
            allow_redirects=False,
            auto_decompress=False,
            timeout=_connect_timeout(connect),
            proxy=self._url,
            proxy_headers=self._login if is_tunnel else None,
        )
        if self._url is not None and not is_tunnel:
            _refuse_page(response)
        return response


def _refuse_page(response: aiohttp.ClientResponse) -> None:
    """Raises ProxyFault for an HTTP proxy's own answer, ServerDisconnectedError where the request may have gone on to
    the upstream before the proxy gave up."""
    page = page_of(response.status, response.headers)
    if page is not None:
        response.close()
        raise aiohttp.ServerDisconnectedError() if page.was_sent else page.fault


class Transport:
    """Pools of connections, one per way out. Lives in one event loop."""

    def __init__(self, *, max_answer_bytes: int = 64 * 1024 * 1024, tls: ssl.SSLContext | None = None) -> None:
        self._max_answer_bytes = max_answer_bytes
        self._tls = tls or trusting(None)
        self._pools: dict[str, Pool] = {}

    async def open(self, outbound: Outbound, upstream: str, timeouts: Timeouts, proxy: str = "") -> Answer:
        """Sends the request, through `proxy` if one is given, and waits for the answer's head.

        Raises UpstreamUnreachable (no connection, or lost before an answer began), UpstreamTimeout (first byte),
        ProxyFault (nothing was sent; another way out may be tried).
        """
        url = _parsed(outbound.url)
        if is_forbidden(url.host or ""):  # an address in the URL itself never meets the resolver
            raise UpstreamUnreachable(f"The address of the upstream {upstream} is not allowed.", upstream=upstream)
        try:
            async with asyncio.timeout(timeouts.connect + timeouts.first_byte):
                response = await self._pool(proxy).ask(outbound, url, timeouts.connect)
        except TimeoutError as exc:
            if isinstance(exc, aiohttp.ConnectionTimeoutError):
                raise _unreachable(exc, timeouts, upstream) from exc
            raise timed_out("first_byte", timeouts, upstream) from None
        except _FAULTS as exc:
            raise _unreachable(exc, timeouts, upstream) from exc
        return Answer(response, upstream, self._max_answer_bytes)

    async def get(self, url: str, forbids: Callable[[str], bool], *, seconds: float, most: int) -> Fetched:
        """One GET of an address that somebody else chose: a connection of its own to an address that `forbids` lets
        through, no redirects, nothing of ours in the request. Raises UpstreamUnreachable, UpstreamTimeout (after
        `seconds` in all), UpstreamBroken (over `most` bytes, or compressed)."""
        try:
            parsed = URL(url)
            host = parsed.host or ""
        except ValueError:  # a label of its name that stands for nothing (`xn--`)
            raise UpstreamUnreachable("the address cannot be read") from None
        if forbids(host):
            raise UpstreamUnreachable("the address is not allowed")
        resolver = GuardedResolver(aiohttp.ThreadedResolver(), forbids)
        connector = aiohttp.TCPConnector(limit=1, ssl=self._tls, force_close=True, resolver=resolver)
        headers = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "dragoman"}
        try:
            async with (
                asyncio.timeout(seconds),
                aiohttp.ClientSession(
                    connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
                ) as session,
                session.get(parsed, headers=headers, allow_redirects=False, auto_decompress=False) as response,
            ):
                return Fetched(response.status, dict(response.headers), await _bounded(response, most))
        except TimeoutError:
            raise UpstreamTimeout(f"no answer within {seconds:g} s") from None
        except _FAULTS as exc:
            raise UpstreamUnreachable("no connection, or it was lost") from exc

    async def reach(self, proxy: str, seconds: float) -> None:
        """Connects to a proxy and sends no request. Raises ProxyFault."""
        await reach(way_of(proxy), self._tls, seconds)

    async def drop(self, proxy: str) -> None:
        """Closes the connections through a proxy, also those in use."""
        pool = self._pools.pop(proxy, None)
        if pool is not None:
            await pool.aclose()

    async def close(self) -> None:
        pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            await pool.aclose()

    def _pool(self, proxy: str) -> Pool:
        """Raises ProxyFault for a URL that cannot be used."""
        pool = self._pools.get(proxy)
        if pool is None:
            pool = self._pools[proxy] = Pool(self._tls, way_of(proxy) if proxy else None)
        return pool


@functools.lru_cache(maxsize=4)
def trusting(file: str | None) -> ssl.SSLContext:
    """For TLS with upstreams and proxies: the system's authorities (or those of SSL_CERT_FILE, SSL_CERT_DIR), and those
    in a PEM file beside them. Kept: reading them takes a tenth of a second. Raises OSError."""
    context = httpx.create_ssl_context()
    if file:
        context.load_verify_locations(file)
    return context


@functools.lru_cache(maxsize=1024)
def _parsed(url: str) -> URL:
    """Configured addresses are few; parsing one costs as much as the rest of a request's head."""
    return URL(url)


@functools.lru_cache(maxsize=64)
def _connect_timeout(seconds: float) -> aiohttp.ClientTimeout:
    """Only the connection is aiohttp's to watch; all other times are watched here."""
    return aiohttp.ClientTimeout(total=None, sock_connect=seconds)


def timed_out(which: str, timeouts: Timeouts, upstream: str) -> UpstreamTimeout:
    """`which`: first_byte, idle or total."""
    seconds = getattr(timeouts, which)
    words = {"first_byte": "did not begin to answer", "idle": "fell silent", "total": "did not finish"}[which]
    return UpstreamTimeout(
        f"The upstream {upstream} {words} within {seconds:g} s ({which} timeout).", upstream=upstream
    )


def may_have_arrived(error: UpstreamUnreachable) -> bool:
    """There was a connection, so the request may have been taken and only its answer be lost."""
    return error.__cause__ is not None and not isinstance(error.__cause__, _NOTHING_SENT)


def _unreachable(exc: BaseException, timeouts: Timeouts, upstream: str) -> UpstreamUnreachable:
    if isinstance(exc, aiohttp.ConnectionTimeoutError):
        return UpstreamUnreachable(
            f"No connection to the upstream {upstream} within {timeouts.connect:g} s (connect timeout).",
            upstream=upstream,
        )
    if isinstance(exc, _NOTHING_SENT):
        return UpstreamUnreachable(f"No connection to the upstream {upstream}.", upstream=upstream)
    return UpstreamUnreachable(f"The upstream {upstream} closed the connection without an answer.", upstream=upstream)
