"""An upstream's stream as events; `decode` holds every one to the grammar."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.contract import Profile, UpstreamSide
from proxyapp.dialects.signatures import Sealer
from proxyapp.dialects.sse import Frame, FrameReader
from proxyapp.errors import UpstreamBroken, UpstreamRefused
from proxyapp.ir import events as ev
from proxyapp.ir import parts as p
from proxyapp.ir.fold import fold
from proxyapp.ir.grammar import check_all
from proxyapp.ir.response import FinishKind, Response

Json = dict[str, Any]
NAME = "anthropic-messages"
Decode = Callable[..., list[ev.Event]]
AStream = Callable[..., bytes]

TEXT: Json = {"type": "text", "text": ""}
THINKING: Json = {"type": "thinking", "thinking": "", "signature": ""}
USE: Json = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}


def said(text: str) -> Json:
    return {"type": "text_delta", "text": text}


def piece(text: str) -> Json:
    return {"type": "input_json_delta", "partial_json": text}


def parts_of(events: list[ev.Event]) -> list[p.Part]:
    return fold(events).parts


def failure(events: list[ev.Event]) -> Any:
    assert isinstance(events[-1], ev.Failed)
    return events[-1].error


def test_a_plain_answer(decode: Decode, a_stream: AStream) -> None:
    events = decode(a_stream((TEXT, said("he"), said("llo")), output_tokens=5))
    assert [type(event).__name__ for event in events] == [
        "Started",
        "PartStarted",
        "TextDelta",
        "TextDelta",
        "PartEnded",
        "UsageGiven",
        "Finished",
    ]
    response = fold(events)
    assert (response.id, response.model, response.parts) == ("msg_1", "claude", [p.Text(text="hello")])
    assert response.finish.kind is FinishKind.END
    assert response.usage is not None
    assert (response.usage.fresh_input, response.usage.output) == (3, 5)


def test_the_start_tells_usage_and_tier_early(decode: Decode, stream: Callable[..., bytes]) -> None:
    usage = {"input_tokens": 7, "service_tier": "priority"}
    (started, *_) = decode(stream({"type": "message_start", "message": {"id": "msg_1", "usage": usage}}))
    assert isinstance(started, ev.Started)
    assert started.usage is not None
    assert (started.usage.fresh_input, started.service_tier) == (7, "priority")


def test_text_in_a_blocks_start_is_its_first_delta(decode: Decode, a_stream: AStream) -> None:
    assert parts_of(decode(a_stream(({"type": "text", "text": "he"}, said("llo"))))) == [p.Text(text="hello")]


def test_an_empty_text_block_is_nothing(decode: Decode, a_stream: AStream) -> None:
    assert parts_of(decode(a_stream((TEXT,), (TEXT, said("")), (TEXT, said("x"))))) == [p.Text(text="x")]


def test_thinking_bears_its_owner(decode: Decode, a_stream: AStream, upstream: Callable[..., UpstreamSide]) -> None:
    deltas = ({"type": "thinking_delta", "thinking": "hm"}, {"type": "signature_delta", "signature": "ErU"})
    raw = a_stream((THINKING, *deltas), ({"type": "redacted_thinking", "data": "Zm9v"},))
    meta = {"proof": {"group": "claude", "account": "acme"}}
    assert parts_of(decode(raw, upstream(model_group="claude"))) == [
        p.Reasoning(text="hm", signature="ErU", family="anthropic", meta=meta),
        p.Reasoning(redacted=True, signature="Zm9v", family="anthropic", meta=meta),
    ]


@pytest.mark.parametrize("place", ["start", "delta"])
def test_a_signature_may_stand_in_the_start(decode: Decode, a_stream: AStream, place: str) -> None:
    start = {**THINKING, "signature": "ErU"} if place == "start" else THINKING
    deltas = () if place == "start" else ({"type": "signature_delta", "signature": "ErU"},)
    (part,) = parts_of(decode(a_stream((start, *deltas))))
    assert isinstance(part, p.Reasoning)
    assert (part.text, part.signature) == ("", "ErU")


def test_thinking_with_neither_text_nor_proof_is_nothing(decode: Decode, a_stream: AStream) -> None:
    assert parts_of(decode(a_stream((THINKING,), (TEXT, said("x"))))) == [p.Text(text="x")]


def test_calls_get_the_callers_name_back(
    decode: Decode, a_stream: AStream, upstream: Callable[..., UpstreamSide]
) -> None:
    side = upstream()
    side.wire_names = {"f": "my.f"}
    use = {**USE, "caller": {"type": "direct"}}
    assert parts_of(decode(a_stream((use, piece('{"a"'), piece(":1}"))), side)) == [
        p.ToolCall(id="toolu_1", name="my.f", arguments='{"a":1}', meta={NAME: {"caller": {"type": "direct"}}})
    ]


def test_a_call_without_input_has_no_arguments(decode: Decode, a_stream: AStream) -> None:
    assert parts_of(decode(a_stream((USE, piece(""))))) == [p.ToolCall(id="toolu_1", name="f", arguments="")]


def test_calls_without_an_id_or_with_the_same_one_are_told_apart(decode: Decode, a_stream: AStream) -> None:
    ids = [part.id for part in parts_of(decode(a_stream((USE,), (USE,), ({**USE, "id": None},))))]  # type: ignore[attr-defined]
    assert ids[0] == "toolu_1"
    assert len(set(ids)) == 3
    assert all(call_id.startswith("toolu_") for call_id in ids)


def test_a_wrapped_tool_gives_its_free_text(
    decode: Decode, a_stream: AStream, upstream: Callable[..., UpstreamSide]
) -> None:
    side = upstream()
    side.wrapped_tools = {"f"}
    raw = a_stream((USE, piece('{"input":"a\\n'), piece('b"}')))
    assert parts_of(decode(raw, side)) == [p.ToolCall(id="toolu_1", name="f", arguments="a\nb", kind="custom")]
    whole = a_stream(({**USE, "input": {"input": "x"}},))
    assert parts_of(decode(whole, side)) == [p.ToolCall(id="toolu_1", name="f", arguments="x", kind="custom")]


def test_the_answer_tools_input_is_the_text(
    decode: Decode, a_stream: AStream, upstream: Callable[..., UpstreamSide]
) -> None:
    side = upstream()
    side.answer_tool = "json_output"
    use = {**USE, "name": "json_output"}
    response = fold(decode(a_stream((use, piece('{"a":'), piece("1}")), stop_reason="tool_use"), side))
    assert response.parts == [p.Text(text='{"a":1}')]
    assert response.finish.kind is FinishKind.END
    empty = fold(decode(a_stream((use,), stop_reason="tool_use"), side))
    assert empty.parts == [p.Text(text="{}")]


def test_beside_the_answer_tool_a_real_call_is_still_one(
    decode: Decode, a_stream: AStream, upstream: Callable[..., UpstreamSide]
) -> None:
    side = upstream()
    side.answer_tool = "json_output"
    response = fold(decode(a_stream((USE,), stop_reason="tool_use"), side))
    assert response.finish.kind is FinishKind.TOOL_CALLS


def test_hosted_tools_are_calls_and_results_of_the_provider(decode: Decode, a_stream: AStream) -> None:
    use = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"type": "web_search_result"}]}
    assert parts_of(decode(a_stream((use, piece('{"query":"x"}')), (found,)))) == [
        p.ServerCall(
            id="s1",
            name="web_search",
            arguments='{"query":"x"}',
            dialect=NAME,
            meta={NAME: {"type": "server_tool_use"}},
        ),
        p.ServerResult(call_id="s1", dialect=NAME, raw=found),
    ]


def test_blocks_of_unknown_kinds_come_whole_with_their_deltas(decode: Decode, a_stream: AStream) -> None:
    start = {"type": "compaction", "content": None}
    deltas = ({"type": "compaction_delta", "content": "sum"}, {"type": "compaction_delta", "content": "mary"})
    assert parts_of(decode(a_stream((start, *deltas)))) == [
        p.Opaque(dialect=NAME, raw={"type": "compaction", "content": "summary"})
    ]


def test_citations_span_their_whole_block(decode: Decode, a_stream: AStream) -> None:
    raw = {"type": "web_search_result_location", "url": "u", "title": "t", "cited_text": "c", "encrypted_index": "e"}
    (part,) = parts_of(decode(a_stream((TEXT, {"type": "citations_delta", "citation": raw}, said("hello")))))
    assert isinstance(part, p.Text)
    assert part.citations == [p.Citation(url="u", title="t", cited_text="c", start=0, end=5, dialect=NAME, raw=raw)]


def test_overlapping_blocks_are_put_in_line(decode: Decode, stream: Callable[..., bytes]) -> None:
    second = {**USE, "id": "toolu_2", "name": "g"}
    events = decode(
        stream(
            {"type": "message_start", "message": {}},
            {"type": "content_block_start", "index": 0, "content_block": USE},
            {"type": "content_block_start", "index": 1, "content_block": second},
            {"type": "content_block_start", "index": 2, "content_block": TEXT},
            {"type": "content_block_delta", "index": 2, "delta": said("z")},
            {"type": "content_block_delta", "index": 1, "delta": piece('{"b":1}')},
            {"type": "content_block_delta", "index": 0, "delta": piece('{"a":1}')},
            {"type": "content_block_stop", "index": 1},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
            {"type": "message_stop"},
        )
    )
    assert parts_of(events) == [
        p.ToolCall(id="toolu_1", name="f", arguments='{"a":1}'),
        p.ToolCall(id="toolu_2", name="g", arguments='{"b":1}'),
        p.Text(text="z"),
    ]


def test_a_block_whose_stop_is_missing_is_closed_in_time(decode: Decode, stream: Callable[..., bytes]) -> None:
    events = decode(
        stream(
            {"type": "message_start", "message": {}},
            {"type": "content_block_start", "index": 0, "content_block": TEXT},
            {"type": "content_block_delta", "index": 0, "delta": said("a")},
            {"type": "content_block_start", "index": 0, "content_block": TEXT},
            {"type": "content_block_delta", "index": 0, "delta": said("b")},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
            {"type": "message_stop"},
        )
    )
    assert parts_of(events) == [p.Text(text="a"), p.Text(text="b")]


def test_servers_that_leave_out_starts_are_understood(decode: Decode, stream: Callable[..., bytes]) -> None:
    events = decode(
        stream(
            {"type": "content_block_delta", "index": 0, "delta": said("a")},
            {"type": "content_block_delta", "index": 1, "delta": piece("{}")},
            {"type": "content_block_stop", "index": 5},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
            {"type": "message_stop"},
        )
    )
    assert parts_of(events) == [p.Text(text="a")]


def test_the_last_stop_reason_wins(decode: Decode, stream: Callable[..., bytes]) -> None:
    events = decode(
        stream(
            {"type": "message_start", "message": {}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
            {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 2}},
            {"type": "message_delta", "delta": {}, "usage": {"output_tokens": None}},
            {"type": "message_stop"},
        )
    )
    response = fold(events)
    assert response.finish.kind is FinishKind.LENGTH
    assert response.usage is not None
    assert response.usage.output == 2


def test_a_refusal_keeps_category_and_explanation(decode: Decode, stream: Callable[..., bytes]) -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "No."}
    delta = {"stop_reason": "refusal", "stop_details": details}
    finish = fold(
        decode(
            stream(
                {"type": "message_start", "message": {}},
                {"type": "message_delta", "delta": delta},
                {"type": "message_stop"},
            )
        )
    ).finish
    assert (finish.kind, finish.raw, finish.category, finish.explanation) == (
        FinishKind.REFUSAL,
        "refusal",
        "cyber",
        "No.",
    )


def test_a_repeated_start_is_ignored_and_a_second_answer_is_a_fault(
    decode: Decode, stream: Callable[..., bytes]
) -> None:
    """Corpus duplicate-message-start and spliced-message-start (vercel/ai#18331)."""
    start = {"type": "message_start", "message": {"id": "msg_1"}}
    text = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "x"}}
    ending = [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, {"type": "message_stop"}]
    assert parts_of(decode(stream(start, start, text, start, *ending))) == [p.Text(text="x")]
    events = decode(stream(start, text, {"type": "message_start", "message": {"id": "msg_2"}}, *ending))
    assert isinstance(failure(events), UpstreamBroken)


