"""How connections to upstreams are made, by aiohttp's connectors: directly, or through a proxy."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any

import aiohappyeyeballs
import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from python_socks import ProxyError, ProxyType
from python_socks.async_.asyncio import Proxy as SocksHandshake

from proxyapp.engine.ways import ProxyFault, Way, is_forbidden, refused

KEEPALIVE = 30.0
"""Seconds for which a connection that nobody uses stays open."""
_SOCKS_REPLIES = {
    1: "failed to connect",
    2: "does not allow the connection",
    3: "finds no way to the network",
    4: "finds no way to the host",
    5: "was refused the connection",
    6: "lost the connection on its way",
    7: "does not know the command",
    8: "does not know this kind of address",
}
"""RFC 1928, 6: the field REP."""
_NO_LOGIN = "refused the name and password, or wants one"


class CleanConnector(aiohttp.TCPConnector):
    """Gives no connection away again on which the server said something that nobody had asked for: that would be the
    next caller's answer. aiohttp asks only whether the connection is still there."""

    async def _get(self, key: Any, traces: Any) -> Any:
        while (found := await super()._get(key, traces)) is not None:
            if found.protocol is not None and not found.protocol.should_close:
                return found
            found.close()
        return None


class HttpProxyConnector(CleanConnector):
    """Through an HTTP proxy: CONNECT for https upstreams, the absolute form for the others."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._reached: set[asyncio.Task[Any] | None] = set()
        """Tasks whose connection to the proxy itself stands, and that now wait for the tunnel."""

    async def _create_direct_connection(self, *arguments: Any, **named: Any) -> Any:
        # In this connector only the proxy itself is ever connected to directly.
        made = await super()._create_direct_connection(*arguments, **named)
        self._reached.add(asyncio.current_task())
        return made

    async def _create_proxy_connection(self, req: Any, traces: Any, timeout: Any) -> Any:
        task = asyncio.current_task()
        try:
            async with asyncio.timeout(timeout.sock_connect):
                return await super()._create_proxy_connection(req, traces, timeout)
        except (aiohttp.ClientError, OSError, ValueError) as exc:  # OSError: TimeoutError too
            raise _fault(exc, reached=task in self._reached) from None
        finally:
            self._reached.discard(task)


class SocksConnector(CleanConnector):
    """Through a SOCKS5 proxy (RFC 1928, 1929), which only ever makes tunnels."""

    def __init__(self, way: Way, **settings: Any) -> None:
        super().__init__(**settings)
        self._way = way

    async def _create_direct_connection(self, req: Any, traces: Any, timeout: Any, **_: Any) -> Any:
        reached = False
        try:
            async with asyncio.timeout(timeout.sock_connect):
                sock = await self._reach()
                reached = True
                await self._ask_for(sock, *await self._target(req))
                context = self._get_ssl_context(req)
                name = (req.server_hostname or req.url.raw_host).rstrip(".") if context else None
                return await self._loop.create_connection(self._factory, sock=sock, ssl=context, server_hostname=name)
        except aiohttp.ClientConnectorDNSError:  # the upstream's name, looked up here: no proxy is at fault
            raise
        except (aiohttp.ClientError, OSError, ValueError, ProxyError) as exc:
            raise _fault(exc, reached=reached) from None

    async def _reach(self) -> socket.socket:
        found = await self._resolve_host(self._way.host, self._way.port)
        return await aiohappyeyeballs.start_connection(
            self._convert_hosts_to_addr_infos(found), happy_eyeballs_delay=0.25, loop=self._loop
        )

    async def _target(self, req: Any) -> tuple[str, int]:
        """What the proxy is asked to connect to: a name for socks5h, an address for socks5 (as curl means the two)."""
        host, port = req.url.raw_host, req.port
        if self._way.scheme == "socks5h":
            return host, port
        try:
            found = await self._resolve_host(host, port)
        except TimeoutError:
            raise
        except OSError as exc:
            raise aiohttp.ClientConnectorDNSError(req.connection_key, exc) from exc
        addresses = [entry["host"] for entry in found]
        # Which of several the proxy can reach is not known; more of them reach IPv4.
        return next((address for address in addresses if ":" not in address), addresses[0]), port

    async def _ask_for(self, sock: socket.socket, host: str, port: int) -> None:
        """Closes the socket when the proxy says no. Raises ProxyError."""
        way = self._way
        handshake = SocksHandshake(
            ProxyType.SOCKS5,
            way.host,
            way.port,
            username=way.user,
            password=way.password if way.user else None,
            rdns=True,
            forward=_Reached(sock),  # type: ignore[arg-type]
        )
        await handshake.connect(host, port)


async def reach(way: Way, tls: ssl.SSLContext, seconds: float) -> None:
    """A connection to the proxy itself, with what it says before a request is sent: TLS, and SOCKS's login. Raises
    ProxyFault."""
    writer = None
    try:
        async with asyncio.timeout(seconds):
            found = await GuardedResolver(aiohttp.ThreadedResolver()).resolve(way.host, way.port)
            context, name = (tls, way.host) if way.scheme == "https" else (None, None)
            reader, writer = await asyncio.open_connection(
                found[0]["host"], way.port, ssl=context, server_hostname=name
            )
            if way.is_socks:
                await _log_in(way, reader, writer)
    except (OSError, asyncio.IncompleteReadError) as exc:
        raise ProxyFault(_unreached(exc), certain=True) from None
    finally:
        if writer is not None:
            writer.close()


async def _log_in(way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """RFC 1928, 3 and RFC 1929. Raises ProxyFault."""
    writer.write(b"\5\2\0\2" if way.user else b"\5\1\0")
    version, method = await reader.readexactly(2)
    if version != 5:
        raise ProxyFault("does not answer as a SOCKS5 proxy does", certain=True)
    granted = method == 0
    if method == 2 and way.user:
        user, password = way.user.encode(), way.password.encode()
        writer.write(b"\1%c%b%c%b" % (len(user), user, len(password), password))
        granted = (await reader.readexactly(2))[1] == 0
    if not granted:
        raise ProxyFault(_NO_LOGIN, certain=True)


class _Reached:
    """In the place of the proxy before this one: the connection is there already."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    async def connect(self, **_: Any) -> socket.socket:
        return self._sock


