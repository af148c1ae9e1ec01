"""Azure behind the engine: its odd frames, its filter and its errors, on both roads."""

from __future__ import annotations

import json

import pytest

from tests.engine.conftest import a_body, a_call, a_snapshot, an_upstream, ask
from tests.fakes import answers
from tests.fakes.upstream import answer_json, answer_sse

callers = pytest.mark.parametrize("dialect", ["openai-chat", "anthropic-messages"])
FILTER = {"hate": {"filtered": False, "severity": "safe"}}


def azure(upstream, **changes):
    facts = {"kind": "azure", "base_url": f"{upstream.url}/openai/deployments/prod", "api_version": "2024-10-21"}
    return a_snapshot(an_upstream("az", upstream.url, **{**facts, **changes}))


def frame(**fields) -> bytes:
    head = {"id": "", "object": "", "created": 0, "model": ""}
    return b"data: " + json.dumps({**head, **fields}).encode() + b"\n\n"


def a_filtered_stream() -> list[bytes]:
    """As recorded of Azure: filter results first, in a chunk of nothing; offsets of the asynchronous filter after."""
    offsets = {"check_offset": 0, "start_offset": 0, "end_offset": 12}
    late = {"index": 0, "finish_reason": None, "content_filter_results": FILTER, "content_filter_offsets": offsets}
    first = frame(choices=[], prompt_filter_results=[{"prompt_index": 0, "content_filter_results": FILTER}])
    words = answers.stream("openai-chat", "Hello", " there.")
    return [first, *words[:3], frame(choices=[late]), *words[3:]]


@callers
async def test_a_stream_that_begins_with_filter_results_is_read(make_engine, upstream, dialect):
    upstream.then(answer_sse(a_filtered_stream()))
    outcome = await ask(make_engine(azure(upstream)), a_call(dialect, a_body(stream=True)))
    assert b"Hello" in outcome.raw
    assert b" there." in outcome.raw
    assert outcome.row.outcome == "ok"
    assert (outcome.row.fresh_input, outcome.row.output) == (9, 4)
    assert upstream.last.path == "/openai/deployments/prod/chat/completions?api-version=2024-10-21"
    assert upstream.last.headers["api-key"] == "sk-secret-of-az"
    assert "authorization" not in upstream.last.headers


@callers
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_prompt_that_the_filter_refuses_is_a_400_in_the_filters_words(make_engine, upstream, dialect, stream):
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"jailbreak": {"filtered": True}}}
    error = {"message": "The response was filtered due to the prompt.", "type": None, "param": "prompt",
             "code": "content_filter", "status": 400, "innererror": inner}  # fmt: skip
    upstream.then(answer_json({"error": error}, 400))
    outcome = await ask(make_engine(azure(upstream)), a_call(dialect, a_body(stream=stream)))
    assert outcome.status == 400
    said = outcome.json["error"]
    assert said["message"] == error["message"]
    assert said["type"] == "invalid_request_error"
    if dialect == "openai-chat":
        assert (said["code"], said["innererror"]) == ("content_filter", inner)
    assert len(upstream.seen) == 1


@callers
async def test_a_deployment_that_is_not_there_is_a_404(make_engine, upstream, dialect):
    message = "The API deployment for this resource does not exist."
    upstream.then(answer_json({"error": {"code": "DeploymentNotFound", "message": message}}, 404))
    outcome = await ask(make_engine(azure(upstream, retries=2)), a_call(dialect, a_body()))
    assert outcome.status == 404
    assert outcome.json["error"]["message"] == message
    assert len(upstream.seen) == 1


@callers
@pytest.mark.parametrize("body", [
    {"error": {"code": "401", "message": "Access denied due to invalid subscription key or wrong API endpoint."}},
    {"statusCode": 401, "message": "Unauthorized. Access token is missing, invalid or of another audience."},
])  # fmt: skip
async def test_a_key_that_azure_does_not_know_is_the_operators_matter(make_engine, upstream, dialect, body):
    upstream.then(answer_json(body, 401))
    outcome = await ask(make_engine(azure(upstream)), a_call(dialect, a_body()))
    assert outcome.status == 502
    assert "az refused this gateway's credential (401)" in outcome.json["error"]["message"]


async def test_the_v1_form_sends_the_deployment_as_the_model(make_engine, upstream):
    upstream.then(answer_json(answers.whole("openai-chat")))
    snapshot = azure(upstream, base_url=upstream.url, api_version=None)
    outcome = await ask(make_engine(snapshot), a_call("anthropic-messages", a_body()))
    assert outcome.status == 200
    assert upstream.last.path == "/openai/v1/chat/completions"
    assert upstream.last.body["model"] == "m-at-az"
    assert upstream.last.body["max_completion_tokens"] == 50


async def test_a_token_among_the_headers_is_credential_enough(make_engine, upstream):
    upstream.then(answer_json(answers.whole("openai-chat")))
    snapshot = azure(upstream, credentials=(), headers={"Authorization": "Bearer of-the-operator"})
    outcome = await ask(make_engine(snapshot), a_call("openai-chat", a_body()))
    assert outcome.status == 200
    assert upstream.last.headers["authorization"] == "Bearer of-the-operator"
    assert "api-key" not in upstream.last.headers


async def test_without_any_credential_the_caller_is_told_what_is_missing(make_engine, upstream):
    outcome = await ask(make_engine(azure(upstream, credentials=())), a_call("openai-chat", a_body()))
    assert outcome.status == 401
    assert outcome.json["error"]["code"] == "no_upstream_credential"
    assert upstream.seen == []


async def test_an_answer_cut_by_the_filter_says_so_in_both_dialects(make_engine, upstream):
    answer = answers.whole("openai-chat", "Half of")
    answer["choices"][0] |= {"finish_reason": "content_filter", "content_filter_results": {"hate": {"filtered": True}}}
    upstream.default = answer_json(answer)
    chat = await ask(make_engine(azure(upstream)), a_call("openai-chat", a_body()))
    assert chat.json["choices"][0]["finish_reason"] == "content_filter"
    messages = await ask(make_engine(azure(upstream)), a_call("anthropic-messages", a_body()))
    assert messages.json["stop_reason"] == "refusal"


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses", "anthropic-messages"])
@pytest.mark.parametrize("version", [None, "2025-03-01-preview"], ids=["v1", "dated"])
async def test_responses_are_asked_for_at_the_resource_with_the_deployment_as_model(
    make_engine, upstream, dialect, version
):
    text = {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text]}
    usage = {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13}
    head = {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-5", "status": "completed"}
    answer = {**head, "error": None, "output": [item], "usage": usage}
    upstream.then(answer_json(answer))
    snapshot = azure(upstream, base_url=upstream.url, api_version=version, api="responses")
    body = {"model": "m", "input": "hi"} if dialect == "openai-responses" else a_body()
    outcome = await ask(make_engine(snapshot), a_call(dialect, body))
    assert outcome.status == 200, outcome.raw
    assert b"Hi" in outcome.raw
    path = "/openai/v1/responses" if version is None else f"/openai/responses?api-version={version}"
    assert upstream.last.path == path
    assert upstream.last.body["model"] == "m-at-az"
    assert upstream.last.headers["api-key"] == "sk-secret-of-az"
    assert (outcome.row.fresh_input, outcome.row.output) == (9, 4)