@pytest.mark.parametrize(
    ("kind", "status", "retryable"),
    [
        ("overloaded_error", 529, True),
        ("rate_limit_error", 429, True),
        ("api_error", 500, True),
        ("invalid_request_error", 400, False),
        ("brand_new_error", 500, True),
    ],
)
def test_an_error_event_is_the_upstreams_refusal(
    decode: Decode, stream: Callable[..., bytes], kind: str, status: int, retryable: bool
) -> None:
    error = {"type": kind, "message": "Sorry.", "details": {"x": 1}}
    text = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "half"}}
    told = {"type": "error", "error": error}
    fault = failure(decode(stream({"type": "message_start", "message": {}}, text, told, {"type": "message_stop"})))
    assert isinstance(fault, UpstreamRefused)
    assert (fault.message, fault.kind, fault.status, fault.retryable) == ("Sorry.", kind, status, retryable)
    assert (fault.details, fault.dialect, json.loads(fault.body)) == ({"x": 1}, NAME, told)


def test_an_end_without_its_mark_is_complete_once_a_reason_was_given(
    decode: Decode, stream: Callable[..., bytes]
) -> None:
    events = decode(
        stream(
            {"type": "message_start", "message": {}}, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
        )
    )
    assert isinstance(events[-1], ev.Finished)


