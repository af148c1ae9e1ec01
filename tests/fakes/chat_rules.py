"""What Chat Completions refuses, as far as the suite plays it: reference/translation.md 2-8.

Two kinds of server: OpenAI's own (`gpt-…`, strict about unknown keys) and a compatible one that thinks
(`deepseek-…`: reasoning text comes as `reasoning_content` and must come back inside a tool loop).
"""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.mind import Ask
from tests.fakes.strict import TOOL_NAME, URL, Refused, base64_bytes, listing, only, require, text
from tests.fakes.upstream import Seen

Json = dict[str, Any]

_TOP = {
    "model", "messages", "stream", "stream_options", "tools", "tool_choice", "parallel_tool_calls", "response_format",
    "max_tokens", "max_completion_tokens", "stop", "temperature", "top_p", "n", "seed", "user", "metadata", "store",
    "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "reasoning_effort", "safety_identifier",
    "service_tier", "prompt_cache_key", "verbosity", "logit_bias",
}  # fmt: skip
_KEYS = {
    "system": {"role", "content", "name"},
    "developer": {"role", "content", "name"},
    "user": {"role", "content", "name"},
    "assistant": {"role", "content", "name", "refusal", "tool_calls", "audio", "annotations"},
    "tool": {"role", "content", "tool_call_id"},
}
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def is_thinker(model: str) -> bool:
    return model.startswith("deepseek")


def is_newer(model: str) -> bool:
    return model.startswith("gpt-5")


def read(seen: Seen, thoughts: dict[str, str]) -> Ask:
    """Raises Refused. `thoughts`: call id -> the reasoning that came with it."""
    body = seen.body
    model = text(body.get("model"), "model")
    if not model.startswith(("gpt-", "deepseek-")):
        raise Refused(f"The model `{model}` does not exist", 404, code="model_not_found")
    only(body, _TOP | ({"top_k", "experiment"} if is_thinker(model) else set()), "")
    ask = Ask(model=model, headers=seen.headers, body=body)
    _messages(listing(body.get("messages"), "messages"), ask, thoughts)
    _tools(body, ask)
    _format(body, ask)
    _settings(body, ask)
    return ask


# --- messages


def _messages(messages: list[Json], ask: Ask, thoughts: dict[str, str]) -> None:
    waiting: list[str] = []
    for number, message in enumerate(messages):
        path = f"messages[{number}]"
        role = message.get("role")
        require(role in _KEYS, f"{path}.role: invalid value {role!r}")
        thinker = {"reasoning_content", "reasoning_details"} if is_thinker(ask.model) else set()
        said = {key: value for key, value in message.items() if value is not None}  # SDK objects are full of nulls
        only(said, _KEYS[role] | (thinker if role == "assistant" else set()), path)
        if role == "tool":
            call_id = message.get("tool_call_id")
            require(call_id in waiting, f"{path}: 'tool' must follow a message with 'tool_calls' ({call_id})")
            waiting.remove(call_id)
            ask.results.append(_words(message.get("content"), path))
            continue
        require(not waiting, f"An assistant message with 'tool_calls' must be followed by tool messages: {waiting}")
        if role == "assistant":
            waiting = _assistant(message, ask, path)
            _thoughts(message, waiting, thoughts)
            ask.results, ask.media = [], []
        elif role == "user":
            _user(message, ask, path)
        else:
            ask.system = "\n\n".join(filter(None, [ask.system, _words(message.get("content"), path)]))
    require(not waiting, f"An assistant message with 'tool_calls' must be followed by tool messages: {waiting}")


def _words(content: Any, path: str) -> str:
    """A string, or text parts alone."""
    if isinstance(content, str):
        return content
    parts = listing(content, f"{path}.content")
    for part in parts:
        only(part, {"type", "text"}, path)
        require(part["type"] == "text", f"{path}: only text is taken here")
    return "".join(text(part.get("text"), path) for part in parts)


