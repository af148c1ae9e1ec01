"""A caller's tools and tool choice as IR: functions, free-text tools, namespaces of both, and hosted ones."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.openai.fields import as_record, checked_search, flag, listing, needed_text, record, text, wrong
from proxyapp.dialects.openai_responses.tables import CHOICE_MODE, HOSTED_KIND, NAME
from proxyapp.ir.request import Request, ServerTool, Tool, ToolChoice

_FUNCTION = {"type", "name", "description", "parameters", "strict"}
_CUSTOM = {"type", "name", "description", "format"}


def full_name(name: str, namespace: str | None) -> str:
    """The one name of a namespaced tool, as dialects without namespaces write it (reference/translation.md 7.1)."""
    return f"{namespace}__{name}" if namespace else name


class ToolReader:
    """Fills the tools of one request, from `tools` and from `additional_tools` items."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._places: dict[tuple[str, str | None], int] = {}
        """Where each tool stands in the list."""
        self._homes: dict[str, list[str | None]] | None = None
        """Name -> the namespaces that hold one; made when all tools are known."""

    def read(self, value: Any, path: str) -> None:
        """A list of tools. A tool that was declared before is replaced. Raises BadRequest."""
        for index, item in enumerate(listing({"tools": value}, "tools") or []):
            at = f"{path}.{index}"
            self._tool(as_record(item, at), at)

    def _tool(self, item: dict[str, Any], path: str) -> None:
        kind = text(item, "type", path) or "function"
        if kind == "namespace":
            self._namespace(item, path)
        elif kind in ("function", "custom"):
            self._add(_own(item, kind, path))
        else:
            self._request.server_tools.append(
                ServerTool(
                    kind=HOSTED_KIND.get(kind, kind),
                    dialect=NAME,
                    raw=checked_search(item, path),
                    path=path,
                    optional=kind.startswith("web_search") and not (item.get("filters") or {}),
                )
            )

    def _namespace(self, item: dict[str, Any], path: str) -> None:
        name, about = needed_text(item, "name", path), text(item, "description", path) or ""
        for index, inner in enumerate(listing(item, "tools", path) or []):
            at = f"{path}.tools.{index}"
            spec = as_record(inner, at)
            tool = _own(spec, text(spec, "type", at) or "function", at)
            tool.namespace = name
            tool.meta.setdefault(NAME, {})["namespace_description"] = about
            self._add(tool)

    def _add(self, tool: Tool) -> None:
        """The last declaration of a name holds: agents send `additional_tools` again in later turns."""
        tools = self._request.tools
        place = self._places.setdefault((tool.name, tool.namespace), len(tools))
        tools[place : place + 1] = [tool]

    def read_choice(self, body: dict[str, Any]) -> None:
        """Call it when all tools are known. Raises BadRequest."""
        value = body.get("tool_choice")
        if value is None:
            return
        choice = self._choice(value)
        self._request.tool_choice = choice
        for tool in self._request.server_tools:
            forced = choice.mode == "any" and not self._request.tools
            if forced or tool.kind in choice.names:
                tool.optional = False

    def _choice(self, value: Any) -> ToolChoice:
        if isinstance(value, str):
            return _mode(value, "tool_choice")
        spec = as_record(value, "tool_choice")
        kind = needed_text(spec, "type", "tool_choice")
        if kind == "allowed_tools":
            return self._allowed(spec)
        if kind in CHOICE_MODE:
            return _mode(kind, "tool_choice.type")
        return ToolChoice(mode="named", names=[self._chosen(spec, "tool_choice")])

    def _allowed(self, spec: dict[str, Any]) -> ToolChoice:
        entries = listing(spec, "tools", "tool_choice") or []
        names = [
            self._chosen(as_record(entry, f"tool_choice.tools.{index}"), f"tool_choice.tools.{index}")
            for index, entry in enumerate(entries)
        ]
        return ToolChoice(mode="allowed", names=names, required=spec.get("mode") == "required")

    def _chosen(self, spec: dict[str, Any], path: str) -> str:
        """The full name of a tool in a choice. Hosted ones go by their neutral word."""
        kind = text(spec, "type", path) or "function"
        if kind not in ("function", "custom"):
            return HOSTED_KIND.get(kind, kind)
        name, namespace = needed_text(spec, "name", path), text(spec, "namespace", path)
        return full_name(name, namespace if namespace is not None else self._home(name))

    def _home(self, name: str) -> str | None:
        """The namespace of the only tool of that name."""
        if self._homes is None:
            self._homes = {}
            for tool in self._request.tools:
                self._homes.setdefault(tool.name, []).append(tool.namespace)
        homes = self._homes.get(name, [])
        return homes[0] if len(homes) == 1 else None


def _own(item: dict[str, Any], kind: str, path: str) -> Tool:
    if kind not in ("function", "custom"):
        raise wrong(f"{path}.type", "function or custom: a namespace holds no others")
    known = _FUNCTION if kind == "function" else _CUSTOM
    rest = {name: value for name, value in item.items() if name not in known and value is not None}
    tool = Tool(
        name=needed_text(item, "name", path),
        description=text(item, "description", path),
        meta={NAME: {"rest": rest}} if rest else {},
    )
    if kind == "custom":
        tool.kind, tool.grammar = "custom", record(item, "format", path)
        return tool
    tool.schema = record(item, "parameters", path)
    tool.strict = flag(item, "strict", path)
    return tool


def _mode(word: str, path: str) -> ToolChoice:
    if word not in CHOICE_MODE:
        raise wrong(path, "auto, none, required or a tool")
    return ToolChoice(mode=CHOICE_MODE[word])  # type: ignore[arg-type]
