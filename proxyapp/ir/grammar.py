"""The event grammar as a checker; tests hold every decoder to it."""

from __future__ import annotations

from collections.abc import Iterable

from proxyapp.ir import events as ev
from proxyapp.ir import parts as p

_DELTAS: dict[type, tuple[type, ...]] = {
    ev.TextDelta: (p.Text, p.Refusal),
    ev.CitationGiven: (p.Text,),
    ev.LogprobsGiven: (p.Text, p.Refusal),
    ev.ReasoningDelta: (p.Reasoning,),
    ev.SignatureDelta: (p.Reasoning,),
    ev.ArgumentsDelta: (p.ToolCall, p.ServerCall),
}


class GrammarViolation(AssertionError):
    """A decoder produced an event that may not stand where it stands."""


class Grammar:
    """Feed events one by one; raises GrammarViolation at the first that is out of place."""

    def __init__(self) -> None:
        self.started = False
        self.ended = False
        self.open: p.Part | None = None

    def check(self, event: ev.Event) -> None:
        if self.ended:
            raise GrammarViolation(f"{event} after the end")
        if isinstance(event, ev.Failed):
            self.ended = True
        elif isinstance(event, ev.Started):
            self._require(not self.started, event, "a second Started")
            self.started = True
        else:
            self._require(self.started, event, "before Started")
            self._inside(event)

    def _inside(self, event: ev.Event) -> None:
        if isinstance(event, ev.PartStarted):
            self._require(self.open is None, event, "while a part is open")
            self.open = event.part
        elif isinstance(event, ev.PartEnded):
            self._require(self.open is not None, event, "with no part open")
            self.open = None
        elif isinstance(event, ev.Finished):
            self._require(self.open is None, event, "while a part is open")
            self.ended = True
        elif type(event) in _DELTAS:
            self._require(isinstance(self.open, _DELTAS[type(event)]), event, f"inside {self.open!r}")
            self._require(getattr(event, "text", "x") != "", event, "empty")

    def _require(self, holds: bool, event: ev.Event, why: str) -> None:
        if not holds:
            raise GrammarViolation(f"{event}: {why}")


def check_all(events: Iterable[ev.Event]) -> None:
    """A whole stream: legal, and properly ended."""
    grammar = Grammar()
    for event in events:
        grammar.check(event)
    if not grammar.ended:
        raise GrammarViolation("the stream has no Finished or Failed")
