"""IR events as a caller's stream of GenerateContentResponses (reference/translation.md 4.1 G, 4.5).

Text and thoughts flow, calls come whole, finish reason and counts stand in the last chunk and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import ClientSide
from proxyapp.dialects.gemini import errors, finish, logprobs, proving, usage
from proxyapp.dialects.gemini.writer import AnswerWriter
from proxyapp.errors import GatewayError
from proxyapp.ir import events as ev
from proxyapp.ir import parts as p
from proxyapp.ir.request import Request
from proxyapp.ir.usage import Usage

_TEXT = b'data: {"candidates":[{"content":{"parts":[{"text":'
_THOUGHT = b'data: {"candidates":[{"content":{"parts":[{"thought":true,"text":'
_PART_END = b'}],"role":"model"},"index":0}],'


class GeminiEncoder:
    """One stream. Each call returns whole frames, or b""."""

    def __init__(self, request: Request, side: ClientSide) -> None:
        self._request = request
        self._side = side
        self._writer = AnswerWriter(request, side)
        self._tail = b""
        """What every chunk ends with: model and id."""
        self._usage: Usage | None = None
        self._part: p.Part | None = None
        self._said: list[str] = []
        """Text of the open part, for what its end tells: a call's arguments, hidden thinking, places of sources."""
        self._tokens: list[dict[str, Any]] = []

    def encode(self, event: ev.Event) -> bytes:
        return _STEPS[type(event)](self, event)

    def fail(self, error: GatewayError) -> bytes:
        return errors.error_frame(error)

    # --- the answer

    def _started(self, event: ev.Started) -> bytes:
        self._usage = event.usage
        head = {
            "modelVersion": event.model or self._request.model,
            "responseId": event.id or self._side.new_id(),
        }
        self._tail = jsonio.encode(head)[1:]
        return b""

    def _given(self, event: ev.UsageGiven) -> bytes:
        self._usage = event.usage
        return b""

    def _finished(self, event: ev.Finished) -> bytes:
        writer = self._writer
        ended = finish.render(event.finish, refused=writer.refused, has_content=writer.has_content)
        parts = writer.rest() or [{"text": ""}]
        candidate = {"content": {"parts": parts, "role": "model"}, **ended, "index": 0, **writer.metadata()}
        if self._tokens:
            candidate["logprobsResult"] = logprobs.render(self._tokens)
        body: dict[str, Any] = {"candidates": [candidate]}
        counted = usage.render(self._usage)
        if counted is not None:
            body["usageMetadata"] = counted
        return b"data: " + jsonio.encode(body)[:-1] + b"," + self._tail + b"\n\n"

    def _failed(self, event: ev.Failed) -> bytes:
        return self.fail(event.error)

    # --- parts

    def _part_started(self, event: ev.PartStarted) -> bytes:
        self._said = []
        match event.part:  # a copy takes citations and proof when they come
            case p.Text() as text:
                self._part = msgspec.structs.replace(text, citations=list(text.citations))
            case p.Reasoning() as thought:
                self._part = msgspec.structs.replace(thought)
            case other:
                self._part = other
        return b""

    def _part_ended(self, event: ev.PartEnded) -> bytes:
        part, self._part = self._part, None
        text = "".join(self._said)
        match part:
            case p.Text():
                part.text = text
                return self._end_text(part)
            case p.Refusal():
                self._writer.refused += text
                self._writer.has_content = True
                return b""
            case p.Reasoning():
                return self._end_thought(part, text)
            case p.ToolCall() | p.ServerCall():
                return self._chunk(self._writer.parts(msgspec.structs.replace(part, arguments=text)))
            case None:
                return b""
        return self._chunk(self._writer.parts(part))

    def _end_text(self, part: p.Text) -> bytes:
        """The text itself went out; its sources are told at the end of the answer."""
        writer = self._writer
        if part.text or part.citations:
            writer.has_content = True
            writer.grounding.add(part, 0)  # readers of a stream put its texts together
        return b""

    def _end_thought(self, part: p.Reasoning, text: str) -> bytes:
        """The text went out where it is shown; the proof follows it."""
        if part.redacted or proving.is_own(part) or not self._writer.shows:
            part.text = "" if self._writer.shows else text
            return self._chunk(self._writer.parts(part))
        if not part.signature:
            return b""
        return self._chunk([{"text": "", "thought": True, "thoughtSignature": self._writer.proof(part)}])

    def _chunk(self, parts: list[dict[str, Any]]) -> bytes:
        if not parts:
            return b""
        body = {"candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0}]}
        return b"data: " + jsonio.encode(body)[:-1] + b"," + self._tail + b"\n\n"

    # --- deltas

    def _text(self, event: ev.TextDelta) -> bytes:
        self._said.append(event.text)
        self._writer.has_content = True
        if isinstance(self._part, p.Refusal):
            return b""
        signed = self._writer.signed({"text": event.text})
        if len(signed) > 1:
            return self._chunk([signed])
        return _TEXT + jsonio.encode(event.text) + _PART_END + self._tail + b"\n\n"

    def _reasoning(self, event: ev.ReasoningDelta) -> bytes:
        self._said.append(event.text)
        if not self._writer.shows:
            return b""
        return _THOUGHT + jsonio.encode(event.text) + _PART_END + self._tail + b"\n\n"

    def _signature(self, event: ev.SignatureDelta) -> bytes:
        if isinstance(self._part, p.Reasoning):
            self._part.signature, self._part.family = event.signature, event.family
        return b""

    def _arguments(self, event: ev.ArgumentsDelta) -> bytes:
        self._said.append(event.text)
        return b""

    def _citation(self, event: ev.CitationGiven) -> bytes:
        if isinstance(self._part, p.Text):
            self._part.citations.append(event.citation)
        return b""

    def _logprobs(self, event: ev.LogprobsGiven) -> bytes:
        self._tokens += event.tokens
        return b""

    def _nothing(self, event: Any) -> bytes:
        return b""


_STEPS: dict[type, Callable[[GeminiEncoder, Any], bytes]] = {
    ev.Started: GeminiEncoder._started,
    ev.PartStarted: GeminiEncoder._part_started,
    ev.TextDelta: GeminiEncoder._text,
    ev.ReasoningDelta: GeminiEncoder._reasoning,
    ev.SignatureDelta: GeminiEncoder._signature,
    ev.ArgumentsDelta: GeminiEncoder._arguments,
    ev.CitationGiven: GeminiEncoder._citation,
    ev.LogprobsGiven: GeminiEncoder._logprobs,
    ev.PartEnded: GeminiEncoder._part_ended,
    ev.UsageGiven: GeminiEncoder._given,
    ev.Finished: GeminiEncoder._finished,
    ev.Failed: GeminiEncoder._failed,
    ev.Alive: GeminiEncoder._nothing,
}
