"""Answers, errors and streams of Gemini, and for its callers: the corner cases of translation.md section 10."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from google.genai import types

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import ClientSide, Peek, UpstreamSide
from proxyapp.dialects.gemini import GEMINI
from proxyapp.dialects.registry import DIALECTS
from proxyapp.dialects.signatures import Sealer
from proxyapp.dialects.sse import FrameReader
from proxyapp.errors import UpstreamBroken, UpstreamRefused
from proxyapp.ir import events as ev
from tests.dialects.gemini.conftest import NEW, SIGNATURE, chunks, frames_of, profile_of, said

Json = dict[str, Any]
CHAT, MESSAGES = "openai-chat", "anthropic-messages"
SEALER = Sealer(b"a key of thirty-two bytes, just so")
CALL = {"functionCall": {"name": "f", "args": {"n": 3.0}}}


class Failed(Exception):
    """The caller's stream ended with this error frame."""


def google() -> UpstreamSide:
    numbers = iter(range(100))
    return UpstreamSide(
        profile=profile_of(NEW), sealer=SEALER, model=NEW, account="u/main", new_id=lambda: f"{next(numbers):024d}"
    )


def client(dialect: str) -> ClientSide:
    return ClientSide(sealer=SEALER, asked=Peek("m", stream=True) if dialect == "gemini" else None)


def asked(dialect: str) -> Any:
    body: Json = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9, "stream": True}
    if dialect == CHAT:
        body["stream_options"] = {"include_usage": True}
    if dialect == "gemini":
        thinks = {"thinkingConfig": {"includeThoughts": True}}
        body = {"contents": [{"parts": [{"text": "hi"}]}], "generationConfig": thinks}
    return DIALECTS[dialect].parse_request(body, client(dialect))


def answered(body: Json, to: str = CHAT) -> Json:
    """A Google answer as a caller of another dialect gets it."""
    response = GEMINI.parse_response(body, google())
    return json.loads(jsonio.encode(DIALECTS[to].render_response(response, asked(to), client(to))))


def streamed(raw: bytes, to: str = CHAT) -> list[Json]:
    """A Google stream as the caller's frames; raises Failed with what the error frame holds."""
    reader, decoder, encoder = FrameReader(), GEMINI.decoder(google()), DIALECTS[to].encoder(asked(to), client(to))
    events: list[ev.Event] = []
    for frame in [*reader.feed(raw), *reader.close()]:
        events += decoder.feed(frame)
    out = b""
    for event in [*events, *decoder.close()]:
        if isinstance(event, ev.Failed):
            raise Failed(out, encoder.fail(event.error))
        out += encoder.encode(event)
    told = FrameReader()
    return [json.loads(f.data) for f in [*told.feed(out), *told.close()] if f.data and f.data != b"[DONE]"]


def counted(**counts: int) -> Json:
    return {**said({"text": "x"}, finish="STOP"), "usageMetadata": counts}


# --- answers


