"""JSON Schemas as OpenAI wants them. Rules: reference/translation.md 7.2. Keywords only, never property names."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects import cleaning
from proxyapp.ir.profile import Profile

_FORBIDDEN = {"allOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "patternProperties"}
_BRANCHES = ("anyOf", "prefixItems")
_MAPS = ("properties", "$defs", "definitions")


def fitting(schema: dict[str, Any] | None, profile: Profile) -> dict[str, Any] | None:
    """The schema without the keywords that the server would refuse. Raises BadRequest."""
    return cleaning.plain(schema) if schema and profile.plain_schemas else schema


def parameters(schema: dict[str, Any] | None) -> dict[str, Any] | None:
    """A tool's schema with what the API insists on: a root of type object that has `properties`."""
    if schema is None:
        return None
    if "properties" in schema and schema.get("type") == "object":
        return schema
    if not {"type", "$ref", "anyOf", "oneOf", "allOf"} & schema.keys():
        schema = {"type": "object", **schema}
    if schema.get("type") == "object" and "properties" not in schema:
        return {**schema, "properties": {}}
    return schema


def satisfies_strict(schema: Any) -> bool:
    """Does the schema already keep the rules of strict mode, so that nothing about it would have to change?"""
    return isinstance(schema, dict) and schema.get("type") == "object" and "anyOf" not in schema and _strict(schema)


def _strict(node: Any) -> bool:
    if not isinstance(node, dict):
        return isinstance(node, bool)
    if _FORBIDDEN & node.keys() or not _strict_object(node):
        return False
    children = [child for name in _MAPS for child in _values(node.get(name))]
    children += [child for name in _BRANCHES for child in _items(node.get(name))]
    if "items" in node:
        children.append(node["items"])
    return all(_strict(child) for child in children)


def _strict_object(node: dict[str, Any]) -> bool:
    kind = node.get("type")
    is_object = kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in node
    if not is_object:
        return True
    names, required = _keys(node.get("properties")), _items(node.get("required"))
    is_closed = node.get("additionalProperties") is False
    return is_closed and len(required) == len(names) and all(name in required for name in names)


def _values(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else []


def _keys(value: Any) -> list[str]:
    return list(value) if isinstance(value, dict) else []


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
