"""Gemini's endpoints through the whole ASGI application: addresses, arrays, errors, keep-alive, callers who leave."""

from __future__ import annotations

import asyncio
import json

import pytest

from proxyapp.engine.snapshot import Model, Route, Snapshot
from tests.asgi import Exchange, ask
from tests.dialects.gemini.conftest import chunks, frames_of, said
from tests.engine.conftest import KEY, a_key, a_snapshot, an_upstream
from tests.fakes import answers, tongues
from tests.fakes.upstream import answer_json, answer_sse

BODY = {"contents": [{"parts": [{"text": "hi"}]}]}
AUTH = {"x-goog-api-key": KEY}
WHOLE, STREAM = "/v1beta/models/m:generateContent", "/v1beta/models/m:streamGenerateContent"
ANSWER = {
    **said({"text": "Hello there."}, finish="STOP"),
    "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 4, "totalTokenCount": 13},
}
PIECES = chunks(said({"text": "Hello"}), said({"text": " there."}), {**ANSWER, **said({"text": ""}, finish="STOP")})


def over_gemini(url: str, **changes) -> Snapshot:
    return a_snapshot(an_upstream("up", url, kind="gemini", **changes))


def words(bodies: list[dict]) -> str:
    parts = [part for body in bodies for part in body["candidates"][0]["content"]["parts"]]
    return "".join(part.get("text", "") for part in parts)


@pytest.mark.parametrize("path", [WHOLE, "/v1/models/m:generateContent", "/v1beta/tunedModels/m:generateContent"])
async def test_an_answer_over_chat_and_over_gemini(serve_snapshot, app, upstream, path):
    upstream.then(answer_json(answers.whole("openai-chat")), answer_json(ANSWER))
    serve_snapshot(a_snapshot(an_upstream("up", upstream.url)))
    got = await ask(app, "POST", path, BODY, **AUTH)
    assert (got.status, got.headers["content-type"]) == (200, "application/json")
    assert words([got.json]) == "Hello there."
    assert got.headers["x-dragoman-upstream"] == "up"
    engine = serve_snapshot(over_gemini(upstream.url))
    got = await ask(app, "POST", path, BODY, **AUTH)
    assert got.json == ANSWER
    assert upstream.last.path == "/v1beta/models/m-at-up:generateContent"
    assert upstream.last.headers["x-goog-api-key"] == "sk-secret-of-up"
    assert upstream.last.body == BODY
    assert (engine.books.row.fresh_input, engine.books.row.output) == (9, 4)
    assert engine.books.row.begun.dialect == "gemini"


@pytest.mark.parametrize("kind", ["chat", "gemini"])
async def test_xl_172_a_stream_as_events_and_as_an_array(serve_snapshot, app, upstream, kind):
    script = answer_sse(answers.stream("openai-chat") if kind == "chat" else PIECES, pause=0.02)
    snapshot = a_snapshot(an_upstream("up", upstream.url)) if kind == "chat" else over_gemini(upstream.url)
    upstream.then(script, script)
    serve_snapshot(snapshot)
    events = await ask(app, "POST", f"{STREAM}?alt=sse", BODY, **AUTH)
    assert events.headers["content-type"].startswith("text/event-stream")
    engine = serve_snapshot(snapshot)
    array = await ask(app, "POST", STREAM, BODY, **AUTH)
    assert array.headers["content-type"].startswith("application/json")
    assert words(frames_of(events.raw)) == words(array.json) == "Hello there."
    assert len(array.json) == len(frames_of(events.raw)) > 1
    assert engine.books.row.outcome == "ok"
    if kind == "gemini":
        assert upstream.last.path == "/v1beta/models/m-at-up:streamGenerateContent?alt=sse"
        assert array.json == frames_of(PIECES)


