"""The Factory proxy's environment starts this gateway, and each request that its README shows is answered so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import openai
import pytest

from tests.asgi import ask
from tests.dropin.playing import curl, events
from tests.fakes import answers
from tests.fakes.gateway import RunningGateway
from tests.fakes.upstream import Script, ScriptedUpstream, Seen, answer_json, answer_sse

KEY = "YOUR_PROXY_API_KEY"
GREETING = "你好！我是 Droid，很高兴为你服务。有什么我可以帮助你的吗？"
FIRST = """curl -X POST http://localhost:8003/v1/chat/completions \\
  -H "Content-Type: application/json" \\
  -H "Authorization: Bearer YOUR_PROXY_API_KEY" \\
  -d '{
    "model": "claude-sonnet-4-5-20250929",
    "messages": [
      {"role": "user", "content": "你好，请用中文简短回复"}
    ],
    "max_tokens": 50
  }'"""
WITH_SYSTEM = """curl -X POST http://localhost:8003/v1/chat/completions \\
  -H "Content-Type: application/json" \\
  -H "Authorization: Bearer YOUR_PROXY_API_KEY" \\
  -d '{
    "model": "claude-sonnet-4-5-20250929",
    "messages": [
      {"role": "system", "content": "You are a helpful math tutor."},
      {"role": "user", "content": "What is 25 * 4?"}
    ],
    "max_tokens": 50,
    "temperature": 0.7
  }'"""
LISTED = ["claude-opus-4-20250514", "claude-sonnet-3-5-20240620", "claude-sonnet-4-5-20250929"]
RELAY = "/https://app.factory.ai/api/llm/a/v1/messages"


def answer(seen: Seen) -> Script:
    """Factory's route of Messages, behind a relay's address; the cue is the first word of the last user's text."""
    if seen.path != RELAY or seen.headers.get("authorization") != "Bearer fk-your-factory-key":
        return answer_json({"type": "error", "error": {"type": "not_found_error", "message": seen.path}}, 404)
    if seen.body.get("stream"):
        return answer_sse(answers.stream("anthropic-messages"))
    content = seen.body["messages"][-1]["content"]
    cue = content if isinstance(content, str) else content[-1]["text"]
    reason = cue if cue in ("end_turn", "max_tokens", "stop_sequence") else "end_turn"
    whole = {
        **answers.whole("anthropic-messages", GREETING),
        "id": "msg_01Hn4rd36DodnMx6Ggpnv1Q1",
        "model": seen.body["model"],
        "stop_reason": reason,
        "usage": {"input_tokens": 34, "output_tokens": 37},
    }
    return answer_json(whole)


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedUpstream]:
    found = ScriptedUpstream()
    found.default = answer
    yield found
    found.close()


