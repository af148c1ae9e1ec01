"""Corner cases of reference/translation.md section 10: answers, errors and streams from and to the Chat dialect."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.contract import ClientSide, Profile, UpstreamSide
from proxyapp.dialects.openai_chat import OPENAI_CHAT
from proxyapp.dialects.signatures import Sealer
from proxyapp.dialects.sse import FrameReader
from proxyapp.errors import UpstreamBroken, UpstreamCredential, UpstreamRefused
from proxyapp.ir import events as ev
from proxyapp.ir.fold import fold, unfold
from proxyapp.ir.grammar import check_all
from proxyapp.ir.parts import Reasoning, Refusal, ServerCall, ServerResult, Text, ToolCall
from proxyapp.ir.request import Request
from proxyapp.ir.response import Finish, FinishKind, Response
from proxyapp.ir.usage import Usage

SEALER = Sealer(b"k" * 32)

Json = dict[str, Any]


def a_caller() -> ClientSide:
    return ClientSide(sealer=SEALER, now=1_700_000_000, new_id=lambda: "A" * 24)


def an_upstream() -> UpstreamSide:
    return UpstreamSide(profile=Profile(), sealer=SEALER, model="up")


def an_ask(**fields: Any) -> Request:
    return Request(client_dialect="openai-chat", model="m", stream=True, **fields)


def an_answer(*parts: Any, kind: FinishKind = FinishKind.END, usage: Usage | None = None, **finish: Any) -> Response:
    return Response(id="msg_1", model="up", parts=list(parts), finish=Finish(kind=kind, **finish), usage=usage)


def a_chunk(delta: Json, finish: str | None = None, **more: Any) -> Json:
    return {"id": "c", "model": "up", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def a_fragment(index: int, text: str, call_id: str | None = None) -> Json:
    start: Json = {} if call_id is None else {"id": call_id, "type": "function"}
    function = {"arguments": text} if call_id is None else {"name": "f", "arguments": text}
    return {"tool_calls": [{"index": index, **start, "function": function}]}


def events_of(*chunks: Any, done: bool = True) -> list[ev.Event]:
    """What an upstream's chunks say, held to the grammar."""
    texts = [chunk if isinstance(chunk, str) else json.dumps(chunk) for chunk in chunks]
    data = "".join(f"data: {text}\n\n" for text in [*texts, *(["[DONE]"] if done else [])]).encode()
    decoder = OPENAI_CHAT.decoder(an_upstream())
    found = [event for frame in FrameReader().feed(data) for event in decoder.feed(frame)] + decoder.close()
    check_all(found)
    return found


def whole(response: Response) -> Json:
    """A Response as a Chat caller gets it; the official types must take it."""
    body = OPENAI_CHAT.render_response(response, an_ask(), a_caller())
    ChatCompletion.model_validate(body)
    return body


def streamed(events: Iterable[ev.Event], **ask: Any) -> list[Any]:
    """Events as a Chat caller gets them, frame by frame; `[DONE]` stays a word."""
    encoder = OPENAI_CHAT.encoder(an_ask(**ask), a_caller())
    data = b"".join(encoder.encode(event) for event in events)
    frames = [frame.data for frame in FrameReader().feed(data)]
    return ["[DONE]" if frame == b"[DONE]" else json.loads(frame) for frame in frames]


def usage_of(**counts: Any) -> Usage | None:
    choice = {"message": {"content": "a"}, "finish_reason": "stop"}
    return OPENAI_CHAT.parse_response({"choices": [choice], "usage": counts}, an_upstream()).usage


# --- 10.4 answers and usage


def test_xl_081_a_hosted_call_in_an_answer_is_no_call_to_make() -> None:
    parts = [
        ServerCall(id="srv", name="web_search", arguments="{}", dialect="anthropic-messages"),
        ServerResult(call_id="srv", dialect="anthropic-messages", raw={}),
        Text(text="found"),
    ]
    choice = whole(an_answer(*parts))["choices"][0]
    assert ("tool_calls" in choice["message"], choice["finish_reason"]) == (False, "stop")
    assert all("tool_calls" not in json.dumps(chunk) for chunk in streamed(unfold(an_answer(*parts))))


def test_xl_116_all_prompt_tokens_are_counted_once() -> None:
    shown = whole(an_answer(Text(text="a"), usage=Usage(fresh_input=10, cache_read=90, cache_write_5m=5, output=7)))
    assert shown["usage"]["prompt_tokens"] == 105
    assert shown["usage"]["prompt_tokens_details"] == {"cached_tokens": 90, "cache_write_tokens": 5}
    assert shown["usage"]["total_tokens"] == 112


