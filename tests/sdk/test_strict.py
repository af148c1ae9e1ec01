"""The strict upstreams refuse what a bad translation would send; else the scenarios would prove nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes import strict_chat, strict_messages
from tests.fakes.strict_chat import StrictChat
from tests.fakes.strict_messages import StrictMessages
from tests.fakes.upstream import Script, Seen
from tests.sdk.scenarios.things import WEATHER

HI = {"role": "user", "content": "hello"}
USE = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "21"}
THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "good"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
BUDGET = {"type": "enabled", "budget_tokens": 2000}


def said(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def given(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def to_messages(*messages: dict[str, Any], version: str = "2023-06-01", **changes: Any) -> Script:
    body = {"model": "claude-haiku-4-5", "max_tokens": 4000, "messages": list(messages)}
    body["tools"] = [{"name": "get_weather", "input_schema": WEATHER}]
    headers = {"x-api-key": strict_messages.KEY, "anthropic-version": version}
    strict = StrictMessages()
    strict.proofs["good"] = "Hm."
    return strict(Seen("POST", "/v1/messages", headers, json.dumps({**body, **changes}).encode()))


def to_chat(*messages: dict[str, Any], **changes: Any) -> Script:
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}
    body = {"model": "gpt-4o", "messages": list(messages), "tools": [tool], **changes}
    headers = {"authorization": f"Bearer {strict_chat.KEY}"}
    strict = StrictChat()
    strict.thoughts["call_thought"] = "Hm."
    return strict(Seen("POST", "/v1/chat/completions", headers, json.dumps(body).encode()))


def test_good_requests_are_answered() -> None:
    assert to_messages(HI).status == 200
    assert to_messages(HI, said(THINKING, USE), given(RESULT), thinking=BUDGET).status == 200
    assert to_chat(HI).status == 200
    answered = {"role": "tool", "tool_call_id": "call_1", "content": "21"}
    assert to_chat(HI, {"role": "assistant", "content": None, "tool_calls": [CALL]}, answered).status == 200


@pytest.mark.parametrize(
    "messages",
    [
        [said({"type": "text", "text": "hi"})],
        [HI, HI],
        [HI, said(USE)],
        [HI, said(USE), HI],
        [HI, said(USE), given({"type": "text", "text": "so"}, RESULT)],
        [given(RESULT)],
        [HI, said(USE, USE), given(RESULT)],
        [HI, said({**USE, "id": "call.1"}), given({**RESULT, "tool_use_id": "call.1"})],
        [HI, said({**USE, "input": "{}"}), given(RESULT)],
        [HI, said({**THINKING, "signature": "forged"}, USE), given(RESULT)],
        [HI, said({**THINKING, "thinking": "Changed."}, USE), given(RESULT)],
        [HI, said(USE, THINKING), given(RESULT)],
        [HI, said({"type": "text", "text": " "}), HI],
        [HI, said({"type": "text", "text": "so "})],
        [{"role": "system", "content": "no"}, HI],
        [given({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "%"}})],
    ],
)
def test_messages_refuses_an_impossible_history(messages: list[dict[str, Any]]) -> None:
    assert to_messages(*messages).status == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"thinking": {"type": "adaptive"}},
        {"thinking": BUDGET, "temperature": 0.5},
        {"thinking": BUDGET, "max_tokens": 2000},
        {"thinking": BUDGET, "tool_choice": {"type": "any"}},
        {"thinking": BUDGET, "messages": [HI, said(USE), given(RESULT)]},
        {"model": "claude-opus-4-7", "thinking": BUDGET},
        {"model": "claude-opus-4-7", "temperature": 1},
        {"version": "2026-10-21", "temperature": 1},
        {"thread": {"type": "create"}},
        {"tool_choice": {"type": "tool", "name": "nobody"}},
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        {"stop_sequences": [" "]},
        {"seed": 1},
    ],
)
def test_messages_refuses_impossible_settings(changes: dict[str, Any]) -> None:
    messages = changes.pop("messages", [HI])
    assert to_messages(*messages, **changes).status == 400


ASKED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
THOUGHT = {"role": "assistant", "content": None, "tool_calls": [{**CALL, "id": "call_thought"}]}
ANSWERED = {"role": "tool", "tool_call_id": "call_thought", "content": "21"}


@pytest.mark.parametrize(
    ("messages", "changes"),
    [
        ([HI, ASKED], {}),
        ([HI, ASKED, HI], {}),
        ([HI, {"role": "tool", "tool_call_id": "call_1", "content": "21"}], {}),
        ([HI, {"role": "assistant", "content": None}], {}),
        ([HI, {**HI, "content": [{"type": "image", "source": {}}]}], {}),
        ([HI, {"role": "assistant", "content": "so", "reasoning_content": "Hm."}], {}),
        ([HI, THOUGHT, ANSWERED], {"model": "deepseek-chat"}),
        ([HI, {**THOUGHT, "reasoning_content": "Changed."}, ANSWERED], {"model": "deepseek-chat"}),
        ([HI], {"max_tokens": 5, "max_completion_tokens": 5}),
        ([HI], {"model": "gpt-5.1", "max_tokens": 5}),
        ([HI], {"stream_options": {"include_usage": True}}),
        ([HI], {"top_k": 5}),
        ([HI], {"thinking": BUDGET}),
        ([HI], {"tools": []}),
        ([HI], {"stop": ["a", "b", "c", "d", "e"]}),
        ([HI], {"response_format": {"type": "json_schema", "json_schema": {"name": "a b", "schema": {}}}}),
    ],
)
def test_chat_refuses_what_is_impossible(messages: list[dict[str, Any]], changes: dict[str, Any]) -> None:
    assert to_chat(*messages, **changes).status == 400


def test_both_refuse_unknown_models_and_foreign_keys() -> None:
    assert to_messages(HI, model="gpt-4o").status == 404
    assert to_chat(HI, model="claude-haiku-4-5").status == 404
    assert StrictChat()(Seen("POST", "/v1/chat/completions", {}, b"{}")).status == 400
    assert StrictMessages()(Seen("POST", "/v1/messages", {}, b"{}")).status == 400
