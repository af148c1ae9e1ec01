"""What the endpoints that are only forwarded tell in passing: usage, errors inside a 200, the end of a stream.

Completions, moderations, images, audio and rerank are not modelled; their answers are relayed and read along.
"""

from __future__ import annotations

from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.openai.errors import Errors
from proxyapp.dialects.sse import Frame
from proxyapp.errors import UpstreamRefused
from proxyapp.ir.usage import Usage

ERRORS = Errors("openai-chat", history="prompt")
_ANSWERS = frozenset({"choices", "data", "results", "text", "id"})
"""One of these is in every good answer; an `error` beside one is a field of that answer."""
_WORTH_READING = (b'"usage"', b'"error"', b'"finish_reason"')


def usage_in(answer: dict[str, Any] | None) -> Usage | None:
    """Usage in any of the spellings: prompt and completion, input and output, or a sum alone (rerank)."""
    said = answer.get("usage") if answer else None
    if not isinstance(said, dict):
        return None
    prompt, output = _first(said, "prompt_tokens", "input_tokens"), _first(said, "completion_tokens", "output_tokens")
    if prompt is None and output is None:
        prompt = _first(said, "total_tokens")
    if prompt is None and output is None:
        return None
    cached = _cached(said)
    if prompt is None or cached is None or cached > prompt:
        return Usage(fresh_input=prompt, output=output, raw=said)
    return Usage(fresh_input=prompt - cached, cache_read=cached, output=output, raw=said)


def error_in(answer: dict[str, Any] | None, raw: bytes = b"") -> UpstreamRefused | None:
    """An error that came with status 200."""
    if answer and answer.get("error") and not _ANSWERS & answer.keys():
        return ERRORS.reported(answer["error"], raw)
    return None


class StreamReader:
    """Reads along a forwarded stream of events. Raises nothing."""

    def __init__(self, *, has_end_mark: bool) -> None:
        """`has_end_mark`: only `[DONE]`, or a reason why the answer ended, is a proper end."""
        self._has_end_mark = has_end_mark
        self.usage: Usage | None = None
        self.error: UpstreamRefused | None = None
        self.has_content = False
        self.is_over = False
        """The end mark was seen."""
        self._has_finished = False

    @property
    def may_end(self) -> bool:
        """The bytes may end here without anything being lost."""
        return self.is_over or self._has_finished or not self._has_end_mark

    def feed(self, frame: Frame) -> None:
        if frame.data == b"[DONE]":
            self.is_over = True
            return
        if not frame.data:
            return
        if frame.event == "error":
            self.error = ERRORS.of_event(frame.data)
            return
        if any(word in frame.data for word in _WORTH_READING):
            self._read(frame.data)
        self.has_content = self.error is None

    def _read(self, data: bytes) -> None:
        event = jsonio.try_object(data)
        self.error = error_in(event)
        self.usage = usage_in(event) or self.usage
        choices = event.get("choices") if event else None
        if isinstance(choices, list):
            ended = [choice.get("finish_reason") for choice in choices if isinstance(choice, dict)]
            self._has_finished = self._has_finished or any(ended)


def _first(said: dict[str, Any], *names: str) -> int | None:
    for name in names:
        value = said.get(name)
        if type(value) is int and value >= 0:
            return value
    return None


def _cached(said: dict[str, Any]) -> int | None:
    for name in ("prompt_tokens_details", "input_tokens_details"):
        details = said.get(name)
        if isinstance(details, dict):
            return _first(details, "cached_tokens")
    return None
