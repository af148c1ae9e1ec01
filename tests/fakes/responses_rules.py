"""What OpenAI Responses refuses, as far as the suite plays it: reference/translation.md 2.3 (Target R), 2.4-2.7, 6, 7.

`read` checks a body whose earlier items (of `previous_response_id`) are already before its own. Wordings follow the
real ones where clients match on them; parameters and items: tests/fixtures/spec, the SDK's types, Codex's recordings.
"""

from __future__ import annotations

from typing import Any

from tests.fakes.mind import Ask
from tests.fakes.responses_items import Json, Proofs, items
from tests.fakes.responses_tools import NAME, choice, strict, toolset
from tests.fakes.strict import Refused, listing, only, require, text
from tests.fakes.upstream import Seen

THINKERS = ("gpt-5.2", "gpt-6.1-sol", "o4-mini")
PLAIN = ("gpt-4o", "gpt-4.1")
_TOP = {
    "model", "input", "instructions", "max_output_tokens", "max_tool_calls", "reasoning", "text", "tools",
    "tool_choice", "parallel_tool_calls", "temperature", "top_p", "top_logprobs", "store", "previous_response_id",
    "include", "stream", "stream_options", "truncation", "metadata", "service_tier", "safety_identifier", "user",
    "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "client_metadata", "context_management",
    "background",
}  # fmt: skip
"""`client_metadata` is in no specification; Codex sends it to the service."""
_INCLUDE = {
    "file_search_call.results", "web_search_call.results", "web_search_call.action.sources",
    "message.input_image.image_url", "computer_call_output.output.image_url", "code_interpreter_call.outputs",
    "reasoning.encrypted_content", "message.output_text.logprobs",
}  # fmt: skip
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def refuse(condition: object, message: str, param: str, code: str | None = None) -> None:
    if not condition:
        raise Refused(message, param=param, code=code)


def known(value: Any, allowed: set[str], path: str) -> Json:
    require(isinstance(value, dict), f"Invalid type for '{path}': expected an object.")
    for key in value:
        name = f"{path}.{key}".removeprefix(".")
        refuse(key in allowed, f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    return value


def read(seen: Seen, body: Json, held: list[Json], proofs: Proofs, organisation: str) -> Ask:
    """Raises Refused. `held`: items of the responses before this one."""
    known(body, _TOP, "")
    model = text(body.get("model"), "model")
    if model not in THINKERS + PLAIN:
        raise Refused(f"The requested model '{model}' does not exist.", param="model", code="model_not_found")
    ask = Ask(model=model, headers=seen.headers, body=body)
    ask.system = body.get("instructions") or ""
    given = body.get("input")
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    all_items = [*held, *listing(given, "input")]
    items(all_items, ask, proofs, organisation, stores=body.get("store") is not False)
    offered = [tool for item in all_items if item.get("type") == "additional_tools" for tool in item["tools"]]
    toolset([*(body.get("tools") or []), *offered], ask)
    choice(body, ask)
    _reasoning(body, ask)
    _format(body, ask)
    _settings(body, ask)
    return ask


def _reasoning(body: Json, ask: Ask) -> None:
    thinks = ask.model in THINKERS
    reasoning = known(body.get("reasoning") or {}, {"effort", "summary", "context", "mode"}, "reasoning")
    effort = reasoning.get("effort")
    refuse(effort in (None, *_EFFORTS), f"Invalid value: '{effort}'.", "reasoning.effort", "invalid_value")
    summary = reasoning.get("summary")
    refuse(summary in (None, "auto", "concise", "detailed"), f"Invalid value: '{summary}'.", "reasoning.summary")
    refuse(
        reasoning.get("context") in (None, "auto", "current_turn", "all_turns"), "Invalid value.", "reasoning.context"
    )
    refuse(thinks or effort is None, _unsupported("reasoning.effort"), "reasoning.effort", "unsupported_parameter")
    ask.thinks = thinks and effort != "none"
    for name in ("temperature", "top_p"):
        refuse(not ask.thinks or body.get(name) is None, _unsupported(name), name, "unsupported_parameter")


def _unsupported(name: str) -> str:
    return f"Unsupported parameter: '{name}' is not supported with this model."


def _format(body: Json, ask: Ask) -> None:
    words = known(body.get("text") or {}, {"format", "verbosity"}, "text")
    require(words.get("verbosity") in (None, "low", "medium", "high"), "Invalid value: 'text.verbosity'.")
    shape = words.get("format") or {"type": "text"}
    kind = shape.get("type")
    if kind == "json_schema":
        known(shape, {"type", "name", "schema", "strict", "description"}, "text.format")
        refuse(NAME.fullmatch(shape.get("name") or ""), "Missing or invalid 'text.format.name'.", "text.format.name")
        refuse(isinstance(shape.get("schema"), dict), "Missing 'text.format.schema'.", "text.format.schema")
        if shape.get("strict"):
            strict(shape["schema"], shape["name"], "text.format.schema")
    else:
        known(shape, {"type"}, "text.format")
        refuse(kind in ("text", "json_object"), f"Invalid value: '{kind}'.", "text.format.type")
    if kind == "json_object":
        mentioned = "json" in str(body.get("input")).lower() + str(ask.system).lower()
        refuse(mentioned, "Response input messages must contain the word 'json' in some form.", "input")
    ask.has_format = kind != "text"


def _settings(body: Json, ask: Ask) -> None:
    limit = body.get("max_output_tokens")
    what = f"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got {limit} instead."
    refuse(limit is None or (isinstance(limit, int) and limit >= 16), what, "max_output_tokens")
    for name in ("stream", "store", "parallel_tool_calls", "background"):
        require(body.get(name) in (None, True, False), f"Invalid type for '{name}': expected a boolean.")
    refuse(not body.get("background"), "background: not in this suite", "background")
    refuse(0 <= (body.get("temperature") or 0) <= 2, "temperature: out of range", "temperature")
    refuse(0 <= (body.get("top_logprobs") or 0) <= 20, "top_logprobs: out of range", "top_logprobs")
    options = body.get("stream_options")
    refuse(options is None or body.get("stream"), "The 'stream_options' parameter needs 'stream'.", "stream_options")
    only(options or {}, {"include_obfuscation"}, "stream_options")
    for word in body.get("include") or []:
        refuse(word in _INCLUDE, f"Invalid value: '{word}'.", "include", "invalid_value")
    metadata = body.get("metadata") or {}
    short = all(isinstance(v, str) and len(v) <= 512 and len(k) <= 64 for k, v in metadata.items())
    refuse(len(metadata) <= 16 and short, "Invalid 'metadata'.", "metadata")
    refuse(len(body.get("safety_identifier") or "") <= 64, "string too long", "safety_identifier")
    refuse(len(body.get("prompt_cache_key") or "") <= 64, "string too long", "prompt_cache_key")
    require(body.get("truncation") in (None, "auto", "disabled"), "Invalid value: 'truncation'.")
    ask.parallel = body.get("parallel_tool_calls") is not False
