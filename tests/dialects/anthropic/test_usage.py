"""Token counts, both ways."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyapp.dialects.anthropic.usage import merged, parse, render
from proxyapp.ir.usage import Usage


def test_nothing_said_is_not_zero() -> None:
    assert parse(None) is None
    assert parse({}) is None
    usage = parse({"input_tokens": 5})
    assert usage is not None
    assert (usage.fresh_input, usage.cache_read, usage.cache_write, usage.output, usage.reasoning) == (
        5,
        None,
        None,
        None,
        None,
    )


def test_all_counts_find_their_places() -> None:
    raw = {
        "input_tokens": 10,
        "cache_read_input_tokens": 90,
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        "output_tokens": 50,
        "output_tokens_details": {"thinking_tokens": 40},
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
    }
    usage = parse(raw)
    assert usage == Usage(
        fresh_input=10,
        cache_read=90,
        cache_write_5m=10,
        cache_write_1h=20,
        output=50,
        reasoning=40,
        write_split_known=True,
        web_searches=2,
        raw=raw,
    )
    assert usage.total_input == 130


@pytest.mark.parametrize(
    ("total", "split", "short", "long", "known"),
    [
        (30, None, 30, None, False),
        (None, (1, 2), 1, 2, True),
        (3337, (3068, 0), 3337, 0, False),
        (10, (5, 20), 0, 10, False),
        (0, (0, 0), 0, 0, True),
    ],
)
def test_written_tokens_never_count_twice(
    total: int | None, split: tuple[int, int] | None, short: int, long: int | None, known: bool
) -> None:
    raw: dict[str, Any] = {"input_tokens": 1, "cache_creation_input_tokens": total}
    if split:
        raw["cache_creation"] = {"ephemeral_5m_input_tokens": split[0], "ephemeral_1h_input_tokens": split[1]}
    usage = parse(raw)
    assert usage is not None
    assert (usage.cache_write_5m, usage.cache_write_1h, usage.write_split_known) == (short, long, known)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["compaction", "message"], (30, 3)),
        (["message", "advisor_message"], (10, 1)),
        (["message", "fallback_message"], (7, 7)),
        ([], (7, 7)),
        (["advisor_message"], (7, 7)),
    ],
)
def test_iterations_are_summed_but_for_the_advisors_and_fallbacks(kinds: list[str], expected: tuple[int, int]) -> None:
    rounds = [{"type": kind, "input_tokens": 10 * (n + 1), "output_tokens": n + 1} for n, kind in enumerate(kinds)]
    usage = parse({"input_tokens": 7, "output_tokens": 7, "iterations": rounds})
    assert usage is not None
    assert (usage.fresh_input, usage.output) == expected


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "input_tokens",
                "cache_creation",
                "iterations",
                "output_tokens_details",
                "server_tool_use",
                "output_tokens",
            ]
        ),
        st.none()
        | st.text(max_size=2)
        | st.integers()
        | st.lists(st.integers())
        | st.floats(allow_nan=False, allow_infinity=False),
    )
)
def test_odd_counts_raise_nothing(raw: dict[str, Any]) -> None:
    parse(raw)


def test_later_counts_overwrite_and_nulls_do_not() -> None:
    assert merged({"a": 1, "b": 2}, {"a": 5, "b": None, "c": 3}) == {"a": 5, "b": 2, "c": 3}
    assert merged({"a": 1}, "nonsense") == {"a": 1}


def test_a_caller_always_gets_numbers_for_input_and_output() -> None:
    assert render(None, estimated_input=9, estimated_output=4)["input_tokens"] == 9
    assert render(None)["output_tokens"] == 0
    empty = render(Usage(), estimated_input=9, estimated_output=4)
    assert (empty["input_tokens"], empty["output_tokens"], empty["cache_read_input_tokens"]) == (9, 4, None)


def test_a_known_zero_is_not_estimated() -> None:
    told = render(Usage(fresh_input=0, cache_read=9, output=0), estimated_input=5, estimated_output=5)
    assert (told["input_tokens"], told["output_tokens"]) == (0, 0)


def test_the_split_is_told_only_when_it_is_known() -> None:
    known = Usage(fresh_input=1, cache_write_5m=2, cache_write_1h=3, write_split_known=True, output=1)
    assert render(known)["cache_creation"] == {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3}
    assert render(known)["cache_creation_input_tokens"] == 5
    assert render(Usage(fresh_input=1, cache_write_5m=2, output=1))["cache_creation"] is None


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_counts_survive_the_way_there_and_back(fresh: int, read: int, short: int, long: int, out: int) -> None:
    usage = Usage(
        fresh_input=fresh,
        cache_read=read,
        cache_write_5m=short,
        cache_write_1h=long,
        write_split_known=True,
        output=out,
        reasoning=out,
        web_searches=1,
    )
    back = parse(render(usage))
    assert back is not None
    back.raw = None
    assert back == usage
