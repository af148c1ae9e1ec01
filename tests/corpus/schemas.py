"""The services' own specifications as validators: tests/fixtures/spec, OpenAPI 3.1 and so JSON Schema 2020-12."""

from __future__ import annotations

import functools
import gzip
import json
import re
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.corpus.exchanges import CHAT, GEMINI, MESSAGES, RESPONSES

FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "spec"
DOCUMENT = {CHAT: "openai", RESPONSES: "openai", MESSAGES: "anthropic", GEMINI: "gemini"}
REQUEST = {
    CHAT: "CreateChatCompletionRequest",
    RESPONSES: "CreateResponse",
    MESSAGES: "CreateMessageParams",
    GEMINI: "GenerateContentRequest",
}
ANSWER = {
    CHAT: "CreateChatCompletionResponse",
    RESPONSES: "Response",
    MESSAGES: "Message",
    GEMINI: "GenerateContentResponse",
}
EVENT = {
    CHAT: "CreateChatCompletionStreamResponse",
    RESPONSES: "ResponseStreamEvent",
    MESSAGES: "MessageStreamEvent",
    GEMINI: "GenerateContentResponse",
}
ERROR = {CHAT: "ErrorResponse", RESPONSES: "ErrorResponse", MESSAGES: "ErrorResponse", GEMINI: "ErrorResponse"}
# Gemini's document names no error body; this is what its service sends.
_GEMINI_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "status"],
            "properties": {
                "code": {"type": "integer"},
                "message": {"type": "string"},
                "status": {"type": "string"},
                "details": {"type": "array", "items": {"type": "object", "required": ["@type"]}},
            },
        }
    },
}


@functools.cache
def _registry() -> Registry[Any]:
    found = []
    for name in set(DOCUMENT.values()):
        document = _document(name)
        found.append((f"urn:{name}", Resource.from_contents(document, default_specification=DRAFT202012)))
    return Registry().with_resources(found)


@functools.cache
def _document(name: str) -> dict[str, Any]:
    document = _made_plain(json.loads(gzip.decompress((FOLDER / f"{name}-openapi.json.gz").read_bytes())))
    if name == "openai":
        document = _any_of(document)
    if name == "gemini":
        document["components"]["schemas"] = _as_protobuf(document["components"]["schemas"])
        document["components"]["schemas"]["ErrorResponse"] = _GEMINI_ERROR
    return document


