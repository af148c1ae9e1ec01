"""The Factory proxy's and droid2api's variables and files as upstreams of kind `factory` with keys and tokens.

Facts: reference/upstreams.md 1.1, 1.5, 2.5 and 3.1. The order of credentials is the engine's own (static keys, tokens,
and before both what a caller brings); which of them are there is said here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from django.core.exceptions import ImproperlyConfigured, ValidationError

from gateway.seeds import LARGEST_FILE, Factory, Seeds
from proxyapp.config.document import Document, ModelSpec, RouteSpec, UpstreamKeySpec, UpstreamSpec
from proxyapp.config.dropin.wish import MARK, Wish
from proxyapp.config.importing import droid2api
from proxyapp.config.importing.findings import Sort
from proxyapp.config.reading import unstorable
from proxyapp.config.wording import say
from proxyapp.models.proxies import check_proxy_url
from proxyapp.upstreams.urls import endpoint

FACTORY = f"{MARK}factory"
DROID = "You are Droid, an AI software engineering agent built by Factory.\n\n"
"""What the Factory proxy put before every prompt, in the form that is not refused (1.5)."""
LISTED = ("claude-sonnet-4-5-20250929", "claude-sonnet-3-5-20240620", "claude-opus-4-20250514")
"""Names that the Factory proxy's document lists."""
CLAUDE, GPT = "claude-*", "gpt-*"
OLD_HOST = "app.factory.ai"
APIS = {"anthropic": "messages", "openai_compatible": "chat", "gemini": "generate_content"}
"""Kind that the converter gives an endpoint elsewhere -> the API that is spoken there."""
ENDS = ("/messages", "/responses", "/chat/completions", "/generate")
"""Of whole endpoints, as the kind takes them."""


def add_factory(wish: Wish, seeds: Seeds) -> None:
    """Raises ImproperlyConfigured for a config.json that cannot be what it looks like."""
    said = seeds.factory or Factory()
    tokens = [(_numbered("DROID_REFRESH_KEY", n), token) for n, token in enumerate(said.refresh_tokens, 1)]
    keys = [UpstreamKeySpec(name="FACTORY_API_KEY", value=said.api_key)] if said.api_key else []
    if not (keys or tokens) and seeds.auth_file is not None:
        keys, tokens = _signed_in(seeds.auth_file, wish)
    if seeds.droid_config is not None:
        _configured(wish, seeds.droid_config, keys, tokens)
    if said.target_url or ((keys or tokens) and seeds.droid_config is None):
        _proxied(wish, said, keys, tokens)


def _proxied(wish: Wish, said: Factory, keys: list[UpstreamKeySpec], tokens: list[tuple[str, str]]) -> None:
    """As the Factory proxy: Claude's models by any name. At Factory's own address, which has them, GPT's too."""
    name = FACTORY if FACTORY not in wish.names("upstream") else f"{MARK}target"
    target = endpoint(said.target_url, "/messages") if said.target_url else None
    wish.upstreams.append(
        UpstreamSpec(
            name=name,
            kind="factory",
            base_url=target,
            api="messages" if target else None,
            keys=keys,
            allow_caller_keys=True,
            system_prompt=DROID,
        )
    )
    wish.tokens[name] = tokens
    wish.said[name] = "ANTHROPIC_TARGET_URL" if target else "FACTORY_API_KEY"
    if OLD_HOST in said.target_url:
        wish.remarks.append(f"ANTHROPIC_TARGET_URL names {OLD_HOST}, which answers 401 since November 2025.")
    for model in (*LISTED, CLAUDE) if target else (*LISTED, CLAUDE, GPT):
        if model not in wish.names("model"):
            wish.models.append(ModelSpec(name=model, routes=[RouteSpec(upstream=name, model=model)]))
            wish.said[model] = wish.said[name]
    wish.example = wish.example or ("/v1/chat/completions", LISTED[0])


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


# --- ~/.factory/auth.json --------------------------------------------------------------------------------------------


