"""Makes the database match a declarative file: all or nothing, and nothing the second time.

Fields that a declaration leaves out get their default. Parts (keys of an upstream, routes, proxies) are matched
exactly when their list is given. What the file does not name stays, unless `prune` is said; a client's further keys
too.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from msgspec import Struct, to_builtins

from accounts import keys
from accounts.issuing import owner_of, parse_time
from accounts.models import ApiKey, Client
from proxyapp.config.document import (
    ClientKeySpec,
    ClientSpec,
    Document,
    ModelSpec,
    OAuthSpec,
    ProxyPoolSpec,
    UpstreamKeySpec,
    UpstreamSpec,
)
from proxyapp.config.inspecting import problems_of, warnings_of
from proxyapp.config.matching import MadeKey, Run
from proxyapp.config.reading import DeclarationError
from proxyapp.models import ModelConfig, OAuthToken, Proxy, ProxyPool, Route, Upstream, UpstreamKey
from proxyapp.models.config import lock_configuration

DIGEST = re.compile(r"sha256:([0-9a-f]{64})\Z")
NO_ADMIN = (
    "clients: no key of scope admin is left, so nothing can be managed over HTTP; the console stays, and "
    "create_key --scope admin makes a new one"
)
OAUTH = "oauth"
"""Name of the token that a file gives to an upstream."""


class Result(Struct, frozen=True):
    changes: list[str]
    """`+ upstream anthropic`, `~ model x: aliases`, `- client bob`; empty when everything matched already."""
    warnings: list[str]
    """What is kept without effect in this version."""
    made: list[MadeKey]
    """Keys to show once. Empty on a dry run."""


def plan(document: Document, *, prune: bool = False) -> list[str]:
    """The changes that `apply` would make. Raises DeclarationError."""
    return apply(document, prune=prune, dry_run=True).changes


def apply(document: Document, *, prune: bool = False, dry_run: bool = False, run: Run | None = None) -> Result:
    """Write the document in one transaction; with `dry_run` that transaction is rolled back, so what is told is what
    would happen. Raises DeclarationError with every problem found; nothing is changed then. `run`: one that decides
    for itself which values are set (see `config.dropin`)."""
    run = run or Run(prune=prune)
    with transaction.atomic():
        lock_configuration()
        run.problems += problems_of(document, prune=prune)
        had_admin = _has_admin_key()
        if not run.problems:
            _apply(run, document)
        if run.problems:
            raise DeclarationError(run.problems)
        lost_admin = had_admin and not _has_admin_key()
        if dry_run:
            transaction.set_rollback(True)
    warnings = [*warnings_of(document), *([NO_ADMIN] if lost_admin else ())]
    return Result(run.changes, warnings, [] if dry_run else run.made)


def _has_admin_key() -> bool:
    return ApiKey.objects.filter(scope="admin", enabled=True, client__enabled=True).exists()


def _apply(run: Run, document: Document) -> None:
    # Models go first and their upstreams last, because an upstream with routes cannot be removed.
    _prune(run, "models", document.models, ModelConfig)
    for number, pool in enumerate(document.proxy_pools or []):
        _pool(run, pool, f"proxy_pools[{number}]")
    for number, upstream in enumerate(document.upstreams or []):
        _upstream(run, upstream, f"upstreams[{number}]")
    rows = [_model(run, model, f"models[{number}]") for number, model in enumerate(document.models or [])]
    _names_are_free(run, rows)
    for number, client in enumerate(document.clients or []):
        _client(run, client, f"clients[{number}]")
    _prune(run, "upstreams", document.upstreams, Upstream)
    _prune(run, "proxy_pools", document.proxy_pools, ProxyPool)
    _prune(run, "clients", document.clients, Client)


def _prune(run: Run, section: str, specs: list[Any] | None, model: Any) -> None:
    if run.prune and specs is not None:
        kind = section.rstrip("s").replace("_", " ")
        rows = model.objects.exclude(name__in=[spec.name for spec in specs])
        run.remove(rows, lambda row: f"{kind} {row.name}", section)


# --- proxy pools -----------------------------------------------------------------------------------------------------


def _pool(run: Run, spec: ProxyPoolSpec, path: str) -> None:
    row = ProxyPool.objects.filter(name=spec.name).first() or ProxyPool(name=spec.name)
    label = f"proxy pool {spec.name}"
    values = {
        **{name: getattr(spec, name) for name in ("strategy", "on_exhausted", "sticky")},
        "cooldown_seconds": spec.cooldown,
        "check_url": spec.check_url or "",
    }
    if not run.match(row, values, path=path, label=label) or spec.proxies is None:
        return
    present = {proxy.name: proxy for proxy in row.proxies.all()}
    for number, proxy in enumerate(spec.proxies):
        part = present.pop(proxy.name, None) or Proxy(pool=row, name=proxy.name)
        values = {"url": proxy.url, "position": number, "enabled": proxy.enabled}
        run.match(part, values, path=f"{path}.proxies[{number}]", label=f"{label} proxy {proxy.name}")
    run.remove(present.values(), lambda part: f"{label} proxy {part.name}", path)


# --- upstreams -------------------------------------------------------------------------------------------------------


def _upstream(run: Run, spec: UpstreamSpec, path: str) -> None:
    row = Upstream.objects.filter(name=spec.name).first() or Upstream(name=spec.name)
    label = f"upstream {spec.name}"
    if not run.match(row, _upstream_values(spec), path=path, label=label):
        return
    if spec.oauth is not None:
        _token(run, row, spec.oauth, path=f"{path}.oauth", label=f"{label} token {OAUTH}")
    if spec.keys is None:
        return
    present = {key.name: key for key in row.keys.all()}
    for number, key in enumerate(spec.keys):
        part = present.pop(key.name, None) or UpstreamKey(upstream=row, name=key.name)
        values = {"value": key.value, "weight": key.weight, "enabled": key.enabled, "proxy_pool": _pool_of(key)}
        run.match(part, values, path=f"{path}.keys[{number}]", label=f"{label} key {key.name}")
    run.remove(present.values(), lambda part: f"{label} key {part.name}", path)


def _token(run: Run, upstream: Upstream, spec: OAuthSpec, *, path: str, label: str) -> None:
    """The token that a file may name. Without a refresh token one that is there keeps its own."""
    row = upstream.tokens.filter(name=OAUTH).first() or OAuthToken(upstream=upstream, name=OAUTH)
    if spec.refresh_token is None and row._state.adding:
        run.problems.append(f"{path}.refresh_token: needed, because none is stored yet")
        return
    same = ("token_url", "client_id", "organization_id")
    values: dict[str, Any] = {name: getattr(spec, name) or "" for name in same}
    if spec.refresh_token is not None:
        values["seed"] = spec.refresh_token
    # Whether the token can be refreshed as it stands is no reason to refuse a file: `warnings_of` says so.
    run.match(row, values, path=path, label=label, check=row.clean_fields)


def _pool_of(spec: UpstreamSpec | UpstreamKeySpec | ModelSpec) -> ProxyPool | None:
    return ProxyPool.objects.filter(name=spec.proxy_pool).first() if spec.proxy_pool else None


def _upstream_values(spec: UpstreamSpec) -> dict[str, Any]:
    same = ("kind", "api", "api_version", "allow_caller_keys", "headers", "retries", "enabled")
    return {
        **{name: getattr(spec, name) for name in same},
        "base_url": spec.base_url or "",
        "system_prompt": spec.system_prompt or "",
        "proxy_pool": _pool_of(spec),
        **{f"timeout_{name}": seconds for name, seconds in to_builtins(spec.timeouts).items()},
    }


# --- models ----------------------------------------------------------------------------------------------------------


def _model(run: Run, spec: ModelSpec, path: str) -> tuple[str, ModelConfig]:
    row = ModelConfig.objects.filter(name=spec.name).first() or ModelConfig(name=spec.name)

    def check() -> None:
        # Whether the names are free is asked when all models are written: an alias may move from one to another.
        row.clean_fields()
        row.check_own_names()

    label = f"model {spec.name}"
    if run.match(row, _model_values(spec), path=path, label=label, check=check):
        if spec.routes is not None:
            _routes(run, row, spec, path, label)
        _routes_fit(run, row, path)
    return path, row


def _model_values(spec: ModelSpec) -> dict[str, Any]:
    prices = to_builtins(spec.prices) if spec.prices else None
    return {
        **{name: getattr(spec, name) for name in ("aliases", "reasoning", "max_output_tokens", "lenient", "enabled")},
        "profile": spec.profile,
        "proxy_pool": _pool_of(spec),
        "system_prompt": spec.system_prompt or "",
        "prices": prices and {name: price for name, price in prices.items() if price is not None},
    }


def _routes(run: Run, row: ModelConfig, spec: ModelSpec, path: str, label: str) -> None:
    present = {(route.upstream.name, route.upstream_model): route for route in row.routes.select_related("upstream")}
    for number, route in enumerate(spec.routes or []):
        name = route.model or spec.name
        part = present.pop((route.upstream, name), None)
        if part is None:
            upstream = Upstream.objects.filter(name=route.upstream).first()
            if upstream is None:
                continue  # refused above, and told there
            part = Route(model=row, upstream=upstream, upstream_model=name)
        values = {"priority": route.priority, "weight": route.weight, "enabled": route.enabled}
        run.match(part, values, path=f"{path}.routes[{number}]", label=f"{label} route {route.upstream}/{name}")
    run.remove(present.values(), lambda part: f"{label} route {part.upstream.name}/{part.upstream_model}", path)


def _routes_fit(run: Run, row: ModelConfig, path: str) -> None:
    """Routes that stayed as they were may contradict the model's new names."""
    for route in row.routes.all():
        try:
            route.clean()
        except ValidationError as exc:
            run.refuse(f"{path}.routes", exc)


