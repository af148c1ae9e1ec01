"""Requests that no client of good will sends: an error in words, never an internal one, and no more than was meant."""

from __future__ import annotations

import pytest

from tests.asgi import ask
from tests.engine.conftest import KEY, a_body, a_key, a_snapshot, an_upstream

CHAT, MESSAGES, MODELS = "/v1/chat/completions", "/v1/messages", "/v1/models"
AUTH = {"authorization": f"Bearer {KEY}"}
SECOND = "sk-dg-second-0123456789abcdefghijklmnopqrstuvwxyz"
MANY = "&".join(f"a{number}=1" for number in range(1500))


@pytest.fixture
def engine(serve_snapshot):
    from proxyapp.engine.identify import digest

    snapshot = a_snapshot(an_upstream("up", "http://127.0.0.1:9"))
    return serve_snapshot(type(snapshot)(**{
        **{name: getattr(snapshot, name) for name in snapshot.__struct_fields__},
        "keys": {digest(KEY): a_key(), digest(SECOND): a_key(id=2, name="second")},
    }))  # fmt: skip


@pytest.mark.parametrize("path", [CHAT, MESSAGES, MODELS])
async def test_a_query_of_a_thousand_parameters_is_a_bad_request(engine, app, path):
    method = "GET" if path == MODELS else "POST"
    got = await ask(app, method, f"{path}?{MANY}", a_body(model="nope"), **AUTH)
    assert got.status == 400
    assert got.json["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("limit", ["²", "٣", "9" * 5000, "-1", "0", "1001", "1.5", ""])
async def test_a_limit_that_is_no_count_is_a_bad_request(engine, app, limit):
    from urllib.parse import quote

    got = await ask(app, "GET", f"{MODELS}?limit={quote(limit)}", **AUTH, anthropic_version="2023-06-01")
    assert got.status == 400
    assert "limit" in got.json["error"]["message"]


@pytest.mark.parametrize(("query", "status"), [
    (f"key={KEY}&key={SECOND}", 401),
    (f"key={SECOND}&key=sk-dg-unknown", 401),
    (f"key={KEY}&key={KEY}", 404),
    (f"key={KEY}", 404),
])  # fmt: skip
async def test_two_keys_in_a_query_are_refused_as_two_keys_in_headers_are(engine, app, query, status):
    """The last one was taken."""
    got = await ask(app, "POST", f"{CHAT}?{query}", a_body(model="nope"))
    assert got.status == status
    assert KEY not in repr(engine.books.row)


@pytest.mark.parametrize("method", ["SETUP", "DISPATCH", "POST_", "LOGGER", "HEAD", "TRACE", "HTTP_METHOD_NOT_ALLOWED"])
@pytest.mark.parametrize("path", [CHAT, MESSAGES, "/health"])
async def test_a_method_is_no_name_of_ours(engine, app, method, path):
    got = await ask(app, method, path, a_body(), **AUTH)
    assert got.status == (200 if (method, path) == ("HEAD", "/health") else 405)
