"""Every field that a specification documents, given every kind of JSON value: refused in words that name the place, or
taken, for each upstream; never a fault of ours."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import Body
from proxyapp.dialects.registry import DIALECTS
from proxyapp.errors import BadRequest
from tests.corpus import schemas
from tests.corpus.exchanges import CHAT, GEMINI, MESSAGES, RESPONSES, SPOKEN
from tests.properties.sides import OPERATORS, parsed, upstream_side
from tests.properties.test_bodies import in_words

VALUES: tuple[Any, ...] = (None, True, 7, 1.5, "x", [], ["x"], [7], {}, {"x": 1})
DEPTH = 5
HI = {"role": "user", "content": "hi"}
BASE: dict[str, dict[str, Any]] = {
    CHAT: {"model": "m", "messages": [HI]},
    RESPONSES: {"model": "m", "input": [HI]},
    MESSAGES: {"model": "m", "max_tokens": 100, "messages": [HI]},
    GEMINI: {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
}
REFUSED = {
    CHAT: {"temperature": "x", "stop": 7, "tools": "x", "messages": 7, "web_search_options": {"user_location": "x"}},
    RESPONSES: {"temperature": "x", "input": 7, "tools": "x", "tools.0.filters": "x", "reasoning": "x"},
    MESSAGES: {"temperature": "x", "system": 7, "tools": "x", "messages": 7, "thinking": "x"},
    GEMINI: {"contents": 7, "generationConfig": "x", "systemInstruction": 7, "tools": "x"},
}
Put = Callable[[Any], Any]


def variants(dialect: str, schema: Any) -> list[dict[str, Any]]:
    """The shapes that a value may have, without references."""
    while "$ref" in schema:
        document = schemas._document(schemas.DOCUMENT[dialect])
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    branches = [*schema.get("anyOf", []), *schema.get("oneOf", [])]
    branches += [branch["then"] for branch in schema.get("allOf", []) if "then" in branch]
    found = [shape for branch in branches for shape in variants(dialect, branch)]
    plain = [shape for b in schema.get("allOf", []) if "then" not in b for shape in variants(dialect, b)[:1]]
    if found or not plain:
        return found or [schema]
    parts = [*plain, schema]
    return [
        {
            "type": "object",
            "properties": {name: value for part in parts for name, value in part.get("properties", {}).items()},
            "required": [name for part in parts for name in part.get("required", [])],
        }
    ]


def kind_of(shape: dict[str, Any]) -> str:
    kind = shape.get("type") or ("object" if "properties" in shape else "")
    return str(kind[0] if isinstance(kind, list) else kind)


def sample(dialect: str, shape: dict[str, Any], depth: int = 0) -> Any:
    """The least that is a value of this shape."""
    if "const" in shape or shape.get("enum"):
        return shape.get("const") or shape["enum"][0]
    kind = kind_of(shape)
    if kind == "object" and depth < DEPTH:
        fields = shape.get("properties", {})
        named = [name for name in fields if name in shape.get("required", []) or name in ("name", "call_id")]
        return {name: sample(dialect, variants(dialect, fields[name])[0], depth + 1) for name in named}
    if kind == "array" and depth < DEPTH and "items" in shape:
        return [sample(dialect, variants(dialect, shape["items"])[0], depth + 1)]
    return {"object": {}, "array": [], "string": "x", "boolean": True}.get(kind, 1)


def places(dialect: str, schema: Any, depth: int = 0, seen: tuple[int, ...] = ()) -> Iterator[Put]:
    """Every place in a value of this schema, as what puts something there."""
    yield lambda value: value
    for shape in variants(dialect, schema) if depth < DEPTH else ():
        if id(shape) in seen:
            continue
        inside = (*seen, id(shape))
        if kind_of(shape) == "array" and "items" in shape:
            for put in places(dialect, shape["items"], depth, inside):
                yield lambda value, put=put: [put(value)]
        for name, field in shape.get("properties", {}).items():
            base = sample(dialect, shape, depth)
            if isinstance(base, dict):
                for put in places(dialect, field, depth + 1, inside):
                    yield lambda value, put=put, name=name, base=base: {**base, name: put(value)}


@functools.cache
def bodies(dialect: str) -> list[bytes]:
    """Each once."""
    fields: dict[str, Any] = {}
    for shape in variants(dialect, {"$ref": f"#/components/schemas/{schemas.REQUEST[dialect]}"}):
        fields.update(shape.get("properties", {}))
    found: dict[bytes, None] = {}
    for name, schema in fields.items():
        for put in places(dialect, schema):
            for value in VALUES:
                body = {**BASE[dialect], name: put(copy.deepcopy(value))}
                found[json.dumps(body).encode()] = None
    return list(found)


def names_a_place(error: BadRequest, raw: bytes) -> None:
    in_words(error)
    assert error.param, f"{error.message} names no field of {raw!r}"


@pytest.mark.parametrize("dialect", SPOKEN)
def test_a_field_of_a_wrong_type_is_refused_in_words_or_taken(dialect):
    assert len(bodies(dialect)) > 1000
    for raw in bodies(dialect):
        DIALECTS[dialect].tap(Body(raw))
        try:
            DIALECTS[dialect].patch(Body(raw), "m", upstream_side(dialect, **OPERATORS))
        except BadRequest as error:
            in_words(error)
        try:
            request = parsed(dialect, jsonio.decode_object(raw))
        except BadRequest as error:
            names_a_place(error, raw)
            continue
        for target in SPOKEN:
            try:
                jsonio.encode(DIALECTS[target].render_request(request, upstream_side(target)))
            except BadRequest as error:
                in_words(error)


@pytest.mark.parametrize("dialect", SPOKEN)
def test_the_field_is_named(dialect):
    for path, value in REFUSED[dialect].items():
        name, _, inner = path.partition(".0.")
        body = {**BASE[dialect], name: [{"type": "web_search", inner: value}] if inner else value}
        with pytest.raises(BadRequest) as caught:
            parsed(dialect, body)
        assert path in str(caught.value.param)
