"""Gemini beside inference, for callers and over upstreams: counts, embeddings and media by address."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import msgspec
import pytest

from proxyapp.dialects.contract import Peek
from proxyapp.dialects.registry import DIALECTS
from proxyapp.engine.call import Call
from proxyapp.engine.counting import count
from proxyapp.engine.embedding import embed
from proxyapp.engine.media import Fetcher
from proxyapp.engine.serve import Story, serve
from proxyapp.engine.snapshot import Credential
from tests.engine.conftest import a_call, a_snapshot, an_upstream, collect
from tests.fakes.embeddings import answer_embeddings, vector
from tests.fakes.strict_gemini import KEY, StrictGemini
from tests.fakes.upstream import Script, ScriptedUpstream, answer_json, answer_text, reset

MODEL = "gemini-embedding-001"
CHAT_MODEL = "gemini-2.5-flash"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


@pytest.fixture
def strict(upstream: ScriptedUpstream):
    made = StrictGemini()
    upstream.default = made
    return made


def google(upstream: ScriptedUpstream, name: str = "google"):
    return an_upstream(name, upstream.url, kind="gemini", credentials=(Credential("main", KEY),))


def at(*upstreams: Any, model: str = MODEL):
    """A snapshot in which the model has its own name at every upstream."""
    snapshot = a_snapshot(*upstreams, model=model)
    routes = tuple(msgspec.structs.replace(route, model=model) for route in snapshot.models[model].routes)
    return msgspec.structs.replace(
        snapshot, models={model: msgspec.structs.replace(snapshot.models[model], routes=routes)}
    )


def from_gemini(body: Any, model: str = MODEL) -> Call:
    call = a_call("openai-chat", body)
    return msgspec.structs.replace(call, dialect=DIALECTS["gemini"], asked=Peek(model, False), path="/v1beta/models/x")


async def done(engine, call: Call, story: Story):
    reply = await serve(engine, call, story)
    return reply, json.loads(await collect(reply)), engine.books.ended[-1]


# --- counting

ASKED = {
    "contents": [{"role": "user", "parts": [{"text": "How many tokens is this?"}]}],
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "tools": [{"functionDeclarations": [{"name": "look", "description": "Looks.", "parameters": {"type": "OBJECT"}}]}],
}


@pytest.mark.parametrize("form", ["contents", "generateContentRequest", "generate_content_request"])
async def test_both_forms_of_a_count_reach_google(make_engine, upstream, strict, form):
    body = {"contents": ASKED["contents"]} if form == "contents" else {form: {"model": "models/other", **ASKED}}
    engine = make_engine(at(google(upstream), model=CHAT_MODEL))
    _, answer, row = await done(engine, from_gemini(body, CHAT_MODEL), count)
    assert answer["promptTokensDetails"]  # as the upstream said it
    assert not strict.refused
    assert upstream.last.path == f"/v1beta/models/{CHAT_MODEL}:countTokens"
    sent = upstream.last.body["generateContentRequest"]
    assert sent["model"] == f"models/{CHAT_MODEL}"
    assert ("tools" in sent) is (form != "contents")
    assert (row.outcome, row.fresh_input) == ("ok", None)


async def test_xl_210_counts_for_gemini_callers_are_estimated_where_the_upstream_has_no_counter(make_engine, upstream):
    engine = make_engine(at(an_upstream("up", upstream.url), model=CHAT_MODEL))
    reply, bare, _ = await done(engine, from_gemini({"contents": ASKED["contents"]}, CHAT_MODEL), count)
    assert reply.headers["x-dragoman-estimated"] == "true"
    _, whole, _ = await done(engine, from_gemini({"generateContentRequest": ASKED}, CHAT_MODEL), count)
    assert 0 < bare["totalTokens"] < whole["totalTokens"]
    assert upstream.seen == []


async def test_a_count_is_translated_to_google_with_its_tools(make_engine, upstream, strict):
    body = {
        "model": CHAT_MODEL,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [{"name": "look", "input_schema": {"type": "object", "properties": {"q": {"type": "string"}}}}],
    }
    engine = make_engine(at(google(upstream), model=CHAT_MODEL))
    reply, answer, _ = await done(engine, a_call("anthropic-messages", body), count)
    assert not strict.refused
    assert answer == {"input_tokens": len(upstream.last.raw) // 4}
    assert upstream.last.body["generateContentRequest"]["tools"]
    assert "x-dragoman-estimated" not in reply.headers


async def test_a_count_of_geminis_caller_is_translated_to_anthropic(make_engine, upstream):
    upstream.then(answer_json({"input_tokens": 31}))
    engine = make_engine(at(an_upstream("up", upstream.url, "anthropic-messages"), model=CHAT_MODEL))
    _, answer, _ = await done(engine, from_gemini({"generateContentRequest": ASKED}, CHAT_MODEL), count)
    assert answer == {"totalTokens": 31}
    assert upstream.last.body["system"]
    assert "max_tokens" not in upstream.last.body


@pytest.mark.parametrize(
    "body",
    [
        {"contents": ASKED["contents"], "generateContentRequest": ASKED},
        {"generateContentRequest": "all of it"},
        {"contents": "hello", "tools": 7},
        {},
    ],
)
async def test_a_count_of_nothing_or_of_two_things_is_a_400_in_googles_shape(make_engine, upstream, body):
    engine = make_engine(at(an_upstream("up", upstream.url), model=CHAT_MODEL))
    reply, answer, _ = await done(engine, from_gemini(body, CHAT_MODEL), count)
    assert (reply.status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")


# --- embeddings


def asked(given: Any, **more: Any) -> Call:
    return a_call("openai-chat", {"model": MODEL, "input": given, **more})


@pytest.mark.parametrize("form", ["float", "base64"])
async def test_texts_are_embedded_by_google_for_openais_callers(make_engine, upstream, strict, form):
    engine = make_engine(at(google(upstream)))
    reply, answer, row = await done(
        engine,
        asked(["one", "twenty"], dimensions=4, encoding_format=form, user="u", task_type="RETRIEVAL_QUERY"),
        embed,
    )
    assert not strict.refused
    made = [item["embedding"] for item in answer["data"]]
    if form == "base64":
        made = [list(struct.unpack("<4f", base64.b64decode(packed))) for packed in made]
    assert made == [vector("one", 4), vector("twenty", 4)]
    assert [item["index"] for item in answer["data"]] == [0, 1]
    first = upstream.last.body["requests"][0]
    assert (first["model"], first["outputDimensionality"]) == (f"models/{MODEL}", 4)
    assert first["taskType"] == "RETRIEVAL_QUERY"
    assert answer["usage"] == {"prompt_tokens": 2, "total_tokens": 2}  # one for "one", one for "twenty"
    assert (row.fresh_input, row.usage_estimated, reply.headers["x-dragoman-estimated"]) == (2, True, "true")


@pytest.mark.parametrize("given", [[1, 2, 3], [[1, 2], [3]], ["text", [1]]])
async def test_xl_214_tokens_cannot_be_embedded_by_google(make_engine, upstream, strict, given):
    reply, answer, _ = await done(make_engine(at(google(upstream))), asked(given), embed)
    assert (reply.status, answer["error"]["type"]) == (400, "invalid_request_error")
    assert "tokens of another model" in answer["error"]["message"]
    assert upstream.seen == []


@pytest.mark.parametrize("given", ["", [], ["a", ""], None, 7, [None], [[]], [-1], [True], {"text": "a"}])
async def test_an_input_that_is_none_is_a_400_that_names_it(make_engine, upstream, strict, given):
    reply, answer, _ = await done(make_engine(at(google(upstream))), asked(given), embed)
    assert reply.status == 400
    assert answer["error"]["param"].startswith("input")


async def test_more_texts_than_google_takes_at_once_go_in_parts_and_keep_their_order(make_engine, upstream, strict):
    texts = [f"text {number}" * (1 + number % 3) for number in range(250)]
    _, answer, row = await done(make_engine(at(google(upstream))), asked(texts, dimensions=12), embed)
    assert [item["embedding"] for item in answer["data"]] == [vector(text, 12) for text in texts]
    assert [item["index"] for item in answer["data"]] == list(range(250))
    assert [len(seen.body["requests"]) for seen in upstream.seen] == [100, 100, 50]
    assert (row.fresh_input, len(row.attempts)) == (answer["usage"]["prompt_tokens"], 3)


async def test_parts_never_come_from_two_models(make_engine, upstream, second_upstream, strict):
    """The first part went to the first route; when that fails, the whole request does."""
    second = StrictGemini()
    second_upstream.default = second
    upstream.then(strict, reset())
    upstream.default = reset()
    engine = make_engine(at(google(upstream, "a"), google(second_upstream, "b")))
    reply, _, _ = await done(engine, asked(["x"] * 150), embed)
    assert (reply.status, second_upstream.seen) == (502, [])
    upstream.then(reset())
    reply, answer, _ = await done(engine, asked(["x"] * 150), embed)
    assert (len(answer["data"]), reply.headers["x-dragoman-upstream"], len(second_upstream.seen)) == (150, "b", 2)


async def test_one_and_many_for_geminis_callers_over_openai(make_engine, upstream):
    upstream.default = answer_embeddings
    engine = make_engine(at(an_upstream("up", upstream.url), model="text-embedding-3-small"))
    one = {"content": {"parts": [{"text": "one"}]}, "outputDimensionality": 4, "taskType": "RETRIEVAL_QUERY"}
    reply, answer, _ = await done(engine, from_gemini(one, "text-embedding-3-small"), embed)
    assert answer == {"embedding": {"values": vector("one", 4)}, "usageMetadata": {"promptTokenCount": 3}}
    assert reply.headers["x-dragoman-dropped"] == "taskType"
    many = {"requests": [{"model": "models/x", "content": {"parts": [{"text": text}]}} for text in ("a", "bcd")]}
    _, answer, row = await done(engine, from_gemini(many, "text-embedding-3-small"), embed)
    assert [each["values"] for each in answer["embeddings"]] == [vector("a", 8), vector("bcd", 8)]
    assert (row.fresh_input, row.usage_estimated) == (6, False)
    assert upstream.last.body == {"model": "text-embedding-3-small", "input": ["a", "bcd"]}


async def test_geminis_bodies_go_through_to_google_with_the_models_name_changed(make_engine, upstream, strict):
    snapshot = at(google(upstream))
    named = msgspec.structs.replace(snapshot.models[MODEL], name="mine")
    engine = make_engine(msgspec.structs.replace(snapshot, models={"mine": named}))
    one = {"model": "models/mine", "content": {"parts": [{"text": "one"}]}, "output_dimensionality": 4}
    _, answer, row = await done(engine, from_gemini(one, "mine"), embed)
    assert answer["embedding"]["values"] == vector("one", 4)
    assert upstream.last.body == {**one, "model": f"models/{MODEL}"}
    many = {"requests": [{"model": "models/mine", "content": {"parts": [{"text": "a"}]}, "taskType": "CLUSTERING"}]}
    _, answer, _ = await done(engine, from_gemini(many, "mine"), embed)
    assert len(answer["embeddings"]) == 1
    assert upstream.last.path.endswith(":batchEmbedContents")
    assert upstream.last.body["requests"][0]["model"] == f"models/{MODEL}"
    assert (row.usage_estimated, strict.refused) == (True, [])


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "content"),
        ({"content": {"parts": []}}, "content"),
        ({"content": {"parts": [{"text": ""}]}}, "content"),
        ({"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "AA"}}]}}, "content.parts.0"),
        ({"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 0}, "outputDimensionality"),
        ({"requests": []}, "requests"),
        ({"requests": [{"content": {"parts": [{"text": "a"}]}}, {"content": "b"}]}, "requests.1.content"),
        (
            {
                "requests": [
                    {"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 4},
                    {"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 8},
                ]
            },
            "requests",
        ),
    ],
)
async def test_what_cannot_be_embedded_elsewhere_is_a_400_in_googles_shape(make_engine, upstream, body, param):
    engine = make_engine(at(an_upstream("up", upstream.url)))
    reply, answer, _ = await done(engine, from_gemini(body), embed)
    assert (reply.status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert param in json.dumps(answer)
    assert upstream.seen == []


@pytest.mark.parametrize(
    "said",
    [
        answer_json({}),
        answer_json({"embeddings": [{"values": [1.0]}]}),
        answer_json({"embeddings": [{"values": ["a"]}, {"values": [1.0]}]}),
        answer_text("<html>", 200),
    ],
)
async def test_an_answer_without_all_vectors_is_a_fault_of_the_upstream(make_engine, upstream, said):
    upstream.default = said
    reply, _, row = await done(make_engine(at(google(upstream))), asked(["a", "b"]), embed)
    assert (reply.status, row.error) == (502, "upstream_broken")


async def test_googles_refusal_reaches_openais_caller_in_its_shape(make_engine, upstream, strict):
    reply, answer, _ = await done(
        make_engine(at(google(upstream), model="gemini-nothing")),
        a_call("openai-chat", {"model": "gemini-nothing", "input": "a"}),
        embed,
    )
    assert (reply.status, answer["error"]["code"]) == (404, "model_not_found")


# --- media


def with_image(url: str) -> dict[str, Any]:
    content = [{"type": "text", "text": "hello"}, {"type": "image_url", "image_url": {"url": url}}]
    return {"model": CHAT_MODEL, "messages": [{"role": "user", "content": content}]}


async def test_xl_200_an_image_by_address_is_fetched_for_google(make_engine, upstream, second_upstream, strict):
    second_upstream.then(Script(200, {"content-type": "image/png"}, [PNG]))
    engine = make_engine(at(google(upstream), model=CHAT_MODEL), fetch_media=True)
    engine.fetcher = Fetcher(engine.transport, forbids=lambda host: False, ports=None)
    reply = await serve(engine, a_call("openai-chat", with_image(f"{second_upstream.url}/a.png")))
    assert (reply.status, strict.refused) == (200, [])
    sent = upstream.last.body["contents"][0]["parts"][1]["inlineData"]
    assert (sent["mimeType"], base64.b64decode(sent["data"])) == ("image/png", PNG)


async def test_an_image_by_address_is_a_400_for_google_when_nothing_may_be_fetched(make_engine, upstream, strict):
    engine = make_engine(at(google(upstream), model=CHAT_MODEL))
    reply = await serve(engine, a_call("openai-chat", with_image("https://example.org/a.png")))
    assert reply.status == 400
    assert b"DRAGOMAN_FETCH_MEDIA=1" in await collect(reply)
    assert upstream.seen == []


async def test_googles_own_addresses_are_not_fetched(make_engine, upstream):
    upstream.default = answer_json(
        {"candidates": [{"content": {"parts": [{"text": "a film"}]}, "finishReason": "STOP"}]}
    )
    engine = make_engine(at(google(upstream), model=CHAT_MODEL))
    await serve(engine, a_call("openai-chat", with_image("https://www.youtube.com/watch?v=x")))
    assert upstream.last.body["contents"][0]["parts"][1]["fileData"]["fileUri"] == "https://www.youtube.com/watch?v=x"
