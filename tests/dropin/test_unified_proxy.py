"""The unified proxy's environment starts this gateway, and each request that its README shows is answered so.

Its callers had keys of the proxy's; here they send the one that the first start prints. Conversations come later.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.asgi import ask
from tests.dropin.playing import curl, events
from tests.fakes import answers
from tests.fakes.gateway import RunningGateway
from tests.fakes.strict_coze import BOT, StrictCoze
from tests.fakes.strict_coze import KEY as COZE_KEY
from tests.fakes.upstream import Script, ScriptedUpstream, Seen, answer_json, answer_sse

STREAMED = r"""curl http://localhost:8000/chat/completions \\
  -H "Content-Type: application/json" \\
  -H "Authorization: Bearer your-api-key" \\
  -d '{
    "model": "gpt-3.5-turbo",
    "messages": [{"role": "user", "content": "Hello!"}],
    "stream": true
  }'"""
WHOLE = r"""curl http://localhost:8000/chat/completions \\
  -H "Content-Type: application/json" \\
  -H "Authorization: Bearer your-api-key" \\
  -d '{
    "model": "gpt-4",
    "messages": [
      {"role": "system", "content": "You are a helpful assistant."},
      {"role": "user", "content": "Explain quantum computing in simple terms."}
    ],
    "max_tokens": 150,
    "temperature": 0.7
  }'"""
ASKED: dict[str, Any] = {"model": "gpt-4", "messages": [{"role": "user", "content": "Hello"}]}
A_TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


def answer(seen: Seen) -> Script:
    if seen.path == "/v1/embeddings":
        vector = {"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return answer_json({"object": "list", "data": [vector], "model": seen.body["model"], "usage": usage})
    if seen.headers.get("authorization") != "Bearer your_api_key_here" or seen.path != "/v1/chat/completions":
        return answer_json({"error": {"message": "wrong key or path"}}, 401)
    if seen.body.get("stream"):
        return answer_sse(answers.stream("openai-chat"))
    return answer_json({**answers.whole("openai-chat"), "model": seen.body["model"]})


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedUpstream]:
    found = ScriptedUpstream()
    found.default = answer
    yield found
    found.close()


class Unified(RunningGateway):
    """Started with the README's file, its paths and address moved to where a test may write and ask."""

    key = ""

    def play(self, command: str) -> tuple[int, dict[str, str], bytes]:
        return curl(self, command.replace("your-api-key", self.key))


@pytest.fixture(scope="module")
def gateway(server: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unified]:
    directory = tmp_path_factory.mktemp("unified")
    running = Unified(
        directory,
        HOST="127.0.0.1",
        LOG_LEVEL="info",
        DATABASE_URL=f"sqlite+aiosqlite:///{directory}/dragoman.sqlite3",
        ENABLE_CLIENT_AUTH="true",
        ALLOW_ANONYMOUS_ACCESS="false",
        LOG_FILE_PATH="./logs/proxy.log",
        LOG_RETENTION_DAYS="30",
        TYPE="openai",
        API_KEY="your_api_key_here",
        BASE_URL=f"{server.url}/v1",
        ACTUAL_NAME="gpt-3.5-turbo",
        ENABLED="true",
        MAX_TOKENS="4096",
        SUPPORTS_STREAMING="true",
        SUPPORTS_FUNCTION_CALLING="true",
    )
    running.directory = directory
    printed = running.bootstrap()
    assert "your_api_key_here" not in printed
    running.key = re.search(r"Key +(sk-dg-\S+)", printed)[1]  # type: ignore[index]
    running.first_curl = next(line for line in printed.splitlines() if line.startswith("curl "))  # type: ignore[attr-defined]
    yield running.start(bootstrap=False)  # type: ignore[misc]
    running.kill()


