"""Tools, tool choice and hosted tools as an upstream's Responses request. Rules: reference/translation.md 2.5 and 7."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.naming import wire_names
from proxyapp.dialects.openai.custom import WRAPPED_SCHEMA, guidance
from proxyapp.dialects.openai.schemas import parameters, satisfies_strict
from proxyapp.dialects.openai_responses.tables import CHOICE_WORD, CLIENT_RUN, HOSTED_KIND, NAME
from proxyapp.dialects.openai_responses.tools import full_name
from proxyapp.errors import Unsupported
from proxyapp.ir.parts import ToolCall
from proxyapp.ir.request import Request, ServerTool, Tool, ToolChoice

Spec = dict[str, Any]

NAME_LIMIT = 64
"""128 at OpenAI; servers that copy its API take 64 (7.1)."""
_NO_PARAMETERS = {"type": "object", "properties": {}, "additionalProperties": False}


def tool_names(request: Request, side: UpstreamSide) -> dict[str, str]:
    """Every tool name of the request -> the name it has on the wire; the way back goes to `side.wire_names`.

    This dialect alone has namespaces, so that only its own callers have namespaced tools: those keep their form.
    """
    names = [name_of(tool.name, tool.namespace, request) for tool in request.tools]
    names += request.tool_choice.names if request.tool_choice else []
    for turn in request.turns:
        names += [name_of(part.name, part.namespace, request) for part in turn.parts if isinstance(part, ToolCall)]
    table = wire_names(names, limit=min(side.profile.tool_name_limit, NAME_LIMIT))
    side.wire_names.update({wire: name for name, wire in table.items() if wire != name})
    return table


def name_of(name: str, namespace: str | None, request: Request) -> str:
    """A tool's name in the table of names."""
    return name if request.client_dialect == NAME else full_name(name, namespace)


def render_tools(request: Request, side: UpstreamSide, names: dict[str, str]) -> Spec:
    """`tools`, `tool_choice` and `parallel_tool_calls`, as far as they are needed. Raises Unsupported."""
    rendered = _own(request, side, names)
    for hosted in request.server_tools:
        spec = _hosted(hosted, side)
        if spec is not None:
            rendered.append(spec)
    choice = request.tool_choice
    if not rendered:
        if choice is not None and choice.mode in ("any", "named"):
            side.drop("tool_choice", "There is no tool that the upstream could be made to call.")
        return {}
    body: Spec = {"tools": rendered}
    if choice is not None:
        body |= _choice(choice, request, side, names)
    if request.parallel_tools is not None and side.profile.parallel_flag:
        body["parallel_tool_calls"] = request.parallel_tools
    elif request.parallel_tools is False:
        side.drop(request.word("parallel"), "The upstream cannot be held to one call a turn.")
    return body


def _own(request: Request, side: UpstreamSide, names: dict[str, str]) -> list[Spec]:
    """The caller's own tools; those of one namespace inside it, where the first of them stood."""
    rendered: list[Spec] = []
    spaces: dict[str, Spec] = {}
    for tool in request.tools:
        spec = _tool(tool, request, side, names)
        if tool.namespace is None or request.client_dialect != NAME:
            rendered.append(spec)
            continue
        space = spaces.get(tool.namespace)
        if space is None:
            about = tool.meta.get(NAME, {}).get("namespace_description", "")
            space = {"type": "namespace", "name": tool.namespace, "description": about, "tools": []}
            spaces[tool.namespace] = space
            rendered.append(space)
        space["tools"].append(spec)
    return rendered


def _tool(tool: Tool, request: Request, side: UpstreamSide, names: dict[str, str]) -> Spec:
    name = names[name_of(tool.name, tool.namespace, request)]
    about = {} if tool.description is None else {"description": tool.description}
    kept = tool.meta.get(NAME, {}).get("rest", {})
    if tool.kind == "custom" and side.profile.custom_tools:
        form = {"format": tool.grammar} if tool.grammar else {}
        return {"type": "custom", "name": name, **about, **form, **kept}
    if tool.kind == "custom":
        side.wrapped_tools.add(name_of(tool.name, tool.namespace, request))
        head = {"type": "function", "name": name, "description": guidance(tool)}
        return {**head, "parameters": WRAPPED_SCHEMA, "strict": False}
    return {
        "type": "function",
        "name": name,
        **about,
        "parameters": parameters(tool.schema) or _NO_PARAMETERS,
        "strict": _strict(tool, request, side),
        **kept,
    }


