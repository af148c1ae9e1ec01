"""Errors of this wire on both sides (reference/translation.md 5.1-5.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from proxyapp.dialects import jsonio, sse, waiting
from proxyapp.dialects.anthropic.tables import ERROR_STATUS, ERROR_TYPE, NAME, SPENT
from proxyapp.errors import (
    GatewayError,
    ThreadNotFound,
    ThreadsUnsupported,
    UpstreamBroken,
    UpstreamFault,
    UpstreamRefused,
)

_OVERFLOW = re.compile(
    r"prompt is too long|maximum context length|context_length_exceeded|context window"
    r"|input token count.*exceeds|too many (input )?tokens",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\d,])\d[\d,]{2,11}(?![\d,])")
_TOO_LONG = "prompt is too long"
_PLAIN_STATUSES = (401, 402, 403, 413, 429)
"""Sent without JSON by the edge before the API (upstreams.md 5.3.7); what they mean is in the status alone."""


# --- to a caller


def render_error(error: GatewayError, request_id: str) -> tuple[int, dict[str, Any]]:
    """Status and body. An UpstreamRefused of this dialect keeps type, message and details: clients match on them."""
    status, body = _error(error)
    return status, {"type": "error", "error": body, "request_id": request_id}


def error_frame(error: GatewayError) -> bytes:
    """The `error` event that ends a stream (5.4)."""
    _, body = _error(error)
    return sse.named_frame(b"error", jsonio.encode({"type": "error", "error": body}))


def _error(error: GatewayError) -> tuple[int, dict[str, Any]]:
    if isinstance(error, UpstreamRefused):
        if error.dialect == NAME:
            return _own(error)
        if _is_overflow(error):
            return 400, {"type": "invalid_request_error", "message": _overflow_message(error.message)}
    message = error.message
    if error.param and error.param not in message:
        message = f"{error.param}: {message}"  # this wire has no `param`
    body: dict[str, Any] = {"type": _type(error.status), "message": message}
    if isinstance(error, ThreadsUnsupported):  # on these details the SDKs go on without threads (clients.md 3)
        body["details"] = {"error_code": error.code, "unsupported": ["thread"]}
    elif isinstance(error, ThreadNotFound):  # and on these they send the whole conversation
        body["details"] = {"error_code": error.code}
    return error.status, body


def _own(error: UpstreamRefused) -> tuple[int, dict[str, Any]]:
    body = {"type": error.kind or _type(error.status), "message": error.message}
    if error.details is not None:
        body["details"] = error.details
    return error.status, body


def _type(status: int) -> str:
    return ERROR_TYPE.get(status) or ("api_error" if status >= 500 else "invalid_request_error")


def _is_overflow(error: UpstreamRefused) -> bool:
    if error.upstream_code == "context_length_exceeded":
        return True
    return error.status in (400, 413, 422) and bool(_OVERFLOW.search(error.message))


def _overflow_message(message: str) -> str:
    """In the words that agents look for before they compact (5.3 rule 3), with the numbers when they are told."""
    if _TOO_LONG in message:
        return message
    numbers = sorted(int(found.replace(",", "")) for found in _NUMBER.findall(message))
    if len(numbers) >= 2 and numbers[0] < numbers[-1]:
        return f"{_TOO_LONG}: {numbers[-1]} tokens > {numbers[0]} maximum"
    return f"{_TOO_LONG}: {message}"


# --- from an upstream


def refusal_in(body: Any, *, raw: bytes = b"") -> UpstreamRefused | None:
    """The error that a 200 or a stream event holds; None when it holds none. Its status comes from its type."""
    if not isinstance(body, dict):
        return None
    error = body.get("error")
    if body.get("type") != "error" and not (error and "content" not in body and "delta" not in body):
        return None
    kind = error.get("type") if isinstance(error, dict) else None
    return _refused(body, ERROR_STATUS.get(str(kind), 500), raw or jsonio.encode(body))


def parse_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFault:
    """An HTTP answer >= 400. Never raises."""
    retry_after = waiting.retry_after(headers)
    value = jsonio.try_object(body)
    if value is None:
        if status < 500 and status not in _PLAIN_STATUSES:
            return UpstreamBroken(f"The upstream answered {status} without a JSON error.")
        sentence = f"The upstream answered {status} without a JSON error."
        return UpstreamRefused(sentence, status=status, dialect=NAME, body=body, retry_after=retry_after)
    error = _refused(value, status, body)
    error.retry_after = retry_after
    return error


def _refused(value: dict[str, Any], status: int, raw: bytes) -> UpstreamRefused:
    error = value.get("error")
    told = error if isinstance(error, dict) else value
    message = error if isinstance(error, str) else told.get("message") or told.get("detail")
    details = told.get("details")
    code = details.get("error_code") if isinstance(details, dict) else told.get("code")
    kind = told.get("type")
    refused = UpstreamRefused(
        message if isinstance(message, str) and message else f"The upstream answered {status}.",
        status=status,
        kind=kind if isinstance(kind, str) else None,
        upstream_code=code if isinstance(code, str) else None,
        details=details,
        dialect=NAME,
        body=raw,
    )
    if refused.upstream_code in SPENT:
        refused.retryable = False
    return refused
