"""What a caller of the other dialect must get for a recorded answer: its meaning, by the tables of translation.md."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.corpus.exchanges import CHAT, MESSAGES, Exchange
from tests.corpus.folding import FOLD
from tests.corpus.meaning import READ, Counts, Meaning

# 3.2, "encode", as the class that the caller's own word is then read as.
STOPS: dict[str, dict[str, str]] = {
    CHAT: {"stop_sequence": "end", "context_window": "length", "pause": "length", "refusal": "content_filter"},
    MESSAGES: {"content_filter": "refusal"},
}


def recorded(exchange: Exchange) -> Meaning:
    """The recorded answer's own meaning."""
    body = FOLD[exchange.dialect](exchange.raw) if exchange.stream else exchange.json()
    return READ[exchange.dialect](body)


def given(dialect: str, raw: bytes, *, stream: bool) -> Meaning:
    """The meaning of what a caller got."""
    return READ[dialect](FOLD[dialect](raw) if stream else json.loads(raw))


def expected(meaning: Meaning, caller: str) -> Meaning:
    """The same meaning as a caller of the other dialect can be told it. What it cannot be told stands in `beyond`."""
    stop = "tool_calls" if meaning.stop == "end" and meaning.calls else meaning.stop  # calls win (3.2 rule 1)
    told = replace(meaning, stop=STOPS[caller].get(stop, stop), beyond=set(meaning.beyond))
    if caller == MESSAGES:
        _to_messages(told)
    else:
        _to_chat(told)
    return told


def _to_messages(told: Meaning) -> None:
    told.text, told.refusal = told.text + told.refusal, ""  # a refusal is shown as text as well (3.2)
    if told.counts is None:
        told.beyond.add("counts")
    if len(told.call_ids) < len(told.calls):
        told.beyond.add("call id")


def _to_chat(told: Meaning) -> None:
    if told.stop_text is not None:
        told.beyond.add("stop sequence")
        told.stop_text = None
    told.counts = told_to_chat(told.counts)


def told_to_chat(counts: Counts | None) -> Counts | None:
    """3.3: the reasoning count of an answer that we write must hold a number."""
    return None if counts is None else replace(counts, reasoning=counts.reasoning or 0)


def differences(want: Meaning, got: Meaning) -> list[str]:
    """Where two meanings differ, as sentences. What stands in `want.beyond` is not looked for."""
    found = []
    for name in ("text", "reasoning", "refusal", "calls", "call_ids", "stop", "stop_text", "counts", "sources"):
        one, two = getattr(want, name), getattr(got, name)
        if name == "counts" and "counts" in want.beyond:
            one, two = True, _is_estimate(two)
        if name == "call_ids" and "call id" in want.beyond:
            one, two = len(want.calls), len(set(two))
        if one != two:
            found.append(f"{name}: {one!r} became {two!r}")
    return found


def _is_estimate(counts: Counts | None) -> bool:
    return counts is not None and bool(counts.prompt) and counts.cached is None and counts.reasoning is None