@pytest.mark.slow
class TestTheDocumentedServer:
    def test_the_first_starts_own_curl_line_works(self, gateway: Any) -> None:
        status, _, body = curl(gateway, gateway.first_curl)
        assert (status, json.loads(body)["model"]) == (200, "gpt-3.5-turbo")

    def test_health_needs_no_key(self, gateway: Any) -> None:
        status, _, body = gateway.play("curl http://localhost:8000/health")
        assert (status, json.loads(body)["status"]) == (200, "healthy")

    def test_models_lists_the_one(self, gateway: Any) -> None:
        status, _, body = gateway.play('curl http://localhost:8000/models -H "Authorization: Bearer your-api-key"')
        found = json.loads(body)
        assert (status, found["object"]) == (200, "list")
        assert [(model["id"], model["object"]) for model in found["data"]] == [("gpt-3.5-turbo", "model")]

    def test_a_whole_answer_comes_from_the_one_model_whatever_was_asked_for(self, gateway: Any, server: Any) -> None:
        status, _, body = gateway.play(WHOLE)
        found = json.loads(body)
        assert (status, found["object"]) == (200, "chat.completion")
        assert found["choices"][0]["message"]["content"] == "Hello there."
        assert found["choices"][0]["finish_reason"] == "stop"
        assert found["usage"] == {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
        sent = server.last.body
        assert (sent["model"], sent["max_tokens"], sent["temperature"]) == ("gpt-3.5-turbo", 150, 0.7)
        assert [message["role"] for message in sent["messages"]] == ["system", "user"]

    def test_a_stream_ends_with_done(self, gateway: Any) -> None:
        status, headers, body = gateway.play(STREAMED)
        assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        chunks = [data for _, data in events(body)]
        assert chunks[-1] == "[DONE]"
        texts = [c["choices"][0]["delta"].get("content") or "" for c in chunks[:-1] if c["choices"]]
        assert "".join(texts) == "Hello there."

    def test_more_tokens_than_the_cap_become_the_cap(self, gateway: Any, server: Any) -> None:
        gateway.play(WHOLE.replace("150", "100000"))
        assert server.last.body["max_tokens"] == 4096

    def test_embeddings_go_there_too(self, gateway: Any, server: Any) -> None:
        body = '{"model": "text-embedding-ada-002", "input": "Hello"}'
        asked = "curl http://localhost:8000/embeddings -H 'Content-Type: application/json' "
        status, _, raw = gateway.play(f"{asked} -H 'Authorization: Bearer your-api-key' -d '{body}'")
        assert (status, json.loads(raw)["data"][0]["object"]) == (200, "embedding")
        assert (server.last.path, server.last.body["model"]) == ("/v1/embeddings", "gpt-3.5-turbo")

    def test_the_sdk_works_as_well(self, gateway: Any) -> None:
        client = openai.OpenAI(api_key=gateway.key, base_url=f"{gateway.url}/v1", max_retries=0)
        found = client.chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": "Hello"}])
        assert found.choices[0].message.content == "Hello there."
        assert [model.id for model in client.models.list()] == ["gpt-3.5-turbo"]

    @pytest.mark.parametrize("path", ["/docs", "/redoc"])
    def test_the_documents_open(self, gateway: Any, path: str) -> None:
        status, headers, _ = curl(gateway, f"curl http://localhost:8000{path}")
        assert (status, headers["content-type"].partition(";")[0]) == (200, "text/html")

    def test_keys_are_managed_with_an_admins_key(self, gateway: Any) -> None:
        admin = gateway.manage("create_key", "ops", "--create-client", "--scope", "admin").stdout.strip()
        json_body = '-H \'Content-Type: application/json\' -d \'{"client": "ops", "name": "laptop"}\''
        asked = "curl http://localhost:8000/auth/keys -H 'Authorization: Bearer "
        status, _, body = curl(gateway, f"{asked}{admin}' {json_body}")
        made = json.loads(body)["key"]
        assert status == 201
        status, _, body = curl(gateway, f"{asked}{admin}'")
        assert status == 200
        assert made not in body.decode()
        assert curl(gateway, f"{asked}{made}'")[0] == 403

    @pytest.mark.parametrize("path", ["/models", "/v1/models"])
    def test_without_a_key_it_is_closed(self, gateway: Any, path: str) -> None:
        assert curl(gateway, f"curl http://localhost:8000{path}")[0] == 401
        assert curl(gateway, WHOLE)[0] == 401

    def test_the_log_is_where_it_was_and_holds_no_key(self, gateway: Any) -> None:
        text = (Path(gateway.data) / "logs" / "proxy.log").read_text()
        assert all(json.loads(line) for line in text.splitlines())
        assert "your_api_key_here" not in text + gateway.log()


# --- the other platforms, each with its documented file --------------------------------------------------------------


def of(**variables: str) -> Any:
    """The environment of a test."""
    return pytest.mark.parametrize("environment", [variables], indirect=True)


CLAUDE = of(TYPE="anthropic", API_KEY="sk-ant-your", BASE_URL="{url}/v1", ACTUAL_NAME="claude-3-sonnet-20240229")
GEMINI = of(TYPE="google", API_KEY="your-google", BASE_URL="{url}/v1", ACTUAL_NAME="gemini-pro")
AZURE = of(
    TYPE="azure_openai",
    API_KEY="your-azure",
    BASE_URL="{url}/openai/deployments/your-deployment",
    ACTUAL_NAME="gpt-4",
)
COZE = of(
    TYPE="coze",
    API_KEY=COZE_KEY,
    BASE_URL="{url}",
    ACTUAL_NAME=f"bot-{BOT}",
    ENABLED="true",
    SUPPORTS_STREAMING="true",
    SUPPORTS_FUNCTION_CALLING="false",
)
OLLAMA = of(TYPE="custom", API_KEY="not-needed", BASE_URL="{url}/v1", ACTUAL_NAME="llama2")


@CLAUDE
async def test_claude_answers_in_chat(environment: Any, app: Any, upstream: Any) -> None:
    upstream.then(answer_json(answers.whole("anthropic-messages")))
    got = await ask(app, "POST", "/chat/completions", ASKED)
    assert got.json["id"] == "msg_up1"
    assert got.json["choices"][0]["finish_reason"] == "stop"
    assert got.json["usage"]["total_tokens"] == 13
    assert (upstream.last.path, upstream.last.headers["x-api-key"]) == ("/v1/messages", "sk-ant-your")
    assert upstream.last.body["model"] == "claude-3-sonnet-20240229"


@GEMINI
async def test_gemini_answers_in_chat(environment: Any, app: Any, upstream: Any) -> None:
    content = {"role": "model", "parts": [{"text": "Hello there."}]}
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 4, "totalTokenCount": 13}
    upstream.then(answer_json({"candidates": [{"content": content, "finishReason": "STOP"}], "usageMetadata": usage}))
    got = await ask(app, "POST", "/chat/completions", ASKED)
    assert got.json["choices"][0]["message"]["content"] == "Hello there."
    assert got.json["usage"]["total_tokens"] == 13
    assert upstream.last.path == "/v1/models/gemini-pro:generateContent"
    assert upstream.last.headers["x-goog-api-key"] == "your-google"


