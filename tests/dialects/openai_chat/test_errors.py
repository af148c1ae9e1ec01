"""Errors: read from Chat servers, written for Chat callers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxyapp.dialects.openai_chat import OPENAI_CHAT
from proxyapp.errors import (
    BadRequest,
    Forbidden,
    GatewayError,
    InternalError,
    LimitReached,
    ModelNotFound,
    NotAuthenticated,
    Unsupported,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)


def parse(status: int, body: Any, **headers: str) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return OPENAI_CHAT.parse_error(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def render(error: GatewayError) -> tuple[int, dict[str, Any]]:
    status, body = OPENAI_CHAT.render_error(error, "req")
    assert list(body) == ["error"]
    assert {"message", "type", "param", "code"} <= body["error"].keys()
    return status, body["error"]


# --- parse


def test_an_openai_error_keeps_all_its_words() -> None:
    error = parse(400, {"error": {"message": "Bad.", "type": "invalid_request_error", "param": "n", "code": "x"}})
    assert isinstance(error, UpstreamRefused)
    assert (error.status, error.message, error.kind, error.upstream_code, error.param) == (
        400,
        "Bad.",
        "invalid_request_error",
        "x",
        "n",
    )
    assert (error.dialect, json.loads(error.body)["error"]["code"]) == ("openai-chat", "x")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": "model 'x' not found"}, "model 'x' not found"),
        ({"object": "error", "message": "vLLM says", "code": 400}, "vLLM says"),
        ({"detail": "Not Found"}, "Not Found"),
        ({"detail": [{"loc": ["body"]}]}, '[{"loc":["body"]}]'),
        ([{"error": {"message": "in a list"}}], "in a list"),
        ({"error": {"code": 429}}, "The upstream answered with status 404."),
        ({}, "The upstream answered with status 404."),
    ],
)
def test_errors_of_compatible_servers(body: Any, message: str) -> None:
    error = parse(404, body)
    assert (error.status, error.message) == (404, message)


def test_a_page_of_a_proxy_in_between_is_no_message() -> None:
    error = parse(503, b"<html><body>secret host</body></html>")
    assert (type(error), error.status) == (UpstreamRefused, 503)
    assert "html" not in error.message
    for status in (404, 422):
        assert isinstance(parse(status, b"<html>"), UpstreamBroken)
    assert isinstance(parse(400, b""), UpstreamBroken)
    assert isinstance(parse(400, b"7"), UpstreamBroken)
    for status in (401, 402, 403, 413, 429):
        error = parse(status, b"<html>", retry_after="3")
        assert (type(error), error.status, error.retry_after) == (UpstreamRefused, status, 3.0)


def test_keys_and_organisations_are_not_passed_on() -> None:
    error = parse(429, {"error": {"message": "Limit of org-AbC123xyz with sk-proj-abcdef123456 reached"}})
    assert "AbC123xyz" not in error.message
    assert "abcdef123456" not in error.message
    assert "AbC123xyz" not in json.dumps(render(error))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3.2"}, 3.2),
        ({"Retry-After": "7"}, 7),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "Wed, 21 Oct 2026 07:28:30 GMT"}, 0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_the_wait_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert OPENAI_CHAT.parse_error(429, headers, b"{}").retry_after == seconds


@pytest.mark.parametrize(
    "error",
    [
        {"message": "x", "code": "context_length_exceeded"},
        {"message": "This model's maximum context length is 8192 tokens.", "code": 400},
    ],
)
def test_an_overflow_is_recognised_however_it_is_said(error: dict[str, Any]) -> None:
    assert parse(400, {"error": error}).upstream_code == "context_length_exceeded"


# --- render


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        (BadRequest("x"), 400, "invalid_request_error", None),
        (Unsupported("x"), 400, "invalid_request_error", "unsupported_parameter"),
        (NotAuthenticated("x"), 401, "invalid_request_error", "invalid_api_key"),
        (Forbidden("x"), 403, "permission_error", "forbidden"),
        (ModelNotFound("x"), 404, "invalid_request_error", "model_not_found"),
        (LimitReached("x"), 429, "rate_limit_exceeded", "rate_limit_exceeded"),
        (InternalError("x"), 500, "server_error", None),
        (UpstreamUnreachable("x"), 502, "server_error", "upstream_unreachable"),
        (UpstreamTimeout("x"), 504, "timeout", "upstream_timeout"),
    ],
)
def test_errors_of_the_gateway(error: GatewayError, status: int, kind: str, code: str | None) -> None:
    shown_status, shown = render(error)
    assert (shown_status, shown["type"], shown["code"], shown["message"]) == (status, kind, code, "x")


def test_the_field_at_fault_is_named() -> None:
    assert render(BadRequest("x", param="messages.0"))[1]["param"] == "messages.0"
    assert render(ModelNotFound("x"))[1]["param"] == "model"


def test_an_own_upstreams_error_is_passed_on_with_all_its_words() -> None:
    raw = {"message": "m", "type": "t", "param": "p", "code": "c", "innererror": {"code": "i"}}
    assert render(parse(400, {"error": raw})) == (400, raw)
    number = {"message": "m", "code": 402, "metadata": {"raw": "r"}}
    status, shown = render(parse(402, {"error": number}))
    assert (status, shown["code"], shown["type"], shown["metadata"]) == (402, "402", "insufficient_quota", {"raw": "r"})


@pytest.mark.parametrize(
    ("status", "kind", "shown_status", "shown"),
    [
        (400, "invalid_request_error", 400, ("invalid_request_error", None)),
        (401, "authentication_error", 401, ("invalid_request_error", "invalid_api_key")),
        (402, "billing_error", 402, ("insufficient_quota", "insufficient_quota")),
        (404, "not_found_error", 404, ("invalid_request_error", None)),
        (418, "odd", 418, ("invalid_request_error", None)),
        (429, "rate_limit_error", 429, ("rate_limit_exceeded", "rate_limit_exceeded")),
        (500, "api_error", 500, ("server_error", None)),
        (529, "overloaded_error", 503, ("server_error", "server_is_overloaded")),
        (599, "odd", 599, ("server_error", None)),
    ],
)
def test_errors_of_other_dialects_are_mapped_by_status(
    status: int, kind: str, shown_status: int, shown: tuple[str, str | None]
) -> None:
    error = UpstreamRefused("x", status=status, kind=kind, upstream_code="own-word", dialect="anthropic-messages")
    actual_status, body = render(error)
    assert (actual_status, (body["type"], body["code"]), body["param"]) == (shown_status, shown, None)


def test_known_codes_of_other_dialects_stay() -> None:
    error = UpstreamRefused("x", status=400, upstream_code="content_policy_violation", dialect="openai-responses")
    assert render(error)[1]["code"] == "content_policy_violation"
    error = UpstreamRefused("model: claude-9", status=404, dialect="anthropic-messages")
    assert render(error)[1]["code"] == "model_not_found"
    error = UpstreamRefused("prompt is too long: 9 tokens > 8 maximum", status=400, dialect="anthropic-messages")
    assert render(error)[1]["code"] == "context_length_exceeded"
