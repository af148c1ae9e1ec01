"""Bots of Coze behind the real server, asked with the official SDKs of every dialect that callers speak."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors, types

from tests.fakes import strict_coze
from tests.fakes.gateway import KEY, RunningGateway
from tests.fakes.strict_coze import BOT, LEAKS, StrictCoze
from tests.fakes.upstream import ScriptedUpstream

pytestmark = pytest.mark.slow
GREETING = "Hello there, Zoë 🌍."
MODEL = f"bot-{BOT}"


@pytest.fixture(scope="module")
def bots() -> Iterator[StrictCoze]:
    """What the upstream is; its server is `bots.server`."""
    server = ScriptedUpstream()
    coze = StrictCoze()
    server.default, coze.server = coze, server  # type: ignore[attr-defined]
    yield coze
    server.close()


@pytest.fixture(scope="module")
def gateway(bots: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    running = RunningGateway(tmp_path_factory.mktemp("coze"))
    document = {
        "upstreams": [
            {"name": "coze", "kind": "coze", "base_url": f"{bots.server.url}/v3/chat", "retries": 0,
             "keys": [{"name": "main", "value": strict_coze.KEY}]},
        ],
        "models": [{"name": "bot-*", "routes": [{"upstream": "coze", "model": "bot-*"}]}],
        "clients": [{"name": "alice", "keys": [{"name": "laptop", "value": KEY}]}],
    }  # fmt: skip
    running.manage("bootstrap")
    assert "WARNING" not in running.apply(document)
    running.start(bootstrap=False)
    yield running
    running.kill()


def over_chat(url: str, words: str, *, stream: bool) -> tuple[str, tuple[int, int]]:
    client = openai.OpenAI(api_key=KEY, base_url=f"{url}/v1", max_retries=0)
    messages: Any = [{"role": "user", "content": words}]
    if not stream:
        answer = client.chat.completions.create(model=MODEL, messages=messages)
        assert answer.usage
        return answer.choices[0].message.content or "", (answer.usage.prompt_tokens, answer.usage.completion_tokens)
    with client.chat.completions.stream(
        model=MODEL, messages=messages, stream_options={"include_usage": True}
    ) as events:
        final = events.get_final_completion()
    assert final.usage
    assert final.choices[0].finish_reason == "stop"
    return final.choices[0].message.content or "", (final.usage.prompt_tokens, final.usage.completion_tokens)


def over_messages(url: str, words: str, *, stream: bool) -> tuple[str, tuple[int, int]]:
    client = anthropic.Anthropic(api_key=KEY, base_url=url, max_retries=0)
    asked: Any = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": words}]}
    if stream:
        with client.messages.stream(**asked) as events:
            answer = events.get_final_message()
    else:
        answer = client.messages.create(**asked)
    assert answer.stop_reason == "end_turn"
    text = "".join(block.text for block in answer.content if block.type == "text")
    return text, (answer.usage.input_tokens, answer.usage.output_tokens)


def over_gemini(url: str, words: str, *, stream: bool) -> tuple[str, tuple[int, int]]:
    client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=url))
    if stream:
        answers = list(client.models.generate_content_stream(model=MODEL, contents=words))
    else:
        answers = [client.models.generate_content(model=MODEL, contents=words)]
    last = answers[-1]
    assert last.candidates
    assert last.usage_metadata
    assert last.candidates[0].finish_reason == types.FinishReason.STOP
    counts = (last.usage_metadata.prompt_token_count or 0, last.usage_metadata.candidates_token_count or 0)
    return "".join(answer.text or "" for answer in answers), counts


def over_responses(url: str, words: str, *, stream: bool) -> tuple[str, tuple[int, int]]:
    client = openai.OpenAI(api_key=KEY, base_url=f"{url}/v1", max_retries=0)
    if stream:
        with client.responses.stream(model=MODEL, input=words) as events:
            answer = events.get_final_response()
    else:
        answer = client.responses.create(model=MODEL, input=words)
    assert answer.status == "completed"
    assert answer.usage
    return answer.output_text, (answer.usage.input_tokens, answer.usage.output_tokens)


CALLERS: dict[str, Callable[..., tuple[str, tuple[int, int]]]] = {
    "chat": over_chat,
    "messages": over_messages,
    "responses": over_responses,
    "gemini": over_gemini,
}
callers = pytest.mark.parametrize("caller", CALLERS)
forms = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@callers
@forms
def test_a_bot_answers_the_sdk(gateway, bots, caller, stream):
    text, counts = CALLERS[caller](gateway.url, "hello", stream=stream)
    assert text == GREETING
    assert counts == (12, 7)
    assert not any(leak in text for leak in LEAKS)
    assert bots.refused == []
    assert bots.server.seen[-1].headers["authorization"] == f"Bearer {strict_coze.KEY}"


@callers
def test_a_bot_that_takes_its_time_is_waited_for(gateway, caller):
    assert CALLERS[caller](gateway.url, "slow:2", stream=False)[0] == "Hello."


@forms
@pytest.mark.parametrize(("cue", "status"), [("busy", 409), ("limited", 429), ("broken", 502), ("stranger", 502)])
def test_the_sdks_raise_the_error_of_a_200(gateway, cue, status, stream):
    with pytest.raises(openai.APIStatusError) as chat:
        over_chat(gateway.url, cue, stream=stream)
    with pytest.raises(anthropic.APIStatusError) as messages:
        over_messages(gateway.url, cue, stream=stream)
    with pytest.raises(errors.APIError) as gemini:
        over_gemini(gateway.url, cue, stream=stream)
    assert (chat.value.status_code, messages.value.status_code, gemini.value.code) == (status, status, status)
    assert strict_coze.KEY not in str(chat.value)


def test_a_conversation_goes_on_over_the_openai_sdk(gateway, bots):
    client = openai.OpenAI(api_key=KEY, base_url=f"{gateway.url}/v1", max_retries=0)
    first = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hello"}])
    messages: Any = [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": first.choices[0].message.content},
        {"role": "user", "content": "hello again"},
    ]
    second = client.chat.completions.create(
        model=MODEL, messages=messages, user="zoe", extra_body={"conversation_id": first.id}
    )
    assert second.id.split("-")[1] == first.id.split("-")[1]
    heard = bots.conversations[first.id.split("-")[1]]
    assert [message["content"] for message in heard] == ["hello", "hello again"]


def test_a_picture_by_its_address_reaches_the_bot(gateway):
    client = openai.OpenAI(api_key=KEY, base_url=f"{gateway.url}/v1", max_retries=0)
    content: Any = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
    ]
    answer = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}])
    assert answer.choices[0].message.content == "I see image https://example.org/a.png."