def _assistant(message: Json, ask: Ask, path: str) -> list[str]:
    calls = message.get("tool_calls") or []
    require(message.get("tool_calls") != [], f"{path}.tool_calls: too short")
    if message.get("content") is None:
        require(calls or message.get("refusal"), f"{path}.content: null without tool_calls")
    else:
        _words(message["content"], path)
    ids = []
    for number, call in enumerate(calls):
        at = f"{path}.tool_calls[{number}]"
        only(call, {"id", "type", "function", "custom", "index"}, at)  # the SDK's stream helper leaves the index there
        ids.append(text(call.get("id"), f"{at}.id"))
        require(0 < len(ids[-1]) <= 64, f"{at}.id: string too long")
        if call.get("type") == "custom":
            _custom_call(only(call.get("custom"), {"name", "input"}, f"{at}.custom"), ask, at)
            continue
        require(call.get("type") == "function", f"{at}.type: not expected")
        function = only(call.get("function"), {"name", "arguments", "parsed_arguments"}, f"{at}.function")
        require(function.get("parsed_arguments") is None, f"{at}.function.parsed_arguments: not permitted")
        require(TOOL_NAME.fullmatch(text(function.get("name"), at)), f"{at}.function.name: not a tool's name")
        _arguments(text(function.get("arguments"), at), at)
    require(len(ids) == len(set(ids)), f"{path}.tool_calls: duplicate ids")
    return ids


def _custom_call(call: Json, ask: Ask, path: str) -> None:
    require(is_newer(ask.model), f"{path}.type: custom tools are not supported by this model")
    require(TOOL_NAME.fullmatch(text(call.get("name"), path)), f"{path}.custom.name: not a tool's name")
    text(call.get("input"), f"{path}.custom.input")


def _thoughts(message: Json, ids: list[str], thoughts: dict[str, str]) -> None:
    """Inside a tool loop the reasoning comes back as it was (6.3, C DeepSeek-type); the field is there, if empty."""
    for call_id in ids:
        if call_id in thoughts:
            same = message.get("reasoning_content") in (thoughts[call_id], "")
            require(same, "The `reasoning_content` in the thinking mode must be passed back to the API.")


def _arguments(words: str, path: str) -> None:
    try:
        require(isinstance(json.loads(words), dict), f"{path}: arguments are no JSON object")
    except json.JSONDecodeError:
        raise Refused(f"{path}: arguments are not JSON: {words!r}") from None


def _user(message: Json, ask: Ask, path: str) -> None:
    content = message.get("content")
    if isinstance(content, str):
        ask.said.append(content)
        return
    for number, part in enumerate(listing(content, f"{path}.content")):
        at = f"{path}.content[{number}]"
        match part.get("type"):
            case "text":
                ask.said.append(text(part.get("text"), at))
            case "image_url":
                image = only(part.get("image_url"), {"url", "detail"}, at)
                ask.media.append(f"image {_media(text(image.get('url'), at), 'image/', at)}")
            case "file":
                file = only(part.get("file"), {"file_data", "filename"}, at)
                require(file.get("filename"), f"{at}.file.filename: missing")
                ask.media.append(f"document {_media(text(file.get('file_data'), at), 'application/pdf', at)}")
            case kind:
                raise Refused(f"{at}.type: invalid value {kind!r}")


def _media(url: str, mime: str, path: str) -> str:
    if URL.fullmatch(url) and mime == "image/":
        return f"url {url}"
    head, mark, data = url.partition(";base64,")
    require(mark and head.startswith(f"data:{mime}"), f"{path}: neither an address nor a data URL of {mime}")
    base64_bytes(data, path)
    return f"base64 {head.removeprefix('data:')}"


# --- tools, format, settings