def _signed_in(path: Path, wish: Wish) -> tuple[list[UpstreamKeySpec], list[tuple[str, str]]]:
    """Keys and tokens of `{access_token, refresh_token}`, as Factory's own program leaves it. Only read, never written.
    An access token alone is used as it is, for as long as it is good."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return [], []
    except (OSError, ValueError, RecursionError):
        wish.remarks.append("~/.factory/auth.json cannot be read; it is left out.")
        return [], []
    refresh, access = _text(found, "refresh_token"), _text(found, "access_token")
    if refresh:
        return [], [("auth.json", refresh)]
    return ([UpstreamKeySpec(name="auth.json", value=access)] if access else []), []


def _text(found: Any, name: str) -> str:
    value = found.get(name) if isinstance(found, dict) else None
    return value.strip() if isinstance(value, str) else ""


# --- droid2api's config.json -----------------------------------------------------------------------------------------


def _configured(wish: Wish, raw: dict[str, Any], keys: list[UpstreamKeySpec], tokens: list[tuple[str, str]]) -> None:
    imported = droid2api.convert(_with_good_proxies(raw, wish))
    document = _named(imported.document)
    if any(unstorable(document, "")):
        raise ImproperlyConfigured("config.json cannot be used. It holds a character that no database keeps.")
    try:
        made = msgspec.convert(document, Document)
    except msgspec.ValidationError as exc:
        raise ImproperlyConfigured(f"config.json cannot be used. {say(exc)}") from exc
    for upstream in made.upstreams or []:
        _as_there(upstream)
        upstream.keys = keys
        wish.tokens[upstream.name] = tokens
        wish.upstreams.append(upstream)
    wish.pools += made.proxy_pools or []
    wish.models += made.models or []
    made_of_it = [*(made.upstreams or []), *(made.proxy_pools or []), *(made.models or [])]
    wish.said |= {spec.name: "config.json" for spec in made_of_it}
    if made.models:
        wish.example = wish.example or ("/v1/chat/completions", made.models[0].name)
    wish.remarks += [
        f"config.json: {finding}"
        for finding in imported.findings
        if finding.sort is Sort.CHANGED or (finding.sort is Sort.LEFT_OUT and finding.where not in droid2api.PASSED_ON)
    ]


def _named(document: dict[str, Any]) -> dict[str, Any]:
    """With our mark before the names of upstreams and pools, and wherever they are named."""
    for upstream in document.get("upstreams", ()):
        upstream["name"] = MARK + upstream["name"]
        if "proxy_pool" in upstream:
            upstream["proxy_pool"] = MARK + upstream["proxy_pool"]
    for pool in document.get("proxy_pools", ()):
        pool["name"] = MARK + pool["name"]
    for model in document.get("models", ()):
        for route in model["routes"]:
            route["upstream"] = MARK + route["upstream"]
    return document


def _as_there(upstream: UpstreamSpec) -> None:
    """An endpoint elsewhere gets the same credential in the same header as Factory would."""
    if upstream.kind != "factory" and (upstream.base_url or "").endswith(ENDS):
        upstream.api = upstream.api or APIS[upstream.kind]
        upstream.kind = "factory"


def _with_good_proxies(raw: dict[str, Any], wish: Wish) -> dict[str, Any]:
    """As there, what is no proxy's address is skipped; without any that is one, requests go out directly."""
    proxies = raw.get("proxies")
    if not isinstance(proxies, list):
        return raw
    good = [proxy for proxy in proxies if _is_proxy(proxy)]
    if len(good) < len(proxies):
        left = "the others are used" if good else "requests go out directly"
        wish.remarks.append(f"config.json: {len(proxies) - len(good)} of its proxies have no usable address; {left}.")
    return {**raw, "proxies": good}


def _is_proxy(proxy: Any) -> bool:
    url = proxy.get("url") if isinstance(proxy, dict) else None
    if not isinstance(url, str):
        return False
    try:
        check_proxy_url(url.strip())
    except ValidationError:
        return False
    return True
