"""JSON Schemas that Anthropic takes: tool inputs with an object at the root, and the strict subset for answers.

Rules: reference/translation.md 7.3. Keywords are touched, property names never; the caller's schema is not changed.
"""

from __future__ import annotations

from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.errors import BadRequest

UNION_NOTE = "Exactly one of the alternatives applies:"

_UNIONS = ("anyOf", "oneOf", "allOf")
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"})
_SILENT = frozenset({"$schema", "$id", "$comment"})
"""Say nothing about the value."""


# --- tool inputs


def tool_input(schema: dict[str, Any] | None) -> tuple[dict[str, Any], bool]:
    """An `input_schema` with an object at its root, and whether a root union had to be merged for it.

    The wire refuses anyOf, oneOf and allOf at the root: branches are merged (all properties; required is what every
    branch requires) and the alternatives are told in the description.
    """
    root = _root(dict(schema or {}))
    merged = False
    for union in _UNIONS:
        if isinstance(root.get(union), list) and root[union]:
            root = _merge(root, union)
            merged = True
    root.setdefault("type", "object")
    if root["type"] == "object":
        root.setdefault("properties", {})
    return root, merged


def _root(schema: dict[str, Any]) -> dict[str, Any]:
    """A root that is only a reference, replaced by what it names."""
    target = _resolve(schema, schema.get("$ref"))
    if target is None:
        return schema
    kept = {key: value for key, value in schema.items() if key != "$ref"}
    return {**kept, **target}


def _resolve(schema: dict[str, Any], ref: Any) -> dict[str, Any] | None:
    if not isinstance(ref, str) or not ref.startswith("#/"):
        return None
    found: Any = schema
    for step in ref[2:].split("/"):
        found = found.get(step) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def _merge(root: dict[str, Any], union: str) -> dict[str, Any]:
    branches = [_branch(root, entry) for entry in root[union]]
    required = [_required(branch) for branch in branches]
    common = set.union(*required) if union == "allOf" else set.intersection(*required)
    merged = {key: value for key, value in root.items() if key != union}
    properties: dict[str, Any] = {}
    for part in (root, *branches):
        properties.update(_properties(part))
    merged["type"], merged["properties"] = "object", properties
    order = [name for name in properties if name in common or name in _required(root)]
    if order:
        merged["required"] = order
    if union != "allOf":
        merged["description"] = _joined(root.get("description"), f"{UNION_NOTE} {_alternatives(branches)}")
    return merged


def _branch(root: dict[str, Any], entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict):
        return {}
    return _resolve(root, entry.get("$ref")) or entry


def _alternatives(branches: list[dict[str, Any]]) -> str:
    return "; ".join(", ".join(_properties(branch)) or "(nothing)" for branch in branches)


def _properties(schema: dict[str, Any]) -> dict[str, Any]:
    found = schema.get("properties")
    return found if isinstance(found, dict) else {}


def _required(schema: dict[str, Any]) -> set[str]:
    found = schema.get("required")
    return {name for name in found if isinstance(name, str)} if isinstance(found, list) else set()


# --- the strict subset


def strict(schema: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """A schema in the subset that strict tools and `output_config.format` take.

    Keywords outside it become words in the description, so that the model may still heed them; the second value says
    whether that happened. Raises BadRequest for one nested beyond reason.
    """
    cleaner = _Strict()
    try:
        return cleaner.clean(schema), cleaner.moved
    except RecursionError as exc:
        raise BadRequest("The JSON schema is nested too deeply.") from exc


class _Strict:
    def __init__(self) -> None:
        self.moved = False

    def clean(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        left = {key: entry for key, entry in value.items() if key not in _SILENT}
        out: dict[str, Any] = {}
        self._definitions(left, out)
        if "$ref" in left:
            out["$ref"] = _ref(left["$ref"])
            return out
        self._unions(left, out)
        for keyword in ("enum", "const", "title"):
            if keyword in left:
                out[keyword] = left.pop(keyword)
        kind = left.pop("type", None)
        if isinstance(kind, list):
            return self._several(kind, left, out)
        if kind is not None:
            out["type"] = kind
            self._typed(kind, left, out)
        return self._described(left, out)

    def _definitions(self, left: dict[str, Any], out: dict[str, Any]) -> None:
        for keyword in ("$defs", "definitions"):
            found = left.pop(keyword, None)
            if isinstance(found, dict):
                out.setdefault("$defs", {}).update({name: self.clean(entry) for name, entry in found.items()})

    def _unions(self, left: dict[str, Any], out: dict[str, Any]) -> None:
        for keyword, target in (("anyOf", "anyOf"), ("oneOf", "anyOf"), ("allOf", "allOf")):
            found = left.get(keyword)
            if isinstance(found, list) and target not in out:
                out[target] = [self.clean(entry) for entry in left.pop(keyword)]

    def _several(self, kinds: list[Any], left: dict[str, Any], out: dict[str, Any]) -> dict[str, Any]:
        """`type: [T, "null"]` as a union of single types; each keeps what belongs to it."""
        description = left.pop("description", None)
        branches = [self.clean({"type": kind, **(left if kind != "null" else {})}) for kind in kinds]
        out["anyOf"] = branches
        if description is not None:
            out["description"] = description
        return out

    def _typed(self, kind: Any, left: dict[str, Any], out: dict[str, Any]) -> None:
        if kind == "object":
            out["properties"] = {name: self.clean(entry) for name, entry in _properties(left).items()}
            left.pop("properties", None)
            out["additionalProperties"] = False
            if left.get("additionalProperties") in (None, False, True):
                left.pop("additionalProperties", None)
            if "required" in left:
                out["required"] = left.pop("required")
        elif kind == "array":
            if "items" in left:
                out["items"] = self.clean(left.pop("items"))
            if left.get("minItems") in (0, 1):
                out["minItems"] = left.pop("minItems")
        elif kind == "string" and left.get("format") in _FORMATS:
            out["format"] = left.pop("format")

    def _described(self, left: dict[str, Any], out: dict[str, Any]) -> dict[str, Any]:
        description = left.pop("description", None)
        if left:
            self.moved = True
            description = _joined(description, f"Further rules: {jsonio.text(left)}")
        if description is not None:
            out["description"] = description
        return out


def _ref(value: Any) -> Any:
    return value.replace("#/definitions/", "#/$defs/") if isinstance(value, str) else value


def _joined(first: Any, second: str) -> str:
    return f"{first}\n\n{second}" if isinstance(first, str) and first else second
