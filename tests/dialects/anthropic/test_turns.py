"""The conversation: roles, order, and what pairs with what. Numbered corner cases stand in `corners`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from proxyapp.dialects.contract import UpstreamSide
from proxyapp.errors import Unsupported
from proxyapp.ir import parts as p
from proxyapp.ir.request import Request, Role, Turn

Json = dict[str, Any]
Render = Callable[..., Json]
Upstream = Callable[..., UpstreamSide]
NAME = "anthropic-messages"


def turn(role: Role, *parts: p.Part | str, **more: Any) -> Turn:
    made = [p.Text(text=part) if isinstance(part, str) else part for part in parts]
    return Turn(role=role, parts=made, path="messages.x", **more)


def talk(*turns: Turn, dialect: str = "openai-chat", **more: Any) -> Request:
    return Request(client_dialect=dialect, model="m", turns=list(turns), **more)


def call(call_id: str, **more: Any) -> p.ToolCall:
    return p.ToolCall(id=call_id, name="f", **more)


def result(call_id: str, *parts: p.Part | str, **more: Any) -> p.ToolResult:
    made = [p.Text(text=part) if isinstance(part, str) else part for part in parts]
    return p.ToolResult(call_id=call_id, parts=made, **more)


def outline(body: Json) -> list[tuple[str, list[str]]]:
    return [(message["role"], [block["type"] for block in message["content"]]) for message in body["messages"]]


def test_calls_spread_over_several_turns_are_answered_together(render: Render) -> None:
    body = render(
        talk(
            turn("user", "a"),
            turn("assistant", "b"),
            turn("assistant", call("c1")),
            turn("assistant", call("c2")),
            turn("user", result("c2", "2")),
            turn("user", result("c1", "1"), "and?"),
        )
    )
    assert outline(body) == [
        ("user", ["text"]),
        ("assistant", ["text", "tool_use", "tool_use"]),
        ("user", ["tool_result", "tool_result", "text"]),
    ]
    assert [block.get("content") for block in body["messages"][2]["content"]] == ["1", "2", None]


def test_ids_that_begin_anew_in_each_turn_are_told_apart(render: Render) -> None:
    body = render(
        talk(
            turn("user", "a"),
            turn("assistant", call("call_0"), call("call_0")),
            turn("user", result("call_0", "1"), result("call_0", "2")),
            turn("assistant", call("call_0")),
            turn("user", result("call_0", "3")),
        )
    )
    blocks = [block for message in body["messages"] for block in message["content"]]
    used = [block["id"] for block in blocks if block["type"] == "tool_use"]
    answered = [(block["tool_use_id"], block["content"]) for block in blocks if block["type"] == "tool_result"]
    assert len(set(used)) == 3
    assert answered == list(zip(used, ["1", "2", "3"], strict=True))


def test_a_second_result_of_one_call_becomes_text(render: Render, upstream: Upstream) -> None:
    side = upstream()
    request = talk(turn("user", "a"), turn("assistant", call("c1")), turn("user", result("c1", "1"), result("c1", "2")))
    assert outline(render(request, side))[2] == ("user", ["tool_result", "text", "text"])
    assert any("without its call" in note.sentence for note in side.notes.items)


def test_a_conversation_that_ends_in_calls_gets_results_that_say_so(render: Render) -> None:
    body = render(talk(turn("user", "a"), turn("assistant", call("c1"))))
    (block,) = body["messages"][2]["content"]
    assert (block["tool_use_id"], block["is_error"]) == ("c1", True)


@pytest.mark.parametrize(
    ("given", "content"),
    [
        (result("c1"), None),
        (result("c1", ""), None),
        (result("c1", " "), " "),
        (result("c1", "x"), "x"),
        (result("c1", "x", "", "y"), [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]),
        (
            result("c1", "x", p.Image(source=p.Source(kind="url", data="https://x.example/a.png"))),
            [
                {"type": "text", "text": "x"},
                {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}},
            ],
        ),
        (
            result("c1", p.SearchResult(source="s", title="t", texts=["x"], citations=True)),
            [
                {
                    "type": "search_result",
                    "source": "s",
                    "title": "t",
                    "content": [{"type": "text", "text": "x"}],
                    "citations": {"enabled": True},
                }
            ],
        ),
    ],
)
def test_a_result_holds_text_pictures_and_hits(render: Render, given: p.ToolResult, content: Any) -> None:
    body = render(talk(turn("user", "a"), turn("assistant", call("c1")), turn("user", given)))
    (block,) = body["messages"][2]["content"]
    assert block.get("content") == content
    assert "is_error" not in block


def test_an_error_is_flagged(render: Render) -> None:
    body = render(
        talk(turn("user", "a"), turn("assistant", call("c1")), turn("user", result("c1", "x", is_error=True)))
    )
    assert body["messages"][2]["content"][0]["is_error"] is True


def test_a_participants_name_goes_before_the_text(render: Render, upstream: Upstream) -> None:
    side = upstream()
    body = render(talk(turn("user", "hi", name="Ann"), turn("user", "ho", name="user")), side)
    assert [block["text"] for block in body["messages"][0]["content"]] == ["Ann: hi", "ho"]
    assert [note.path for note in side.notes.items] == ["messages.x.name"]


def test_pictures_of_the_assistant_move_to_the_user(render: Render, upstream: Upstream) -> None:
    side = upstream()
    picture = p.Image(source=p.Source(kind="url", data="https://x.example/a.png"))
    body = render(talk(turn("user", "a"), turn("assistant", "here", picture), turn("user", "thanks")), side)
    assert outline(body) == [
        ("user", ["text"]),
        ("assistant", ["text"]),
        ("user", ["text", "image", "text"]),
    ]
    assert side.notes.items


def test_audio_of_the_assistant_becomes_its_transcript(render: Render) -> None:
    audio = p.Audio(source=p.Source(kind="file", data="audio_1"), transcript="I said so.")
    body = render(talk(turn("user", "a"), turn("assistant", audio), turn("user", "b")))
    assert body["messages"][1]["content"] == [{"type": "text", "text": "I said so."}]


def test_the_callers_audio_is_refused(render: Render) -> None:
    with pytest.raises(Unsupported) as caught:
        render(talk(turn("user", p.Audio(source=p.Source(kind="base64", data="AAAA", mime="audio/wav")))))
    assert caught.value.param == "messages.x.content.0"


def test_a_refusal_in_history_is_text(render: Render) -> None:
    body = render(talk(turn("user", "a"), turn("assistant", p.Refusal(text="No.")), turn("user", "b")))
    assert body["messages"][1]["content"] == [{"type": "text", "text": "No."}]


def test_thinking_goes_first_for_callers_of_other_dialects(render: Render) -> None:
    thought = p.Reasoning(text="hm", signature="ErU", family="anthropic")
    body = render(talk(turn("user", "a"), turn("assistant", "b", thought), turn("user", "c")))
    assert [block["type"] for block in body["messages"][1]["content"]] == ["thinking", "text"]


def test_own_thinking_keeps_the_order_in_which_it_was_made(render: Render) -> None:
    thought = p.Reasoning(text="hm", signature="ErU", family="anthropic")
    body = render(talk(turn("user", "a"), turn("assistant", "b", thought, "c"), turn("user", "d"), dialect=NAME))
    assert [block["type"] for block in body["messages"][1]["content"]] == ["text", "thinking", "text"]


def test_a_blank_of_an_own_assistant_stays_and_others_do_not(render: Render) -> None:
    """Appendix E: Haiku 4.5 took an assistant text of one blank; bytes of history should not change."""
    history = (turn("user", "a"), turn("assistant", " "), turn("user", "b"))
    assert render(talk(*history, dialect=NAME))["messages"][1]["content"] == [{"type": "text", "text": " "}]
    assert [message["role"] for message in render(talk(*history))["messages"]] == ["user"]


def test_hosted_calls_of_this_dialect_return_whole_and_others_are_noted(render: Render, upstream: Upstream) -> None:
    own = p.ServerCall(id="s1", name="echo", arguments='{"a":1}', dialect=NAME, meta={NAME: {"type": "mcp_tool_use"}})
    done = p.ServerResult(call_id="s1", dialect=NAME, raw={"type": "mcp_tool_result", "tool_use_id": "s1"})
    other = p.ServerCall(id="x", name="web", dialect="openai-responses")
    foreign = p.Opaque(dialect="gemini", raw={})
    side = upstream()
    body = render(talk(turn("user", "a"), turn("assistant", own, done, other, foreign, "b"), turn("user", "c")), side)
    assert body["messages"][1]["content"] == [
        {"type": "mcp_tool_use", "id": "s1", "name": "echo", "input": {"a": 1}},
        {"type": "mcp_tool_result", "tool_use_id": "s1"},
        {"type": "text", "text": "b"},
    ]
    assert len(side.notes.items) == 2


def test_a_paused_turn_is_resumed_and_no_prefill(render: Render, upstream: Upstream) -> None:
    own = p.ServerCall(id="s1", name="web_search", dialect=NAME)
    side = upstream(prefill=False)
    body = render(talk(turn("user", "a"), turn("assistant", "b", own), dialect=NAME), side)
    assert body["messages"][-1]["role"] == "assistant"
    assert not side.notes.items


def test_thinking_excludes_a_prefill(render: Render, upstream: Upstream) -> None:
    from proxyapp.ir.request import ReasoningSettings

    side = upstream(thinking="adaptive")
    request = talk(turn("user", "a"), turn("assistant", "b"), reasoning=ReasoningSettings(mode="adaptive"))
    assert render(request, side)["messages"][-1]["role"] == "user"


def test_a_prefill_of_blanks_is_left_out(render: Render) -> None:
    assert render(talk(turn("user", "a"), turn("assistant", " "), dialect=NAME))["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "a"}]}
    ]


@pytest.mark.parametrize("turns", [[], [turn("assistant", "")]])
def test_a_request_without_anything_to_say_still_has_a_user_message(render: Render, turns: list[Turn]) -> None:
    (message,) = render(talk(*turns))["messages"]
    assert message["role"] == "user"
    assert message["content"][0]["text"].strip()


# --- system turns in the middle


def late(*parts: p.Part | str, **meta: Any) -> Turn:
    return turn("system", *parts, author="system", meta={NAME: meta} if meta else {})


def test_a_late_system_turn_keeps_its_own_settings(render: Render) -> None:
    request = talk(turn("user", "a"), late("now", output_config={"effort": "low"}), dialect=NAME)
    assert render(request, mid_system=True)["messages"][1] == {
        "role": "system",
        "content": [{"type": "text", "text": "now"}],
        "output_config": {"effort": "low"},
    }


def test_a_late_system_turn_of_settings_alone_has_no_content(render: Render) -> None:
    request = talk(turn("user", "a"), late(output_config={"effort": "low"}), dialect=NAME)
    assert render(request, mid_system=True)["messages"][1] == {"role": "system", "output_config": {"effort": "low"}}


def test_settings_of_a_late_system_turn_are_noted_where_it_becomes_text(render: Render, upstream: Upstream) -> None:
    side = upstream()
    body = render(talk(turn("user", "a"), late(output_config={"effort": "low"}), dialect=NAME), side)
    assert outline(body) == [("user", ["text"])]
    assert [note.path for note in side.notes.items] == ["messages.x"]


def test_a_system_turn_between_two_user_turns_is_marked_text_in_its_place(render: Render) -> None:
    """A system message must be last or be followed by the assistant."""
    body = render(talk(turn("user", "a"), late("now"), turn("user", "b")), mid_system=True)
    texts = [block["text"] for block in body["messages"][0]["content"]]
    assert (texts[0], texts[2]) == ("a", "b")
    assert texts[1].endswith("now")


def test_a_system_turn_after_the_assistant_is_marked_text(render: Render) -> None:
    body = render(talk(turn("user", "a"), turn("assistant", "b"), late("now"), turn("assistant", "c")), mid_system=True)
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user", "assistant"]


def test_a_system_turn_holds_text_only(render: Render, upstream: Upstream) -> None:
    side = upstream()
    own = p.Opaque(dialect=NAME, raw={"type": "tool_addition", "tool": {}})
    request = talk(turn("user", "a"), late("now", own), dialect=NAME)
    assert outline(render(request, mid_system=True))[1] == ("system", ["text", "tool_addition"])
    assert outline(render(request, side)) == [("user", ["text", "text"])]
    assert side.notes.items


def test_fields_beside_a_messages_content_are_noted(render: Render, upstream: Upstream) -> None:
    side = upstream()
    render(talk(turn("user", "a", meta={NAME: {"id": "x"}}), dialect=NAME), side)
    assert [note.path for note in side.notes.items] == ["messages.x"]
