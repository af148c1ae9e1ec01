"""Which targets may serve a model, in which order."""

from __future__ import annotations

import fnmatch
import random
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from typing import Any, TypeVar

from msgspec import Struct, structs

from proxyapp.engine.identify import Caller
from proxyapp.engine.snapshot import Key, Model, Route, Snapshot
from proxyapp.errors import Forbidden, ModelNotFound, NoHealthyUpstream
from proxyapp.upstreams.contract import Credential, ProxyPool, Upstream

T = TypeVar("T", Route, Credential)


class Target(Struct, frozen=True):
    """One upstream and model, with the credentials to try there, in order. An empty list: it needs none."""

    upstream: Upstream
    model: str
    credentials: tuple[Credential, ...]
    priority: int = 0
    model_pool: str = ""
    """The proxy pool of the model that was asked for; "" = none of its own."""
    pools: Mapping[str, ProxyPool] = {}
    weight: int = 1
    """Share within one priority."""
    fallback: Credential | None = None
    """The caller's own Authorization, where nothing else applies."""

    def pool(self, credential: Credential | None) -> ProxyPool | None:
        """What a request goes out through: the credential's pool, else the model's, else the upstream's; None =
        directly. Raises NoHealthyUpstream for a pool that is not there: never around one that was asked for."""
        name = self.pool_name(credential)
        if not name:
            return None
        if name not in self.pools:
            raise NoHealthyUpstream(f"The proxy pool {name} is not there.", upstream=self.upstream.name, pool=name)
        return self.pools[name]

    def pool_name(self, credential: Credential | None) -> str:
        """ "" = directly."""
        return (credential.pool if credential else "") or self.model_pool or self.upstream.proxy_pool


class Plan(Struct, frozen=True):
    """Where a request may go."""

    model: Model
    targets: tuple[Target, ...]
    """In the order to try. Never empty."""


KEYLESS_KINDS = frozenset({"openai_compatible", "demo"})
"""Kinds that serve without a credential."""
LONGEST_NAME = 500
"""Characters of a model's name. The longest known, of hosted fine-tunes, have about 200."""
OTHER_MODELS = ("models", "fallbacks")
"""Fields in which some services take more models to run when the first will not (OpenRouter, Anthropic's beta)."""
CALLERS_OWN = "caller's own"
"""Name shown for a credential the caller brought."""


def plan(snapshot: Snapshot, caller: Caller, asked: str, rng: random.Random) -> Plan:
    """The targets for `asked`. Raises ModelNotFound, Forbidden, NoHealthyUpstream."""
    model, matched = find(snapshot, asked)
    if not may_use(caller.key, asked, model):
        raise Forbidden(f"This key may not use the model {asked!r}.", param="model")
    targets = tuple(_targets(snapshot, caller, model, matched, rng))
    if not targets:
        raise NoHealthyUpstream(f"The model {asked!r} has no upstream that is switched on.")
    return Plan(model, targets)


def find(snapshot: Snapshot, asked: str) -> tuple[Model, str]:
    """The model of that name and what its `*` stands for ("" without one). Raises ModelNotFound."""
    if len(asked) > LONGEST_NAME:  # no model's; it would go into headers, rows and messages
        raise no_model(f"{asked[:50]}…")
    model = snapshot.models.get(asked)
    if model is not None:
        return model, ""
    for wild in snapshot.wildcards:
        for name in (wild.name, *wild.aliases):
            matched = _match(name, asked)
            if matched is not None:
                return wild, matched
    raise no_model(asked)


def no_model(asked: str) -> ModelNotFound:
    """The same words for a model that is not there and for one this key may not see."""
    return ModelNotFound(f"The model {asked!r} does not exist or you do not have access to it.", param="model")


def may_use(key: Key, asked: str, model: Model) -> bool:
    """Both lists, the key's and the client's, must allow both names: the one asked for and the one it resolves to."""
    resolved = asked if "*" in model.name else model.name
    return all(_allows(patterns, name) for patterns in (key.models, key.client_models) for name in {asked, resolved})


def stay_within(key: Key, field: Callable[[str], Any]) -> None:
    """Raises Forbidden when a key that is held to certain models names further ones in its body, whose fields `field`
    gives: where bodies are relayed the upstream would run them."""
    if key.models or key.client_models:
        for name in OTHER_MODELS:
            if field(name):
                raise Forbidden(f"This key is held to certain models; it may not name others in {name!r}.", param=name)


def _allows(patterns: tuple[str, ...], name: str) -> bool:
    return not patterns or any(fnmatch.fnmatchcase(name, _star_alone(pattern)) for pattern in patterns)


def _star_alone(pattern: str) -> str:
    """`?` and `[` stand for themselves, as in `claude-opus-4-6[1m]`."""
    return pattern.replace("[", "[[]").replace("?", "[?]")


def _match(pattern: str, name: str) -> str | None:
    """What the `*` of a pattern stands for, None when the name does not fit it. `*word*` fits every name that holds the
    word, in capitals too, and stands for the whole name."""
    head, star, tail = pattern.partition("*")
    if tail.endswith("*"):
        return name if tail[:-1].lower() in name.lower() else None
    if not star or len(name) < len(head) + len(tail):
        return None
    if not (name.startswith(head) and name.endswith(tail)):
        return None
    return name[len(head) : len(name) - len(tail)]


def _targets(snapshot: Snapshot, caller: Caller, model: Model, matched: str, rng: random.Random) -> Iterator[Target]:
    for route in _ordered(model.routes, rng):
        upstream = snapshot.upstreams.get(route.upstream)
        if upstream is not None:
            if api := model.profile.get("api"):
                upstream = structs.replace(upstream, api=api)
            yield Target(
                upstream,
                route.model.replace("*", matched),
                credentials(upstream, caller, rng),
                route.priority,
                model.proxy_pool,
                snapshot.pools,
                route.weight,
                last_resort(upstream, caller),
            )


def _ordered(routes: tuple[Route, ...], rng: random.Random) -> Iterator[Route]:
    if len(routes) == 1:
        yield routes[0]
        return
    for _, same in groupby(sorted(routes, key=lambda route: route.priority), key=lambda route: route.priority):
        yield from _shuffled(list(same), rng)


def credentials(upstream: Upstream, caller: Caller, rng: random.Random) -> tuple[Credential, ...]:
    """What may be shown to an upstream, first that applies first: the caller's own key alone where the upstream allows
    it, the upstream's keys in weighted order, its OAuth tokens likewise (contract.md 2). Which of them are out,
    `engine.credentials` looks at with each attempt."""
    if upstream.allow_caller_keys and caller.own_key:
        return (Credential(CALLERS_OWN, caller.own_key),)
    if len(upstream.credentials) + len(upstream.tokens) <= 1:
        return upstream.credentials or upstream.tokens
    return (*_shuffled(list(upstream.credentials), rng), *_shuffled(list(upstream.tokens), rng))


def last_resort(upstream: Upstream, caller: Caller) -> Credential | None:
    """The caller's own Authorization as it came, where the upstream allows it: for want of all others."""
    if not (upstream.allow_caller_keys and caller.own_authorization):
        return None
    return Credential(CALLERS_OWN, caller.own_authorization, verbatim=True)


def _shuffled(items: list[T], rng: random.Random) -> Iterator[T]:
    while items:
        chosen = rng.choices(items, weights=[max(item.weight, 0) or 0.0001 for item in items])[0]
        items.remove(chosen)
        yield chosen
