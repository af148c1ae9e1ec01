"""Google's Schema message (a subset of OpenAPI) as JSON Schema, for tools and answers of a caller.

Only keywords are translated, in both spellings; names of properties are data and stay (reference/translation.md 7.4).
"""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.gemini.fields import camel, wrong
from proxyapp.dialects.gemini.tables import TYPE_NUMBERS
from proxyapp.errors import BadRequest

_DEPTH = 100
_COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
_MAPS = frozenset({"properties", "defs"})
_LISTS = frozenset({"anyOf", "prefixItems"})
_SILENT = frozenset({"propertyOrdering", "nullable", "type"})
_RENAMED = {"defs": "$defs", "ref": "$ref"}


def as_json_schema(value: Any, path: str, depth: int = 0) -> dict[str, Any]:
    """Raises BadRequest for what is no schema, or one nested beyond reason."""
    if not isinstance(value, dict):
        raise wrong(path, "a schema")
    if depth > _DEPTH:
        raise BadRequest(f"The schema at '{path}' is nested too deeply.", param=path)
    spec = {camel(key) if not key.startswith("$") else key: entry for key, entry in value.items() if entry is not None}
    out: dict[str, Any] = {}
    kind = _type(spec.get("type"))
    if kind:
        out["type"] = [kind, "null"] if spec.get("nullable") is True and kind != "null" else kind
    for key, entry in spec.items():
        if key not in _SILENT:
            out[_RENAMED.get(key, key)] = _entry(key, entry, f"{path}.{key}", depth)
    if spec.get("nullable") is True:
        _allow_null(out)
    return out


def _entry(key: str, entry: Any, path: str, depth: int) -> Any:
    if key in _MAPS and isinstance(entry, dict):
        return {name: as_json_schema(inner, f"{path}.{name}", depth + 1) for name, inner in entry.items()}
    if key in _LISTS and isinstance(entry, list):
        return [as_json_schema(inner, f"{path}.{index}", depth + 1) for index, inner in enumerate(entry)]
    if key in ("items", "additionalProperties") and isinstance(entry, dict):
        return as_json_schema(entry, path, depth + 1)
    if key in _COUNTS and isinstance(entry, str) and entry.isdigit():
        return int(entry)  # protobuf writes 64-bit integers as strings
    return entry


def _type(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return TYPE_NUMBERS[value] if 0 <= value < len(TYPE_NUMBERS) else ""
    word = value.lower() if isinstance(value, str) else ""
    return word if word in TYPE_NUMBERS else ""


def _allow_null(out: dict[str, Any]) -> None:
    if isinstance(out.get("anyOf"), list):
        out["anyOf"] = [*out["anyOf"], {"type": "null"}]
    if isinstance(out.get("enum"), list) and None not in out["enum"]:
        out["enum"] = [*out["enum"], None]
