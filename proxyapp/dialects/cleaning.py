"""JSON Schemas that strict servers take: Gemini's `Schema` message, the part of JSON Schema that its newer models know,
and the message's keywords in JSON Schema's spelling, for servers of other dialects that are as strict.

The Schema message is protobuf: one unknown key and the whole request is refused. Keywords are touched, property names
never, the caller's schema is not changed; what cannot be said becomes a hint in the description, so that the model may
still heed it. Rules: reference/translation.md 7.4, upstreams.md 5.4.6.
"""

from __future__ import annotations

from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.errors import BadRequest

Schema = dict[str, Any]

_NODES = 20_000
"""Inlined references can grow without end; no sane schema comes near."""
_SILENT = frozenset(
    {
        "$schema", "$id", "$comment", "$anchor", "$defs", "definitions", "defs", "examples", "readOnly", "writeOnly",
        "deprecated", "contentEncoding", "contentMediaType", "strict", "enumDescriptions", "additionalProperties",
    }
)  # fmt: skip
"""Keywords that say nothing about the value, or that were dealt with."""
_KEPT = (
    "title", "description", "minItems", "maxItems", "minProperties", "maxProperties", "minLength", "maxLength",
    "pattern", "example", "propertyOrdering", "default", "minimum", "maximum",
)  # fmt: skip
_FORMATS = {
    "string": ("date-time", "enum"),
    "number": ("float", "double"),
    "integer": ("int32", "int64"),
}
_JSON_KEPT = (
    "$id", "$anchor", "type", "format", "title", "description", "enum", "minItems", "maxItems", "minimum", "maximum",
    "required", "propertyOrdering",
)  # fmt: skip
_TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object"})


def parameters(schema: Schema | None) -> tuple[Schema | None, bool]:
    """A tool's `parameters`; None when it takes none. Second: was a recursion cut? Raises BadRequest."""
    return _guarded(_Message(schema or {}), schema, upper=True)


def json_parameters(schema: Schema | None) -> tuple[Schema | None, bool]:
    """A tool's `parametersJsonSchema`; None when it takes none."""
    return _guarded(_Json(schema or {}), schema, upper=False)


def plain(schema: Schema) -> Schema:
    """The schema in the keywords of the message, as JSON Schema spells them. Raises BadRequest."""
    return _Plain(schema).whole()[0]


def answer(schema: Schema | None, *, as_json: bool) -> tuple[Schema, bool]:
    """`responseJsonSchema` or `responseSchema`. Raises BadRequest."""
    cleaner: _Cleaner = _Json(schema or {}) if as_json else _Message(schema or {})
    return cleaner.whole()


def _guarded(cleaner: _Cleaner, schema: Schema | None, *, upper: bool) -> tuple[Schema | None, bool]:
    if not schema:
        return None, False
    found, was_cut = cleaner.whole()
    empty = not found.get("properties") and not found.get("anyOf") and not found.get("oneOf") and "$ref" not in found
    if empty and (upper or found.get("additionalProperties") in (None, False)):
        return None, was_cut  # an object without properties is refused by some versions
    return found, was_cut


class _Cleaner:
    def __init__(self, root: Schema) -> None:
        self.root = root
        self.was_cut = False
        self._nodes = 0

    def whole(self) -> tuple[Schema, bool]:
        try:
            return self.clean(self.root, ()), self.was_cut
        except RecursionError as exc:
            raise BadRequest("The JSON schema is nested too deeply.") from exc

    def clean(self, value: Any, refs: tuple[str, ...]) -> Schema:
        raise NotImplementedError

    def _count(self) -> None:
        self._nodes += 1
        if self._nodes > _NODES:
            raise BadRequest("The JSON schema is too large.")

    def _resolve(self, ref: Any) -> Schema | None:
        if not isinstance(ref, str) or not ref.startswith("#/"):
            return self.root if ref == "#" else None
        found: Any = self.root
        for step in ref[2:].split("/"):
            step = step.replace("~1", "/").replace("~0", "~")
            found = found.get(step) if isinstance(found, dict) else None
        return found if isinstance(found, dict) else None

    def _merged(self, node: Schema) -> Schema:
        """`allOf` as one schema: all properties, all that is required, of other keywords the first."""
        branches = node.get("allOf")
        if not isinstance(branches, list):
            return node
        merged = {key: value for key, value in node.items() if key != "allOf"}
        for branch in branches:
            self._count()
            branch = self._merged(self._target(branch))
            for key, value in branch.items():
                merged[key] = _joined(key, merged[key], value) if key in merged else value
        return merged

    def _target(self, branch: Any) -> Schema:
        if not isinstance(branch, dict):
            return {}
        target = self._resolve(branch["$ref"]) if "$ref" in branch else None
        rest = {key: value for key, value in branch.items() if key != "$ref"}
        return branch if target is None or target is branch else {**target, **rest}