def _any_of(node: Any) -> Any:
    """OpenAI's document says "one of" where it means any: a plain message fits two of its kinds of input items."""
    if isinstance(node, list):
        return [_any_of(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _any_of(value) for key, value in node.items()}
    if isinstance(node.get("oneOf"), list):
        node["anyOf"] = [*node.get("anyOf", []), *node.pop("oneOf")]
    return node


def _as_protobuf(node: Any) -> Any:
    """What Gemini's service does and its document does not say: a name that it does not know is refused, and a whole
    number of 64 bits may be written as a number."""
    if isinstance(node, list):
        return [_as_protobuf(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _as_protobuf(value) for key, value in node.items()}
    if (
        isinstance(node.get("properties"), dict)
        and "additionalProperties" not in node
        and node.get("type", "object") == "object"
    ):
        node["additionalProperties"] = False
    if node.get("format") == "int64" and node.get("type") == "string":
        node["type"] = ["string", "integer"]
    return node


@functools.cache
def _events(dialect: str) -> dict[str, str]:
    """The schema of each event by its `type`, where there are many: quicker, and one fault instead of sixty."""
    schemas = _document(DOCUMENT[dialect])["components"]["schemas"]
    names = [branch["$ref"].rpartition("/")[2] for branch in schemas[EVENT[dialect]].get("anyOf", [])]
    return {schemas[name]["properties"]["type"]["enum"][0]: name for name in names}


def event(dialect: str, value: dict[str, Any]) -> str:
    """The name of the schema that one event of a stream is held to."""
    return _events(dialect)[value["type"]] if dialect == RESPONSES else EVENT[dialect]


def _made_plain(node: Any) -> Any:
    """Two things that the documents say in OpenAPI's words and a JSON Schema validator passes over: `nullable` (a word
    of OpenAPI 3.0, still used), and `discriminator`, which turns "none of 20 schemas" into the one fault there is."""
    if isinstance(node, list):
        return [_made_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _made_plain(value) for key, value in node.items()}
    choice = node.get("discriminator")
    if isinstance(choice, dict) and isinstance(choice.get("mapping"), dict):
        node = _chosen(node, choice["propertyName"], choice["mapping"])
    if node.get("nullable") is True:
        node = {"anyOf": [node, {"type": "null"}]}
    return node


def _chosen(node: dict[str, Any], name: str, mapping: dict[str, str]) -> dict[str, Any]:
    branches = [branch for word in ("oneOf", "anyOf") for branch in node.get(word, [])]
    if {branch.get("$ref") for branch in branches} != set(mapping.values()):
        return node
    rest = {key: value for key, value in node.items() if key not in ("oneOf", "anyOf", "discriminator")}
    cases = [
        {"if": {"properties": {name: {"const": word}}}, "then": {"$ref": target}} for word, target in mapping.items()
    ]
    told = {"type": "object", "required": [name], "properties": {name: {"enum": list(mapping)}}}
    return {**rest, "allOf": [told, *cases]}


@functools.cache
def validator(dialect: str, schema: str) -> Draft202012Validator:
    """For one of the document's schemas, references and all."""
    return Draft202012Validator({"$ref": f"urn:{DOCUMENT[dialect]}#/components/schemas/{schema}"}, registry=_registry())


# Where a specification is stricter than its own service: (dialect, last name of the path, property or value) -> why.
OVER_STRICT: dict[tuple[str, str, str], str] = {
    (MESSAGES, "usage", "inference_geo"): "required and nullable; 38 of 45 recordings lack it, the SDK needs none",
    (MESSAGES, "usage", "service_tier"): "required and nullable; 21 of 45 recordings lack it, the SDK needs none",
    (MESSAGES, "content_block", "citations"): "required and nullable; the service's own texts begin without",
    (MESSAGES, "content_block", "caller"): "required; 8 of the 11 recordings with tool calls lack it",
    (MESSAGES, "content", "citations"): "as in a stream",
    (MESSAGES, "content", "caller"): "as in a stream",
    (MESSAGES, "role", "system"): "not in the list of roles; the SDK's types have it and Claude Code sends it",
    (RESPONSES, "content", "annotations"): "required of texts sent back; programs leave it out",
    (RESPONSES, "content", "logprobs"): "required of texts sent back; programs leave it out",
    (RESPONSES, "input", "id"): "required of what is sent back; programs leave it out",
    (RESPONSES, "content", "None"): "Codex writes null where a reasoning item has no text",
    (RESPONSES, "tools", "strict"): "required; programs leave it out",
    (GEMINI, "type", "6"): "clients of Vertex write the number of a type's name; passed on as it is",
    (GEMINI, "type", "1"): "clients of Vertex write the number of a type's name; passed on as it is",
    (MESSAGES, "messages", "output_config"): "a beta of Claude Code: a system message that sets the turn's effort",
}

# What callers put into a body of the same dialect that its specification does not know: it passes as it is.
# (dialect, top-level field) -> whose it is.
FOREIGN_FIELDS: dict[tuple[str, str], str] = {
    (MESSAGES, "anthropic_version"): "Bedrock wants the version in the body",
    (MESSAGES, "output_format"): "an older beta of `output_config.format`",
    (MESSAGES, "context_management"): "a beta, announced in the caller's header",
    (MESSAGES, "prompt"): "Bedrock's old text completion, which has no specification",
    (CHAT, "safety_model"): "Together's own; its client also writes null for whatever it does not say",
}
NOT_HELD = ("prompt", "safety_model")
"""Bodies with these are not held against the specification at all."""


def fault(dialect: str, schema: str, value: Any) -> str | None:
    """What is wrong with `value`, as path and sentence; None when it is valid, or as good as its service's own."""
    faults = [error for error in validator(dialect, schema).iter_errors(value) if not _is_allowed(dialect, error)]
    error: ValidationError | None = best_match(faults)
    return None if error is None else f"{'.'.join(map(str, error.absolute_path))}: {error.message[:300]}"


used: set[tuple[str, str, str]] = set()
"""Rows of OVER_STRICT that were needed so far."""


def _is_allowed(dialect: str, error: ValidationError) -> bool:
    if error.validator == "anyOf":
        return any(all(_is_allowed(dialect, each) for each in branch) for branch in _branches(error))
    if error.validator not in ("required", "enum", "type", "additionalProperties"):
        return False
    names = [name for name in error.absolute_path if isinstance(name, str)]
    rows = {(dialect, names[-1] if names else "", word) for word in _words(error)}
    if not rows <= set(OVER_STRICT):
        return False
    used.update(rows)
    return True


def _branches(error: ValidationError) -> list[list[ValidationError]]:
    """What is wrong with the value by each of the schemas that it might keep to."""
    found: dict[Any, list[ValidationError]] = {}
    for each in error.context or []:
        found.setdefault(each.relative_schema_path[0], []).append(each)
    return list(found.values())


def _words(error: ValidationError) -> list[str]:
    """The properties that are missing or too many, or the value that is not one of the list."""
    if error.validator in ("enum", "type"):
        return [str(error.instance)]
    found = re.findall(r"'([^']*)'", error.message)
    return found if error.validator == "additionalProperties" else found[:1]
