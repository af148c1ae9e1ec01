"""What callers may ask for, as each dialect says it: one feature, and what it adds to the least body of a dialect.

A dialect that is not named has no words for the feature.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from tests.corpus.exchanges import CHAT, GEMINI, MESSAGES, RESPONSES

Json = dict[str, Any]
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQKJSBub3QgbXVjaCBvZiBhIGRvY3VtZW50"
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAgD4AAAB9AAACABAAZGF0YQAAAAA="
LINK = "https://pictures.example.org/cat"
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}

_HI = {"role": "user", "content": "Hi"}
_G_HI = {"role": "user", "parts": [{"text": "Hi"}]}
LEAST: dict[str, Json] = {
    CHAT: {"model": "m", "max_tokens": 9000, "messages": [_HI]},
    RESPONSES: {"model": "m", "max_output_tokens": 9000, "store": False, "input": [_HI]},
    MESSAGES: {"model": "m", "max_tokens": 9000, "messages": [_HI]},
    GEMINI: {"contents": [_G_HI], "generationConfig": {"maxOutputTokens": 9000}},
}


@dataclass(frozen=True)
class Feature:
    """One row."""

    name: str
    bodies: dict[str, Json]
    """Dialect -> what stands in the body besides or instead."""
    with_: str = ""
    """The feature that must be there for this one to mean anything; it is compared with that."""
    stream: bool = False


def body(feature: Feature, dialect: str) -> Json:
    """The whole body."""
    return merged(merged(LEAST[dialect], basis(feature, dialect)), feature.bodies[dialect])


def before(feature: Feature, dialect: str) -> Json:
    """The same without the feature."""
    return merged(LEAST[dialect], basis(feature, dialect))


def basis(feature: Feature, dialect: str) -> Json:
    if not feature.with_:
        return {}
    needed = next(each for each in FEATURES if each.name == feature.with_)
    return merged(basis(needed, dialect), needed.bodies[dialect])


def merged(one: Json, two: Json) -> Json:
    """Objects into one another; anything else is replaced."""
    told = copy.deepcopy(one)
    for key, value in two.items():
        both = isinstance(value, dict) and isinstance(told.get(key), dict)
        told[key] = merged(told[key], value) if both else copy.deepcopy(value)
    return told


def _user(*, chat: Any = None, responses: Any = None, messages: Any = None, gemini: Any = None) -> dict[str, Json]:
    """One part of the user's message, by dialect, after a text."""
    told: dict[str, Json] = {}
    if chat:
        told[CHAT] = {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}, chat]}]}
    if responses:
        told[RESPONSES] = {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}, responses]}]}
    if messages:
        told[MESSAGES] = {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}, messages]}]}
    if gemini:
        told[GEMINI] = {"contents": [{"role": "user", "parts": [{"text": "Hi"}, gemini]}]}
    return told


def _top(*, chat: Json | None = None, responses: Json | None = None, messages: Json | None = None, gemini: Json | None = None) -> dict[str, Json]:  # fmt: skip
    """Fields at the top of the body (for Gemini: of `generationConfig`)."""
    told = {CHAT: chat, RESPONSES: responses, MESSAGES: messages, GEMINI: gemini and {"generationConfig": gemini}}
    return {dialect: fields for dialect, fields in told.items() if fields}


def _history(chat: list[Json], responses: list[Json], messages: list[Json], gemini: list[Json]) -> dict[str, Json]:
    told = {CHAT: chat, RESPONSES: responses, MESSAGES: messages, GEMINI: gemini}
    lists = {CHAT: "messages", RESPONSES: "input", MESSAGES: "messages", GEMINI: "contents"}
    return {dialect: {lists[dialect]: turns} for dialect, turns in told.items() if turns}


