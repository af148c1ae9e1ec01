"""Rows to snapshot: the whole configuration in eight queries, however many rows there are.

A secret that cannot be decrypted costs only what it belongs to; it is left out, reported and logged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog
from django.conf import settings
from django.db.models import Q
from msgspec import Struct, structs

from accounts.models import ApiKey
from proxyapp import models
from proxyapp.config.profile import typed_overrides
from proxyapp.engine.snapshot import (
    Credential,
    Key,
    Limits,
    Model,
    Proxy,
    ProxyPool,
    Route,
    Snapshot,
    Timeouts,
    Upstream,
)
from proxyapp.fields import SecretUnreadable
from proxyapp.models.config import current_version

log = structlog.get_logger(__name__)

ATTEMPTS = 5
"""How often a build starts again because the configuration changed while it was read."""
T = TypeVar("T")


class Finding(Struct, frozen=True):
    """Something in the configuration that cannot be used, and what is left out because of it."""

    what: str
    """The object, such as `upstream anthropic, key main`."""
    message: str
    """A sentence without secrets."""


def build_snapshot() -> Snapshot:
    """The configuration in force now. Findings are logged. Raises django.db.Error when the database is away."""
    snapshot, findings = build()
    for finding in findings:
        log.warning("configuration_left_out", what=finding.what, reason=finding.message)
    return snapshot


def build() -> tuple[Snapshot, list[Finding]]:
    """A snapshot and what had to be left out of it.

    The version is raised in the transaction of each change, so rows read between two equal versions belong together;
    no transaction is needed (on SQLite one would take the write lock).
    """
    for _ in range(ATTEMPTS):
        version = current_version()
        snapshot, findings = _read(version)
        if current_version() == version:
            break
    return snapshot, findings


def _read(version: int) -> tuple[Snapshot, list[Finding]]:
    findings: list[Finding] = []
    named = _models(findings)
    snapshot = Snapshot(
        version=version,
        keys=known_keys(),
        models={name: model for model in named for name in (model.name, *model.aliases) if "*" not in name},
        wildcards=_wildcards(named),
        upstreams=_upstreams(findings),
        pools=_pools(findings),
        auth_required=settings.ENABLE_CLIENT_AUTH,
        anonymous=settings.ALLOW_ANONYMOUS_ACCESS,
    )
    return snapshot, findings


# --- keys ------------------------------------------------------------------------------------------------------------


def known_keys(which: Q | None = None) -> dict[str, Key]:
    """Keys by their digests, the revoked ones too: those of the rows that `which` chooses, else all. What a key was
    before it was renewed ends with its overlap."""
    keys, before = {}, {}
    for row in ApiKey.objects.filter(which or Q()).select_related("client").order_by("id"):
        keys[row.digest] = key = _key(row)
        if row.previous_digest and row.previous_until:
            until = row.previous_until.timestamp()
            before[row.previous_digest] = structs.replace(key, expires=min(until, key.expires or until))
    return {**before, **keys}


def _key(row: ApiKey) -> Key:
    client = row.client
    return Key(
        id=row.pk,
        name=row.name,
        client_id=client.pk,
        client=client.name,
        scope=row.scope,
        revoked=not (row.enabled and client.enabled),
        expires=row.expires_at.timestamp() if row.expires_at else None,
        models=tuple(row.models),
        client_models=tuple(client.models),
        allowed_ips=tuple(row.allowed_ips),
        limits=Limits(rpm=client.rpm, tpm=client.tpm, concurrency=client.concurrency),
        history_bodies=client.history_bodies,
    )


# --- models ----------------------------------------------------------------------------------------------------------


def _models(findings: list[Finding]) -> list[Model]:
    routes = _grouped(
        models.Route.objects.filter(enabled=True).select_related("upstream").order_by("priority", "id"),
        lambda row: row.model_id,
    )
    return [
        _model(row, routes[row.pk], findings)
        for row in models.ModelConfig.objects.filter(enabled=True).select_related("proxy_pool").order_by("name")
    ]


def _model(row: models.ModelConfig, routes: list[models.Route], findings: list[Finding]) -> Model:
    try:
        profile = typed_overrides(row.profile)
    except ValueError as exc:
        findings.append(Finding(f"model {row.name}", f"Its overrides are not used: {exc}."))
        profile = {}
    return Model(
        name=row.name,
        aliases=tuple(row.aliases),
        routes=tuple(
            Route(route.upstream.name, route.upstream_model, priority=route.priority, weight=route.weight)
            for route in routes
        ),
        reasoning=row.reasoning,
        system_prompt=row.system_prompt,
        max_output_tokens=row.max_output_tokens,
        proxy_pool=_pool_name(row),
        lenient=row.lenient,
        profile=profile,
        created=int(row.created_at.timestamp()),
    )


def _wildcards(named: list[Model]) -> tuple[Model, ...]:
    """One entry per pattern: `*word*` first, since a word is looked for in names of every maker, then the one with the
    most literal characters. Each entry bears its own pattern alone,
    so that a short pattern of a model is not tried in the place of its long one."""
    patterns = []
    for model in named:
        wild = [alias for alias in model.aliases if "*" in alias]
        if "*" in model.name:
            exact = tuple(alias for alias in model.aliases if "*" not in alias)
            patterns.append((model.name, _with_aliases(model, exact)))
        else:
            patterns.extend((alias, _with_aliases(model, (alias,))) for alias in wild)
    return tuple(model for _, model in sorted(patterns, key=_specific))


def _specific(entry: tuple[str, Model]) -> tuple[bool, int, str]:
    pattern = entry[0]
    return pattern.count("*") < 2, -len(pattern), pattern


def _with_aliases(model: Model, aliases: tuple[str, ...]) -> Model:
    return model if aliases == model.aliases else structs.replace(model, aliases=aliases)


# --- upstreams -------------------------------------------------------------------------------------------------------


def _upstreams(findings: list[Finding]) -> dict[str, Upstream]:
    rows = models.UpstreamKey.objects.filter(enabled=True).select_related("proxy_pool").order_by("id")
    keys = _grouped(rows, lambda row: row.upstream_id)
    tokens = _grouped(models.OAuthToken.objects.filter(enabled=True).order_by("id"), lambda row: row.upstream_id)
    built = {}
    for row in models.Upstream.objects.filter(enabled=True).select_related("proxy_pool").order_by("name"):
        try:
            built[row.name] = _upstream(row, keys[row.pk], tokens[row.pk], findings)
        except _NotUsable as exc:
            findings.append(Finding(f"upstream {row.name}", str(exc)))
    return built


class _NotUsable(Exception):
    """The upstream cannot be called as it was configured."""


def _upstream(
    row: models.Upstream, keys: list[models.UpstreamKey], tokens: list[models.OAuthToken], findings: list[Finding]
) -> Upstream:
    return Upstream(
        name=row.name,
        kind=row.kind,
        api=row.api or None,
        base_url=row.base_url or None,
        credentials=tuple(_credentials(row, keys, findings)),
        allow_caller_keys=row.allow_caller_keys,
        tokens=tuple(_tokens(row, tokens, findings)),
        token_trouble=next(filter(None, map(_trouble, tokens)), ""),
        proxy_pool=_pool_name(row),
        timeouts=Timeouts(row.timeout_connect, row.timeout_first_byte, row.timeout_idle, row.timeout_total),
        headers=_headers(row),
        system_prompt=row.system_prompt,
        retries=row.retries,
        api_version=row.api_version or None,
    )


def _credentials(row: models.Upstream, keys: list[models.UpstreamKey], findings: list[Finding]) -> Iterable[Credential]:
    for key in keys:
        try:
            yield Credential(key.name, key.value.reveal(), key.weight, f"key:{key.pk}", _pool_name(key))
        except SecretUnreadable as exc:
            findings.append(Finding(f"upstream {row.name}, key {key.name}", f"The key is left out. {exc}"))


def _pool_name(row: models.Upstream | models.UpstreamKey | models.ModelConfig) -> str:
    return row.proxy_pool.name if row.proxy_pool else ""


def _headers(row: models.Upstream) -> dict[str, str]:
    try:
        return dict(row.headers.reveal()) if row.headers else {}
    except SecretUnreadable as exc:
        # Without its headers a request could reach another account or tenant than the operator meant.
        raise _NotUsable(f"It is left out, because its headers are unreadable. {exc}") from exc


def _tokens(row: models.Upstream, tokens: list[models.OAuthToken], findings: list[Finding]) -> Iterable[Credential]:
    for token in tokens:
        if not token.access_token:
            continue  # not refreshed yet
        expires = token.expires_at.timestamp() if token.expires_at else None
        try:
            secret = token.access_token.reveal()
        except SecretUnreadable as exc:
            findings.append(Finding(f"upstream {row.name}, token {token.name}", f"The token is left out. {exc}"))
            continue
        yield Credential(token.name, secret, token.weight, f"token:{token.pk}", expires=expires)


def _trouble(token: models.OAuthToken) -> str:
    """What a server said may name the account; callers hear only what it means."""
    if token.is_dead:
        return "Its refresh token is dead: the operator has to log in anew and enter a new one."
    if token.error and not token.is_untried:
        return f"Its last refresh failed ({token.error})."
    return "" if token.access_token else "It has not been refreshed yet."


# --- proxy pools -----------------------------------------------------------------------------------------------------


def _pools(findings: list[Finding]) -> dict[str, ProxyPool]:
    proxies = _grouped(models.Proxy.objects.filter(enabled=True).order_by("position", "id"), lambda row: row.pool_id)
    return {
        row.name: ProxyPool(
            name=row.name,
            proxies=tuple(_proxies(row, proxies[row.pk], findings)),
            strategy=row.strategy,
            on_exhausted=row.on_exhausted,
            sticky=row.sticky,
            cooldown=row.cooldown_seconds,
            check_url=row.check_url,
        )
        for row in models.ProxyPool.objects.order_by("name")
    }


def _proxies(pool: models.ProxyPool, proxies: list[models.Proxy], findings: list[Finding]) -> Iterable[Proxy]:
    for proxy in proxies:
        try:
            yield Proxy(proxy.name, proxy.url.reveal(), f"proxy:{proxy.pk}")
        except SecretUnreadable as exc:
            findings.append(Finding(f"proxy pool {pool.name}, proxy {proxy.name}", f"The proxy is left out. {exc}"))


def _grouped(rows: Iterable[T], group: Callable[[T], int | None]) -> defaultdict[int | None, list[T]]:
    groups: defaultdict[int | None, list[T]] = defaultdict(list)
    for row in rows:
        groups[group(row)].append(row)
    return groups
