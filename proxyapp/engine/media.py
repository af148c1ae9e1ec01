"""Media that callers gave by address, for upstreams that need the bytes: fetched when the operator allows it.

Off by default: a gateway that fetches what strangers name can be made to look at its own network. When on, only public
addresses are connected to (checked after the name was resolved, redirects included), on the usual ports, bounded in
size, time and number, and only what is of the expected type goes on.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import ipaddress
from collections.abc import Callable, Iterator
from typing import TypeGuard
from urllib.parse import urljoin, urlsplit

import msgspec

from proxyapp.engine.transport import Transport
from proxyapp.errors import BadRequest, Unsupported, UpstreamFault
from proxyapp.ir.parts import Audio, Document, Image, Part, Source, ToolResult
from proxyapp.ir.request import Request, Turn

MOST_BYTES = 20 * 2**20
"""Of one medium."""
MOST_MEDIA = 20
"""Of one request."""
MOST_REDIRECTS = 3
SECONDS = 20.0
"""For one answer."""
PORTS = frozenset({80, 443})

Medium = Image | Document | Audio
Needs = Callable[[Part], bool]
"""Does the upstream need the bytes of this part, which stands at an address?"""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
)
_WRAPPED = tuple(ipaddress.ip_network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))
"""IPv6 addresses that hold an IPv4 one, which may be a private one: NAT64, 6to4, Teredo."""


@functools.lru_cache(maxsize=1024)
def is_private(host: str) -> bool:
    """Is it an address that is not for everybody? False for a name: what it resolves to is asked again."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0].strip("[]"))
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    if isinstance(address, ipaddress.IPv6Address) and any(address in net for net in _WRAPPED):
        return True
    return not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified


class Fetcher:
    """Gets what stands at an address. `forbids` and `ports` are the rules for whom it may ask."""

    def __init__(
        self,
        transport: Transport,
        *,
        forbids: Callable[[str], bool] = is_private,
        ports: frozenset[int] | None = PORTS,
        most: int = MOST_BYTES,
        seconds: float = SECONDS,
    ) -> None:
        self._transport = transport
        self._forbids = forbids
        self._ports = ports
        self._most = most
        self._seconds = seconds

    async def fetch(self, url: str) -> tuple[str, bytes]:
        """The media type that was declared, in lower case, and the bytes. Raises BadRequest with the reason."""
        for _ in range(MOST_REDIRECTS + 1):
            self._check(url)
            try:
                got = await self._transport.get(url, self._forbids, seconds=self._seconds, most=self._most)
            except UpstreamFault as fault:
                raise BadRequest(fault.message) from None
            if got.status not in _REDIRECTS:
                break
            url = _redirected(url, got.header("location"))
        else:
            raise BadRequest("it is redirected too often")
        if got.status != 200:
            raise BadRequest(f"its server answered with status {got.status}")
        return got.header("content-type").partition(";")[0].strip().lower(), got.data

    def _check(self, url: str) -> None:
        """Raises BadRequest."""
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise BadRequest("the address cannot be read") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise BadRequest("the address is not allowed")
        if (self._ports is not None and port not in self._ports) or self._forbids(parts.hostname):
            raise BadRequest("the address is not allowed")


def _redirected(url: str, location: str) -> str:
    """Raises BadRequest."""
    try:
        return urljoin(url, location)
    except ValueError:
        raise BadRequest("it is redirected to an address that cannot be read") from None


class Media:
    """The media of one request, fetched once, however many targets are tried."""

    def __init__(self, fetcher: Fetcher | None) -> None:
        self._fetcher = fetcher
        self._known: dict[tuple[type[Part], str], Source] = {}

    async def bring(self, request: Request, needs: Needs, upstream: str, *, lenient: bool) -> None:
        """Gets what this upstream needs. Raises BadRequest naming the part; where fetching is switched off Unsupported,
        or nothing when the model is lenient: then the dialect does what it can without."""
        wanted = {(type(part), part.source.data): (part, path) for part, path in _addressed(request) if needs(part)}
        missing = [found for name, found in wanted.items() if name not in self._known]
        if not missing or (self._fetcher is None and lenient):
            return
        if self._fetcher is None:
            raise Unsupported(
                f"The upstream {upstream} does not load this {_word(missing[0][0])} from an address. Send its bytes "
                "(base64), or have the operator set DRAGOMAN_FETCH_MEDIA=1.",
                param=missing[0][1],
            )
        if len(missing) > MOST_MEDIA:
            raise BadRequest(f"At most {MOST_MEDIA} media of a request are fetched.", param=missing[MOST_MEDIA][1])
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._get(self._fetcher, part, path)) for part, path in missing]
        for task in tasks:
            if (failure := task.result()) is not None:
                raise failure

    async def _get(self, fetcher: Fetcher, part: Medium, path: str) -> BadRequest | None:
        """The failure, given back and not raised: a group of tasks would wrap it."""
        try:
            declared, data = await fetcher.fetch(part.source.data)
            self._known[type(part), part.source.data] = as_source(part, declared, data)
        except BadRequest as error:
            return BadRequest(f"The {_word(part)} at {path} could not be fetched: {error.message}.", param=path)
        return None

    def applied(self, request: Request, needs: Needs) -> Request:
        """The request with bytes in place of the addresses that this upstream does not read."""
        if not self._known:
            return request
        turns = [self._turn(turn, needs) for turn in request.turns]
        return msgspec.structs.replace(request, turns=turns)

    def _turn(self, turn: Turn, needs: Needs) -> Turn:
        return msgspec.structs.replace(turn, parts=[self._part(part, needs) for part in turn.parts])

    def _part(self, part: Part, needs: Needs) -> Part:
        if isinstance(part, ToolResult):
            return msgspec.structs.replace(part, parts=[self._part(inner, needs) for inner in part.parts])
        if _is_addressed(part) and needs(part):
            source = self._known.get((type(part), part.source.data))
            return part if source is None else msgspec.structs.replace(part, source=source)
        return part


def as_source(part: Medium, declared: str, data: bytes) -> Source:
    """The bytes as what the part is said to be. Raises BadRequest when they are something else."""
    mime = _sniffed(data) or (declared if declared not in ("application/octet-stream", "binary/octet-stream") else "")
    match part:
        case Image() if mime.startswith("image/"):
            pass
        case Audio() if mime.startswith("audio/"):
            pass
        case Document() if mime.startswith("text/") and mime != "text/html":
            return Source(kind="text", data=data.decode("utf-8", "replace"), mime="text/plain")
        case Document() if mime == "application/pdf":
            pass
        case _:
            raise BadRequest(f"it is no {_word(part)}, its type is {mime[:100] or 'not known'}")
    return Source(kind="base64", data=base64.b64encode(data).decode(), mime=mime)


def _sniffed(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((mime for magic, mime in _MAGIC if data.startswith(magic)), "")


def _addressed(request: Request) -> Iterator[tuple[Medium, str]]:
    """The media at addresses, each with the place of its message."""
    for number, turn in enumerate(request.turns):
        for part in turn.parts:
            inner = part.parts if isinstance(part, ToolResult) else [part]
            for each in inner:
                if _is_addressed(each):
                    yield each, turn.path or f"turn {number}"


def _is_addressed(part: Part) -> TypeGuard[Medium]:
    if not isinstance(part, Image | Document | Audio) or part.source.kind != "url":
        return False
    return part.source.data[:8].lower().startswith(("http://", "https://"))


def _word(part: Medium) -> str:
    return type(part).__name__.lower()
