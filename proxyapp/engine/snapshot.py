"""The configuration in force, as one immutable value. Built from the database by `config`, swapped by one assignment.

A request keeps the snapshot it started with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct, field

from proxyapp.upstreams.contract import Credential as Credential
from proxyapp.upstreams.contract import Proxy as Proxy
from proxyapp.upstreams.contract import ProxyPool as ProxyPool
from proxyapp.upstreams.contract import Timeouts as Timeouts
from proxyapp.upstreams.contract import Upstream as Upstream


class Route(Struct, frozen=True):
    """One way to serve a model."""

    upstream: str
    """Name of the upstream."""
    model: str
    """The upstream's own name; a `*` in it is what the wildcard matched."""
    priority: int = 0
    """Low first."""
    weight: int = 1
    """Share within one priority."""


class Model(Struct, frozen=True, kw_only=True):
    """A name callers may ask for."""

    name: str
    """May hold one `*`."""
    aliases: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    reasoning: str = "auto"
    system_prompt: str = ""
    max_output_tokens: int | None = None
    proxy_pool: str = ""
    """The pool its requests go out through, whatever the upstream says; "" = the upstream's."""
    lenient: bool = False
    profile: Mapping[str, Any] = field(default_factory=dict)
    """Overrides of `dialects.contract.Profile` fields."""
    created: int = 0
    """Unix seconds, for model lists."""


class Limits(Struct, frozen=True):
    """None = no limit."""

    rpm: int | None = None
    tpm: int | None = None
    concurrency: int | None = None


class Key(Struct, frozen=True, kw_only=True):
    """A caller's key with its client's rights folded in."""

    id: int
    name: str
    client_id: int
    client: str
    scope: str = "inference"
    """inference | admin."""
    revoked: bool = False
    """Opens nothing, and is still the gateway's: it never passes for a caller's own upstream key."""
    expires: float | None = None
    """Unix seconds."""
    models: tuple[str, ...] = ()
    """Patterns with `*`; empty = all. Key's and client's lists must both allow."""
    client_models: tuple[str, ...] = ()
    allowed_ips: tuple[str, ...] = ()
    """Addresses or networks; empty = all."""
    limits: Limits = Limits()
    history_bodies: str = "default"


class Snapshot(Struct, frozen=True, kw_only=True):
    """Everything a request needs to know."""

    version: int = 0
    keys: Mapping[str, Key] = field(default_factory=dict)
    """SHA-256 hex digest -> key."""
    models: Mapping[str, Model] = field(default_factory=dict)
    """Exact names and aliases (no wildcards) -> model."""
    wildcards: tuple[Model, ...] = ()
    """Models whose name or an alias holds a `*`, the most specific first."""
    upstreams: Mapping[str, Upstream] = field(default_factory=dict)
    pools: Mapping[str, ProxyPool] = field(default_factory=dict)
    auth_required: bool = True
    anonymous: bool = False
    """Requests without any key are served as the client `anonymous`."""


_SECRET_HEADER = re.compile(r"key|token|secret|auth|cookie|password|credential", re.IGNORECASE)
_LOOKS_RANDOM = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])(?!.*\d{4}-\d\d-\d\d)[A-Za-z0-9_+/=-]{16,}\Z")


def secrets_of(snapshot: Snapshot) -> Iterator[str]:
    """What must not be stored or told: keys, access tokens, passwords of proxies, and values of the operator's headers
    that are called a secret or look like one. `2025-08-07` in a header's value is a version."""
    for upstream in snapshot.upstreams.values():
        yield from (credential.secret for credential in (*upstream.credentials, *upstream.tokens))
        for name, value in upstream.headers.items():
            if _SECRET_HEADER.search(name) or _LOOKS_RANDOM.match(value):
                yield value.rpartition(" ")[2]
    for pool in snapshot.pools.values():
        for proxy in pool.proxies:
            password = urlsplit(proxy.url).password
            if password:
                yield from (password, unquote(password))
