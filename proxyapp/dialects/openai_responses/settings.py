"""A caller's sampling, limits, output format, reasoning and identity as IR."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.openai.fields import flag, listing, needed_text, number, record, text, whole, wrong
from proxyapp.ir.request import Format, ReasoningSettings, Request

_FORMATS = ("text", "json_object", "json_schema")
_LOGPROBS = "message.output_text.logprobs"


def read_settings(body: dict[str, Any], request: Request) -> None:
    """Fills all scalar settings of the request. Raises BadRequest naming the field."""
    request.temperature = number(body, "temperature")
    request.top_p = number(body, "top_p")
    request.max_output = whole(body, "max_output_tokens", least=1)
    request.parallel_tools = flag(body, "parallel_tool_calls")
    _read_logprobs(body, request)
    _read_identity(body, request)
    _read_text(record(body, "text"), request, "text")
    _read_reasoning(record(body, "reasoning"), request)
    for name in ("max_tool_calls", "truncation"):
        value = body.get(name)
        if value not in (None, "disabled"):
            request.extras[name] = value


def _read_logprobs(body: dict[str, Any], request: Request) -> None:
    """`top_logprobs` says how many; `include` says that they are wanted at all."""
    wanted = listing(body, "include") or []
    if not all(isinstance(item, str) for item in wanted):
        raise wrong("include", "a list of strings")
    count = whole(body, "top_logprobs", least=0)
    if _LOGPROBS in wanted or count:
        request.logprobs, request.top_logprobs = True, count


def _read_identity(body: dict[str, Any], request: Request) -> None:
    request.end_user = text(body, "safety_identifier") or text(body, "user")
    request.cache_key = text(body, "prompt_cache_key")
    request.metadata = {key: str(value) for key, value in (record(body, "metadata") or {}).items()}
    request.service_tier = text(body, "service_tier")
    flag(body, "store")  # kept here or not at all: `request.store` stays unsaid, so that no third party stores (2.7)


def _read_text(spec: dict[str, Any] | None, request: Request, at: str) -> None:
    if not spec:
        return
    request.verbosity = text(spec, "verbosity", at) or request.verbosity
    form = record(spec, "format", at)
    if form:
        request.format = _format(form, f"{at}.format")


def _format(spec: dict[str, Any], at: str) -> Format:
    kind = needed_text(spec, "type", at)
    if kind == "json_schema":
        return Format(
            kind="json_schema",
            schema=record(spec, "schema", at) or {},
            name=text(spec, "name", at),
            description=text(spec, "description", at),
            strict=flag(spec, "strict", at),
        )
    if kind == "json_object":
        return Format(kind="json_object")
    if kind == "text":
        return Format(kind="text")
    raise wrong(f"{at}.type", f"one of {', '.join(_FORMATS)}")


def _read_reasoning(spec: dict[str, Any] | None, request: Request) -> None:
    if not spec:
        return
    effort = text(spec, "effort", "reasoning")
    summary = text(spec, "summary", "reasoning") or text(spec, "generate_summary", "reasoning")
    show = True if summary else None
    if effort == "none":
        request.reasoning = ReasoningSettings(mode="off", effort="none", show=show)
    elif effort:
        request.reasoning = ReasoningSettings(mode="effort", effort=effort, show=show)
    if text(spec, "mode", "reasoning") not in (None, "standard"):
        request.extras["reasoning.mode"] = spec["mode"]


def read_update(item: dict[str, Any], request: Request, path: str) -> None:
    """A `configuration_update` item: replaces the effort, the format, or both, for what comes after it."""
    effort = text(record(item, "reasoning", path) or {}, "effort", f"{path}.reasoning")
    if effort:
        old = request.reasoning
        mode = "off" if effort == "none" else "effort"
        request.reasoning = ReasoningSettings(mode=mode, effort=effort, show=old.show if old else None)  # type: ignore[arg-type]
    _read_text(record(item, "text", path), request, f"{path}.text")
