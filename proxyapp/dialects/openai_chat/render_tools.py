"""Tools, tool choice and hosted tools as an upstream's Chat request. Rules: reference/translation.md 2.5 and 7."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.naming import wire_names
from proxyapp.dialects.openai.custom import WRAPPED_SCHEMA, guidance
from proxyapp.dialects.openai.schemas import fitting, parameters, satisfies_strict
from proxyapp.dialects.openai_chat.assistant import full_name
from proxyapp.dialects.openai_chat.tables import NAME
from proxyapp.ir.parts import ToolCall
from proxyapp.ir.request import Request, ServerTool, Tool, ToolChoice

_WORDS = {"auto": "auto", "none": "none", "any": "required"}
_FILTERS = ("allowed_domains", "blocked_domains")


def tool_names(request: Request, side: UpstreamSide) -> dict[str, str]:
    """Every tool name of the request -> the name it has on the wire; the way back goes to `side.wire_names`."""
    names = [full_name(tool.name, tool.namespace) for tool in request.tools]
    names += request.tool_choice.names if request.tool_choice else []
    for turn in request.turns:
        names += [full_name(part.name, part.namespace) for part in turn.parts if isinstance(part, ToolCall)]
    table = wire_names(names, limit=side.profile.tool_name_limit)
    side.wire_names.update({wire: name for name, wire in table.items() if wire != name})
    return table


def render_tools(request: Request, side: UpstreamSide, names: dict[str, str]) -> dict[str, Any]:
    """`tools`, `tool_choice`, `parallel_tool_calls` and `web_search_options`, as far as they are needed."""
    body: dict[str, Any] = {}
    choice = request.tool_choice
    tools = _offered(request.tools, choice, side)
    rendered = [_custom(tool, side, names) if tool.kind == "custom" else _function(tool, side, names) for tool in tools]
    for hosted in request.server_tools:
        if hosted.dialect == NAME and hosted.path != "web_search_options":
            rendered.append(hosted.raw)
        else:
            body |= _web_search(hosted, side)
    if rendered:
        body["tools"] = rendered
        body |= _choice(choice, side, tools, names)
        body |= _parallel(request.parallel_tools, side)
    elif choice is not None and choice.mode in ("any", "named"):
        side.drop("tool_choice", "There is no tool that the upstream could be made to call.")
    return body


def _offered(tools: list[Tool], choice: ToolChoice | None, side: UpstreamSide) -> list[Tool]:
    """The tools to send: a subset where the choice names one and the server cannot be told so."""
    if choice is None or choice.mode != "allowed" or side.profile.metadata:
        return tools
    side.drop("tool_choice", "The allowed tools alone were sent: the upstream cannot be told a subset.", dropped=False)
    return [tool for tool in tools if full_name(tool.name, tool.namespace) in choice.names]


def _function(tool: Tool, side: UpstreamSide, names: dict[str, str]) -> dict[str, Any]:
    spec: dict[str, Any] = {"name": names[full_name(tool.name, tool.namespace)]}
    if tool.description is not None:
        spec["description"] = tool.description
    if (schema := parameters(fitting(tool.schema, side.profile))) is not None:
        spec["parameters"] = schema
    if tool.strict is not None and side.profile.strict_tools and not side.profile.plain_schemas:
        spec["strict"] = tool.strict and satisfies_strict(tool.schema)
    if tool.strict and not spec.get("strict"):
        side.drop("tools", f"Tool '{tool.name}' is not sent as strict: the upstream would refuse it.", dropped=False)
    return {"type": "function", "function": spec}


def _custom(tool: Tool, side: UpstreamSide, names: dict[str, str]) -> dict[str, Any]:
    name = names[full_name(tool.name, tool.namespace)]
    if not side.profile.custom_tools:
        side.wrapped_tools.add(full_name(tool.name, tool.namespace))
        function = {"name": name, "description": guidance(tool), "parameters": WRAPPED_SCHEMA}
        return {"type": "function", "function": function}
    spec: dict[str, Any] = {"name": name}
    if tool.description is not None:
        spec["description"] = tool.description
    if tool.grammar:
        spec["format"] = _format(tool.grammar)
    return {"type": "custom", "custom": spec}


def _format(grammar: dict[str, Any]) -> dict[str, Any]:
    if grammar.get("type") != "grammar" or "grammar" in grammar:
        return grammar
    return {"type": "grammar", "grammar": {key: value for key, value in grammar.items() if key != "type"}}


def _choice(choice: ToolChoice | None, side: UpstreamSide, tools: list[Tool], names: dict[str, str]) -> dict[str, Any]:
    if choice is None:
        return {}
    if choice.mode == "named":
        found = _entries(choice.names, side, tools, names)
        if not found:
            side.drop("tool_choice", f"The tool '{choice.names[0]}' is not among those that were sent.")
        return {"tool_choice": found[0]} if found else {}
    if choice.mode == "allowed":
        mode = "required" if choice.required else "auto"
        if not side.profile.metadata:
            return {"tool_choice": mode}
        subset = {"mode": mode, "tools": _entries(choice.names, side, tools, names)}
        return {"tool_choice": {"type": "allowed_tools", "allowed_tools": subset}}
    return {"tool_choice": _WORDS[choice.mode]}


def _entries(wanted: list[str], side: UpstreamSide, tools: list[Tool], names: dict[str, str]) -> list[dict[str, Any]]:
    """`{type, function: {name}}` of each wanted tool that is offered."""
    kinds = {full_name(tool.name, tool.namespace): tool.kind for tool in tools}
    entries = []
    for name in wanted:
        if name in kinds:
            kind = "custom" if kinds[name] == "custom" and side.profile.custom_tools else "function"
            entries.append({"type": kind, kind: {"name": names[name]}})
    return entries


def _parallel(parallel: bool | None, side: UpstreamSide) -> dict[str, Any]:
    if parallel is None:
        return {}
    if side.profile.parallel_flag:
        return {"parallel_tool_calls": parallel}
    if not parallel:
        side.drop("parallel_tool_calls", "The upstream cannot be held to one call a turn.")
    return {}


def _web_search(tool: ServerTool, side: UpstreamSide) -> dict[str, Any]:
    """Plain web search at OpenAI's own hosts; every other hosted tool is refused, never sent as a function."""
    if tool.dialect == NAME:
        return {"web_search_options": tool.raw}
    if tool.optional and "search" not in side.model:  # OpenAI takes the field for its search models alone
        side.drop(tool.path, "This upstream runs no web search; the tool was left out.")
        return {}
    filters = tool.raw.get("filters") or tool.raw
    filtered = any(filters.get(name) for name in _FILTERS)
    if tool.kind != "web_search" or not side.profile.metadata or filtered:
        why = "search only some domains" if filtered else f"run the hosted tool '{tool.kind}'"
        side.refuse(tool.path or "tools", f"This upstream cannot {why}.")
        return {}
    if tool.raw.get("max_uses") is not None:
        side.drop(f"{tool.path}.max_uses", "Chat has no limit on the number of searches.")
    place = tool.raw.get("user_location")
    if not isinstance(place, dict):
        return {"web_search_options": {}}
    approximate = {key: value for key, value in place.items() if key != "type" and value is not None}
    return {"web_search_options": {"user_location": {"type": "approximate", "approximate": approximate}}}
