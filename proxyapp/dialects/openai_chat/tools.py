"""A caller's tools and tool choice, the old `functions` form included."""

from __future__ import annotations

from typing import Any, Literal

from proxyapp.dialects.openai.fields import (
    as_record,
    checked_search,
    flag,
    listing,
    needed_text,
    record,
    text,
    wrong,
)
from proxyapp.dialects.openai_chat.content import cache_point
from proxyapp.dialects.openai_chat.tables import NAME
from proxyapp.ir.request import Request, ServerTool, Tool, ToolChoice

_Mode = Literal["auto", "none", "any"]
_MODES: dict[str, _Mode] = {"auto": "auto", "none": "none", "required": "any", "any": "any"}


def read_tools(body: dict[str, Any], request: Request) -> None:
    """Fills the request's tools, server tools, choice and legacy flag. Raises BadRequest."""
    for index, item in enumerate(listing(body, "tools") or []):
        path = f"tools.{index}"
        tool = _tool(as_record(item, path), path)
        if isinstance(tool, Tool):
            request.tools.append(tool)
        else:
            request.server_tools.append(tool)
    for index, item in enumerate(listing(body, "functions") or []):
        request.tools.append(_function(as_record(item, f"functions.{index}"), f"functions.{index}"))
        request.legacy_functions = True
    if (options := record(body, "web_search_options")) is not None:
        path = "web_search_options"
        raw = checked_search(options, path)
        request.server_tools.append(ServerTool(kind="web_search", dialect=NAME, raw=raw, path=path))
    request.tool_choice = _choice(body.get("tool_choice"), "tool_choice") or _legacy_choice(body)
    request.parallel_tools = flag(body, "parallel_tool_calls")


def _tool(item: dict[str, Any], path: str) -> Tool | ServerTool:
    word = text(item, "type", path) or "function"
    if word == "function":
        # Some clients send the flat form of Responses to the chat address.
        nested = record(item, "function", path)
        tool = _function(item if nested is None else nested, path if nested is None else f"{path}.function")
    elif word == "custom":
        nested = record(item, "custom", path)
        tool = _custom(item if nested is None else nested, path if nested is None else f"{path}.custom")
    else:
        return ServerTool(kind=word, dialect=NAME, raw=checked_search(item, path), path=path)
    tool.cache = cache_point(item, path)
    return tool


def _function(spec: dict[str, Any], path: str) -> Tool:
    return Tool(
        name=needed_text(spec, "name", path),
        description=text(spec, "description", path),
        schema=record(spec, "parameters", path),
        strict=flag(spec, "strict", path),
    )


def _custom(spec: dict[str, Any], path: str) -> Tool:
    return Tool(
        name=needed_text(spec, "name", path),
        description=text(spec, "description", path),
        kind="custom",
        grammar=_grammar(record(spec, "format", path)),
    )


def _grammar(form: dict[str, Any] | None) -> dict[str, Any] | None:
    """Chat nests the grammar; the IR holds `{type, syntax, definition}`."""
    if not form or form.get("type") != "grammar":
        return form or None
    nested = form.get("grammar")
    return {"type": "grammar", **nested} if isinstance(nested, dict) else form


def _choice(value: Any, path: str) -> ToolChoice | None:
    if value is None:
        return None
    if isinstance(value, str):
        return ToolChoice(mode=_mode(value, path))
    spec = as_record(value, path)
    word = needed_text(spec, "type", path)
    if word in ("function", "custom"):
        nested = record(spec, word, path)
        return ToolChoice(mode="named", names=[needed_text(nested or spec, "name", f"{path}.{word}")])
    if word == "allowed_tools":
        return _allowed(record(spec, "allowed_tools", path) or spec, f"{path}.allowed_tools")
    return ToolChoice(mode=_mode(word, f"{path}.type"))


def _mode(word: str, path: str) -> _Mode:
    if word not in _MODES:
        raise wrong(path, "auto, none, required or a tool")
    return _MODES[word]


def _allowed(spec: dict[str, Any], path: str) -> ToolChoice:
    names = []
    for index, item in enumerate(listing(spec, "tools", path) or []):
        at = f"{path}.tools.{index}"
        entry = as_record(item, at)
        nested = entry.get("function") or entry.get("custom")
        names.append(needed_text(nested if isinstance(nested, dict) else entry, "name", at))
    return ToolChoice(mode="allowed", names=names, required=spec.get("mode") == "required")


def _legacy_choice(body: dict[str, Any]) -> ToolChoice | None:
    value = body.get("function_call")
    if isinstance(value, dict):
        return ToolChoice(mode="named", names=[needed_text(value, "name", "function_call")])
    return _choice(value, "function_call")
