"""Corner cases of reference/translation.md section 10: streams of Messages upstreams, and streams for its callers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.contract import ClientSide, Dialect, Profile, UpstreamSide
from proxyapp.dialects.openai_chat import OPENAI_CHAT
from proxyapp.dialects.signatures import Sealer
from proxyapp.dialects.sse import FrameReader
from proxyapp.errors import UpstreamBroken, UpstreamRefused
from proxyapp.ir import events as ev
from proxyapp.ir import parts as p
from proxyapp.ir.grammar import check_all
from proxyapp.ir.request import Request
from proxyapp.ir.response import Finish, FinishKind
from proxyapp.ir.usage import Usage

SEALER = Sealer(b"k" * 32)

Json = dict[str, Any]


def a_caller(**more: Any) -> ClientSide:
    return ClientSide(sealer=SEALER, new_id=lambda: "A" * 24, **more)


def decoded(dialect: Dialect, raw: bytes) -> list[ev.Event]:
    """The events of an upstream's stream; they keep the grammar."""
    decoder = dialect.decoder(UpstreamSide(profile=Profile(), sealer=SEALER))
    reader = FrameReader()
    events = [event for frame in [*reader.feed(raw), *reader.close()] for event in decoder.feed(frame)]
    events += decoder.close()
    check_all(events)
    return events


def encoded(events: Iterable[ev.Event], side: ClientSide | None = None) -> list[Json]:
    """What a Messages caller reads, with every frame's name checked."""
    encoder = ANTHROPIC.encoder(
        Request(client_dialect="anthropic-messages", model="m", stream=True), side or a_caller()
    )
    raw = b"".join(encoder.encode(event) for event in events)
    reader = FrameReader()
    frames = [*reader.feed(raw), *reader.close()]
    found = [json.loads(frame.data) for frame in frames]
    assert [frame.event for frame in frames] == [event["type"] for event in found]
    return [event for event in found if event["type"] != "ping"]


def chat_stream(*chunks: Json | str) -> bytes:
    return b"".join(b"data: " + (c if isinstance(c, str) else json.dumps(c)).encode() + b"\n\n" for c in chunks)


def chunk(delta: Json | None = None, finish: str | None = None, **more: Any) -> Json:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "g", "choices": choices, **more}


def fragment(index: int, arguments: str, call_id: str | None = None, name: str | None = None) -> Json:
    function: Json = {"arguments": arguments}
    call: Json = {"index": index, "function": function}
    if call_id:
        call |= {"id": call_id, "type": "function"}
        function["name"] = name
    return {"tool_calls": [call]}


def from_chat(*chunks: Json | str, side: ClientSide | None = None) -> list[Json]:
    return encoded(decoded(OPENAI_CHAT, chat_stream(*chunks)), side)


def starts(events: list[Json]) -> list[tuple[int, str]]:
    return [(e["index"], e["content_block"]["type"]) for e in events if e["type"] == "content_block_start"]


def joined(events: list[Json], index: int, key: str) -> str:
    deltas = [e["delta"] for e in events if e["type"] == "content_block_delta" and e["index"] == index]
    return "".join(delta.get(key, "") for delta in deltas)


def message_stream(*events: Json) -> bytes:
    return b"".join(b"event: " + e["type"].encode() + b"\ndata: " + json.dumps(e).encode() + b"\n\n" for e in events)


START: Json = {
    "type": "message_start",
    "message": {"id": "msg_1", "model": "claude", "usage": {"input_tokens": 3, "output_tokens": 1}},
}
STOP: Json = {"type": "message_stop"}


def block(index: int, start: Json, *deltas: Json) -> list[Json]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def ending(reason: str = "end_turn", **usage: int) -> list[Json]:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return [{"type": "message_delta", "delta": delta, "usage": {"output_tokens": 9, **usage}}, STOP]


def said(text: str) -> Json:
    return {"type": "text_delta", "text": text}


TEXT: Json = {"type": "text", "text": ""}
USAGE: Json = {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}


# --- for Messages callers


def test_xl_145_a_stream_that_begins_with_a_call_opens_no_empty_text() -> None:
    events = from_chat(
        chunk({"role": "assistant", "content": ""}),
        chunk(fragment(0, "", "call_1", "f")),
        chunk(fragment(0, "{}")),
        chunk({}, "tool_calls"),
        "[DONE]",
    )
    assert starts(events) == [(0, "tool_use")]
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


def test_xl_146_finish_and_late_usage_share_one_message_delta() -> None:
    events = from_chat(chunk({"content": "hi"}), chunk({}, "stop"), chunk(None, usage=USAGE), "[DONE]")
    last = [event for event in events if event["type"] == "message_delta"]
    assert len(last) == 1
    assert last[0]["delta"]["stop_reason"] == "end_turn"
    assert (last[0]["usage"]["input_tokens"], last[0]["usage"]["output_tokens"]) == (4, 2)
    assert events[-1] == {"type": "message_stop"}


