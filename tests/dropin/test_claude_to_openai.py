"""The Claude-to-OpenAI proxy's environment starts this gateway, and each request that its README shows is answered so.

Its callers had no keys of the proxy's own: ALLOW_ANONYMOUS_ACCESS=true is what they need here besides.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from tests.asgi import ask
from tests.dropin.playing import curl, events
from tests.fakes import answers
from tests.fakes.gateway import RunningGateway
from tests.fakes.upstream import ScriptedUpstream, Seen, answer_json, answer_sse

REQUEST = """curl -X POST http://localhost:3000/v1/messages \\
  -H "Content-Type: application/json" \\
  -H "x-api-key: your-api-key" \\
  -d '{
    "model": "gpt-3.5-turbo",
    "max_tokens": 100,%s
    "messages": [
      {
        "role": "user",
        "content": "Hello, world!"
      }
    ]
  }'"""
WHOLE, STREAMED = REQUEST % "", REQUEST % '\n    "stream": true,'

SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "format": {"type": "string", "format": "uri"},
        "additionalProperties": {"type": "object", "properties": {"$schema": {"type": "integer"}}},
        "when": {"type": "string", "format": "date-time"},
    },
    "required": ["format"],
}


class Servers:
    """The main server and the one for haiku."""

    def __init__(self) -> None:
        self.main, self.haiku = ScriptedUpstream(), ScriptedUpstream()
        for server in (self.main, self.haiku):
            server.default = self.answer

    @staticmethod
    def answer(seen: Seen) -> Any:
        if seen.path != "/v1/chat/completions":
            return answer_json({"error": {"message": "no such path"}}, 404)
        if seen.headers.get("authorization") == "Bearer wrong":
            return answer_json({"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}, 401)
        if seen.body.get("stream"):
            return answer_sse(answers.stream("openai-chat"))
        return answer_json({**answers.whole("openai-chat"), "model": seen.body["model"]})

    def clear(self) -> None:
        self.main.seen.clear()
        self.haiku.seen.clear()

    def close(self) -> None:
        self.main.close()
        self.haiku.close()


@pytest.fixture(scope="module")
def both() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.close()


@pytest.fixture
def servers(both: Servers) -> Servers:
    both.clear()
    return both


@pytest.fixture(scope="module")
def gateway(both: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    running = RunningGateway(
        tmp_path_factory.mktemp("relay"),
        ALLOW_ANONYMOUS_ACCESS="true",
        OPENAI_BASE_URL=f"{both.main.url}/v1",
        OPENAI_API_KEY="your-openai-key",
        HAIKU_MODEL_NAME="fast-model",
        HAIKU_BASE_URL=f"{both.haiku.url}/v1",
        HAIKU_API_KEY="sk-haiku",
    )
    yield running.start()
    running.kill()


@pytest.mark.slow
def test_a_message_goes_out_as_chat_and_comes_back_as_a_message(gateway, servers):
    status, _, body = curl(gateway, WHOLE)
    answer = json.loads(body)
    assert status == 200
    assert answer["id"].startswith("msg_")
    assert (answer["type"], answer["role"], answer["model"]) == ("message", "assistant", "gpt-3.5-turbo")
    assert answer["content"] == [{"type": "text", "text": "Hello there."}]
    assert (answer["stop_reason"], answer["stop_sequence"]) == ("end_turn", None)
    assert (answer["usage"]["input_tokens"], answer["usage"]["output_tokens"]) == (9, 4)
    seen = servers.main.last
    assert seen.headers["authorization"] == "Bearer your-openai-key"
    assert "your-api-key" not in str(seen.headers)
    assert seen.body["model"] == "gpt-3.5-turbo"
    assert seen.body["max_tokens"] == 100
    assert seen.body["messages"] == [{"role": "user", "content": "Hello, world!"}]


@pytest.mark.slow
def test_a_stream_is_a_messages_stream(gateway, servers):
    status, headers, body = curl(gateway, STREAMED)
    assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert headers["x-accel-buffering"] == "no"
    names = [name for name, _ in events(body) if name != "ping"]
    assert names[:2] == ["message_start", "content_block_start"]
    assert names[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    deltas = [data["delta"]["text"] for name, data in events(body) if name == "content_block_delta"]
    assert "".join(deltas) == "Hello there."
    last = dict(events(body))["message_delta"]
    assert (last["delta"]["stop_reason"], last["usage"]["output_tokens"]) == ("end_turn", 4)
    assert servers.main.last.body["stream_options"] == {"include_usage": True}


@pytest.mark.slow
def test_health(gateway):
    status, _, body = curl(gateway, "curl http://localhost:3000/health")
    assert (status, json.loads(body)["status"]) == (200, "healthy")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["claude-3-5-haiku-20241022", "claude-haiku-4-5-20251001", "Claude-3-HAIKU"])
def test_names_with_haiku_go_to_the_other_server_under_its_models_name(gateway, servers, model):
    status, headers, _ = curl(gateway, WHOLE.replace("gpt-3.5-turbo", model))
    assert (status, headers["x-dragoman-upstream"], headers["x-dragoman-model"]) == (200, "env-haiku", "fast-model")
    assert servers.main.seen == []
    assert servers.haiku.last.headers["authorization"] == "Bearer sk-haiku"
    assert servers.haiku.last.body["model"] == "fast-model"


@pytest.mark.slow
def test_any_other_name_goes_to_the_main_server_as_it_is(gateway, servers):
    for model in ("claude-sonnet-4-5-20250929", "llama3:8b", "some/model"):
        assert curl(gateway, WHOLE.replace("gpt-3.5-turbo", model))[0] == 200
        assert servers.main.last.body["model"] == model


@pytest.mark.slow
def test_tool_schemas_are_cleaned_of_keywords_and_keep_their_properties(gateway, servers):
    client = anthropic.Anthropic(base_url=gateway.url, api_key="your-api-key", max_retries=0)
    client.messages.create(
        model="gpt-3.5-turbo",
        max_tokens=100,
        messages=[{"role": "user", "content": "Look it up."}],
        tools=[{"name": "look_up", "description": "Looks up.", "input_schema": SCHEMA}],
    )
    sent = servers.main.last.body["tools"][0]["function"]["parameters"]
    assert "$schema" not in sent
    assert "additionalProperties" not in sent
    assert set(sent["properties"]) == {"format", "additionalProperties", "when"}
    assert sent["properties"]["format"]["type"] == "string"
    assert "format" not in sent["properties"]["format"]
    assert sent["properties"]["when"]["format"] == "date-time"
    assert sent["properties"]["additionalProperties"]["properties"] == {"$schema": {"type": "integer"}}
    assert sent["required"] == ["format"]


@pytest.mark.slow
def test_a_call_of_a_tool_comes_back_as_one(gateway, servers):
    call = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": '{"format": "a"}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    whole = answers.whole("openai-chat")
    whole["choices"][0] |= {"message": message, "finish_reason": "tool_calls"}
    servers.main.then(answer_json(whole))
    client = anthropic.Anthropic(base_url=gateway.url, api_key="your-api-key", max_retries=0)
    answer = client.messages.create(
        model="gpt-3.5-turbo",
        max_tokens=100,
        messages=[{"role": "user", "content": "Look it up."}],
        tools=[{"name": "look_up", "input_schema": {"type": "object", "properties": {}}}],
    )
    assert answer.stop_reason == "tool_use"
    block = answer.content[0]
    assert (block.type, block.name, block.input) == ("tool_use", "look_up", {"format": "a"})


@pytest.mark.slow
def test_an_image_goes_along(gateway, servers):
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    content = json.dumps([{"type": "text", "text": "What is it?"}, image])
    assert curl(gateway, WHOLE.replace('"Hello, world!"', content))[0] == 200
    parts = servers.main.last.body["messages"][0]["content"]
    assert parts[1]["image_url"]["url"] == "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.slow
def test_a_page_of_another_origin_may_not_use_an_open_door_unasked(gateway):
    """There, CORS was open to all; with keys required it is here too, and an open door says who (docs/drop-in.md)."""
    asked = "curl -X OPTIONS http://localhost:3000/v1/messages -H 'Origin: https://a.example' "
    _, headers, _ = curl(gateway, asked + "-H 'Access-Control-Request-Method: POST'")
    assert "access-control-allow-origin" not in headers


# --- without OPENAI_API_KEY: there, the caller's key was the server's ------------------------------------------------

keyless = pytest.mark.parametrize("environment", [{"OPENAI_BASE_URL": "{url}"}], indirect=True)
ASKED = {"model": "gpt-3.5-turbo", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello, world!"}]}


@keyless
async def test_without_a_key_of_ours_the_callers_goes_out(environment, app, upstream):
    upstream.default = Servers.answer
    for headers in ({"x_api_key": "your-api-key"}, {"authorization": "Bearer your-api-key"}):
        assert (await ask(app, "POST", "/v1/messages", ASKED, **headers)).status == 200
        assert upstream.last.headers["authorization"] == "Bearer your-api-key"
    got = await ask(app, "POST", "/v1/messages", ASKED, x_api_key="wrong")
    assert (got.status, got.json["error"]["type"]) == (401, "authentication_error")


@keyless
async def test_a_local_server_needs_no_key_at_all(environment, app, upstream):
    upstream.default = Servers.answer
    assert (await ask(app, "POST", "/v1/messages", ASKED)).status == 200
    assert "authorization" not in upstream.last.headers


@keyless
async def test_without_haiku_variables_its_names_are_like_others(environment, app, upstream):
    upstream.default = Servers.answer
    body = {**ASKED, "model": "claude-3-5-haiku-20241022"}
    assert (await ask(app, "POST", "/v1/messages", body)).status == 200
    assert upstream.last.body["model"] == "claude-3-5-haiku-20241022"