@AZURE
async def test_azure_is_asked_with_a_version_and_its_own_header(environment: Any, app: Any, upstream: Any) -> None:
    upstream.then(answer_json(answers.whole("openai-chat")))
    assert (await ask(app, "POST", "/chat/completions", ASKED)).status == 200
    assert upstream.last.path.startswith("/openai/deployments/your-deployment/chat/completions?api-version=20")
    assert upstream.last.headers["api-key"] == "your-azure"
    assert "authorization" not in upstream.last.headers


@COZE
@pytest.mark.parametrize("stream", [True, False])
async def test_a_bot_answers_under_its_name(environment: Any, app: Any, upstream: Any, stream: bool) -> None:
    bot = StrictCoze()
    upstream.default = bot
    body = {"model": f"bot-{BOT}", "messages": [{"role": "user", "content": "Hello"}], "stream": stream}
    got = await ask(app, "POST", "/v1/chat/completions", body)
    assert (got.status, bot.refused) == (200, [])
    if stream:
        chunks = [data for _, data in events(got.raw)]
        text = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks[:-1] if c["choices"])
        assert chunks[-1] == "[DONE]"
    else:
        text = got.json["choices"][0]["message"]["content"]
        assert got.json["usage"]["total_tokens"] > 0
    assert text
    assert next(iter(bot.chats.values())).body["bot_id"] == BOT
    assert (await ask(app, "POST", "/v1/chat/completions", {**body, "tools": [A_TOOL]})).status == 400


