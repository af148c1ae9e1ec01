"""Errors: what an upstream says, and what a caller is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.anthropic.errors import refusal_in
from proxyapp.errors import (
    BadRequest,
    BodyTooLarge,
    Forbidden,
    GatewayError,
    InternalError,
    LimitReached,
    MethodNotAllowed,
    ModelNotFound,
    NoHealthyUpstream,
    NotAuthenticated,
    Unsupported,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamTimeout,
)

NAME = "anthropic-messages"


def an_error(**error: Any) -> bytes:
    return json.dumps({"type": "error", "error": error, "request_id": "req_up"}).encode()


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (BadRequest("x"), 400, "invalid_request_error"),
        (NotAuthenticated("x"), 401, "authentication_error"),
        (Forbidden("x"), 403, "permission_error"),
        (ModelNotFound("x"), 404, "not_found_error"),
        (MethodNotAllowed("x"), 405, "invalid_request_error"),
        (BodyTooLarge("x"), 413, "request_too_large"),
        (LimitReached("x"), 429, "rate_limit_error"),
        (InternalError("x"), 500, "api_error"),
        (UpstreamBroken("x"), 502, "api_error"),
        (NoHealthyUpstream("x"), 503, "overloaded_error"),
        (UpstreamTimeout("x"), 504, "timeout_error"),
        (UpstreamRefused("x", status=418, dialect="other"), 418, "invalid_request_error"),
        (UpstreamRefused("x", status=529, dialect="other"), 529, "overloaded_error"),
    ],
)
def test_every_error_has_this_wires_type(error: GatewayError, status: int, kind: str) -> None:
    assert ANTHROPIC.render_error(error, "req_1") == (
        status,
        {"type": "error", "error": {"type": kind, "message": "x"}, "request_id": "req_1"},
    )


def test_the_field_at_fault_is_named_once() -> None:
    unnamed = Unsupported("No audio here.", param="messages.0.content.1")
    assert ANTHROPIC.render_error(unnamed, "r")[1]["error"]["message"] == "messages.0.content.1: No audio here."
    named = BadRequest("max_tokens: Field required", param="max_tokens")
    assert ANTHROPIC.render_error(named, "r")[1]["error"]["message"] == "max_tokens: Field required"


def test_an_upstream_of_this_dialect_keeps_its_own_words() -> None:
    message = "messages.1.output_config: Extra inputs are not permitted"
    details = {"error_code": "thread_unsupported_request", "unsupported": ["x"]}
    fault = ANTHROPIC.parse_error(400, {}, an_error(type="invalid_request_error", message=message, details=details))
    status, body = ANTHROPIC.render_error(fault, "req_ours")
    assert status == 400
    assert body == {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": message, "details": details},
        "request_id": "req_ours",
    }


def test_parsed_errors_know_what_the_engine_needs() -> None:
    fault = ANTHROPIC.parse_error(429, {"retry-after": "3.5"}, an_error(type="rate_limit_error", message="slow"))
    assert isinstance(fault, UpstreamRefused)
    assert (fault.status, fault.kind, fault.message, fault.retry_after) == (429, "rate_limit_error", "slow", 3.5)
    assert (fault.dialect, fault.retryable) == (NAME, True)
    assert b"req_up" in fault.body


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "12"}, 12.0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:10 GMT"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:10 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 10.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "Wed, 21 Oct 2026 07:29:00 GMT"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "21 Oct 2026 07:29:00"}, None),
    ],
)
def test_the_delay_is_read_from_seconds_or_two_dates(headers: dict[str, str], seconds: float | None) -> None:
    assert ANTHROPIC.parse_error(529, headers, an_error(type="overloaded_error", message="x")).retry_after == seconds


@pytest.mark.parametrize(
    ("body", "message", "kind"),
    [
        (b'{"error":{"message":"m","type":"t"}}', "m", "t"),
        (b'{"error":"just words"}', "just words", None),
        (b'{"message":"m"}', "m", None),
        (b'{"detail":"m"}', "m", None),
        (b'{"detail":[{"loc":1}]}', "The upstream answered 400.", None),
        (b'{"error":{"message":5,"details":"x","type":1}}', "The upstream answered 400.", None),
        (b"{}", "The upstream answered 400.", None),
    ],
)
def test_servers_that_only_resemble_this_wire_are_understood(body: bytes, message: str, kind: str | None) -> None:
    fault = ANTHROPIC.parse_error(400, {}, body)
    assert isinstance(fault, UpstreamRefused)
    assert (fault.message, fault.kind, fault.status) == (message, kind, 400)


@pytest.mark.parametrize(
    ("status", "kind", "seen"),
    [
        (500, UpstreamRefused, 500),
        (404, UpstreamBroken, 502),
        (401, UpstreamRefused, 401),
        (413, UpstreamRefused, 413),
        (429, UpstreamRefused, 429),
    ],
)
def test_pages_instead_of_json_keep_a_status_that_speaks_for_itself(status: int, kind: type, seen: int) -> None:
    fault = ANTHROPIC.parse_error(status, {"retry-after": "2"}, b"<html>oops</html>")
    assert type(fault) is kind
    assert fault.status == seen
    assert "<" not in fault.message


def test_spent_money_is_not_retried() -> None:
    for code in ("enforced_spend_limit_reached", "contract_spend_limit_reached"):
        raw = an_error(type="rate_limit_error", message="x", details={"error_code": code})
        fault = ANTHROPIC.parse_error(429, {}, raw)
        assert isinstance(fault, UpstreamRefused)
        assert (fault.retryable, fault.upstream_code) == (False, code)


def test_a_message_is_no_error() -> None:
    assert refusal_in({"type": "message", "content": [], "error": None}) is None
    assert refusal_in({"type": "message", "content": [], "error": {"x": 1}}) is None
    assert refusal_in([]) is None
    found = refusal_in({"error": {"type": "overloaded_error", "message": "busy"}})
    assert found is not None
    assert found.status == 529


def test_an_own_error_with_the_overflow_words_stays_as_it_is() -> None:
    fault = UpstreamRefused("prompt is too long: 5 tokens > 3 maximum", status=400, dialect="openai-chat")
    assert ANTHROPIC.render_error(fault, "r")[1]["error"]["message"] == "prompt is too long: 5 tokens > 3 maximum"
