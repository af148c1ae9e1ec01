"""Token counts of this wire to and from the IR (reference/translation.md 3.3).

`promptTokenCount` includes what was read from a cache; thoughts stand beside the candidates' count, not inside it.
"""

from __future__ import annotations

from typing import Any

from proxyapp.ir.usage import Usage


def parse(raw: Any) -> Usage | None:
    """A `usageMetadata` object; None when it counts nothing (Vertex sends one with `trafficType` alone)."""
    if not isinstance(raw, dict):
        return None
    prompt, output = _count(raw, "promptTokenCount"), _count(raw, "candidatesTokenCount")
    if output is None:
        output = _count(raw, "responseTokenCount")
    thoughts, tools = _count(raw, "thoughtsTokenCount"), _count(raw, "toolUsePromptTokenCount")
    total, read = _count(raw, "totalTokenCount"), _count(raw, "cachedContentTokenCount")
    if prompt is None and output is None and total is None:
        return None
    asked = (prompt or 0) + (tools or 0)
    inclusive = thoughts is not None and output is not None and total == asked + output
    return Usage(
        fresh_input=max(0, asked - (read or 0)),
        cache_read=read,
        output=(output or 0) + (0 if inclusive else thoughts or 0),
        reasoning=thoughts,
        raw=raw,
    )


def render(usage: Usage | None) -> dict[str, Any] | None:
    """The caller's `usageMetadata`; None when nothing is known. Zero counts of a cache and of thoughts are left out."""
    if usage is None:
        return None
    thoughts = usage.reasoning or 0
    body = {"promptTokenCount": usage.total_input, "candidatesTokenCount": max(0, (usage.output or 0) - thoughts)}
    if usage.cache_read:
        body["cachedContentTokenCount"] = usage.cache_read
    if thoughts:
        body["thoughtsTokenCount"] = thoughts
    body["totalTokenCount"] = usage.total
    return body


def _count(raw: dict[str, Any], key: str) -> int | None:
    value = raw.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return max(0, int(value))
