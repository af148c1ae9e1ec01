"""Recorded bodies with anything put in anywhere: an error of ours in words, or a translation; never anything else."""

from __future__ import annotations

import copy
import functools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import Body
from proxyapp.dialects.registry import DIALECTS
from proxyapp.engine.roads import Translation
from proxyapp.errors import BadRequest, GatewayError, UpstreamFault
from tests.corpus.exchanges import SPOKEN, agents, exchanges
from tests.properties.sides import OPERATORS, client_side, parsed, upstream_side
from tests.properties.test_answers import wanted

JUNK: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 10**30, "", " ", "x", "\ud83d", [], {}, [[]], [None], [{}], {"type": None}, {"type": "x"},
    {"type": "text", "text": 5}, [{"type": "text"}], {"": ""}, "data:image/png;base64,@@", "gwr1.a.b.c.d.e",
)  # fmt: skip
MOST = 20_000


@functools.cache
def asked(dialect: str) -> list[dict[str, Any]]:
    found = [each.body for each in (*exchanges(dialect), *agents()) if each.dialect == dialect and each.body]
    return [body for body in found if len(json.dumps(body)) <= MOST]


@functools.cache
def answered(dialect: str) -> list[dict[str, Any]]:
    found = [each for each in exchanges(dialect) if not each.stream and len(each.raw) <= MOST]
    return [each.json() for each in found]


def in_words(error: GatewayError) -> None:
    assert error.message


@st.composite
def spoiled(draw: Any, bodies: list[dict[str, Any]]) -> dict[str, Any]:
    """One of the bodies with up to three values replaced, taken away or said twice."""
    body = copy.deepcopy(draw(st.sampled_from(bodies)))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(body))
        if not places:
            break
        holder, key = draw(st.sampled_from(places))
        match draw(st.sampled_from(["replace", "replace", "remove", "double"])):
            case "replace":
                holder[key] = copy.deepcopy(draw(st.sampled_from(JUNK)))
            case "remove":
                del holder[key]
            case "double" if isinstance(holder, list):
                holder.insert(key, copy.deepcopy(holder[key]))
    return body


def _places(node: Any) -> Any:
    """Every value inside, as (its holder, its key)."""
    for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
        yield node, key
        if isinstance(value, dict | list):
            yield from _places(value)


@pytest.mark.parametrize("dialect", SPOKEN)
@settings(max_examples=120)
@given(data=st.data())
def test_a_spoiled_request_is_refused_in_words_or_translated(dialect, data):
    body = data.draw(spoiled(asked(dialect)))
    try:
        request = parsed(dialect, jsonio.decode_object(json.dumps(body).encode()))
    except BadRequest as error:
        in_words(error)
        return
    for target in SPOKEN:
        try:
            jsonio.encode(DIALECTS[target].render_request(request, upstream_side(target)))
        except BadRequest as error:
            in_words(error)


@pytest.mark.parametrize("dialect", SPOKEN)
@settings(max_examples=80)
@given(data=st.data())
def test_a_spoiled_request_of_the_same_dialect_is_passed_on_or_refused(dialect, data):
    raw = json.dumps(data.draw(spoiled(asked(dialect)))).encode()
    try:
        DIALECTS[dialect].patch(Body(raw), "m", upstream_side(dialect, **OPERATORS))
        DIALECTS[dialect].tap(Body(raw))
    except BadRequest as error:
        in_words(error)


@pytest.mark.parametrize("dialect", SPOKEN)
@settings(max_examples=120)
@given(data=st.data())
def test_a_spoiled_answer_is_a_fault_of_the_upstream_or_an_answer(dialect, data):
    raw = json.dumps(data.draw(spoiled(answered(dialect)))).encode()
    DIALECTS[dialect].glimpse(raw)
    for caller in SPOKEN:
        side = upstream_side(dialect)
        way = Translation((DIALECTS[caller], client_side()), (DIALECTS[dialect], side), wanted(caller, stream=False), 0)
        try:
            assert isinstance(json.loads(way.answer(raw)), dict)
        except UpstreamFault as error:
            in_words(error)


@pytest.mark.parametrize("dialect", SPOKEN)
@given(data=st.data())
def test_a_spoiled_error_is_an_error(dialect, data):
    errors = [each.json() for name in SPOKEN for each in exchanges(name) if each.is_error and not each.stream]
    body = data.draw(spoiled(errors))
    status = data.draw(st.sampled_from([400, 401, 404, 429, 500, 529]))
    error = DIALECTS[dialect].parse_error(status, {}, json.dumps(body).encode())
    assert isinstance(error, UpstreamFault)
    for caller in SPOKEN:
        status, told = DIALECTS[caller].render_error(error, "request")
        assert status >= 400
        assert isinstance(json.loads(jsonio.encode(told))["error"]["message"], str)
