"""LiteLLM's `config.yaml`: deployments by model group, with their router's fallbacks and aliases.

There, every deployment has an address and a key of its own. Deployments that share all of it become one upstream; the
deployments of a group become the routes of one model, weighed and ordered as its router would. A fallback is a route
of a later priority.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from proxyapp.config.importing.findings import Imported, dict_of, objects_of, shown, text_of, whole_number
from proxyapp.config.importing.litellm_upstreams import Group, Made, Route, upstream_of
from proxyapp.config.importing.tables import BARE, PROVIDERS, Server

KNOWN = {
    "model_list",
    "router_settings",
    "litellm_settings",
    "general_settings",
    "environment_variables",
    "credential_list",
}
ROUTER_KNOWN = {"model_group_alias", "num_retries", "timeout", "fallbacks", "default_fallbacks", "routing_strategy"}
LITELLM_KNOWN = {"drop_params", "num_retries", "request_timeout", "fallbacks", "default_fallbacks"}
GENERAL_KNOWN = {"master_key"}
PARAMS_KNOWN = {
    "model", "custom_llm_provider", "api_base", "base_url", "api_key", "api_version", "organization", "extra_headers",
    "timeout", "stream_timeout", "max_retries", "num_retries", "rpm", "tpm", "weight", "order", "drop_params",
    "litellm_credential_name",
}  # fmt: skip
PRICES = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
}
"""Our word -> theirs, which is USD per token."""
INNER_PREFIXES = {"responses": "responses", "o_series": "", "gpt5_series": "", "chat": "", "route": ""}
"""Second prefixes of OpenAI's and Azure's models -> the API they ask for."""
MOST_WEIGHT = 1_000_000


def is_one(raw: Any) -> bool:
    """Whether this is such a file: a list of models with a name and parameters, or two of its own sections."""
    if not isinstance(raw, dict):
        return False
    models = raw.get("model_list")
    listed = isinstance(models, list) and any(
        isinstance(item, dict) and {"model_name", "litellm_params"} & set(item) for item in models
    )
    return listed or len({"model_list", "litellm_settings", "router_settings", "general_settings"} & set(raw)) > 1


def convert(raw: dict[str, Any], environ: Mapping[str, str]) -> Imported:
    """The file as sections of a declarative file. Never raises for what the file holds."""
    made = Made(raw, environ)
    for where, deployment in objects_of(raw.get("model_list"), "model_list", made.findings):
        _deployment(made, where, deployment)
    models = [_model(group) for group in made.groups.values()]
    _fallbacks(made, {model["name"]: model for model in models})
    _aliases(made, {model["name"]: model for model in models})
    clients = _clients(made)
    _not_taken(made)
    document = {"upstreams": list(made.upstreams.values()), "models": models, "clients": clients}
    return Imported({name: items for name, items in document.items() if items}, made.findings.found)


# --- deployments -----------------------------------------------------------------------------------------------------


def _deployment(made: Made, where: str, deployment: dict[str, Any]) -> None:
    name, params = text_of(deployment.get("model_name")), _params(made, where, deployment)
    provider, model = _provider(params)
    if not name or not model:
        made.findings.left_out(where, "needs a model_name, and litellm_params with a model.")
        return
    server = PROVIDERS.get(provider)
    if server is None:
        told = f"the provider {shown(provider)} has no counterpart here" if provider else "says no provider"
        made.findings.left_out(where, f"{shown(name)}: {told}.")
        return
    model, api = _inner(server, model)
    upstream = upstream_of(made, where, provider, server, params, api)
    if upstream is None:
        return
    group = made.groups.get(name)
    if group is None:
        group = made.groups[name] = Group({"name": name})
        if made.setting("litellm_settings", name="drop_params") is True or params.get("drop_params") is True:
            group.entry["lenient"] = True
        if prices := _prices(params, dict_of(deployment.get("model_info"))):
            group.entry["prices"] = prices
    group.routes.append(Route(upstream["name"], model, whole_number(params.get("order")), _weights(params, deployment)))
    made.findings.taken(where, f"{shown(name)}: a route to {shown(model)} of the upstream {upstream['name']}.")
    if any(limit in params or limit in deployment for limit in ("rpm", "tpm")):
        made.findings.left_out(where, "rpm and tpm weigh the routes here; limits belong to clients.")
    made.findings.unknown(f"{where}.litellm_params", params, {*PARAMS_KNOWN, *PRICES.values()})


def _params(made: Made, where: str, deployment: dict[str, Any]) -> dict[str, Any]:
    """The parameters, with those of the credential that they name."""
    params = dict_of(deployment.get("litellm_params"))
    wanted = text_of(params.get("litellm_credential_name"))
    if not wanted:
        return params
    listed = made.raw.get("credential_list")
    for credential in listed if isinstance(listed, list) else ():
        if isinstance(credential, dict) and credential.get("credential_name") == wanted:
            return {**dict_of(credential.get("credential_values")), **params}
    made.findings.decide(where, f"the credential {shown(wanted)} is not in this file: give the upstream its key.")
    return params


def _provider(params: dict[str, Any]) -> tuple[str, str]:
    """(provider or "", the model's name at it or "")"""
    model, stated = text_of(params.get("model")), text_of(params.get("custom_llm_provider"))
    if stated:
        return stated, model.removeprefix(f"{stated}/")
    prefix, slash, rest = model.partition("/")
    if slash and (prefix in PROVIDERS or not any(model.startswith(start) for start, _ in BARE)):
        return prefix, rest
    return next((provider for start, provider in BARE if model.startswith(start)), ""), model


def _inner(server: Server, model: str) -> tuple[str, str]:
    """(the model without a second prefix, the API that this one asks for or "")"""
    prefix, slash, rest = model.partition("/")
    if slash and server.kind in ("openai", "azure") and prefix in INNER_PREFIXES:
        return rest, INNER_PREFIXES[prefix]
    return model, ""


def _weights(params: dict[str, Any], deployment: dict[str, Any]) -> dict[str, float]:
    """What the router may weigh this deployment by; older files have rpm and tpm beside the parameters."""
    found = {}
    for name in ("weight", "rpm", "tpm"):
        value = params.get(name, deployment.get(name))
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12:
            found[name] = float(value)
    return found


def _prices(params: dict[str, Any], info: dict[str, Any]) -> dict[str, float]:
    """USD per million tokens."""
    found = {}
    for ours, theirs in PRICES.items():
        value = params.get(theirs, info.get(theirs))
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1000:
            found[ours] = round(value * 1e6, 9)
    return found


# --- models ----------------------------------------------------------------------------------------------------------


def _model(group: Group) -> dict[str, Any]:
    """The router takes the lowest order first, and shares by weight within it."""
    routes: dict[tuple[str, str], dict[str, Any]] = {}
    orders = sorted({_order(route) for route in group.routes})
    for priority, order in enumerate(orders):
        same = [route for route in group.routes if _order(route) == order]
        for route, weight in zip(same, _shares(same), strict=True):
            target = {"upstream": route.upstream, "model": route.model, "priority": priority, "weight": 0}
            known = routes.setdefault((route.upstream, route.model), target)
            known["weight"] = min(MOST_WEIGHT, known["weight"] + weight)
    return {**group.entry, "routes": list(routes.values())}


def _order(route: Route) -> float:
    return math.inf if route.order is None else route.order


def _shares(routes: list[Route]) -> list[int]:
    """By the first measure that one of them has: whole numbers in the same proportion, as small as they go."""
    measure = next((name for name in ("weight", "rpm", "tpm") if any(name in route.weights for route in routes)), "")
    scaled = [round(route.weights.get(measure, 0.0) * 100) for route in routes]
    if not any(scaled):
        return [1] * len(routes)
    divisor = math.gcd(*scaled)
    return [min(MOST_WEIGHT, weight // divisor) for weight in scaled]


def _fallbacks(made: Made, models: dict[str, dict[str, Any]]) -> None:
    """Routes of later priorities. A fallback's own fallbacks do not count, so the routes before this are kept."""
    own = {name: list(model["routes"]) for name, model in models.items()}
    given = dict(_fallback_lists(made))
    default = made.setting("router_settings", "litellm_settings", name="default_fallbacks")
    for name, model in models.items():
        targets = given.pop(name, default if isinstance(default, list) else [])
        for target in targets if isinstance(targets, list) else ():
            _fall_back(made, model, text_of(target), own)
    for name in given:
        made.findings.left_out(f"fallbacks.{shown(name)}", "is none of the models.")


def _fallback_lists(made: Made) -> Iterator[tuple[str, Any]]:
    for section in ("litellm_settings", "router_settings"):
        where = f"{section}.fallbacks"
        for _, entry in objects_of(dict_of(made.raw.get(section)).get("fallbacks"), where, made.findings):
            yield from ((str(name), targets) for name, targets in entry.items())


def _fall_back(made: Made, model: dict[str, Any], target: str, own: dict[str, list[dict[str, Any]]]) -> None:
    where = f"fallbacks.{shown(model['name'])}"
    routes = own.get(target)
    if target == model["name"]:
        return
    if routes is None:
        made.findings.left_out(where, f"{shown(target) or 'what is no name'} is none of the models.")
        return
    taken = {(route["upstream"], route["model"]) for route in model["routes"]}
    after = 1 + max((route["priority"] for route in model["routes"]), default=-1)
    for route in routes:
        if (route["upstream"], route["model"]) not in taken:
            model["routes"].append({**route, "priority": route["priority"] + after})
    made.findings.taken(where, f"falls back to the routes of {shown(target)}.")


def _aliases(made: Made, models: dict[str, dict[str, Any]]) -> None:
    for alias, target in dict_of(dict_of(made.raw.get("router_settings")).get("model_group_alias")).items():
        where = f"router_settings.model_group_alias.{shown(alias)}"
        name = text_of(target.get("model") if isinstance(target, dict) else target)
        model = models.get(name)
        if model is None or str(alias) in models:
            made.findings.left_out(where, f"{shown(name)} is none of the models, or the alias is one.")
            continue
        model.setdefault("aliases", []).append(str(alias))
        made.findings.taken(where, f"alias of {shown(name)}.")


# --- the rest --------------------------------------------------------------------------------------------------------


def _clients(made: Made) -> list[dict[str, Any]]:
    given = dict_of(made.raw.get("general_settings")).get("master_key")
    key, variable = made.resolved(given)
    if variable and not key:
        made.findings.decide("general_settings.master_key", f"the environment variable {shown(variable)} is not set.")
    if not key:
        return []
    made.findings.taken("general_settings.master_key", "key master_key of the client litellm, scope admin.")
    return [{"name": "litellm", "keys": [{"name": "master_key", "value": key, "scope": "admin"}]}]


def _not_taken(made: Made) -> None:
    raw, findings = made.raw, made.findings
    findings.unknown("router_settings", dict_of(raw.get("router_settings")), ROUTER_KNOWN)
    findings.unknown("litellm_settings", dict_of(raw.get("litellm_settings")), LITELLM_KNOWN)
    findings.unknown("general_settings", dict_of(raw.get("general_settings")), GENERAL_KNOWN)
    findings.unknown("", raw, KNOWN)
    strategy = text_of(dict_of(raw.get("router_settings")).get("routing_strategy"))
    if strategy and strategy != "simple-shuffle":
        findings.changed("router_settings.routing_strategy", f"{shown(strategy)}: routes are shared by weight here.")
    if text_of(dict_of(raw.get("general_settings")).get("database_url")):
        findings.decide("general_settings.database_url", "keys, teams and models in LiteLLM's database are not read.")
