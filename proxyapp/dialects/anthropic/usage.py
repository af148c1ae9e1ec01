"""Token counts of this wire to and from the IR (reference/translation.md 3.3).

`input_tokens` excludes what was read from or written to a cache; `output_tokens` includes thinking.
"""

from __future__ import annotations

from typing import Any

from proxyapp.ir.usage import Usage


def merged(earlier: dict[str, Any], later: Any) -> dict[str, Any]:
    """`message_delta` counts overwrite those of `message_start`; absent and null ones leave them (4.1)."""
    if not isinstance(later, dict):
        return earlier
    return {**earlier, **{key: value for key, value in later.items() if value is not None}}


def parse(raw: Any) -> Usage | None:
    """A `usage` object; None when there is none. Raises nothing."""
    if not isinstance(raw, dict) or not raw:
        return None
    short, long, split = _written(raw)
    input_tokens, output_tokens = _iterated(raw)
    details, hosted = raw.get("output_tokens_details"), raw.get("server_tool_use")
    return Usage(
        fresh_input=input_tokens,
        cache_read=_count(raw, "cache_read_input_tokens"),
        cache_write_5m=short,
        cache_write_1h=long,
        output=output_tokens,
        reasoning=_count(details, "thinking_tokens"),
        write_split_known=split,
        web_searches=_count(hosted, "web_search_requests"),
        raw=raw,
    )


def _count(raw: Any, key: str) -> int | None:
    value = raw.get(key) if isinstance(raw, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return max(0, int(value))


def _written(raw: dict[str, Any]) -> tuple[int | None, int | None, bool]:
    """Written tokens with the short and the long lifetime, and whether the split is the upstream's own.

    A later total without a split may be larger than the split said at the start
    (corpus ...code-execution-20260120-prompt-cache-1): the difference counts as short-lived.
    """
    total = _count(raw, "cache_creation_input_tokens")
    short = _count(raw.get("cache_creation"), "ephemeral_5m_input_tokens")
    long = _count(raw.get("cache_creation"), "ephemeral_1h_input_tokens")
    if short is None and long is None:
        return total, None, False
    told = (short or 0) + (long or 0)
    if total is None or total == told:
        return short or 0, long or 0, True
    long = min(long or 0, total)
    return total - long, long, False


def _iterated(raw: dict[str, Any]) -> tuple[int | None, int | None]:
    """With `iterations`, input and output are the sums over the compaction and message ones; after a fallback to
    another model the top-level counts hold as they are."""
    plain = _count(raw, "input_tokens"), _count(raw, "output_tokens")
    rounds = raw.get("iterations")
    if not isinstance(rounds, list):
        return plain
    kinds = [entry.get("type") for entry in rounds if isinstance(entry, dict)]
    counted = [entry for entry in rounds if isinstance(entry, dict) and entry.get("type") in ("compaction", "message")]
    if "fallback_message" in kinds or not counted:
        return plain
    return (
        sum(_count(entry, "input_tokens") or 0 for entry in counted),
        sum(_count(entry, "output_tokens") or 0 for entry in counted),
    )


def render(usage: Usage | None, *, estimated_input: int | None = None, estimated_output: int = 0) -> dict[str, Any]:
    """The caller's `usage`. The wire demands numbers for input and output; where the upstream said nothing, the
    estimates stand in. Cache fields stay null when unknown (3.3 note 5)."""
    if usage is None:
        return _counts(Usage(fresh_input=estimated_input or 0, output=estimated_output))
    body = _counts(usage)
    if usage.fresh_input is None and usage.cache_read is None and usage.cache_write is None:
        body["input_tokens"] = estimated_input or 0
    if usage.output is None:
        body["output_tokens"] = estimated_output
    return body


def _counts(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": max(0, usage.fresh_input or 0),
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": _split(usage),
        "output_tokens": usage.output or 0,
        "output_tokens_details": None if usage.reasoning is None else {"thinking_tokens": usage.reasoning},
        "server_tool_use": _hosted(usage),
    }


def _split(usage: Usage) -> dict[str, int] | None:
    if not usage.write_split_known:
        return None
    return {
        "ephemeral_5m_input_tokens": usage.cache_write_5m or 0,
        "ephemeral_1h_input_tokens": usage.cache_write_1h or 0,
    }


def _hosted(usage: Usage) -> dict[str, int] | None:
    if usage.web_searches is None:
        return None
    return {"web_search_requests": usage.web_searches, "web_fetch_requests": 0}