def test_xl_147_missing_usage_is_estimated() -> None:
    side = a_caller(estimate_input=40)
    events = from_chat(chunk({"content": "x" * 40}), chunk({}, "stop"), "[DONE]", side=side)
    usage = events[-2]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (40, 10)


def test_xl_148_message_start_bears_a_number_when_one_can_be_had() -> None:
    events = from_chat(chunk({"content": "x"}), chunk({}, "stop"), "[DONE]", side=a_caller(estimate_input=12))
    assert events[0]["message"]["usage"]["input_tokens"] == 12
    told = [ev.Started(id="msg_1", model="m", usage=Usage(fresh_input=7)), ev.Finished(Finish(kind=FinishKind.END))]
    assert encoded(told, a_caller(estimate_input=12))[0]["message"]["usage"]["input_tokens"] == 7


def test_xl_149_interleaved_calls_become_two_whole_blocks() -> None:
    events = from_chat(
        chunk(fragment(0, "", "call_1", "f")),
        chunk(fragment(1, "", "call_2", "g")),
        chunk(fragment(0, '{"a":')),
        chunk(fragment(1, '{"b":')),
        chunk(fragment(0, "1}")),
        chunk(fragment(1, "2}")),
        chunk({}, "tool_calls"),
        "[DONE]",
    )
    assert starts(events) == [(0, "tool_use"), (1, "tool_use")]
    assert joined(events, 0, "partial_json") == '{"a":1}'
    assert joined(events, 1, "partial_json") == '{"b":2}'


def test_xl_153_arguments_that_come_whole_are_one_delta() -> None:
    call = p.ToolCall(id="call_1", name="f")
    events = encoded(
        [
            ev.Started(),
            ev.PartStarted(call),
            ev.ArgumentsDelta('{"a":1}'),
            ev.PartEnded(),
            ev.Finished(Finish(kind=FinishKind.TOOL_CALLS)),
        ]
    )
    assert [event["type"] for event in events[1:4]] == [
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
    ]


def test_xl_154_thinking_in_several_pieces_has_one_signature_at_its_end() -> None:
    events = encoded(
        [
            ev.Started(),
            ev.PartStarted(p.Reasoning()),
            ev.ReasoningDelta("a"),
            ev.SignatureDelta("gAAAA", "openai"),
            ev.ReasoningDelta("b"),
            ev.PartEnded(),
            ev.Finished(Finish(kind=FinishKind.END)),
        ]
    )
    deltas = [event["delta"]["type"] for event in events if event["type"] == "content_block_delta"]
    assert deltas == ["thinking_delta", "thinking_delta", "signature_delta"]
    proof = SEALER.open(joined(events, 0, "signature"))
    assert proof is not None
    assert (proof.family, proof.payload) == ("openai", "gAAAA")


def test_xl_156_a_signature_without_text_still_makes_a_block() -> None:
    start = {"type": "thinking", "thinking": "", "signature": ""}
    raw = message_stream(START, *block(0, start, {"type": "signature_delta", "signature": "ErU"}), *ending())
    events = encoded(decoded(ANTHROPIC, raw))
    assert starts(events) == [(0, "thinking")]
    assert joined(events, 0, "signature") == "ErU"


def test_xl_163_an_error_in_a_chunk_is_an_error_event() -> None:
    events = from_chat(chunk({"content": "x"}), {"choices": [], "error": {"message": "boom", "type": "server_error"}})
    assert events[-1]["type"] == "error"
    assert events[-1]["error"]["message"] == "boom"
    assert "message_stop" not in [event["type"] for event in events]


def test_xl_173_every_event_has_its_name_line() -> None:
    encoder = ANTHROPIC.encoder(Request(client_dialect="anthropic-messages", model="m"), a_caller())
    out = encoder.encode(ev.Started()) + encoder.encode(ev.Alive()) + encoder.fail(UpstreamBroken("x"))
    frames = FrameReader().feed(out)
    assert [frame.event for frame in frames] == ["message_start", "ping", "ping", "error"]


def test_xl_175_a_chat_stream_without_an_end_is_an_error() -> None:
    events = from_chat(chunk({"content": "half"}))
    assert events[-1]["type"] == "error"


