"""What the keeper of conversations asks of the dialect."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest

from proxyapp.dialects.openai_responses import state
from proxyapp.errors import BadRequest

ANSWER = {"id": "resp_1", "object": "response", "status": "completed", "output": [{"type": "message", "id": "msg_1"}]}


def numbered() -> Any:
    numbers = count(1)
    return lambda: f"{next(numbers):024}"


def test_the_previous_answer_is_named_or_not() -> None:
    assert state.previous_id({"previous_response_id": "resp_9"}) == "resp_9"
    assert state.previous_id({"previous_response_id": None}) is None
    assert state.previous_id({}) is None
    with pytest.raises(BadRequest, match="previous_response_id"):
        state.previous_id({"previous_response_id": 9})


@pytest.mark.parametrize(("body", "wanted"), [({}, True), ({"store": None}, True), ({"store": False}, False)])
def test_an_answer_may_be_kept_unless_the_caller_says_no(body: dict[str, Any], wanted: bool) -> None:
    assert state.wants_store(body) is wanted


def test_a_store_that_is_no_switch_is_refused() -> None:
    with pytest.raises(BadRequest, match="store"):
        state.wants_store({"store": "yes"})


def test_a_plain_string_is_one_user_message_with_an_id() -> None:
    assert state.input_items({"input": "hi"}, numbered()) == [
        {
            "id": "msg_" + "1".zfill(24),
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "hi"}],
        }
    ]


def test_items_keep_their_ids_and_the_others_get_one_of_their_kind() -> None:
    given = [
        {"role": "assistant", "content": "before"},
        {"type": "message", "id": "msg_own", "role": "user", "content": [{"type": "input_text", "text": "x"}]},
        {"type": "function_call_output", "call_id": "call_1", "output": "4", "id": None},
        {"type": "made_up_kind", "x": 1},
    ]
    items = state.input_items({"input": given}, numbered())
    assert items[0]["content"] == [{"type": "output_text", "text": "before", "annotations": []}]
    assert [item["id"] for item in items] == [
        "msg_" + "1".zfill(24),
        "msg_own",
        "fco_" + "2".zfill(24),
        "item_" + "3".zfill(24),
    ]


def test_no_input_is_no_item() -> None:
    assert state.input_items({}, numbered()) == []


@pytest.mark.parametrize("given", [5, [5], [{"content": "no role, no type"}], {"role": "user"}])
def test_a_malformed_input_is_refused(given: Any) -> None:
    with pytest.raises(BadRequest, match="input"):
        state.input_items({"input": given}, numbered())


def test_history_comes_before_the_new_input_and_old_instructions_do_not_come_back() -> None:
    body = {"model": "m", "instructions": "new", "previous_response_id": "resp_1", "input": "and now?"}
    kept = [{"type": "message", "id": "msg_1", "role": "assistant", "content": []}]
    made = state.with_history(body, kept)
    assert made == {
        "model": "m",
        "instructions": "new",
        "input": [
            kept[0],
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "and now?"}]},
        ],
    }
    assert body["previous_response_id"] == "resp_1"


def test_the_answer_is_found_in_a_whole_body_and_at_the_end_of_a_stream() -> None:
    assert state.finished(json.dumps(ANSWER).encode()) == ANSWER
    for kind in sorted(state.TERMINAL):
        event = json.dumps({"type": kind, "sequence_number": 7, "response": ANSWER})
        before = b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta"}\n\n'
        assert state.finished(before + f"event: {kind}\ndata: {event}\n\n".encode()) == ANSWER


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{}",
        b'{"error": {"message": "no"}}',
        b"[1]",
        b": keep-alive\n\n",
        b'event: response.created\ndata: {"type":"response.created","response":{"object":"response","output":[]}}\n\n',
        b'data: {"type":"response.completed","response":5}\n\n',
        b"\xff\xfe",
    ],
)
def test_anything_else_is_no_finished_answer(sent: bytes) -> None:
    assert state.finished(sent) is None