class _Message(_Cleaner):
    """To the Schema message."""

    marks_enums = True
    """A string with `enum` has the format `enum`."""

    @staticmethod
    def word(kind: str) -> str:
        """How a type is written."""
        return kind.upper()

    def clean(self, value: Any, refs: tuple[str, ...]) -> Schema:
        self._count()
        if not isinstance(value, dict):
            return {}
        if "$ref" in value:
            return self._referred(value, refs)
        node = self._merged(value)
        if "$ref" in node:
            return self._referred(node, refs)
        node = _bounded({**node})
        if "const" in node:
            node.setdefault("enum", [node.pop("const")])
        nullable = _take_null(node)
        union = self._union(node, refs, nullable)
        return union if union is not None else self._plain(node, refs, nullable)

    def _referred(self, node: Schema, refs: tuple[str, ...]) -> Schema:
        ref = str(node["$ref"])
        target = self._resolve(ref)
        rest = {key: value for key, value in node.items() if key != "$ref"}
        if target is None or ref in refs:
            self.was_cut = True
            return {"type": self.word("object"), "description": f"recursive: {ref.rpartition('/')[2]}"}
        return self.clean({**target, **rest}, (*refs, ref))

    def _union(self, node: Schema, refs: tuple[str, ...], nullable: bool) -> Schema | None:
        """`anyOf` stands alone: siblings are refused, so title and description go into the branches."""
        branches = node.pop("anyOf", None)
        branches = branches if isinstance(branches, list) else node.pop("oneOf", None)
        if not isinstance(branches, list):
            return None
        kept = [branch for branch in branches if not _is_null(branch)]
        nullable = nullable or len(kept) < len(branches)
        if len(kept) <= 1:
            lifted = {**(kept[0] if kept and isinstance(kept[0], dict) else {}), **node}
            return {**self.clean(lifted, refs), **({"nullable": True} if nullable else {})}
        about: Schema = {key: node[key] for key in ("title", "description") if key in node}
        shared = {key: value for key, value in node.items() if key not in about}
        cleaned = [self.clean(_with_shared(self._target(branch), {**about, **shared}), refs) for branch in kept]
        return {"anyOf": cleaned, **({"nullable": True} if nullable else {})}

    def _plain(self, node: Schema, refs: tuple[str, ...], nullable: bool) -> Schema:
        kind = _kind_of(node)
        out: Schema = {"type": self.word(kind)}
        hints: list[str] = []
        for key in _KEPT:
            if key in node:
                out[key] = node[key]
        self._format(kind, node, out, hints)
        nullable = _enumerate(kind, node, out, hints) or nullable
        if self.marks_enums and "enum" in out:
            out["format"] = "enum"
        if kind == "array":
            out["items"] = self._items(node, refs)
        if isinstance(node.get("properties"), dict) and node["properties"]:
            self._properties(node, out, refs)
        if isinstance(node.get("additionalProperties"), dict) and node["additionalProperties"]:
            hints.append(f"other properties: {jsonio.text(node['additionalProperties'])}")
        if nullable:
            out["nullable"] = True
        done = {"type", "format", "enum", "items", "prefixItems", "properties", "required", "nullable", *_KEPT}
        return _hinted(out, node, done | _SILENT, hints)

    def _format(self, kind: str, node: Schema, out: Schema, hints: list[str]) -> None:
        word = node.get("format")
        if word in _FORMATS.get(kind, ()):
            out["format"] = word
        elif word:
            hints.append(f"format: {word}")

    def _items(self, node: Schema, refs: tuple[str, ...]) -> Schema:
        listed = node.get("prefixItems")
        if not node.get("items") and isinstance(listed, list) and listed:
            kinds: list[Schema] = []
            for entry in listed:
                cleaned = self.clean(entry, refs)
                kinds += [cleaned] if cleaned not in kinds else []
            return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
        return self.clean(node.get("items"), refs) if node.get("items") else {"type": self.word("object")}

    def _properties(self, node: Schema, out: Schema, refs: tuple[str, ...]) -> None:
        out["properties"] = {name: self.clean(entry, refs) for name, entry in node["properties"].items()}
        for name, entry in out["properties"].items():
            if not entry:
                out["properties"][name] = {"type": self.word("string")}
        names = [name for name in _texts(node.get("required")) if name in out["properties"]]
        if names:
            out["required"] = names


class _Plain(_Message):
    """To the message's keywords in JSON Schema's spelling."""

    marks_enums = False

    @staticmethod
    def word(kind: str) -> str:
        return kind


