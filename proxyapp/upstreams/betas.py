"""The `anthropic-beta` header under the operator's reasoning levels. Facts: reference/upstreams.md 1.4 and 5.3.8."""

from __future__ import annotations

from proxyapp.ir import levels
from proxyapp.ir.profile import Profile

INTERLEAVED = "interleaved-thinking-2025-05-14"
"""Thinking between tool calls, for models that think by a budget. Those that decide for themselves do it unasked, and
the newest of them refuse the word."""


def under_level(header: str, level: str, profile: Profile) -> str:
    """The header's value to send, "" for none. `header`: the caller's, "" for none; `auto` leaves it untouched, `off`
    takes exactly that one beta out, every other level puts it behind the others unless it is there."""
    if level == levels.AUTO or levels.settings_of(level) is None:
        return header
    betas = [beta for beta in (part.strip() for part in header.split(",")) if beta]
    if level == levels.OFF:
        betas = [beta for beta in betas if beta != INTERLEAVED]
    elif profile.thinking == "budget" and INTERLEAVED not in betas:
        betas.append(INTERLEAVED)
    return ", ".join(betas)
