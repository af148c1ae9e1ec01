"""Between the two forms of an answer: fold events into a Response, unfold a Response into events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from proxyapp.errors import UpstreamBroken, UpstreamFault
from proxyapp.ir import events as ev
from proxyapp.ir import parts as p
from proxyapp.ir.response import Finish, FinishKind, Response


class Fold:
    """Collects a stream. `add` every event, then `result()`."""

    def __init__(self) -> None:
        self.response = Response(finish=Finish(kind=FinishKind.OTHER))
        self.finished = False
        self.failure: UpstreamFault | None = None
        self._text: list[str] = []

    def add(self, event: ev.Event) -> None:
        _STEPS[type(event)](self, event)

    def result(self) -> Response:
        """The whole answer. Raises the stream's own error when it failed, UpstreamBroken when it never ended."""
        if self.failure is not None:
            raise self.failure
        if not self.finished:
            raise UpstreamBroken("The upstream's stream ended before the answer was complete.")
        return self.response

    def _started(self, event: ev.Started) -> None:
        self.response.id, self.response.model = event.id, event.model
        self.response.created, self.response.service_tier = event.created, event.service_tier
        if event.usage is not None:
            self.response.usage = event.usage

    def _part_started(self, event: ev.PartStarted) -> None:
        self.response.parts.append(msgspec.structs.replace(event.part))
        self._text = []

    def _text_delta(self, event: Any) -> None:
        self._text.append(event.text)

    def _signature(self, event: ev.SignatureDelta) -> None:
        part = self.response.parts[-1]
        assert isinstance(part, p.Reasoning)
        part.signature, part.family = event.signature, event.family

    def _citation(self, event: ev.CitationGiven) -> None:
        part = self.response.parts[-1]
        assert isinstance(part, p.Text)
        part.citations = [*part.citations, event.citation]

    def _logprobs(self, event: ev.LogprobsGiven) -> None:
        self.response.logprobs = (self.response.logprobs or []) + event.tokens

    def _part_ended(self, event: ev.PartEnded) -> None:
        if self._text:
            _put_text(self.response.parts[-1], "".join(self._text))
            self._text = []

    def _usage(self, event: ev.UsageGiven) -> None:
        self.response.usage = event.usage

    def _finished(self, event: ev.Finished) -> None:
        self.response.finish, self.finished = event.finish, True

    def _failed(self, event: ev.Failed) -> None:
        self.failure = event.error

    def _alive(self, event: ev.Alive) -> None:
        return None


_STEPS: dict[type, Callable[[Fold, Any], None]] = {
    ev.Started: Fold._started,
    ev.PartStarted: Fold._part_started,
    ev.TextDelta: Fold._text_delta,
    ev.ReasoningDelta: Fold._text_delta,
    ev.ArgumentsDelta: Fold._text_delta,
    ev.SignatureDelta: Fold._signature,
    ev.CitationGiven: Fold._citation,
    ev.LogprobsGiven: Fold._logprobs,
    ev.PartEnded: Fold._part_ended,
    ev.UsageGiven: Fold._usage,
    ev.Finished: Fold._finished,
    ev.Failed: Fold._failed,
    ev.Alive: Fold._alive,
}


def fold(stream: Iterable[ev.Event]) -> Response:
    """A whole stream as one Response. Raises as `Fold.result`."""
    collected = Fold()
    for event in stream:
        collected.add(event)
    return collected.result()


def unfold(response: Response) -> Iterator[ev.Event]:
    """A Response as the stream it could have been: each part with one delta."""
    yield ev.Started(response.id, response.model, response.created, response.usage, response.service_tier)
    for part in response.parts:
        yield from _unfold_part(part, response.logprobs)
    if response.usage is not None:
        yield ev.UsageGiven(response.usage)
    yield ev.Finished(response.finish)


def _unfold_part(part: p.Part, logprobs: list[dict[str, Any]] | None) -> Iterator[ev.Event]:
    yield ev.PartStarted(_emptied(part))
    match part:
        case p.Text():
            yield from _unfold_text(part, logprobs)
        case p.Refusal() if part.text:
            yield ev.TextDelta(part.text)
        case p.Reasoning() if not part.redacted:
            yield from _unfold_reasoning(part)
        case p.ToolCall() | p.ServerCall() if part.arguments:
            yield ev.ArgumentsDelta(part.arguments)
    yield ev.PartEnded()


def _unfold_text(part: p.Text, logprobs: list[dict[str, Any]] | None) -> Iterator[ev.Event]:
    if part.text:
        yield ev.TextDelta(part.text)
    for citation in part.citations:
        yield ev.CitationGiven(citation)
    if logprobs:
        yield ev.LogprobsGiven(logprobs)


def _unfold_reasoning(part: p.Reasoning) -> Iterator[ev.Event]:
    if part.text:
        yield ev.ReasoningDelta(part.text)
    if part.signature is not None:
        yield ev.SignatureDelta(part.signature, part.family)


def _emptied(part: p.Part) -> p.Part:
    match part:
        case p.Text():
            return msgspec.structs.replace(part, text="", citations=[])
        case p.Refusal():
            return msgspec.structs.replace(part, text="")
        case p.Reasoning() if not part.redacted:
            return msgspec.structs.replace(part, text="", signature=None)
        case p.ToolCall() | p.ServerCall():
            return msgspec.structs.replace(part, arguments="")
    return part


def _put_text(part: p.Part, text: str) -> None:
    if isinstance(part, p.ToolCall | p.ServerCall):
        part.arguments = text
    elif isinstance(part, p.Text | p.Refusal | p.Reasoning):
        part.text = text
