"""Proxies on the way to an upstream: their URLs, and what their refusals mean. Pure.

A `ProxyFault` means that nothing of the request has reached the upstream, so another way out may be tried. Whose fault
it was is told as far as it can be (docs/upstreams.md "Proxy pools").
"""

from __future__ import annotations

import base64
import functools
import ipaddress
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from msgspec import Struct

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_NOTHING_SENT_SQUID = (
    "ERR_CONNECT_FAIL",
    "ERR_DNS_FAIL",
    "ERR_CANNOT_FORWARD",
    "ERR_ACCESS_DENIED",
    "ERR_SECURE_CONNECT",
)
_NOTHING_SENT_RFC9209 = frozenset(
    {"dns_timeout", "dns_error", "destination_not_found", "destination_unavailable", "destination_ip_prohibited"}
    | {"destination_ip_unroutable", "connection_refused", "connection_timeout", "connection_limit_reached"}
    | {"tls_protocol_error", "tls_certificate_error", "tls_alert_received", "http_request_denied"}
    | {"proxy_configuration_error"}
)


class ProxyFault(Exception):
    """A proxy did not bring the request to its upstream; nothing of it was sent there.

    `reason` follows the proxy's name in a sentence, and holds no address and no password. `certain`: the fault is the
    proxy's own. If not, it may be the upstream that cannot be reached, which another way out will tell.
    """

    def __init__(self, reason: str, *, certain: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.certain = certain


class Way(Struct, frozen=True):
    """A proxy's URL, read."""

    scheme: str
    """http | https | socks5 | socks5h."""
    host: str
    port: int
    user: str | None
    password: str

    @property
    def is_socks(self) -> bool:
        return self.scheme.startswith("socks")

    @property
    def login(self) -> dict[str, str]:
        """The header that an HTTP proxy knows its users by (RFC 7617, in UTF-8); none without a name."""
        if self.user is None:
            return {}
        word = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"proxy-authorization": f"Basic {word}"}

    def __repr__(self) -> str:
        return f"Way({self.scheme!r})"


def way_of(url: str) -> Way:
    """Name and password may be percent-encoded. Raises ProxyFault."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
        user = None if parts.username is None else unquote(parts.username, errors="strict")
        way = Way(parts.scheme, parts.hostname or "", port, user, unquote(parts.password or "", errors="strict"))
    except (KeyError, ValueError):
        raise ProxyFault("has a URL that cannot be read", certain=True) from None
    if not way.host or is_forbidden(way.host):
        raise ProxyFault("has an address that is not allowed", certain=True)
    return way


def refused(status: int) -> ProxyFault:
    """An HTTP proxy's answer of its own. 401: tinyproxy's to a request without name and password."""
    if status in (401, 407):
        return ProxyFault(f"refused the name and password, or wants one ({status})", certain=True)
    return ProxyFault(f"refused to connect ({status})", certain=False)


class Page(Struct, frozen=True):
    """What an HTTP proxy answered by itself in the upstream's place."""

    fault: ProxyFault
    was_sent: bool
    """The request may have reached the upstream."""


def page_of(status: int, headers: Mapping[str, str]) -> Page | None:
    """Is this answer to a request in absolute form the proxy's own? Known by 407, squid's `X-Squid-Error`, an `error`
    in `Proxy-Status` (RFC 9209) and tinyproxy's name; any other answer counts as the upstream's."""
    if status == 407:
        return Page(refused(407), was_sent=False)
    if status < 400:
        return None
    if squid := headers.get("x-squid-error"):
        return Page(refused(status), was_sent=not squid.startswith(_NOTHING_SENT_SQUID))
    if error := _error_in(headers.get("proxy-status", "")):
        return Page(refused(status), was_sent=error not in _NOTHING_SENT_RFC9209)
    if headers.get("server", "").startswith("tinyproxy/"):
        return Page(refused(status), was_sent=status not in (401, 403, 500))  # 500: "Unable to connect"
    return None


def _error_in(proxy_status: str) -> str:
    for parameter in proxy_status.replace(",", ";").split(";"):
        name, _, value = parameter.strip().partition("=")
        if name == "error":
            return value.strip('"')
    return ""


@functools.lru_cache(maxsize=1024)
def is_forbidden(address: str) -> bool:
    """Is it an address that no upstream may have: link-local (cloud metadata), multicast, unspecified? False for
    anything that is no IP address."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_link_local or ip.is_multicast or ip.is_unspecified
