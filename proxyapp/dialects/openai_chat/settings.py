"""A caller's settings: sampling, limits, output format, reasoning, identity."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.openai.fields import flag, listing, needed_text, number, record, text, whole, wrong
from proxyapp.dialects.openai_chat.content import cache_point
from proxyapp.ir.request import Format, ReasoningSettings, Request

_FORMATS = ("text", "json_object", "json_schema")
_SWITCH = {"enabled": "adaptive", "adaptive": "adaptive", "auto": "adaptive", "disabled": "off"}


def read_settings(body: dict[str, Any], request: Request) -> None:
    """Fills all scalar settings of the request. Raises BadRequest naming the field."""
    _read_sampling(body, request)
    _read_limits(body, request)
    _read_identity(body, request)
    request.format = read_format(body)
    request.reasoning = read_reasoning(body)


def _read_sampling(body: dict[str, Any], request: Request) -> None:
    request.temperature = number(body, "temperature")
    request.top_p = number(body, "top_p")
    request.top_k = whole(body, "top_k")
    request.seed = whole(body, "seed")
    request.frequency_penalty = number(body, "frequency_penalty")
    request.presence_penalty = number(body, "presence_penalty")
    if bias := record(body, "logit_bias"):
        request.logit_bias = {token: number(bias, token, "logit_bias") or 0 for token in bias}
    request.logprobs = flag(body, "logprobs")
    request.top_logprobs = whole(body, "top_logprobs", least=0)
    request.n = whole(body, "n", least=1) or 1


def _read_limits(body: dict[str, Any], request: Request) -> None:
    older, newer = whole(body, "max_tokens", least=1), whole(body, "max_completion_tokens", least=1)
    request.max_output = older if newer is None else newer
    stop = body.get("stop")
    if isinstance(stop, str):
        request.stop = [stop]
        return
    request.stop = listing(body, "stop") or []
    if not all(isinstance(item, str) for item in request.stop):
        raise wrong("stop", "a string or a list of strings")


def _read_identity(body: dict[str, Any], request: Request) -> None:
    options = record(body, "stream_options") or {}
    request.include_usage = bool(flag(options, "include_usage", "stream_options"))
    request.end_user = text(body, "safety_identifier") or text(body, "user")
    request.cache_key = text(body, "prompt_cache_key")
    request.cache_auto = cache_point({"cache_control": body.get("cache_control")}, "")
    request.metadata = {key: str(value) for key, value in (record(body, "metadata") or {}).items()}
    request.service_tier = text(body, "service_tier")
    request.store = flag(body, "store")
    request.verbosity = text(body, "verbosity")


def read_format(body: dict[str, Any]) -> Format | None:
    """`response_format` in words of the IR. Raises BadRequest."""
    spec = record(body, "response_format")
    if not spec:
        return None
    kind = needed_text(spec, "type", "response_format")
    if kind == "json_schema":
        return _json_schema(record(spec, "json_schema", "response_format") or {})
    if kind == "json_object":
        return Format(kind="json_object")
    if kind == "text":
        return Format(kind="text")
    raise wrong("response_format.type", f"one of {', '.join(_FORMATS)}")


def _json_schema(spec: dict[str, Any]) -> Format:
    at = "response_format.json_schema"
    return Format(
        kind="json_schema",
        schema=record(spec, "schema", at) or {},
        name=text(spec, "name", at),
        description=text(spec, "description", at),
        strict=flag(spec, "strict", at),
    )


def read_reasoning(body: dict[str, Any]) -> ReasoningSettings | None:
    """OpenAI's `reasoning_effort`, with the extensions `thinking` (DeepSeek, gateways) and `reasoning` (OpenRouter)."""
    thinking, spec = record(body, "thinking") or {}, record(body, "reasoning") or {}
    effort = text(body, "reasoning_effort") or text(spec, "effort", "reasoning")
    budget = whole(thinking, "budget_tokens", "thinking")
    if budget is None:
        budget = whole(spec, "max_tokens", "reasoning")
    switch = _SWITCH.get(text(thinking, "type", "thinking") or "")
    enabled = flag(spec, "enabled", "reasoning")
    show = False if flag(spec, "exclude", "reasoning") else None
    if effort == "none" or switch == "off" or enabled is False or budget == 0:
        return ReasoningSettings(mode="off", effort="none" if effort == "none" else None, show=show)
    if budget is not None:
        return ReasoningSettings(mode="budget", effort=effort, budget=budget, show=show)
    if switch == "adaptive" or (enabled and not effort):
        return ReasoningSettings(mode="adaptive", effort=effort, show=show)
    if effort:
        return ReasoningSettings(mode="effort", effort=effort, show=show)
    return None