@pytest.fixture(scope="module")
def gateway(server: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    running = RunningGateway(
        tmp_path_factory.mktemp("factory-proxy"),
        FACTORY_API_KEY="fk-your-factory-key",
        PROXY_API_KEY=KEY,
        ANTHROPIC_TARGET_URL=server.url + RELAY,
    )
    yield running.start()
    running.kill()


@pytest.mark.slow
class TestTheDocumentedServer:
    def test_the_first_request_is_answered_as_shown(self, gateway: Any, server: Any) -> None:
        status, _, body = curl(gateway, FIRST)
        found = json.loads(body)
        assert status == 200
        assert (found["id"], found["object"]) == ("msg_01Hn4rd36DodnMx6Ggpnv1Q1", "chat.completion")
        assert isinstance(found["created"], int)
        assert found["model"] == "claude-sonnet-4-5-20250929"
        (choice,) = found["choices"]
        assert (choice["index"], choice["finish_reason"]) == (0, "stop")
        assert (choice["message"]["role"], choice["message"]["content"]) == ("assistant", GREETING)
        usage = found["usage"]
        assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (34, 37, 71)
        sent = server.last.body
        assert (sent["model"], sent["max_tokens"]) == ("claude-sonnet-4-5-20250929", 50)
        assert KEY not in str(server.last.headers) + str(sent)

    def test_system_messages_follow_the_proxys_own_prompt(self, gateway: Any, server: Any) -> None:
        assert curl(gateway, WITH_SYSTEM)[0] == 200
        sent = server.last.body
        texts = [block["text"] for block in sent["system"]]
        assert texts[0].startswith("You are Droid, an AI software engineering agent built by Factory.")
        assert texts[1:] == ["You are a helpful math tutor."]
        assert [message["role"] for message in sent["messages"]] == ["user"]
        assert sent["temperature"] == 0.7

    def test_the_whole_shape_of_a_request_passes(self, gateway: Any, server: Any) -> None:
        messages = [
            {"role": "system", "content": "System prompt"},
            {"role": "user", "content": "User message"},
            {"role": "assistant", "content": "Assistant message"},
            {"role": "user", "content": "Go on"},
        ]
        body = {"messages": messages, "max_tokens": 100, "temperature": 0.7, "stream": False}
        asked = json.dumps({"model": "claude-sonnet-4-5-20250929", **body})
        command = FIRST.partition("-d '")[0] + f"-d '{asked}'"
        assert curl(gateway, command)[0] == 200
        assert [message["role"] for message in server.last.body["messages"]] == ["user", "assistant", "user"]

    @pytest.mark.parametrize(
        ("reason", "finish"), [("end_turn", "stop"), ("max_tokens", "length"), ("stop_sequence", "stop")]
    )
    def test_reasons_to_stop_are_mapped(self, gateway: Any, reason: str, finish: str) -> None:
        _, _, body = curl(gateway, FIRST.replace("你好，请用中文简短回复", reason))
        assert json.loads(body)["choices"][0]["finish_reason"] == finish

    def test_a_stream_is_one_of_chat(self, gateway: Any) -> None:
        status, headers, body = curl(gateway, FIRST.replace('"max_tokens": 50', '"max_tokens": 50, "stream": true'))
        assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        chunks = [data for _, data in events(body)]
        assert chunks[-1] == "[DONE]"
        assert {chunk["id"] for chunk in chunks[:-1]} == {"msg_up1"}
        texts = [c["choices"][0]["delta"].get("content") or "" for c in chunks[:-1] if c["choices"]]
        assert "".join(texts) == "Hello there."

    def test_the_python_sdk_works_as_shown(self, gateway: Any) -> None:
        client = openai.OpenAI(api_key=KEY, base_url=f"{gateway.url}/v1", max_retries=0)
        response = client.chat.completions.create(
            model="claude-sonnet-4-5-20250929",
            messages=[
                {"role": "system", "content": "You are a helpful assistant."},
                {"role": "user", "content": "Hello, how are you?"},
            ],
            max_tokens=100,
        )
        assert response.choices[0].message.content == GREETING

    @pytest.mark.parametrize("path", ["/health", "/v1/health"])
    def test_health_has_the_three_fields(self, gateway: Any, path: str) -> None:
        status, _, body = curl(gateway, f"curl http://localhost:8003{path}")
        found = json.loads(body)
        assert (status, found["status"]) == (200, "healthy")
        assert datetime.fromisoformat(found["timestamp"]).tzinfo is not None
        assert isinstance(found["uptime"], float | int)

    def test_the_documented_models_are_listed_and_any_claude_answers(self, gateway: Any, server: Any) -> None:
        _, _, body = curl(gateway, f"curl http://localhost:8003/v1/models -H 'Authorization: Bearer {KEY}'")
        assert sorted(model["id"] for model in json.loads(body)["data"]) == LISTED
        for model in (*LISTED, "claude-haiku-4-5-20251001"):
            assert curl(gateway, FIRST.replace("claude-sonnet-4-5-20250929", model))[0] == 200
            assert server.last.body["model"] == model
        assert curl(gateway, FIRST.replace("claude-sonnet-4-5-20250929", "gpt-4"))[0] == 404

    def test_another_key_or_none_is_a_401_in_openais_shape(self, gateway: Any) -> None:
        for command in (
            FIRST.replace(KEY, "fk-somebody"),
            FIRST.replace(f'  -H "Authorization: Bearer {KEY}" \\\n', ""),
        ):
            status, _, body = curl(gateway, command)
            assert (status, json.loads(body)["error"]["code"]) == (401, "invalid_api_key")

    def test_no_key_is_in_the_log(self, gateway: Any) -> None:
        assert "fk-your-factory-key" not in gateway.log()
        assert KEY not in gateway.log()


def of(**variables: str) -> Any:
    return pytest.mark.parametrize("environment", [variables], indirect=True)


ASKED = {"model": LISTED[2], "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 50}


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        ({"ANTHROPIC_TARGET_URL": "{url}", "FACTORY_API_KEY": "fk"}, "/v1/messages"),
        ({"ANTHROPIC_TARGET_URL": "{url}/v1/", "FACTORY_API_KEY": "fk"}, "/v1/messages"),
        ({"ANTHROPIC_TARGET_URL": "{url}/own/v1/messages", "FACTORY_API_KEY": "fk"}, "/own/v1/messages"),
        ({"ANTHROPIC_TARGET_URL": "{url}/api/llm/a/v1/messages", "FACTORY_API_KEY": "fk"}, "/api/llm/a/v1/messages"),
        ({"ANTHROPIC_TARGET_URL": "{url}" + RELAY, "FACTORY_API_KEY": "fk"}, RELAY),
    ],
    indirect=["environment"],
)
async def test_the_target_is_taken_as_people_write_it(environment: Any, app: Any, upstream: Any, path: str) -> None:
    upstream.then(answer_json(answers.whole("anthropic-messages")))
    assert (await ask(app, "POST", "/v1/chat/completions", ASKED)).status == 200
    assert (upstream.last.path, upstream.last.headers["authorization"]) == (path, "Bearer fk")


@of(ANTHROPIC_TARGET_URL="{url}" + RELAY)
async def test_the_old_host_is_told_and_left_as_it_is(environment: Any, app: Any) -> None:
    assert any("app.factory.ai" in sentence for sentence in environment.told)


@of(ANTHROPIC_TARGET_URL="{url}/v1/messages")
async def test_without_a_key_it_starts_and_says_what_to_configure(environment: Any, app: Any, upstream: Any) -> None:
    got = await ask(app, "POST", "/v1/chat/completions", ASKED)
    assert got.status == 401
    assert "has no key" in got.json["error"]["message"]
    assert upstream.seen == []
