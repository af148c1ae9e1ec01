"""The forwarding road: bodies go through with the model's name changed, answers come back byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from proxyapp.engine.call import AnswerCut
from proxyapp.engine.forwarding import ENDPOINTS, forward
from proxyapp.engine.serve import serve
from proxyapp.engine.snapshot import Limits
from tests.engine.conftest import a_call, a_key, a_snapshot, an_upstream, collect
from tests.fakes.upstream import Script, ScriptedUpstream, answer_json, answer_sse, answer_text, reset

CORPUS = Path(__file__).parent.parent / "fixtures/corpus"
WHOLE = sorted(CORPUS.glob("openai-completions.json.*.json"))
STREAMS = sorted(CORPUS.glob("openai-completions.sse.*.json"))
SOUND = bytes(range(256)) * 40
FORM = (
    b"--line\r\n"
    b'Content-Disposition: form-data; name="file"; filename="model.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    + SOUND
    + b"\r\n--line\r\n"
    b'content-disposition: form-data; name="model"\r\n\r\nm\r\n'
    b"--line\r\nContent-Disposition: form-data; name=language\r\n\r\nde\r\n--line--\r\n"
)
FORM_TYPE = "multipart/form-data; boundary=line"


async def ask(engine, endpoint: str, asked: Any, **headers: str):
    reply = await serve(engine, a_call("openai-chat", asked, **headers), forward(endpoint))
    return reply, await collect(reply), engine.books.ended[-1]


def at(upstream: ScriptedUpstream, **changes: Any):
    return a_snapshot(an_upstream("up", upstream.url, **changes))


def sound(pieces: list[bytes], end: str = "done") -> Script:
    return Script(200, {"content-type": "audio/mpeg"}, pieces, end=end)


@pytest.mark.parametrize("endpoint", [name for name in ENDPOINTS if not name.startswith("audio/trans")])
async def test_a_body_goes_through_with_the_models_name_changed(make_engine, upstream, endpoint):
    upstream.then(answer_json(b'{"id": "x",  "results": [ 1.50 ], "usage": {"total_tokens": 7}}'))
    asked = {"model": "m", "input": "hi", "of_tomorrow": {"a": [1]}}
    reply, got, row = await ask(make_engine(at(upstream)), endpoint, asked, idempotency_key="k")
    assert (reply.status, reply.media_type) == (200, "application/json")
    assert got == b'{"id": "x",  "results": [ 1.50 ], "usage": {"total_tokens": 7}}'
    assert (upstream.last.path, upstream.last.body) == (f"/v1/{endpoint}", {**asked, "model": "m-at-up"})
    assert upstream.last.headers["idempotency-key"] == "k"
    assert (row.outcome, row.fresh_input, row.upstream, row.begun.model) == ("ok", 7, "up", "m")


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem[-40:])
async def test_recorded_completions_come_through_as_they_are(make_engine, upstream, path):
    recorded = json.loads(path.read_text())["response"]["body"]
    upstream.then(answer_json(recorded))
    _, got, row = await ask(make_engine(at(upstream)), "completions", {"model": "m", "prompt": "Once"})
    assert json.loads(got) == recorded
    assert (row.fresh_input, row.output) == (
        recorded["usage"]["prompt_tokens"],
        recorded["usage"]["completion_tokens"],
    )


def recorded_stream(path: Path) -> bytes:
    response = json.loads(path.read_text())["response"]
    return response["sse"].encode() if "sse" in response else response["raw"].encode()


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem[-40:])
async def test_recorded_streams_come_through_cut_anywhere(make_engine, upstream, path):
    raw = recorded_stream(path)
    asked = {"model": "m", "prompt": "Once", "stream": True}
    for step in (1, 7, len(raw)):
        upstream.then(answer_sse([raw[at : at + step] for at in range(0, len(raw), step)]))
        reply, got, row = await ask(make_engine(at(upstream)), "completions", asked)
        assert reply.media_type.startswith("text/event-stream")
        assert got.split() == raw.split()
        assert row.outcome == "ok"


async def test_usage_is_read_from_a_stream(make_engine, upstream):
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 5}}
    frames = [
        {"choices": [{"text": "a", "finish_reason": None}]},
        {"choices": [{"text": "", "finish_reason": "stop"}]},
        {"choices": [], "usage": usage},
    ]
    upstream.then(answer_sse(b"".join(b"data: %s\n\n" % json.dumps(f).encode() for f in frames) + b"data: [DONE]\n\n"))
    _, _, row = await ask(make_engine(at(upstream)), "completions", {"model": "m", "stream": True})
    assert (row.fresh_input, row.cache_read, row.output) == (4, 5, 4)


async def test_a_cut_stream_ends_with_an_error_and_never_as_if_it_were_whole(make_engine, upstream):
    begun = b'data: {"choices": [{"text": "a", "finish_reason": null}]}\n\n'
    for end in ("done", "cut"):
        upstream.then(answer_sse([begun], end=end))
        _, got, row = await ask(make_engine(at(upstream)), "completions", {"model": "m", "stream": True})
        assert got.startswith(begun)
        assert b'"error"' in got[len(begun) :]
        assert row.outcome == "partial"


async def test_streams_of_pictures_need_no_end_mark(make_engine, upstream):
    done = {"b64_json": "AAAA", "usage": {"input_tokens": 3, "output_tokens": 5}}
    raw = b"event: image_generation.completed\ndata: %s\n\n" % json.dumps(done).encode()
    upstream.then(answer_sse([raw]))
    reply, got, row = await ask(make_engine(at(upstream)), "images/generations", {"model": "m", "stream": True})
    assert (got, row.outcome, row.fresh_input, row.output) == (raw, "ok", 3, 5)
    assert reply.media_type == "text/event-stream"


async def test_a_stream_that_was_asked_for_and_came_whole_becomes_one(make_engine, upstream):
    upstream.then(answer_json({"id": "c", "choices": [{"text": "a", "finish_reason": "stop"}]}))
    _, got, row = await ask(make_engine(at(upstream)), "completions", {"model": "m", "stream": True})
    first, last = got.decode().strip().split("\n\n")
    assert json.loads(first.removeprefix("data: "))["choices"][0]["text"] == "a"
    assert (last, row.outcome) == ("data: [DONE]", "ok")


async def test_sound_comes_back_byte_for_byte_as_it_comes(make_engine, upstream):
    upstream.then(sound([SOUND[:5000], SOUND[5000:]]))
    asked = {"model": "m", "input": "Hello", "voice": "alloy"}
    reply, got, row = await ask(make_engine(at(upstream)), "audio/speech", asked, accept="application/octet-stream")
    assert (reply.media_type, got, row.outcome) == ("audio/mpeg", SOUND, "ok")
    assert upstream.last.headers["accept"] == "application/octet-stream"
    assert (row.content.upstream_answer, json.loads(row.content.client_answer)) == (None, {"bytes": len(SOUND)})


async def test_sound_that_is_cut_cuts_the_connection(make_engine, upstream):
    upstream.then(sound([SOUND], end="cut"))
    engine = make_engine(at(upstream))
    reply = await serve(engine, a_call("openai-chat", {"model": "m", "input": "x"}), forward("audio/speech"))
    pieces = aiter(reply.body)
    got = await anext(pieces)
    with pytest.raises(AnswerCut):
        await anext(pieces)
    reply.body.close()
    assert (got, engine.books.row.outcome, engine.books.row.error) == (SOUND, "partial", "upstream_broken")


async def test_sound_fails_over_before_its_first_byte(make_engine, upstream, second_upstream):
    upstream.then(sound([], end="cut"))
    second_upstream.then(sound([SOUND]))
    snapshot = a_snapshot(an_upstream("a", upstream.url), an_upstream("b", second_upstream.url))
    reply, got, row = await ask(make_engine(snapshot), "audio/speech", {"model": "m", "input": "x"})
    assert (got, reply.headers["x-dragoman-upstream"], len(row.attempts)) == (SOUND, "b", 2)


@pytest.mark.parametrize("endpoint", ["audio/transcriptions", "audio/translations", "images/edits"])
async def test_a_form_goes_through_with_the_models_name_changed(make_engine, upstream, endpoint):
    upstream.then(
        answer_json({"text": "Guten Tag", "usage": {"type": "tokens", "input_tokens": 14, "output_tokens": 3}})
    )
    _, got, row = await ask(make_engine(at(upstream)), endpoint, FORM, content_type=FORM_TYPE)
    assert json.loads(got)["text"] == "Guten Tag"
    assert upstream.last.raw == FORM.replace(b"\r\n\r\nm\r\n", b"\r\n\r\nm-at-up\r\n")
    assert upstream.last.headers["content-type"] == FORM_TYPE
    assert (row.fresh_input, row.output) == (14, 3)
    kept = json.loads(row.content.client_request)
    assert kept == {
        "multipart": [
            {"name": "file", "bytes": len(SOUND)},
            {"name": "model", "value": "m"},
            {"name": "language", "value": "de"},
        ]
    }


async def test_a_transcript_in_plain_text_stays_one(make_engine, upstream):
    upstream.then(answer_text("Guten Tag\n", kind="text/plain; charset=utf-8"))
    reply, got, row = await ask(make_engine(at(upstream)), "audio/transcriptions", FORM, content_type=FORM_TYPE)
    assert (got, reply.media_type, row.outcome) == (b"Guten Tag\n", "text/plain; charset=utf-8", "ok")


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        (FORM, "multipart/form-data"),
        (FORM, "multipart/form-data; boundary=another"),
        (FORM[:-200], FORM_TYPE),
        (b"--line", FORM_TYPE),
        (b"--line\r\n", FORM_TYPE),
        (b"", FORM_TYPE),
        (b"--line--\r\n", FORM_TYPE),
        (b'--line\r\nContent-Disposition: form-data; name="model"; filename="m"\r\n\r\nm\r\n--line--\r\n', FORM_TYPE),
        (b"--line\r\n" + b"x" * 100_000 + b"\r\n\r\nm\r\n--line--\r\n", FORM_TYPE),
        (b'--line\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 1100 + b"--line--\r\n", FORM_TYPE),
    ],
)
async def test_a_form_that_cannot_be_read_or_names_no_model_is_a_400(make_engine, upstream, form, kind):
    reply, got, _ = await ask(make_engine(at(upstream)), "audio/transcriptions", form, content_type=kind)
    assert (reply.status, json.loads(got)["error"]["type"]) == (400, "invalid_request_error")
    assert upstream.seen == []


async def test_a_moderation_without_a_model_asks_for_openais_default(make_engine, upstream):
    upstream.then(answer_json({"id": "modr-1", "results": []}))
    snapshot = a_snapshot(an_upstream("up", upstream.url), model="omni-moderation-latest")
    reply, _, row = await ask(make_engine(snapshot), "moderations", {"input": "hi"})
    assert reply.status == 200
    assert upstream.last.body == {"input": "hi", "model": "omni-moderation-latest-at-up"}
    assert row.begun.model == "omni-moderation-latest"
    reply, got, _ = await ask(make_engine(at(upstream)), "images/generations", {"prompt": "hi"})
    assert (reply.status, json.loads(got)["error"]["param"]) == (400, "model")


async def test_an_upstream_that_does_not_offer_it_is_a_clear_400(make_engine, upstream, second_upstream):
    claude = an_upstream("claude", upstream.url, "anthropic-messages")
    reply, got, _ = await ask(make_engine(a_snapshot(claude)), "rerank", {"model": "m"})
    assert (reply.status, json.loads(got)["error"]["message"]) == (
        400,
        "The upstream claude, of kind anthropic, does not offer /v1/rerank.",
    )
    second_upstream.then(answer_json({"results": []}))
    both = a_snapshot(claude, an_upstream("b", second_upstream.url))
    assert (await ask(make_engine(both), "rerank", {"model": "m"}))[0].status == 200


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (answer_json({"error": {"message": "Bad voice", "type": "invalid_request_error", "param": "voice"}}, 400), 400),
        (answer_json({"error": {"message": "broken inside", "code": 500}}), 500),
        (answer_text("<html>", 200), 502),
        (answer_json({"error": {"message": "no", "code": "invalid_api_key"}}, 401), 502),
        (reset(), 502),
        (answer_sse(b'data: {"error": {"message": "overloaded", "code": 503}}\n\n'), 503),
    ],
)
async def test_faults_come_in_openais_shape(make_engine, upstream, said, status):
    upstream.then(said)
    reply, got, row = await ask(make_engine(at(upstream)), "audio/speech", {"model": "m", "input": "x"})
    assert (reply.status, row.outcome) == (status, "error")
    assert set(json.loads(got)["error"]) == {"message", "type", "param", "code"}


async def test_forwarded_requests_take_from_the_limit(make_engine, upstream):
    upstream.default = answer_json({"results": []})
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url), key=a_key(limits=Limits(rpm=2))))
    assert [(await ask(engine, "rerank", {"model": "m"}))[0].status for _ in range(3)] == [200, 200, 429]


async def test_a_key_held_to_models_cannot_name_others_in_its_body(make_engine, upstream):
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url), key=a_key(models=("m",))))
    reply, got, _ = await ask(engine, "completions", {"model": "m", "prompt": "x", "models": ["dear-model"]})
    assert (reply.status, json.loads(got)["error"]["param"]) == (403, "models")
    form = FORM.replace(b"name=language\r\n\r\nde", b"name=models\r\n\r\ndear-model")
    reply, got, _ = await ask(engine, "audio/transcriptions", form, content_type=FORM_TYPE)
    assert (reply.status, json.loads(got)["error"]["param"]) == (403, "models")
    assert upstream.seen == []
