"""One complete answer in neutral words, and why it ended."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from proxyapp.ir.parts import Part
from proxyapp.ir.usage import Usage


class FinishKind(StrEnum):
    END = "end"
    STOP_SEQUENCE = "stop_sequence"
    TOOL_CALLS = "tool_calls"
    LENGTH = "length"
    CONTEXT_WINDOW = "context_window"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"
    PAUSE = "pause"
    COMPACTION = "compaction"
    MALFORMED = "malformed"
    RECITATION = "recitation"
    STEERED = "steered"
    OTHER = "other"


class Finish(Struct, kw_only=True):
    """Why the answer ended. Unknown words become OTHER; `raw` keeps the upstream's own."""

    kind: FinishKind
    raw: str | None = None
    sequence: str | None = None
    """The stop string that matched, when the upstream says so; never guessed."""
    category: str | None = None
    explanation: str | None = None
    """A refusal's reason in words."""


class Response(Struct, kw_only=True):
    """A whole answer. `parts` are in the order they were made."""

    id: str = ""
    model: str = ""
    """As the upstream reports it."""
    created: int | None = None
    """Unix seconds."""
    parts: list[Part] = field(default_factory=list)
    finish: Finish
    usage: Usage | None = None
    logprobs: list[dict[str, Any]] | None = None
    """In Chat's form: one object a token."""
    service_tier: str | None = None
    extras: dict[str, Any] = field(default_factory=dict)
    """dialect -> top-level fields with no place above."""