def test_xl_051_doubles_that_are_whole_are_integers():
    told = answered(said(CALL, finish="STOP"))
    assert told["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == '{"n":3}'


def test_xl_119_thoughts_beside_the_output_are_added_to_it():
    usage = answered(counted(promptTokenCount=10, candidatesTokenCount=5, thoughtsTokenCount=20, totalTokenCount=35))[
        "usage"
    ]
    assert (usage["completion_tokens"], usage["completion_tokens_details"]["reasoning_tokens"]) == (25, 20)


def test_xl_120_thoughts_inside_the_output_are_not_added_again():
    usage = answered(counted(promptTokenCount=10, candidatesTokenCount=25, thoughtsTokenCount=20, totalTokenCount=35))[
        "usage"
    ]
    assert (usage["completion_tokens"], usage["completion_tokens_details"]["reasoning_tokens"]) == (25, 20)


def test_xl_121_what_was_cached_is_a_part_of_the_prompt():
    usage = answered(counted(promptTokenCount=100, cachedContentTokenCount=60, totalTokenCount=100), MESSAGES)["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (40, 60)


def test_prompt_tokens_of_hosted_tools_are_prompt_tokens():
    usage = answered(
        counted(promptTokenCount=10, toolUsePromptTokenCount=90, candidatesTokenCount=5, totalTokenCount=105)
    )["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (100, 5, 105)


def test_xl_123_stop_with_a_call_is_tool_calls():
    assert answered(said(CALL, finish="STOP"))["choices"][0]["finish_reason"] == "tool_calls"
    assert answered(said(CALL, finish="MAX_TOKENS"))["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("word", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MISSING_THOUGHT_SIGNATURE"])
def test_xl_131_a_malformed_call_is_an_error_and_no_stop(word):
    body = {"candidates": [{"content": {}, "finishReason": word}]}
    for dialect in (CHAT, MESSAGES):
        with pytest.raises(UpstreamBroken) as fault:
            answered(body, dialect)
        assert fault.value.status == 502
    with pytest.raises(UpstreamBroken):
        streamed(chunks(said({"text": "So"}), {"candidates": [{"finishReason": word}]}))


def test_xl_132_a_blocked_prompt_is_a_filtered_answer():
    choice = answered({"promptFeedback": {"blockReason": "SAFETY"}})["choices"][0]
    assert choice["finish_reason"] == "content_filter"
    assert not choice["message"]["content"]
    assert "SAFETY" in choice["message"]["refusal"]
    told = answered({"promptFeedback": {"blockReason": "SAFETY"}}, MESSAGES)
    assert told["stop_reason"] == "refusal"
    *_, last = [frame for frame in streamed(chunks({"promptFeedback": {"blockReason": "SAFETY"}})) if frame["choices"]]
    assert last["choices"][0]["finish_reason"] == "content_filter"


# --- errors

BODY = {"error": {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED"}}
WAIT = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "22s"}


def test_xl_139_googles_delay_is_when_to_come_again():
    raw = json.dumps({"error": {**BODY["error"], "details": [WAIT]}}).encode()
    error = GEMINI.parse_error(429, {}, raw)
    assert isinstance(error, UpstreamRefused)
    assert error.retry_after == 22
    status, body = DIALECTS[CHAT].render_error(error, "r")
    assert (status, body["error"]["code"]) == (429, "rate_limit_exceeded")


def test_xl_140_an_error_in_an_array_is_unwrapped():
    error = GEMINI.parse_error(429, {"retry-after": "3"}, json.dumps([BODY]).encode())
    assert (error.status, error.message, error.retry_after) == (429, "Quota exceeded.", 3)


# --- streams


def test_xl_150_calls_in_chunks_of_their_own_are_counted_through():
    frames = streamed(chunks(said(CALL), said(CALL), said(CALL, finish="STOP")))
    calls = [call for frame in frames for choice in frame["choices"] for call in choice["delta"].get("tool_calls", [])]
    begun = [call for call in calls if call.get("id")]
    assert [call["index"] for call in begun] == [0, 1, 2]
    assert len({call["id"] for call in begun}) == 3


def test_xl_164_an_error_after_text_is_an_error_frame():
    overloaded = {"error": {"code": 503, "message": "Overloaded.", "status": "UNAVAILABLE"}}
    with pytest.raises(Failed) as failed:
        streamed(chunks(said({"text": "So far"}), overloaded))
    out, frame = failed.value.args
    assert b"So far" in out
    assert b'"finish_reason":"stop"' not in out
    assert json.loads(frame.removeprefix(b"data: "))["error"]["message"] == "Overloaded."


def test_xl_169_there_is_one_end():
    frames = streamed(
        chunks(said({"text": "a"}), said({"text": "b"}), {**said({"text": ""}, finish="STOP"), "usageMetadata": {}})
    )
    assert [c["finish_reason"] for f in frames for c in f["choices"] if c["finish_reason"]] == ["stop"]


def test_xl_170_a_part_that_is_a_proof_alone_is_no_text():
    raw = chunks(said({"text": "Hi"}), said({"text": "", "thoughtSignature": SIGNATURE}, finish="STOP"))
    frames = streamed(raw)
    texts = [c["delta"]["content"] for f in frames for c in f["choices"] if c["delta"].get("content") is not None]
    assert [text for text in texts if text] == ["Hi"]
    told = [d for f in frames for c in f["choices"] for d in c["delta"].get("reasoning_details", [])]
    assert SEALER.open(told[0]["signature"]).payload == SIGNATURE
    blocks = [f["content_block"]["type"] for f in streamed(raw, MESSAGES) if f["type"] == "content_block_start"]
    assert blocks == ["text"], "Claude Code prints the last block: a proof that nothing follows is left out"


def test_xl_171_arguments_in_fragments_are_one_call():
    encoder = GEMINI.encoder(asked("gemini"), client("gemini"))
    decoder = DIALECTS[CHAT].decoder(UpstreamSide(profile=profile_of(NEW), sealer=SEALER))
    told = [{"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}]
    told += [{"index": 0, "function": {"arguments": piece}} for piece in ['{"', "ci", "ty", '":', ' "', "Zü", '"}']]
    out, reader = b"", FrameReader()
    raw = [{"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]} for call in told]
    raw += [{"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}]
    sent = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in raw) + b"data: [DONE]\n\n"
    for frame in reader.feed(sent):
        for event in decoder.feed(frame):
            out += encoder.encode(event)
    for event in decoder.close():
        out += encoder.encode(event)
    calls = [
        part["functionCall"]
        for f in frames_of(out)
        for part in f["candidates"][0]["content"]["parts"]
        if "functionCall" in part
    ]
    assert calls == [{"id": "c1", "name": "f", "args": {"city": "Zü"}}]


def test_xl_175_an_end_without_a_reason_is_an_error_frame():
    for dialect in (CHAT, MESSAGES, "gemini"):
        with pytest.raises(Failed) as failed:
            streamed(chunks(said({"text": "So far"})), dialect)
        assert b'"error"' in failed.value.args[1]


def test_xl_180b_the_proof_of_another_is_base64_that_googles_sdk_reads():
    raw = json.dumps(
        {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "Er.x/+=="},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
            ],
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
    )  # fmt: skip
    side = UpstreamSide(profile=profile_of(NEW), sealer=SEALER, account="claude/main")
    response = DIALECTS[MESSAGES].parse_response(json.loads(raw), side)
    body = json.loads(jsonio.encode(GEMINI.render_response(response, asked("gemini"), client("gemini"))))
    read = types.GenerateContentResponse.model_validate(body)
    envelope = read.candidates[0].content.parts[0].thought_signature.decode()
    assert SEALER.open(envelope).payload == "Er.x/+=="
    assert (
        base64.b64encode(envelope.encode()).decode() == body["candidates"][0]["content"]["parts"][0]["thoughtSignature"]
    )
