"""droid2api's environment and files start this gateway, and each request that its README shows is answered so.

Its door was open: ALLOW_ANONYMOUS_ACCESS=true is what its users say here besides.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest
from django.core.exceptions import ImproperlyConfigured

from proxyapp.config.build import build_snapshot
from proxyapp.config.dropin.follow import follow
from proxyapp.models import OAuthToken, Upstream
from tests.asgi import ask
from tests.dropin.playing import curl, events
from tests.fakes import answers
from tests.fakes.gateway import RunningGateway
from tests.fakes.token_server import CLIENT, TokenServer
from tests.fakes.upstream import Script, ScriptedUpstream, Seen, answer_json, answer_sse
from tests.tokens.conftest import go

MESSAGES, RESPONSES = "/api/llm/a/v1/messages", "/api/llm/o/v1/responses"
OPUS, GPT, SONNET = "claude-opus-4-1-20250805", "gpt-5-2025-08-07", "claude-sonnet-4-5-20250929"
PROMPT = "You are Droid, an AI software engineering agent built by Factory.\n\n"
OWN_KEY = """curl http://localhost:3000/v1/chat/completions \\
  -H "Content-Type: application/json" \\
  -H "X-Factory-API-Key: your_personal_api_key_here" \\
  -d '{
    "model": "claude-opus-4-1-20250805",
    "messages": [{"role": "user", "content": "Hello"}]
  }'"""
STREAMED = """curl http://localhost:3000/v1/chat/completions \\
  -H "Content-Type: application/json" \\
  -H "X-Factory-API-Key: your_api_key" \\
  -d '{
    "model": "claude-opus-4-1-20250805",
    "messages": [
      {"role": "user", "content": "你好"}
    ],
    "stream": true
  }'"""
WITHOUT_KEY = OWN_KEY.replace('  -H "X-Factory-API-Key: your_personal_api_key_here" \\\n', "")
ASKED = {"model": OPUS, "messages": [{"role": "user", "content": "Hello"}]}


def config(url: str, **more: Any) -> dict[str, Any]:
    """The README's file, its endpoints turned to `url`."""
    return {
        "port": 3000,
        "endpoint": [
            {"name": "openai", "base_url": f"{url}{RESPONSES}"},
            {"name": "anthropic", "base_url": f"{url}{MESSAGES}"},
        ],
        "models": [
            {"name": "Claude Opus 4", "id": OPUS, "type": "anthropic", "reasoning": "high"},
            {"name": "GPT-5", "id": GPT, "type": "openai", "reasoning": "medium"},
            {"name": "Claude Sonnet 4.5", "id": SONNET, "type": "anthropic", "reasoning": "auto"},
        ],
        "system_prompt": PROMPT,
        **more,
    }


def a_response(model: str) -> dict[str, Any]:
    text = {"type": "output_text", "text": "Hello there.", "annotations": []}
    message = {"type": "message", "id": "msg_r1", "role": "assistant", "status": "completed", "content": [text]}
    usage = {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13}
    head = {"id": "resp_1", "object": "response", "created_at": 1700000000, "status": "completed", "model": model}
    return {**head, "output": [message], "usage": usage, "error": None, "incomplete_details": None}


def answer(seen: Seen) -> Script:
    if seen.headers.get("authorization", "") in ("", "Bearer wrong"):
        return answer_json({"type": "error", "error": {"type": "authentication_error", "message": "no"}}, 401)
    if seen.path.endswith(RESPONSES):
        return answer_json(a_response(seen.body["model"]))
    if not seen.path.endswith(MESSAGES):
        return answer_json({"type": "error", "error": {"type": "not_found_error", "message": seen.path}}, 404)
    if seen.body.get("stream"):
        return answer_sse(answers.stream("anthropic-messages"))
    return answer_json({**answers.whole("anthropic-messages"), "model": seen.body["model"]})


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedUpstream]:
    found = ScriptedUpstream()
    found.default = answer
    yield found
    found.close()


