"""Token counts of many servers as disjoint counts, and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyapp.dialects.openai_chat.usage import parse_usage, render_usage
from proxyapp.ir.usage import Usage


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"prompt_tokens": 100, "completion_tokens": 7}, (100, None, None, 7, None)),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 7,
                "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            (10, 60, 30, 7, 3),
        ),
        # Grok on Azure: more cached than prompt
        (
            {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 12}},
            (0, 12, None, 1, None),
        ),
        # DeepSeek
        ({"prompt_tokens": 10, "completion_tokens": 1, "prompt_cache_hit_tokens": 4}, (6, 4, None, 1, None)),
        # Moonshot
        ({"prompt_tokens": 10, "completion_tokens": 1, "cached_tokens": 4}, (6, 4, None, 1, None)),
        # xAI: completion without reasoning, total with it (corpus xai-text)
        (
            {
                "prompt_tokens": 12,
                "completion_tokens": 2,
                "total_tokens": 334,
                "completion_tokens_details": {"reasoning_tokens": 320},
            },
            (12, None, None, 322, 320),
        ),
        ({"prompt_tokens": 5, "completion_tokens_details": None}, (5, None, None, None, None)),
        ({"prompt_tokens": 5.0, "completion_tokens": True}, (5, None, None, None, None)),
    ],
)
def test_counts_are_disjoint(raw: dict[str, Any], expected: tuple[int | None, ...]) -> None:
    usage = parse_usage(raw)
    assert usage is not None
    assert (usage.fresh_input, usage.cache_read, usage.cache_write_5m, usage.output, usage.reasoning) == expected
    assert usage.raw == raw


@pytest.mark.parametrize("raw", [None, 7, [], {}, {"prompt_tokens": "x"}, {"total_tokens": 7}])
def test_what_holds_no_counts_is_no_usage(raw: Any) -> None:
    assert parse_usage(raw) is None


COUNT = st.none() | st.integers(0, 1000)


@given(fresh=st.integers(0, 1000), read=COUNT, write=COUNT, output=st.integers(0, 1000))
def test_what_is_rendered_is_read_back(fresh: int, read: int | None, write: int | None, output: int) -> None:
    usage = Usage(fresh_input=fresh, cache_read=read, cache_write_5m=write, output=output)
    shown = render_usage(usage)
    assert shown["prompt_tokens"] == fresh + (read or 0) + (write or 0)
    assert shown["total_tokens"] == shown["prompt_tokens"] + shown["completion_tokens"]
    back = parse_usage(shown)
    assert back is not None
    assert (back.fresh_input, back.cache_read, back.cache_write_5m, back.output) == (fresh, read, write, output)
