"""The inference paths through the whole ASGI application: errors in words, threads, bodies, callers who leave."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from tests.asgi import Exchange, ask
from tests.engine.conftest import KEY, a_body, a_key, a_snapshot, an_upstream
from tests.fakes import answers
from tests.fakes.upstream import Script, answer_json, answer_sse

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
paths = pytest.mark.parametrize(
    ("path", "dialect"),
    [
        (CHAT, "openai-chat"),
        ("/chat/completions", "openai-chat"),
        (MESSAGES, "anthropic-messages"),
        ("/messages", "anthropic-messages"),
    ],
)
AUTH = {"authorization": f"Bearer {KEY}"}


@paths
async def test_an_answer_bears_what_the_contract_promises(serve_snapshot, app, upstream, path, dialect):
    upstream.then(
        answer_json(answers.whole("openai-chat"), x_request_id="up-77", set_cookie="a=b", x_ratelimit_limit="1")
    )
    engine = serve_snapshot(a_snapshot(an_upstream("up", upstream.url)))
    got = await ask(app, "POST", path, a_body(), **AUTH, x_request_id="mine")
    assert got.status == 200
    assert got.headers["content-type"] == "application/json"
    assert got.headers["x-dragoman-upstream"] == "up"
    assert got.headers["x-dragoman-model"] == "m-at-up"
    assert "gateway;dur=" in got.headers["server-timing"]
    assert len(got.headers["x-request-id"]) == 32
    assert "set-cookie" not in got.headers
    assert "x-ratelimit-limit" not in got.headers
    row = engine.books.row
    assert row.begun.request_id == got.headers["x-request-id"]
    assert row.begun.caller_request_id == "mine"
    assert row.upstream_request_id == "up-77"
    assert (row.begun.client, row.begun.key, row.begun.model) == ("alice", "laptop", "m")
    assert (row.fresh_input, row.output) == (9, 4)
    assert answers.text_of(dialect, got.raw) == "Hello there."


@paths
async def test_a_stream_is_a_stream(serve_snapshot, app, upstream, path, dialect):
    upstream.then(answer_sse(answers.stream("openai-chat"), pause=0.1))
    serve_snapshot(a_snapshot(an_upstream("up", upstream.url)))
    got = await ask(app, "POST", path, a_body(True), **AUTH)
    assert got.headers["content-type"].startswith("text/event-stream")
    assert len(got.pieces) >= 2
    assert answers.text_of(dialect, got.raw) == "Hello there."


BAD = {
    "no key": ({}, a_body(), 401),
    "a wrong key": ({"authorization": "Bearer sk-dg-wrong"}, a_body(), 401),
    "an unknown model": (AUTH, a_body(model="nope"), 404),
    "malformed JSON": (AUTH, b'{"model": "m", ', 400),
    "no JSON object": (AUTH, b"[1]", 400),
    "nothing": (AUTH, b"", 400),
    "no model": (AUTH, {"messages": []}, 400),
    "a model that is no text": (AUTH, a_body(model=7), 400),
    "a compressed body": ({**AUTH, "content-encoding": "gzip"}, b"\x1f\x8b", 415),
    "a declared size over the bound": ({**AUTH, "content-length": str(65 * 2**20)}, b"{}", 413),
}


@paths
@pytest.mark.parametrize("case", BAD, ids=list(BAD))
async def test_a_bad_request_is_told_so_in_its_dialect_and_kept(serve_snapshot, app, path, dialect, case):
    headers, body, status = BAD[case]
    engine = serve_snapshot(a_snapshot(an_upstream("up", "http://127.0.0.1:9")))
    got = await ask(app, "POST", path, body, **headers)
    assert got.status == status
    error = got.json["error"]
    assert error["message"]
    if dialect == "anthropic-messages":
        assert got.json["type"] == "error"
        kinds = {401: "authentication_error", 404: "not_found_error", 413: "request_too_large"}
        assert error["type"] == kinds.get(status, "invalid_request_error")
    else:
        assert set(error) == {"message", "type", "param", "code"}
        if status == 404:
            assert (error["code"], error["param"]) == ("model_not_found", "model")
    row = engine.books.row
    assert (row.outcome, row.status) == ("error", status)
    assert row.begun.client == ("" if status == 401 else "alice")
    assert not row.attempts


async def test_a_body_over_the_bound_without_a_declared_size_is_stopped_while_it_comes(serve_snapshot, app):
    serve_snapshot(a_snapshot(an_upstream("up", "http://127.0.0.1:9")))
    got = await ask(app, "POST", CHAT, [b"x" * 2**20] * 66, **AUTH)
    assert got.status == 413


@paths
async def test_a_body_that_stops_coming_is_given_up(serve_snapshot, app, monkeypatch, path, dialect):
    monkeypatch.setattr("gateway.handler.BODY_SILENCE", 0.05)
    engine = serve_snapshot(a_snapshot(an_upstream("up", "http://127.0.0.1:9")))
    exchange = Exchange(app, "POST", path, [b'{"model":', b""], AUTH)
    exchange._incoming.get_nowait()
    got = await exchange.run() if exchange._incoming.get_nowait() else None
    assert got.status == 408
    assert got.json["error"]["message"]
    assert engine.books.row.error == "request_timeout"


async def test_fifty_megabytes_go_through(serve_snapshot, app, upstream):
    upstream.then(answer_json(answers.whole("openai-chat")))
    engine = serve_snapshot(a_snapshot(an_upstream("up", upstream.url)))
    body = a_body(messages=[{"role": "user", "content": "y" * (50 * 2**20)}])
    got = await ask(app, "POST", CHAT, body, **AUTH)
    assert got.status == 200
    assert len(upstream.last.raw) > 50 * 2**20
    assert engine.books.row.content.truncated


async def test_a_key_without_the_right_is_a_403(serve_snapshot, app):
    key = a_key(models=("other-*",))
    serve_snapshot(a_snapshot(an_upstream("up", "http://127.0.0.1:9"), key=key))
    got = await ask(app, "POST", CHAT, a_body(), **AUTH)
    assert got.status == 403


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", CHAT, 405), ("PUT", MESSAGES, 405), ("POST", "/v1/nothing", 404), ("POST", "/v1/messages/other", 404),
])  # fmt: skip
async def test_a_wrong_method_or_path_is_json_in_the_right_shape(serve_snapshot, app, method, path, status):
    serve_snapshot(a_snapshot(an_upstream("up", "http://127.0.0.1:9")))
    got = await ask(app, method, path, b"", **AUTH)
    assert got.status == status
    assert ("type" in got.json) == ("messages" in path)


async def test_a_fault_of_ours_is_a_500_without_a_word_of_it(serve_snapshot, app, monkeypatch, caplog):
    engine = serve_snapshot(a_snapshot(an_upstream("up", "http://127.0.0.1:9")))
    monkeypatch.setattr(engine, "limiter", None)
    got = await ask(app, "POST", CHAT, a_body(), **AUTH)
    assert got.status == 500
    assert "NoneType" not in got.raw.decode()
    assert engine.running == 0
    assert engine.books.row.error == "internal_error"


async def test_a_hundred_slow_requests_hold_no_thread_and_run_no_query(serve_snapshot, app, upstream):
    slow = Script(200, {"content-type": "application/json"}, [json.dumps(answers.whole("openai-chat")).encode()])
    slow.before_head = 0.5
    upstream.default = slow
    serve_snapshot(a_snapshot(an_upstream("up", upstream.url)))
    assert (await ask(app, "POST", CHAT, a_body(), **AUTH)).status == 200  # connections' and resolvers' own threads
    before = threading.active_count()
    running = [asyncio.ensure_future(ask(app, "POST", CHAT, a_body(), **AUTH)) for _ in range(100)]
    most_open = most_threads = 0
    while not all(task.done() for task in running):  # on a busy machine the first end before the last begin
        most_open = max(most_open, upstream.open_requests)
        most_threads = max(most_threads, threading.active_count())
        await asyncio.sleep(0.01)
    assert most_open > 10
    assert most_threads <= before
    assert {task.result().status for task in running} == {200}  # the database is blocked: a query would be a 500


async def test_two_hundred_callers_who_leave_mid_stream_leave_nothing_open(serve_snapshot, app, upstream):
    upstream.default = answer_sse(answers.stream("anthropic-messages")[:3], end="hang")
    engine = serve_snapshot(a_snapshot(an_upstream("up", upstream.url, "anthropic-messages")))
    body = json.dumps(a_body(True)).encode()
    exchanges = [Exchange(app, "POST", path, body, AUTH) for path in (CHAT, MESSAGES) for _ in range(100)]
    tasks = [asyncio.ensure_future(exchange.run()) for exchange in exchanges]
    await asyncio.wait_for(asyncio.gather(*(exchange.first_piece.wait() for exchange in exchanges)), 30)
    assert upstream.open_requests == 200
    for exchange in exchanges:
        exchange.hang_up()
    await asyncio.wait_for(asyncio.gather(*tasks), 5)
    for _ in range(100):
        if not upstream.open_requests:
            break
        await asyncio.sleep(0.01)
    assert upstream.open_requests == 0
    assert engine.running == 0
    assert [row.outcome for row in engine.books.ended] == ["client_closed"] * 200


async def test_a_caller_who_leaves_before_its_body_is_complete_is_kept_too(serve_snapshot, app):
    engine = serve_snapshot(a_snapshot(an_upstream("up", "http://127.0.0.1:9")))
    exchange = Exchange(app, "POST", CHAT, [b'{"model":', b""], AUTH)
    exchange._incoming.get_nowait()
    exchange._incoming.get_nowait()
    exchange._incoming.put_nowait({"type": "http.request", "body": b"{", "more_body": True})
    exchange.hang_up()
    await exchange.run()  # quietly: what leaves here is a traceback in the server's log
    assert exchange.got.status == 0
    assert (engine.books.row.outcome, engine.books.row.status) == ("client_closed", 499)


async def test_browsers_may_ask_from_anywhere_with_a_key(serve_snapshot, app, upstream, settings):
    upstream.then(answer_json(answers.whole("openai-chat")))
    serve_snapshot(a_snapshot(an_upstream("up", upstream.url)))
    settings.CORS_ALLOW_ALL_ORIGINS = True
    preflight = await ask(
        app, "OPTIONS", CHAT, b"", origin="https://page.example", access_control_request_headers="x-a"
    )
    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    got = await ask(app, "POST", CHAT, a_body(), **AUTH, origin="https://page.example")
    assert got.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in got.headers
    settings.CORS_ALLOW_ALL_ORIGINS = False
    settings.CORS_ALLOWED_ORIGINS = ["https://mine.example"]
    got = await ask(app, "OPTIONS", CHAT, b"", origin="https://page.example")
    assert "access-control-allow-origin" not in got.headers


async def test_a_websocket_is_refused_at_once(app):
    sent = []
    incoming = [{"type": "websocket.connect"}]

    async def receive():
        return incoming.pop(0)

    async def send(message):
        sent.append(message)

    await app({"type": "websocket", "path": "/v1/responses", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_counting_is_served_without_a_query_and_marks_an_estimate(serve_snapshot, app, upstream):
    engine = serve_snapshot(a_snapshot(an_upstream("up", upstream.url)))
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    for path in ("/v1/messages/count_tokens?beta=true", "/messages/count_tokens"):
        got = await ask(app, "POST", path, body, x_api_key=KEY)
        assert (got.status, got.headers["x-dragoman-estimated"]) == (200, "true")
        assert got.json == {"input_tokens": got.json["input_tokens"]}
    assert engine.books.ended[-1].begun.path == "/messages/count_tokens"
    assert (await ask(app, "POST", "/v1/messages/count_tokens", body)).json["error"]["type"] == "authentication_error"


@pytest.mark.parametrize("path", ["/v1/embeddings", "/embeddings"])
async def test_embeddings_are_served_without_a_query(serve_snapshot, app, upstream, path):
    serve_snapshot(a_snapshot(an_upstream("up", upstream.url)))
    said = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [1.5]}], "model": "x"}
    upstream.then(answer_json({**said, "usage": {"prompt_tokens": 1, "total_tokens": 1}}))
    got = await ask(app, "POST", path, {"model": "m", "input": "hi"}, **AUTH)
    assert (got.status, got.json["data"][0]["embedding"], got.headers["x-dragoman-upstream"]) == (200, [1.5], "up")


async def test_sound_is_served_and_a_cut_one_is_never_completed(serve_snapshot, app, upstream):
    serve_snapshot(a_snapshot(an_upstream("up", upstream.url)))
    body = {"model": "m", "input": "Hello", "voice": "alloy"}
    sound = {"content-type": "audio/mpeg"}
    upstream.then(Script(200, sound, [b"ID3sound"]), Script(200, sound, [b"ID3so"], end="cut"))
    whole = await ask(app, "POST", "/v1/audio/speech", body, **AUTH)
    assert (whole.status, whole.raw, whole.complete) == (200, b"ID3sound", True)
    assert whole.headers["content-type"] == "audio/mpeg"
    cut = await ask(app, "POST", "/v1/audio/speech", body, **AUTH)
    assert (cut.status, cut.raw, cut.complete) == (200, b"ID3so", False)
    assert (await ask(app, "GET", "/v1/audio/speech", **AUTH)).status == 405
    assert (await ask(app, "POST", "/v1/audio/nothing", body, **AUTH)).status == 404


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/v1/responses/input_tokens", {"model": "m", "input": "hi"}, "input_tokens"),
        ("/v1beta/models/m:countTokens", {"contents": [{"parts": [{"text": "hi"}]}]}, "totalTokens"),
        ("/v1/models/m:embedContent", {"content": {"parts": [{"text": "hi"}]}}, "embedding"),
        (
            "/v1beta/models/m:batchEmbedContents",
            {"requests": [{"model": "models/m", "content": {"parts": [{"text": "hi"}]}}]},
            "embeddings",
        ),
        ("/v1/rerank", {"model": "m", "query": "q", "documents": ["a"]}, "data"),
        ("/v1/completions", {"model": "m", "prompt": "a"}, "data"),
    ],
)
async def test_what_is_not_inference_is_served_without_a_query(serve_snapshot, app, upstream, path, body, expected):
    serve_snapshot(a_snapshot(an_upstream("up", upstream.url)))
    data = [{"object": "embedding", "index": 0, "embedding": [1.5]}]
    upstream.default = answer_json({"object": "list", "data": data, "usage": {"prompt_tokens": 1}})
    got = await ask(app, "POST", path, body, **AUTH)
    assert (got.status, expected in got.json) == (200, True)
    assert got.headers["x-dragoman-upstream"] == "up"
    refused = await ask(app, "POST", path, b"{", **AUTH)
    assert refused.status == 400
    assert (await ask(app, "POST", path, body)).status == 401
