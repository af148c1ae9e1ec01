"""The description of all paths as OpenAPI: what manages is read from its views, what programs call is told here.

Bodies at the inference paths are the vendors' own and go through as they come, so they are described by what the
gateway itself looks at, and by a word whose form they have.
"""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.openapi import AutoSchema
from msgspec import json as msgspec_json

from proxyapp.api.management.key_fields import KeyChanges, KeyPage, MadeKey, NewKey, Rotation, ShownKey
from proxyapp.api.management.tables import ERROR, INFERENCE, PLACES_OF_KEYS, TAGS, Told

Json = dict[str, Any]
SHAPES = (NewKey, KeyChanges, Rotation, ShownKey, MadeKey, KeyPage)
REFERENCE = "#/components/schemas/{name}"


class Managed(AutoSchema):
    """Of one management view; its operations are described by `described` on the handlers."""

    def get_auth(self) -> list[dict[str, list[str]]]:
        return [{name: []} for name in (*PLACES_OF_KEYS, "session")]

    def get_tags(self) -> list[str]:
        return ["Management"]

    def get_description(self) -> str:
        """None: the summary says it, and the view's own words are for its readers."""
        return ""


def reference(shape: type) -> Json:
    return {"$ref": REFERENCE.format(name=shape.__name__)}


def without_second_paths(endpoints: list[Any]) -> list[Any]:
    """Each path once: the form with a slash at its end is the same."""
    return [endpoint for endpoint in endpoints if not endpoint[0].endswith("/")]


def complete(result: Json, generator: Any, request: Any, public: bool) -> Json:
    """What the generator cannot know: the shapes of bodies, the ways to bring a key, errors, the inference paths."""
    _, shapes = msgspec_json.schema_components(SHAPES, ref_template=REFERENCE)
    components = result.setdefault("components", {})
    components["schemas"] = {**components.get("schemas", {}), **shapes, "Error": ERROR}
    components["securitySchemes"] = {
        **PLACES_OF_KEYS,
        "session": {"type": "apiKey", "in": "cookie", "name": "dragoman_session", "description": "Staff, signed in."},
    }
    for path in result["paths"].values():
        for operation in path.values():
            for answer in operation["responses"].values():
                answer["description"] = answer.get("description") or "Done."
            operation["responses"] |= refusals("400", "401", "403")
    for told in INFERENCE:
        result["paths"].setdefault(f"/{told.path}", {})[told.method] = operation_of(told)
    result["paths"] = dict(sorted(result["paths"].items()))
    result["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    return result


def operation_of(told: Told) -> Json:
    names = re.findall(r"{(\w+)}", told.path)
    operation: Json = {
        "operationId": f"{told.method}_{re.sub(r'[^a-z0-9]+', '_', told.path.lower()).strip('_')}",
        "tags": [told.tag],
        "summary": told.summary,
        "description": told.text,
        "security": [{name: []} for name in PLACES_OF_KEYS] if told.needs_key else [],
        "responses": {"200": {"description": told.answer}, **(refusals("400", "401", "403") if told.needs_key else {})},
    }
    if names:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    if told.body is not None:
        media = {"schema": told.body}
        operation["requestBody"] = {"required": True, "content": {told.media_type: media}}
    return operation


def refusals(*statuses: str) -> Json:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    words = {"400": "The request is wrong; `param` names the field.", "401": "No key, or a wrong one.",
             "403": "The key may not do this."}  # fmt: skip
    return {status: {"description": words[status], "content": content} for status in statuses}
