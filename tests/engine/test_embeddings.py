"""Embeddings: passed on where both sides speak OpenAI's, in the form that was asked for, with usage and failover."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from proxyapp.engine.embedding import embed
from proxyapp.engine.serve import serve
from proxyapp.engine.snapshot import Limits
from tests.engine.conftest import a_call, a_key, a_snapshot, an_upstream, collect
from tests.fakes.upstream import Script, ScriptedUpstream, Seen, answer_json, answer_text, reset

CORPUS = Path(__file__).parent.parent / "fixtures/corpus"
RECORDED = sorted(CORPUS.glob("openai-embeddings.json.*.json"))
FLOATS = [0.5, -1.0, 0.25]
PACKED = base64.b64encode(struct.pack("<3f", *FLOATS)).decode()


def answer(*vectors: Any, usage: Any = ..., **more: Any) -> dict[str, Any]:
    data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
    told = {"prompt_tokens": 8, "total_tokens": 8} if usage is ... else usage
    return {"object": "list", "data": data, "model": "m-of-old", **({"usage": told} if told else {}), **more}


def body(given: Any = "A text.", **more: Any) -> dict[str, Any]:
    return {"model": "m", "input": given, **more}


async def embedded(engine, asked: Any, **headers: str):
    reply = await serve(engine, a_call("openai-chat", asked, **headers), embed)
    return reply, json.loads(await collect(reply)), engine.books.ended[-1]


def at(upstream: ScriptedUpstream, **changes: Any):
    return a_snapshot(an_upstream("up", upstream.url, **changes))


async def test_a_body_goes_through_with_fields_that_nobody_here_knows(make_engine, upstream):
    said = answer(FLOATS, of_tomorrow={"a": 1})
    upstream.then(answer_json(said))
    asked = body(["one", {"image": "https://h/x.png"}], dimensions=3, late_chunking=True)
    reply, got, row = await embedded(make_engine(at(upstream)), asked)
    assert (reply.status, got) == (200, said)
    assert (upstream.last.path, upstream.last.body) == ("/v1/embeddings", {**asked, "model": "m-at-up"})
    assert (row.outcome, row.fresh_input, row.output, row.usage_estimated) == ("ok", 8, None, False)
    assert "x-dragoman-estimated" not in reply.headers


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem[-40:])
async def test_recorded_answers_come_through_as_they_are(make_engine, upstream, path):
    recorded = json.loads(path.read_text())
    status, said = recorded["response"]["status"], recorded["response"]["body"]
    upstream.then(answer_json(said, status))
    asked = (recorded["request"] or {}).get("body") or body()
    reply, got, row = await embedded(make_engine(at(upstream)), {**asked, "model": "m"})
    if status == 200:
        assert (reply.status, got) == (200, said)
        assert row.fresh_input == said["usage"]["prompt_tokens"]
    elif status == 401:
        assert reply.status == 502  # the gateway's key, not the caller's
    else:
        assert (reply.status, got["error"]["message"]) == (status, said["error"]["message"])


async def test_xl_213_base64_is_little_endian_floats_also_from_a_server_that_knows_only_numbers(make_engine, upstream):
    upstream.then(answer_json(answer(FLOATS, FLOATS, of_tomorrow=1)))
    _, got, _ = await embedded(make_engine(at(upstream)), body(["a", "b"], encoding_format="base64"))
    assert [item["embedding"] for item in got["data"]] == [PACKED, PACKED]
    assert struct.unpack("<3f", base64.b64decode(got["data"][0]["embedding"])) == tuple(FLOATS)
    assert ([item["index"] for item in got["data"]], got["of_tomorrow"]) == ([0, 1], 1)


async def test_numbers_are_given_where_a_server_sends_base64_unasked(make_engine, upstream):
    upstream.default = answer_json(answer(PACKED))
    for asked in (body(), body(encoding_format="float")):
        _, got, _ = await embedded(make_engine(at(upstream)), asked)
        assert got["data"][0]["embedding"] == FLOATS


@pytest.mark.parametrize("form", ["float", "base64"])
async def test_several_vectors_of_one_text_come_through(make_engine, upstream, form):
    said = answer([FLOATS, FLOATS])
    upstream.then(answer_json(said))
    _, got, _ = await embedded(make_engine(at(upstream)), body(encoding_format=form))
    assert got == said


async def test_missing_usage_is_estimated_and_marked(make_engine, upstream):
    upstream.then(answer_json(answer(FLOATS, usage=None)), answer_json(answer(FLOATS, usage={"prompt_tokens": None})))
    engine = make_engine(at(upstream))
    reply, got, row = await embedded(engine, body(["word " * 40, [1, 2, 3]]))
    assert got["usage"] == {"prompt_tokens": 53, "total_tokens": 53}
    assert (row.fresh_input, row.usage_estimated, reply.headers["x-dragoman-estimated"]) == (53, True, "true")
    _, got, row = await embedded(engine, body([{"image": "of a form that is new"}]))
    assert (row.usage_estimated, got["usage"]["prompt_tokens"] > 0) == (True, True)


@pytest.mark.parametrize(
    "said",
    [
        answer_json({"object": "list"}),
        answer_json({"data": "none"}),
        answer_json(answer("no base64!")),
        answer_json(answer("AAA=")),
        answer_text("<html>", 200),
        answer_json(b'{"data": ' + b"[" * 100_000),
        reset(),
    ],
)
async def test_an_answer_without_vectors_is_a_fault_of_the_upstream(make_engine, upstream, said):
    upstream.then(said)
    reply, got, row = await embedded(make_engine(at(upstream)), body(encoding_format="float"))
    assert (reply.status, got["error"]["type"], row.outcome) == (502, "server_error", "error")


async def test_an_error_inside_a_200_is_said_in_the_upstreams_words(make_engine, upstream):
    upstream.then(answer_json({"error": {"message": "the model is not loaded", "code": 503}}))
    reply, got, row = await embedded(make_engine(at(upstream)), body())
    assert (reply.status, got["error"]["message"], row.outcome) == (503, "the model is not loaded", "error")


async def test_embeddings_are_tried_again_and_fail_over_as_inference_does(make_engine, upstream, second_upstream):
    upstream.then(answer_json({"error": {"message": "busy"}}, 503), answer_json({"error": {"message": "busy"}}, 503))
    second_upstream.then(answer_json(answer(FLOATS)))
    snapshot = a_snapshot(an_upstream("a", upstream.url, retries=1), an_upstream("b", second_upstream.url))
    reply, _, row = await embedded(make_engine(snapshot), body())
    assert reply.headers["x-dragoman-upstream"] == "b"
    assert [attempt.status for attempt in row.attempts] == [503, 503, 200]


async def test_an_upstream_without_embeddings_is_passed_over_and_alone_it_is_a_400(
    make_engine, upstream, second_upstream
):
    claude = an_upstream("claude", upstream.url, "anthropic-messages")
    reply, got, row = await embedded(make_engine(a_snapshot(claude)), body())
    assert (reply.status, got["error"]["param"]) == (400, "model")
    assert got["error"]["message"] == (
        "The model 'm' makes no embeddings: its upstream claude, of kind anthropic, does not offer them."
    )
    assert row.outcome == "error"
    second_upstream.then(answer_json(answer(FLOATS)))
    reply, _, _ = await embedded(make_engine(a_snapshot(claude, an_upstream("b", second_upstream.url))), body())
    assert (reply.status, upstream.seen) == (200, [])


async def test_embeddings_take_from_the_limit(make_engine, upstream):
    upstream.default = answer_json(answer(FLOATS))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url), key=a_key(limits=Limits(rpm=2))))
    assert [(await embedded(engine, body()))[0].status for _ in range(3)] == [200, 200, 429]


async def test_more_inputs_than_the_upstream_takes_are_its_own_to_refuse(make_engine, upstream):
    def refuse(seen: Seen) -> Script:
        count = len(seen.body["input"])
        return answer_json({"error": {"message": f"{count} are too many", "type": "invalid_request_error"}}, 400)

    upstream.then(refuse)
    reply, got, _ = await embedded(make_engine(at(upstream)), body(["x"] * 3000))
    assert (reply.status, got["error"]["message"]) == (400, "3000 are too many")


async def test_azure_is_asked_at_its_deployment(make_engine, upstream):
    upstream.then(answer_json(answer(FLOATS)))
    address = f"{upstream.url}/openai/deployments?api-version=2024-10-21"
    await embedded(make_engine(at(upstream, kind="azure", base_url=address)), body())
    assert upstream.last.path == "/openai/deployments/m-at-up/embeddings?api-version=2024-10-21"
    assert upstream.last.headers["api-key"] == "sk-secret-of-up"


async def test_faults_of_the_caller_are_said_in_openais_shape(make_engine, upstream):
    engine = make_engine(at(upstream))
    for asked, status, code in (
        ({"input": "x"}, 400, None),
        (body(model="nope"), 404, "model_not_found"),
        (b"{", 400, None),
    ):
        reply, got, _ = await embedded(engine, asked)
        assert (reply.status, set(got["error"])) == (status, {"message", "type", "param", "code"})
        assert code is None or got["error"]["code"] == code
    deep = b'{"model": "m", "input": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert (await serve(engine, a_call("openai-chat", deep), embed)).status == 400