def test_xl_176_thinking_is_closed_before_the_text_begins() -> None:
    events = from_chat(chunk({"reasoning_content": "hm"}), chunk({"content": "yes"}), chunk({}, "stop"), "[DONE]")
    assert starts(events) == [(0, "thinking"), (1, "text")]
    order = [(event["type"], event.get("index")) for event in events]
    assert order.index(("content_block_stop", 0)) < order.index(("content_block_start", 1))
    proof = SEALER.open(joined(events, 0, "signature"))
    assert proof is not None
    assert proof.family == "none"


def test_xl_179_empty_text_deltas_are_no_events() -> None:
    events = from_chat(
        chunk({"content": ""}), chunk({"content": "x"}), chunk({"content": ""}), chunk({}, "stop"), "[DONE]"
    )
    assert [event["type"] for event in events].count("content_block_delta") == 1


# --- of Messages upstreams


def test_xl_162_an_error_before_the_start_is_the_upstreams_refusal() -> None:
    raw = message_stream({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    (event,) = decoded(ANTHROPIC, raw)
    assert isinstance(event, ev.Failed)
    assert isinstance(event.error, UpstreamRefused)
    assert event.error.status == 529


def test_xl_165_pings_are_signs_of_life_only() -> None:
    raw = message_stream(START, {"type": "ping"}, *block(0, TEXT, said("x")), *ending())
    events = decoded(ANTHROPIC, raw)
    assert sum(isinstance(event, ev.Alive) for event in events) == 1


def chat_from_messages(*events: Json, include_usage: bool = False) -> list[str]:
    request = Request(client_dialect="openai-chat", model="m", stream=True, include_usage=include_usage)
    encoder = OPENAI_CHAT.encoder(request, a_caller())
    raw = b"".join(encoder.encode(event) for event in decoded(ANTHROPIC, message_stream(*events)))
    return [frame.data.decode() for frame in FrameReader().feed(raw) if frame.data]


def test_xl_166_167_usage_reaches_a_chat_caller_only_on_request() -> None:
    stream = [START, *block(0, TEXT, said("x")), *ending()]
    quiet = [json.loads(data) for data in chat_from_messages(*stream)[:-1]]
    assert not any(entry.get("usage") for entry in quiet)
    told = [json.loads(data) for data in chat_from_messages(*stream, include_usage=True)[:-1]]
    assert told[-1]["choices"] == []
    assert told[-1]["usage"]["completion_tokens"] == 9
    assert all(entry["usage"] is None for entry in told[:-1])


def test_xl_168_the_role_is_given_once() -> None:
    stream = [START, *block(0, TEXT, said("x"), said("y")), *ending()]
    chunks = [json.loads(data) for data in chat_from_messages(*stream)[:-1]]
    assert sum("role" in choice["delta"] for entry in chunks for choice in entry["choices"]) == 1


def test_xl_174_done_comes_last_and_only_on_success() -> None:
    stream = [START, *block(0, TEXT, said("x"))]
    assert chat_from_messages(*stream, *ending())[-1] == "[DONE]"
    cut = chat_from_messages(*stream)
    assert "error" in json.loads(cut[-1])


def test_xl_175_a_cut_messages_stream_is_broken() -> None:
    last = decoded(ANTHROPIC, message_stream(START, *block(0, TEXT, said("half"))))[-1]
    assert isinstance(last, ev.Failed)
    assert isinstance(last.error, UpstreamBroken)


def test_xl_177_an_empty_first_fragment_changes_nothing() -> None:
    use = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    pieces = [{"type": "input_json_delta", "partial_json": text} for text in ("", '{"a"', ":1}")]
    events = decoded(ANTHROPIC, message_stream(START, *block(0, use, *pieces), *ending("tool_use")))
    assert "".join(event.text for event in events if isinstance(event, ev.ArgumentsDelta)) == '{"a":1}'


@pytest.mark.parametrize("late", [None, {"input_tokens": 30}])
def test_s26_late_counts_overwrite_and_absent_ones_leave_the_first(late: dict[str, int] | None) -> None:
    raw = message_stream(START, *block(0, TEXT, said("x")), *ending(**(late or {})))
    usage = next(event.usage for event in decoded(ANTHROPIC, raw) if isinstance(event, ev.UsageGiven))
    assert (usage.fresh_input, usage.output) == (30 if late else 3, 9)


def test_s28_input_in_the_start_counts_unless_deltas_follow() -> None:
    use = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
    alone = decoded(ANTHROPIC, message_stream(START, *block(0, use), *ending("tool_use")))
    assert [event.text for event in alone if isinstance(event, ev.ArgumentsDelta)] == ['{"a":1}']
    piece = {"type": "input_json_delta", "partial_json": '{"b":2}'}
    both = decoded(ANTHROPIC, message_stream(START, *block(0, use, piece), *ending("tool_use")))
    assert [event.text for event in both if isinstance(event, ev.ArgumentsDelta)] == ['{"b":2}']
