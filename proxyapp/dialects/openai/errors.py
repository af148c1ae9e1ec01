"""Errors in OpenAI's form, read and written; both its dialects share it. Tables: reference/translation.md 5.1-5.3."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from proxyapp.dialects import jsonio, waiting
from proxyapp.dialects.openai.fields import as_text
from proxyapp.dialects.openai.tables import ERROR_TYPE, KNOWN_CODES, STATUS_OF_WORD
from proxyapp.errors import (
    BadRequest,
    GatewayError,
    InternalError,
    ModelNotFound,
    Unsupported,
    UpstreamBroken,
    UpstreamFault,
    UpstreamRefused,
)

_PLAIN_STATUSES = (401, 402, 403, 413, 429)
"""Sent without JSON by proxies and content networks before the server; what they mean is in the status alone."""
_STATUSES = {str(status) for status in range(400, 600)}
_LONGEST_CAUSE = 500
_SECRET = re.compile(r"\b(sk|org|proj)-[A-Za-z0-9_*-]{6,}")
_OVERFLOW = re.compile(
    r"maximum context length|context_length_exceeded|prompt is too long|context window"
    r"|input token count .{0,80}exceeds|too many input tokens",
    re.IGNORECASE,
)
_QUIET_CODES: dict[type[GatewayError], str | None] = {
    BadRequest: None,
    InternalError: None,
    Unsupported: "unsupported_parameter",
}
"""Our classes whose code would tell an OpenAI caller nothing, or that has a word of its own."""


class Errors:
    """The errors of one dialect. `name`: its own; `history`: the request field that holds the conversation."""

    def __init__(self, name: str, history: str) -> None:
        self._name = name
        self._history = history

    # --- for a caller

    def render(self, error: GatewayError) -> tuple[int, dict[str, Any]]:
        """Status and body. The request id travels in a header: the body has no place for it."""
        status = 503 if error.status == 529 else error.status
        return status, {"error": self.body_of(error)}

    def body_of(self, error: GatewayError) -> dict[str, Any]:
        """The `error` object, all four keys always there."""
        if isinstance(error, UpstreamRefused):
            return _own(error) if error.dialect == self._name else self._foreign(error)
        kind, _ = _words(error.status)
        param = "model" if isinstance(error, ModelNotFound) else error.param
        return _object(error.message, kind, param, _QUIET_CODES.get(type(error), error.code))

    def _foreign(self, error: UpstreamRefused) -> dict[str, Any]:
        kind, code = _words(error.status)
        if error.upstream_code in KNOWN_CODES:
            code = error.upstream_code
        elif error.status == 404 and "model" in error.message.lower():
            code = "model_not_found"
        if error.status in (400, 413) and (code == "context_length_exceeded" or _OVERFLOW.search(error.message)):
            return _object(error.message, "invalid_request_error", self._history, "context_length_exceeded")
        return _object(error.message, kind, None, code)

    # --- from an upstream

    def parse(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFault:
        """An HTTP answer >= 400 as an error. Raises nothing."""
        wait = waiting.retry_after(headers)
        try:
            value = jsonio.decode(body)
        except BadRequest:
            return self._unreadable(status, wait, body)
        error = value[0] if isinstance(value, list) and value else value
        if not isinstance(error, dict):
            return self._unreadable(status, wait, body)
        return self._refused(error.get("error") or error, status, body, wait)

    def reported(self, value: Any, whole: bytes = b"") -> UpstreamRefused:
        """An error that came inside a 200: a whole body, or a frame of a stream. `value` is its `error` member."""
        return self._refused(value, _status_of(value), whole, None)

    def of_event(self, data: bytes) -> UpstreamRefused:
        """The data of a frame that is named `error`, with or without an `error` member."""
        value = jsonio.try_object(data) or {"message": data.decode("utf-8", "replace")}
        return self.reported(value.get("error") or value)

    def _refused(self, value: Any, status: int, body: bytes, wait: float | None) -> UpstreamRefused:
        error: dict[str, Any] = value if isinstance(value, dict) else {"message": str(value)}
        message = error.get("message") or error.get("detail") or error.get("error_description")
        if not isinstance(message, str):
            message = jsonio.text(message) if message else f"The upstream answered with status {status}."
        message += _cause(error.get("metadata"))
        kind, code, param = error.get("type"), error.get("code"), error.get("param")
        if status in (400, 413) and _OVERFLOW.search(message):
            code = "context_length_exceeded"  # compatible servers say it in words only
        return UpstreamRefused(
            _SECRET.sub(lambda match: f"{match.group(1)}-…", message),
            status=status,
            kind=kind if isinstance(kind, str) else None,
            upstream_code=as_text(code) or None,
            details=error,
            dialect=self._name,
            body=body,
            param=param if isinstance(param, str) else None,
            retry_after=wait,
        )

    def _unreadable(self, status: int, wait: float | None, body: bytes) -> UpstreamFault:
        """HTML of a proxy in between, or nothing at all: its text is no message for a caller."""
        message = f"The upstream answered with status {status} and no readable error."
        if status < 500 and status not in _PLAIN_STATUSES:
            return UpstreamBroken(message, retry_after=wait)
        return UpstreamRefused(message, status=status, dialect=self._name, body=body, retry_after=wait)


def _cause(metadata: Any) -> str:
    """What OpenRouter's own upstream said: its message alone is "Provider returned error" (upstreams.md 5.7)."""
    if not isinstance(metadata, dict) or "raw" not in metadata:
        return ""
    raw, provider = metadata["raw"], as_text(metadata.get("provider_name"))
    told = raw if isinstance(raw, dict) else jsonio.try_object(raw if isinstance(raw, str) else None)
    inner = told.get("error", told) if told is not None else raw
    words = inner.get("message") if isinstance(inner, dict) else inner
    if not isinstance(words, str) or not words.strip():
        return f" ({provider})" if provider else ""
    words = words.strip()[:_LONGEST_CAUSE]
    return f" ({provider}: {words})" if provider else f" ({words})"


def _object(message: str, kind: str, param: str | None, code: str | None) -> dict[str, Any]:
    return {"message": message, "type": kind, "param": param, "code": code}


def _words(status: int) -> tuple[str, str | None]:
    return ERROR_TYPE.get(status) or ERROR_TYPE[400 if status < 500 else 503 if status == 529 else 500]


def _own(error: UpstreamRefused) -> dict[str, Any]:
    """An upstream of the same dialect: its own words, more keys than four included (Azure's `innererror`)."""
    kind, code = _words(error.status)
    own = error.details if isinstance(error.details, dict) else {}
    code = as_text(own.get("code", code)) or None  # OpenRouter's codes are numbers
    return {**own, **_object(error.message, error.kind or kind, error.param, code)}


def _status_of(error: Any) -> int:
    """The status that an error inside a 200 would have had: said as a number (OpenRouter, Azure), else by its words."""
    if not isinstance(error, dict):
        return 502
    for value in (error.get("code"), error.get("status"), error.get("status_code")):
        word = as_text(value)
        if word in _STATUSES:
            return int(word)
    words = (error.get("code"), error.get("type"))
    return next((STATUS_OF_WORD[word] for word in words if isinstance(word, str) and word in STATUS_OF_WORD), 502)
