"""Rows to a declarative file: what `apply_config` makes of it is what is here.

The same database gives the same bytes: objects stand in the order of their names, parts in the order in which they
are tried, and what has its default is left out. Secrets are references unless they are asked for; their names are made
of the objects' names and told beside the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from msgspec import Struct, field, structs

from accounts.keys import PREFIX, SHOWN
from accounts.models import ApiKey, Client
from proxyapp.config.declare import OAUTH
from proxyapp.config.document import (
    BudgetSpec,
    ClientKeySpec,
    ClientSpec,
    Document,
    LimitsSpec,
    ModelSpec,
    OAuthSpec,
    PricesSpec,
    ProxyPoolSpec,
    ProxySpec,
    RouteSpec,
    TimeoutsSpec,
    UpstreamKeySpec,
    UpstreamSpec,
)
from proxyapp.config.reading import literally
from proxyapp.fields import Secret, SecretUnreadable
from proxyapp.models import ModelConfig, OAuthToken, Proxy, ProxyPool, Route, Upstream, UpstreamKey
from proxyapp.models.config import current_version

ATTEMPTS = 5
"""How often an export starts again because the configuration changed while it was read."""
UNREADABLE = "x-unreadable"
"""In the place of headers that no key opens."""


class Reference(Struct, frozen=True):
    """A secret that is not in the file."""

    name: str
    """Of the environment variable that the file refers to."""
    what: str
    """What it is, such as `upstream anthropic key main`."""


class Export(Struct):
    """What is to be told beside the file. The document holds secrets when they were asked for."""

    with_secrets: bool = False
    document: dict[str, Any] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    """Objects whose secret no key opens; the file holds a reference in its place."""
    notes: list[str] = field(default_factory=list)
    """Sentences about what the file cannot hold."""

    def __repr__(self) -> str:
        return "Export(…)"

    def secret(self, value: Any, words: Iterable[str], what: str) -> str:
        """The text itself where it was asked for, else a reference named after `words`."""
        try:
            text = value.reveal() if isinstance(value, Secret) else value
        except SecretUnreadable:
            self.unreadable.append(what)
            return self.reference(words, what)
        return literally(text) if self.with_secrets else self.reference(words, what)

    def reference(self, words: Iterable[str], what: str) -> str:
        wanted = re.sub(r"[^A-Z0-9]+", "_", "_".join(words).upper()).strip("_")
        taken = {reference.name for reference in self.references}
        number, name = 1, wanted
        while name in taken:
            number += 1
            name = f"{wanted}_{number}"
        self.references.append(Reference(name, what))
        return f"env:{name}"


def export(*, with_secrets: bool = False) -> Export:
    """The whole configuration, as it was at one moment. Raises django.db.Error when the database is away."""
    for _ in range(ATTEMPTS):
        version = current_version()
        made = _exported(with_secrets)
        if current_version() == version:
            break
    return made


def _exported(with_secrets: bool) -> Export:
    made = Export(with_secrets=with_secrets)
    document = Document(
        proxy_pools=[_pool(made, row) for row in _by_name(ProxyPool.objects.prefetch_related("proxies"))],
        upstreams=[_upstream(made, row) for row in _by_name(_upstreams())],
        models=[_model(row) for row in _by_name(_models())],
        clients=[_client(made, row) for row in _by_name(Client.objects.prefetch_related("keys"))],
    )
    made.document = _given(document)
    return made


def _upstreams() -> Any:
    return Upstream.objects.select_related("proxy_pool").prefetch_related("keys__proxy_pool", "tokens")


def _models() -> Any:
    return ModelConfig.objects.select_related("proxy_pool").prefetch_related("routes__upstream")


def _by_name(rows: Iterable[Any]) -> list[Any]:
    """In an order that does not depend on the database's collation."""
    return sorted(rows, key=lambda row: row.name)