def test_xl_117_cached_tokens_are_taken_out_of_the_fresh_ones() -> None:
    usage = usage_of(prompt_tokens=100, completion_tokens=1, prompt_tokens_details={"cached_tokens": 75})
    assert usage is not None
    assert (usage.fresh_input, usage.cache_read) == (25, 75)


def test_xl_118_more_cached_than_prompt_is_clamped() -> None:
    usage = usage_of(prompt_tokens=10, completion_tokens=1, prompt_tokens_details={"cached_tokens": 12})
    assert usage is not None
    assert (usage.fresh_input, usage.cache_read) == (0, 12)


def test_xl_127_a_refusal_with_a_reason_is_filtered_and_says_why() -> None:
    choice = whole(an_answer(kind=FinishKind.REFUSAL, explanation="policy"))["choices"][0]
    assert (choice["finish_reason"], choice["message"]["refusal"]) == ("content_filter", "policy")


def test_xl_128_a_refusal_in_words_is_a_part_of_its_own() -> None:
    choice = {"message": {"content": None, "refusal": "No."}, "finish_reason": "stop"}
    response = OPENAI_CHAT.parse_response({"choices": [choice]}, an_upstream())
    assert (response.parts, response.finish.kind) == ([Refusal(text="No.")], FinishKind.REFUSAL)
    shown = ANTHROPIC.render_response(response, Request(client_dialect="anthropic-messages", model="m"), a_caller())
    assert shown["stop_reason"] == "refusal"


@pytest.mark.parametrize("kind", [FinishKind.PAUSE, FinishKind.CONTEXT_WINDOW])
def test_xl_129_xl_130_ends_that_were_no_stop_are_a_length(kind: FinishKind) -> None:
    assert whole(an_answer(Text(text="a"), kind=kind))["choices"][0]["finish_reason"] == "length"


def test_xl_131_a_malformed_call_is_an_error_and_no_stop() -> None:
    response = an_answer(kind=FinishKind.MALFORMED, raw="MALFORMED_FUNCTION_CALL")
    with pytest.raises(UpstreamBroken):
        whole(response)
    with pytest.raises(UpstreamBroken):
        streamed(unfold(response))


def test_xl_132_a_blocked_prompt_is_an_answer_that_was_filtered() -> None:
    choice = whole(an_answer(kind=FinishKind.CONTENT_FILTER, explanation="SAFETY"))["choices"][0]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("content_filter", None)
    assert choice["message"]["refusal"] == "SAFETY"


def test_xl_133_calls_alone_leave_null_content_there() -> None:
    message = whole(an_answer(ToolCall(id="c", name="f")))["choices"][0]["message"]
    assert message["content"] is None