@pytest.mark.parametrize("raw", [b"", b": nothing\n\n", b'event: message_start\ndata: {"type":"message_start"}\n\n'])
def test_a_stream_that_just_ends_is_broken(decode: Decode, raw: bytes) -> None:
    assert isinstance(failure(decode(raw)), UpstreamBroken)


@pytest.mark.parametrize(
    "data",
    [
        b"<html>",
        b"[1]",
        b'{"type":"content_block_delta","index":"x"}',
        b'{"type":"content_block_start","index":0}',
        b'{"type":"message_start","index":[1]}',
        b'{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use"}}',
        b"\xff\xfe",
    ],
)
def test_what_cannot_be_read_is_a_fault(decode: Decode, data: bytes) -> None:
    assert isinstance(failure(decode(b"data: " + data + b"\n\n")), UpstreamBroken)


def test_events_and_deltas_newer_than_this_code_are_passed_over(decode: Decode, a_stream: AStream) -> None:
    new = b'event: brand_new\ndata: {"type":"brand_new","delta":"text","index":[1]}\n\ndata: [DONE]\n\n: hello\n\n'
    new += b'data: {"type":["odd"]}\n\n'
    events = decode(new + a_stream((TEXT, said("x"), {"type": "brand_new_delta", "text": ""})))
    assert parts_of(events) == [p.Text(text="x")]


