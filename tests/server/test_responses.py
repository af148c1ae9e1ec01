"""Responses on the running server: the official SDK, Codex's own requests, and the WebSocket that Codex tries first."""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.fakes import strict_chat, strict_messages, strict_responses
from tests.fakes.gateway import KEY, RunningGateway
from tests.fakes.strict_chat import StrictChat
from tests.fakes.strict_messages import StrictMessages
from tests.fakes.strict_responses import StrictResponses
from tests.fakes.upstream import ScriptedUpstream

pytestmark = pytest.mark.slow

AGENTS = Path(__file__).resolve().parent.parent / "fixtures" / "corpus" / "clients"
UPSTREAMS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "chat": (StrictChat, strict_chat.KEY, {"kind": "openai_compatible"}),
    "messages": (StrictMessages, strict_messages.KEY, {"kind": "anthropic"}),
    "responses": (StrictResponses, strict_responses.KEY, {"kind": "openai", "api": "responses"}),
}
MODEL = {"chat": "deepseek-chat", "messages": "claude-opus-4-7", "responses": "gpt-6.1-sol"}
TOOLS: list[Any] = [
    {
        "type": "function",
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"type": "string"}},
            "required": ["city"],
        },
    }
]


class House:
    """A gateway in front of the three strict upstreams."""

    def __init__(self, gateway: RunningGateway, strict: dict[str, Any], servers: dict[str, ScriptedUpstream]) -> None:
        self.gateway = gateway
        self.strict = strict
        self.servers = servers
        self.client = openai.OpenAI(api_key=KEY, base_url=f"{gateway.url}/v1", max_retries=0)

    def post(self, body: Any) -> bytes:
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        request = urllib.request.Request(f"{self.gateway.url}/v1/responses", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read())


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    servers = {name: ScriptedUpstream() for name in UPSTREAMS}
    strict = {name: make() for name, (make, _, _) in UPSTREAMS.items()}
    for name, server in servers.items():
        server.default = strict[name]
    document = {
        "upstreams": [
            {"name": name, "base_url": servers[name].url, "keys": [{"name": "k", "value": key}], "retries": 0, **more}
            for name, (_, key, more) in UPSTREAMS.items()
        ],
        "models": [{"name": name, "routes": [{"upstream": name, "model": MODEL[name]}]} for name in UPSTREAMS],
        "clients": [{"name": "alice", "keys": [{"name": "laptop", "value": KEY}]}],
    }
    data = tmp_path_factory.mktemp("gateway")
    gateway = RunningGateway(data)
    gateway.manage("bootstrap")
    gateway.apply(document)
    gateway.start(bootstrap=False)
    yield House(gateway, strict, servers)
    gateway.kill()
    for server in servers.values():
        server.close()


@pytest.fixture(params=list(UPSTREAMS))
def over(request: pytest.FixtureRequest, house: House) -> Iterator[str]:
    """An upstream, by its dialect. It may have found nothing wrong but proofs that agents had from elsewhere, which are
    then left out."""
    refused = house.strict[request.param].refused
    refused.clear()
    yield request.param
    assert [words for words in refused if "could not be verified" not in words] == []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_sdk_reads_an_answer_of_every_upstream(house: House, over: str, stream: bool) -> None:
    asked: dict[str, Any] = {"model": over, "input": "hello", "instructions": "Be kind.", "store": False}
    if stream:
        with house.client.responses.stream(**asked) as events:
            said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
            answer = events.get_final_response()
        assert said == answer.output_text
    else:
        answer = house.client.responses.create(**asked)
    assert answer.output_text == "Hello there, Zoë 🌍."
    assert answer.status == "completed"
    assert answer.instructions == "Be kind."
    assert answer.usage is not None
    assert answer.usage.total_tokens == 19


def test_the_sdk_plays_a_tool_loop_over_every_upstream(house: House, over: str) -> None:
    talk: list[Any] = [{"role": "user", "content": "weather"}]
    with house.client.responses.stream(model=over, input=talk, tools=TOOLS, store=False) as events:
        for _ in events:
            pass
        answer = events.get_final_response()
    calls = [item for item in answer.output if item.type == "function_call"]
    assert [json.loads(call.arguments) for call in calls] == [
        {"city": "Paris", "unit": "celsius"},
        {"city": "Zürich", "unit": "celsius"},
    ]
    talk += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in answer.output]
    talk += [{"type": "function_call_output", "call_id": call.call_id, "output": "21"} for call in calls]
    last = house.client.responses.create(model=over, input=talk, tools=TOOLS, store=False)
    assert "21" in last.output_text


@pytest.mark.parametrize(
    "agent", ["codex-01", "codex-02", "codex-03", "codex-04", "codex-05", "opencode-03", "opencode-04", "opencode-08"]
)
def test_what_agents_send_is_taken_by_every_upstream(house: House, over: str, agent: str) -> None:
    body = json.loads((AGENTS / f"{agent}-v1_responses.json").read_text())["body"]
    if over == "messages":  # the strict fake knows no hosted tools, which are mapped for this upstream
        body["tools"] = [tool for tool in body.get("tools", []) if tool["type"] != "web_search"]
    raw = house.post({**body, "model": over})
    assert b"event: response.completed\n" in raw
    assert raw.count(b"event: response.output_item.added\n") == raw.count(b"event: response.output_item.done\n")


def test_a_websocket_gets_426_so_that_codex_goes_on_over_http(house: House) -> None:
    head = (
        "GET /v1/responses HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Authorization: Bearer {KEY}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", house.gateway.port), timeout=10) as connection:
        connection.sendall(head.encode())
        answer = b""
        while b"not_offered" not in answer and (piece := connection.recv(65536)):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 426 ")
    assert b'"websocket_not_offered"' in answer


def test_an_unknown_model_is_a_404_in_this_dialect(house: House) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        house.client.responses.create(model="nobody", input="hi")
    assert caught.value.code == "model_not_found"
