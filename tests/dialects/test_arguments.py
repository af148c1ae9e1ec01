"""Tool arguments: text in the IR, an object on the wire."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyapp.dialects import jsonio
from proxyapp.dialects.arguments import REPAIRED, WRAPPED, as_object, as_text, unwrapped


@pytest.mark.parametrize(
    ("text", "value", "sentence"),
    [
        ("", {}, None),
        (" \n", {}, None),
        ('{"a":1}', {"a": 1}, None),
        ("[1,2]", {"value": [1, 2]}, None),
        ('"word"', {"value": "word"}, None),
        ("null", {"value": None}, None),
        ('{"a":1,}', {"a": 1}, REPAIRED),
        ('{"a":[1,2,]', {"a": [1, 2]}, REPAIRED),
        ('{"a":{"b":"}"', {"a": {"b": "}"}}, REPAIRED),
        ('{"a":"x\\"}",', {"a": 'x"}'}, REPAIRED),
        ('{"a":"cut in a str', {"_raw": '{"a":"cut in a str'}, WRAPPED),
        ("plain words", {"_raw": "plain words"}, WRAPPED),
        ('{"a":1}}', {"_raw": '{"a":1}}'}, WRAPPED),
        ("{'a':1}", {"_raw": "{'a':1}"}, WRAPPED),
    ],
)
def test_argument_text_always_becomes_an_object(text: str, value: dict[str, Any], sentence: str | None) -> None:
    assert as_object(text) == (value, sentence)


@given(st.text())
def test_no_text_is_lost_and_none_raises(text: str) -> None:
    value, sentence = as_object(text)
    assert isinstance(value, dict)
    assert sentence != WRAPPED or value == {"_raw": text}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_an_object_survives_the_way_there_and_back(value: dict[str, Any]) -> None:
    assert as_object(as_text(value)) == (value, None)


@given(st.dictionaries(st.text(), JSON, min_size=1, max_size=3), st.integers(0, 5))
def test_missing_closing_brackets_are_put_back(value: dict[str, Any], cut: int) -> None:
    text = jsonio.text(value)
    shortened = text[: len(text) - min(cut, len(text) - len(text.rstrip("]}")))]
    assert as_object(shortened)[0] == value


def test_integers_stay_integers_and_letters_stay_letters() -> None:
    assert as_text({"n": 3, "é": "ü"}) == '{"n":3,"é":"ü"}'


@pytest.mark.parametrize(
    ("text", "free"),
    [
        ('{"input":"*** Begin"}', "*** Begin"),
        ('{"patch":"x"}', "x"),
        ('{"input":"x","other":"y"}', "x"),
        ('{"a":"x","b":"y"}', '{"a":"x","b":"y"}'),
        ("no json", "no json"),
        ("", ""),
    ],
)
def test_the_free_text_of_a_custom_tool_is_taken_out(text: str, free: str) -> None:
    assert unwrapped(text) == free
