"""The tools part of an upstream's body: names, declarations, hosted tools, choice (reference/translation.md 2.5, 7).

Fills `side.wire_names` and `side.wrapped_tools`, which the answer's decoder reads.
"""

from __future__ import annotations

import hashlib
from typing import Any

from proxyapp.dialects import cleaning, naming
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.gemini.tables import NAME
from proxyapp.errors import Unsupported
from proxyapp.ir.parts import ToolCall
from proxyapp.ir.request import Request, ServerTool, Tool, ToolChoice

FREE_TEXT: dict[str, Any] = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
FREE_TEXT_HINT = "Put the raw text of the call into `input`: plain text, no JSON inside it."
_SEARCHES = frozenset({"web_search", "web_search_preview"})
_CODE = frozenset({"code_execution", "code_interpreter"})
_FILTERS = ("allowed_domains", "blocked_domains")
_CLIENT_RUN = frozenset({"bash", "shell", "local_shell", "text_editor", "memory", "apply_patch"})
"""E* in 7.8: these could be left out without a different answer shape, if the operator allows it."""
_MODES = {"auto": "AUTO", "none": "NONE", "any": "ANY", "named": "ANY"}


def qualified(name: str, namespace: str | None) -> str:
    """7.1 rule 4: namespaces are flattened."""
    return f"{namespace}__{name}" if namespace else name


def name_table(request: Request, side: UpstreamSide) -> dict[str, str]:
    """Caller's (qualified) tool names -> names on this wire, for declarations, choice and history alike."""
    names = [qualified(tool.name, tool.namespace) for tool in request.tools]
    names += request.tool_choice.names if request.tool_choice else []
    for turn in request.turns:
        names += [qualified(part.name, part.namespace) for part in turn.parts if isinstance(part, ToolCall)]
    limit = side.profile.tool_name_limit
    table = naming.wire_names(names, limit=limit)
    taken = set(table.values())
    for name, wire in table.items():
        if not (wire[0].isalpha() or wire[0] == "_"):  # how a name begins here
            table[name] = _prefixed(wire, limit, taken)
            taken.add(table[name])
    side.wire_names.update({wire: name for name, wire in table.items() if wire != name})
    return table


def _prefixed(wire: str, limit: int, taken: set[str]) -> str:
    if len(wire) < limit and f"_{wire}" not in taken:
        return f"_{wire}"
    return f"_{wire[: limit - 10]}_{hashlib.sha256(wire.encode()).hexdigest()[:8]}"


