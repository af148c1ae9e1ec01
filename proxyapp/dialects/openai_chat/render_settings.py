"""Sampling, limits, output format, reasoning and identity as an upstream's Chat request.

Rules: reference/translation.md 2.4, 2.6, 2.7 and 6.2.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.openai_chat.schemas import satisfies_strict
from proxyapp.dialects.openai_chat.tables import (
    EFFORT_OF_BUDGET,
    EFFORTS,
    NAME,
    REFUSED_EXTRAS,
    SILENT_EXTRAS,
    TIER_OF,
    TIERS,
)
from proxyapp.errors import Unsupported
from proxyapp.ir.request import Format, ReasoningSettings, Request

Fields = dict[str, Any]

_COPIED = ("seed", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs")
_ILLEGAL_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_END_USER_LIMIT = 64


def render_settings(request: Request, side: UpstreamSide) -> Fields:
    """All scalar settings but the output format. Raises Unsupported."""
    return {
        **_limits(request, side),
        **_sampling(request, side),
        **_reasoning(request, side),
        **_identity(request, side),
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


def _reasoning(request: Request, side: UpstreamSide) -> Fields:
    wanted = request.reasoning
    if wanted is None:
        return {}
    path = request.word("reasoning")
    if not side.profile.reasoning_effort:
        if wanted.mode != "off":
            side.drop(path, "The model takes no reasoning settings.")
        return {}
    if wanted.mode == "between_tools":
        side.drop(path, "Chat cannot say when to think.")
    word = _effort_word(wanted)
    if word is None:
        return {}
    fitted = fit_effort(word, side.profile.efforts)
    if fitted != word and (word, fitted) != ("minimal", "low"):
        side.drop(path, f"Effort '{word}' was sent as '{fitted}', the nearest the model takes.", dropped=False)
    return {"reasoning_effort": fitted}


def _effort_word(wanted: ReasoningSettings) -> str | None:
    """None = leave it to the model."""
    if wanted.mode == "off":
        return "none"
    if wanted.effort is not None or wanted.mode != "budget" or wanted.budget is None:
        return wanted.effort
    return next((word for most, word in EFFORT_OF_BUDGET if wanted.budget <= most), "xhigh")


def fit_effort(word: str, taken: tuple[str, ...]) -> str:
    """The same word where the model takes it, else the next lower one, else its lowest; unknown words as they are."""
    if word in taken or word not in EFFORTS or not taken:
        return word
    place = EFFORTS.index(word)
    known = sorted((EFFORTS.index(each), each) for each in taken if each in EFFORTS)
    lower = [each for index, each in known if index < place]
    return lower[-1] if lower else known[0][1] if known else word


def _identity(request: Request, side: UpstreamSide) -> Fields:
    user = request.end_user
    if not user:
        return {}
    foreign = request.client_dialect != NAME
    if len(user) > _END_USER_LIMIT or (foreign and (user.startswith("{") or "@" in user)):
        user = hashlib.sha256(user.encode()).hexdigest()  # cutting could join two users; JSON and mail are personal
    return {"safety_identifier" if side.profile.safety_identifier else "user": user}


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
        return {"response_format": {"type": "json_schema", "json_schema": _json_schema(request, wanted, side)}}, []
    if wanted.kind == "text":
        return {"response_format": {"type": "text"}} if request.client_dialect == NAME else {}, []
    lines = []
    if wanted.kind == "json_schema" or not profile.json_object:
        lines.append("Answer with one JSON object and nothing else.")
        side.drop(path, "The model is asked for JSON in words: it cannot be held to it.", dropped=False)
    if wanted.kind == "json_schema":
        lines.append(f"It must match this JSON Schema:\n{jsonio.text(wanted.schema or {})}")
    return ({"response_format": {"type": "json_object"}} if profile.json_object else {}), lines


def _json_schema(request: Request, wanted: Format, side: UpstreamSide) -> Fields:
    """Never tightened: optional properties stay optional, at the price of strict (2.6, rule 3)."""
    schema = wanted.schema or {}
    spec: Fields = {"name": _ILLEGAL_NAME.sub("_", wanted.name or "response")[:64] or "response"}
    if wanted.description is not None:
        spec["description"] = wanted.description
    spec["schema"] = schema
    if wanted.strict is not None:
        spec["strict"] = wanted.strict
    elif wanted.always_held:
        spec["strict"] = satisfies_strict(schema)
        if not spec["strict"]:
            side.drop(
                request.word("format"),
                "Sent as not strict: the schema does not keep OpenAI's rules for strict.",
                dropped=False,
            )
    return spec


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