def _fault(exc: BaseException, *, reached: bool) -> ProxyFault:
    """`reached`: the connection to the proxy itself stood."""
    if not reached:
        return ProxyFault(_unreached(exc), certain=True)
    if isinstance(exc, aiohttp.ClientHttpProxyError):
        return refused(exc.status)
    if isinstance(exc, TimeoutError):
        return ProxyFault("did not bring a connection in time", certain=False)
    if isinstance(exc, ssl.SSLError | aiohttp.ClientSSLError | ssl.CertificateError):
        return ProxyFault("led to a server with which TLS failed", certain=False)
    if isinstance(exc, ProxyError):
        return _socks_fault(exc)
    return ProxyFault("closed the connection instead of making a tunnel", certain=False)


def _unreached(exc: BaseException) -> str:
    if isinstance(exc, aiohttp.ClientConnectorCertificateError | ssl.CertificateError):
        return "shows a certificate that is not trusted"
    if isinstance(exc, aiohttp.ClientSSLError | ssl.SSLError):
        return "does not speak TLS"
    if isinstance(exc, TimeoutError):
        return "did not take the connection in time"
    return "cannot be connected to"


def _socks_fault(exc: ProxyError) -> ProxyFault:
    code = exc.error_code
    if code is not None:
        return ProxyFault(_SOCKS_REPLIES.get(int(code), "failed to connect"), certain=False)
    # Without a reply's code it ended before the reply: in the greeting, at the login, or midway.
    words = str(exc).lower()
    if "authentication" in words:
        return ProxyFault(_NO_LOGIN, certain=True)
    return ProxyFault("does not answer as a SOCKS5 proxy does", certain="closed" not in words)


class GuardedResolver(AbstractResolver):
    """Refuses names that resolve to forbidden addresses only; by default to those where no upstream can be.

    The check is on the addresses that are then connected to, so a name that changes between look-ups gains nothing.
    """

    def __init__(self, inner: AbstractResolver, forbids: Callable[[str], bool] | None = None) -> None:
        self._inner = inner
        self._forbids = forbids or is_forbidden

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        allowed = [entry for entry in found if not self._forbids(entry["host"])]
        if not allowed:
            raise OSError(None, "the name resolves to an address that is not allowed")
        return allowed

    async def close(self) -> None:
        await self._inner.close()


def new_session(tls: ssl.SSLContext, way: Way | None) -> aiohttp.ClientSession:
    """Connections of one way out, kept for use again. No limits, no cookies, no headers of its own."""
    settings: dict[str, Any] = {
        "limit": 0,
        "ssl": tls,
        "ttl_dns_cache": 30,
        "keepalive_timeout": KEEPALIVE,
        "resolver": GuardedResolver(aiohttp.ThreadedResolver()),
    }
    connector: aiohttp.TCPConnector
    if way is None:
        connector = CleanConnector(**settings)
    elif way.is_socks:
        connector = SocksConnector(way, **settings)
    else:
        connector = HttpProxyConnector(**settings)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
        max_line_size=64 * 1024,
        max_field_size=64 * 1024,
    )
