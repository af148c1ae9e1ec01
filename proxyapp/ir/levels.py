"""The operator's reasoning levels: how much a model thinks, whatever its callers ask for.

The budgets are those that people know from droid2api (reference/upstreams.md 1.6); they are not the ladder by which
callers' own words are turned into budgets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from proxyapp.ir.request import ReasoningSettings, Request

AUTO, OFF = "auto", "off"
BUDGETS = {"low": 4_096, "medium": 12_288, "high": 24_576, "xhigh": 40_960}
"""Level -> tokens of thinking, for models that take a number."""

WORDS = frozenset(
    {
        "effort", "enable_thinking", "reasoning", "reasoning.mode", "reasoning_budget",
        "reasoning_effort", "think", "thinking", "thinking_budget", "thinking_config", "thinkingConfig",
        "thinking_level", "thinking_mode", "thinking_token_budget",
    }
)  # fmt: skip
"""Top-level fields by which one server or another is told how much to think. Under a fixed level callers' are left out
in every dialect: what a server does with a word that is not its dialect's own is not known."""
HOLDERS = frozenset({"chat_template_kwargs", "extra_body", "google", "output_config"})
"""Objects that hold such words beside others."""


def settings_of(level: str) -> ReasoningSettings | None:
    """A level as settings; None for `auto`: the caller's own hold."""
    if level == OFF:
        return ReasoningSettings(mode="off", by_operator=True)
    if level in BUDGETS:
        return ReasoningSettings(mode="effort", effort=level, budget=BUDGETS[level], by_operator=True)
    return None


def name_of(settings: ReasoningSettings) -> str:
    return settings.effort or OFF


def sentence(settings: ReasoningSettings) -> str:
    """What the history says."""
    return f"Set by the operator's reasoning level, `{name_of(settings)}`."


def under(request: Request, level: ReasoningSettings | None) -> Request:
    """The request with the operator's level in place of the caller's settings. Whether the thinking is shown stays the
    caller's choice; one that wanted none is shown none."""
    if level is None:
        return request
    own = request.reasoning
    show = False if own is not None and own.mode == "off" else own.show if own is not None else None
    settings = msgspec.structs.replace(level, show=show, display=own.display if own is not None else None)
    return msgspec.structs.replace(request, reasoning=settings, extras=without_words(request.extras))


def without_words(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields without those that tell how much to think, also inside the objects that hold such; one that held
    nothing else goes."""
    kept: dict[str, Any] = {}
    for name, value in fields.items():
        if name in WORDS:
            continue
        if name in HOLDERS and isinstance(value, Mapping):
            inner = without_words(value)
            if value and not inner:
                continue
            value = inner
        kept[name] = value
    return kept