def _tools(body: Json, ask: Ask) -> None:
    require("tools" not in body or body["tools"], "tools: [] is too short")
    for number, tool in enumerate(body.get("tools", [])):
        path = f"tools[{number}]"
        if tool.get("type") == "custom" and is_newer(ask.model):
            ask.tools.append(_custom(tool, path))
            continue
        only(tool, {"type", "function"}, path)
        require(tool.get("type") == "function", f"{path}.type: not expected")
        function = only(tool.get("function"), {"name", "description", "parameters", "strict"}, f"{path}.function")
        require(TOOL_NAME.fullmatch(text(function.get("name"), path)), f"{path}.function.name: not a tool's name")
        schema = function.get("parameters")
        if schema is not None:
            require(isinstance(schema, dict) and schema.get("type") == "object", f"{path}: schema must be an object")
            require("properties" in schema, f"{path}: object schema missing properties")
            if function.get("strict"):
                strict(schema, path)
        ask.tools.append(function["name"])
    choice = body.get("tool_choice", "auto")
    require(ask.tools or "tool_choice" not in body, "tool_choice is only allowed when tools are specified")
    require(ask.tools or "parallel_tool_calls" not in body, "parallel_tool_calls is only allowed with tools")
    ask.parallel = body.get("parallel_tool_calls", True)
    if isinstance(choice, dict):
        only(choice, {"type", "function", "custom"}, "tool_choice")
        ask.forced = choice[choice["type"]]["name"]
        require(ask.forced in ask.tools, f"tool_choice: {ask.forced} is not among the tools")
    else:
        require(choice in ("auto", "none", "required"), f"tool_choice: invalid value {choice!r}")
        ask.forced = "*" if choice == "required" else None


def _custom(tool: Json, path: str) -> str:
    spec = only(only(tool, {"type", "custom"}, path)["custom"], {"name", "description", "format"}, f"{path}.custom")
    shape = spec.get("format") or {"type": "text"}
    if shape.get("type") == "grammar":
        grammar = only(only(shape, {"type", "grammar"}, path)["grammar"], {"definition", "syntax"}, f"{path}.format")
        require(grammar.get("syntax") in ("lark", "regex"), f"{path}.custom.format.grammar.syntax: invalid")
    require(TOOL_NAME.fullmatch(text(spec.get("name"), path)), f"{path}.custom.name: not a tool's name")
    return str(spec["name"])


def strict(schema: Any, path: str) -> None:
    """OpenAI's rules for strict schemas (7.2)."""
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object":
        require(schema.get("additionalProperties") is False, f"{path}: 'additionalProperties' must be false")
        properties = schema.get("properties", {})
        require(set(schema.get("required", [])) == set(properties), f"{path}: 'required' must hold every key")
        for name, inner in properties.items():
            strict(inner, f"{path}.{name}")
    strict(schema.get("items"), path)


def _format(body: Json, ask: Ask) -> None:
    shape = body.get("response_format")
    if shape is None:
        return
    if shape.get("type") == "json_schema":
        spec = only(shape.get("json_schema"), {"name", "description", "schema", "strict"}, "response_format")
        require(TOOL_NAME.fullmatch(text(spec.get("name"), "response_format.name")), "response_format.name: invalid")
        if spec.get("strict"):
            strict(spec.get("schema"), "response_format")
    else:
        require(shape.get("type") in ("text", "json_object"), "response_format.type: invalid")
    ask.has_format = shape["type"] != "text"


def _settings(body: Json, ask: Ask) -> None:
    require(not ("max_tokens" in body and "max_completion_tokens" in body), "max_tokens: give one of the two")
    require("stream_options" not in body or body.get("stream"), "stream_options is only allowed when stream is enabled")
    stop = body.get("stop") or []
    ask.stop = [stop] if isinstance(stop, str) else stop
    require(len(ask.stop) <= 4, "stop: at most 4")
    require(0 <= body.get("temperature", 1) <= 2, "temperature: out of range")
    effort = body.get("reasoning_effort")
    require(effort in (None, *_EFFORTS), f"reasoning_effort: invalid value {effort!r}")
    if ask.model.startswith("gpt-5"):
        for name in ("max_tokens", "temperature", "top_p"):
            require(name not in body, f"Unsupported parameter: '{name}' is not supported with this model.")
    if ask.model.startswith("gpt-4"):
        require(effort is None, "reasoning_effort: not supported by this model")
    ask.thinks = is_thinker(ask.model) and effort != "none"
    require(len(body.get("safety_identifier", "")) <= 64, "safety_identifier: string too long")
