"""The declarative file as typed values (contract.md section 4). A field that is left out has the default shown here.

A list of parts that is left out (None) is left alone in the database; a list that is given is matched.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
AtLeastOne = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Seconds = Annotated[float, Meta(gt=0, le=604_800)]
"""At most a week."""
Usd = Annotated[float, Meta(ge=0, le=1e9)]


class ProxySpec(Struct, kw_only=True):
    name: Name
    url: Name
    enabled: bool = True


class ProxyPoolSpec(Struct, kw_only=True):
    name: Name
    strategy: Literal["round_robin", "random", "least_used"] = "round_robin"
    on_exhausted: Literal["direct", "fail"] = "direct"
    proxies: list[ProxySpec] | None = None
    """In the order of the list."""
    sticky: bool = False
    cooldown: Annotated[int, Meta(ge=1, le=86_400)] = 30
    """Seconds."""
    check_url: str | None = None


class UpstreamKeySpec(Struct, kw_only=True):
    name: Name
    value: str
    weight: Count = 1
    proxy_pool: str | None = None
    enabled: bool = True


class OAuthSpec(Struct, kw_only=True):
    refresh_token: str | None = None
    token_url: str | None = None
    client_id: str | None = None
    organization_id: str | None = None


class TimeoutsSpec(Struct, kw_only=True, frozen=True):
    connect: Seconds = 10.0
    first_byte: Seconds = 300.0
    idle: Seconds = 300.0
    total: Seconds = 3600.0


class UpstreamSpec(Struct, kw_only=True):
    name: Name
    kind: str
    base_url: str | None = None
    api: str | None = None
    keys: list[UpstreamKeySpec] | None = None
    oauth: OAuthSpec | None = None
    api_version: str | None = None
    allow_caller_keys: bool = False
    proxy_pool: str | None = None
    timeouts: TimeoutsSpec = TimeoutsSpec()
    headers: dict[str, str] = {}
    system_prompt: str | None = None
    retries: Annotated[int, Meta(ge=0, le=100)] = 2
    enabled: bool = True


class RouteSpec(Struct, kw_only=True):
    upstream: Name
    model: Name | None = None
    """None: the same name as the model's."""
    priority: Count = 0
    weight: Count = 1
    enabled: bool = True


class PricesSpec(Struct, kw_only=True):
    """USD per million tokens."""

    input: Usd | None = None
    output: Usd | None = None
    cache_read: Usd | None = None
    cache_write: Usd | None = None


class ModelSpec(Struct, kw_only=True):
    name: Name
    aliases: list[str] = []
    reasoning: Literal["auto", "off", "low", "medium", "high", "xhigh"] = "auto"
    system_prompt: str | None = None
    routes: list[RouteSpec] | None = None
    max_output_tokens: AtLeastOne | None = None
    proxy_pool: str | None = None
    prices: PricesSpec | None = None
    lenient: bool = False
    profile: dict[str, Any] = {}
    enabled: bool = True


class LimitsSpec(Struct, kw_only=True, frozen=True):
    rpm: AtLeastOne | None = None
    tpm: AtLeastOne | None = None
    concurrency: AtLeastOne | None = None


class BudgetSpec(Struct, kw_only=True):
    usd: Usd
    per: Literal["day", "week", "month", "total"] = "month"


class ClientKeySpec(Struct, kw_only=True):
    name: Name
    value: str | None = None
    """None: made and shown once, then left alone."""
    digest: str | None = None
    """Instead of the value, as `export_config` writes it: `sha256:` and 64 hex digits."""
    prefix: Annotated[str, Meta(max_length=12)] | None = None
    """How a key that is given by its digest begins; the console shows it."""
    scope: Literal["inference", "admin"] = "inference"
    models: list[str] = []
    expires: str | None = None
    """ISO 8601; without a zone it is UTC."""
    allowed_ips: list[str] = []
    enabled: bool = True


class ClientSpec(Struct, kw_only=True):
    name: Name
    note: str = ""
    enabled: bool = True
    limits: LimitsSpec = LimitsSpec()
    budget: BudgetSpec | None = None
    models: list[str] = []
    history_bodies: Literal["default", "all", "errors", "none"] = "default"
    keys: list[ClientKeySpec] | None = None
    """Keys that the file does not name are removed with --prune alone."""


class Document(Struct, kw_only=True):
    """A section that is left out is not touched, not even with --prune."""

    proxy_pools: list[ProxyPoolSpec] | None = None
    upstreams: list[UpstreamSpec] | None = None
    models: list[ModelSpec] | None = None
    clients: list[ClientSpec] | None = None
