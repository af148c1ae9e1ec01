"""Requests that no client of good will sends: an error in words, never an internal one, and no more than was meant."""

from __future__ import annotations

import pytest

from proxyapp.engine.identify import digest
from proxyapp.engine.snapshot import Model, Route
from tests.asgi import ask
from tests.engine.conftest import KEY, a_body, a_key, a_snapshot, an_upstream

CHAT, MESSAGES, MODELS = "/v1/chat/completions", "/v1/messages", "/v1/models"
AUTH = {"authorization": f"Bearer {KEY}"}
SECOND = "sk-dg-second-0123456789abcdefghijklmnopqrstuvwxyz"
MANY = "&".join(f"a{number}=1" for number in range(1500))


@pytest.fixture
def engine(serve_snapshot):
    keys = {digest(KEY): a_key(), digest(SECOND): a_key(id=2, name="second")}
    # One upstream a dialect, so that each path is translated by one of them.
    chat, messages = (
        an_upstream("up", "http://127.0.0.1:9"),
        an_upstream("claude", "http://127.0.0.1:9", "anthropic-messages"),
    )
    wild = Model(name="wild-*", routes=(Route("up", "*"),))
    return serve_snapshot(a_snapshot(messages, chat, keys=keys, wildcards=(wild,)))


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


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_a_model_name_without_end_is_not_found_and_not_repeated(engine, app, path):
    """Behind a wildcard it came back as a header of its own length, which clients cannot read."""
    got = await ask(app, "POST", path, a_body(model="wild-" + "x" * 100_000), **AUTH)
    assert got.status == 404
    assert len(got.raw) < 2000
    assert max(len(value) for value in got.headers.values()) < 2000
    assert len(engine.books.row.message) < 2000


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_a_fault_that_repeats_what_it_found_stays_short(engine, app, path):
    """The row held all of it, in its message and in its attempt's."""
    got = await ask(app, "POST", path, a_body(messages=[{"role": "r" * 100_000, "content": "x"}]), **AUTH)
    assert got.status == 400
    assert len(got.raw) < 20_000
    assert len(engine.books.row.message) < 20_000


@pytest.mark.parametrize("messages", [5, "x", {"a": 1}, None, []])
async def test_the_demo_upstream_refuses_what_holds_no_messages(engine, app, messages):
    from proxyapp import wiring

    got = await ask(app, "POST", "/_demo/v1/messages", {"messages": messages}, x_api_key=wiring.demo_key())
    assert got.status == 400
    assert got.json["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("message", [5, {}, {"role": "user", "content": 5}, {"role": "user", "content": [{"text": 1}]}])
async def test_the_demo_upstream_answers_whatever_else_is_said(engine, app, message):
    from proxyapp import wiring

    got = await ask(app, "POST", "/_demo/v1/messages", {"messages": [message]}, x_api_key=wiring.demo_key())
    assert got.status == 200