def test_xl_134_arguments_that_are_no_json_are_kept_as_they_are() -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": '{"a": '}}
    body = {"choices": [{"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    (part,) = OPENAI_CHAT.parse_response(body, an_upstream()).parts
    assert part == ToolCall(id="c", name="f", arguments='{"a": ')


def test_xl_137_an_overload_of_messages_is_a_503_here() -> None:
    error = ANTHROPIC.parse_error(
        529, {"retry-after": "7"}, b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    )
    status, body = OPENAI_CHAT.render_error(error, "req")
    assert (status, body["error"]["type"], error.retry_after) == (503, "server_error", 7)


def test_xl_138_the_wait_of_a_429_is_kept() -> None:
    error = OPENAI_CHAT.parse_error(429, {"retry-after": "3.2"}, b'{"error":{"message":"slow down","type":"tokens"}}')
    assert (error.status, error.retry_after) == (429, 3.2)


def test_xl_141_a_refused_key_of_the_gateway_shows_no_key() -> None:
    status, body = OPENAI_CHAT.render_error(UpstreamCredential("The upstream refused its key.", upstream="main"), "req")
    assert (status, body["error"]["type"]) == (502, "server_error")


def test_xl_142_an_overflow_is_told_in_every_dialect() -> None:
    raw = {"message": "maximum context length is 8 tokens", "code": "context_length_exceeded"}
    error = OPENAI_CHAT.parse_error(400, {}, json.dumps({"error": raw}).encode())
    assert isinstance(error, UpstreamRefused)
    assert OPENAI_CHAT.render_error(error, "req")[1]["error"]["code"] == "context_length_exceeded"
    status, body = ANTHROPIC.render_error(error, "req")
    assert (status, body["error"]["type"]) == (400, "invalid_request_error")
    assert "prompt is too long" in body["error"]["message"]


def test_xl_144_a_page_of_html_is_a_json_error() -> None:
    error = OPENAI_CHAT.parse_error(502, {}, b"<html><h1>Bad gateway</h1></html>")
    status, body = OPENAI_CHAT.render_error(error, "req")
    assert status == 502
    assert body["error"].keys() == {"message", "type", "param", "code"}
    assert "<" not in body["error"]["message"]


# --- 10.5 streams of Chat upstreams


def test_xl_145_a_stream_that_begins_with_a_call_opens_no_text() -> None:
    events = events_of(
        a_chunk({"role": "assistant", "content": ""}), a_chunk(a_fragment(0, "{}", "c0")), a_chunk({}, "stop")
    )
    assert [type(part) for part in fold(events).parts] == [ToolCall]


def test_xl_146_usage_after_the_finish_comes_before_the_end() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    events = events_of(a_chunk({"content": "a"}), a_chunk({}, "stop"), {"choices": [], "usage": usage})
    assert [type(event) for event in events[-2:]] == [ev.UsageGiven, ev.Finished]


def test_xl_149_interleaved_calls_arrive_whole() -> None:
    fragments = [a_fragment(0, '{"a"', "c0"), a_fragment(1, '{"b"', "c1"), a_fragment(0, ":1}"), a_fragment(1, ":2}")]
    events = events_of(*(a_chunk(fragment) for fragment in fragments), a_chunk({}, "tool_calls"))
    assert [(call.id, call.arguments) for call in fold(events).parts if isinstance(call, ToolCall)] == [
        ("c0", '{"a":1}'),
        ("c1", '{"b":2}'),
    ]


def test_xl_152_calls_that_all_have_index_zero_are_told_apart() -> None:
    events = events_of(*(a_chunk(a_fragment(0, "{}", f"c{n}")) for n in range(3)), a_chunk({}, "stop"))
    shown = [chunk for chunk in streamed(events) if isinstance(chunk, dict)]
    calls = [call for chunk in shown for call in chunk["choices"][0]["delta"].get("tool_calls", []) if "id" in call]
    assert [(call["index"], call["id"]) for call in calls] == [(0, "c0"), (1, "c1"), (2, "c2")]


def test_xl_163_an_error_beside_empty_choices_is_an_error() -> None:
    events = events_of(
        a_chunk({"content": "a"}), {"choices": [], "error": {"message": "busy", "code": 503}}, done=False
    )
    assert isinstance(events[-1], ev.Failed)
    assert isinstance(events[-1].error, UpstreamRefused)


def test_xl_175_an_end_without_a_finish_is_an_error_frame() -> None:
    events = events_of(a_chunk({"content": "a"}), done=False)
    chunks = streamed(events)
    assert "error" in chunks[-1]
    assert "[DONE]" not in chunks


def test_xl_176_reasoning_closes_before_the_text_opens() -> None:
    events = events_of(a_chunk({"reasoning_content": "hm"}), a_chunk({"content": "a"}), a_chunk({}, "stop"))
    assert fold(events).parts[0].text == "hm"  # type: ignore[attr-defined]
    assert [type(event) for event in events][1:7] == [
        ev.PartStarted,
        ev.ReasoningDelta,
        ev.PartEnded,
        ev.PartStarted,
        ev.TextDelta,
        ev.PartEnded,
    ]


def test_xl_179_empty_content_is_no_event() -> None:
    events = events_of(a_chunk({"content": ""}), a_chunk({"content": ""}), a_chunk({}, "stop"))
    assert [type(event) for event in events] == [ev.Started, ev.Finished]


# --- 10.5 streams for Chat callers

ANSWER = an_answer(Text(text="a"), Text(text="b"), usage=Usage(fresh_input=1, output=2))


def test_xl_164_an_error_after_partial_text_is_no_stop() -> None:
    events = [*list(unfold(ANSWER))[:3], ev.Failed(UpstreamRefused("quota", status=429, dialect="gemini"))]
    chunks = streamed(events)
    assert chunks[-1]["error"]["type"] == "rate_limit_exceeded"
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in chunks[:-1])


def test_xl_166_no_usage_chunk_unless_asked() -> None:
    assert all("usage" not in chunk for chunk in streamed(unfold(ANSWER))[:-1])


def test_xl_167_usage_is_null_in_all_chunks_but_the_last() -> None:
    *chunks, last, done = streamed(unfold(ANSWER), include_usage=True)
    assert all(chunk["usage"] is None for chunk in chunks)
    assert (last["choices"], last["usage"]["total_tokens"], done) == ([], 3, "[DONE]")


def test_xl_168_the_role_comes_once_in_the_first_chunk() -> None:
    deltas = [chunk["choices"][0]["delta"] for chunk in streamed(unfold(ANSWER))[:-1]]
    assert [("role" in delta) for delta in deltas] == [True, *([False] * (len(deltas) - 1))]


def test_xl_169_one_finish_chunk() -> None:
    words = [chunk["choices"][0]["finish_reason"] for chunk in streamed(unfold(ANSWER))[:-1]]
    assert words == [*([None] * (len(words) - 1)), "stop"]


def test_xl_174_done_is_last_and_only_on_success() -> None:
    assert streamed(unfold(ANSWER)).count("[DONE]") == 1
    assert "[DONE]" not in streamed([ev.Started(), ev.Failed(UpstreamBroken("cut"))])


def test_xl_177_arguments_always_join_to_json() -> None:
    events = [
        ev.Started(),
        ev.PartStarted(ToolCall(id="c0", name="f")),
        ev.PartEnded(),
        ev.PartStarted(ToolCall(id="c1", name="f")),
        ev.ArgumentsDelta('{"a"'),
        ev.ArgumentsDelta(":1}"),
        ev.PartEnded(),
        ev.Finished(Finish(kind=FinishKind.TOOL_CALLS)),
    ]
    joined: dict[int, str] = {}
    for chunk in streamed(events)[:-1]:
        for call in chunk["choices"][0]["delta"].get("tool_calls", []):
            joined[call["index"]] = joined.get(call["index"], "") + call["function"]["arguments"]
    assert [json.loads(text) for text in joined.values()] == [{}, {"a": 1}]


def test_xl_180a_the_official_sdk_reads_thinking_text_and_calls() -> None:
    proof = {"proof": {"group": "claude", "account": "a"}}
    response = an_answer(
        Reasoning(text="hm", signature="s1", family="anthropic", meta=proof),
        Reasoning(redacted=True, signature="d", family="anthropic", meta=proof),
        Text(text="a"),
        Reasoning(text="so", signature="s2", family="anthropic", meta=proof),
        ToolCall(id="c0", name="f", arguments='{"a":1}'),
        kind=FinishKind.TOOL_CALLS,
    )
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    for chunk in streamed(unfold(response))[:-1]:
        list(state.handle_chunk(ChatCompletionChunk.model_validate(chunk)))
    message = state.current_completion_snapshot.choices[0].message
    expected = whole(response)["choices"][0]["message"]
    assert message.content == "a"
    assert message.to_dict()["reasoning_content"] == "hmso"
    assert message.to_dict()["reasoning_details"] == expected["reasoning_details"]
    assert message.tool_calls is not None
    assert message.tool_calls[0].function.arguments == '{"a":1}'


# --- 10.6 proofs there and back


def test_xl_191_thinking_of_messages_survives_a_chat_caller() -> None:
    block = {"type": "thinking", "thinking": "hm", "signature": "EqQBCkYI"}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [block, {"type": "text", "text": "a"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    profile = Profile(thinking="budget", model_group="claude", max_output=9000)
    side = UpstreamSide(profile=profile, sealer=SEALER, model="claude", account="acme")
    given = whole(ANTHROPIC.parse_response(message, side))["choices"][0]["message"]
    assert "EqQBCkYI" not in json.dumps(given)
    history = [{"role": "user", "content": "q"}, given, {"role": "user", "content": "more"}]
    body = {"model": "m", "messages": history, "thinking": {"type": "enabled", "budget_tokens": 2000}}
    again = ANTHROPIC.render_request(OPENAI_CHAT.parse_request(body, a_caller()), side)
    assert again["messages"][1]["content"][0] == block


def test_an_openrouter_proof_survives_a_messages_caller() -> None:
    entry = {"type": "reasoning.text", "text": "hm", "signature": "sig", "format": "anthropic-claude-v1", "index": 0}
    message = {"content": "a", "reasoning": "hm", "reasoning_details": [entry]}
    side = UpstreamSide(profile=Profile(), sealer=SEALER, model="up", account="acme")
    response = OPENAI_CHAT.parse_response({"choices": [{"message": message, "finish_reason": "stop"}]}, side)
    request = Request(client_dialect="anthropic-messages", model="m")
    given = ANTHROPIC.render_response(response, request, a_caller())
    history = [{"role": "user", "content": "q"}, {"role": "assistant", "content": given["content"]}]
    asked = ANTHROPIC.parse_request({"model": "m", "max_tokens": 9, "messages": history}, a_caller())
    assert OPENAI_CHAT.render_request(asked, side)["messages"][1]["reasoning_details"] == [entry]
