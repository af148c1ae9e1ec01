"""A caller's `tools` and `toolConfig` (reference/translation.md 2.5, 7.8)."""

from __future__ import annotations

from typing import Any, Literal

from proxyapp.dialects.contract import ClientSide
from proxyapp.dialects.gemini import fields
from proxyapp.dialects.gemini.openapi import as_json_schema
from proxyapp.dialects.gemini.tables import NAME, SERVER_KINDS
from proxyapp.ir.request import Request, ServerTool, Tool, ToolChoice

_Mode = Literal["auto", "none", "any"]
_MODES: dict[str, _Mode] = {"AUTO": "auto", "NONE": "none", "ANY": "any", "VALIDATED": "auto"}
_MODE_NUMBERS = ("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED")


def read_tools(body: dict[str, Any], request: Request, side: ClientSide) -> None:
    """Fills tools, hosted tools and choice. Raises BadRequest."""
    for index, item in enumerate(fields.listing(body, "tools")):
        _read_tool(fields.camelled(fields.as_record(item, f"tools.{index}")), f"tools.{index}", request)
    config = fields.camelled(fields.record(body, "toolConfig") or {})
    calling = fields.record(config, "functionCallingConfig", "toolConfig") or {}
    request.tool_choice = _choice(calling, request)
    for key in config:
        if key != "functionCallingConfig":
            side.notes.add(f"toolConfig.{key}", "Only Google's own models know this setting.")


def _read_tool(item: dict[str, Any], path: str, request: Request) -> None:
    for key, value in item.items():
        if key == "functionDeclarations":
            for index, spec in enumerate(value if isinstance(value, list) else [value]):
                at = f"{path}.functionDeclarations.{index}"
                request.tools.append(_function(fields.as_record(spec, at), at))
        else:
            kind = SERVER_KINDS.get(key, key)
            request.server_tools.append(ServerTool(kind=kind, dialect=NAME, raw={key: value}, path=f"{path}.{key}"))


def _function(spec: dict[str, Any], path: str) -> Tool:
    name = fields.text(spec, "name", path)
    if not name:
        raise fields.wrong(f"{path}.name", "given, as a string that is not empty")
    return Tool(
        name=name,
        description=fields.text(spec, "description", path),
        schema=_parameters(spec, path),
    )


def _parameters(spec: dict[str, Any], path: str) -> dict[str, Any] | None:
    whole = fields.record(spec, "parametersJsonSchema", path)
    if whole is not None:
        return whole
    schema = fields.record(spec, "parameters", path)
    return None if schema is None else as_json_schema(schema, f"{path}.parameters")


def _choice(calling: dict[str, Any], request: Request) -> ToolChoice | None:
    at = "toolConfig.functionCallingConfig"
    mode, names = fields.pick(calling, "mode"), fields.texts(calling, "allowedFunctionNames", at)
    if isinstance(mode, int) and not isinstance(mode, bool) and 0 <= mode < len(_MODE_NUMBERS):
        mode = _MODE_NUMBERS[mode]
    word = mode.upper() if isinstance(mode, str) else ""
    if word == "VALIDATED":  # calls that always keep their schema: what others name strict
        for tool in request.tools:
            tool.strict = True
    if names and word in ("ANY", "VALIDATED"):
        if len(names) == 1 and word == "ANY":
            return ToolChoice(mode="named", names=names)
        return ToolChoice(mode="allowed", names=names, required=word == "ANY")
    if word in ("", "MODE_UNSPECIFIED"):
        return None
    if word not in _MODES:
        raise fields.wrong(f"{at}.mode", "AUTO, ANY, NONE or VALIDATED")
    return ToolChoice(mode=_MODES[word])
