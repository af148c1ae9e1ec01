"""One finished exchange as database rows. Whatever a record holds, the rows fit their columns."""

from __future__ import annotations

import math
import threading
from datetime import UTC, datetime
from typing import Any

import msgspec
import zstandard
from django.db import models
from django.utils import timezone

from proxyapp.engine.record import AttemptRecord, Begun, Ended
from proxyapp.models.history import CostState, Outcome, RequestAttempt, RequestContent, RequestLog

COMPRESSION = 3
MOST_ATTEMPTS = 100
INTEGER = 2**31 - 1
SMALL = 2**15 - 1
BIG = 2**63 - 1
OUTCOMES = frozenset(Outcome.values)
INTERRUPTED = Outcome.INTERRUPTED.value
UNPRICED = CostState.UNPRICED.value

_local = threading.local()
_json = msgspec.json.Encoder().encode


def _lengths(model: type[models.Model]) -> list[tuple[str, int | None]]:
    """The text columns with the most they take; None = any length."""
    texts = models.CharField, models.TextField
    return [(field.attname, field.max_length) for field in model._meta.concrete_fields if isinstance(field, texts)]


LOG_TEXTS, ATTEMPT_TEXTS, CONTENT_TEXTS = map(_lengths, (RequestLog, RequestAttempt, RequestContent))


class Rows(msgspec.Struct):
    """What one exchange becomes: all columns, save that `attempts` and `content` lack the number of their log row.

    Values are as the drivers take them; a JSON column's is text.
    """

    log: dict[str, Any]
    attempts: list[dict[str, Any]]
    content: dict[str, Any]

    @property
    def request_id(self) -> str:
        return str(self.log["request_id"])

    @property
    def is_complete(self) -> bool:
        return bool(self.log["outcome"] != INTERRUPTED)


def to_rows(record: Ended) -> Rows:
    """Raises ValueError when the record has no id, which nothing could be filed under."""
    begun = record.begun
    if not begun.request_id.strip("\0"):
        raise ValueError("a record without a request id")
    created_at = _moment(begun.started)
    return Rows(
        log=_fit(LOG_TEXTS, _asked(begun, created_at) | _answered(record)),
        attempts=[_attempt(i, attempt) for i, attempt in enumerate(record.attempts[:MOST_ATTEMPTS])],
        content=_content(record, created_at),
    )


def interrupted(begun: Begun) -> Ended:
    """The end of an exchange whose process died while it ran."""
    return Ended(begun=begun, outcome=INTERRUPTED)


def _asked(begun: Begun, created_at: datetime) -> dict[str, Any]:
    return {
        "request_id": begun.request_id,
        "caller_request_id": begun.caller_request_id,
        "created_at": created_at,
        "client_id": _count(begun.client_id, BIG),
        "client": begun.client,
        "key_id": _count(begun.key_id, BIG),
        "key": begun.key,
        "dialect": begun.dialect,
        "model": begun.model,
        "stream": begun.stream,
        "session": begun.session,
    }


def _answered(record: Ended) -> dict[str, Any]:
    ran = record.outcome != INTERRUPTED
    return {
        "upstream": record.upstream,
        "upstream_model": record.upstream_model,
        "status": _count(record.status or None, SMALL),
        "outcome": record.outcome if record.outcome in OUTCOMES else Outcome.ERROR.value,
        "error": record.error,
        "fresh_input": _count(record.fresh_input),
        "cache_read": _count(record.cache_read),
        "cache_write_5m": _count(record.cache_write_5m),
        "cache_write_1h": _count(record.cache_write_1h),
        "output": _count(record.output),
        "reasoning": _count(record.reasoning),
        "usage_estimated": record.usage_estimated,
        "cost_nanos": None,
        "cost_state": UNPRICED,
        "duration_ms": _ms(record.duration_ms) if ran else None,
        "first_byte_ms": _ms(record.first_byte_ms),
        "overhead_ms": _ms(record.overhead_ms),
        "proxy": record.proxy,
    }


def _attempt(position: int, attempt: AttemptRecord) -> dict[str, Any]:
    return _fit(
        ATTEMPT_TEXTS,
        {
            "position": position,
            "upstream": attempt.upstream,
            "key": attempt.key,
            "model": attempt.model,
            "status": _count(attempt.status, SMALL),
            "error": attempt.error,
            "message": attempt.message,
            "ms": _ms(attempt.ms),
            "proxy": attempt.proxy,
        },
    )


def _content(record: Ended, created_at: datetime) -> dict[str, Any]:
    kept = record.content
    layers = {name: getattr(kept, name) if kept else None for name in RequestContent.LAYERS}
    row = {
        "created_at": created_at,
        "sizes": _text({name: len(data) for name, data in layers.items() if data is not None}),
        "truncated": bool(kept and kept.truncated),
        "notes": _text([[_clean(path), _clean(sentence), dropped] for path, sentence, dropped in record.notes]),
        "message": record.message,
        "finish": record.finish,
        "upstream_request_id": record.upstream_request_id,
        "path": record.begun.path,
        "address": record.begun.address,
        "user_agent": record.begun.user_agent,
        "extra": _text(_clean_values(record.extra)),
    }
    packed = {name: None if data is None else _pack(data) for name, data in layers.items()}
    return _fit(CONTENT_TEXTS, row | packed)


def _pack(data: bytes) -> bytes:
    packer = getattr(_local, "packer", None)  # a compressor serves one thread at a time
    if packer is None:
        packer = _local.packer = zstandard.ZstdCompressor(level=COMPRESSION)
    return packer.compress(data)


def _text(value: Any) -> str:
    return _json(value).decode()


def _fit(texts: list[tuple[str, int | None]], row: dict[str, Any]) -> dict[str, Any]:
    for name, most in texts:
        value = row[name]
        if value and ("\0" in value or (most and len(value) > most)):
            row[name] = _clean(value)[:most]
    return row


def _clean(text: str) -> str:
    """PostgreSQL takes no NUL in a text."""
    return text.replace("\0", "") if "\0" in text else text


def _clean_values(value: Any) -> Any:
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, dict):
        return {_clean(str(name)): _clean_values(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean_values(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _count(value: int | None, most: int = INTEGER) -> int | None:
    """An impossible count is an unknown one."""
    return value if value is not None and 0 <= value <= most else None


def _ms(value: float | None) -> float | None:
    return round(value, 3) if value is not None and 0 <= value < 1e12 else None


def _moment(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return timezone.now()