def test_frames_without_an_event_line_are_read_by_their_type(decode: Decode, a_stream: AStream) -> None:
    raw = b"\n".join(line for line in a_stream((TEXT, said("x"))).split(b"\n") if not line.startswith(b"event:"))
    assert parts_of(decode(raw)) == [p.Text(text="x")]


def test_data_without_a_type_is_read_by_its_event_line(decode: Decode) -> None:
    side_events = decode(b'event: message_start\ndata: {"message":{"id":"msg_7"}}\n\n')
    assert isinstance(side_events[0], ev.Started)
    assert side_events[0].id == "msg_7"


def test_nothing_comes_after_the_end(upstream: Callable[..., UpstreamSide], a_stream: AStream) -> None:
    decoder = ANTHROPIC.decoder(upstream())
    frames = FrameReader().feed(a_stream((TEXT, said("x"))))
    for frame in frames:
        decoder.feed(frame)
    assert decoder.feed(frames[0]) == []
    assert decoder.close() == []


# --- properties

SEALER = Sealer(b"k" * 32)
WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
BLOCKS = st.lists(
    st.one_of(
        st.lists(WORDS, max_size=3).map(lambda words: (TEXT, *(said(word) for word in words))),
        st.lists(WORDS, max_size=3).map(
            lambda words: (THINKING, *({"type": "thinking_delta", "thinking": word} for word in words))
        ),
        st.lists(WORDS, max_size=3).map(lambda words: (USE, *(piece(word) for word in words))),
        WORDS.map(lambda word: ({"type": "redacted_thinking", "data": word},)),
    ),
    max_size=4,
)


