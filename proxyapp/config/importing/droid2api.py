"""droid2api's `config.json`: models by type, endpoints, redirects, proxies, the system prompt (reference/upstreams.md
1.9, 1.10 and 4). Its forks' files too, as far as they are the same.

Everything becomes one upstream of kind `factory`; endpoints that were turned to other servers become upstreams of the
kind that speaks the same there.
"""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct, field

from proxyapp.config.importing.findings import (
    Findings,
    Imported,
    Names,
    dict_of,
    host_of,
    objects_of,
    shown,
    text_of,
)

FACTORY = "factory"
"""Name and kind of the upstream."""
FACTORY_ROOT = "https://api.factory.ai"
OLD_ROOT = "https://app.factory.ai"
"""Moved in November 2025; it answers 401 since."""
PASSED_ON = {
    "port": "the port is a setting here: PORT",
    "dev_mode": "a setting here: LOG_LEVEL=debug; bodies are in the history anyway",
    "user_agent": "the gateway says who it is; a header user-agent of the upstream would say otherwise",
    "enable_server_auth": "who may call is said by ENABLE_CLIENT_AUTH and ALLOW_ANONYMOUS_ACCESS",
}
"""Words whose counterpart is elsewhere."""
KNOWN = {
    "models",
    "model_redirects",
    "endpoint",
    "endpoints",
    "proxies",
    "system_prompt",
    *PASSED_ON,
}
MODEL_KNOWN = {"id", "name", "type", "reasoning", "provider", "fast"}
LEVELS = ("auto", "off", "low", "medium", "high", "xhigh")
FORGETTING = re.compile(r"forget\b.*\bprevious", re.IGNORECASE | re.DOTALL)
"""A sentence that Factory answers with 403."""


class Type(Struct, frozen=True):
    """One of droid2api's types of models."""

    api: str
    """The same in our words."""
    path: str
    """Where Factory answers it, below its root."""
    kind: str
    """Our kind of a server that speaks it without being Factory."""


TYPES = {
    "anthropic": Type("messages", "/api/llm/a/v1/messages", "anthropic"),
    "openai": Type("responses", "/api/llm/o/v1/responses", "openai_compatible"),
    "common": Type("chat", "/api/llm/o/v1/chat/completions", "openai_compatible"),
    "google": Type("generate_content", "/api/llm/g/v1/generate", "gemini"),
}


def is_one(raw: Any) -> bool:
    """Whether this is such a file: a list of models with id and type, or one of its own words beside an endpoint."""
    if not isinstance(raw, dict):
        return False
    models = raw.get("models")
    first = next((item for item in models if isinstance(item, dict)), {}) if isinstance(models, list) else {}
    if "id" in first and text_of(first.get("type")) in TYPES:
        return True
    listed = raw.get("endpoint", raw.get("endpoints"))
    return isinstance(listed, list) and bool({"models", "model_redirects", "user_agent", "system_prompt"} & set(raw))


class _Made(Struct):
    """The document while it grows."""

    findings: Findings = field(default_factory=Findings)
    names: Names = field(default_factory=Names)
    upstreams: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    """(kind, base URL, API) -> upstream"""
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    """id -> model"""
    pool: dict[str, Any] | None = None


def convert(raw: dict[str, Any]) -> Imported:
    """The file as sections of a declarative file. Never raises for what the file holds."""
    made = _Made()
    _proxies(made, raw.get("proxies"))
    endpoints = _endpoints(made, raw)
    for where, model in objects_of(raw.get("models"), "models", made.findings):
        _model(made, where, model, endpoints, raw)
    _redirects(made, raw.get("model_redirects"))
    for word, sentence in PASSED_ON.items():
        if word in raw:
            made.findings.left_out(word, f"{sentence}.")
    made.findings.unknown("", raw, KNOWN)
    if any(upstream["kind"] == FACTORY for upstream in made.upstreams.values()):
        made.findings.decide(
            "", "no key is in this file: bootstrap takes FACTORY_API_KEY or DROID_REFRESH_KEY, or enter one here."
        )
    document = {
        "proxy_pools": [made.pool] if made.pool else [],
        "upstreams": list(made.upstreams.values()),
        "models": list(made.models.values()),
    }
    return Imported({name: items for name, items in document.items() if items}, made.findings.found)


# --- proxies ---------------------------------------------------------------------------------------------------------


def _proxies(made: _Made, raw: Any) -> None:
    """With proxies configured droid2api never goes out directly, and asks them in turn from the first on."""
    names, proxies = Names(), []
    for where, proxy in objects_of(raw, "proxies", made.findings):
        url = text_of(proxy.get("url"))
        if not url:
            made.findings.left_out(where, "has no url.")
            continue
        made.findings.unknown(where, proxy, {"name", "url"})
        proxies.append({"name": names.make(text_of(proxy.get("name")), f"proxy-{len(proxies) + 1}"), "url": url})
    if proxies:
        made.pool = {"name": "droid2api", "on_exhausted": "fail", "proxies": proxies}
        made.findings.taken("proxies", f"{len(proxies)} as the proxy pool droid2api, in turn; none is gone around.")


# --- endpoints -------------------------------------------------------------------------------------------------------


def _endpoints(made: _Made, raw: dict[str, Any]) -> dict[str, str]:
    """Type -> address, as the file says."""
    word = "endpoint" if "endpoint" in raw else "endpoints"
    found = {}
    for where, endpoint in objects_of(raw.get(word), word, made.findings):
        name, url = text_of(endpoint.get("name")), text_of(endpoint.get("base_url"))
        if name not in TYPES or not url:
            made.findings.left_out(where, f"needs a base_url and one of the names {', '.join(TYPES)}.")
        else:
            found.setdefault(name, url)  # as there, the first of a name counts
    return found


