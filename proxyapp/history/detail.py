"""One request as its page shows it: a timeline, notes in words, and the four layers in readable form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import zstandard
from msgspec import Struct

from proxyapp.models.history import RequestAttempt, RequestContent, RequestLog

SHOWN_CHARACTERS = 40_000
"""Of one layer on the page; the rest is behind a link."""
OPEN_CHARACTERS = 1_500
"""Longer layers are folded."""

TITLES = {
    "client_request": "Client sent",
    "upstream_request": "Upstream got",
    "upstream_answer": "Upstream answered",
    "client_answer": "Client got",
}
SAME_AS = {
    "upstream_request": ("client_request", "The same as the client sent, save for what routing changes in it."),
    "client_answer": ("upstream_answer", "Passed on as the upstream answered."),
}


class Layer(Struct):
    """One of the four bodies. `text` is not escaped: the template does that."""

    name: str
    title: str
    text: str = ""
    """As much of it as the page shows; "" when there is none."""
    size: int = 0
    """Bytes kept."""
    is_open: bool = False
    is_cut: bool = False
    """More is kept than is shown."""
    words: str = ""
    """Why there is nothing to show."""


class Step(Struct):
    """A bar of the timeline: percent of the whole width."""

    label: str
    ms: float
    start: float
    width: float
    kind: str = "attempt"
    """gateway | attempt | failed | first | total"""


class Note(Struct):
    path: str
    sentence: str
    is_dropped: bool


def notes(content: RequestContent) -> list[Note]:
    """What was lost or changed in translation. Entries of another shape are passed over."""
    found = (entry for entry in content.notes if isinstance(entry, list) and len(entry) == 3)
    return [Note(str(path), str(sentence), bool(dropped)) for path, sentence, dropped in found]


def layers(content: RequestContent, was_sent: bool) -> list[Layer]:
    """`was_sent`: an upstream was asked."""
    return [_layer(content, name, title, was_sent) for name, title in TITLES.items()]


def _layer(content: RequestContent, name: str, title: str, was_sent: bool) -> Layer:
    try:
        data = content.layer(name)
    except zstandard.ZstdError:
        return Layer(name, title, words="What is stored cannot be read.")
    if data is None:
        return Layer(name, title, words=_why_nothing(content, name, was_sent))
    text = readable(data)
    return Layer(
        name,
        title,
        text=text[:SHOWN_CHARACTERS],
        size=len(data),
        is_open=len(text) <= OPEN_CHARACTERS,
        is_cut=len(text) > SHOWN_CHARACTERS,
    )


def _why_nothing(content: RequestContent, name: str, was_sent: bool) -> str:
    if not content.sizes:
        return "Bodies of this request are not kept."
    before, words = SAME_AS.get(name, ("", ""))
    is_same = before in content.sizes and (was_sent or name != "upstream_request")
    return words if is_same else "Nothing was sent."


def readable(data: bytes) -> str:
    """JSON with line ends, anything else as it is. Bytes that are no UTF-8, such as at a cut, become marks."""
    try:
        return msgspec.json.format(data, indent=2).decode("utf-8", "replace")
    except (msgspec.DecodeError, RecursionError):
        return data.decode("utf-8", "replace")


def timeline(log: RequestLog, attempts: Iterable[RequestAttempt]) -> list[Step]:
    """What the time went into, in order; empty when it is not known."""
    tries = [attempt for attempt in attempts if attempt.ms is not None]
    whole = max(log.duration_ms or 0.0, log.first_byte_ms or 0.0, sum(attempt.ms for attempt in tries))
    if not whole:
        return []
    gateway = "The gateway itself" if len(tries) < 2 else "The gateway, with pauses between attempts"
    steps = [_step(gateway, log.overhead_ms, 0.0, whole, "gateway")] if log.overhead_ms is not None else []
    begun = min(log.overhead_ms or 0.0, max(whole - sum(attempt.ms for attempt in tries), 0.0))
    for attempt in tries:
        label = f"Attempt {attempt.position + 1}: {attempt.upstream}"
        steps.append(_step(label, attempt.ms, begun, whole, "failed" if attempt.error else "attempt"))
        begun += attempt.ms
    if log.first_byte_ms is not None:
        steps.append(_step("First byte to the client", log.first_byte_ms, 0.0, whole, "first"))
    if log.duration_ms is not None:
        steps.append(_step("Total", log.duration_ms, 0.0, whole, "total"))
    return steps


def _step(label: str, ms: float, start: float, whole: float, kind: str) -> Step:
    left = min(100.0 * start / whole, 99.5)
    return Step(label, ms, round(left, 2), round(min(max(100.0 * ms / whole, 0.5), 100.0 - left), 2), kind)


def tokens(log: RequestLog) -> list[tuple[str, str]]:
    """(what, how many)."""
    counts: list[tuple[str, int | None]] = [
        ("Fresh input", log.fresh_input),
        ("Read from the cache", log.cache_read),
        ("Written to the cache, 5 minutes", log.cache_write_5m),
        ("Written to the cache, 1 hour", log.cache_write_1h),
        ("Output", log.output),
        ("of which reasoning", log.reasoning),
    ]
    return [(what, "not said" if count is None else f"{count:,}") for what, count in counts]


def facts(log: RequestLog, content: RequestContent | None) -> list[tuple[str, Any]]:
    """(what, value) for the page's summary; what is not known is left out."""
    everything = [
        ("Request id", log.request_id),
        ("Caller's id", log.caller_request_id),
        ("Client", log.client),
        ("Key", log.key),
        ("Dialect", log.dialect),
        ("Model", log.model),
        ("Upstream", log.upstream),
        ("Upstream's model", log.upstream_model),
        ("Upstream's id", content.upstream_request_id if content else ""),
        ("Answer", "streamed" if log.stream else "in one piece"),
        ("Finish", content.finish if content else ""),
        ("Proxy", log.proxy),
        ("Session", log.session),
        ("Path", content.path if content else ""),
        ("Address", content.address if content else ""),
        ("User agent", content.user_agent if content else ""),
    ]
    return [(what, value) for what, value in everything if value not in ("", None)]
