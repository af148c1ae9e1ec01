"""What Gemini refuses of tools and schemas: reference/translation.md 2.5, 7.1, 7.4."""

from __future__ import annotations

import re
from typing import Any

from tests.fakes.gemini_contents import Json, unknown
from tests.fakes.mind import Ask
from tests.fakes.strict import Refused, require

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}")
_TOOL = {
    "functionDeclarations", "googleSearch", "googleSearchRetrieval", "codeExecution", "urlContext", "computerUse",
    "fileSearch", "googleMaps", "mcpServers",
}  # fmt: skip
_DECLARATION = {
    "name", "description", "parameters", "parametersJsonSchema", "response", "responseJsonSchema", "behavior"
}  # fmt: skip
_SCHEMA = {
    "type", "format", "title", "description", "nullable", "enum", "items", "minItems", "maxItems", "properties",
    "required", "minProperties", "maxProperties", "minLength", "maxLength", "pattern", "example", "anyOf",
    "propertyOrdering", "default", "minimum", "maximum",
}  # fmt: skip
_FORMATS = {
    "STRING": ("enum", "date-time"), "NUMBER": ("float", "double", "enum"), "INTEGER": ("int32", "int64", "enum"),
}  # fmt: skip
_TYPES = ("STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL")
_BESIDE_ANY_OF = {"anyOf", "title", "description", "nullable", "type", "default"}


def toolset(tools: list[Json], ask: Ask) -> None:
    for number, tool in enumerate(tools):
        path = f"tools[{number}]"
        require(unknown(tool, _TOOL, path), f"{path}: Tool must have a tool type set.")
        for place, declared in enumerate(tool.get("functionDeclarations") or []):
            ask.tools.append(_declaration(declared, f"{path}.function_declarations[{place}]"))
    require(len(ask.tools) == len(set(ask.tools)), f"Duplicate function declaration found: {ask.tools}")
    require(len(ask.tools) <= 512, "At most 512 function declarations can be specified.")


def _declaration(declared: Json, path: str) -> str:
    unknown(declared, _DECLARATION, path)
    name = declared.get("name", "")
    require(isinstance(name, str) and _NAME.fullmatch(name), f"{path}.name: Invalid function name.")
    require(isinstance(declared.get("description", ""), str), f"Invalid value at '{path}.description' (TYPE_STRING)")
    own, standard = declared.get("parameters"), declared.get("parametersJsonSchema")
    require(own is None or standard is None, f"{path}: parameters and parameters_json_schema are mutually exclusive.")
    if own is not None:
        require(str(own.get("type")).upper() == "OBJECT", f"{path}.parameters: schema should be of type OBJECT.")
        checked(own, f"{path}.parameters")
    if standard is not None:
        _standard(standard, standard, f"{path}.parameters_json_schema")
    return name


def checked(schema: Any, path: str) -> None:
    """Google's own Schema: a message, whose unknown fields spoil the request."""
    unknown(schema, _SCHEMA, path)
    kind = schema.get("type")
    require(kind is None or str(kind).upper() in _TYPES, f"Invalid value at '{path}.type', \"{kind}\"")
    kind = str(kind).upper() if kind else None
    if "anyOf" in schema:
        require(set(schema) <= _BESIDE_ANY_OF, f"{path}: when using any_of, it must be the only field set.")
        for place, branch in enumerate(schema["anyOf"]):
            checked(branch, f"{path}.any_of[{place}]")
        return
    require(kind, f"{path}.type: must be specified")
    _limits(schema, kind, path)
    if kind == "ARRAY":
        require("items" in schema, f"{path}.items: missing field.")
        checked(schema["items"], f"{path}.items")
    if kind == "OBJECT":
        properties = schema.get("properties")
        require(properties is None or properties, f"{path}.properties: should be non-empty for OBJECT type")
        for name, inner in (properties or {}).items():
            checked(inner, f"{path}.properties[{name}]")
        for name in schema.get("required", []):
            require(name in (properties or {}), f"{path}.required: property is not defined: {name}")


def _limits(schema: Json, kind: str | None, path: str) -> None:
    enum = schema.get("enum")
    if enum is not None:
        right = isinstance(enum, list) and enum and all(isinstance(each, str) and each for each in enum)
        require(right, f"{path}.enum: cannot be empty, all must be non-empty strings (TYPE_STRING)")
        allowed = kind == "STRING" or schema.get("format") == "enum"
        require(allowed, f"{path}.enum: only allowed for STRING type")
    shape = schema.get("format")
    if shape is not None and kind in _FORMATS:
        said = f"{path}.format: only {_FORMATS[kind]} are supported for {kind} type"
        require(shape in _FORMATS[kind], said)
    for name in ("title", "description", "pattern"):
        require(isinstance(schema.get(name, ""), str), f"Invalid value at '{path}.{name}' (TYPE_STRING)")
    require(isinstance(schema.get("nullable", False), bool), f"Invalid value at '{path}.nullable' (TYPE_BOOL)")


def _standard(schema: Any, root: Json, path: str) -> None:
    """JSON Schema is a free value; its references must lead somewhere."""
    if isinstance(schema, list):
        for inner in schema:
            _standard(inner, root, path)
    if not isinstance(schema, dict):
        return
    reference = schema.get("$ref")
    if isinstance(reference, str):
        node: Any = root
        for word in reference.removeprefix("#").strip("/").split("/"):
            node = node.get(word) if isinstance(node, dict) else None
        if reference != "#" and node is None:
            raise Refused(f"{path}: reference to undefined schema at {reference}")
    for inner in schema.values():
        _standard(inner, root, path)
