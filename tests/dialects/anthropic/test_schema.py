"""JSON Schemas for tools and answers."""

from __future__ import annotations

from typing import Any

import pytest

from proxyapp.dialects.anthropic.schema import strict, tool_input
from proxyapp.errors import BadRequest


@pytest.mark.parametrize("schema", [None, {}, {"type": "object"}])
def test_a_tool_without_parameters_takes_an_empty_object(schema: dict[str, Any] | None) -> None:
    assert tool_input(schema) == ({"type": "object", "properties": {}}, False)


def test_a_schema_with_an_object_root_is_left_alone() -> None:
    schema = {"$schema": "x", "type": "object", "properties": {"a": {"oneOf": [{}]}}, "additionalProperties": False}
    assert tool_input(schema) == (schema, False)


def test_the_callers_schema_is_not_changed() -> None:
    schema = {"oneOf": [{"type": "object", "properties": {"a": {}}}]}
    tool_input(schema)
    strict(schema)
    assert schema == {"oneOf": [{"type": "object", "properties": {"a": {}}}]}


def test_alternatives_at_the_root_share_what_all_require() -> None:
    branches = [
        {"properties": {"a": {"type": "string"}, "k": {}}, "required": ["a", "k"]},
        {"properties": {"b": {}, "k": {}}, "required": ["k"]},
    ]
    merged, changed = tool_input({"oneOf": branches, "description": "D", "required": ["b"]})
    assert changed
    assert merged["type"] == "object"
    assert list(merged["properties"]) == ["a", "k", "b"]
    assert merged["required"] == ["k", "b"]
    assert merged["description"].startswith("D\n\n")
    assert "oneOf" not in merged


def test_all_of_at_the_root_requires_everything() -> None:
    merged, _ = tool_input(
        {"allOf": [{"properties": {"a": {}}, "required": ["a"]}, {"properties": {"b": {}}, "required": ["b"]}]}
    )
    assert merged["required"] == ["a", "b"]
    assert "description" not in merged


def test_a_root_that_is_a_reference_is_resolved() -> None:
    defs = {"X": {"type": "object", "properties": {"a": {}}}}
    merged, _ = tool_input({"$ref": "#/$defs/X", "$defs": defs})
    assert merged == {"$defs": defs, "type": "object", "properties": {"a": {}}}


def test_branches_may_be_references() -> None:
    merged, _ = tool_input(
        {"anyOf": [{"$ref": "#/$defs/A"}, True], "$defs": {"A": {"type": "object", "properties": {"a": {}}}}}
    )
    assert merged["properties"] == {"a": {}}


@pytest.mark.parametrize(
    "schema",
    [
        {"anyOf": []},
        {"anyOf": [{"required": "a", "properties": []}]},
        {"$ref": "#/nowhere"},
        {"$ref": 5},
        {"oneOf": [1, "x", None]},
    ],
)
def test_malformed_schemas_raise_nothing(schema: dict[str, Any]) -> None:
    assert tool_input(schema)[0]["type"] == "object"
    strict(schema)


def test_strict_keeps_what_is_enforced_and_tells_the_rest() -> None:
    cleaned, moved = strict(
        {
            "$schema": "x",
            "type": "object",
            "properties": {
                "minimum": {"type": "integer", "minimum": 1},
                "when": {"type": "string", "format": "date-time"},
                "code": {"type": "string", "format": "hex", "pattern": "^a"},
                "list": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3},
                "kind": {"enum": ["a", "b"]},
            },
            "required": ["minimum"],
            "additionalProperties": True,
        }
    )
    assert moved
    properties = cleaned["properties"]
    assert properties["minimum"] == {"type": "integer", "description": 'Further rules: {"minimum":1}'}
    assert properties["when"] == {"type": "string", "format": "date-time"}
    assert properties["code"]["description"] == 'Further rules: {"format":"hex","pattern":"^a"}'
    assert properties["list"] == {
        "type": "array",
        "items": {"type": "string"},
        "minItems": 1,
        "description": 'Further rules: {"maxItems":3}',
    }
    assert properties["kind"] == {"enum": ["a", "b"]}
    assert cleaned["additionalProperties"] is False
    assert cleaned["required"] == ["minimum"]
    assert "$schema" not in cleaned


def test_strict_leaves_optional_properties_optional() -> None:
    cleaned, moved = strict({"type": "object", "properties": {"a": {"type": "string"}}})
    assert "required" not in cleaned
    assert not moved


def test_strict_turns_one_of_into_any_of_and_type_lists_into_unions() -> None:
    assert strict({"oneOf": [{"type": "string"}, {"type": "null"}]})[0] == {
        "anyOf": [{"type": "string"}, {"type": "null"}]
    }
    assert strict({"type": ["array", "null"], "items": {"type": "integer"}, "description": "D"})[0] == {
        "anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}],
        "description": "D",
    }


def test_strict_follows_definitions_and_renames_the_old_place() -> None:
    cleaned, _ = strict(
        {
            "type": "object",
            "properties": {"x": {"$ref": "#/definitions/X", "description": "dropped beside a reference"}},
            "definitions": {"X": {"type": "integer", "maximum": 3}},
        }
    )
    assert cleaned["properties"]["x"] == {"$ref": "#/$defs/X"}
    assert cleaned["$defs"]["X"] == {"type": "integer", "description": 'Further rules: {"maximum":3}'}


def test_free_maps_are_told_since_they_cannot_be_enforced() -> None:
    cleaned, moved = strict({"type": "object", "additionalProperties": {"type": "integer"}})
    assert moved
    assert "additionalProperties" in cleaned["description"]


def test_a_schema_nested_beyond_reason_is_a_bad_request() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(2000):
        schema = {"type": "array", "items": schema}
    with pytest.raises(BadRequest):
        strict(schema)
