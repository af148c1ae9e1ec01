"""IR as an upstream's Chat request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxyapp.dialects import jsonio
from proxyapp.dialects.anthropic.tables import WORDS
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.errors import Unsupported
from proxyapp.ir import parts as p
from proxyapp.ir.request import Request, Tool, Turn

PNG = p.Source(kind="base64", data="iVBORw==", mime="image/png")


def ask(**fields: Any) -> Request:
    """A request of a Messages caller with one user turn."""
    turns = fields.pop("turns", [Turn(role="user", parts=[p.Text(text="hi")], path="messages.0")])
    dialect = fields.pop("dialect", "anthropic-messages")
    words = WORDS if dialect == "anthropic-messages" else {}
    return Request(client_dialect=dialect, words=words, model="asked", turns=turns, **fields)


def said(*parts: p.Part, role: Any = "user", path: str = "messages.1") -> Turn:
    return Turn(role=role, parts=list(parts), path=path)


def call(call_id: str = "c1", name: str = "f", arguments: str = "{}", **more: Any) -> p.ToolCall:
    return p.ToolCall(id=call_id, name=name, arguments=arguments, **more)


def result(call_id: str, *parts: p.Part, **more: Any) -> p.ToolResult:
    return p.ToolResult(call_id=call_id, parts=list(parts), **more)


def paths(side: UpstreamSide) -> list[str]:
    return [note.path for note in side.notes.items]


# --- envelope


def test_the_smallest_request(render: Any) -> None:
    assert render(ask()) == {"model": "up-model", "messages": [{"role": "user", "content": "hi"}]}


def test_usage_is_asked_for_in_streams_where_the_server_takes_it(render: Any) -> None:
    assert render(ask(stream=True))["stream_options"] == {"include_usage": True}
    assert "stream_options" not in render(ask(stream=True), usage_in_stream=False)
    assert "stream_options" not in render(ask(stream=False))


def test_equal_requests_are_equal_bytes(render: Any) -> None:
    request = ask(tools=[Tool(name="x.y", schema={})], turns=[said(call("bad id", "x.y"), role="assistant")], seed=1)
    assert jsonio.encode(render(request)) == jsonio.encode(render(request))


# --- system


def test_system_texts_of_one_author_are_one_message(render: Any) -> None:
    body = render(ask(system=[p.Text(text="a"), p.Text(text="b", cache="5m")]))
    assert body["messages"][0] == {"role": "system", "content": "a\n\nb"}


def test_developer_texts_keep_their_role_where_it_is_known(render: Any) -> None:
    system = [p.Text(text="a", meta={"author": "system"}), p.Text(text="b", meta={"author": "developer"})]
    assert [message["role"] for message in render(ask(system=system), developer_role=True)["messages"]] == [
        "system",
        "developer",
        "user",
    ]
    assert render(ask(system=system))["messages"][0] == {"role": "system", "content": "a\n\nb"}


def test_cache_points_in_the_system_text_keep_it_in_parts(render: Any) -> None:
    body = render(ask(system=[p.Text(text="a", cache="1h"), p.Text(text="b")]), cache_points=True)
    point = {"mode": "explicit", "ttl": "30m"}
    assert body["messages"][0]["content"] == [
        {"type": "text", "text": "a", "prompt_cache_breakpoint": point},
        {"type": "text", "text": "b"},
    ]


def test_only_the_last_four_cache_points_are_sent(render: Any, upstream: Any) -> None:
    side = upstream(cache_points=True)
    turn = said(*(p.Text(text=str(n), cache="12h") for n in range(6)))
    content = render(ask(turns=[turn]), side)["messages"][0]["content"]
    assert ["prompt_cache_breakpoint" in item for item in content] == [False] * 2 + [True] * 4
    assert paths(side) == ["cache_control"]


# --- turns


def test_results_come_first_and_late_instructions_after_them(render: Any) -> None:
    turns = [
        said(p.Text(text="do"), path="messages.0"),
        said(p.Text(text="ok"), call("c1"), call("c2"), role="assistant"),
        Turn(role="system", parts=[p.Text(text="mind")], author="system"),
        said(p.Text(text="first"), result("c2", p.Text(text="two")), result("c1", p.Text(text="one"))),
    ]
    messages = render(ask(turns=turns))["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool", "system", "user"]
    assert [message.get("tool_call_id") for message in messages[2:4]] == ["c2", "c1"]
    assert messages[1]["content"] == "ok"
    assert messages[5] == {"role": "user", "content": "first"}


def test_a_call_without_a_result_gets_one(render: Any, upstream: Any) -> None:
    side = upstream()
    turns = [said(call("c1"), call("c2"), role="assistant"), said(result("c1"), p.Text(text="go on"))]
    messages = render(ask(turns=turns), side)["messages"]
    assert messages[2] == {"role": "tool", "tool_call_id": "c2", "content": "No result was recorded."}
    assert messages[3]["content"] == "go on"
    assert [note.dropped for note in side.notes.items] == [False]


def test_a_result_without_a_call_becomes_text(render: Any, upstream: Any) -> None:
    side = upstream()
    messages = render(ask(turns=[said(result("zz", p.Text(text="lost")))]), side)["messages"]
    assert [message["role"] for message in messages] == ["user"]
    assert [item["text"] for item in messages[0]["content"]] == ["Result of tool call zz:", "lost"]
    assert paths(side) == ["messages.1.content.0"]


def test_the_same_id_in_two_turns_is_answered_in_each(render: Any) -> None:
    turns = [
        said(call("c1"), role="assistant"),
        said(result("c1", p.Text(text="one"))),
        said(call("c1"), role="assistant"),
        said(result("c1", p.Text(text="two"))),
    ]
    messages = render(ask(turns=turns))["messages"]
    assert [message["content"] for message in messages if message["role"] == "tool"] == ["one", "two"]


def test_consecutive_assistant_turns_of_other_dialects_are_one_message(render: Any) -> None:
    turns = [said(p.Text(text="a"), role="assistant"), said(call("c1"), role="assistant"), said(result("c1"))]
    messages = render(ask(turns=turns))["messages"]
    assert [message["role"] for message in messages] == ["assistant", "tool"]
    assert messages[0]["content"] == "a"
    own = render(ask(turns=turns, dialect="openai-chat"))["messages"]
    assert [message["role"] for message in own] == ["assistant", "assistant", "tool"]


def test_an_assistant_turn_with_nothing_to_send_is_left_out(render: Any) -> None:
    turns = [said(p.Reasoning(text="hm", signature="s", family="anthropic"), role="assistant"), said(p.Text(text="hi"))]
    assert [message["role"] for message in render(ask(turns=turns))["messages"]] == ["user"]


def test_an_empty_user_turn_stays_a_turn(render: Any) -> None:
    assert render(ask(turns=[said()]))["messages"] == [{"role": "user", "content": ""}]


def test_blank_texts_beside_others_are_left_out(render: Any) -> None:
    turn = said(p.Text(text=""), p.Image(source=PNG))
    assert [item["type"] for item in render(ask(turns=[turn]))["messages"][0]["content"]] == ["image_url"]


def test_a_participants_name_is_kept(render: Any) -> None:
    turn = Turn(role="user", parts=[p.Text(text="hi")], name="bo")
    assert render(ask(turns=[turn]))["messages"][0] == {"role": "user", "content": "hi", "name": "bo"}


def test_media_of_a_result_move_into_the_next_user_message(render: Any) -> None:
    turns = [
        said(call("c1"), role="assistant"),
        said(result("c1", p.Text(text="see"), p.Image(source=PNG)), p.Text(text="well?")),
    ]
    messages = render(ask(turns=turns))["messages"]
    assert messages[1] == {"role": "tool", "tool_call_id": "c1", "content": "see"}
    assert messages[2]["content"] == [
        {"type": "text", "text": "Attachment to the result of tool call c1:"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
        {"type": "text", "text": "well?"},
    ]


def test_media_of_a_result_are_named_as_missing_where_no_user_may_follow(render: Any, upstream: Any) -> None:
    side = upstream(user_after_tool=False)
    turns = [said(call("c1"), role="assistant"), said(result("c1", p.Image(source=PNG)))]
    messages = render(ask(turns=turns), side)["messages"]
    assert [message["role"] for message in messages] == ["assistant", "tool"]
    assert messages[1]["content"] == "[an attachment was left out]"
    assert paths(side) == ["messages.1.content.0"]


def test_refusals_in_history(render: Any) -> None:
    turns = [said(p.Refusal(text="no"), role="assistant")]
    assert render(ask(turns=turns), metadata=True)["messages"] == [
        {"role": "assistant", "content": None, "refusal": "no"}
    ]
    assert render(ask(turns=turns))["messages"] == [{"role": "assistant", "content": "no"}]


def test_documents_search_results_and_other_parts(render: Any, upstream: Any) -> None:
    side = upstream()
    turn = said(
        p.Document(source=p.Source(kind="text", data="words"), title="T", context="C", citations=True),
        p.Document(source=p.Source(kind="base64", data="aGk=", mime="text/plain")),
        p.Document(source=p.Source(kind="base64", data="JVBERi0=", mime="application/pdf")),
        p.SearchResult(source="https://x", title="X", texts=["a", "b"]),
        p.Image(source=p.Source(kind="url", data="https://x/i.png"), detail="high"),
        p.Audio(source=p.Source(kind="base64", data="AAAA", mime="audio/mpeg")),
        p.ServerResult(call_id="s", dialect="anthropic-messages", raw={}),
        p.Opaque(dialect="anthropic-messages", raw={}),
        p.Reasoning(text="hm"),
    )
    items = render(ask(turns=[turn]), side)["messages"][0]["content"]
    assert items == [
        {"type": "text", "text": "Document: T\nC\nwords"},
        {"type": "text", "text": "hi"},
        {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
        {"type": "text", "text": "X\nhttps://x\na\nb"},
        {"type": "image_url", "image_url": {"url": "https://x/i.png", "detail": "high"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
    ]
    assert paths(side) == ["messages.1.content.0.citations", "messages.1.content.6", "messages.1.content.7"]


@pytest.mark.parametrize(
    "part",
    [
        p.Image(source=p.Source(kind="file", data="file_1")),
        p.Document(source=p.Source(kind="url", data="https://x/a.pdf")),
        p.Document(source=p.Source(kind="file", data="file_1")),
        p.Audio(source=p.Source(kind="url", data="https://x/a.wav")),
    ],
)
def test_media_that_cannot_be_sent_are_refused_by_name(render: Any, upstream: Any, part: p.Part) -> None:
    with pytest.raises(Unsupported) as caught:
        render(ask(turns=[said(part)]))
    assert caught.value.param == "messages.1.content.0"
    side = upstream(lenient=True)
    assert render(ask(turns=[said(part)]), side)["messages"] == []
    assert paths(side) == ["messages.1.content.0"]


def test_a_chat_callers_own_parts_go_back(render: Any) -> None:
    turn = said(p.Document(source=p.Source(kind="file", data="f1")), p.Opaque(dialect="openai-chat", raw={"type": "v"}))
    items = render(ask(turns=[turn], dialect="openai-chat"))["messages"][0]["content"]
    assert items == [{"type": "file", "file": {"file_id": "f1"}}, {"type": "v"}]
    spoken = said(p.Audio(source=p.Source(kind="file", data="audio_1")), role="assistant")
    assert render(ask(turns=[spoken], dialect="openai-chat"))["messages"] == [
        {"role": "assistant", "content": None, "audio": {"id": "audio_1"}}
    ]


# --- reasoning in history


@pytest.mark.parametrize(
    ("back", "with_call", "sent"),
    [("strip", True, False), ("keep", False, True), ("tool_turns", True, True), ("tool_turns", False, False)],
)
def test_reasoning_text_returns_as_the_profile_says(render: Any, back: str, with_call: bool, sent: bool) -> None:
    parts: list[p.Part] = [p.Reasoning(text="hm"), p.Text(text="a"), *([call("c1")] if with_call else [])]
    turns = [said(*parts, role="assistant"), said(result("c1") if with_call else p.Text(text="b"))]
    message = render(ask(turns=turns), reasoning_back=back, reasoning_field="reasoning")["messages"][0]
    assert ("reasoning" in message) is sent


def test_a_turn_with_calls_has_the_field_even_when_its_reasoning_is_gone(render: Any) -> None:
    turns = [said(call("c1"), role="assistant"), said(result("c1"))]
    assert render(ask(turns=turns), reasoning_back="tool_turns")["messages"][0]["reasoning_content"] == ""


def test_parts_that_have_no_place_in_an_assistant_message_are_noted(render: Any, upstream: Any) -> None:
    side = upstream()
    parts = [
        p.Text(text="a"),
        p.Image(source=PNG),
        p.ServerCall(id="s", name="web_search"),
        p.Opaque(dialect="x", raw={}),
    ]
    turn = Turn(role="assistant", parts=parts, name="bo", path="messages.0")
    assert render(ask(turns=[turn]), side)["messages"] == [{"role": "assistant", "content": "a", "name": "bo"}]
    assert paths(side) == ["messages.0.content.1", "messages.0.content.2", "messages.0.content.3"]


def test_googles_signature_returns_with_its_call(render: Any) -> None:
    extra = {"google": {"thought_signature": "s"}}
    turns = [said(call("c1", meta={"openai-chat": {"extra_content": extra}}), role="assistant"), said(result("c1"))]
    assert render(ask(turns=turns))["messages"][0]["tool_calls"][0]["extra_content"] == extra


def test_an_openrouter_proof_returns_to_its_own_account_only(render: Any, upstream: Any) -> None:
    proof = json.dumps({"type": "reasoning.text", "signature": "s", "index": 0})
    meta = {"proof": {"group": "", "account": "acme"}}
    part = p.Reasoning(text="hm", signature=proof, family="openrouter", meta=meta)
    turns = [said(part, p.Text(text="a"), role="assistant")]
    message = render(ask(turns=turns), upstream(account="acme"))["messages"][0]
    assert message["reasoning_details"] == [{"type": "reasoning.text", "signature": "s", "index": 0, "text": "hm"}]
    assert "reasoning_details" not in render(ask(turns=turns), upstream(account="other"))["messages"][0]
