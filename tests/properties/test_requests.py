"""Whatever is asked, in whichever dialect: it keeps its meaning on every way, and the same gives the same bytes."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given

from proxyapp.dialects import jsonio
from proxyapp.dialects.registry import DIALECTS
from proxyapp.ir.request import Request
from tests.corpus import schemas
from tests.corpus.asking import Asked
from tests.corpus.exchanges import GEMINI, SPOKEN
from tests.corpus.readers import ASK
from tests.properties import strategies
from tests.properties.sides import parsed, rendered, upstream_side

PAIRS = [(one, two) for one in SPOKEN for two in SPOKEN if one != two]


def meaning(dialect: str, body: dict[str, Any], request: Request) -> Asked:
    """As the plain readers find it, without what only the address tells."""
    asked = ASK[dialect](body)
    asked.stream = request.stream if dialect == GEMINI else asked.stream
    asked.choice = asked.choice if asked.choice != "auto" else None
    asked.tools = {name: (said, bare(schema)) for name, (said, schema) in asked.tools.items()}
    asked.schema = bare(asked.schema)
    return asked


def bare(schema: Any) -> Any:
    """A schema without what dialects write differently: the case of types, and that objects are closed."""
    if isinstance(schema, list):
        return [bare(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        key: bare(value) for key, value in schema.items() if key not in ("additionalProperties", "propertyOrdering")
    }
    if isinstance(kept.get("type"), str):
        kept["type"] = kept["type"].lower()
    return kept


@pytest.mark.parametrize("dialect", SPOKEN)
@given(request=strategies.requests())
def test_a_request_is_the_same_after_it_was_read_and_written_again(dialect, request):
    body = rendered(dialect, request)
    assert rendered(dialect, parsed(dialect, body, request.stream)) == body


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=lambda name: name)
@given(request=strategies.requests())
def test_a_request_means_the_same_in_another_dialect(first, second, request):
    one = rendered(first, request)
    two = rendered(second, parsed(first, one, request.stream))
    assert meaning(second, two, request) == meaning(first, one, request)


@pytest.mark.parametrize("dialect", SPOKEN)
@given(request=strategies.requests())
def test_what_goes_to_an_upstream_keeps_to_its_specification(dialect, request):
    fault = schemas.fault(dialect, schemas.REQUEST[dialect], rendered(dialect, request))
    assert fault is None, fault


@pytest.mark.parametrize("dialect", SPOKEN)
@given(request=strategies.requests())
def test_the_same_request_gives_the_same_bytes(dialect, request):
    first = jsonio.encode(DIALECTS[dialect].render_request(request, upstream_side(dialect)))
    again = jsonio.encode(DIALECTS[dialect].render_request(msgspec.structs.replace(request), upstream_side(dialect)))
    assert first == again


@pytest.mark.parametrize("dialect", SPOKEN)
@given(request=strategies.requests())
def test_a_longer_history_begins_with_the_bytes_of_the_shorter(dialect, request):
    """Prompt caches and proofs that are bound to what came before depend on it (6.3)."""
    lists = {"messages", "input", "contents"}
    whole = rendered(dialect, request)
    shorter = rendered(dialect, msgspec.structs.replace(request, turns=request.turns[:1]))
    (field,) = lists & set(whole)
    before, after = shorter[field], whole[field]
    assert json.dumps(after[: len(before)]) == json.dumps(before)
