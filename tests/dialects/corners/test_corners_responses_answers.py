"""Corner cases of reference/translation.md section 10: answers and streams for Responses callers, and of Responses
upstreams."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import count
from typing import Any

import pytest
from openai.types.responses import Response

from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.contract import ClientSide, Dialect, Profile, UpstreamSide
from proxyapp.dialects.openai_chat import OPENAI_CHAT
from proxyapp.dialects.openai_responses import OPENAI_RESPONSES
from proxyapp.dialects.signatures import Sealer
from proxyapp.dialects.sse import FrameReader
from proxyapp.errors import UpstreamBroken
from proxyapp.ir.request import Request
from tests.corpus import schemas

SEALER = Sealer(b"k" * 32)
NAME = "openai-responses"
Json = dict[str, Any]


def a_caller() -> ClientSide:
    numbers = count(1)
    return ClientSide(sealer=SEALER, now=1_700_000_000, new_id=lambda: f"{next(numbers):024d}")


def an_upstream(**more: Any) -> UpstreamSide:
    return UpstreamSide(profile=Profile(), sealer=SEALER, model="up", **more)


def asked(**body: Any) -> Request:
    return OPENAI_RESPONSES.parse_request({"model": "m", "input": "hi", "stream": True, **body}, a_caller())


def events_of(raw: bytes) -> list[Json]:
    reader = FrameReader()
    frames = [*reader.feed(raw), *reader.close()]
    events = [json.loads(frame.data) for frame in frames]
    assert [frame.event for frame in frames] == [event["type"] for event in events]
    for event in events:
        fault = schemas.fault(NAME, schemas.event(NAME, event), event)
        assert fault is None, fault
    return events


def stream(source: Dialect, raw: bytes, request: Request | None = None, side: UpstreamSide | None = None) -> list[Json]:
    """An upstream's stream as a Responses caller gets it: every event valid, named and numbered."""
    reader, decoder = FrameReader(), source.decoder(side or an_upstream())
    encoder = OPENAI_RESPONSES.encoder(request or asked(), a_caller())
    found = [event for frame in [*reader.feed(raw), *reader.close()] for event in decoder.feed(frame)]
    events = events_of(b"".join(encoder.encode(event) for event in [*found, *decoder.close()]))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    return events


def chunks(*deltas: Json, finish: str = "stop", usage: Json | None = None) -> bytes:
    head = {"id": "chatcmpl-1", "created": 7, "model": "up"}
    told: Iterable[Json] = [
        *({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas),
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]},
        *([{**head, "choices": [], "usage": usage}] if usage else []),
    ]
    return b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in told) + b"data: [DONE]\n\n"


def call(index: int, name: str = "f", arguments: str = "{}") -> Json:
    function = {"name": name, "arguments": arguments}
    return {"tool_calls": [{"index": index, "id": f"call_{index}", "type": "function", "function": function}]}


