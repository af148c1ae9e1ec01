"""A caller's tools and tool choice as IR (reference/translation.md 1.3, 2.5, 7.8)."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.anthropic import fields
from proxyapp.dialects.anthropic.messages import parse_cache
from proxyapp.dialects.anthropic.tables import NAME, SERVER_KINDS
from proxyapp.ir.request import ServerTool, Tool, ToolChoice

_KNOWN = frozenset({"type", "name", "description", "input_schema", "strict", "cache_control"})


def parse_tools(value: Any) -> tuple[list[Tool], list[ServerTool]]:
    """The caller's own tools, and those that carry a versioned `type`. Raises BadRequest naming the malformed one."""
    tools: list[Tool] = []
    server_tools: list[ServerTool] = []
    for index, entry in enumerate(fields.maybe_listing(value, "tools")):
        path = f"tools.{index}"
        tool = fields.mapping(entry, path)
        kind = fields.maybe_text(tool.get("type"), f"{path}.type")
        if kind in (None, "custom"):
            tools.append(_tool(tool, path))
        else:
            server_tools.append(ServerTool(kind=_neutral(str(kind)), dialect=NAME, raw=tool, path=path))
    return tools, server_tools


def _tool(tool: dict[str, Any], path: str) -> Tool:
    schema = tool.get("input_schema")
    rest = fields.rest(tool, _KNOWN)
    return Tool(
        name=fields.text(tool.get("name"), f"{path}.name"),
        description=fields.maybe_text(tool.get("description"), f"{path}.description"),
        schema=None if schema is None else fields.mapping(schema, f"{path}.input_schema"),
        strict=fields.maybe_bool(tool.get("strict"), f"{path}.strict"),
        cache=parse_cache(tool.get("cache_control"), f"{path}.cache_control"),
        meta={NAME: rest} if rest else {},
    )


def _neutral(kind: str) -> str:
    return next((neutral for beginning, neutral in SERVER_KINDS if kind.startswith(beginning)), kind)


def parse_choice(value: Any) -> tuple[ToolChoice | None, bool | None]:
    """`tool_choice` and whether several calls a turn are allowed (None = not said). Raises BadRequest."""
    if value is None:
        return None, None
    choice = {"type": value} if isinstance(value, str) else fields.mapping(value, "tool_choice")
    single = fields.maybe_bool(choice.get("disable_parallel_tool_use"), "tool_choice.disable_parallel_tool_use")
    parallel = None if single is None else not single
    match fields.text(choice.get("type"), "tool_choice.type"):
        case "auto":
            return ToolChoice(mode="auto"), parallel
        case "any":
            return ToolChoice(mode="any"), parallel
        case "none":
            return ToolChoice(mode="none"), parallel
        case "tool":
            return ToolChoice(mode="named", names=[fields.text(choice.get("name"), "tool_choice.name")]), parallel
    fields.wrong("tool_choice.type", "Input should be 'auto', 'any', 'tool' or 'none'")
