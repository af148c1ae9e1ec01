"""Errors of this wire on both sides (reference/translation.md 5, upstreams.md 5.4.5)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from proxyapp.dialects import jsonio, sse, waiting
from proxyapp.dialects.gemini.tables import NAME, STATUS_OF_WORD, STATUS_WORD, TYPES
from proxyapp.errors import (
    BadRequest,
    BodyUnreadable,
    GatewayError,
    NotAuthenticated,
    UpstreamBroken,
    UpstreamFault,
    UpstreamRefused,
)

_PLAIN_STATUSES = (401, 402, 403, 413, 429)
"""Sent without JSON by proxies before the API; what they mean is in the status alone."""
_BAD_KEY = re.compile(r"api key (not valid|expired|not found)", re.IGNORECASE)
"""How a message begins; further on it may repeat what the caller sent."""
_DELAY = re.compile(r"^(\d+(?:\.\d+)?)s$")
_SECRET = re.compile(r"\bAIza[\w-]{10,}")

# --- to a caller


def render_error(error: GatewayError, request_id: str) -> tuple[int, dict[str, Any]]:
    """Status and body. The request id travels in a header: this body has no place for it."""
    status = 503 if error.status == 529 else error.status
    return status, {"error": _object(error, status)}


def error_frame(error: GatewayError) -> bytes:
    """The last frame of a stream that failed (5.4)."""
    _, body = render_error(error, "")
    return sse.data_frame(jsonio.encode(body))


def _object(error: GatewayError, status: int) -> dict[str, Any]:
    own = isinstance(error, UpstreamRefused) and error.dialect == NAME
    word = STATUS_WORD.get(status) or ("INVALID_ARGUMENT" if status < 500 else "INTERNAL")
    details: list[Any] = []
    if isinstance(error, UpstreamRefused) and own:
        word = error.kind or word
        details = error.details if isinstance(error.details, list) else []
    else:
        details = _details(error)
    body: dict[str, Any] = {"code": status, "message": error.message, "status": word}
    if error.retry_after is not None and not any(_is_of(entry, "RetryInfo") for entry in details):
        delay = f"{math.ceil(error.retry_after)}s"
        details = [*details, {"@type": f"{TYPES}RetryInfo", "retryDelay": delay}]
    return {**body, "details": details} if details else body


def _details(error: GatewayError) -> list[Any]:
    if isinstance(error, NotAuthenticated):  # what Google's clients look for when a key is bad
        return [{"@type": f"{TYPES}ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}]
    if isinstance(error, BadRequest) and error.param:
        violation = {"field": error.param, "description": error.message}
        return [{"@type": f"{TYPES}BadRequest", "fieldViolations": [violation]}]
    return []


def _is_of(entry: Any, kind: str) -> bool:
    return isinstance(entry, dict) and str(entry.get("@type", "")).endswith(f"google.rpc.{kind}")


# --- from an upstream


def error_in(value: Any) -> dict[str, Any] | None:
    """The `error` object that an answer, a chunk or a one-element array holds; None when it holds none."""
    if isinstance(value, list) and value:
        value = value[0]
    error = value.get("error") if isinstance(value, dict) else None
    return error if isinstance(error, dict) and error else None


def reported(value: Any, raw: bytes = b"") -> UpstreamRefused | None:
    """An error inside a 200 or a stream; None when there is none. Its status is the one it names."""
    error = error_in(value)
    if error is None:
        return None
    code, word = error.get("code"), error.get("status")
    status = code if isinstance(code, int) and 400 <= code < 600 else STATUS_OF_WORD.get(str(word), 500)
    return _refused(error, status, raw or jsonio.encode(value), None)


def parse_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFault:
    """An HTTP answer >= 400, also one wrapped in an array. Never raises."""
    wait = waiting.retry_after(headers)
    try:
        value = jsonio.decode(body)
    except BodyUnreadable:
        value = None
    error = error_in(value) or _in_other_words(value)
    if error is None:
        if status < 500 and status not in _PLAIN_STATUSES:
            return UpstreamBroken(f"The upstream answered {status} without a readable error.", retry_after=wait)
        sentence = f"The upstream answered {status} without a readable error."
        return UpstreamRefused(sentence, status=status, dialect=NAME, body=body, retry_after=wait)
    return _refused(error, status, body, wait)


def _in_other_words(value: Any) -> dict[str, Any] | None:
    """An error as servers in front of Google's models say it: `{"detail": "…"}`, `{"message": "…"}`."""
    told = value if isinstance(value, dict) else {}
    message = next((told[name] for name in ("message", "detail") if isinstance(told.get(name), str)), "")
    return {"message": message} if message else None


def _refused(error: dict[str, Any], status: int, raw: bytes, wait: float | None) -> UpstreamRefused:
    message, word, details = error.get("message"), error.get("status"), error.get("details")
    message = message if isinstance(message, str) and message else f"The upstream answered {status}."
    details = details if isinstance(details, list) else None
    reason = next((entry.get("reason") for entry in details or [] if _is_of(entry, "ErrorInfo")), None)
    if status == 400 and (reason == "API_KEY_INVALID" or _BAD_KEY.match(message)):
        status = 401  # Google answers 400 to a bad key; whose fault it is must not be lost
    refused = UpstreamRefused(
        _SECRET.sub("AIza-…", message),
        status=status,
        kind=word if isinstance(word, str) else None,
        upstream_code=reason if isinstance(reason, str) else None,
        details=details,
        dialect=NAME,
        body=raw,
        retry_after=_told_delay(details) if _told_delay(details) is not None else wait,
    )
    if status == 429 and _is_daily(details):
        refused.retryable = False
    return refused


def _told_delay(details: list[Any] | None) -> float | None:
    for entry in details or []:
        if _is_of(entry, "RetryInfo") and (found := _DELAY.match(str(entry.get("retryDelay", "")))):
            return float(found.group(1))
    return None


def _is_daily(details: list[Any] | None) -> bool:
    """A quota that comes back tomorrow: waiting does not help (5.3 rule 8)."""
    for entry in details or []:
        violations = entry.get("violations") if _is_of(entry, "QuotaFailure") else None
        for violation in violations if isinstance(violations, list) else []:
            if isinstance(violation, dict) and "PerDay" in str(violation.get("quotaId", "")):
                return True
    return False