def kinds(events: list[Json]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def test_xl_135_a_text_has_annotations_and_probabilities_even_if_empty() -> None:
    message = {"role": "assistant", "content": "Hi"}
    body = {"id": "c", "model": "up", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    answer = OPENAI_RESPONSES.render_response(OPENAI_CHAT.parse_response(body, an_upstream()), asked(), a_caller())
    assert answer["output"][0]["content"] == [{"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}]
    Response.model_validate(answer)


def messages_answer(**more: Any) -> Json:
    usage = {"input_tokens": 10, "output_tokens": 7, "cache_read_input_tokens": 90, "cache_creation_input_tokens": 5}
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "up", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "Hi"}], "usage": usage, **more,
    }  # fmt: skip


def from_messages(request: Request | None = None, **more: Any) -> Json:
    response = ANTHROPIC.parse_response(messages_answer(**more), an_upstream())
    answer = OPENAI_RESPONSES.render_response(response, request or asked(), a_caller())
    assert schemas.fault(NAME, "Response", answer) is None
    return answer


def test_xl_122_both_details_of_the_counts_are_there() -> None:
    assert from_messages()["usage"] == {
        "input_tokens": 105,
        "input_tokens_details": {"cached_tokens": 90, "cache_write_tokens": 5},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 112,
    }


def test_xl_136_an_answer_repeats_what_was_asked_for() -> None:
    tool = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
    settings = {
        "instructions": "Be kind.", "tools": [tool], "tool_choice": "required", "parallel_tool_calls": False,
        "temperature": 0.5, "top_p": 0.9, "metadata": {"a": "b"}, "max_output_tokens": 99, "truncation": "auto",
        "reasoning": {"effort": "low", "summary": "auto"}, "text": {"verbosity": "low"},
    }  # fmt: skip
    answer = from_messages(asked(**settings))
    assert answer["tools"] == [{**tool, "strict": False}]
    assert answer["text"] == {"format": {"type": "text"}, "verbosity": "low"}
    rest = {name: value for name, value in settings.items() if name not in ("tools", "text")}
    assert {name: answer[name] for name in rest} == rest


def test_xl_136_an_answer_has_every_required_key_when_nothing_was_asked_for() -> None:
    answer = from_messages()
    for name in ("tools", "tool_choice", "parallel_tool_calls", "temperature", "top_p", "metadata", "instructions"):
        assert name in answer
    assert answer["id"].startswith("resp_")
    assert (answer["error"], answer["incomplete_details"]) == (None, None)


@pytest.mark.parametrize(
    ("reason", "stop", "details"),
    [("max_output_tokens", "max_tokens", None), ("content_filter", "refusal", "refusal")],
    ids=["125", "126"],
)
def test_xl_125_and_126_an_incomplete_answer_keeps_its_reason(reason: str, stop: str, details: str | None) -> None:
    content = [{"type": "output_text", "text": "Hi", "annotations": []}]
    body = {
        "id": "resp_1", "object": "response", "model": "up", "status": "incomplete",
        "incomplete_details": {"reason": reason}, "output": [{"type": "message", "id": "msg_1", "content": content}],
    }  # fmt: skip
    request = Request(client_dialect="anthropic-messages", model="m")
    answer = ANTHROPIC.render_response(OPENAI_RESPONSES.parse_response(body, an_upstream()), request, a_caller())
    assert answer["stop_reason"] == stop
    assert (answer.get("stop_details") or {}).get("type") == details


def responses_stream(*events: Json) -> bytes:
    begun = {"type": "response.created", "response": {"id": "resp_1", "model": "up", "output": []}}
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in [begun, *events])


def test_xl_151_parallel_calls_get_the_numbers_in_their_order() -> None:
    items = [{"type": "function_call", "id": f"fc_{n}", "call_id": f"call_{n}", "name": "f"} for n in range(3)]
    events: list[Json] = []
    for index, item in enumerate(items):
        events.append({"type": "response.output_item.added", "output_index": index, "item": {**item, "arguments": ""}})
        events.append({"type": "response.output_item.done", "output_index": index, "item": {**item, "arguments": "{}"}})
    raw = responses_stream(*events, {"type": "response.completed", "response": {"status": "completed", "output": []}})
    reader, decoder = FrameReader(), OPENAI_RESPONSES.decoder(an_upstream())
    encoder = OPENAI_CHAT.encoder(Request(client_dialect="openai-chat", model="m", stream=True), a_caller())
    out = b"".join(encoder.encode(event) for frame in reader.feed(raw) for event in decoder.feed(frame))
    told = [json.loads(line[6:]) for line in out.split(b"\n\n") if line.startswith(b"data: {")]
    deltas = [call for chunk in told for call in chunk["choices"][0]["delta"].get("tool_calls", [])]
    assert [(delta["index"], delta["id"]) for delta in deltas if "id" in delta] == [
        (0, "call_0"), (1, "call_1"), (2, "call_2"),
    ]  # fmt: skip


def test_xl_155_the_proof_of_the_finished_item_is_the_one() -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": []}
    raw = responses_stream(
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "encrypted_content": "half"}},
        {"type": "response.output_item.done", "output_index": 0, "item": {**item, "encrypted_content": "whole"}},
        {"type": "response.completed", "response": {"status": "completed", "output": []}},
    )
    (made,) = stream(OPENAI_RESPONSES, raw)[-1]["response"]["output"]
    assert made["encrypted_content"] == "whole"


def test_xl_157_a_text_is_told_in_these_events_and_no_others() -> None:
    events = stream(OPENAI_CHAT, chunks({"role": "assistant", "content": "Hi"}, usage=USAGE))
    assert kinds(events) == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.done",
        "content_part.done", "output_item.done", "completed",
    ]  # fmt: skip


