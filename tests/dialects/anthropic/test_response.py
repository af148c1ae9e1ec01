"""Whole answers, both ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.contract import ClientSide, UpstreamSide
from proxyapp.errors import UpstreamBroken, UpstreamRefused
from proxyapp.ir import parts as p
from proxyapp.ir.request import Request
from proxyapp.ir.response import Finish, FinishKind, Response

Json = dict[str, Any]
NAME = "anthropic-messages"
AMessage = Callable[..., Json]
Upstream = Callable[..., UpstreamSide]
END = Finish(kind=FinishKind.END)


@pytest.fixture
def give(caller: ClientSide, parse: Callable[..., Request]) -> Callable[..., Json]:
    """A Response of these parts as the caller gets it."""

    def run(*parts: p.Part, finish: Finish = END, body: Json | None = None, **more: Any) -> Json:
        response = Response(**{"id": "msg_1", "model": "up", "parts": list(parts), "finish": finish, **more})
        return ANTHROPIC.render_response(response, parse(**(body or {})), caller)

    return run


def test_a_message_is_read_whole(upstream: Upstream, a_message: AMessage) -> None:
    message = a_message(
        {"type": "text", "text": "a"},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"x": 1}},
        stop_reason="tool_use",
        container={"id": "c"},
        usage={"input_tokens": 1, "output_tokens": 2, "service_tier": "priority"},
    )
    response = ANTHROPIC.parse_response(message, upstream())
    assert (response.id, response.model, response.service_tier) == ("msg_1", "claude", "priority")
    assert response.parts == [p.Text(text="a"), p.ToolCall(id="t1", name="f", arguments='{"x":1}')]
    assert (response.finish.kind, response.finish.raw) == (FinishKind.TOOL_CALLS, "tool_use")
    assert response.extras == {NAME: {"container": {"id": "c"}}}


def test_an_unknown_reason_is_other_and_kept(upstream: Upstream, a_message: AMessage) -> None:
    finish = ANTHROPIC.parse_response(a_message(stop_reason="tired"), upstream()).finish
    assert (finish.kind, finish.raw) == (FinishKind.OTHER, "tired")


def test_wrapped_and_renamed_tools_come_back_as_the_callers(upstream: Upstream, a_message: AMessage) -> None:
    side = upstream()
    side.wire_names, side.wrapped_tools = {"f_1": "f.1"}, {"f.1"}
    use = {"type": "tool_use", "id": "t1", "name": "f_1", "input": {"input": "raw"}}
    assert ANTHROPIC.parse_response(a_message(use), side).parts == [
        p.ToolCall(id="t1", name="f.1", arguments="raw", kind="custom")
    ]


def test_the_answer_tool_is_unwrapped(upstream: Upstream, a_message: AMessage) -> None:
    side = upstream()
    side.answer_tool = "json_output"
    use = {"type": "tool_use", "id": "t1", "name": "json_output", "input": {"a": 1}}
    response = ANTHROPIC.parse_response(a_message(use, stop_reason="tool_use"), side)
    assert response.parts == [p.Text(text='{"a":1}')]
    assert response.finish.kind is FinishKind.END
    other = {"type": "tool_use", "id": "t2", "name": "f", "input": {}}
    mixed = ANTHROPIC.parse_response(a_message(use, other, stop_reason="tool_use"), side)
    assert mixed.finish.kind is FinishKind.TOOL_CALLS


def test_an_error_inside_a_200_is_the_upstreams_refusal(upstream: Upstream) -> None:
    body = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    with pytest.raises(UpstreamRefused) as caught:
        ANTHROPIC.parse_response(body, upstream())
    assert (caught.value.status, caught.value.kind) == (529, "overloaded_error")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "completion", "completion": "x"},
        {"type": "message", "content": "x"},
        {"type": "message", "content": ["x"]},
        {"type": "message", "content": [{"text": "x"}]},
        {"type": "message", "content": [{"type": "server_tool_use"}]},
        {"choices": []},
    ],
)
def test_what_is_no_message_is_broken(upstream: Upstream, body: Json) -> None:
    with pytest.raises(UpstreamBroken):
        ANTHROPIC.parse_response(body, upstream())


def test_a_message_has_every_key_the_sdk_wants(give: Callable[..., Json]) -> None:
    body = give(p.Text(text="a"))
    assert body == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "asked",
        "content": [{"type": "text", "text": "a"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "stop_details": None,
        "container": None,
        "usage": body["usage"],
    }
    assert body["usage"]["output_tokens"] == 1


def test_ids_and_model_are_made_where_they_are_missing(give: Callable[..., Json]) -> None:
    body = give(p.Text(text="a"), id="chatcmpl-1", model="")
    assert body["id"].startswith("msg_0")
    assert body["model"] == "asked"


def test_input_is_always_an_object(give: Callable[..., Json], caller: ClientSide) -> None:
    def called(arguments: str, **more: Any) -> Any:
        return give(p.ToolCall(id="c1", name="f", arguments=arguments, **more))["content"][0]["input"]

    assert called("") == {}
    assert called('{"a":1,}') == {"a": 1}
    assert called("[1]") == {"value": [1]}
    assert called("no json") == {"_raw": "no json"}
    assert called("free text", kind="custom") == {"input": "free text"}
    assert [note.path for note in caller.notes.items] == ["content.f", "content.f"]


def test_text_is_split_at_the_sources_of_other_vendors(give: Callable[..., Json]) -> None:
    def source(start: int, end: int) -> p.Citation:
        return p.Citation(url=f"u{start}", title="t", start=start, end=end, dialect="openai-chat")

    part = p.Text(text="abcdefgh", citations=[source(5, 7), source(1, 3), source(2, 3), source(9, 12)])
    blocks = give(part)["content"]
    assert [block["text"] for block in blocks] == ["a", "bc", "de", "fg", "h"]
    assert [citation["url"] for citation in blocks[1]["citations"]] == ["u1", "u2"]
    assert blocks[1]["citations"][0] == {
        "type": "web_search_result_location",
        "url": "u1",
        "title": "t",
        "cited_text": "bc",
        "encrypted_index": "",
    }
    assert "citations" not in blocks[2]


def test_own_sources_stay_with_their_block(give: Callable[..., Json]) -> None:
    raw = {"type": "char_location", "cited_text": "x"}
    citation = p.Citation(start=0, end=3, dialect=NAME, raw=raw)
    assert give(p.Text(text="abc", citations=[citation]))["content"] == [
        {"type": "text", "text": "abc", "citations": [raw]}
    ]
    loose = give(p.Text(text="abc", citations=[p.Citation(url="u")]))["content"]
    assert loose[0]["citations"][0]["url"] == "u"


def test_empty_parts_make_no_blocks(give: Callable[..., Json]) -> None:
    assert give(p.Text(text=""), p.Refusal(text=""), p.Reasoning())["content"] == []


def test_thinking_is_signed_hidden_or_left_out_as_asked(give: Callable[..., Json], caller: ClientSide) -> None:
    signed = p.Reasoning(text="hm", signature="ErU", family="anthropic")
    bare = p.Reasoning(text="hm")
    assert give(signed)["content"] == [{"type": "thinking", "thinking": "hm", "signature": "ErU"}]
    omitted = {"thinking": {"type": "adaptive", "display": "omitted"}}
    assert give(signed, body=omitted)["content"] == [{"type": "thinking", "thinking": "", "signature": "ErU"}]
    (block,) = give(bare, body=omitted)["content"]
    proof = caller.sealer.open(block["signature"])
    assert proof is not None
    assert (block["thinking"], proof.payload) == ("", "hm")
    assert give(bare, body={"thinking": {"type": "disabled"}})["content"] == []


def test_an_answer_of_thinking_alone_with_no_reason_is_none(give: Callable[..., Json]) -> None:
    with pytest.raises(UpstreamBroken):
        give(p.Reasoning(text="hm"), finish=Finish(kind=FinishKind.OTHER))


def test_calls_that_the_provider_answered_leave_the_end_as_it_is(give: Callable[..., Json]) -> None:
    """Corpus ...programmatic-tool-calling-1: `tool_use` blocks beside `end_turn`."""
    call = p.ToolCall(id="c1", name="f", arguments="{}")
    assert give(call, finish=Finish(kind=FinishKind.END, raw="end_turn"))["stop_reason"] == "end_turn"
    assert give(call, finish=Finish(kind=FinishKind.END, raw="stop"))["stop_reason"] == "tool_use"


def test_a_refusals_category_is_told_only_when_it_is_this_wires(give: Callable[..., Json]) -> None:
    own = Finish(kind=FinishKind.REFUSAL, raw="refusal", category="cyber", explanation="No.")
    assert give(finish=own)["stop_details"] == {"type": "refusal", "category": "cyber", "explanation": "No."}
    other = Finish(kind=FinishKind.CONTENT_FILTER, raw="SAFETY", category="HARM_CATEGORY")
    assert give(finish=other)["stop_details"]["category"] is None


def test_fields_of_the_same_dialect_survive(give: Callable[..., Json]) -> None:
    assert give(p.Text(text="a"), extras={NAME: {"container": {"id": "c"}}})["container"] == {"id": "c"}
