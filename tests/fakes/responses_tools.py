"""What OpenAI Responses refuses of tools: reference/translation.md 2.5, 7.1, 7.2, 7.7."""

from __future__ import annotations

import re
from typing import Any

from tests.fakes.mind import Ask
from tests.fakes.strict import Refused, only, require, text

Json = dict[str, Any]
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
BETWEEN = "__"
"""A tool of a namespace is called `namespace__tool` where a mind hears of it."""
_FUNCTION = {"type", "name", "description", "parameters", "strict", "output_schema", "defer_loading", "allowed_callers"}
_HOSTED = {
    "web_search": {"type", "external_web_access", "filters", "search_context_size", "user_location"},
    "tool_search": {"type", "execution", "description", "parameters"},
}
_NOT_STRICT = ("allOf", "not", "if", "then", "else", "oneOf", "patternProperties", "dependentRequired")


def toolset(tools: list[Json], ask: Ask) -> None:
    for number, tool in enumerate(tools):
        path = f"tools[{number}]"
        kind = tool.get("type")
        if kind == "namespace":
            only(tool, {"type", "name", "description", "tools"}, path)
            require(NAME.fullmatch(text(tool.get("name"), path)), f"Invalid '{path}.name'.")
            text(tool.get("description"), f"{path}.description")
            require(tool.get("tools"), f"{path}.tools: too short")
            for inner in tool["tools"]:
                ask.tools.append(f"{tool['name']}{BETWEEN}{_own(inner, path)}")
        elif kind in _HOSTED:
            only(tool, _HOSTED[kind], path)
        else:
            ask.tools.append(_own(tool, path))
    require(len(ask.tools) == len(set(ask.tools)), "tools: names must be unique")


def _own(tool: Json, path: str) -> str:
    """A function or a free-form tool: its name."""
    name = text(tool.get("name"), f"{path}.name")
    require(NAME.fullmatch(name), f"Invalid '{path}.name': string does not match pattern '^[a-zA-Z0-9_-]+$'.")
    match tool.get("type"):
        case "function":
            only(tool, _FUNCTION, path)
            schema = tool.get("parameters")
            if schema is not None:
                _root(schema, name, path)
                if tool.get("strict"):
                    strict(schema, name, f"{path}.parameters")
        case "custom":
            only(tool, {"type", "name", "description", "format", "defer_loading", "allowed_callers"}, path)
            _grammar(tool.get("format") or {"type": "text"}, f"{path}.format")
        case kind:
            raise Refused(f"Invalid value: '{kind}'.", param=f"{path}.type", code="invalid_value")
    return name


def _root(schema: Any, name: str, path: str) -> None:
    said = f"Invalid schema for function '{name}': "
    require(isinstance(schema, dict), f"{path}.parameters: expected an object")
    require(schema.get("type") == "object", f"{said}schema must be a JSON Schema of 'type: \"object\"'")
    require("properties" in schema, f"{said}object schema missing properties.")


def _grammar(shape: Json, path: str) -> None:
    if shape.get("type") == "grammar":
        only(shape, {"type", "syntax", "definition"}, path)
        require(shape.get("syntax") in ("lark", "regex"), f"{path}.syntax: invalid value")
        text(shape.get("definition"), f"{path}.definition")
    else:
        only(shape, {"type"}, path)
        require(shape.get("type") == "text", f"{path}.type: invalid value")


def strict(schema: Any, name: str, path: str) -> None:
    """OpenAI's rules for strict schemas (7.2)."""
    if isinstance(schema, list):
        for inner in schema:
            strict(inner, name, path)
    if not isinstance(schema, dict):
        return
    said = f"Invalid schema for '{name}': In context={path}, "
    for word in _NOT_STRICT:
        require(word not in schema, f"{said}'{word}' is not permitted.")
    if schema.get("type") == "object":
        require(schema.get("additionalProperties") is False, f"{said}'additionalProperties' must be false.")
        properties = schema.get("properties", {})
        same = set(schema.get("required", [])) == set(properties)
        require(same, f"{said}'required' is required to be supplied and to hold every key in properties.")
    for word in ("properties", "$defs"):
        for key, inner in schema.get(word, {}).items():
            strict(inner, name, f"{path}.{key}")
    for word in ("items", "anyOf"):
        strict(schema.get(word), name, f"{path}.{word}")


def choice(body: Json, ask: Ask) -> None:
    chosen = body.get("tool_choice")
    if chosen is None:
        return
    hosted = any(tool.get("type") in _HOSTED for tool in body.get("tools") or [])
    if isinstance(chosen, str):
        require(chosen in ("auto", "none", "required"), f"Invalid value: '{chosen}'. (tool_choice)")
        require(ask.tools or hosted or chosen != "required", "Tool choice 'required' must be specified with 'tools'.")
        ask.forced = "*" if chosen == "required" else None
        return
    match chosen.get("type"):
        case "function" | "custom":
            only(chosen, {"type", "name"}, "tool_choice")
            ask.forced = text(chosen.get("name"), "tool_choice.name")
            require(ask.forced in ask.tools, f"Tool choice '{ask.forced}' not found in 'tools' parameter.")
        case "allowed_tools":
            only(chosen, {"type", "mode", "tools"}, "tool_choice")
            require(chosen.get("mode") in ("auto", "required"), "tool_choice.mode: invalid value")
            names = [tool.get("name") for tool in chosen.get("tools") or []]
            require(names and set(names) <= set(ask.tools), "tool_choice.tools: not among the tools")
            ask.tools = names
            ask.forced = "*" if chosen["mode"] == "required" else None
        case kind:
            require(kind in _HOSTED, f"Invalid value: '{kind}'. (tool_choice.type)")