class _Json(_Cleaner):
    """To the keywords of JSON Schema that Gemini documents."""

    def clean(self, value: Any, refs: tuple[str, ...]) -> Schema:
        self._count()
        if not isinstance(value, dict):
            return {}
        node = _bounded({**self._merged(value)})
        out = self._definitions(node, refs)
        if isinstance(node.get("$ref"), str):  # stands alone beside other `$` keywords
            return {**out, "$ref": node["$ref"].replace("#/definitions/", "#/$defs/")}
        if "const" in node:
            node.setdefault("enum", [node.pop("const")])
        for key in _JSON_KEPT:
            if key in node:
                out[key] = node.pop(key)
        self._inner(node, out, refs)
        return _hinted(out, node, _SILENT, [])

    def _definitions(self, node: Schema, refs: tuple[str, ...]) -> Schema:
        defs = {**_as_dict(node.pop("definitions", None)), **_as_dict(node.pop("$defs", None))}
        return {"$defs": {name: self.clean(entry, refs) for name, entry in defs.items()}} if defs else {}

    def _inner(self, node: Schema, out: Schema, refs: tuple[str, ...]) -> None:
        """Schemas inside this one."""
        for key in ("anyOf", "oneOf", "prefixItems"):
            if isinstance(node.get(key), list):
                out[key] = [self.clean(entry, refs) for entry in node.pop(key)]
        if isinstance(node.get("properties"), dict):
            out["properties"] = {name: self.clean(entry, refs) for name, entry in node.pop("properties").items()}
        for key in ("items", "additionalProperties"):
            if key in node:
                entry = node.pop(key)
                out[key] = self.clean(entry, refs) if isinstance(entry, dict) else entry


# --- single nodes


def _joined(key: str, first: Any, second: Any) -> Any:
    if key in ("properties", "$defs", "definitions") and isinstance(first, dict) and isinstance(second, dict):
        return {**first, **second}
    if key == "required":
        return list(dict.fromkeys([*_texts(first), *_texts(second)]))
    return first


def _with_shared(branch: Schema, shared: Schema) -> Schema:
    """One branch of a union with what stands beside the union; the branch's own words win."""
    joined = {key: _joined(key, value, branch[key]) for key, value in shared.items() if key in branch}
    kept = {key: value for key, value in joined.items() if key in ("properties", "required")}
    return {**shared, **branch, **kept}


def _bounded(node: Schema) -> Schema:
    """`exclusiveMinimum: 0` of an integer is `minimum: 1`; of a number it is the nearest that can be said."""
    step = 1 if node.get("type") == "integer" else 0
    for exclusive, inclusive, by in (("exclusiveMinimum", "minimum", step), ("exclusiveMaximum", "maximum", -step)):
        bound = node.pop(exclusive, None)
        if isinstance(bound, int | float) and not isinstance(bound, bool):
            node.setdefault(inclusive, bound + by)
    return node


def _take_null(node: Schema) -> bool:
    """Takes `"null"` out of a list of types; several that are left become a union."""
    nullable = node.pop("nullable", None) is True
    kinds = node.get("type")
    if not isinstance(kinds, list):
        return nullable
    rest = [kind for kind in kinds if kind != "null"]
    nullable = nullable or len(rest) < len(kinds)
    del node["type"]
    if len(rest) == 1:
        node["type"] = rest[0]
    elif rest and "anyOf" not in node:
        node["anyOf"] = [{"type": kind} for kind in rest]
    return nullable


def _kind_of(node: Schema) -> str:
    kind = str(node.get("type", "")).lower()
    if kind in _TYPES:
        return kind
    if "properties" in node or "additionalProperties" in node:
        return "object"
    if "items" in node or "prefixItems" in node:
        return "array"
    return "string"


def _enumerate(kind: str, node: Schema, out: Schema, hints: list[str]) -> bool:
    """Members are strings here. Others are written as strings where they are values of a string; for numbers they
    become a hint, since the message refuses an enum of them. True when null was among them."""
    members = node.get("enum")
    if not isinstance(members, list):
        return False
    said = [member for member in members if member is not None and member != ""]
    words = [member if isinstance(member, str) else jsonio.text(member) for member in said]
    if kind == "string":
        if words:
            out["enum"] = list(dict.fromkeys(words))
    elif words:
        hints.append(f"one of: {', '.join(words)}")
    return None in members


def _hinted(out: Schema, node: Schema, done: frozenset[str] | set[str], hints: list[str]) -> Schema:
    hints = [*hints, *(f"{key}: {jsonio.text(value)}" for key, value in node.items() if _tells(key, done))]
    if hints:
        told = f"({'; '.join(hints)})"
        out["description"] = f"{out['description']} {told}" if out.get("description") else told
    return out


def _tells(key: str, done: frozenset[str] | set[str]) -> bool:
    return key not in done and not key.startswith("x-")


def _texts(value: Any) -> list[str]:
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []


def _is_null(branch: Any) -> bool:
    return isinstance(branch, dict) and branch.get("type") == "null"


def _as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
