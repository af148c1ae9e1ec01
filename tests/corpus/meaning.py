"""What an answer means, whichever dialect it is told in. Plain readers, independent of the product's parsers.

Both sides of a translation are read by these: the recorded answer, and what the caller got.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class Counts:
    """Tokens. `prompt` is all of it, cached or not; `output` includes reasoning. None = not told."""

    prompt: int | None = None
    cached: int | None = None
    written: int | None = None
    output: int | None = None
    reasoning: int | None = None


@dataclass
class Meaning:
    """An answer in neutral words."""

    text: str = ""
    """All visible text, joined: Chat cannot say what stood between two calls."""
    reasoning: str = ""
    refusal: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    """(name, parsed arguments) of the caller's own tools, in order. Text that is no JSON stands as it is."""
    call_ids: list[str] = field(default_factory=list)
    stop: str = ""
    """The neutral class of translation.md 3.2."""
    stop_text: str | None = None
    """The stop sequence that matched."""
    counts: Counts | None = None
    sources: list[str] = field(default_factory=list)
    """Addresses cited, each once."""
    beyond: set[str] = field(default_factory=set)
    """What the answer holds besides: words of `losses.ANSWERS`."""


def parsed(text: str) -> Any:
    """Arguments as a value; no text means no arguments."""
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text
