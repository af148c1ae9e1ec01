"""Corner cases of reference/translation.md section 10: answers and errors of Messages upstreams and for its callers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.contract import ClientSide, Profile, UpstreamSide
from proxyapp.dialects.openai_chat import OPENAI_CHAT
from proxyapp.dialects.signatures import Sealer
from proxyapp.errors import UpstreamBroken, UpstreamCredential, UpstreamRefused
from proxyapp.ir.parts import Refusal, ServerCall, Text, ToolCall
from proxyapp.ir.request import Request
from proxyapp.ir.response import Finish, FinishKind, Response
from proxyapp.ir.usage import Usage

SEALER = Sealer(b"k" * 32)

Json = dict[str, Any]


def a_caller() -> ClientSide:
    return ClientSide(sealer=SEALER, new_id=lambda: "A" * 24)


def an_upstream() -> UpstreamSide:
    return UpstreamSide(profile=Profile(), sealer=SEALER, model="up")


def a_message(*content: Json, stop: str = "end_turn", **more: Any) -> Json:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": list(content),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
        **more,
    }


def to_chat(message: Json) -> Json:
    """A Messages answer as a Chat caller gets it."""
    response = ANTHROPIC.parse_response(message, an_upstream())
    return OPENAI_CHAT.render_response(response, Request(client_dialect="openai-chat", model="m"), a_caller())


def from_chat(body: Json) -> Json:
    """A Chat answer as a Messages caller gets it."""
    return given(OPENAI_CHAT.parse_response(body, an_upstream()))


def given(response: Response, side: ClientSide | None = None) -> Json:
    request = Request(client_dialect="anthropic-messages", model="m")
    return ANTHROPIC.render_response(response, request, side or a_caller())


def a_chat_answer(message: Json, finish: str = "stop", **usage: Any) -> Json:
    choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": finish}
    counts = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, **usage}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "g", "choices": [choice], "usage": counts}


TEXT = {"type": "text", "text": "hello"}


# --- usage


def test_xl_116_the_parts_of_the_prompt_are_added_up_for_chat() -> None:
    counts = {
        "input_tokens": 10,
        "cache_read_input_tokens": 90,
        "cache_creation_input_tokens": 5,
        "output_tokens": 7,
    }
    usage = to_chat(a_message(TEXT, usage=counts))["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (105, 7, 112)
    assert usage["prompt_tokens_details"]["cached_tokens"] == 90


def test_xl_117_cached_tokens_are_taken_out_of_the_input() -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 75}}
    usage = from_chat(a_chat_answer({"content": "x"}, prompt_tokens=100, **details))["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (25, 75)


def test_xl_118_more_cached_than_prompt_tokens_leave_no_fresh_input() -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 150}}
    usage = from_chat(a_chat_answer({"content": "x"}, prompt_tokens=100, **details))["usage"]
    assert usage["input_tokens"] == 0


@pytest.mark.parametrize(("read", "written"), [(None, None), (0, 0), (60, 5), (99, 1)])
def test_xl_121_fresh_read_and_written_add_up_to_the_prompt(read: int | None, written: int | None) -> None:
    counted = Usage(fresh_input=100 - (read or 0) - (written or 0), cache_read=read, cache_write_5m=written, output=3)
    usage = given(Response(parts=[Text(text="x")], finish=Finish(kind=FinishKind.END), usage=counted))["usage"]
    whole = (
        usage["input_tokens"] + (usage["cache_read_input_tokens"] or 0) + (usage["cache_creation_input_tokens"] or 0)
    )
    assert whole == 100
    assert (usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]) == (read, written)


# --- why it ended


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (FinishKind.TOOL_CALLS, "tool_use"),  # 124
        (FinishKind.LENGTH, "max_tokens"),  # 125
        (FinishKind.CONTENT_FILTER, "refusal"),  # 126
        (FinishKind.RECITATION, "refusal"),
        (FinishKind.CONTEXT_WINDOW, "model_context_window_exceeded"),
        (FinishKind.PAUSE, "pause_turn"),
        (FinishKind.STEERED, "end_turn"),
        (FinishKind.OTHER, "end_turn"),
    ],
)
def test_xl_124_125_126_every_end_has_a_reason_of_this_wire(kind: FinishKind, reason: str) -> None:
    body = given(Response(parts=[Text(text="x")], finish=Finish(kind=kind, explanation="why")))
    assert body["stop_reason"] == reason
    if reason == "refusal":
        assert body["stop_details"] == {"type": "refusal", "category": None, "explanation": "why"}


def test_xl_124_a_call_wins_over_a_plain_end_and_not_over_a_cut() -> None:
    call = ToolCall(id="c1", name="f", arguments="{}")
    for kind, reason in ((FinishKind.END, "tool_use"), (FinishKind.LENGTH, "max_tokens")):
        assert given(Response(parts=[call], finish=Finish(kind=kind)))["stop_reason"] == reason


def test_xl_127_a_refusal_with_an_explanation_is_told_to_chat() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "No."}
    choice = to_chat(a_message(stop="refusal", stop_details=details))["choices"][0]
    assert choice["finish_reason"] == "content_filter"
    assert choice["message"]["refusal"] == "No."


def test_xl_128_a_refusal_in_words_is_a_text_block_and_a_refusal() -> None:
    body = from_chat(a_chat_answer({"refusal": "I will not."}))
    assert body["content"] == [{"type": "text", "text": "I will not."}]
    assert body["stop_reason"] == "refusal"


def test_xl_129_a_pause_is_kept_as_one_for_the_engine_to_continue() -> None:
    response = ANTHROPIC.parse_response(a_message(TEXT, stop="pause_turn"), an_upstream())
    assert response.finish.kind is FinishKind.PAUSE


def test_xl_130_a_full_context_window_is_a_length_for_chat() -> None:
    choice = to_chat(a_message(TEXT, stop="model_context_window_exceeded"))["choices"][0]
    assert choice["finish_reason"] == "length"


def test_xl_131_a_malformed_answer_is_an_error_and_no_end() -> None:
    with pytest.raises(UpstreamBroken):
        given(Response(finish=Finish(kind=FinishKind.MALFORMED, raw="MALFORMED_FUNCTION_CALL")))


def test_xl_133_an_answer_of_calls_alone_has_null_content_for_chat() -> None:
    use = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
    choice = to_chat(a_message(use, stop="tool_use"))["choices"][0]
    assert choice["message"]["content"] is None
    assert choice["finish_reason"] == "tool_calls"


def test_xl_134_invalid_arguments_are_kept_whole_with_a_note() -> None:
    side = a_caller()
    call = ToolCall(id="c1", name="f", arguments="{oops")
    body = given(Response(parts=[call], finish=Finish(kind=FinishKind.TOOL_CALLS)), side)
    assert body["content"][0]["input"] == {"_raw": "{oops"}
    assert [note.path for note in side.notes.items] == ["content.f"]


def test_xl_081_the_providers_own_calls_are_no_calls_for_the_caller() -> None:
    use = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
    found = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    response = ANTHROPIC.parse_response(a_message(use, found, TEXT), an_upstream())
    assert isinstance(response.parts[0], ServerCall)
    choice = to_chat(a_message(use, found, TEXT))["choices"][0]
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "stop"


def test_xl_128_a_refusal_never_becomes_an_empty_end_turn() -> None:
    body = given(Response(parts=[Refusal(text="")], finish=Finish(kind=FinishKind.END)))
    assert body["stop_reason"] == "refusal"


# --- errors


def an_error(kind: str, message: str, **details: Any) -> bytes:
    error: Json = {"type": kind, "message": message}
    if details:
        error["details"] = details
    return json.dumps({"type": "error", "error": error, "request_id": "req_1"}).encode()


def test_xl_137_an_overload_is_a_503_for_chat_and_stays_529_here() -> None:
    fault = ANTHROPIC.parse_error(529, {"retry-after": "7"}, an_error("overloaded_error", "Overloaded"))
    assert (fault.status, fault.retry_after, fault.retryable) == (529, 7.0, True)
    status, body = OPENAI_CHAT.render_error(fault, "r")
    assert (status, body["error"]["type"]) == (503, "server_error")
    status, body = ANTHROPIC.render_error(fault, "r")
    assert (status, body["error"]["type"]) == (529, "overloaded_error")


def test_xl_138_a_foreign_rate_limit_has_this_wires_type() -> None:
    fault = UpstreamRefused("slow down", status=429, dialect="openai-chat", kind="tokens", retry_after=3.2)
    status, body = ANTHROPIC.render_error(fault, "req_9")
    assert status == 429
    assert body == {
        "type": "error",
        "error": {"type": "rate_limit_error", "message": "slow down"},
        "request_id": "req_9",
    }


def test_xl_141_a_refused_gateway_key_is_the_gateways_fault() -> None:
    fault = UpstreamCredential("The upstream `acme` refused the gateway's key.")
    status, body = ANTHROPIC.render_error(fault, "r")
    assert (status, body["error"]["type"]) == (502, "api_error")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 130123 tokens.",
            "prompt is too long: 130123 tokens > 128000 maximum",
        ),
        (
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            "prompt is too long: 1200000 tokens > 1048576 maximum",
        ),
        ("Too many tokens for this model.", "prompt is too long: Too many tokens for this model."),
    ],
)
def test_xl_142_a_full_context_is_told_in_the_words_agents_look_for(message: str, expected: str) -> None:
    fault = UpstreamRefused(message, status=400, dialect="openai-chat", upstream_code="context_length_exceeded")
    status, body = ANTHROPIC.render_error(fault, "r")
    assert status == 400
    assert body["error"] == {"type": "invalid_request_error", "message": expected}


def test_xl_143_a_spent_budget_is_not_retried() -> None:
    raw = an_error("rate_limit_error", "spent", error_code="enforced_spend_limit_reached")
    fault = ANTHROPIC.parse_error(429, {}, raw)
    assert not fault.retryable
    _, body = ANTHROPIC.render_error(fault, "r")
    assert body["error"]["details"] == {"error_code": "enforced_spend_limit_reached"}


def test_xl_144_a_page_of_html_becomes_a_json_error() -> None:
    fault = ANTHROPIC.parse_error(502, {}, b"<html><h1>Bad gateway</h1></html>")
    status, body = ANTHROPIC.render_error(fault, "r")
    assert (status, body["error"]["type"]) == (502, "api_error")
    assert "<html>" not in body["error"]["message"]
    assert isinstance(ANTHROPIC.parse_error(404, {}, b"<html>"), UpstreamBroken)
