"""Token counts: Responses counts the cached part inside the input, the IR apart (reference/translation.md 3.3)."""

from __future__ import annotations

from typing import Any

from proxyapp.ir.usage import Usage


def parse_usage(raw: Any, tools: Any = None) -> Usage | None:
    """A `usage` object as disjoint counts; None when it is no object with counts. `tools`: the answer's `tool_usage`.

    Cached more than input (seen from servers): the fresh count is clamped at zero. Some leave reasoning out of
    `output_tokens` and have it in `total_tokens`: it is added, since output includes reasoning.
    """
    if not isinstance(raw, dict):
        return None
    given, output = _count(raw, "input_tokens"), _count(raw, "output_tokens")
    if given is None and output is None:
        return None
    inside, outside = _record(raw, "input_tokens_details"), _record(raw, "output_tokens_details")
    read, write = _count(inside, "cached_tokens"), _count(inside, "cache_write_tokens")
    reasoning = _count(outside, "reasoning_tokens")
    if output is not None and reasoning and _count(raw, "total_tokens") == (given or 0) + output + reasoning:
        output += reasoning
    searches = _record(tools, "web_search") if isinstance(tools, dict) else {}
    return Usage(
        fresh_input=None if given is None else max(0, given - (read or 0) - (write or 0)),
        cache_read=read,
        cache_write_5m=write,
        output=output,
        reasoning=reasoning,
        web_searches=_count(searches, "num_requests") or None,
        raw=raw,
    )


def render_usage(usage: Usage) -> dict[str, Any]:
    """The `usage` object for a caller; both details are required by the official types."""
    return {
        "input_tokens": usage.total_input,
        "input_tokens_details": {"cached_tokens": usage.cache_read or 0, "cache_write_tokens": usage.cache_write or 0},
        "output_tokens": usage.output or 0,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning or 0},
        "total_tokens": usage.total,
    }


def _record(raw: dict[str, Any], name: str) -> dict[str, Any]:
    value = raw.get(name)
    return value if isinstance(value, dict) else {}


def _count(raw: dict[str, Any], name: str) -> int | None:
    value = raw.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return max(0, int(value))
