"""Deployments of LiteLLM as upstreams: those that share address, key and all settings become one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from proxyapp.config.importing.findings import Findings, Names, dict_of, host_of, shown, text_of, whole_number
from proxyapp.config.importing.tables import CHAT, Server

REFERENCE = "os.environ/"


class Route(Struct):
    upstream: str
    model: str
    order: int | None
    weights: dict[str, float]
    """By what it is weighed: `weight`, `rpm`, `tpm`."""


class Group(Struct):
    """The deployments of one name."""

    entry: dict[str, Any]
    routes: list[Route] = field(default_factory=list)


class Made(Struct):
    """The document while it grows."""

    raw: dict[str, Any]
    environ: Mapping[str, str]
    findings: Findings = field(default_factory=Findings)
    names: Names = field(default_factory=Names)
    upstreams: dict[Any, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)

    def setting(self, *sections: str, name: str) -> Any:
        """The first of the sections that has it."""
        values = (dict_of(self.raw.get(section)).get(name) for section in sections)
        return next((value for value in values if value is not None), None)

    def resolved(self, value: Any) -> tuple[str, str]:
        """(the text, the variable that it comes from or "")."""
        text = text_of(value)
        if not text.startswith(REFERENCE):
            return text, ""
        name = text.removeprefix(REFERENCE)
        return self.variable(name), name

    def variable(self, name: str) -> str:
        """The file's own `environment_variables` win there."""
        return text_of(dict_of(self.raw.get("environment_variables")).get(name)) or self.environ.get(name, "")


def upstream_of(
    made: Made, where: str, provider: str, server: Server, params: dict[str, Any], api: str
) -> dict[str, Any] | None:
    """The upstream of a deployment; None when it cannot be one, which is told."""
    place = _place(made, where, server, params)
    if place is None:
        return None
    kind, base_url = place
    key, ident, name = _key(made, server, params)
    rest = _rest(made, params, kind, api)
    identity = (kind, base_url, ident, repr(sorted(rest.items())))
    if identity in made.upstreams:
        return made.upstreams[identity]
    wanted = provider if base_url == server.base_url else _named(kind, base_url)
    upstream: dict[str, Any] = {"name": made.names.make(wanted, kind), "kind": kind, **rest}
    if base_url:
        upstream["base_url"] = base_url
    if key:
        upstream["keys"] = [{"name": name, "value": key}]
    elif name:
        sentence = f"{upstream['name']} is made without its key: the environment variable {shown(name)} is not set. "
        made.findings.decide(where, f"{sentence}Set it and import again, or enter the key.")
    made.upstreams[identity] = upstream
    return upstream


def _place(made: Made, where: str, server: Server, params: dict[str, Any]) -> tuple[str, str] | None:
    """(our kind, base URL or "" for the kind's own); None where it has no address, which is told."""
    given = _given_address(params)
    base_url, variable = made.resolved(given) if given else (made.variable(server.base) if server.base else "", "")
    if variable and not base_url:
        made.findings.left_out(where, f"the environment variable {shown(variable)} is not set, and holds its address.")
        return None
    kind = _kind(server, base_url)
    base_url = base_url or server.base_url
    if not base_url and kind in ("azure", CHAT):
        made.findings.left_out(where, "has no api_base.")
        return None
    return kind, base_url


def _given_address(params: dict[str, Any]) -> Any:
    return params.get("api_base", params.get("base_url"))


def _kind(server: Server, base_url: str) -> str:
    """OpenAI's own kind is for its own servers; Foundry's other hosts are plain Chat servers."""
    host = host_of(base_url)
    if server.kind == "openai" and base_url and not f".{host}".endswith(".openai.com"):
        return CHAT
    if server.kind == "azure" and ".models.ai.azure.com" in host:
        return CHAT
    return server.kind


def _named(kind: str, base_url: str) -> str:
    host = host_of(base_url)
    return f"azure-{host.split('.')[0]}" if kind == "azure" else host


def _key(made: Made, server: Server, params: dict[str, Any]) -> tuple[str, Any, str]:
    """(the key or "", what tells it from others, its name: the variable's, or `main`, or "" when none is known).
    OpenAI's own key is not carried to another server unless the file says so."""
    value, variable = made.resolved(params.get("api_key"))
    given, _ = made.resolved(_given_address(params))
    elsewhere = server.kind == "openai" and _kind(server, given) == CHAT
    if not value and not variable and server.key and not elsewhere:
        value, variable = made.variable(server.key), server.key
        if not value and server.keyless:
            return "", None, ""
    if variable:
        return value, ("variable", variable), variable
    return value, ("value", value), "main" if value else ""


def _rest(made: Made, params: dict[str, Any], kind: str, api: str) -> dict[str, Any]:
    """The further fields of an upstream."""
    found: dict[str, Any] = {}
    version, _ = made.resolved(params.get("api_version"))
    if kind == "azure" and (version or made.variable("AZURE_API_VERSION")):
        found["api_version"] = version or made.variable("AZURE_API_VERSION")
    if api:
        found["api"] = api
    headers = {str(name): made.resolved(value)[0] for name, value in dict_of(params.get("extra_headers")).items()}
    if organization := made.resolved(params.get("organization"))[0]:
        headers["OpenAI-Organization"] = organization
    if headers:
        found["headers"] = headers
    retries = made.setting("router_settings", "litellm_settings", name="num_retries")
    retries = whole_number(params.get("max_retries", params.get("num_retries", retries)))
    if retries is not None and 0 <= retries <= 100:
        found["retries"] = retries
    default = dict_of(made.raw.get("litellm_settings")).get("request_timeout")
    default = dict_of(made.raw.get("router_settings")).get("timeout", default)
    timeouts = {"total": _seconds(params.get("timeout", default)), "first_byte": _seconds(params.get("stream_timeout"))}
    if timeouts := {name: seconds for name, seconds in timeouts.items() if seconds}:
        found["timeouts"] = timeouts
    return found


def _seconds(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0.1 <= value <= 604_800 else None
