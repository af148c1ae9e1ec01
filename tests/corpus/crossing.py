"""What a caller of another dialect must get for a recorded answer: its meaning, by the tables of translation.md."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.corpus.exchanges import CHAT, GEMINI, MESSAGES, RESPONSES, Exchange
from tests.corpus.meaning import Counts, Meaning
from tests.corpus.readers import FOLD, READ

# 3.2, "encode", as the class that the caller's own word is then read as.
STOPS: dict[str, dict[str, str]] = {
    CHAT: {"stop_sequence": "end", "context_window": "length", "pause": "length", "recitation": "content_filter"},
    MESSAGES: {"content_filter": "refusal", "recitation": "refusal"},
    RESPONSES: {"stop_sequence": "end", "context_window": "length", "pause": "length", "recitation": "content_filter"},
    GEMINI: {"stop_sequence": "end", "context_window": "length", "refusal": "content_filter"},
}


def recorded(exchange: Exchange) -> Meaning:
    """The recorded answer's own meaning."""
    body = FOLD[exchange.dialect](exchange.raw) if exchange.stream else exchange.json()
    return READ[exchange.dialect](body)


def given(dialect: str, raw: bytes, *, stream: bool) -> Meaning:
    """The meaning of what a caller got."""
    return READ[dialect](FOLD[dialect](raw) if stream else json.loads(raw))


def expected(meaning: Meaning, caller: str, source: str) -> Meaning:
    """The same meaning as a caller of another dialect can be told it. What it cannot be told stands in `beyond`."""
    stop = "tool_calls" if meaning.stop == "end" and meaning.calls else meaning.stop  # calls win (3.2 rule 1)
    told = replace(meaning, stop=STOPS[caller].get(stop, stop), beyond=set(meaning.beyond))
    if caller == CHAT and source == MESSAGES and stop == "refusal":
        told.stop = "content_filter"  # a refusal that is no text of the model's own (3.2)
    if caller == RESPONSES and stop == "refusal" and not told.refusal:
        told.stop = "content_filter"  # Responses tells a refusal in words; here there are none
    if len(told.call_ids) < len(told.calls):
        told.beyond.add("call id")
    if caller == MESSAGES:
        told.text, told.refusal = told.text + told.refusal, ""  # a model's own refusal is shown as text (3.2)
    if told.stop_text is not None and caller != MESSAGES:
        told.beyond.add("stop sequence")
        told.stop_text = None
    told.counts = counts_told(meaning.counts, caller)
    if told.counts is None and caller == MESSAGES:
        told.beyond.add("counts")
    return told


def counts_told(counts: Counts | None, caller: str) -> Counts | None:
    """3.3: what an answer that we write must hold as a number, and what Gemini leaves out when it is zero."""
    if counts is None:
        return None
    if caller == CHAT:
        return replace(counts, reasoning=counts.reasoning or 0)
    if caller == RESPONSES:
        return replace(counts, cached=counts.cached or 0, written=counts.written or 0, reasoning=counts.reasoning or 0)
    if caller == GEMINI:
        return replace(counts, cached=counts.cached or None, written=None, reasoning=counts.reasoning or None)
    return counts


def differences(want: Meaning, got: Meaning) -> list[str]:
    """Where two meanings differ, as sentences. What stands in `want.beyond` is not looked for."""
    found = []
    for name in ("text", "reasoning", "refusal", "calls", "call_ids", "stop", "stop_text", "counts", "sources"):
        one, two = getattr(want, name), getattr(got, name)
        if name == "counts" and "counts" in want.beyond:
            one, two = True, _is_estimate(two)
        if name == "call_ids" and "call id" in want.beyond:
            one, two = len(want.calls), len(set(two))
        if name == "calls":  # callers of other dialects may be told a namespace before the name (7.1)
            two = [(_bare(call[0], want), call[1]) for call in two]
        if one != two:
            found.append(f"{name}: {one!r} became {two!r}")
    return found


def _bare(name: str, want: Meaning) -> str:
    plain = name.rpartition("__")[2]
    return plain if plain in dict(want.calls) else name


def _is_estimate(counts: Counts | None) -> bool:
    return counts is not None and bool(counts.prompt) and counts.cached is None and counts.reasoning is None
