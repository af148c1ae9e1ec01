"""Google's errors, read and written."""

from __future__ import annotations

import json

import pytest

from proxyapp.dialects.gemini import GEMINI
from proxyapp.errors import (
    BadRequest,
    BodyTooLarge,
    InternalError,
    LimitReached,
    MethodNotAllowed,
    ModelNotFound,
    NotAuthenticated,
    ShuttingDown,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamTimeout,
)

KIND = "type.googleapis.com/google.rpc."


@pytest.mark.parametrize(
    ("error", "status", "word"),
    [
        (BadRequest("x"), 400, "INVALID_ARGUMENT"),
        (NotAuthenticated("x"), 401, "UNAUTHENTICATED"),
        (ModelNotFound("x"), 404, "NOT_FOUND"),
        (MethodNotAllowed("x"), 405, "UNIMPLEMENTED"),
        (BodyTooLarge("x"), 413, "INVALID_ARGUMENT"),
        (LimitReached("x"), 429, "RESOURCE_EXHAUSTED"),
        (InternalError("x"), 500, "INTERNAL"),
        (UpstreamBroken("x"), 502, "UNAVAILABLE"),
        (ShuttingDown("x"), 503, "UNAVAILABLE"),
        (UpstreamTimeout("x"), 504, "DEADLINE_EXCEEDED"),
        (UpstreamRefused("x", status=529, dialect="anthropic-messages"), 503, "UNAVAILABLE"),
        (UpstreamRefused("x", status=418, dialect="openai-chat"), 418, "INVALID_ARGUMENT"),
    ],
)
def test_every_error_has_its_word(error, status, word):
    told, body = GEMINI.render_error(error, "r")
    assert (told, body["error"]["code"], body["error"]["status"]) == (status, status, word)
    assert body["error"]["message"] == "x"


def test_details_say_what_helps():
    violation = {"field": "contents", "description": "bad"}
    want = [{"@type": f"{KIND}BadRequest", "fieldViolations": [violation]}]
    assert GEMINI.render_error(BadRequest("bad", param="contents"), "")[1]["error"]["details"] == want
    (info,) = GEMINI.render_error(NotAuthenticated("no"), "")[1]["error"]["details"]
    assert info["reason"] == "API_KEY_INVALID"
    (wait,) = GEMINI.render_error(LimitReached("no", retry_after=0.2), "")[1]["error"]["details"]
    assert wait == {"@type": f"{KIND}RetryInfo", "retryDelay": "1s"}


def parsed(error, status=400, **headers):
    return GEMINI.parse_error(status, headers, json.dumps({"error": error}).encode())


def test_an_upstreams_own_words_stay():
    told = {"code": 400, "message": "no", "status": "FAILED_PRECONDITION", "details": [{"@type": "x"}]}
    assert GEMINI.render_error(parsed(told), "")[1] == {"error": told}


@pytest.mark.parametrize(
    "error",
    [
        {"message": "no", "details": [{"@type": f"{KIND}ErrorInfo", "reason": "API_KEY_INVALID"}]},
        {"message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"},
        {"message": "API key expired. Please renew the API key."},
    ],
)
def test_a_bad_key_is_a_credential_at_fault(error):
    assert parsed(error).status == 401
    assert parsed({"message": "contents is not specified"}).status == 400


def test_a_key_in_a_message_is_not_repeated():
    assert "AIzaSyD" not in parsed({"message": "key AIzaSyD0123456789abcdef is blocked"}, 403).message


def test_a_quota_of_the_day_is_not_waited_for():
    quota = {"@type": f"{KIND}QuotaFailure", "violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}
    assert parsed({"message": "x", "details": [quota]}, 429).retryable is False
    assert parsed({"message": "x", "details": [7, {"violations": 3}]}, 429).retryable is True


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "3"}, 3),
        ({"Retry-After": "Thu, 01 Jan 1970 00:00:09 GMT", "Date": "Thu, 01 Jan 1970 00:00:02 GMT"}, 7),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({}, None),
    ],
)
def test_a_delay_in_a_header_is_read(headers, wait):
    assert GEMINI.parse_error(429, headers, b'{"error": {"message": "x"}}').retry_after == wait


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"7", b'{"error": "text"}', b'{"error": {}}', b"\xff"])
def test_what_is_no_error_of_google_keeps_only_its_status(body):
    assert isinstance(GEMINI.parse_error(400, {}, body), UpstreamBroken)
    for status in (401, 429, 500, 503):
        error = GEMINI.parse_error(status, {}, body)
        assert isinstance(error, UpstreamRefused)
        assert error.status == status
