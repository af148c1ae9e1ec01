"""What single servers want otherwise than OpenAI: fields, tool choice, messages; on both roads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxyapp.dialects.contract import Body
from proxyapp.dialects.openai_chat import OPENAI_CHAT
from proxyapp.dialects.openai_chat.fitting import exact_id
from proxyapp.errors import Unsupported

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
OTHER = {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
def patched(upstream: Any) -> Any:
    """A caller's body as it is passed on, and the side that was told of losses."""

    def run(body: dict[str, Any], *, lenient: bool = False, **profile: Any) -> tuple[dict[str, Any], Any]:
        side = upstream(lenient=lenient, **profile)
        asked = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **body}
        return json.loads(OPENAI_CHAT.patch(Body(json.dumps(asked).encode()), "up", side)), side

    return run


# --- fields


UNTAKEN = ("seed", "user", "logprobs", "frequency_penalty", "stream_options")


def test_fields_that_a_server_refuses_are_left_out_on_both_roads(parse, render, upstream, patched):
    fields = {"seed": 7, "user": "zoe", "logprobs": False, "frequency_penalty": 0.5}
    side = upstream(untaken=UNTAKEN)
    body = render(parse(**fields), side)
    assert not set(UNTAKEN) & set(body)
    assert {note.path for note in side.notes.items} == {"seed", "frequency_penalty"}
    sent, side = patched(fields, untaken=UNTAKEN)
    assert set(sent) == {"model", "messages"}
    assert {note.path for note in side.notes.items} == {"seed", "frequency_penalty"}


def test_probabilities_that_were_asked_for_are_refused_and_not_lost(parse, render, upstream, patched):
    with pytest.raises(Unsupported) as caught:
        render(parse(logprobs=True), upstream(untaken=UNTAKEN))
    assert caught.value.param == "logprobs"
    with pytest.raises(Unsupported):
        patched({"logprobs": True}, untaken=UNTAKEN)
    sent, side = patched({"logprobs": True}, lenient=True, untaken=UNTAKEN)
    assert "logprobs" not in sent
    assert side.notes.header() == "logprobs"


def test_fields_are_renamed_and_added_where_the_caller_has_none(parse, render, patched):
    profile = {"renamed": {"seed": "random_seed"}, "added": {"reasoning_format": "parsed"}}
    body = render(parse(seed=7), **profile)
    assert (body["random_seed"], body["reasoning_format"]) == (7, "parsed")
    assert "seed" not in body
    sent, _ = patched({"seed": 7, "reasoning_format": "raw"}, **profile)
    assert (sent["random_seed"], sent["reasoning_format"]) == (7, "raw")


def test_a_body_that_fits_keeps_its_bytes(upstream):
    raw = b'{ "model":"m", "messages" : [ {"role":"developer","content":"x"},  {"role":"user","content":"\\u00e9"} ] }'
    sent = OPENAI_CHAT.patch(Body(raw), "m", upstream())
    assert b'[ {"role":"developer","content":"x"},  {"role":"user","content":"\\u00e9"} ]' in sent


# --- tool choice


def test_the_word_for_some_tool_is_the_servers(parse, render, patched):
    asked = {"tools": [TOOL], "tool_choice": "required"}
    assert render(parse(**asked), forced_word="any")["tool_choice"] == "any"
    assert patched(asked, forced_word="any")[0]["tool_choice"] == "any"
    assert patched(asked)[0]["tool_choice"] == "required"


def test_a_named_tool_is_sent_alone_where_the_server_cannot_be_told_its_name(parse, render, upstream, patched):
    asked = {"tools": [TOOL, OTHER], "tool_choice": {"type": "function", "function": {"name": "g"}}}
    side = upstream(named_choice=False)
    body = render(parse(**asked), side)
    assert (body["tools"], body["tool_choice"]) == ([OTHER], "required")
    assert [(note.path, note.dropped) for note in side.notes.items] == [("tool_choice", False)]
    sent, side = patched(asked, named_choice=False)
    assert (sent["tools"], sent["tool_choice"]) == ([OTHER], "required")
    assert len(side.notes.items) == 1


@pytest.mark.parametrize("choice", [{"type": "function"}, {"type": "function", "function": {"name": "x"}}, {}, 7])
def test_a_choice_that_means_nothing_costs_no_tools(patched, choice):
    sent, _ = patched({"tools": [TOOL], "tool_choice": choice}, named_choice=False)
    assert sent["tools"] == [TOOL]


# --- messages


def a_loop(call_id: str) -> list[dict[str, Any]]:
    call = {"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    return [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": "go", "name": "zoe"},
        {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call_id, "content": "21"},
        {"role": "user", "content": "and?"},
    ]


def test_call_ids_of_an_exact_length_fit_together(parse, render, patched):
    profile = {"exact_call_ids": True, "call_id_limit": 9}
    for messages in (render(parse(messages=a_loop("call_01HXYZ_abc")), **profile)["messages"],
                     patched({"messages": a_loop("call_01HXYZ_abc")}, **profile)[0]["messages"]):  # fmt: skip
        made, answered = messages[2]["tool_calls"][0]["id"], messages[3]["tool_call_id"]
        assert made == answered
        assert len(made) == 9
        assert made.isalnum()
    assert patched({"messages": a_loop("gSIMJiOkT")}, **profile)[0]["messages"][3]["tool_call_id"] == "gSIMJiOkT"