def _strict(tool: Tool, request: Request, side: UpstreamSide) -> bool:
    """Always said: left out, the server makes a schema strict where it can (2.5)."""
    if not tool.strict:
        return False
    if side.profile.strict_tools and (request.client_dialect == NAME or satisfies_strict(tool.schema)):
        return True
    side.drop("tools", f"Tool '{tool.name}' is not sent as strict: the upstream would refuse it.", dropped=False)
    return False


# --- choice


def _choice(choice: ToolChoice, request: Request, side: UpstreamSide, names: dict[str, str]) -> Spec:
    if choice.mode == "named":
        found = _entries(choice.names, request, side, names)
        if not found:
            side.drop("tool_choice", f"The tool '{choice.names[0]}' is not among those that were sent.")
        return {"tool_choice": found[0]} if found else {}
    if choice.mode == "allowed":
        mode = "required" if choice.required else "auto"
        entries = _entries(choice.names, request, side, names)
        return {"tool_choice": {"type": "allowed_tools", "mode": mode, "tools": entries}}
    return {"tool_choice": CHOICE_WORD[choice.mode]}


def _entries(wanted: list[str], request: Request, side: UpstreamSide, names: dict[str, str]) -> list[Spec]:
    tools = {full_name(tool.name, tool.namespace): tool for tool in request.tools}
    hosted = {tool.kind: tool for tool in request.server_tools}
    entries: list[Spec] = []
    for name in wanted:
        if (tool := tools.get(name)) is not None:
            kind = "custom" if tool.kind == "custom" and side.profile.custom_tools else "function"
            entries.append({"type": kind, "name": names[name_of(tool.name, tool.namespace, request)]})
        elif name in hosted:
            own = hosted[name].dialect == NAME
            entries.append({"type": hosted[name].raw.get("type", name) if own else _HOSTED_TYPE.get(name, name)})
    return entries


# --- hosted tools (7.8)

_HOSTED_TYPE = {"web_search": "web_search", "code_execution": "code_interpreter"}


def _hosted(tool: ServerTool, side: UpstreamSide) -> Spec | None:
    """None = left out, with a Note. Raises Unsupported."""
    if tool.dialect == NAME:
        return tool.raw
    path, kind = tool.path or "tools", HOSTED_KIND.get(tool.kind, tool.kind)
    if kind == "tool_search":
        side.drop(path, "All tools are loaded at once; there is no tool search across vendors.")
        return None
    if kind in _HOSTED_TYPE and side.profile.metadata:
        return _web_search(tool, path, side) if kind == "web_search" else _code(tool, path, side)
    sentence = f"This upstream cannot run the hosted tool '{tool.kind}'."
    if tool.optional:
        side.drop(path, sentence)
    elif kind in CLIENT_RUN or kind in _HOSTED_TYPE:
        side.refuse(path, sentence)
    else:
        raise Unsupported(sentence, param=path)
    return None


def _web_search(tool: ServerTool, path: str, side: UpstreamSide) -> Spec | None:
    """From Chat's `web_search_options` or Anthropic's `web_search`."""
    if tool.raw.get("blocked_domains"):
        side.refuse(f"{path}.blocked_domains", "This upstream's web search cannot leave domains out.")
    spec: Spec = {"type": "web_search"}
    if domains := tool.raw.get("allowed_domains"):
        spec["filters"] = {"allowed_domains": domains}
    if size := tool.raw.get("search_context_size"):
        spec["search_context_size"] = size
    place = tool.raw.get("user_location")
    if isinstance(place, dict):
        inner = place.get("approximate") if isinstance(place.get("approximate"), dict) else place
        known = {key: value for key, value in (inner or {}).items() if key != "type" and value is not None}
        spec["user_location"] = {"type": "approximate", **known}
    if tool.raw.get("max_uses") is not None:
        side.drop(f"{path}.max_uses", "This upstream has no limit on the number of searches.")
    return spec


def _code(tool: ServerTool, path: str, side: UpstreamSide) -> Spec:
    side.drop(path, "Code runs in this provider's own sandbox.", dropped=False)
    return {"type": "code_interpreter", "container": {"type": "auto"}}