async def test_a_fault_after_the_first_byte_is_the_last_element(serve_snapshot, app, upstream):
    for kind in ("chat", "gemini"):
        raw = answers.stream("openai-chat") if kind == "chat" else PIECES
        snapshot = a_snapshot(an_upstream("up", upstream.url)) if kind == "chat" else over_gemini(upstream.url)
        upstream.then(answer_sse(raw[: len(raw) // 2], end="cut"))
        engine = serve_snapshot(snapshot)
        got = await ask(app, "POST", STREAM, BODY, **AUTH)
        *said_before, fault = got.json
        assert said_before
        assert not any("finishReason" in body["candidates"][0] for body in said_before)
        assert fault["error"]["status"] == "UNAVAILABLE"
        assert engine.books.row.outcome == "partial"


async def test_silence_is_white_space_in_both_forms(serve_snapshot, app, upstream):
    for path in (STREAM, f"{STREAM}?alt=sse"):
        upstream.then(answer_sse([PIECES[:200], PIECES[200:]], pause=0.3, before_head=0.3))
        serve_snapshot(over_gemini(upstream.url), keepalive_seconds=0.05)
        got = await ask(app, "POST", path, BODY, **AUTH)
        assert sum(not piece.strip() for piece in got.pieces) >= 4
        bodies = got.json if path == STREAM else frames_of(got.raw)
        assert words(bodies) == "Hello there."


async def test_hanging_up_on_an_array_hangs_up_on_the_upstream(serve_snapshot, app, upstream):
    upstream.then(answer_sse([PIECES[:200], b""], pause=30))
    engine = serve_snapshot(over_gemini(upstream.url))
    exchange = Exchange(app, "POST", STREAM, json.dumps(BODY).encode(), AUTH)
    running = asyncio.ensure_future(exchange.run())
    await asyncio.wait_for(exchange.first_piece.wait(), 10)
    exchange.hang_up()
    await asyncio.wait_for(running, 10)
    for _ in range(100):
        if not upstream.open_requests:
            break
        await asyncio.sleep(0.05)
    assert upstream.open_requests == 0
    assert engine.books.row.outcome == "client_closed"


NAMES = {
    "org/model:free": "/v1beta/models/org/model:free:generateContent",
    "models of mine": "/v1beta/models/models of mine:generateContent",
    "m": "/v1beta/models/models/m:generateContent",
}


@pytest.mark.parametrize("name", NAMES)
async def test_names_may_hold_slashes_and_colons(serve_snapshot, app, upstream, name):
    upstream.then(answer_json(answers.whole("openai-chat")))
    snapshot = a_snapshot(an_upstream("up", upstream.url), models={name: Model(name=name, routes=(Route("up", "x"),))})
    engine = serve_snapshot(snapshot)
    got = await ask(app, "POST", NAMES[name], BODY, **AUTH)
    assert got.status == 200
    assert engine.books.row.begun.model == name


BAD = {
    "no key": (WHOLE, {}, BODY, 401, "UNAUTHENTICATED"),
    "a wrong key": (WHOLE, {"x-goog-api-key": "sk-dg-wrong"}, BODY, 401, "UNAUTHENTICATED"),
    "an unknown model": ("/v1/models/nope:generateContent", AUTH, BODY, 404, "NOT_FOUND"),
    "an unknown verb": ("/v1/models/m:sing", AUTH, BODY, 404, "NOT_FOUND"),
    "no verb": ("/v1beta/models/m", AUTH, BODY, 404, "NOT_FOUND"),
    "no model": ("/v1beta/models/:generateContent", AUTH, BODY, 404, "NOT_FOUND"),
    "nothing there": ("/v1beta/other", AUTH, BODY, 404, "NOT_FOUND"),
    "no contents": (WHOLE, AUTH, {}, 400, "INVALID_ARGUMENT"),
    "malformed JSON": (WHOLE, AUTH, b'{"contents": [', 400, "INVALID_ARGUMENT"),
    "an array": (STREAM, AUTH, b"[]", 400, "INVALID_ARGUMENT"),
    "a compressed body": (WHOLE, {**AUTH, "content-encoding": "gzip"}, b"x", 415, "INVALID_ARGUMENT"),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_request_is_told_as_google_tells_it(serve_snapshot, app, upstream, case):
    path, headers, body, status, word = BAD[case]
    serve_snapshot(a_snapshot(an_upstream("up", upstream.url)))
    got = await ask(app, "POST", path, body, **headers)
    assert (got.status, got.json["error"]["code"], got.json["error"]["status"]) == (status, status, word)
    assert got.headers["content-type"] == "application/json"
    assert upstream.seen == []


async def test_the_key_may_stand_in_the_address(serve_snapshot, app, upstream):
    upstream.then(answer_json(answers.whole("openai-chat")))
    serve_snapshot(a_snapshot(an_upstream("up", upstream.url)))
    assert (await ask(app, "POST", f"{WHOLE}?key={KEY}", BODY)).status == 200
    assert "key" not in upstream.last.path


async def test_a_model_is_still_shown_where_verbs_are_posted(serve_snapshot, app, upstream):
    serve_snapshot(a_snapshot(an_upstream("up", upstream.url)))
    assert (await ask(app, "GET", "/v1/models/m", b"", **AUTH)).json["name"] == "models/m"
    plain = await ask(app, "GET", "/v1/models/m", b"", authorization=f"Bearer {KEY}")
    assert plain.json["object"] == "model"
    assert (await ask(app, "GET", "/v1beta/models", b"", **AUTH)).json["models"][0]["name"] == "models/m"
    refused = await ask(app, "DELETE", WHOLE, b"", **AUTH)
    assert (refused.status, refused.json["error"]["status"]) == (405, "UNIMPLEMENTED")
    assert "POST" in refused.headers["allow"]


BAD_KEY = {
    "error": {
        "code": 400,
        "message": "API key not valid. Please pass a valid API key.",
        "status": "INVALID_ARGUMENT",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
    }
}


@pytest.mark.parametrize("path", [WHOLE, "/v1/chat/completions"])
async def test_googles_400_to_the_gateways_own_key_is_the_gateways_fault(serve_snapshot, app, upstream, path):
    upstream.then(answer_json(BAD_KEY, 400))
    serve_snapshot(over_gemini(upstream.url))
    body = {**BODY, "model": "m", "messages": [{"role": "user", "content": "hi"}]} if "chat" in path else BODY
    got = await ask(app, "POST", path, body, **AUTH)
    assert got.status == 502
    assert "API key" not in got.raw.decode()


async def test_a_delay_in_googles_words_is_kept(serve_snapshot, app, upstream):
    wait = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"}
    refusal = {"error": {"code": 429, "message": "Quota.", "status": "RESOURCE_EXHAUSTED", "details": [wait]}}
    upstream.then(answer_json(refusal, 429), answer_json(refusal, 429))
    serve_snapshot(over_gemini(upstream.url))
    own = await ask(app, "POST", WHOLE, BODY, **AUTH)
    assert (own.status, own.headers["retry-after"], own.json) == (429, "35", refusal)
    chat = await ask(
        app, "POST", "/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": "x"}]}, **AUTH
    )
    assert (chat.status, chat.headers["retry-after"]) == (429, "35")


async def test_an_error_of_a_stream_before_its_first_byte_has_its_status(serve_snapshot, app, upstream):
    refusal = {"error": {"code": 404, "message": "models/x is not found.", "status": "NOT_FOUND"}}
    upstream.then(answer_json([refusal], 404), answer_sse(chunks(refusal)))
    serve_snapshot(over_gemini(upstream.url))
    for _ in range(2):
        got = await ask(app, "POST", STREAM, BODY, **AUTH)
        assert (got.status, got.json["error"]["message"]) == (404, "models/x is not found.")


async def test_a_key_that_may_not_is_told_so(serve_snapshot, app, upstream):
    serve_snapshot(a_snapshot(an_upstream("up", upstream.url), key=a_key(models=("other",))))
    got = await ask(app, "POST", WHOLE, BODY, **AUTH)
    assert got.json["error"]["status"] in ("PERMISSION_DENIED", "NOT_FOUND")


@pytest.mark.parametrize("form", [lambda error: error, lambda error: [error]], ids=["object", "array"])
async def test_an_error_without_data_at_the_end_of_a_stream_is_told(serve_snapshot, app, upstream, form):
    fault = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    upstream.then(answer_sse(chunks(said({"text": "Hello"})) + json.dumps(form(fault), indent=1).encode()))
    serve_snapshot(over_gemini(upstream.url))
    got = await ask(app, "POST", STREAM, BODY, **AUTH)
    assert got.json[-1] == fault


GENERATE = "/v1/generate"


@pytest.mark.parametrize("kind", ["anthropic", "gemini", "factory"])
@pytest.mark.parametrize("stream", [None, False, True])
async def test_model_and_stream_may_stand_in_the_body_at_an_address_of_its_own(
    serve_snapshot, app, upstream, kind, stream
):
    dialect = "anthropic-messages" if kind == "anthropic" else "gemini"
    upstream.then(answer_sse(tongues.streamed(dialect)) if stream else answer_json(tongues.whole(dialect)))
    api = "generate_content" if kind == "factory" else None
    serve_snapshot(a_snapshot(an_upstream("up", upstream.url, kind=kind, api=api)))
    body = {**BODY, "model": "m", **({} if stream is None else {"stream": stream})}
    got = await ask(app, "POST", GENERATE, body, **AUTH)
    assert got.status == 200
    assert got.headers["content-type"].startswith("text/event-stream" if stream else "application/json")
    assert words(frames_of(got.raw) if stream else [got.json]) == "Hello there."
    assert upstream.last.body.get("stream", False) is (stream is True and kind != "gemini")
    told = {"anthropic": "/v1/messages", "gemini": "/v1beta/models/m-at-up", "factory": "/api/llm/g/v1/generate"}[kind]
    assert upstream.last.path.startswith(told)


async def test_a_body_there_that_names_no_model_is_told_so_in_googles_words(serve_snapshot, app):
    serve_snapshot(Snapshot())
    got = await ask(app, "POST", GENERATE, BODY, **AUTH)
    assert got.json["error"]["status"] == "UNAUTHENTICATED"
    serve_snapshot(a_snapshot())
    got = await ask(app, "POST", GENERATE, BODY, **AUTH)
    assert (got.status, got.json["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert (await ask(app, "GET", GENERATE, **AUTH)).json["error"]["code"] == 405