def _names_are_free(run: Run, rows: list[tuple[str, ModelConfig]]) -> None:
    for path, row in rows:
        try:
            if row.pk:
                row.check_names_free()
        except ValidationError as exc:
            run.refuse(path, exc)


# --- clients ---------------------------------------------------------------------------------------------------------


def _client(run: Run, spec: ClientSpec, path: str) -> None:
    row = Client.objects.filter(name=spec.name).first() or Client(name=spec.name)
    label = f"client {spec.name}"
    if not run.match(row, _client_values(spec), path=path, label=label) or spec.keys is None:
        return
    present = {key.name: key for key in row.keys.all()}
    for number, key in enumerate(spec.keys):
        part = present.pop(key.name, None) or ApiKey(client=row, name=key.name)
        _client_key(run, part, key, path=f"{path}.keys[{number}]", label=f"{label} key {key.name}")
    if run.prune:
        run.remove(present.values(), lambda part: f"{label} key {part.name}", path)


def _client_values(spec: ClientSpec) -> dict[str, Any]:
    budget = spec.budget
    return {
        **{name: getattr(spec, name) for name in ("note", "enabled", "models", "history_bodies")},
        **to_builtins(spec.limits),
        "budget_usd": Decimal(str(budget.usd)).quantize(Decimal("0.0001")) if budget else None,
        "budget_per": budget.per if budget else "month",
    }