def test_xl_158_items_end_in_the_order_of_their_numbers() -> None:
    events = stream(OPENAI_CHAT, chunks({"content": "Hi"}, call(0), call(1), finish="tool_calls"))
    places = [
        (event["type"].rpartition(".")[2], event["output_index"])
        for event in events
        if ".output_item." in event["type"]
    ]
    assert places == [(word, index) for index in range(3) for word in ("added", "done")]


def test_xl_159_the_last_event_holds_the_whole_answer() -> None:
    events = stream(OPENAI_CHAT, chunks({"content": "Hi"}, call(0), finish="tool_calls", usage=USAGE))
    last = events[-1]["response"]
    assert last["id"] == events[0]["response"]["id"]
    assert [item["type"] for item in last["output"]] == ["message", "function_call"]
    assert last["output"] == [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert last["usage"]["total_tokens"] == 15


def test_xl_160_reasoning_is_closed_before_the_message_opens() -> None:
    events = stream(OPENAI_CHAT, chunks({"reasoning_content": "Hm"}, {"reasoning_content": ""}, {"content": "Hi"}))
    found = kinds(events)
    assert found.index("output_item.done") < found.index("content_part.added")
    assert found.count("reasoning_summary_text.delta") == 1
    assert [item["type"] for item in events[-1]["response"]["output"]] == ["reasoning", "message"]


def test_xl_161_an_error_in_the_stream_is_response_failed() -> None:
    raw = chunks({"content": "So"}).split(b"data: ")[1]
    error = {"error": {"message": "Boom", "type": "server_error", "code": None}}
    events = stream(OPENAI_CHAT, b"data: " + raw + b"data: " + json.dumps(error).encode() + b"\n\n")
    assert kinds(events)[-1] == "failed"
    last = events[-1]["response"]
    assert last["error"] == {"code": "server_error", "message": "Boom"}
    assert last["output"][0]["content"][0]["text"] == "So"
    assert last["output"][0]["status"] == "incomplete"


PATCH = {"type": "custom", "name": "apply_patch", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}}


def free_text(tools: list[Json], name: str) -> list[Json]:
    side = an_upstream()
    request = asked(tools=tools)
    OPENAI_CHAT.render_request(request, side)
    half = json.dumps({"input": 'é "x"\n'}, ensure_ascii=False)
    raw = chunks(call(0, name, half[:5]), {"tool_calls": [{"index": 0, "function": {"arguments": half[5:]}}]})
    return stream(OPENAI_CHAT, raw, request, side)


@pytest.mark.parametrize(
    ("tools", "name", "namespace"),
    [
        ([PATCH], "apply_patch", None),
        ([{"type": "namespace", "name": "ed", "description": "", "tools": [PATCH]}], "ed__apply_patch", "ed"),
    ],
)
def test_xl_070_and_178_free_text_comes_back_raw(tools: list[Json], name: str, namespace: str | None) -> None:
    events = free_text(tools, name)
    assert kinds(events)[2:6] == [
        "output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done", "output_item.done",
    ]  # fmt: skip
    (item,) = events[-1]["response"]["output"]
    assert (item["type"], item["name"], item["input"]) == ("custom_tool_call", "apply_patch", 'é "x"\n')
    assert item.get("namespace") == namespace


def test_xl_072_a_call_has_its_namespace_again() -> None:
    inner = {"type": "function", "name": "add", "parameters": {"type": "object", "properties": {}}}
    tools = [{"type": "namespace", "name": "math", "description": "Sums", "tools": [inner]}]
    for name in ("math__add", "add"):
        (item,) = stream(OPENAI_CHAT, chunks(call(0, name)), asked(tools=tools))[-1]["response"]["output"]
        assert (item["name"], item["namespace"]) == ("add", "math")


def test_xl_175_a_stream_without_an_end_fails() -> None:
    events = stream(OPENAI_CHAT, chunks({"content": "So"}).split(b"\n\n")[0] + b"\n\n")
    assert kinds(events)[-1] == "failed"


def test_xl_131_a_malformed_end_is_no_completed_answer() -> None:
    with pytest.raises(UpstreamBroken):
        stream(OPENAI_CHAT, chunks(finish="unheard-of"))


def test_xl_180c_the_keep_alive_is_a_comment() -> None:
    assert OPENAI_RESPONSES.keepalive.startswith(b":")
    (frame,) = FrameReader().feed(OPENAI_RESPONSES.keepalive)
    assert (frame.event, frame.data) == ("", b"")