def _call(name: str, number: int) -> dict[str, Json]:
    args = {"city": f"City {number}"}
    text = f'{{"city":"City {number}"}}'
    return {
        CHAT: {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": text}},
        RESPONSES: {"type": "function_call", "call_id": f"call_{number}", "name": name, "arguments": text},
        MESSAGES: {"type": "tool_use", "id": f"call_{number}", "name": name, "input": args},
        GEMINI: {"functionCall": {"id": f"call_{number}", "name": name, "args": args}},
    }


def _result(name: str, number: int, words: str) -> dict[str, Json]:
    return {
        CHAT: {"role": "tool", "tool_call_id": f"call_{number}", "content": words},
        RESPONSES: {"type": "function_call_output", "call_id": f"call_{number}", "output": words},
        MESSAGES: {"type": "tool_result", "tool_use_id": f"call_{number}", "content": words},
        GEMINI: {"functionResponse": {"id": f"call_{number}", "name": name, "response": {"output": words}}},
    }


def _tool_turns() -> dict[str, Json]:
    calls, results = [_call("weather", n) for n in (1, 2)], [_result("weather", n, f"Sunny {n}") for n in (1, 2)]
    return _history(
        [
            _HI,
            {"role": "assistant", "content": None, "tool_calls": [c[CHAT] for c in calls]},
            *(r[CHAT] for r in results),
        ],
        [_HI, *(c[RESPONSES] for c in calls), *(r[RESPONSES] for r in results)],
        [
            _HI,
            {"role": "assistant", "content": [c[MESSAGES] for c in calls]},
            {"role": "user", "content": [r[MESSAGES] for r in results]},
        ],
        [
            _G_HI,
            {"role": "model", "parts": [c[GEMINI] for c in calls]},
            {"role": "user", "parts": [r[GEMINI] for r in results]},
        ],
    )


def _media_result() -> dict[str, Json]:
    picture_m = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    picture_r = {"type": "input_image", "detail": "auto", "image_url": f"data:image/png;base64,{PNG}"}
    picture_g = {"inlineData": {"mimeType": "image/png", "data": PNG}}
    call = _call("weather", 1)
    result_r = {**_result("weather", 1, "")[RESPONSES], "output": [picture_r]}
    result_m = {**_result("weather", 1, "")[MESSAGES], "content": [picture_m]}
    result_g = {
        "functionResponse": {"id": "call_1", "name": "weather", "response": {"output": "see"}, "parts": [picture_g]}
    }
    return _history(
        [],
        [_HI, call[RESPONSES], result_r],
        [_HI, {"role": "assistant", "content": [call[MESSAGES]]}, {"role": "user", "content": [result_m]}],
        [_G_HI, {"role": "model", "parts": [call[GEMINI]]}, {"role": "user", "parts": [result_g]}],
    )


def _tool(extra: Json | None = None) -> dict[str, Json]:
    function = {"name": "weather", "description": "Tells the weather.", "parameters": SCHEMA}
    named = {"name": "weather", "description": "Tells the weather.", "input_schema": SCHEMA}
    return {
        CHAT: {"tools": [{"type": "function", "function": {**function, **(extra or {})}}]},
        RESPONSES: {"tools": [{"type": "function", "strict": False, **function, **(extra or {})}]},
        MESSAGES: {"tools": [{**named, **(extra or {})}]},
        GEMINI: {"tools": [{"functionDeclarations": [{**function, "parameters": {
            "type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]}}]}]},
    }  # fmt: skip


def _choice(mode: str, names: list[str] | None = None) -> Json:
    return {
        "toolConfig": {"functionCallingConfig": {"mode": mode, **({"allowedFunctionNames": names} if names else {})}}
    }


_FREE = {"name": "apply_patch", "description": "Applies a patch.", "format": {"type": "text"}}
_MARKED = {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}

FEATURES: tuple[Feature, ...] = (
    Feature("a stream", _top(chat={"stream": True}, responses={"stream": True}, messages={"stream": True}) | {GEMINI: {}}, stream=True),
    Feature("system prompt", {
        CHAT: {"messages": [{"role": "system", "content": "Be kind."}, _HI]},
        RESPONSES: {"instructions": "Be kind."},
        MESSAGES: {"system": "Be kind."},
        GEMINI: {"systemInstruction": {"parts": [{"text": "Be kind."}]}},
    }),
    Feature("system text in the middle", _history(
        [_HI, {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "Go"}, {"role": "system", "content": "Be kind."}],
        [_HI, {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "Go"}, {"role": "developer", "content": "Be kind."}],
        [_HI, {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "Go"}, {"role": "system", "content": "Be kind."}],
        [],
    )),
    Feature("several turns", _history(
        [_HI, {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "Go"}],
        [_HI, {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "Go"}],
        [_HI, {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "Go"}],
        [_G_HI, {"role": "model", "parts": [{"text": "Yes?"}]}, {"role": "user", "parts": [{"text": "Go"}]}],
    )),
    # tools
    Feature("tools", _tool()),
    Feature("parallel calls and results", _tool_turns(), with_="tools"),
    Feature("image in a tool's result", _media_result(), with_="tools"),
    Feature("strict tool", {key: value for key, value in _tool({"strict": True}).items() if key != GEMINI}),
    Feature("call forced: any", {
        CHAT: {"tool_choice": "required"}, RESPONSES: {"tool_choice": "required"},
        MESSAGES: {"tool_choice": {"type": "any"}}, GEMINI: _choice("ANY"),
    }, with_="tools"),
    Feature("call forced: by name", {
        CHAT: {"tool_choice": {"type": "function", "function": {"name": "weather"}}},
        RESPONSES: {"tool_choice": {"type": "function", "name": "weather"}},
        MESSAGES: {"tool_choice": {"type": "tool", "name": "weather"}},
        GEMINI: _choice("ANY", ["weather"]),
    }, with_="tools"),
    Feature("no call", {
        CHAT: {"tool_choice": "none"}, RESPONSES: {"tool_choice": "none"},
        MESSAGES: {"tool_choice": {"type": "none"}}, GEMINI: _choice("NONE"),
    }, with_="tools"),
    Feature("some of the tools only", {
        CHAT: {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [
            {"type": "function", "function": {"name": "weather"}}]}}},
        RESPONSES: {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "weather"}]}},
        GEMINI: _choice("VALIDATED", ["weather"]),
    }, with_="tools"),
    Feature("at most one call", {
        CHAT: {"parallel_tool_calls": False}, RESPONSES: {"parallel_tool_calls": False},
        MESSAGES: {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
    }, with_="tools"),
    Feature("free-text (custom) tool", {
        CHAT: {"tools": [{"type": "custom", "custom": _FREE}]}, RESPONSES: {"tools": [{"type": "custom", **_FREE}]},
    }),
    Feature("tools in a namespace", {RESPONSES: {"tools": [{
        "type": "namespace", "name": "crm", "description": "Customers.",
        "tools": [{"type": "function", "name": "find", "parameters": SCHEMA, "strict": False}]}]}}),
    Feature("web search", {
        CHAT: {"web_search_options": {}}, RESPONSES: {"tools": [{"type": "web_search"}]},
        MESSAGES: {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, GEMINI: {"tools": [{"googleSearch": {}}]},
    }),
    Feature("code execution", {
        RESPONSES: {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]},
        MESSAGES: {"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]},
        GEMINI: {"tools": [{"codeExecution": {}}]},
    }),
    Feature("remote MCP server", {
        RESPONSES: {"tools": [{"type": "mcp", "server_label": "x", "server_url": "https://mcp.example.org", "require_approval": "never"}]},
        MESSAGES: {"mcp_servers": [{"type": "url", "name": "x", "url": "https://mcp.example.org"}]},
    }),
    # media
    Feature("image by its data", _user(
        chat={"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        responses={"type": "input_image", "detail": "auto", "image_url": f"data:image/png;base64,{PNG}"},
        messages={"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        gemini={"inlineData": {"mimeType": "image/png", "data": PNG}},
    )),
    Feature("image by its address", _user(
        chat={"type": "image_url", "image_url": {"url": f"{LINK}.png"}},
        responses={"type": "input_image", "detail": "auto", "image_url": f"{LINK}.png"},
        messages={"type": "image", "source": {"type": "url", "url": f"{LINK}.png"}},
        gemini={"fileData": {"mimeType": "image/png", "fileUri": f"{LINK}.png"}},
    )),
    Feature("image by a provider's id", _user(
        responses={"type": "input_image", "detail": "auto", "file_id": "file_1"},
        messages={"type": "image", "source": {"type": "file", "file_id": "file_1"}},
    )),
    Feature("PDF by its data", _user(
        chat={"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}},
        responses={"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"},
        messages={"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}},
        gemini={"inlineData": {"mimeType": "application/pdf", "data": PDF}},
    )),
    Feature("PDF by its address", _user(
        responses={"type": "input_file", "file_url": f"{LINK}.pdf"},
        messages={"type": "document", "source": {"type": "url", "url": f"{LINK}.pdf"}},
        gemini={"fileData": {"mimeType": "application/pdf", "fileUri": f"{LINK}.pdf"}},
    )),
    Feature("plain text document", _user(
        messages={"type": "document", "title": "Notes", "source": {"type": "text", "media_type": "text/plain", "data": "Words."}},
        gemini={"inlineData": {"mimeType": "text/plain", "data": "V29yZHMu"}},
    )),
    Feature("document with sources asked", _user(
        messages={"type": "document", "citations": {"enabled": True}, "source": {"type": "text", "media_type": "text/plain", "data": "Words."}},
    )),
    Feature("search results of the caller", _user(
        messages={"type": "search_result", "source": "https://a.example.org", "title": "A", "content": [{"type": "text", "text": "Words."}]},
    )),
    Feature("audio", _user(
        chat={"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}},
        gemini={"inlineData": {"mimeType": "audio/wav", "data": WAV}},
    )),
    Feature("video", _user(gemini={"fileData": {"mimeType": "video/mp4", "fileUri": "https://media.example.org/a.mp4"}})),
    Feature("answer as audio", {
        CHAT: {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}},
        GEMINI: {"generationConfig": {"responseModalities": ["AUDIO"]}},
    }),
    # thinking
    Feature("thinking: effort", _top(
        chat={"reasoning_effort": "high"}, responses={"reasoning": {"effort": "high"}},
        messages={"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
        gemini={"thinkingConfig": {"thinkingLevel": "HIGH"}},
    )),
    Feature("thinking: budget", _top(
        messages={"thinking": {"type": "enabled", "budget_tokens": 4000}}, gemini={"thinkingConfig": {"thinkingBudget": 4000}},
    )),
    Feature("thinking: off", _top(
        chat={"reasoning_effort": "none"}, responses={"reasoning": {"effort": "none"}},
        messages={"thinking": {"type": "disabled"}}, gemini={"thinkingConfig": {"thinkingBudget": 0}},
    )),
    Feature("thinking: shown", _top(
        responses={"reasoning": {"summary": "auto"}}, gemini={"thinkingConfig": {"includeThoughts": True}},
    )),
    # the answer's form
    Feature("answer by a JSON schema", {
        CHAT: {"response_format": {"type": "json_schema", "json_schema": {"name": "it", "schema": SCHEMA, "strict": True}}},
        RESPONSES: {"text": {"format": {"type": "json_schema", "name": "it", "schema": SCHEMA, "strict": True}}},
        MESSAGES: {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        GEMINI: {"generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}},
    }),
    Feature("answer as any JSON", {
        CHAT: {"response_format": {"type": "json_object"}}, RESPONSES: {"text": {"format": {"type": "json_object"}}},
        GEMINI: {"generationConfig": {"responseMimeType": "application/json"}},
    }),
    Feature("verbosity", {CHAT: {"verbosity": "low"}, RESPONSES: {"text": {"verbosity": "low"}}}),
    Feature("stop sequences", _top(chat={"stop": ["END"]}, messages={"stop_sequences": ["END"]}, gemini={"stopSequences": ["END"]})),
    Feature("several answers", _top(chat={"n": 2}, gemini={"candidateCount": 2})),
    Feature("log probabilities", _top(
        chat={"logprobs": True, "top_logprobs": 2},
        responses={"top_logprobs": 2, "include": ["message.output_text.logprobs"]},
        gemini={"responseLogprobs": True, "logprobs": 2},
    )),
    # sampling
    Feature("temperature", _top(
        chat={"temperature": 0.5}, responses={"temperature": 0.5}, messages={"temperature": 0.5}, gemini={"temperature": 0.5},
    )),
    Feature("top_p", _top(chat={"top_p": 0.9}, responses={"top_p": 0.9}, messages={"top_p": 0.9}, gemini={"topP": 0.9})),
    Feature("top_k", _top(messages={"top_k": 40}, gemini={"topK": 40})),
    Feature("seed", _top(chat={"seed": 7}, gemini={"seed": 7})),
    Feature("frequency penalty", _top(chat={"frequency_penalty": 0.5}, gemini={"frequencyPenalty": 0.5})),
    Feature("presence penalty", _top(chat={"presence_penalty": 0.5}, gemini={"presencePenalty": 0.5})),
    Feature("token biases", _top(chat={"logit_bias": {"50256": -5}})),
    # caching, identity, state
    Feature("cache point", {MESSAGES: {"messages": [{"role": "user", "content": [_MARKED]}]}}),
    Feature("cache key", _top(chat={"prompt_cache_key": "k"}, responses={"prompt_cache_key": "k"})),
    Feature("end user", _top(
        chat={"safety_identifier": "u1"}, responses={"safety_identifier": "u1"}, messages={"metadata": {"user_id": "u1"}},
    )),
    Feature("metadata", _top(chat={"metadata": {"a": "b"}}, responses={"metadata": {"a": "b"}})),
    Feature("service tier", _top(chat={"service_tier": "flex"}, responses={"service_tier": "flex"}, messages={"service_tier": "standard_only"})),
    Feature("kept by the service", _top(chat={"store": True})),
    Feature("in the background", _top(responses={"background": True})),
    Feature("safety settings", {GEMINI: {"safetySettings": [
        {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]}}),
    Feature("predicted output", _top(chat={"prediction": {"type": "content", "content": "Hi"}})),
    Feature("a field nobody knows", {
        CHAT: {"novelty": 1}, RESPONSES: {"novelty": 1}, MESSAGES: {"novelty": 1}, GEMINI: {"novelty": 1},
    }),
)  # fmt: skip
