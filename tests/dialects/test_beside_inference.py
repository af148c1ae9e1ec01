"""Embeddings, counts and what is read along: whatever is sent, nothing but our own errors comes out of it."""

from __future__ import annotations

import base64
import contextlib
import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyapp.dialects.contract import Body, UpstreamSide
from proxyapp.dialects.openai.forwarded import StreamReader, error_in, usage_in
from proxyapp.dialects.registry import COUNTERS, EMBEDDERS
from proxyapp.dialects.signatures import Sealer
from proxyapp.dialects.sse import Frame
from proxyapp.errors import BadRequest, UpstreamBroken, UpstreamFault
from proxyapp.ir.embeddings import EmbeddingResponse, as_base64, as_floats
from proxyapp.ir.profile import Profile

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
words = st.sampled_from(
    [
        "data", "embedding", "embeddings", "values", "index", "usage", "prompt_tokens", "total_tokens", "usageMetadata",
        "promptTokenCount", "model", "requests", "content", "parts", "text", "input", "dimensions", "encoding_format",
        "taskType", "title", "outputDimensionality", "error", "choices", "finish_reason", "input_tokens",
        "totalTokens", "generateContentRequest", "contents", "thinking", "budget_tokens",
    ]
)  # fmt: skip
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4), max_leaves=12
)
objects = st.dictionaries(words, json_values, max_size=5)
embedders = pytest.mark.parametrize("language", EMBEDDERS.values(), ids=EMBEDDERS)
counters = pytest.mark.parametrize("counting", COUNTERS.values(), ids=COUNTERS)


def side() -> UpstreamSide:
    return UpstreamSide(profile=Profile(), sealer=Sealer(b"k" * 32), model="m")


@embedders
@given(body=objects)
def test_any_body_is_understood_or_refused(language: Any, body: dict[str, Any]) -> None:
    try:
        request = language.parse_request(body, "m")
    except BadRequest:
        return
    assert request.inputs
    for other in EMBEDDERS.values():
        with contextlib.suppress(BadRequest):
            json.dumps(other.render_request(request, side()))
    answer = EmbeddingResponse(vectors=[[1.0, 2.0] for _ in request.inputs])
    json.dumps(language.render_response(answer, request))


@embedders
@given(answer=objects, asked=objects)
def test_any_answer_is_read_or_a_fault_of_the_upstream(
    language: Any, answer: dict[str, Any], asked: dict[str, Any]
) -> None:
    raw, body = json.dumps(answer).encode(), Body(json.dumps(asked).encode())
    for read in (
        lambda: language.parse_response(raw, 1),
        lambda: language.usage(raw),
        lambda: language.relay(raw, body, None),
        lambda: language.relay(raw, body, 7),
    ):
        with contextlib.suppress(UpstreamFault, BadRequest):
            read()
    language.asked(body)
    language.patch(body, "m")


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_both_forms_of_a_vector_say_the_same(numbers: list[float]) -> None:
    packed = as_base64(numbers)
    assert base64.b64decode(packed) == struct.pack(f"<{len(numbers)}f", *numbers)
    assert as_floats(packed) == numbers
    assert as_base64(packed) == packed


@pytest.mark.parametrize("vector", ["A", "AAA=", "AAAA", "!!!!", "é"])
def test_what_is_no_base64_of_whole_numbers_is_no_vector(vector: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        as_floats(vector)


def test_a_number_too_large_for_32_bits_is_infinite_and_no_fault() -> None:
    assert math.isinf(as_floats(as_base64([1e300]))[0])


@counters
@given(body=objects, answer=objects)
def test_any_count_is_asked_and_read_or_refused(counting: Any, body: dict[str, Any], answer: dict[str, Any]) -> None:
    with contextlib.suppress(BadRequest):
        counting.generation(Body(json.dumps(body).encode()).top)
    json.dumps(counting.question(body, "m"))
    with contextlib.suppress(UpstreamBroken):
        assert counting.tokens(answer) >= 0
    assert counting.tokens(counting.answer(5)) == 5


@given(answer=objects, data=st.binary(max_size=40), event=st.sampled_from(["", "error", "other"]))
def test_whatever_goes_by_is_read_along_without_a_fault(answer: dict[str, Any], data: bytes, event: str) -> None:
    usage_in(answer)
    error_in(answer)
    reader = StreamReader(has_end_mark=True)
    for frame_data in (data, json.dumps(answer).encode(), b"[DONE]"):
        reader.feed(Frame(event, frame_data, frame_data + b"\n\n"))
    assert reader.is_over
    assert reader.may_end


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 4}, (9, None, 4)),
        ({"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 5}}, (4, 5, 4)),
        ({"input_tokens": 9, "output_tokens": 4, "input_tokens_details": {"text_tokens": 9}}, (9, None, 4)),
        ({"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 5}}, (3, None, None)),
        ({"total_tokens": 7}, (7, None, None)),
        ({"type": "duration", "seconds": 3}, None),
        ({"prompt_tokens": -1, "total_tokens": True}, None),
        ("many", None),
    ],
)
def test_usage_in_all_its_spellings(said: Any, counts: tuple[int | None, ...] | None) -> None:
    usage = usage_in({"usage": said})
    assert (usage and (usage.fresh_input, usage.cache_read, usage.output)) == counts
