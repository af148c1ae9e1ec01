"""From what the earlier gateways' variables say to one declarative `Document`. No database.

Names of upstreams and clients begin with `env-`, so that everybody sees in the console what the environment made, and
nothing of an operator's is meant by accident. Models bear the names that callers ask for.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from accounts import keys
from gateway.environment import bad
from gateway.seeds import Relay, Seeds, Unified
from proxyapp.config.document import (
    ClientKeySpec,
    ClientSpec,
    ModelSpec,
    PricesSpec,
    RouteSpec,
    TimeoutsSpec,
    UpstreamKeySpec,
    UpstreamSpec,
)
from proxyapp.config.dropin.factory import add_factory
from proxyapp.config.dropin.wish import MARK, Wish

UNIFIED, OPENAI, HAIKU, CLIENT = (f"{MARK}{name}" for name in ("unified", "openai", "haiku", "proxy"))
ANY, ANY_HAIKU = "*", "*haiku*"
COHERE = "https://api.cohere.ai/compatibility/v1"
KINDS = {"anthropic": "anthropic", "google": "gemini", "azure_openai": "azure", "coze": "coze"}
"""TYPE -> kind; the others copy OpenAI."""
_AZURE = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")


def wish_for(seeds: Seeds, own_address: str) -> Wish:
    """Raises ImproperlyConfigured where the variables contradict each other."""
    wish = Wish(remarks=list(seeds.remarks))
    relay = _without_own(seeds.relay, own_address, wish) if seeds.relay else None
    if seeds.unified and relay and relay.base_url:
        raise bad("OPENAI_BASE_URL", "and ACTUAL_NAME (or TYPE) both say where every model goes; give one of them")
    if seeds.unified:
        _unified(wish, seeds.unified)
    if relay:
        _relay(wish, relay)
    add_factory(wish, seeds)
    if seeds.proxy_key:
        _client(wish, seeds.proxy_key)
    return wish


# --- the unified proxy -----------------------------------------------------------------------------------------------


def _unified(wish: Wish, said: Unified) -> None:
    """One server, one model; every other name is an alias of it."""
    kind, base_url = _server(said)
    timeouts = TimeoutsSpec()
    if said.timeout:
        timeouts = TimeoutsSpec(
            first_byte=said.timeout, idle=said.timeout, total=max(said.timeout, TimeoutsSpec().total)
        )
    wish.upstreams.append(
        UpstreamSpec(
            name=UNIFIED,
            kind=kind,
            base_url=base_url,
            keys=_keys("API_KEY", said.api_key),
            timeouts=timeouts,
            headers=said.headers or {},
        )
    )
    profile = {name: False for name, can in (("streaming", said.streaming), ("tools", said.tools)) if not can}
    wish.models.append(
        ModelSpec(
            name=said.actual_name,
            aliases=[ANY],
            routes=[RouteSpec(upstream=UNIFIED, model=said.actual_name)],
            max_output_tokens=said.max_tokens,
            prices=_prices(said),
            profile=profile,
            enabled=said.enabled,
        )
    )
    wish.slots["unified"] = said.actual_name
    wish.said |= {UNIFIED: "BASE_URL", said.actual_name: "ACTUAL_NAME"}
    if said.enabled:
        wish.example = ("/v1/chat/completions", said.actual_name)


def _server(said: Unified) -> tuple[str, str | None]:
    """The kind and the address. A server that only copies OpenAI's is treated with more care than OpenAI's own, and
    of Google's own host the version is chosen that has every field."""
    host = urlsplit(said.base_url).hostname or ""
    if said.type == "google" and host == "generativelanguage.googleapis.com":
        return "gemini", None
    if said.type == "openai" and host in ("", "api.openai.com"):
        return "openai", said.base_url or None
    if said.type == "cohere" and not said.base_url:
        return "openai_compatible", COHERE
    return KINDS.get(said.type, "openai_compatible"), said.base_url or None