def _same(row: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _name_of(pool: ProxyPool | None) -> str | None:
    return pool.name if pool else None


# --- proxy pools and upstreams ---------------------------------------------------------------------------------------


def _pool(made: Export, row: ProxyPool) -> ProxyPoolSpec:
    proxies = sorted(row.proxies.all(), key=lambda proxy: (proxy.position, proxy.pk))
    return ProxyPoolSpec(
        **_same(row, "name", "strategy", "on_exhausted", "sticky"),
        cooldown=row.cooldown_seconds,
        check_url=row.check_url or None,
        proxies=[
            ProxySpec(name=proxy.name, url=_proxy_url(made, row, proxy), enabled=proxy.enabled) for proxy in proxies
        ],
    )


def _proxy_url(made: Export, pool: ProxyPool, row: Proxy) -> str:
    """The address itself where it bears no name and password."""
    try:
        url = row.url.reveal()
    except SecretUnreadable:
        url = "@"
    if "@" not in url:
        return literally(url)
    return made.secret(row.url, ("proxy", pool.name, row.name, "url"), f"proxy pool {pool.name} proxy {row.name}")


def _upstream(made: Export, row: Upstream) -> UpstreamSpec:
    keys = sorted(row.keys.all(), key=lambda key: key.pk)
    return UpstreamSpec(
        **_same(row, "name", "kind", "allow_caller_keys", "retries", "enabled"),
        api=row.api or None,
        api_version=row.api_version or None,
        base_url=literally(row.base_url) or None,
        keys=[_key(made, row, key) for key in keys],
        oauth=_oauth(made, row),
        proxy_pool=_name_of(row.proxy_pool),
        timeouts=TimeoutsSpec(**{name: getattr(row, f"timeout_{name}") for name in TimeoutsSpec.__struct_fields__}),
        headers=_headers(made, row),
        system_prompt=literally(row.system_prompt) or None,
    )


def _key(made: Export, upstream: Upstream, row: UpstreamKey) -> UpstreamKeySpec:
    words = ("upstream", upstream.name, row.name, *(() if row.name.lower().endswith("key") else ("key",)))
    return UpstreamKeySpec(
        **_same(row, "name", "weight", "enabled"),
        value=made.secret(row.value, words, f"upstream {upstream.name} key {row.name}"),
        proxy_pool=_name_of(row.proxy_pool),
    )


def _headers(made: Export, row: Upstream) -> dict[str, str]:
    """All values are secrets: nobody can tell which of them are."""
    if not isinstance(row.headers, Secret):
        return {}
    try:
        headers = dict(row.headers.reveal())
    except SecretUnreadable:
        # Not even their names are known. Left out, they would be taken away where the file is applied.
        made.unreadable.append(f"upstream {row.name} headers")
        return {UNREADABLE: made.reference(("upstream", row.name, "headers"), f"upstream {row.name} headers")}
    return {
        name: made.secret(value, ("upstream", row.name, "header", name), f"upstream {row.name} header {name}")
        for name, value in sorted(headers.items())
    }


def _oauth(made: Export, upstream: Upstream) -> OAuthSpec | None:
    tokens: dict[str, OAuthToken] = {token.name: token for token in upstream.tokens.all()}
    row = tokens.pop(OAUTH, None)
    for name in sorted(tokens):
        made.notes.append(f"upstream {upstream.name} token {name} is not in the file: it can name one token, {OAUTH}.")
    if row is None:
        return None
    what = f"upstream {upstream.name} token {OAUTH}"
    if row.generation:
        made.notes.append(
            f"{what}: the file holds its first refresh token, which was spent when it was refreshed. Applied here it "
            "changes nothing; elsewhere a new one is needed."
        )
    return OAuthSpec(
        refresh_token=made.secret(row.seed, ("upstream", upstream.name, "refresh_token"), f"{what} refresh token"),
        **{name: literally(getattr(row, name)) or None for name in ("token_url", "client_id", "organization_id")},
    )


# --- models ----------------------------------------------------------------------------------------------------------


def _model(row: ModelConfig) -> ModelSpec:
    return ModelSpec(
        **_same(row, "name", "reasoning", "max_output_tokens", "lenient", "enabled"),
        aliases=list(row.aliases),
        system_prompt=literally(row.system_prompt) or None,
        routes=[_route(row, route) for route in sorted(row.routes.all(), key=lambda route: (route.priority, route.pk))],
        prices=PricesSpec(**{name: float(price) for name, price in row.prices.items()}) if row.prices else None,
        profile=_ordered(row.profile),
        proxy_pool=_name_of(row.proxy_pool),
    )


def _route(model: ModelConfig, row: Route) -> RouteSpec:
    name = None if row.upstream_model == model.name else row.upstream_model
    return RouteSpec(upstream=row.upstream.name, model=name, **_same(row, "priority", "weight", "enabled"))


def _ordered(value: Any) -> Any:
    """PostgreSQL keeps the keys of JSON in an order of its own."""
    if isinstance(value, dict):
        return {name: _ordered(value[name]) for name in sorted(value)}
    return [_ordered(item) for item in value] if isinstance(value, list) else value


# --- clients ---------------------------------------------------------------------------------------------------------


def _client(made: Export, row: Client) -> ClientSpec:
    budget = None if row.budget_usd is None else BudgetSpec(usd=float(row.budget_usd), per=row.budget_per)
    return ClientSpec(
        **_same(row, "name", "note", "enabled", "models", "history_bodies"),
        limits=LimitsSpec(**_same(row, "rpm", "tpm", "concurrency")),
        budget=budget,
        keys=[_client_key(made, row, key) for key in _by_name(row.keys.all())],
    )


def _client_key(made: Export, client: Client, row: ApiKey) -> ClientKeySpec:
    """A key of ours holds 256 random bits, so its digest tells nothing. Another's may be a word that can be guessed,
    and a digest is what a guesser needs."""
    can_tell = made.with_secrets or (row.prefix.startswith(PREFIX) and len(row.prefix) == SHOWN)
    if not can_tell:
        made.notes.append(
            f"client {client.name} key {row.name} was not made here, so its digest is left out: applied here it stays "
            "as it is, elsewhere a new key is made."
        )
    return ClientKeySpec(
        **_same(row, "name", "scope", "models", "allowed_ips", "enabled"),
        digest=f"sha256:{row.digest}" if can_tell else None,
        prefix=row.prefix or None if can_tell else None,
        expires=row.expires_at.isoformat() if row.expires_at else None,
    )


# --- text ------------------------------------------------------------------------------------------------------------


def _given(spec: Struct) -> dict[str, Any]:
    """The fields that differ from their default, as plain data."""
    given = {}
    for known in structs.fields(spec):
        value = getattr(spec, known.name)
        if known.required or value != _default(known):
            given[known.name] = _plain(value)
    return given


def _default(known: structs.FieldInfo) -> Any:
    return known.default_factory() if callable(known.default_factory) else known.default


def _plain(value: Any) -> Any:
    if isinstance(value, Struct):
        return _given(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return dict(value) if isinstance(value, Mapping) else value


def rendered(document: Mapping[str, Any], form: str) -> str:
    """The file's text, `yaml` or `json`."""
    if form == "json":
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as they are, lists below their name, and no object said by pointing at another."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)
