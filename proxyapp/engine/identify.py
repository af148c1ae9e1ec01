"""Who is asking. In memory, from the snapshot: no database, no hashing slower than SHA-256 (keys have >128 bits)."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import time
from collections.abc import Mapping

from msgspec import Struct

from proxyapp.engine.snapshot import Key, Snapshot
from proxyapp.errors import Forbidden, NotAuthenticated

GATEWAY_PREFIX = "sk-dg-"
BEARER, QUERY, FACTORY = "authorization", "?key", "x-factory-api-key"
OWN_KEYS = (FACTORY, "x-api-key", "x-goog-api-key", QUERY)
"""Where a caller's own upstream key may stand, first that applies. A gateway key may in all but the first."""
_PARTS = re.compile(r"[,\s]+")
ANONYMOUS = Key(id=0, name="", client_id=0, client="anonymous")


class Caller(Struct, frozen=True):
    """The asking key, and what the request bore that is not the gateway's."""

    key: Key
    own_key: str | None = None
    """The caller's own upstream key, where the upstream takes those."""
    own_authorization: str | None = None
    """The caller's `Authorization` header, verbatim, when it holds no gateway key."""


def digest(value: str) -> str:
    """How keys are kept: SHA-256, hex."""
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()


def identify(
    snapshot: Snapshot,
    headers: Mapping[str, str],
    *,
    query_key: str | None = None,
    address: str = "",
    now: float | None = None,
) -> Caller:
    """The caller of a request. Raises NotAuthenticated (no key, unknown, expired, two that differ) or Forbidden
    (address not allowed). With authentication off or anonymous access on, a keyless caller is `anonymous`."""
    values = presented(headers, query_key)
    places = {place for place, value in values.items() if _is_ours(snapshot, value)}
    ours = {values[place] for place in places}
    if len(ours) > 1:
        raise NotAuthenticated("The request bears two different gateway keys; send one.")
    if places == {FACTORY}:
        raise NotAuthenticated("X-Factory-API-Key is for an upstream's key. Send the gateway's as a bearer token.")
    key = _known(snapshot, ours.pop(), now) if ours else _keyless(snapshot, bool(values))
    _check_address(key, address)
    own = next((values[place] for place in OWN_KEYS if place in values and place not in places), None)
    foreign = BEARER in values and BEARER not in places
    return Caller(key, own, headers[BEARER] if foreign else None)


def presented(headers: Mapping[str, str], query_key: str | None) -> dict[str, str]:
    """The keys that a request bears, gateway's and others', by their place."""
    found = {}
    scheme, _, token = headers.get(BEARER, "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        found[BEARER] = token.strip()
    for name in OWN_KEYS[:-1]:
        value = headers.get(name, "").strip()
        if value:
            found[name] = value
    if query_key:
        found[QUERY] = query_key
    return found


def _is_ours(snapshot: Snapshot, value: str) -> bool:
    """A key of this gateway, or one that looks so, also as a part: a header that came twice is both values with a
    comma between them, and must not take a key of ours along to an upstream."""
    return any(
        part.startswith(GATEWAY_PREFIX) or digest(part) in snapshot.keys for part in {value, *_PARTS.split(value)}
    )


def _known(snapshot: Snapshot, value: str, now: float | None) -> Key:
    key = snapshot.keys.get(digest(value))
    if key is None or key.revoked:
        raise NotAuthenticated("The API key is not known here, or was revoked.")
    if key.expires is not None and key.expires <= (time.time() if now is None else now):
        raise NotAuthenticated("The API key has expired, or was replaced by a new one.")
    return key


def _keyless(snapshot: Snapshot, sent_another: bool) -> Key:
    if snapshot.auth_required and not snapshot.anonymous:
        if sent_another:
            raise NotAuthenticated("The key that was sent is not one of this gateway's. Its keys begin with sk-dg-.")
        raise NotAuthenticated("No API key was sent. Send one of this gateway's keys as `Authorization: Bearer …`.")
    return ANONYMOUS


def _check_address(key: Key, address: str) -> None:
    if not key.allowed_ips:
        return
    try:
        caller = ipaddress.ip_address(address)
    except ValueError:
        raise Forbidden("This key may not be used from your address.") from None
    mapped = getattr(caller, "ipv4_mapped", None) or caller
    if not any(mapped in ipaddress.ip_network(net, strict=False) for net in key.allowed_ips):
        raise Forbidden("This key may not be used from your address.")