@pytest.fixture(scope="module")
def gateway(server: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    directory = tmp_path_factory.mktemp("droid2api")
    running = RunningGateway(directory, ALLOW_ANONYMOUS_ACCESS="true", FACTORY_API_KEY="fk-shared")
    running.directory = directory
    # The port in the file is the gateway's, as there: nothing else says it.
    del running.environment["PORT"]
    (directory / "config.json").write_text(json.dumps(config(server.url, port=running.port)))
    yield running.start()
    running.kill()


@pytest.mark.slow
class TestTheDocumentedServer:
    def test_models_are_those_of_the_file(self, gateway: Any) -> None:
        status, _, body = curl(gateway, "curl http://localhost:3000/v1/models")
        found = json.loads(body)
        assert (status, found["object"]) == (200, "list")
        assert {model["id"] for model in found["data"]} == {OPUS, GPT, SONNET}
        assert all(1_600_000_000 < model["created"] < 10_000_000_000 for model in found["data"])

    def test_a_callers_own_key_goes_before_the_shared_one(self, gateway: Any, server: Any) -> None:
        status, _, body = curl(gateway, OWN_KEY)
        found = json.loads(body)
        assert (status, found["object"], found["choices"][0]["finish_reason"]) == (200, "chat.completion", "stop")
        assert found["choices"][0]["message"]["content"] == "Hello there."
        assert (server.last.path, server.last.headers["authorization"]) == (
            MESSAGES,
            "Bearer your_personal_api_key_here",
        )
        curl(gateway, OWN_KEY.replace("X-Factory-API-Key", "X-API-Key"))
        assert server.last.headers["authorization"] == "Bearer your_personal_api_key_here"

    def test_without_one_the_shared_key_goes_out(self, gateway: Any, server: Any) -> None:
        assert curl(gateway, WITHOUT_KEY)[0] == 200
        assert server.last.headers["authorization"] == "Bearer fk-shared"
        curl(gateway, WITHOUT_KEY.replace("-d '", "-H 'Authorization: Bearer something' -d '"))
        assert server.last.headers["authorization"] == "Bearer fk-shared"

    def test_a_bad_key_of_the_callers_is_his_401(self, gateway: Any) -> None:
        status, _, body = curl(gateway, OWN_KEY.replace("your_personal_api_key_here", "wrong"))
        assert (status, json.loads(body)["error"]["message"]) == (401, "no")

    def test_a_stream_when_it_is_asked_for(self, gateway: Any) -> None:
        status, headers, body = curl(gateway, STREAMED)
        assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        chunks = [data for _, data in events(body)]
        assert chunks[-1] == "[DONE]"
        texts = [c["choices"][0]["delta"].get("content") or "" for c in chunks[:-1] if c["choices"]]
        assert "".join(texts) == "Hello there."

    def test_a_whole_answer_when_that_is_asked_for(self, gateway: Any) -> None:
        status, _, body = curl(gateway, STREAMED.replace('"stream": true', '"stream": false'))
        assert (status, json.loads(body)["object"]) == (200, "chat.completion")

    def test_the_level_high_thinks_with_its_budget_and_says_so(self, gateway: Any, server: Any) -> None:
        curl(gateway, WITHOUT_KEY)
        sent = server.last.body
        assert sent["thinking"] == {"type": "enabled", "budget_tokens": 24576}
        assert sent["max_tokens"] > 24576
        assert "interleaved-thinking-2025-05-14" in server.last.headers["anthropic-beta"]

    def test_a_fixed_level_goes_over_the_callers(self, gateway: Any, server: Any) -> None:
        body = {**ASKED, "max_tokens": 30000, "thinking": {"type": "enabled", "budget_tokens": 8192}}
        assert curl(gateway, messages(body))[0] == 200
        assert server.last.body["thinking"] == {"type": "enabled", "budget_tokens": 24576}

    def test_auto_leaves_the_callers_thinking_and_betas_alone(self, gateway: Any, server: Any) -> None:
        thinking = {"type": "enabled", "budget_tokens": 8192}
        body = {**ASKED, "model": SONNET, "max_tokens": 30000, "thinking": thinking}
        assert curl(gateway, messages(body, "anthropic-beta: some-beta-2025-01-01"))[0] == 200
        assert server.last.body["thinking"] == thinking
        assert server.last.headers["anthropic-beta"] == "some-beta-2025-01-01"
        curl(gateway, messages({**ASKED, "model": SONNET, "max_tokens": 100}))
        assert "thinking" not in server.last.body
        assert "interleaved" not in server.last.headers.get("anthropic-beta", "")

    def test_gpt_is_asked_over_responses_with_the_levels_effort(self, gateway: Any, server: Any) -> None:
        status, _, body = curl(gateway, WITHOUT_KEY.replace(OPUS, GPT))
        assert (status, json.loads(body)["choices"][0]["message"]["content"]) == (200, "Hello there.")
        assert server.last.path == RESPONSES
        assert server.last.body["reasoning"]["effort"] == "medium"
        asked = {"model": GPT, "input": "Hello", "reasoning": {"effort": "low"}}
        command = (
            f"curl http://localhost:3000/v1/responses -H 'Content-Type: application/json' -d '{json.dumps(asked)}'"
        )
        status, _, body = curl(gateway, command)
        assert (status, json.loads(body)["object"]) == (200, "response")
        assert (server.last.path, server.last.body["reasoning"]["effort"]) == (RESPONSES, "medium")

    def test_the_prompt_goes_before_the_callers_on_every_endpoint(self, gateway: Any, server: Any) -> None:
        curl(gateway, messages({**ASKED, "max_tokens": 30000, "system": "Mine."}))
        assert [block["text"] for block in server.last.body["system"]] == [PROMPT, "Mine."]
        curl(gateway, WITHOUT_KEY)
        assert server.last.body["system"][0]["text"] == PROMPT
        curl(gateway, WITHOUT_KEY.replace(OPUS, GPT))
        assert server.last.body["instructions"].startswith(PROMPT.strip())

    def test_claude_code_works_with_nothing_but_the_address(self, gateway: Any, server: Any) -> None:
        client = anthropic.Anthropic(base_url=gateway.url, auth_token="anything", max_retries=0)
        with client.messages.stream(
            model=OPUS, max_tokens=30000, messages=[{"role": "user", "content": "Hi"}]
        ) as found:
            assert found.get_final_text() == "Hello there."
        assert server.last.headers["x-session-id"]
        assert server.last.headers["authorization"] == "Bearer fk-shared"

    def test_a_model_that_is_not_in_the_file_is_a_404(self, gateway: Any) -> None:
        assert curl(gateway, WITHOUT_KEY.replace(OPUS, "claude-1"))[0] == 404

    def test_no_key_is_in_the_log(self, gateway: Any) -> None:
        assert "fk-shared" not in gateway.log()
        assert "your_personal" not in gateway.log()


def messages(body: dict[str, Any], header: str = "x-nothing: 1") -> str:
    return (
        f"curl http://localhost:3000/v1/messages -H 'Content-Type: application/json' -H '{header}' "
        f"-H 'anthropic-version: 2023-06-01' -d '{json.dumps(body)}'"
    )


# --- where the credential comes from ---------------------------------------------------------------------------------


@pytest.fixture
def start(
    db: None, said: Any, serve_snapshot: Any, upstream: ScriptedUpstream, settings: Any, tmp_path: Path
) -> Callable[..., Any]:
    """`start(auth={...}, config={...}, NAME="value")`: follow it, and serve what came of it, to anybody."""
    settings.ALLOW_ANONYMOUS_ACCESS = True
    settings.DATA_DIR = tmp_path
    upstream.default = answer

    def go_on(auth: Any = None, content: Any = None, **variables: str) -> Any:
        if auth is not None:
            (tmp_path / ".factory").mkdir(exist_ok=True)
            (tmp_path / ".factory" / "auth.json").write_text(auth if isinstance(auth, str) else json.dumps(auth))
        (tmp_path / "config.json").write_text(json.dumps(content or config(upstream.url)))
        followed = follow(said(**variables), "http://127.0.0.1:8000")
        serve_snapshot(build_snapshot())
        return followed

    return go_on


@pytest.fixture
def token_server() -> Iterator[TokenServer]:
    made = TokenServer()
    yield made
    made.close()
    assert made.complaints == []


def refreshed(token: OAuthToken, server: TokenServer) -> OAuthToken:
    """The token after one refresh at our own server, as an operator may set it."""
    token.token_url, token.client_id = server.url, CLIENT
    token.save()
    go(token)
    return token


def asked(app: Any, **headers: str) -> Any:
    return asyncio.run(ask(app, "POST", "/v1/chat/completions", ASKED, **headers))


@pytest.mark.django_db(transaction=True)
class TestTokens:
    def test_a_refresh_key_becomes_a_token_that_is_sent(
        self, start: Any, app: Any, upstream: Any, token_server: Any, serve_snapshot: Any
    ) -> None:
        start(DROID_REFRESH_KEY=token_server.account().refresh_token)
        token = refreshed(OAuthToken.objects.get(), token_server)
        assert (token.upstream.name, token.name) == ("env-factory", "DROID_REFRESH_KEY")
        serve_snapshot(build_snapshot())
        assert asked(app).status == 200
        assert upstream.last.headers["authorization"] == f"Bearer {token_server.account().access_token}"

    def test_what_was_refreshed_outlives_the_next_start(self, start: Any, token_server: Any) -> None:
        seed = token_server.account().refresh_token
        start(DROID_REFRESH_KEY=seed)
        refreshed(OAuthToken.objects.get(), token_server)
        assert start(DROID_REFRESH_KEY=seed).changes == []
        token = OAuthToken.objects.get()
        assert token.refresh_token.reveal() == token_server.account().refresh_token != seed
        assert token.token_url == token_server.url, "the operator's"

    def test_and_the_variables_end(self, start: Any, token_server: Any) -> None:
        """The refresh token in the variable is spent: what grew from it is all that is left of the login."""
        start(DROID_REFRESH_KEY=token_server.account().refresh_token)
        refreshed(OAuthToken.objects.get(), token_server)
        found = start()
        assert OAuthToken.objects.get().generation == 1
        assert any("token DROID_REFRESH_KEY is no longer in the environment" in line for line in found.told)

    def test_several_refresh_keys_are_several_tokens(self, start: Any) -> None:
        start(DROID_REFRESH_KEY="one-token, another-token")
        assert sorted(OAuthToken.objects.values_list("name", flat=True)) == ["DROID_REFRESH_KEY", "DROID_REFRESH_KEY-2"]
        start(DROID_REFRESH_KEY="one-token")
        assert OAuthToken.objects.get().name == "DROID_REFRESH_KEY"

    def test_the_file_is_read_and_never_written(self, start: Any, tmp_path: Path, token_server: Any) -> None:
        content = {"access_token": "your_access_token", "refresh_token": token_server.account().refresh_token}
        start(auth=content)
        refreshed(OAuthToken.objects.get(name="auth.json"), token_server)
        assert json.loads((tmp_path / ".factory" / "auth.json").read_text()) == content


class TestTheOrder:
    def test_a_static_key_goes_before_the_file_and_the_token(self, start: Any, app: Any, upstream: Any) -> None:
        start(auth={"refresh_token": "from-the-file"}, FACTORY_API_KEY="fk", DROID_REFRESH_KEY="a-token")
        assert list(OAuthToken.objects.values_list("name", flat=True)) == ["DROID_REFRESH_KEY"]
        assert asked(app).status == 200
        assert upstream.last.headers["authorization"] == "Bearer fk"

    def test_a_refresh_key_goes_before_the_file(self, start: Any) -> None:
        start(auth={"refresh_token": "from-the-file"}, DROID_REFRESH_KEY="a-token")
        assert OAuthToken.objects.get().name == "DROID_REFRESH_KEY"

    def test_an_access_token_alone_is_a_key(self, start: Any, app: Any, upstream: Any) -> None:
        start(auth={"access_token": "at-alone"})
        assert asked(app).status == 200
        assert upstream.last.headers["authorization"] == "Bearer at-alone"

    def test_without_any_the_callers_authorization_goes_out_as_it_came(
        self, start: Any, app: Any, upstream: Any
    ) -> None:
        start()
        assert asked(app, authorization="Bearer callers-own").status == 200
        assert upstream.last.headers["authorization"] == "Bearer callers-own"

    def test_without_any_at_all_it_starts_and_says_what_to_configure(self, start: Any, app: Any, upstream: Any) -> None:
        start()
        got = asked(app)
        assert got.status == 401
        assert "env-factory" in got.json["error"]["message"]
        assert upstream.seen == []

    @pytest.mark.parametrize("content", ["{not json", "[]", '{"refresh_token": 5}', "{}"])
    def test_a_file_that_holds_nothing_stops_nothing(self, start: Any, content: str) -> None:
        start(auth=content)
        assert Upstream.objects.get().tokens.count() == Upstream.objects.get().keys.count() == 0

    def test_the_file_alone_makes_the_upstream(self, db: None, said: Any, tmp_path: Path) -> None:
        (tmp_path / ".factory").mkdir()
        (tmp_path / ".factory" / "auth.json").write_text('{"refresh_token": "from-the-file"}')
        follow(said(), "http://127.0.0.1:8000")
        assert build_snapshot().upstreams["env-factory"].kind == "factory"
        assert "claude-*" in [model.name for model in build_snapshot().wildcards]


# --- proxies ---------------------------------------------------------------------------------------------------------


def test_proxies_take_turns_from_the_first_on(start: Any, app: Any, upstream: Any) -> None:
    proxies = [ScriptedUpstream(), ScriptedUpstream()]
    for proxy in proxies:
        proxy.default = answer
    listed = [{"name": f"p{number}", "url": proxy.url} for number, proxy in enumerate(proxies, 1)]
    start(content=config(upstream.url, proxies=listed), FACTORY_API_KEY="fk")

    async def three() -> list[int]:
        seen = []
        for _ in range(3):
            await ask(app, "POST", "/v1/chat/completions", ASKED)
            seen.append([len(proxy.seen) for proxy in proxies])
        return seen  # type: ignore[return-value]

    assert asyncio.run(three()) == [[1, 0], [1, 1], [2, 1]]
    assert upstream.seen == [], "nothing goes around them"
    assert proxies[0].last.path == f"{upstream.url}{MESSAGES}"
    for proxy in proxies:
        proxy.close()


def test_without_one_usable_proxy_requests_go_out_directly(start: Any, app: Any, upstream: Any) -> None:
    bad = [{"name": "none"}, {"name": "odd", "url": "ftp://127.0.0.1:1"}, "text", {"url": 7}]
    found = start(content=config(upstream.url, proxies=bad), FACTORY_API_KEY="fk")
    assert "config.json: 4 of its proxies have no usable address; requests go out directly." in found.told
    assert asked(app).status == 200
    assert len(upstream.seen) == 1


def test_an_endpoint_elsewhere_gets_the_same_credential(start: Any, app: Any, upstream: Any) -> None:
    content = config(upstream.url)
    content["endpoint"] = [{"name": "anthropic", "base_url": f"{upstream.url}/own/messages"}]
    content["models"] = content["models"][:1]
    start(content=content, FACTORY_API_KEY="fk")
    asked(app)
    assert (upstream.last.path, upstream.last.headers["authorization"]) == ("/own/messages", "Bearer fk")


@pytest.mark.parametrize("prompt", ["a\0b", "a\ud800b"])
def test_a_file_no_database_could_keep_stops_the_start(start: Any, upstream: Any, prompt: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"config\.json cannot be used"):
        start(content=config(upstream.url, system_prompt=prompt))
    assert not Upstream.objects.exists()


def test_a_changed_file_is_followed(start: Any, upstream: Any) -> None:
    start(FACTORY_API_KEY="fk")
    content = config(upstream.url)
    content["models"] = [{**content["models"][0], "reasoning": "low"}]
    assert start(content=content, FACTORY_API_KEY="fk").changes == [
        f"- model {GPT}",
        f"- model {SONNET}",
        f"~ model {OPUS}: reasoning",
    ]
