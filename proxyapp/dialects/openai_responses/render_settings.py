"""Sampling, limits, output format, reasoning and identity as an upstream's Responses request.

Rules: reference/translation.md 2.4, 2.6, 2.7 and 6.2.
"""

from __future__ import annotations

from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.openai.settings import effort, end_user, schema_spec
from proxyapp.dialects.openai.tables import TIER_OF, TIERS
from proxyapp.dialects.openai_responses.tables import LEAST_OUTPUT, NAME, REFUSED_EXTRAS, SILENT_EXTRAS
from proxyapp.errors import Unsupported
from proxyapp.ir.request import Request

Fields = dict[str, Any]

_ABSENT = ("top_k", "seed", "frequency_penalty", "presence_penalty")
_BAN = -100


def render_settings(request: Request, side: UpstreamSide) -> Fields:
    """All scalar settings but the output format. Raises Unsupported."""
    _refuse_absent(request, side)
    return {
        **_limits(request, side),
        **_sampling(request, side),
        **render_reasoning(request, side),
        **_include(request, side),
        **end_user(request, side, own=request.client_dialect == NAME),
        **_openai_only(request, side),
    }


def _refuse_absent(request: Request, side: UpstreamSide) -> None:
    """Settings that this dialect has not and whose loss would change the answer."""
    if request.n > 1:
        raise Unsupported("This upstream gives one answer a request.", param=request.word("n"))
    if request.stop:
        side.refuse(request.word("stop"), "This upstream takes no stop sequences.")
    bias = request.logit_bias or {}
    if any(value <= _BAN for value in bias.values()):
        side.refuse("logit_bias", "This upstream cannot ban tokens.")
    elif bias:
        side.drop("logit_bias", "This upstream has no such setting.")


def _limits(request: Request, side: UpstreamSide) -> Fields:
    path, limit, most = request.word("max_tokens"), request.max_output, side.profile.max_output
    if 0 in (limit, request.extras.get("max_tokens")):
        raise Unsupported("An output limit of 0 only warms a cache; this upstream cannot do so.", param=path)
    if limit is None:
        return {}
    if most is not None and limit > most:
        limit = most
        side.drop(path, f"Lowered to {limit}, the most the model can make.", dropped=False)
    if limit < LEAST_OUTPUT:
        limit = LEAST_OUTPUT
        side.drop(path, f"Raised to {limit}, the least this upstream takes.", dropped=False)
    return {"max_output_tokens": limit}


def _sampling(request: Request, side: UpstreamSide) -> Fields:
    fields: Fields = {}
    for name in ("temperature", "top_p"):
        value = getattr(request, name)
        if value is None:
            continue
        if not side.profile.sampling:
            side.drop(request.word(name), "The model refuses sampling settings.")
        elif name == "top_p" and "temperature" in fields and not side.profile.temperature_and_top_p:
            side.drop(request.word(name), "The model takes temperature or top_p, not both.")
        else:
            fields[name] = value
    for name in _ABSENT:
        if getattr(request, name) is not None:
            side.drop(request.word(name), "This upstream has no such setting.")
    return fields


def render_reasoning(request: Request, side: UpstreamSide) -> Fields:
    """Effort, and a summary where the caller wants to see thinking: none is given unasked (6.2, more rules 2). The
    operator's levels ask for one as well (reference/upstreams.md 1.6)."""
    wanted, word = request.reasoning, effort(request, side)
    if wanted is None or not side.profile.reasoning_effort:
        return {}
    spec: Fields = {} if word is None else {"effort": word}
    asks = wanted.mode in ("adaptive", "budget", "between_tools") or wanted.by_operator
    shows = wanted.show or (wanted.show is None and asks)
    if shows and wanted.mode != "off" and side.profile.summaries:
        spec["summary"] = "auto"
    elif wanted.show and wanted.mode != "off":
        side.drop(request.word("reasoning"), "This upstream gives no summaries of reasoning.", dropped=False)
    return {"reasoning": spec} if spec else {}


def _include(request: Request, side: UpstreamSide) -> Fields:
    """Models that do not reason refuse to be asked for proofs."""
    wanted = ["reasoning.encrypted_content"] if side.profile.reasoning_effort else []
    if request.logprobs:
        wanted.append("message.output_text.logprobs")
    fields: Fields = {"include": wanted} if wanted else {}
    if request.logprobs and request.top_logprobs is not None:
        fields["top_logprobs"] = request.top_logprobs
    return fields


def _openai_only(request: Request, side: UpstreamSide) -> Fields:
    """What only OpenAI's own hosts take. Elsewhere: silently dropped where the answer cannot change."""
    if request.store:
        side.drop("store", "The upstream is not asked to store anything.")
    if not side.profile.metadata:
        if request.service_tier not in (None, "auto", "default", "standard_only", "standard"):
            side.drop("service_tier", "The upstream has no service tiers.")
        return {}
    fields: Fields = {"metadata": request.metadata} if request.metadata else {}
    tier = TIER_OF.get(request.service_tier or "", request.service_tier)
    if tier is None and side.profile.fast:
        tier = "priority"
    if tier in TIERS or (tier is not None and request.client_dialect == NAME):
        fields["service_tier"] = tier
    elif tier is not None:
        side.refuse("service_tier", f"The upstream has no service tier '{tier}'.")
    if request.cache_key is not None:
        fields["prompt_cache_key"] = request.cache_key
    return fields


def render_format(request: Request, side: UpstreamSide) -> tuple[Fields, list[str]]:
    """`text`, and lines of instruction for a model that cannot be held to its format."""
    spec: Fields = {}
    form, lines = _format(request, side)
    if form is not None:
        spec["format"] = form
    if request.verbosity is not None and side.profile.metadata:
        spec["verbosity"] = request.verbosity
    elif request.verbosity is not None:
        side.drop(request.word("verbosity"), "The upstream has no such setting.")
    return {"text": spec} if spec else {}, lines


def _format(request: Request, side: UpstreamSide) -> tuple[Fields | None, list[str]]:
    wanted, profile = request.format, side.profile
    if wanted is None:
        return None, []
    if wanted.kind == "text":
        return {"type": "text"} if request.client_dialect == NAME else None, []
    if wanted.kind == "json_schema" and profile.structured_output:
        return {"type": "json_schema", **schema_spec(request, wanted, side)}, []
    lines = []
    if wanted.kind == "json_schema" or not profile.json_object:
        lines.append("Answer with one JSON object and nothing else.")
        side.drop(
            request.word("format"), "The model is asked for JSON in words: it cannot be held to it.", dropped=False
        )
    if wanted.kind == "json_schema":
        lines.append(f"It must match this JSON Schema:\n{jsonio.text(wanted.schema or {})}")
    return {"type": "json_object"} if profile.json_object else None, lines


def render_extras(request: Request, side: UpstreamSide, body: Fields) -> Fields:
    """Fields nobody here knows: back to their own dialect, elsewhere a loss. Raises Unsupported."""
    if request.client_dialect == NAME:
        return {name: value for name, value in request.extras.items() if name not in body and "." not in name}
    for name in request.extras:
        if name in REFUSED_EXTRAS:
            side.refuse(name, f"This upstream has no counterpart of '{name}'.")
        elif name not in SILENT_EXTRAS:
            side.drop(name, "The upstream's dialect has no such field.")
    return {}
