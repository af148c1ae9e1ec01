"""Token counts: Chat counts the cached part inside the prompt, the IR apart (reference/translation.md 3.3)."""

from __future__ import annotations

from typing import Any

from proxyapp.ir.usage import Usage


def parse_usage(raw: Any) -> Usage | None:
    """A `usage` object of any server as five disjoint counts; None when it is no object with counts.

    Cached more than prompt (Grok): the fresh count is clamped at zero. xAI leaves reasoning out of
    `completion_tokens` and has it in `total_tokens` (corpus xai-*): it is added, since output includes reasoning.
    """
    if not isinstance(raw, dict):
        return None
    prompt, output = _count(raw, "prompt_tokens"), _count(raw, "completion_tokens")
    if prompt is None and output is None:
        return None
    inside, outside = _details(raw, "prompt_tokens_details"), _details(raw, "completion_tokens_details")
    # DeepSeek and Moonshot put the cached count at the top.
    read = _first(_count(inside, "cached_tokens"), _count(raw, "cached_tokens"), _count(raw, "prompt_cache_hit_tokens"))
    write = _first(_count(inside, "cache_write_tokens"), _count(raw, "cache_creation_input_tokens"))
    reasoning = _first(_count(outside, "reasoning_tokens"), _count(raw, "reasoning_tokens"))
    if output is not None and reasoning and _count(raw, "total_tokens") == (prompt or 0) + output + reasoning:
        output += reasoning
    return Usage(
        fresh_input=None if prompt is None else max(0, prompt - (read or 0) - (write or 0)),
        cache_read=read,
        cache_write_5m=write,
        output=output,
        reasoning=reasoning,
        raw=raw,
    )


def render_usage(usage: Usage) -> dict[str, Any]:
    """The `usage` object for a Chat caller. Cache counts that nobody reported are left out."""
    inside = {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write}
    return {
        "prompt_tokens": usage.total_input,
        "completion_tokens": usage.output or 0,
        "total_tokens": usage.total,
        "prompt_tokens_details": {name: count for name, count in inside.items() if count is not None},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning or 0},
    }


def _details(raw: dict[str, Any], name: str) -> dict[str, Any]:
    value = raw.get(name)
    return value if isinstance(value, dict) else {}


def _count(raw: dict[str, Any], name: str) -> int | None:
    value = raw.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return max(0, int(value))


def _first(*counts: int | None) -> int | None:
    return next((count for count in counts if count is not None), None)
