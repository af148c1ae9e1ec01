"""What Anthropic Messages refuses, as far as the suite plays it: reference/translation.md 2-8, clients.md 1 and 3.

`read` checks a body and returns what is asked. Wordings follow the real ones where clients match on them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.fakes.mind import Ask
from tests.fakes.strict import TOOL_NAME, URL, Refused, base64_bytes, listing, only, require, text
from tests.fakes.upstream import Seen

Json = dict[str, Any]
Proofs = dict[str, str]
"""signature (or `data` of redacted thinking) -> the thinking it was given for."""

NEWEST = "2026-10-21"
VERSIONS = ("2023-06-01", NEWEST)
BUDGET_MODELS = ("claude-sonnet-4-5", "claude-haiku-4-5")
ADAPTIVE_MODELS = ("claude-opus-4-7", "claude-opus-5-5")

_TOP = {
    "model", "max_tokens", "messages", "system", "stream", "tools", "tool_choice", "thinking", "output_config",
    "stop_sequences", "metadata", "service_tier", "cache_control", "temperature", "top_p", "top_k",
}  # fmt: skip
_BY_BETA = {"context_management": "context-management-2025-06-27", "thread": "message-threads-2026-08-12"}
_SAMPLING = ("temperature", "top_p", "top_k")
_ID = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_THINKING = ("thinking", "redacted_thinking")
_UNENFORCED = {"minimum", "maximum", "minLength", "maxLength", "pattern", "multipleOf", "default", "maxItems", "oneOf"}


def read(seen: Seen, body: Json, proofs: Proofs) -> Ask:
    """Raises Refused."""
    model = text(body.get("model"), "model")
    if model not in BUDGET_MODELS + ADAPTIVE_MODELS:
        raise Refused(f"model: {model}", 404)
    _top(seen.headers, body)
    thinking = _thinking(body)
    tools = _tools(body)
    messages = listing(body.get("messages"), "messages")
    _messages(messages, model, proofs)
    _thinking_replay(messages, thinking, model)
    if not tools:
        used = [b for m in messages for b in _blocks(m) if b["type"] in ("tool_use", "tool_result")]
        require(not used, "Requests which have `tool_use` or `tool_result` blocks in history must define `tools`")
    require(str(body).count("'cache_control'") <= 4, "A maximum of 4 blocks with cache_control may be provided.")
    ask = Ask(model=model, headers=seen.headers, body=body, tools=tools, thinks=thinking)
    _choice(body, ask, thinking and model in BUDGET_MODELS)
    _settings(body, ask)
    _last_turn(messages, ask)
    return ask


def _top(headers: Any, body: Json) -> None:
    version = headers.get("anthropic-version", "")
    require(version in VERSIONS, f"anthropic-version: {version!r} is not valid")
    betas = headers.get("anthropic-beta", "").split(",")
    allowed = _TOP | {name for name, beta in _BY_BETA.items() if beta in betas}
    if version == NEWEST:
        allowed -= set(_SAMPLING)
    only(body, allowed, "")
    require(isinstance(body.get("max_tokens"), int) and body["max_tokens"] >= 1, "max_tokens: Field required")
    if "per-turn-control-2026-07-01" not in betas:
        for number, message in enumerate(body.get("messages", [])):
            require("output_config" not in message, f"messages.{number}.output_config: Extra inputs are not permitted")
    require(isinstance(body.get("stream", False), bool), "stream: Input should be a valid boolean")


# --- thinking


def _thinking(body: Json) -> bool:
    thinking = body.get("thinking")
    if thinking is None:
        return False
    kind = thinking.get("type")
    if kind == "disabled":
        only(thinking, {"type"}, "thinking")
        return False
    require(not body.get("top_k"), "`top_k` must be unset when thinking is enabled")
    require(body.get("temperature", 1) == 1, "`temperature` may only be set to 1 when thinking is enabled")
    if body["model"] in ADAPTIVE_MODELS:
        require(kind == "adaptive", f'"thinking.type.{kind}" is not supported for this model')
        only(thinking, {"type", "display"}, "thinking")
        return True
    require(kind == "enabled", f"thinking.type: adaptive thinking is not supported on this model ({kind})")
    only(thinking, {"type", "budget_tokens", "display"}, "thinking")
    budget = thinking.get("budget_tokens", 0)
    require(budget >= 1024, "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
    require(budget < body["max_tokens"], "`max_tokens` must be greater than `thinking.budget_tokens`")
    return True


def _thinking_replay(messages: list[Json], thinking: bool, model: str) -> None:
    """Case 187: budget models want the last assistant message that calls tools to begin with its thinking."""
    spoken = [m for m in messages if m["role"] == "assistant"]
    if not (thinking and spoken and model in BUDGET_MODELS):
        return
    kinds = [block["type"] for block in _blocks(spoken[-1])]
    if "tool_use" in kinds:
        require(kinds[0] in _THINKING, f"Expected `thinking` or `redacted_thinking`, but found `{kinds[0]}`")


# --- messages


def _blocks(message: Json) -> list[Json]:
    content = message.get("content")
    return [{"type": "text", "text": content}] if isinstance(content, str) else content or []


def _messages(messages: list[Json], model: str, proofs: Proofs) -> None:
    require(messages[0]["role"] == "user", "messages: first message must use the user role")
    waiting: list[str] = []
    used: set[str] = set()
    before = "system"
    for number, message in enumerate(messages):
        path = f"messages.{number}"
        role = message.get("role")
        if role == "system":
            require(model in ADAPTIVE_MODELS, f"{path}: role 'system' is not supported on this model")
            require(before == "user", f"{path}: a system message must follow a user message")
            only(message, {"role", "content", "output_config"}, path)
            continue
        require(role in ("user", "assistant"), f"{path}.role: Input should be 'user' or 'assistant'")
        require(role != before, f"{path}: roles must alternate between user and assistant")
        only(message, {"role", "content"}, path)
        before = role
        blocks = listing(_blocks(message), f"{path}.content")
        if role == "user":
            _pairing(blocks, waiting, path)
        waiting = [] if role == "user" else _assistant_order(blocks, used, path)
        for place, block in enumerate(blocks):
            _block(block, role, proofs, f"{path}.content.{place}")
    require(not waiting, f"`tool_use` ids were found without `tool_result` blocks immediately after: {waiting}")
    _ending(messages[-1], model)


def _ending(last: Json, model: str) -> None:
    if last["role"] != "assistant":
        return
    require(model not in ADAPTIVE_MODELS, "This model does not support assistant message prefill.")
    block = _blocks(last)[-1]
    require(block["type"] == "text", "The final block in an assistant message cannot be `thinking`")
    require(block["text"] == block["text"].rstrip(), "final assistant content cannot end with trailing whitespace")


def _pairing(blocks: list[Json], waiting: list[str], path: str) -> None:
    kinds = [block.get("type") for block in blocks]
    answered = [block.get("tool_use_id") for block in blocks if block.get("type") == "tool_result"]
    require(kinds == sorted(kinds, key=lambda kind: kind != "tool_result"), f"{path}: `tool_result` must come first")
    for call_id in answered:
        require(call_id in waiting, f"{path}: unexpected `tool_use_id` found in `tool_result` blocks: {call_id}")
    require(len(answered) == len(set(answered)), f"{path}: each tool_use must have a single result")
    missing = set(waiting) - set(answered)
    require(not missing, f"{path}: `tool_use` ids were found without `tool_result` blocks: {sorted(missing)}")


def _assistant_order(blocks: list[Json], used: set[str], path: str) -> list[str]:
    """Thinking first; the ids of the calls, which nobody has used before."""
    kinds = [block["type"] in _THINKING for block in blocks]
    require(kinds == sorted(kinds, reverse=True), f"{path}: thinking blocks must come first")
    ids = [block["id"] for block in blocks if block["type"] == "tool_use"]
    for call_id in ids:
        require(_ID.fullmatch(call_id), f"{path}: tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
        require(call_id not in used, f"{path}: `tool_use` ids must be unique")
        used.add(call_id)
    return ids


# --- blocks


def _block(block: Json, role: str, proofs: Proofs, path: str) -> None:
    kind = block.get("type")
    require(kind in _BLOCKS, f"{path}.type: Input tag {kind!r} is not expected")
    roles, keys, check = _BLOCKS[kind]
    require(role in roles, f"{path}: `{kind}` blocks can not be in `{role}` messages")
    only(block, {"type", *keys}, path)
    check(block, proofs, path)


def _text(block: Json, proofs: Proofs, path: str) -> None:
    require(text(block.get("text"), path).strip(), f"{path}: text content blocks must contain non-whitespace text")


def _is_proven(block: Json, proofs: Proofs, path: str) -> None:
    signature = text(block.get("signature"), f"{path}.signature")
    require(signature in proofs, f"{path}: Invalid `signature` in `thinking` block")
    shown = text(block.get("thinking"), f"{path}.thinking")
    require(shown in ("", proofs[signature]), f"{path}: `thinking` blocks cannot be modified")


def _is_kept(block: Json, proofs: Proofs, path: str) -> None:
    require(block.get("data") in proofs, f"{path}: Invalid `data` in `redacted_thinking` block")


def _use(block: Json, proofs: Proofs, path: str) -> None:
    require(TOOL_NAME.fullmatch(text(block.get("name"), f"{path}.name")), f"{path}.name: not a tool's name")
    require(isinstance(block.get("input"), dict), f"{path}.input: Input should be a valid dictionary")


def _result(block: Json, proofs: Proofs, path: str) -> None:
    content = block.get("content")
    if isinstance(content, list):
        for place, inner in enumerate(content):
            require(inner.get("type") in ("text", "image", "document"), f"{path}.content.{place}: not expected")
            _block(inner, "user", proofs, f"{path}.content.{place}")
    elif content is not None:
        text(content, f"{path}.content")


def _source(block: Json, proofs: Proofs, path: str) -> None:
    source = block.get("source", {})
    kinds = {"image": ("image/png", "image/jpeg", "image/gif", "image/webp"), "document": ("application/pdf",)}
    match source.get("type"):
        case "base64":
            only(source, {"type", "media_type", "data"}, f"{path}.source")
            require(source.get("media_type") in kinds[block["type"]], f"{path}.source.media_type: not expected")
            base64_bytes(source.get("data"), f"{path}.source.data")
        case "url":
            only(source, {"type", "url"}, f"{path}.source")
            require(URL.fullmatch(text(source.get("url"), path)), f"{path}.source.url: not an address")
        case "text" if block["type"] == "document":
            require(source.get("media_type") == "text/plain", f"{path}.source.media_type: not expected")
            text(source.get("data"), path)
        case kind:
            raise Refused(f"{path}.source.type: Input tag {kind!r} is not expected")


_BOTH, _USER, _ASSISTANT = ("user", "assistant"), ("user",), ("assistant",)
_BLOCKS: dict[str, tuple[tuple[str, ...], tuple[str, ...], Callable[[Json, Proofs, str], None]]] = {
    "text": (_BOTH, ("text", "cache_control", "citations"), _text),
    "image": (_USER, ("source", "cache_control"), _source),
    "document": (_USER, ("source", "title", "context", "citations", "cache_control"), _source),
    "tool_result": (_USER, ("tool_use_id", "content", "is_error", "cache_control"), _result),
    "tool_use": (_ASSISTANT, ("id", "name", "input", "cache_control", "caller"), _use),
    "thinking": (_ASSISTANT, ("thinking", "signature"), _is_proven),
    "redacted_thinking": (_ASSISTANT, ("data",), _is_kept),
}


# --- tools and settings

_TOOL_KEYS = (
    "name", "description", "input_schema", "cache_control", "strict", "defer_loading", "eager_input_streaming", "type",
    "input_examples",
)  # fmt: skip


_SEARCH = ("type", "name", "max_uses", "allowed_domains", "blocked_domains", "user_location", "cache_control")


def _tools(body: Json) -> list[str]:
    tools = body.get("tools", [])
    names = []
    for number, tool in enumerate(tools):
        path = f"tools.{number}"
        if str(tool.get("type", "")).startswith("web_search_"):
            only(tool, _SEARCH, path)
            continue
        only(tool, _TOOL_KEYS, path)
        require(tool.get("type", "custom") == "custom", f"{path}.type: this suite knows no hosted tools")
        require(TOOL_NAME.fullmatch(text(tool.get("name"), f"{path}.name")), f"{path}.name: not a tool's name")
        schema = tool.get("input_schema")
        require(isinstance(schema, dict) and schema.get("type") == "object", f"{path}.input_schema.type: required")
        if tool.get("strict"):
            enforced(schema, f"{path}.input_schema")
        names.append(tool["name"])
    require(len(names) == len(set(names)), "tools: Tool names must be unique.")
    return names


def enforced(schema: Any, path: str) -> None:
    """What a schema that the provider enforces may hold (7.3)."""
    if isinstance(schema, list):
        for inner in schema:
            enforced(inner, path)
        return
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object":
        require(schema.get("additionalProperties") is False, f"{path}: 'additionalProperties' must be false")
    for key, value in schema.items():
        require(key not in _UNENFORCED, f"{path}: For 'type', property '{key}' is not supported")
        for inner in value.values() if key in ("properties", "$defs") and isinstance(value, dict) else [value]:
            enforced(inner, f"{path}.{key}")


def _choice(body: Json, ask: Ask, budget: bool) -> None:
    choice = body.get("tool_choice")
    if choice is None:
        return
    require(ask.tools, "tool_choice may only be specified while providing tools")
    only(choice, {"type", "name", "disable_parallel_tool_use"}, "tool_choice")
    require(choice.get("type") in ("auto", "any", "tool", "none"), "tool_choice.type: not expected")
    ask.parallel = not choice.get("disable_parallel_tool_use")
    if choice["type"] in ("any", "tool"):
        require(not budget, "Thinking may not be enabled when tool_choice forces tool use.")
        ask.forced = choice.get("name", "*")
        require(ask.forced in ("*", *ask.tools), f"Tool '{ask.forced}' not found in provided tools")


def _settings(body: Json, ask: Ask) -> None:
    for name in _SAMPLING:
        require(name not in body or ask.model in BUDGET_MODELS, f"`{name}` is not supported on this model")
    ask.stop = body.get("stop_sequences", [])
    for stop in ask.stop:
        require(text(stop, "stop_sequences").strip(), "stop_sequences: each must contain non-whitespace")
    only(body.get("metadata", {}), {"user_id"}, "metadata")
    config = only(body.get("output_config", {}), {"effort", "format"}, "output_config")
    shape = config.get("format")
    if shape is not None:
        only(shape, {"type", "schema"}, "output_config.format")
        require(shape.get("type") == "json_schema", "output_config.format.type: not expected")
        enforced(shape.get("schema"), "output_config.format.schema")
        ask.has_format = True
    system = body.get("system", "")
    for block in system if isinstance(system, list) else []:
        _block(only(block, {"type", "text", "cache_control"}, "system"), "user", {}, "system")
    ask.system = system if isinstance(system, str) else "\n\n".join(block["text"] for block in system)


def _last_turn(messages: list[Json], ask: Ask) -> None:
    spoken = [message for message in messages if message["role"] == "user"]
    ask.said = [block["text"] for message in spoken for block in _blocks(message) if block["type"] == "text"]
    for block in _blocks(spoken[-1]):
        if block["type"] == "tool_result":
            inner = block.get("content") or ""
            ask.results.append(inner if isinstance(inner, str) else "".join(each.get("text", "") for each in inner))
            ask.media += [_shown(each) for each in inner if isinstance(each, dict) and "source" in each]
        elif "source" in block:
            ask.media.append(_shown(block))


def _shown(block: Json) -> str:
    source = block["source"]
    return f"{block['type']} {source['type']} {source.get('media_type', source.get('url'))}"
