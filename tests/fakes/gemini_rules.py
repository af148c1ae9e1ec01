"""What Gemini's generateContent refuses, as far as the suite plays it: reference/translation.md 2.3 (Target G), 2.4-2.6
and 6; reference/upstreams.md 5.4; tests/fixtures/spec.

`read` checks a body and returns what is asked. Wordings follow the real ones where clients match on them.
"""

from __future__ import annotations

from typing import Any

from tests.fakes.gemini_contents import Json, Proofs, contents, unknown, words_of
from tests.fakes.gemini_schema import checked, toolset
from tests.fakes.mind import Ask
from tests.fakes.strict import Refused, listing, require
from tests.fakes.upstream import Seen

OLD, NEW = ("gemini-2.5-flash", "gemini-2.5-pro"), ("gemini-3-pro-preview", "gemini-3-flash-preview")
_TOP = {
    "contents", "systemInstruction", "tools", "toolConfig", "safetySettings", "generationConfig", "cachedContent",
    "model", "store", "serviceTier",
}  # fmt: skip
_CONFIG = {
    "temperature", "topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences", "presencePenalty",
    "frequencyPenalty", "seed", "responseMimeType", "responseSchema", "responseJsonSchema", "responseLogprobs",
    "logprobs", "responseModalities", "thinkingConfig", "mediaResolution", "speechConfig", "imageConfig",
    "enableEnhancedCivicAnswers",
}  # fmt: skip
_LEVELS = ("MINIMAL", "LOW", "MEDIUM", "HIGH")
_BUDGETS = {"gemini-2.5-flash": range(0, 24577), "gemini-2.5-pro": range(128, 32769)}


def read(seen: Seen, model: str, body: Json, proofs: Proofs, account: str) -> Ask:
    """Raises Refused."""
    if model not in OLD + NEW:
        said = f"models/{model} is not found for API version v1beta, or is not supported for generateContent."
        raise Refused(said, 404)
    unknown(body, _TOP, "")
    require(body.get("model") in (None, f"models/{model}"), "model: not the one of the address")
    ask = Ask(model=model, headers=seen.headers, body=body)
    system = body.get("systemInstruction")
    if system is not None:
        unknown(system, {"role", "parts"}, "system_instruction")
        ask.system = "\n\n".join(words_of(part, "system_instruction") for part in listing(system.get("parts"), "parts"))
    toolset(body.get("tools") or [], ask)
    contents(listing_of(body, "contents"), ask, proofs, account, signed=model in NEW)
    _choice(body.get("toolConfig") or {}, ask)
    config = unknown(body.get("generationConfig") or {}, _CONFIG, "generation_config")
    _thinking(config.get("thinkingConfig"), ask)
    _format(config, ask)
    _settings(config, ask)
    _safety(body.get("safetySettings") or [])
    return ask


def listing_of(body: Json, name: str) -> list[Any]:
    value = body.get(name)
    require(isinstance(value, list) and value, f"* GenerateContentRequest.{name}: {name} is not specified")
    return list(value or [])


def _choice(config: Json, ask: Ask) -> None:
    unknown(config, {"functionCallingConfig", "retrievalConfig", "includeServerSideToolInvocations"}, "tool_config")
    calling = config.get("functionCallingConfig")
    if calling is None:
        return
    unknown(calling, {"mode", "allowedFunctionNames"}, "tool_config.function_calling_config")
    mode = calling.get("mode", "AUTO")
    require(mode in ("AUTO", "ANY", "NONE", "VALIDATED"), f"Invalid value at 'mode': \"{mode}\"")
    require(ask.tools, "Function calling config is set without function_declarations.")
    names = calling.get("allowedFunctionNames")
    if names is not None:
        said = "Allowed function names should only be set with function calling mode ANY or VALIDATED."
        require(mode in ("ANY", "VALIDATED") and names, said)
        require(set(names) <= set(ask.tools), "allowed_function_names should be a subset of the declared functions.")
        ask.tools = [name for name in ask.tools if name in names]
    if mode == "ANY":
        ask.forced = ask.tools[0] if names and len(names) == 1 else "*"


def _thinking(config: Any, ask: Ask) -> None:
    ask.thinks = True
    if config is None:
        return
    unknown(config, {"includeThoughts", "thinkingBudget", "thinkingLevel"}, "generation_config.thinking_config")
    level, budget = config.get("thinkingLevel"), config.get("thinkingBudget")
    require(level is None or budget is None, "You can only set only one of thinking budget and thinking level.")
    if level is not None:
        level = str(level).upper()  # Google's own pages and the Vercel SDK write it small
        require(level in _LEVELS, f"Invalid value at 'thinking_level': \"{level}\"")
        require(ask.model in NEW, "Thinking level is not supported for this model.")
        off = level == "MINIMAL" and "pro" in ask.model
        require(
            not off, f"Thinking level {level} is not supported for this model. Please retry with other thinking level."
        )
    if budget is not None:
        require(isinstance(budget, int), "Invalid value at 'thinking_budget'")
        right = ask.model in NEW or budget == -1 or budget in _BUDGETS[ask.model]
        require(right, f"The thinking budget {budget} is invalid. Please choose a value between the model's limits.")
        ask.thinks = budget != 0


def _format(config: Json, ask: Ask) -> None:
    mime = config.get("responseMimeType", "text/plain")
    require(mime in ("text/plain", "application/json", "text/x.enum"), f"response_mime_type: {mime}")
    own, standard = config.get("responseSchema"), config.get("responseJsonSchema")
    require(own is None or standard is None, "Only one of response_schema and response_json_schema can be set.")
    if own is not None or standard is not None:
        require(mime != "text/plain", "Response schema is only supported with response_mime_type application/json.")
    if own is not None:
        checked(own, "generation_config.response_schema")
    both = mime == "application/json" and ask.tools and ask.model in OLD
    require(not both, "Function calling with a response mime type: 'application/json' is unsupported")
    ask.has_format = mime != "text/plain"


def _settings(config: Json, ask: Ask) -> None:
    limit = config.get("maxOutputTokens", 1)
    require(isinstance(limit, int) and limit >= 1, "max_output_tokens must be positive.")
    require(0 <= config.get("temperature", 1) <= 2, "temperature: must be in the range [0.0, 2.0].")
    require(0 <= config.get("topP", 1) <= 1, "top_p: must be in the range [0.0, 1.0].")
    ask.stop = config.get("stopSequences", [])
    require(len(ask.stop) <= 5 and all(ask.stop), "stop_sequences: at most 5, none empty.")
    require(config.get("candidateCount", 1) == 1, "Only one candidate can be specified")
    seed = config.get("seed", 0)
    require(isinstance(seed, int) and -(2**31) <= seed < 2**31, "Invalid value at 'seed' (TYPE_INT32)")
    require("logprobs" not in config or config.get("responseLogprobs"), "logprobs needs response_logprobs.")


def _safety(settings: list[Json]) -> None:
    for number, setting in enumerate(settings):
        unknown(setting, {"category", "threshold", "method"}, f"safety_settings[{number}]")
        require(str(setting.get("category")).startswith("HARM_CATEGORY_"), "Invalid value at 'category'")
        require(str(setting.get("threshold")).isupper(), "Invalid value at 'threshold'")
