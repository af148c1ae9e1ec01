"""The wire of refresh tokens: what is asked, and what is made of answers of every sort."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import pytest

from proxyapp.upstreams.oauth import LONGEST_LIFE, TOKEN_SERVERS, Asking, Grant, RefreshFailed, outbound, read_answer
from tests.fakes.token_server import a_jwt

NOW = 1_790_000_000.0
ASKING = Asking("https://auth.example.org/token", "client_1", "rt+old/secret", "")


def answered(body: object, status: int = 200, **headers: str) -> Grant:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_answer(ASKING, status, {name.replace("_", "-"): value for name, value in headers.items()}, raw, NOW)


def refused(body: object, status: int = 400, **headers: str) -> RefreshFailed:
    with pytest.raises(RefreshFailed) as caught:
        answered(body, status, **headers)
    return caught.value


def test_a_refresh_is_a_form_with_the_client_and_the_organization_only_when_there_is_one():
    request = outbound(ASKING)
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    form = {"grant_type": ["refresh_token"], "refresh_token": ["rt+old/secret"], "client_id": ["client_1"]}
    assert parse_qs(request.body.decode()) == form
    scoped = outbound(Asking(ASKING.url, "client_1", "rt", "org_1"))
    assert parse_qs(scoped.body.decode())["organization_id"] == ["org_1"]


def test_factorys_own_token_server_is_known():
    assert TOKEN_SERVERS["factory"].url == "https://api.workos.com/user_management/authenticate"
    assert TOKEN_SERVERS["factory"].client_id.startswith("client_01")


def test_a_grant_has_both_tokens_and_its_lifetime():
    assert answered({"access_token": "at", "refresh_token": "rt", "expires_in": 3600}) == Grant("at", "rt", 3600.0)
    assert answered({"access_token": "at", "expires_in": "3600"}) == Grant("at", "", 3600.0)


def test_without_expires_in_the_token_itself_is_asked_and_then_eight_hours_are_assumed():
    token = a_jwt(exp=NOW + 1000)
    assert answered({"access_token": token}).lifetime == 940.0
    assert answered({"access_token": "opaque"}).lifetime == 8 * 3600
    for odd in (a_jwt(exp="soon"), a_jwt(exp=NOW - 5), "a.b.c", "a.!!.c", a_jwt(exp=True), "e30.W10.x"):
        assert answered({"access_token": odd}).lifetime == 8 * 3600, odd


@pytest.mark.parametrize("odd", [0, -5, True, "soon", None, [], 1e400])
def test_a_lifetime_that_makes_no_sense_is_not_believed(odd):
    assert answered({"access_token": "at", "expires_in": odd if odd != 1e400 else None}).lifetime == 8 * 3600


def test_a_lifetime_has_a_bound():
    assert answered({"access_token": "at", "expires_in": 10**11}).lifetime == LONGEST_LIFE


def test_a_rotated_token_without_an_access_token_is_not_thrown_away():
    assert answered({"refresh_token": "rt-new"}).refresh_token == "rt-new"


@pytest.mark.parametrize(
    "body", [b"", b"<html>404</html>", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"access_token": 7}',
             b'{"access_token": "two\\r\\nlines"}', b'{"access_token": ""}']
)  # fmt: skip
def test_an_answer_without_a_readable_token_may_have_spent_the_old_one(body):
    failure = refused(body, 200)
    assert failure.code == "unreadable"
    assert failure.is_unsure


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, {"error": "invalid_grant", "error_description": "Session has ended."}, "invalid_grant"),
        (401, {"error": "invalid_grant"}, "invalid_grant"),
        (400, {"error": "invalid_client"}, "invalid_client"),
        (401, {"error": "unauthorized_client"}, "invalid_client"),
        (400, {"code": "invalid_grant", "message": "WorkOS style"}, "invalid_grant"),
        (400, {"error": {"message": "OpenAI style"}}, "refused"),
        (404, b"<html>", "refused"),
        (302, b"", "refused"),
        (429, {}, "busy"),
        (503, {"error": "invalid_grant"}, "busy"),
        (200, {"error": "invalid_grant"}, "invalid_grant"),
    ],
)
def test_a_no_is_told_from_a_not_now(status, body, code):
    assert refused(body, status).code == code


def test_a_busy_server_may_say_how_long_to_wait():
    assert refused({}, 429, retry_after="7").retry_after == 7.0
    assert refused({}, 503, retry_after="Wed, 21 Oct").retry_after is None


def test_after_a_server_error_nobody_knows_whether_the_token_was_spent():
    assert refused({}, 502).is_unsure
    assert not refused({}, 429).is_unsure


def test_what_the_server_says_is_told_without_the_token_it_repeats():
    said = refused({"error": "invalid_grant", "error_description": "rt+old/secret and rt%2Bold%2Fsecret\nare dead."})
    assert str(said) == "The token server answered 400: invalid_grant: *** and *** are dead"
    long = refused({"error": "x" * 500, "error_description": "y" * 5000})
    assert len(str(long)) < 300
    assert "rt" not in repr(ASKING).replace("auth.example.org", "")
    assert "at-" not in repr(Grant("at-1", "rt-1", 5.0))