class Toolset:
    """Renders the tools of one request."""

    def __init__(self, request: Request, side: UpstreamSide, names: dict[str, str]) -> None:
        self.request = request
        self.side = side
        self.names = names

    def definitions(self) -> list[dict[str, Any]]:
        """`tools`. Raises Unsupported for hosted ones that Google has not."""
        declared = [self._declaration(tool, f"tools.{index}") for index, tool in enumerate(self.request.tools)]
        tools: list[dict[str, Any]] = [{"functionDeclarations": declared}] if declared else []
        for hosted in self.request.server_tools:
            rendered = self._hosted(hosted)
            if rendered is not None and rendered not in tools:
                tools.append(rendered)
        return tools

    def _declaration(self, tool: Tool, path: str) -> dict[str, Any]:
        name = qualified(tool.name, tool.namespace)
        spec: dict[str, Any] = {"name": self.names[name]}
        description, wanted = tool.description, tool.schema
        if tool.kind == "custom":
            self.side.wrapped_tools.add(name)
            description, wanted = _free_text_description(tool), FREE_TEXT
        if description:
            spec["description"] = description
        clean = cleaning.json_parameters if self.side.profile.json_schema else cleaning.parameters
        fitted, was_cut = clean(wanted)
        if was_cut:
            self.side.drop(f"{path}.parameters", "A part of the schema that holds itself was cut off.", dropped=False)
        if fitted is not None:
            spec["parametersJsonSchema" if self.side.profile.json_schema else "parameters"] = fitted
        return spec

    # --- hosted tools (7.8)

    def _hosted(self, tool: ServerTool) -> dict[str, Any] | None:
        path = tool.path or "tools"
        if tool.dialect == NAME:
            return dict(tool.raw)
        if tool.kind in _SEARCHES:
            return self._search(tool, path)
        if tool.kind == "web_fetch":
            self._filters(tool, path)
            return {"urlContext": {}}
        if tool.kind in _CODE:
            return self._code(tool, path)
        if tool.kind == "tool_search":
            self.side.drop(path, "All tools are loaded at once; there is no tool search across vendors.")
            return None
        sentence = f"The hosted tool `{tool.kind}` has no counterpart at this model's provider."
        if tool.kind in _CLIENT_RUN:
            self.side.refuse(path, sentence)
            return None
        raise Unsupported(sentence, param=path)

    def _search(self, tool: ServerTool, path: str) -> dict[str, Any] | None:
        """Beside functions many of Google's models refuse their search, so that one that is only offered goes."""
        if tool.raw.get("external_web_access") is False or (tool.optional and self.request.tools):
            self.side.drop(path, "The search was left out: Google's goes out to the web, and not beside functions.")
            return None
        self._filters(tool, path)
        return {"googleSearch": {}}

    def _filters(self, tool: ServerTool, path: str) -> None:
        filters = tool.raw.get("filters")
        found = {**tool.raw, **(filters if isinstance(filters, dict) else {})}
        for field in _FILTERS:
            if found.get(field):
                self.side.refuse(f"{path}.{field}", "Google's search cannot be kept to certain sites.")
        for field in ("user_location", "search_context_size", "max_uses", "external_web_access", "max_content_tokens"):
            if tool.raw.get(field) is not None:
                self.side.drop(f"{path}.{field}", "Google's hosted tool has no such setting.")

    def _code(self, tool: ServerTool, path: str) -> dict[str, Any]:
        container = tool.raw.get("container")
        if isinstance(container, str) or (isinstance(container, dict) and container.get("file_ids")):
            raise Unsupported("Containers and files of another provider cannot be used.", param=f"{path}.container")
        self.side.drop(path, "Code runs in this provider's own sandbox.", dropped=False)
        return {"codeExecution": {}}

    # --- choice

    def config(self) -> dict[str, Any] | None:
        """`toolConfig.functionCallingConfig`; None to leave it out. A choice without tools means nothing (2.5)."""
        if not self.request.tools:
            return None
        if self.request.parallel_tools is False:
            self.side.drop(self.request.word("parallel"), "This model cannot be kept from calling several tools.")
        choice = self.request.tool_choice
        if choice is None or choice.mode == "auto":
            return self._auto(choice)
        if choice.mode == "allowed":
            return {"mode": "ANY" if choice.required else "VALIDATED", "allowedFunctionNames": self._named(choice)}
        found: dict[str, Any] = {"mode": _MODES[choice.mode]}
        if choice.mode == "named":
            found["allowedFunctionNames"] = self._named(choice)
        return found

    def _auto(self, choice: ToolChoice | None) -> dict[str, Any] | None:
        """VALIDATED holds the model to the schemas, which is what others name strict."""
        if any(tool.strict for tool in self.request.tools):
            if self.side.profile.strict_tools:
                return {"mode": "VALIDATED"}
            self.side.drop("tools", "This model does not enforce tool schemas.", dropped=False)
        return {"mode": "AUTO"} if choice is not None else None

    def _named(self, choice: ToolChoice) -> list[str]:
        return [self.names[name] for name in choice.names]


def _free_text_description(tool: Tool) -> str:
    """7.7: the grammar is told in words, since this wire has no free-text tools."""
    lines = [tool.description] if tool.description else []
    lines.append(FREE_TEXT_HINT)
    definition = (tool.grammar or {}).get("definition")
    if definition:
        syntax = (tool.grammar or {}).get("syntax", "grammar")
        lines.append(f"The text must follow this {syntax} grammar:\n{definition}")
    return "\n\n".join(lines)