def run(raw: bytes, cuts: list[int]) -> list[ev.Event]:
    numbers = iter(range(1000))
    side = UpstreamSide(profile=Profile(), sealer=SEALER, new_id=lambda: f"{next(numbers):024d}")
    decoder, reader, events = ANTHROPIC.decoder(side), FrameReader(), []
    borders = [0, *sorted(cut % (len(raw) + 1) for cut in cuts), len(raw)]
    for start, end in pairwise(borders):
        for frame in reader.feed(raw[start:end]):
            events += decoder.feed(frame)
    for frame in reader.close():
        events += decoder.feed(frame)
    events += decoder.close()
    check_all(events)
    return events


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(blocks=BLOCKS, cuts=st.lists(st.integers(0, 10**6), max_size=12))
def test_where_the_bytes_are_cut_changes_nothing(a_stream: AStream, blocks: list[Any], cuts: list[int]) -> None:
    raw = a_stream(*blocks)
    assert run(raw, cuts) == run(raw, [])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(blocks=BLOCKS)
def test_a_stream_and_a_whole_answer_say_the_same(
    a_stream: AStream, a_message: Callable[..., Json], blocks: list[Any]
) -> None:
    content = []
    for start, *deltas in blocks:
        whole = dict(start)
        for delta in deltas:
            for key in ("text", "thinking"):
                if key in delta:
                    whole[key] += delta[key]
        if whole["type"] != "tool_use":  # words are no JSON
            content.append((whole, (start, *deltas)))
    streamed: Response = fold(run(a_stream(*(block for _, block in content)), []))
    side = UpstreamSide(profile=Profile(), sealer=SEALER)
    assert ANTHROPIC.parse_response(a_message(*(whole for whole, _ in content)), side).parts == streamed.parts


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "id", "name", "input", "text", "content", "usage", "message", "index"]), inner
        )
    ),
    max_leaves=8,
)
KINDS = st.sampled_from(
    [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "error",
        "ping",
        "other",
    ]
)
EVENT = st.fixed_dictionaries(
    {"type": KINDS},
    optional={
        "index": st.integers(0, 2) | JUNK,
        "delta": st.dictionaries(
            st.sampled_from(["type", "text", "partial_json", "thinking", "signature", "citation", "stop_reason"]), JUNK
        ),
        "content_block": st.fixed_dictionaries(
            {"type": st.sampled_from(["text", "thinking", "tool_use", "server_tool_use", "redacted_thinking", "x"])},
            optional={"text": JUNK, "id": JUNK, "name": JUNK, "input": JUNK, "signature": JUNK, "citations": JUNK},
        )
        | JUNK,
        "message": JUNK,
        "usage": JUNK,
        "error": JUNK,
    },
)


@settings(deadline=None, max_examples=40)
@given(st.lists(EVENT, max_size=4))
def test_whatever_a_server_sends_nothing_is_raised(events: list[Json]) -> None:
    run(b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events), [])


@given(st.binary(max_size=60))
def test_whatever_bytes_come_nothing_is_raised(data: bytes) -> None:
    side = UpstreamSide(profile=Profile(), sealer=SEALER)
    decoder = ANTHROPIC.decoder(side)
    check_all([*decoder.feed(Frame("", data, data)), *decoder.close()])