@pytest.mark.parametrize("call_id", ["", "ä23456789", "a-3456789", "1234567890"])
def test_an_exact_id_is_made_of_letters_and_digits(call_id):
    made = exact_id(call_id, 9)
    assert made == exact_id(call_id, 9) != call_id
    assert len(made) == 9
    assert made.isascii()
    assert made.isalnum()


def test_fields_of_messages_that_a_server_refuses_are_left_out(parse, render, patched):
    profile = {"untaken_in_messages": ("name", "reasoning_content"), "reasoning_back": "keep"}
    for messages in (render(parse(messages=a_loop("c1")), **profile)["messages"],
                     patched({"messages": a_loop("c1")}, **profile)[0]["messages"]):  # fmt: skip
        assert "name" not in messages[1]
        assert "reasoning_content" not in messages[2]
        assert messages[2]["tool_calls"][0]["function"]["name"] == "f"


def test_a_developer_is_a_system_where_the_role_is_refused(patched):
    assert patched({"messages": a_loop("c1")}, developer_refused=True)[0]["messages"][0]["role"] == "system"
    assert patched({"messages": a_loop("c1")})[0]["messages"][0]["role"] == "developer"


def test_an_answer_is_put_between_a_tool_and_the_user_where_one_must_be(parse, render, upstream, patched):
    side = upstream(assistant_after_tool=True)
    roles = [message["role"] for message in render(parse(messages=a_loop("c1")), side)["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert [(note.path, note.dropped) for note in side.notes.items] == [("messages", False)]
    sent, _ = patched({"messages": a_loop("c1")}, assistant_after_tool=True)
    assert [message["role"] for message in sent["messages"]][3:] == ["tool", "assistant", "user"]


def test_neighbours_of_one_speaker_are_joined_where_they_must_take_turns(patched, render, parse):
    picture = {"type": "image_url", "image_url": {"url": "https://h/p.png"}}
    messages = [
        {"role": "system", "content": "a"}, {"role": "system", "content": "b"},
        {"role": "user", "content": "c"}, {"role": "user", "content": "d"}, {"role": "user", "content": [picture]},
        {"role": "assistant", "content": "e"}, {"role": "assistant", "content": None}, {"role": "user", "content": "f"},
    ]  # fmt: skip
    sent, _ = patched({"messages": messages}, alternate=True)
    assert [message["role"] for message in sent["messages"]] == ["system", "system", "user", "assistant", "user"]
    assert sent["messages"][2]["content"] == [{"type": "text", "text": "c\n\nd"}, picture]
    assert sent["messages"][3]["content"] == [{"type": "text", "text": "e"}]
    roles = [message["role"] for message in render(parse(messages=messages[2:]), alternate=True)["messages"]]
    assert roles == ["user", "assistant", "user"]


def test_an_answer_that_was_begun_is_marked_where_the_server_wants_it(patched, parse, render):
    messages = [{"role": "user", "content": "go"}, {"role": "assistant", "content": "Once"}]
    assert patched({"messages": messages}, prefix_mark=True)[0]["messages"][1]["prefix"] is True
    assert render(parse(messages=messages), prefix_mark=True)["messages"][1]["prefix"] is True
    assert "prefix" not in patched({"messages": messages[:1]}, prefix_mark=True)[0]["messages"][0]


def test_a_turn_with_calls_has_its_reasoning_field_where_it_must_empty_if_the_caller_has_none(patched):
    messages = a_loop("c1")
    assert patched({"messages": messages}, reasoning_back="tool_turns")[0]["messages"] == messages
    del messages[2]["reasoning_content"]
    sent, _ = patched({"messages": messages}, reasoning_back="tool_turns")
    assert sent["messages"][2]["reasoning_content"] == ""
    assert "reasoning_content" not in patched({"messages": messages})[0]["messages"][2]


@pytest.mark.parametrize("messages", [None, "hi", [], [1, None, "x"], {"role": "user"}, [{"role": 7, "content": {}}]])
def test_messages_of_no_form_are_left_to_the_upstream(patched, messages):
    """Nothing here raises: the upstream says in its own words what is wrong."""
    every = {"exact_call_ids": True, "alternate": True, "prefix_mark": True, "assistant_after_tool": True,
             "developer_refused": True, "untaken_in_messages": ("name",)}  # fmt: skip
    assert patched({"messages": messages}, **every)[0]["messages"] == messages


@pytest.mark.parametrize("calls", [None, "x", [None], [{"id": 7}], [{}]])
def test_calls_of_no_form_are_left_to_the_upstream(patched, calls):
    messages = [{"role": "user", "content": "x"}, {"role": "assistant", "content": None, "tool_calls": calls}]
    sent, _ = patched({"messages": messages}, exact_call_ids=True, call_id_limit=9)
    assert sent["messages"] == messages
