"""The one choke point where secrets leave a record before it is written: every body, every string.

The strings of a record are looked at together, in one call; only when there is something to hide are they done one by
one. That keeps the usual record at a few microseconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any, TypeVar

import msgspec
from msgspec import structs

from proxyapp.engine.record import AttemptRecord, Begun, Content, Ended

T = TypeVar("T", bound=msgspec.Struct)
MARK = b"[redacted]"
LEAST = 8
"""Shorter secrets are left alone: they would be found in ordinary words."""
KEY_HEADERS = ("authorization", "x-api-key", "x-goog-api-key", "x-factory-api-key")
OURS_BEGIN = "sk-dg-"
"""What begins so is known to every redactor."""

OURS = {"request_id", "dialect", "outcome", "error", "finish"}
"""Strings that come from a table of ours and never from outside."""


def _outside(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    return tuple(field.name for field in structs.fields(kind) if field.type is str and field.name not in OURS)


BEGUN_TEXTS = _outside(Begun)
ENDED_TEXTS = _outside(Ended)
ATTEMPT_TEXTS = _outside(AttemptRecord)
LAYERS = ("client_request", "upstream_request", "upstream_answer", "client_answer")
assert all(name in Content.__struct_fields__ for name in LAYERS)

_begun_texts: Callable[[Begun], tuple[str, ...]] = attrgetter(*BEGUN_TEXTS)
_ended_texts: Callable[[Ended], tuple[str, ...]] = attrgetter(*ENDED_TEXTS)
_attempt_texts: Callable[[AttemptRecord], tuple[str, ...]] = attrgetter(*ATTEMPT_TEXTS)


def hiding(secrets: Iterable[str]) -> Callable[[bytes], bytes] | None:
    """Takes exactly these out of bytes, also as JSON writes them; None when there is nothing to take out."""
    known = {secret for secret in secrets if len(secret) >= LEAST and not secret.isdecimal()}
    needles = {form for secret in known for form in (secret.encode("utf-8", "replace"), _in_json(secret))}
    if not needles:
        return None
    longest_first = sorted(needles, key=len, reverse=True)

    def hide(data: bytes) -> bytes:
        for needle in longest_first:
            if needle in data:
                data = data.replace(needle, MARK)
        return data

    return hide


def _in_json(secret: str) -> bytes:
    return json.dumps(secret)[1:-1].encode()


class Scrubber:
    """Applies `redact` to records. Gives the record itself when nothing had to be hidden, else a changed copy."""

    def __init__(self, redact: Callable[[bytes], bytes]) -> None:
        self._redact = redact

    def begun(self, record: Begun) -> Begun:
        return record if self._is_clean(_begun_texts(record)) else self._each(record, BEGUN_TEXTS)

    def ended(self, record: Ended) -> Ended:
        """Raises what encoding `extra` raises when it holds something that is no JSON."""
        texts = [*_begun_texts(record.begun), *_ended_texts(record)]
        for attempt in record.attempts:
            texts += _attempt_texts(attempt)
        for note in record.notes:
            texts += note[:2]
        if record.extra:
            texts.append(msgspec.json.encode(record.extra).decode())
        if not self._is_clean(texts):
            record = self._all(record)
        content = record.content
        return record if content is None else structs.replace(record, content=self._content(content))

    def _is_clean(self, texts: Any) -> bool:
        try:
            joined = "\n".join(texts).encode()
        except (TypeError, UnicodeEncodeError):  # no string, or half a surrogate pair: done one by one
            return False
        return self._redact(joined) == joined

    def _all(self, record: Ended) -> Ended:
        return structs.replace(
            self._each(record, ENDED_TEXTS),
            begun=self._each(record.begun, BEGUN_TEXTS),
            attempts=[self._each(attempt, ATTEMPT_TEXTS) for attempt in record.attempts],
            notes=[(self._text(path), self._text(sentence), dropped) for path, sentence, dropped in record.notes],
            extra=msgspec.json.decode(self._redact(msgspec.json.encode(record.extra)), type=dict[str, Any]),
        )

    def _each(self, record: T, names: tuple[str, ...]) -> T:
        return structs.replace(record, **{name: self._text(getattr(record, name)) for name in names})

    def _text(self, value: object) -> str:
        text = value if isinstance(value, str) else "" if value is None else str(value)
        return self._redact(text.encode("utf-8", "replace")).decode("utf-8", "replace")

    def _content(self, content: Content) -> Content:
        layers = {name: getattr(content, name) for name in LAYERS}
        return structs.replace(content, **{name: self._redact(data) for name, data in layers.items() if data})


def scrubber_of(headers: Mapping[str, str], query_key: str | None) -> Scrubber | None:
    """For credentials that one request bore and that no rule would know by their form, such as a caller's own key."""
    said = [*(headers[name] for name in KEY_HEADERS if name in headers), query_key or ""]
    values = (value.rpartition(" ")[2].strip() for value in said)
    hide = hiding(value for value in values if not value.startswith(OURS_BEGIN))
    return Scrubber(hide) if hide else None