def _prices(said: Unified) -> PricesSpec | None:
    """Per million tokens, from per thousand."""
    if said.cost_input is None and said.cost_output is None:
        return None
    per_million = [cost if cost is None else round(cost * 1000, 6) for cost in (said.cost_input, said.cost_output)]
    return PricesSpec(input=per_million[0], output=per_million[1])


# --- the Claude-to-OpenAI proxy --------------------------------------------------------------------------------------


def _relay(wish: Wish, said: Relay) -> None:
    """Every name goes to the one server as it was asked for; names with `haiku` to the other, where there is one. What
    the second leaves out is as of the first."""
    if said.base_url:
        wish.upstreams.append(_relayed(OPENAI, said.base_url, _keys("OPENAI_API_KEY", said.api_key)))
        wish.models.append(_passing(wish, ANY, "*"))
        wish.said |= {OPENAI: "OPENAI_BASE_URL", ANY: "OPENAI_BASE_URL"}
        wish.example = wish.example or ("/v1/messages", "gpt-3.5-turbo")
    if not (said.haiku_model or said.haiku_base_url or said.haiku_api_key):
        return
    upstream = OPENAI
    if said.haiku_base_url or said.haiku_api_key:
        upstream = HAIKU
        own = _keys("HAIKU_API_KEY", said.haiku_api_key)
        shown = own or _keys("OPENAI_API_KEY", said.api_key)
        wish.upstreams.append(_relayed(HAIKU, said.haiku_base_url or said.base_url, shown))
        wish.said[HAIKU] = "HAIKU_BASE_URL"
    wish.models.append(_passing(wish, ANY_HAIKU, said.haiku_model or "*", upstream))
    wish.said[ANY_HAIKU] = "HAIKU_MODEL_NAME"


def _relayed(name: str, base_url: str, shown: list[UpstreamKeySpec]) -> UpstreamSpec:
    """Without a key of ours the caller's goes out, as it did there."""
    host = urlsplit(base_url).hostname or ""
    kind = "openai" if host == "api.openai.com" else "azure" if host.endswith(_AZURE) else "openai_compatible"
    return UpstreamSpec(name=name, kind=kind, base_url=base_url, keys=shown, allow_caller_keys=not shown)


def _passing(wish: Wish, name: str, model: str, upstream: str = OPENAI) -> ModelSpec:
    """Schemas are cleaned for servers that only copy OpenAI's, as there: the strict ones among them refuse the rest."""
    kind = next(spec.kind for spec in wish.upstreams if spec.name == upstream)
    profile = {"plain_schemas": True} if kind == "openai_compatible" else {}
    return ModelSpec(name=name, routes=[RouteSpec(upstream=upstream, model=model)], profile=profile)


def _without_own(said: Relay, own_address: str, wish: Wish) -> Relay | None:
    """Nothing, when the address is our own: programs that call this gateway are told so by the very same variable, and
    a gateway that asks itself never ends."""
    if not _same_server(said.base_url, own_address):
        return said
    wish.remarks.append("OPENAI_BASE_URL is this gateway's own address; no upstream is made of it.")
    return None


def _same_server(url: str, own_address: str) -> bool:
    theirs, ours = urlsplit(url), urlsplit(own_address)
    here = {ours.hostname, "localhost", "127.0.0.1", "::1", "0.0.0.0"}  # noqa: S104 - compared with, not bound to
    return theirs.hostname in here and theirs.port == ours.port


# --- clients ---------------------------------------------------------------------------------------------------------


def _client(wish: Wish, key: str) -> None:
    if keys.problem_with(key):
        raise bad(
            "PROXY_API_KEY",
            f"must have at least {keys.IMPORTED_LEAST} characters, printable ASCII without spaces, to be a key that "
            "callers send; choose another here and in your programs",
        )
    spec = ClientKeySpec(name="PROXY_API_KEY", value=key)
    wish.clients.append(ClientSpec(name=CLIENT, note="Made from PROXY_API_KEY.", keys=[spec]))
    wish.said[CLIENT] = "PROXY_API_KEY"


def _keys(variable: str, value: str) -> list[UpstreamKeySpec]:
    return [UpstreamKeySpec(name=variable, value=value)] if value else []
