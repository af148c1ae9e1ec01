"""Recorded requests of coding agents, sent as they are, answered by a stream with a tool call over every dialect.

What comes back must be what an SDK can collect, and going on with the tool's result must be taken by upstreams that
check it. The recordings: tests/fixtures/corpus/clients, tests/fixtures/corpus/README.md.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.corpus.sdk import read
from tests.fakes.mind import Answer, Ask, ToolUse
from tests.fakes.responses_items import Proof
from tests.fakes.upstream import Seen
from tests.sdk.conftest import Gateway
from tests.sdk.scenarios import CHAT, MESSAGES, RESPONSES

RECORDINGS = Path(__file__).resolve().parent.parent / "fixtures" / "corpus" / "clients"
OVER_CHAT = ("compatible/deepseek-chat",)
OVER_MESSAGES = ("anthropic/claude-haiku-4-5", "anthropic/claude-opus-4-7")
OVER_OTHERS = ("gemini/gemini-3-pro-preview",)
CASES = [
    *[
        (path, there)
        for path in sorted(RECORDINGS.glob("*-v1_messages.json"))
        for there in ("same", *OVER_CHAT, "openai/gpt-5.1", "responses/gpt-5.2", *OVER_OTHERS)
    ],
    *[
        (path, there)
        for path in sorted(RECORDINGS.glob("*-v1_chat_*.json"))
        for there in ("same", *OVER_CHAT, *OVER_MESSAGES, "responses/gpt-5.2", *OVER_OTHERS)
    ],
    *[
        (path, there)
        for path in sorted(RECORDINGS.glob("*-v1_responses.json"))
        for there in ("same", *OVER_CHAT, "openai/gpt-5.1", *OVER_MESSAGES, *OVER_OTHERS)
    ],
]
"""Where a recorded request goes: to the very model it asks for, in its own dialect, and to others."""
HTTP = httpx.Client(trust_env=False, timeout=20)
pytestmark = pytest.mark.slow
ARGUMENTS = {"command": "ls -la", "description": "Zeigt, was da ist — 📁"}
THOUGHT = ["I should look ", "first."]


@pytest.fixture
def agents(gateway: Gateway):
    """Upstreams that answer with a tool call whenever they may."""
    minds = {dialect: strict.mind for dialect, strict in gateway.behind.items()}
    for dialect, strict in gateway.behind.items():
        strict.mind = _agent
        gateway.servers[dialect].seen.clear()
    yield gateway
    for dialect, mind in minds.items():
        gateway.behind[dialect].mind = mind


def _agent(ask: Ask) -> Answer:
    calls = [ToolUse(name, ARGUMENTS) for name in ask.tools if name.lower() == "bash"]
    return Answer(text=["Let me ", "see."], calls=calls, thinking=THOUGHT if ask.thinks else [])


def recorded(path: Path, agents: Gateway) -> dict[str, Any]:
    recording = json.loads(path.read_text())
    for block in blocks(recording["body"], "thinking"):
        agents.messages.proofs[block["signature"]] = block["thinking"]
    items = recording["body"].get("input", [])
    calls = [item["call_id"] for item in items if "call_id" in item]
    for item in items:
        if item.get("encrypted_content"):
            agents.responses.proofs[item["encrypted_content"]] = Proof(item["id"], agents.responses.key, calls)
    return recording


def blocks(body: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    contents = [message.get("content") for message in body.get("messages", [])]
    lists = [content for content in contents if isinstance(content, list)]
    return [block for content in lists for block in content if block.get("type") == kind]


def send(agents: Gateway, recording: dict[str, Any], body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """(the caller's dialect, the answer as its SDK has collected it)"""
    headers = {**recording["headers"], "authorization": f"Bearer {agents.key}"}
    got = HTTP.post(agents.url + recording["path"], headers=headers, content=json.dumps(body).encode())
    assert got.status_code == 200, f"{got.text}\n{agents.refused}"
    dialect = spoken(recording)
    return dialect, read(dialect, got.content, stream=bool(body.get("stream")))


def spoken(recording: dict[str, Any]) -> str:
    """The dialect of the recorded agent."""
    if "/messages" in recording["path"]:
        return MESSAGES
    return RESPONSES if recording["path"].endswith("/responses") else CHAT


def going_on(dialect: str, body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """The next request of an agent that has run its tool."""
    if dialect == MESSAGES:
        said = [{k: v for k, v in block.items() if v is not None} for block in answer["content"]]
        ran = [
            {"type": "tool_result", "tool_use_id": block["id"], "content": "README.md"}
            for block in said
            if block["type"] == "tool_use"
        ]
        new = [{"role": "assistant", "content": said}, {"role": "user", "content": ran}]
    elif dialect == RESPONSES:
        given = [as_sent(item) for item in answer["output"]]
        ids = [item["call_id"] for item in given if "call_id" in item]
        ran = [{"type": "function_call_output", "call_id": each, "output": "README.md"} for each in ids]
        return {**body, "input": [*body["input"], *given, *ran]}
    else:
        message = answer["choices"][0]["message"]
        calls = [{key: call[key] for key in ("id", "type", "function")} for call in message["tool_calls"]]
        for call in calls:
            call["function"].pop("parsed_arguments", None)
        said = {"role": "assistant", "content": message["content"], "tool_calls": calls}
        if message.get("reasoning_content"):
            said["reasoning_content"] = message["reasoning_content"]
        new = [said, *[{"role": "tool", "tool_call_id": call["id"], "content": "README.md"} for call in calls]]
    return {**body, "messages": [*body["messages"], *new]}


def as_sent(item: dict[str, Any]) -> dict[str, Any]:
    """An item of an answer without what the SDK's helper has put into it."""
    kept = {key: value for key, value in item.items() if value is not None and key != "parsed_arguments"}
    if "content" in kept:
        kept["content"] = [{key: part[key] for key in part if key != "parsed"} for part in kept["content"]]
    return kept


def called(dialect: str, answer: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    if dialect == MESSAGES:
        return [(block["name"], block["input"]) for block in answer["content"] if block["type"] == "tool_use"]
    if dialect == RESPONSES:
        items = [item for item in answer["output"] if item["type"] == "function_call"]
        return [(item["name"], json.loads(item["arguments"])) for item in items]
    calls = answer["choices"][0]["message"]["tool_calls"] or []
    return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]


def text_of(dialect: str, answer: dict[str, Any]) -> str:
    if dialect == MESSAGES:
        return "".join(block["text"] for block in answer["content"] if block["type"] == "text")
    if dialect == RESPONSES:
        parts = [part for item in answer["output"] if item["type"] == "message" for part in item["content"]]
        return "".join(part["text"] for part in parts)
    return str(answer["choices"][0]["message"]["content"])


@pytest.mark.parametrize(("path", "there"), CASES, ids=[f"{path.stem}-over-{there}" for path, there in CASES])
def test_an_agent_gets_a_call_and_goes_on(agents: Gateway, path: Path, there: str) -> None:
    recording = recorded(path, agents)
    body = recording["body"]
    own = {MESSAGES: "anthropic", RESPONSES: "responses", CHAT: "openai"}[spoken(recording)]
    agents.serve({body["model"]: f"{own}/{body['model']}" if there == "same" else there})

    dialect, answer = send(agents, recording, body)
    assert text_of(dialect, answer) == "Let me see."
    tools = [tool.get("name") or tool.get("function", tool).get("name", "") for tool in body.get("tools", [])]
    bash = [tool for tool in tools if tool.lower() == "bash"]
    assert called(dialect, answer) == [(tool, ARGUMENTS) for tool in bash]
    if there == "same" and own == "anthropic":
        check_untouched(agents.servers[MESSAGES].last, recording)
    if bash:
        dialect, answer = send(agents, recording, going_on(dialect, body, answer))
        assert called(dialect, answer) == [(bash[0], ARGUMENTS)]


def check_untouched(seen: Seen, recording: dict[str, Any]) -> None:
    """Nothing is translated on the way to the same dialect."""
    assert seen.body == recording["body"]
    for header in ("anthropic-version", "anthropic-beta"):
        assert seen.headers.get(header) == recording["headers"].get(header)


def test_thinking_is_shown_to_an_agent_over_a_chat_upstream(agents: Gateway) -> None:
    recording = recorded(RECORDINGS / "claude-code-01-v1_messages.json", agents)
    body = {**recording["body"], "thinking": {"type": "enabled", "budget_tokens": 31999}}
    agents.serve({body["model"]: "compatible/deepseek-chat"})
    dialect, answer = send(agents, recording, body)
    assert answer["content"][0]["thinking"] == "".join(THOUGHT)
    send(agents, recording, going_on(dialect, body, answer))
    assert agents.servers[CHAT].last.body["messages"][-2]["reasoning_content"] == "".join(THOUGHT)
