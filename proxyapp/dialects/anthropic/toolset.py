"""The tools part of an upstream's body: names, definitions, hosted tools, choice (reference/translation.md 2.5, 7).

Fills `side.wire_names` and `side.wrapped_tools`, which the answer's decoder reads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxyapp.dialects import naming
from proxyapp.dialects.anthropic import schema
from proxyapp.dialects.anthropic.tables import CACHE_TTL, NAME
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.errors import Unsupported
from proxyapp.ir.parts import ToolCall
from proxyapp.ir.request import Request, ServerTool, Tool

FREE_TEXT: dict[str, Any] = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
}
FREE_TEXT_HINT = "Put the raw text of the call into `input`: plain text, no JSON inside it."
PLACEHOLDER = {
    "name": "earlier_tool",
    "description": "Stands for tools used earlier in this conversation. It can no longer be called.",
    "input_schema": {"type": "object", "properties": {}},
}
"""2.3 rule 7: history with tool blocks wants `tools`; sent with choice `none`, since the caller offers no tool."""


def qualified(name: str, namespace: str | None) -> str:
    """7.1 rule 4: namespaces are flattened."""
    return f"{namespace}__{name}" if namespace else name


def name_table(request: Request, side: UpstreamSide) -> dict[str, str]:
    """Caller's (qualified) tool names -> names on this wire, for definitions, choice and history alike."""
    names = [qualified(tool.name, tool.namespace) for tool in request.tools]
    names += request.tool_choice.names if request.tool_choice else []
    for turn in request.turns:
        names += [qualified(part.name, part.namespace) for part in turn.parts if isinstance(part, ToolCall)]
    table = naming.wire_names(names, limit=side.profile.tool_name_limit)
    side.wire_names.update({wire: name for name, wire in table.items() if wire != name})
    return table


def cache_control(lifetime: str) -> dict[str, str]:
    """A cache point; lifetimes of other vendors become the nearest cheaper one (2.7)."""
    ttl = CACHE_TTL.get(lifetime, "5m")
    return {"type": "ephemeral"} if ttl == "5m" else {"type": "ephemeral", "ttl": ttl}


class Toolset:
    """Renders the tools of one request."""

    def __init__(self, request: Request, side: UpstreamSide, names: dict[str, str]) -> None:
        self.request = request
        self.side = side
        self.names = names
        self.own = request.client_dialect == NAME

    # --- definitions

    def definitions(self) -> list[dict[str, Any]]:
        """Every tool the model may use, the caller's own first. Raises Unsupported for hosted ones it has not."""
        wanted = self._subset()
        tools = [
            self._definition(tool, f"tools.{index}")
            for index, tool in enumerate(self.request.tools)
            if wanted is None or qualified(tool.name, tool.namespace) in wanted
        ]
        for server_tool in self.request.server_tools:
            rendered = self._server_tool(server_tool)
            if rendered is not None:
                tools.append(rendered)
        return tools

    def _subset(self) -> set[str] | None:
        choice = self.request.tool_choice
        if choice is None or choice.mode != "allowed":
            return None
        self.side.drop("tool_choice", "Only the allowed tools are sent; the cached prompt differs.", dropped=False)
        return set(choice.names)

    def _definition(self, tool: Tool, path: str) -> dict[str, Any]:
        caller_name = qualified(tool.name, tool.namespace)
        rendered: dict[str, Any] = {"name": self.names[caller_name]}
        description = tool.description
        if tool.kind == "custom":
            self.side.wrapped_tools.add(caller_name)
            description = _free_text_description(tool)
        if description is not None:
            rendered["description"] = description
        rendered["input_schema"] = FREE_TEXT if tool.kind == "custom" else self._input_schema(tool, path)
        if tool.strict and tool.kind == "function":
            self._strict(rendered, path)
        if tool.cache:
            rendered["cache_control"] = cache_control(tool.cache)
        return {**rendered, **tool.meta.get(NAME, {})}

    def _input_schema(self, tool: Tool, path: str) -> dict[str, Any]:
        if self.own and tool.schema is not None:
            return tool.schema
        fitted, merged = schema.tool_input(tool.schema)
        if merged:
            self.side.drop(f"{path}.parameters", "The alternatives at the schema's root were merged.", dropped=False)
        return fitted

    def _strict(self, rendered: dict[str, Any], path: str) -> None:
        if not self.side.profile.strict_tools:
            self.side.drop(f"{path}.strict", "This model does not enforce tool schemas.")
            return
        rendered["strict"] = True
        if self.own:
            return
        rendered["input_schema"], moved = schema.strict(rendered["input_schema"])
        if moved:
            sentence = "Rules that strict tools do not know were moved into descriptions."
            self.side.drop(f"{path}.parameters", sentence, dropped=False)

    # --- hosted tools (7.8)

    def _server_tool(self, tool: ServerTool) -> dict[str, Any] | None:
        if tool.dialect == NAME:
            return dict(tool.raw)
        path = tool.path or "tools"
        if tool.kind in _HOSTED:
            return _HOSTED[tool.kind](tool, path, self.side)
        if tool.kind == "tool_search":
            self.side.drop(path, "All tools are loaded at once; there is no tool search across vendors.")
            return None
        sentence = f"The hosted tool `{tool.kind}` has no counterpart at this model's provider."
        if tool.kind in _CLIENT_RUN:
            self.side.refuse(path, sentence)
            return None
        raise Unsupported(sentence, param=path)

    # --- choice

    def choice(self, has_tools: bool) -> dict[str, Any] | None:
        """`tool_choice`, or None to leave it out; a choice without tools means nothing."""
        choice = self.request.tool_choice
        if not has_tools:
            if choice is not None and choice.mode in ("any", "named"):
                self.side.drop("tool_choice", "There is no tool to choose.")
            return None
        rendered: dict[str, Any] | None = None
        if choice is not None:
            rendered = self._choice_type(choice.mode, choice.names, choice.required)
        if self.request.parallel_tools is not None and (rendered is None or rendered["type"] != "none"):
            if self.request.parallel_tools is False:
                rendered = {**(rendered or {"type": "auto"}), "disable_parallel_tool_use": True}
            elif self.own and rendered is not None:
                rendered["disable_parallel_tool_use"] = False
        return rendered

    def _choice_type(self, mode: str, names: list[str], required: bool) -> dict[str, Any]:
        if mode == "named" and names:
            return {"type": "tool", "name": self.names[names[0]]}
        if mode == "allowed":
            return {"type": "any" if required else "auto"}
        return {"type": mode if mode in ("auto", "any", "none") else "any"}


