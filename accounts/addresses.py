"""Caller addresses: whose X-Forwarded-For counts, and whether an address is in a list of networks. No Django."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse_address(text: str) -> Address | None:
    """None for what is no address. `::ffff:10.0.0.1` is 10.0.0.1; a zone (`%eth0`) and a port are left out."""
    text = text.strip().split("%", 1)[0]
    if text.startswith("["):
        text = text[1:].split("]", 1)[0]
    elif text.count(":") == 1:
        text = text.split(":", 1)[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def parse_networks(texts: Iterable[str]) -> list[Network]:
    """Those of the texts that are addresses or networks."""
    networks = []
    for text in texts:
        with contextlib.suppress(ValueError):
            networks.append(ipaddress.ip_network(text, strict=False))
    return networks


def is_within(text: str, networks: Iterable[Network]) -> bool:
    address = parse_address(text)
    return address is not None and any(address in network for network in networks)


def client_address(peer: str, forwarded: str, trusted: Iterable[Network]) -> str:
    """The nearest address that is not a trusted proxy, read from the right, because the left end can be forged.

    `peer` is the socket's address, `forwarded` the X-Forwarded-For header as it came. An entry that is no address
    ends the search: what is left of it was written by nobody we trust.
    """
    trusted = tuple(trusted)
    nearest = peer
    for entry in reversed([peer_of for peer_of in forwarded.split(",") if peer_of.strip()]):
        if not is_within(nearest, trusted):
            break
        address = parse_address(entry)
        if address is None:
            break
        nearest = str(address)
    return nearest
