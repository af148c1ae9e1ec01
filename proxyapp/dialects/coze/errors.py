"""Coze's errors: an envelope `{code, msg, detail}`, as often as not inside an HTTP 200 (reference/upstreams.md 6.6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.coze.tables import NAME, NEVER_AGAIN, STATUS_OF_CODE
from proxyapp.errors import UpstreamBroken, UpstreamFault, UpstreamRefused

_PLAIN_STATUSES = (401, 402, 403, 413, 429)
"""Sent without JSON by the edge before the API; what they mean is in the status alone."""


def number(value: Any) -> int:
    """A code: a number, or one in quotes; 0, which is success, for anything else."""
    if isinstance(value, bool):
        return 0
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20 else 0


def refused(said: dict[str, Any], *, status: int | None = None, body: bytes = b"") -> UpstreamRefused:
    """The error in `{code, msg}`. `status`: of the HTTP answer, where that was no 200; a known code says it better."""
    code = number(said.get("code"))
    message = said.get("msg") or said.get("message")
    if not isinstance(message, str) or not message:
        message = "The upstream gave no reason."
    error = UpstreamRefused(
        f"{message} (Coze code {code})" if code else message,
        status=STATUS_OF_CODE.get(code, status or 502),
        upstream_code=str(code) if code else None,
        details=said.get("detail"),
        dialect=NAME,
        body=body,
    )
    if code in NEVER_AGAIN:
        error.retryable = False
    return error


def in_envelope(body: dict[str, Any]) -> UpstreamRefused | None:
    """The error that an answer of status 200 holds; None when its code is 0."""
    return refused(body, body=jsonio.encode(body)) if number(body.get("code")) else None


def parse_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFault:
    """An HTTP answer >= 400. Raises nothing."""
    wait = _seconds(headers.get("retry-after"))
    said = jsonio.try_object(body)
    if said is not None:
        error = refused(said, status=status, body=body)
        error.retry_after = wait
        return error
    message = f"The upstream answered with status {status} and no readable error."
    if status < 500 and status not in _PLAIN_STATUSES:
        return UpstreamBroken(message, retry_after=wait)
    return UpstreamRefused(message, status=status, dialect=NAME, body=body, retry_after=wait)


def _seconds(value: str | None) -> float | None:
    try:
        seconds = float(value or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