def _client_key(run: Run, row: ApiKey, spec: ClientKeySpec, *, path: str, label: str) -> None:
    try:
        values = {
            **{name: getattr(spec, name) for name in ("scope", "models", "allowed_ips", "enabled")},
            "expires_at": parse_time(spec.expires) if spec.expires else None,
        }
    except ValueError:
        run.problems.append(f"{path}.expires: give a time such as 2027-01-31 or 2027-01-31T12:00:00Z")
        return
    try:
        made = _shape_of_key(row, spec, values)
    except ValueError as exc:
        run.problems.append(f"{path}.{exc}")
        return
    if values.get("digest", "") == row.previous_digest:  # the file goes back to the key from before a rotation
        row.previous_digest = row.previous_until = None
    if run.match(row, values, path=path, label=label) and made:
        run.made.append(MadeKey(row.client.name, row.name, made))


def _shape_of_key(row: ApiKey, spec: ClientKeySpec, values: dict[str, Any]) -> str:
    """Put the key's digest among the values, where the file says what the key is or it is new. Gives the key itself
    when it was made here, else "". Raises ValueError with a sentence that begins with the field."""
    if spec.digest is not None:
        if spec.value is not None:
            raise ValueError("digest: give the value or its digest, not both")
        if not (found := DIGEST.match(spec.digest)):
            raise ValueError("digest: must be sha256: and 64 hex digits in lower case")
        if taken := _taken(row, found[1]):
            raise ValueError(f"digest: {taken}")
        values["digest"] = found[1]
        if spec.prefix is not None:
            values["prefix"] = spec.prefix
        return ""
    key = spec.value if spec.value is not None else (keys.make_key() if row._state.adding else None)
    if key is None:
        return ""
    if problem := keys.problem_with(key) or _taken(row, keys.digest(key)):
        raise ValueError(f"value: {problem}")
    row.prefix = keys.shown_prefix(key)
    values["digest"] = keys.digest(key)
    return key if spec.value is None else ""


def _taken(row: ApiKey, digest: str) -> str:
    other = owner_of(digest)
    return f"this key already belongs to {other}" if other is not None and other.pk != row.pk else ""