@OLLAMA
async def test_a_local_model_answers(environment: Any, app: Any, upstream: Any) -> None:
    upstream.then(answer_json(answers.whole("openai-chat")))
    assert (await ask(app, "POST", "/chat/completions", ASKED)).status == 200
    assert (upstream.last.path, upstream.last.body["model"]) == ("/v1/chat/completions", "llama2")
    assert upstream.last.headers["authorization"] == "Bearer not-needed"


# --- what the model may not ------------------------------------------------------------------------------------------


@of(API_KEY="k", BASE_URL="{url}/v1", ACTUAL_NAME="gpt-4", SUPPORTS_STREAMING="false")
async def test_a_stream_is_made_of_the_whole_answer(environment: Any, app: Any, upstream: Any) -> None:
    upstream.then(answer_json(answers.whole("openai-chat")))
    got = await ask(app, "POST", "/chat/completions", {**ASKED, "stream": True})
    assert got.headers["content-type"].startswith("text/event-stream")
    chunks = [data for _, data in events(got.raw)]
    assert chunks[-1] == "[DONE]"
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks[:-1] if c["choices"]) == "Hello there."
    assert not upstream.last.body.get("stream")


@of(API_KEY="k", BASE_URL="{url}/v1", ACTUAL_NAME="gpt-4", SUPPORTS_FUNCTION_CALLING="false")
async def test_tools_are_refused_before_anything_is_sent(environment: Any, app: Any, upstream: Any) -> None:
    got = await ask(app, "POST", "/chat/completions", {**ASKED, "tools": [A_TOOL]})
    assert (got.status, got.json["error"]["type"]) == (400, "invalid_request_error")
    assert upstream.seen == []


@of(API_KEY="k", BASE_URL="{url}/v1", ACTUAL_NAME="gpt-4", ENABLED="false")
async def test_what_is_off_is_not_listed_and_not_found(environment: Any, app: Any, upstream: Any) -> None:
    assert (await ask(app, "GET", "/models")).json["data"] == []
    got = await ask(app, "POST", "/chat/completions", ASKED)
    assert (got.status, got.json["error"]["code"]) == (404, "model_not_found")


@of(API_KEY="k", BASE_URL="{url}/v1", ACTUAL_NAME="gpt-4", DEFAULT_HEADERS='{{"x-team": "blue"}}')
async def test_default_headers_go_along(environment: Any, app: Any, upstream: Any) -> None:
    upstream.then(answer_json(answers.whole("openai-chat")))
    await ask(app, "POST", "/chat/completions", ASKED)
    assert upstream.last.headers["x-team"] == "blue"


@of(TYPE="openai", BASE_URL="https://api.openai.com/v1", ACTUAL_NAME="gpt-4")
async def test_without_a_key_it_starts_and_says_what_to_configure(environment: Any, app: Any, upstream: Any) -> None:
    got = await ask(app, "POST", "/chat/completions", ASKED)
    assert got.status == 401
    assert "has no key" in got.json["error"]["message"]
