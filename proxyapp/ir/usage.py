"""Token counts of one answer, in five disjoint numbers, so that no sum ever counts a token twice."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Usage(Struct, kw_only=True):
    """`None` = the upstream did not say; `0` = it said zero.

    `fresh_input + cache_read + cache_write_5m + cache_write_1h` is the whole prompt; `output` includes `reasoning`.
    """

    fresh_input: int | None = None
    """Prompt tokens neither read from nor written to a cache."""
    cache_read: int | None = None
    cache_write_5m: int | None = None
    """Written with the short lifetime, or with one that was not said."""
    cache_write_1h: int | None = None
    output: int | None = None
    """All output tokens, reasoning included."""
    reasoning: int | None = None
    """The part of `output` spent on reasoning."""
    write_split_known: bool = False
    """True when the upstream itself told the 5 min / 1 h split."""
    web_searches: int | None = None
    """Hosted web searches, billed apart (Anthropic `server_tool_use.web_search_requests`)."""
    estimated: bool = False
    """Counted here, not reported by the upstream."""
    raw: dict[str, Any] | None = None
    """The upstream's own object."""

    @property
    def cache_write(self) -> int | None:
        if self.cache_write_5m is None and self.cache_write_1h is None:
            return None
        return (self.cache_write_5m or 0) + (self.cache_write_1h or 0)

    @property
    def total_input(self) -> int:
        return (self.fresh_input or 0) + (self.cache_read or 0) + (self.cache_write or 0)

    @property
    def total(self) -> int:
        return self.total_input + (self.output or 0)
