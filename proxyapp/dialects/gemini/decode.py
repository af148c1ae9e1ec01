"""An upstream's answer as IR events, streamed or whole (reference/translation.md 4.1 G, 4.6 row G).

A whole answer is a stream of one chunk, so both give the same parts. The end of the bytes is the end of the answer:
there is no end mark, and counts may come after the finish reason.
"""

from __future__ import annotations

from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.gemini import errors, finish, grounding, logprobs, usage
from proxyapp.dialects.gemini.reader import PartReader
from proxyapp.dialects.sse import Frame
from proxyapp.errors import BodyUnreadable, UpstreamBroken, UpstreamFault
from proxyapp.ir import events as ev
from proxyapp.ir.response import Finish

_CUT = "The upstream's stream ended before the answer was complete."
_UNREADABLE = "The upstream sent an event that cannot be read."
_NO_ANSWER = "The upstream's answer holds no candidate."


class GeminiDecoder:
    """One stream. Never raises for what an upstream sends."""

    def __init__(self, side: UpstreamSide) -> None:
        self._reader = PartReader(side)
        self._started = False
        self._ended = False
        self._word = ""
        self._message: Any = None
        self._blocked: Finish | None = None
        self._counts: dict[str, Any] = {}

    def feed(self, frame: Frame) -> list[ev.Event]:
        if self._ended:
            return []
        data = frame.data or frame.raw.strip()  # an error may come as bare JSON, not as an event
        if not frame.data and data[:1] not in (b"{", b"["):
            return self._alive()
        if data == b"[DONE]":
            return self._alive()
        try:
            return self.chunk(jsonio.decode(data))
        except (BodyUnreadable, RecursionError):
            return self._failed(UpstreamBroken(_UNREADABLE))

    def chunk(self, value: Any) -> list[ev.Event]:
        """One GenerateContentResponse, decoded."""
        refused = errors.reported(value)
        if refused is not None:
            return self._failed(refused)
        if not isinstance(value, dict):
            return self._failed(UpstreamBroken(_UNREADABLE))
        try:
            return self._begin(value) + self._read(value)
        except UpstreamFault as fault:
            return self._failed(fault)

    def close(self) -> list[ev.Event]:
        if self._ended:
            return []
        if not self._word and self._blocked is None:
            return self._failed(UpstreamBroken(_CUT if self._started else _NO_ANSWER))
        self._ended = True
        out = self._reader.end()
        counted = usage.parse(self._counts)
        if counted is not None:
            out.append(ev.UsageGiven(counted))
        ended = self._blocked if self._blocked is not None and not self._word else None
        ended = ended or finish.parse(self._word, self._message, called=self._reader.called)
        out.append(ev.Finished(ended))
        return out

    def _begin(self, value: dict[str, Any]) -> list[ev.Event]:
        if self._started:
            return []
        self._started = True
        tier = _dict(value.get("usageMetadata")).get("serviceTier")
        return [
            ev.Started(
                id=_text(value.get("responseId")),
                model=_text(value.get("modelVersion")).removeprefix("models/"),
                service_tier=tier if isinstance(tier, str) else None,
            )
        ]

    def _read(self, value: dict[str, Any]) -> list[ev.Event]:
        counts = _dict(value.get("usageMetadata"))
        self._counts |= {key: count for key, count in counts.items() if count is not None}
        if self._blocked is None:
            self._blocked = finish.blocked(value.get("promptFeedback"))
        candidate = _first(value.get("candidates"))
        if candidate is None or self._word:  # what follows the end is not part of the answer (S14)
            return []
        out: list[ev.Event] = []
        for part in _parts(candidate):
            out += self._reader.part(part)
        if "groundingMetadata" in candidate or "citationMetadata" in candidate:
            for citation in grounding.citations_in(candidate, self._reader.text(), self._reader.bases):
                out += self._reader.cite(citation)
        if tokens := logprobs.parse(candidate.get("logprobsResult")):
            out += self._reader.weigh(tokens)
        self._reader.chunk_ended()
        self._word, self._message = finish.word_of(candidate.get("finishReason")), candidate.get("finishMessage")
        return out

    def _failed(self, fault: UpstreamFault) -> list[ev.Event]:
        self._ended = True
        return [ev.Failed(fault)]

    def _alive(self) -> list[ev.Event]:
        return [ev.Alive()] if self._started else []


def _first(candidates: Any) -> dict[str, Any] | None:
    """The first choice; others are asked for by nobody here."""
    for candidate in candidates if isinstance(candidates, list) else []:
        if isinstance(candidate, dict) and candidate.get("index") in (None, 0):
            return candidate
    return None


def _parts(candidate: dict[str, Any]) -> list[dict[str, Any]]:
    parts = _dict(candidate.get("content")).get("parts")
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
