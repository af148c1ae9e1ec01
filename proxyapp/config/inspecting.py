"""What is wrong or doubtful in a `Document` before anything is written: names, kinds, and what is not in force yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from proxyapp.config.document import ClientSpec, Document, ModelSpec, UpstreamKeySpec, UpstreamSpec
from proxyapp.config.profile import typed_overrides
from proxyapp.config.reading import nearest
from proxyapp.models import ProxyPool, Upstream
from proxyapp.models.tokens import OWN_TOKEN_SERVER
from proxyapp.models.upstreams import APIS, KINDS

KEPT = "is kept, but not in force in this version"


def problems_of(document: Document, *, prune: bool) -> list[str]:
    """Sentences that forbid applying the document."""
    return [
        *_listed_twice(document),
        *_kinds(document.upstreams or []),
        *_pools(document, prune),
        *_routes(document, prune),
        *_profiles(document.models or []),
    ]


def warnings_of(document: Document) -> list[str]:
    """Sentences about what is stored and has no effect yet. Delete a line below when its feature arrives."""
    found = []
    for number, upstream in enumerate(document.upstreams or []):
        found += _sentences(f"upstreams[{number}]", _idle_of_upstream(upstream))
    for number, model in enumerate(document.models or []):
        found += _sentences(f"models[{number}]", _idle_of_model(model))
    for number, client in enumerate(document.clients or []):
        found += _sentences(f"clients[{number}]", _idle_of_client(client))
    return found


def _idle_of_upstream(upstream: UpstreamSpec) -> Iterator[tuple[str, Any, str]]:
    idle_version = upstream.api_version and upstream.kind != "azure"
    yield "api_version", idle_version, "is kept, but has a meaning for the kind azure alone"
    nowhere = upstream.oauth and not upstream.oauth.token_url and upstream.kind not in OWN_TOKEN_SERVER
    yield "oauth.token_url", nowhere, "is needed to refresh the token: this kind has no token server of its own"


def _idle_of_model(model: ModelSpec) -> Iterator[tuple[str, Any, str]]:
    yield "prices", model.prices, KEPT


def _idle_of_client(client: ClientSpec) -> Iterator[tuple[str, Any, str]]:
    yield "limits.tpm", client.limits.tpm, KEPT
    yield "budget", client.budget, KEPT


def _sentences(path: str, idle: Iterable[tuple[str, Any, str]]) -> list[str]:
    return [f"{path}.{name}: {sentence}" for name, is_given, sentence in idle if is_given]


# --- problems --------------------------------------------------------------------------------------------------------


def _listed_twice(document: Document) -> Iterator[str]:
    for section in ("proxy_pools", "upstreams", "models", "clients"):
        specs = getattr(document, section) or []
        yield from _repeated(section, [spec.name for spec in specs])
        for number, spec in enumerate(specs):
            for part in ("proxies", "keys"):
                names = [item.name for item in getattr(spec, part, None) or []]
                yield from _repeated(f"{section}[{number}].{part}", names)
    for number, model in enumerate(document.models or []):
        targets = [(route.upstream, route.model or model.name) for route in model.routes or []]
        for target, count in Counter(targets).items():
            if count > 1:
                yield f"models[{number}].routes: {target[0]}/{target[1]} is listed twice"


def _repeated(path: str, names: list[str]) -> Iterator[str]:
    for number, name in enumerate(names):
        if name in names[:number]:
            yield f"{path}[{number}].name: {name!r} is listed twice"


def _kinds(upstreams: list[UpstreamSpec]) -> Iterator[str]:
    kinds, apis = [kind for kind, _ in KINDS], [api for api, _ in APIS]
    for number, upstream in enumerate(upstreams):
        path = f"upstreams[{number}]"
        if upstream.kind not in kinds:
            yield f"{path}.kind: unknown; {nearest(upstream.kind, kinds)}"
        if upstream.api is not None and upstream.api not in apis:
            yield f"{path}.api: unknown; {nearest(upstream.api, apis)}"


def _pools(document: Document, prune: bool) -> Iterator[str]:
    known = _names(document.proxy_pools, ProxyPool, prune)
    users: list[tuple[str, UpstreamSpec | UpstreamKeySpec | ModelSpec]] = []
    for number, upstream in enumerate(document.upstreams or []):
        users.append((f"upstreams[{number}]", upstream))
        users += [(f"upstreams[{number}].keys[{place}]", key) for place, key in enumerate(upstream.keys or [])]
    users += [(f"models[{number}]", model) for number, model in enumerate(document.models or [])]
    for path, user in users:
        if user.proxy_pool and user.proxy_pool not in known:
            yield f'{path}.proxy_pool: no proxy pool named "{user.proxy_pool}"'


def _routes(document: Document, prune: bool) -> Iterator[str]:
    known = _names(document.upstreams, Upstream, prune)
    for number, model in enumerate(document.models or []):
        for place, route in enumerate(model.routes or []):
            if route.upstream not in known:
                yield f'models[{number}].routes[{place}].upstream: no upstream named "{route.upstream}"'


def _names(specs: Any, model: Any, prune: bool) -> set[str]:
    """Names that will be there afterwards."""
    kept = set() if prune and specs is not None else set(model.objects.values_list("name", flat=True))
    return kept | {spec.name for spec in specs or []}


def _profiles(models: list[ModelSpec]) -> Iterator[str]:
    for number, model in enumerate(models):
        try:
            typed_overrides(model.profile)
        except ValueError as exc:
            yield f"models[{number}].profile: {exc}"
