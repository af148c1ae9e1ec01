"""The shape of a Chat answer as far as it is read. Everything is optional: servers differ, and so do their faults."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct


class Delta(Struct):
    """`delta` of a stream, `message` of a whole answer."""

    content: Any = None
    refusal: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: Any = None
    thinking_blocks: Any = None
    tool_calls: Any = None
    function_call: Any = None
    annotations: Any = None
    audio: Any = None
    images: Any = None


class Choice(Struct):
    """One choice; `message` in place of `delta` comes from servers that send a whole answer as one frame."""

    index: Any = 0
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: Any = None
    stop_reason: Any = None
    logprobs: Any = None
    error: Any = None


class Chunk(Struct):
    """One frame, or a whole answer."""

    id: Any = None
    object: Any = None
    model: Any = None
    created: Any = None
    choices: list[Choice] | None = None
    usage: Any = None
    service_tier: Any = None
    system_fingerprint: Any = None
    error: Any = None
    x_groq: Any = None
    citations: Any = None
    search_results: Any = None

    def fault(self) -> Any:
        """The error it reports: as OpenRouter and most do, or Groq (`x_groq.error`: why a stream stopped early)."""
        if self.error or not isinstance(self.x_groq, dict):
            return self.error
        return self.x_groq.get("error")

    def first_choice(self) -> Choice | None:
        """The one that is used: number 0, or the first that has no number."""
        for choice in self.choices or ():
            if not choice.index:
                return choice
        return None

    def counts(self) -> Any:
        """The usage object wherever it stands (Groq puts it into `x_groq`)."""
        if self.usage is None and isinstance(self.x_groq, dict):
            return self.x_groq.get("usage")
        return self.usage


decode_chunk = msgspec.json.Decoder(Chunk).decode

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What `decode_chunk` raises for bytes that are no answer (ValidationError is a DecodeError)."""