def _place(made: _Made, kind: str, endpoints: dict[str, str]) -> tuple[str, str, str]:
    """(our kind, base URL or "" for the kind's own, the API where the upstream itself must say it)."""
    wanted = TYPES[kind]
    url = endpoints.get(kind, FACTORY_ROOT + wanted.path).rstrip("/")
    if not url.endswith(wanted.path):
        return wanted.kind, url, wanted.api if wanted.api == "responses" else ""
    root = url.removesuffix(wanted.path)
    if root.endswith(OLD_ROOT):
        root = root.removesuffix(OLD_ROOT) + FACTORY_ROOT
        sentence = f"{OLD_ROOT} does not serve any more; {FACTORY_ROOT} is used."
        if not any(finding.sentence == sentence for finding in made.findings.found):
            made.findings.changed("endpoint", sentence)
    return FACTORY, "" if root == FACTORY_ROOT else root, ""


def _upstream(made: _Made, place: tuple[str, str, str], raw: dict[str, Any]) -> dict[str, Any]:
    if place in made.upstreams:
        return made.upstreams[place]
    kind, base_url, api = place
    wanted = FACTORY if kind == FACTORY else host_of(base_url)
    upstream: dict[str, Any] = {"name": made.names.make(wanted, kind), "kind": kind, "allow_caller_keys": True}
    if base_url:
        upstream["base_url"] = base_url
    if api:
        upstream["api"] = api
    if made.pool:
        upstream["proxy_pool"] = made.pool["name"]
    made.upstreams[place] = upstream
    made.findings.taken("endpoint", f"upstream {upstream['name']}, kind {kind}; callers may bring their own key.")
    if kind == FACTORY:
        _of_factory(made, upstream, raw)
    else:
        made.findings.decide("endpoint", f"{upstream['name']} is no Factory server: give it its key.")
    return upstream


def _of_factory(made: _Made, upstream: dict[str, Any], raw: dict[str, Any]) -> None:
    prompt = raw.get("system_prompt")
    if isinstance(prompt, str) and prompt:
        upstream["system_prompt"] = prompt
        made.findings.taken("system_prompt", f"put before the caller's by the upstream {upstream['name']}.")
        if FORGETTING.search(prompt):
            made.findings.decide("system_prompt", "tells the model to forget; Factory has answered such with 403.")
    elif prompt not in (None, ""):
        made.findings.left_out("system_prompt", "should be text.")


# --- models ----------------------------------------------------------------------------------------------------------


def _model(made: _Made, where: str, model: dict[str, Any], endpoints: dict[str, str], raw: dict[str, Any]) -> None:
    name, kind = text_of(model.get("id")), model.get("type")
    if not name:
        made.findings.left_out(where, "has no id.")
        return
    if not isinstance(kind, str) or kind not in TYPES:
        made.findings.left_out(where, f"{shown(name)} needs one of the types {', '.join(TYPES)}.")
        return
    if name in made.models:
        made.findings.left_out(where, f"{shown(name)} is there already; as there, the first of a name counts.")
        return
    upstream = _upstream(made, _place(made, kind, endpoints), raw)
    entry: dict[str, Any] = {"name": name, "routes": [{"upstream": upstream["name"], "model": name}]}
    entry["reasoning"] = _level(made, where, model)
    profile = _profile(model, kind) if upstream["kind"] == FACTORY else {}
    if profile:
        entry["profile"] = profile
    made.models[name] = entry
    made.findings.taken(where, f"model {shown(name)}, reasoning {entry['reasoning']}.")
    made.findings.unknown(where, model, MODEL_KNOWN)


def _level(made: _Made, where: str, model: dict[str, Any]) -> str:
    """There, a level that is missing or unknown is `off`."""
    level = model.get("reasoning")
    if isinstance(level, str) and level.strip().lower() in LEVELS:
        return level.strip().lower()
    if level is not None:
        made.findings.changed(f"{where}.reasoning", f"{shown(level)} is no level; it is off, as there.")
    return "off"


def _profile(model: dict[str, Any], kind: str) -> dict[str, Any]:
    """What Factory must be told about the model: which of its APIs, whose model it is, whether it is the fast one."""
    profile: dict[str, Any] = {"api": TYPES[kind].api}
    if provider := text_of(model.get("provider")):
        profile["provider"] = provider
    if model.get("fast") is True:
        profile["fast"] = True
    return profile


def _redirects(made: _Made, raw: Any) -> None:
    """There, a redirected name is replaced before anything is looked up, once."""
    if raw is not None and not isinstance(raw, dict):
        made.findings.left_out("model_redirects", "should be an object.")
    for alias, target in ((str(word).strip(), target) for word, target in dict_of(raw).items()):
        where = f"model_redirects.{shown(alias)}"
        model = made.models.get(text_of(target))
        if model is None or not alias or alias == model["name"]:
            made.findings.left_out(where, f"{shown(target)} is none of the models.")
            continue
        if alias in made.models:
            hidden = made.models.pop(alias)
            model.setdefault("aliases", []).extend(hidden.get("aliases", []))
            made.findings.changed(where, "replaces the model of this name, which nobody could reach there.")
        model.setdefault("aliases", []).append(alias)
        made.findings.taken(where, f"alias of {shown(model['name'])}.")