def _free_text_description(tool: Tool) -> str:
    """7.7: the grammar is told in words, since this wire has no free-text tools."""
    lines = [tool.description] if tool.description else []
    lines.append(FREE_TEXT_HINT)
    definition = (tool.grammar or {}).get("definition")
    if definition:
        syntax = (tool.grammar or {}).get("syntax", "grammar")
        lines.append(f"The text must follow this {syntax} grammar:\n{definition}")
    return "\n\n".join(lines)


def _web_search(tool: ServerTool, path: str, side: UpstreamSide) -> dict[str, Any] | None:
    """From Chat's `web_search_options` or Responses' `web_search`."""
    if tool.raw.get("external_web_access") is False:
        side.drop(path, "The provider's web search always goes out to the web; it was left out.")
        return None
    rendered: dict[str, Any] = {"type": "web_search_20250305", "name": "web_search"}
    filters = tool.raw.get("filters") or {}
    if filters.get("allowed_domains"):
        rendered["allowed_domains"] = filters["allowed_domains"]
    location = tool.raw.get("user_location") or {}
    place = location.get("approximate") or {key: value for key, value in location.items() if key != "type"}
    place = {key: value for key, value in place.items() if value is not None}
    if place:
        rendered["user_location"] = {"type": "approximate", **place}
    if tool.raw.get("search_context_size") is not None:
        side.drop(f"{path}.search_context_size", "The provider's web search has no such setting.")
    return rendered


def _code_execution(tool: ServerTool, path: str, side: UpstreamSide) -> dict[str, Any]:
    container = tool.raw.get("container")
    if isinstance(container, str) or (isinstance(container, dict) and container.get("file_ids")):
        raise Unsupported("Containers and files of another provider cannot be used.", param=f"{path}.container")
    side.drop(path, "Code runs in this provider's own sandbox.", dropped=False)
    return {"type": "code_execution_20250825", "name": "code_execution"}


_HOSTED: dict[str, Callable[[ServerTool, str, UpstreamSide], dict[str, Any] | None]] = {
    "web_search": _web_search,
    "web_search_preview": _web_search,
    "code_execution": _code_execution,
    "code_interpreter": _code_execution,
}

_CLIENT_RUN = frozenset({"bash", "shell", "local_shell", "text_editor", "memory", "apply_patch", "web_fetch"})
"""E* in 7.8: these could be left out without a different answer shape, if the operator allows it."""
