"""Sampling, limits, output format, reasoning and identity as an upstream's Chat request.

Rules: reference/translation.md 2.4, 2.6, 2.7 and 6.2.
"""

from __future__ import annotations

from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.openai.settings import end_user, schema_spec
from proxyapp.dialects.openai.tables import TIER_OF, TIERS
from proxyapp.dialects.openai_chat.reasoning import render_reasoning
from proxyapp.dialects.openai_chat.tables import NAME, REFUSED_EXTRAS, SILENT_EXTRAS
from proxyapp.errors import Unsupported
from proxyapp.ir.request import Request

Fields = dict[str, Any]

_COPIED = ("seed", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs")


def render_settings(request: Request, side: UpstreamSide) -> Fields:
    """All scalar settings but the output format. Raises Unsupported."""
    return {
        **_limits(request, side),
        **_sampling(request, side),
        **render_reasoning(request, side),
        **end_user(request, side, own=request.client_dialect == NAME),
        **_openai_only(request, side),
    }


def _limits(request: Request, side: UpstreamSide) -> Fields:
    fields: Fields = {}
    profile, limit = side.profile, request.max_output
    if 0 in (limit, request.extras.get("max_tokens")):
        raise Unsupported(
            "An output limit of 0 only warms a cache; this upstream cannot do so.", param=request.word("max_tokens")
        )
    if limit is not None:
        if profile.max_output is not None and limit > profile.max_output:
            limit = profile.max_output
            side.drop(request.word("max_tokens"), f"Lowered to {limit}, the most the model can make.", dropped=False)
        fields[profile.max_tokens_field] = limit
    if request.stop:
        kept = request.stop if profile.stop_max is None else request.stop[: profile.stop_max]
        if len(kept) < len(request.stop):
            side.drop(request.word("stop"), f"Only the first {profile.stop_max} were kept.", dropped=False)
        fields["stop"] = kept
    return fields


def _sampling(request: Request, side: UpstreamSide) -> Fields:
    fields: Fields = {}
    profile = side.profile
    for name in ("temperature", "top_p", "top_k"):
        value = getattr(request, name)
        if value is None:
            continue
        if not profile.sampling:
            side.drop(request.word(name), "The model refuses sampling settings.")
        elif name == "top_k" and not profile.top_k:
            side.drop(request.word(name), "Chat has no such setting.")
        elif name == "top_p" and request.temperature is not None and not profile.temperature_and_top_p:
            side.drop(request.word(name), "The model takes temperature or top_p, not both.")
        else:
            fields[name] = value
    fields |= {name: value for name in _COPIED if (value := getattr(request, name)) is not None}
    if request.n > 1:
        fields["n"] = request.n
    return fields


def _openai_only(request: Request, side: UpstreamSide) -> Fields:
    """What only OpenAI's own hosts take. Elsewhere: silently dropped where the answer cannot change."""
    if not side.profile.metadata:
        if request.verbosity is not None:
            side.drop(request.word("verbosity"), "The upstream has no such setting.")
        if request.store:
            side.drop("store", "The upstream is not asked to store anything.")
        if request.service_tier not in (None, "auto", "default", "standard_only", "standard"):
            side.drop("service_tier", "The upstream has no service tiers.")
        return {}
    fields: Fields = {"metadata": request.metadata} if request.metadata else {}
    tier = TIER_OF.get(request.service_tier or "", request.service_tier)
    if tier in TIERS or request.client_dialect == NAME:
        fields["service_tier"] = tier
    elif tier is not None:
        side.refuse("service_tier", f"The upstream has no service tier '{tier}'.")
    fields |= {
        "store": request.store,
        "verbosity": request.verbosity,
        "prompt_cache_key": request.cache_key,
    }
    return {name: value for name, value in fields.items() if value is not None}


def render_format(request: Request, side: UpstreamSide) -> tuple[Fields, list[str]]:
    """`response_format`, and lines of instruction for a model that cannot be held to it."""
    wanted = request.format
    if wanted is None:
        return {}, []
    profile = side.profile
    path = request.word("format")
    if wanted.kind == "json_schema" and profile.structured_output:
        return {"response_format": {"type": "json_schema", "json_schema": schema_spec(request, wanted, side)}}, []
    if wanted.kind == "text":
        return {"response_format": {"type": "text"}} if request.client_dialect == NAME else {}, []
    lines = []
    if wanted.kind == "json_schema" or not profile.json_object:
        lines.append("Answer with one JSON object and nothing else.")
        side.drop(path, "The model is asked for JSON in words: it cannot be held to it.", dropped=False)
    if wanted.kind == "json_schema":
        lines.append(f"It must match this JSON Schema:\n{jsonio.text(wanted.schema or {})}")
    return ({"response_format": {"type": "json_object"}} if profile.json_object else {}), lines


def render_extras(request: Request, side: UpstreamSide, body: Fields) -> Fields:
    """Fields nobody here knows: back to their own dialect, elsewhere a loss. Raises Unsupported."""
    if request.client_dialect == NAME:
        return {name: value for name, value in request.extras.items() if name not in body}
    for name in request.extras:
        if name in REFUSED_EXTRAS:
            side.refuse(name, f"This upstream has no counterpart of '{name}'.")
        elif name not in SILENT_EXTRAS:
            side.drop(name, "The upstream's dialect has no such field.")
    return {}
