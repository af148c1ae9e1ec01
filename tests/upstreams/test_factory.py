"""Factory's addresses, headers and dialects, as far as they are known."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest

from proxyapp.ir.profile import Profile
from proxyapp.upstreams.contract import Sending, Upstream
from proxyapp.upstreams.registry import KINDS

KIND: Any = KINDS["factory"]
CHAT, RESPONSES, MESSAGES, GEMINI = "openai-chat", "openai-responses", "anthropic-messages", "gemini"
HOST = "https://api.factory.ai"
RELAY = "https://relay.example/https://app.factory.ai"


def a_factory(base_url: str | None = None, **changes: Any) -> Upstream:
    return Upstream(name="factory", kind="factory", base_url=base_url, **changes)


def headers(dialect: str = MESSAGES, secret: str | None = "fk-1", request: str = "r", **changes: Any) -> dict[str, str]:
    return KIND.headers(a_factory(), secret, Sending(dialect=dialect, request_id=request, **changes))


@pytest.mark.parametrize(
    ("dialect", "path"),
    [
        (MESSAGES, "/api/llm/a/v1/messages"),
        (RESPONSES, "/api/llm/o/v1/responses"),
        (CHAT, "/api/llm/o/v1/chat/completions"),
        (GEMINI, "/api/llm/g/v1/generate"),
    ],
)
@pytest.mark.parametrize(
    ("base", "root"),
    [
        (None, HOST),
        (HOST, HOST),
        (f"{HOST}/", HOST),
        (f"{HOST}/v1", HOST),
        (f"{HOST}/api/llm", HOST),
        (f"{HOST}/api/llm/a", HOST),
        (f"{HOST}/api/llm/o/v1/", HOST),
        (f"{HOST}/api/llm/a/v1/messages", HOST),
        (f"{HOST}/api/llm/o/v1/chat/completions", HOST),
        (f"{HOST}/api/llm/g/v1/generate", HOST),
        ("https://api.eu.factory.ai", "https://api.eu.factory.ai"),
        (RELAY, RELAY),
        (f"{RELAY}/api/llm/a/v1/messages", RELAY),
        ("https://relay.example/api/llm/https://app.factory.ai/api/llm/o/v1/responses",
         "https://relay.example/api/llm/https://app.factory.ai"),
        ("http://127.0.0.1:9/factory", "http://127.0.0.1:9/factory"),
    ],
)  # fmt: skip
def test_an_address_is_taken_as_people_write_it(base, root, dialect, path):
    assert KIND.url(a_factory(base), "m", dialect=dialect, stream=True) == root + path


def test_a_relays_own_whole_endpoint_is_called_as_it_stands():
    def address(base: str, dialect: str) -> str:
        return KIND.url(a_factory(base), "m", dialect=dialect, stream=False)

    assert address("http://h/x/messages", MESSAGES) == "http://h/x/messages"
    assert address("http://h/v1/messages", RESPONSES) == "http://h/v1/responses"
    assert address("http://h/v1/chat/completions?t=1", GEMINI) == "http://h/v1/generate?t=1"


@pytest.mark.parametrize(
    ("model", "dialect", "provider"),
    [
        ("claude-opus-4-6-fast", MESSAGES, "anthropic"),
        ("minimax-m2.5", MESSAGES, "fireworks"),
        ("gpt-5.3-codex", RESPONSES, "openai"),
        ("GPT-5-2025-08-07", RESPONSES, "openai"),
        ("o3-mini", RESPONSES, "openai"),
        ("gemini-3.1-pro-preview", GEMINI, "google"),
        ("glm-5", CHAT, "fireworks"),
        ("kimi-k2.5", CHAT, "fireworks"),
        ("somebody-elses-model", CHAT, "baseten"),
    ],
)
def test_a_model_is_spoken_about_in_its_makers_dialect_with_who_runs_it(model, dialect, provider):
    for caller in (CHAT, RESPONSES, MESSAGES, GEMINI):
        assert KIND.dialect(a_factory(), model, caller) == dialect
    assert KIND.profile(a_factory(), model).provider == provider


def test_the_operators_word_for_the_dialect_wins_over_the_name():
    upstream = a_factory(api="messages")
    assert KIND.dialect(upstream, "glm-5", CHAT) == MESSAGES
    assert KIND.profile(upstream, "glm-5").provider == "fireworks"
    assert KIND.profile(a_factory(api="chat"), "claude-x").provider == "baseten"


def test_what_is_known_of_a_model_is_known_here_too():
    claude = KIND.profile(a_factory(), "claude-sonnet-4-6")
    assert (claude.thinking, claude.temperature_and_top_p) == ("both", False)
    assert KIND.profile(a_factory(), "gpt-5.2").efforts[-1] == "xhigh"
    assert KIND.profile(a_factory(), "gemini-3-flash-preview").signed_calls


def test_tokens_of_a_prompt_are_counted_for_claude_alone():
    def address(model: str, operation: str = "messages/count_tokens", base: str | None = None) -> str | None:
        return KIND.operation_url(a_factory(base), model, operation)

    assert address("claude-haiku-4-5") == f"{HOST}/api/llm/a/v1/messages/count_tokens"
    assert address("claude-haiku-4-5", base="http://h/messages?t=1") == "http://h/messages/count_tokens?t=1"
    assert address("gpt-5.2") is None
    assert address("gpt-5.2", "responses/input_tokens") is None
    assert address("gemini-3-flash", "countTokens") is None
    assert address("claude-haiku-4-5", "embeddings") is None


def test_the_key_goes_out_as_a_bearer_token_with_what_the_protocol_needs():
    sent = headers(profile=Profile(provider="anthropic"))
    ids = {sent.pop("x-session-id"), sent.pop("x-assistant-message-id")}
    assert sent == {
        "authorization": "Bearer fk-1",
        "x-api-provider": "anthropic",
        "x-factory-client": "cli",
        "anthropic-version": "2023-06-01",
    }
    assert len(ids) == 2
    assert {uuid.UUID(word).version for word in ids} == {4}
    assert "authorization" not in headers(secret=None)


@pytest.mark.parametrize("dialect", [CHAT, RESPONSES, GEMINI])
def test_other_dialects_get_no_headers_of_anthropics(dialect):
    sent = headers(dialect, caller={"anthropic-version": "x", "anthropic-beta": "b"}, profile=Profile(fast=True))
    assert not [name for name in sent if name.startswith("anthropic")]


@pytest.mark.parametrize("dialect", [CHAT, RESPONSES, GEMINI, MESSAGES])
def test_no_other_client_is_pretended_to_be_there(dialect):
    sent = headers(dialect, stream=True)
    assert not [name for name in sent if name.startswith("x-stainless") or name in ("user-agent", "x-client-version")]
    assert "x-api-key" not in sent


def test_ids_are_those_of_the_request_in_every_attempt_and_of_no_other():
    assert headers(request="a") == headers(request="a")
    first, second = headers(request="a"), headers(request="b")
    assert first["x-session-id"] != second["x-session-id"]
    assert "a" * 8 not in headers(request="a" * 32)["x-session-id"]


@pytest.mark.parametrize(
    ("said", "session"),
    [
        ({"x-session-id": "s-1"}, "s-1"),
        ({"x-claude-code-session-id": "c-1"}, "c-1"),
        ({"x-claude-code-session-id": "c-1", "x-session-id": "s-1"}, "s-1"),
        ({"x-session-id": "", "x-claude-code-session-id": "c-1"}, "c-1"),
    ],
)
def test_the_callers_own_session_goes_before_one_of_ours(said, session):
    assert headers(caller=said)["x-session-id"] == session
    assert headers(caller={"x-assistant-message-id": "a-1"})["x-assistant-message-id"] == "a-1"
    assert headers(caller={"x-factory-client": "web"})["x-factory-client"] == "web"


@pytest.mark.parametrize("word", ["x" * 201, "two words", "tab\there", "käse", "\x7f", " "])
def test_a_session_that_cannot_travel_is_replaced(word):
    assert re.fullmatch(r"[0-9a-f-]{36}", headers(caller={"x-session-id": word})["x-session-id"])


@pytest.mark.parametrize(
    ("given", "fast", "expected"),
    [
        (None, False, None),
        ("", False, None),
        (" b , a,,", False, "b, a"),
        (None, True, "fast-mode-2026-02-01"),
        ("a", True, "a, fast-mode-2026-02-01"),
        ("fast-mode-2026-02-01,a", True, "fast-mode-2026-02-01, a"),
    ],
)
def test_betas_keep_their_order_and_get_the_fast_one_once(given, fast, expected):
    caller = {} if given is None else {"anthropic-beta": given}
    assert headers(caller=caller, profile=Profile(fast=fast)).get("anthropic-beta") == expected


def test_googles_models_are_named_in_the_body():
    told = {"contents": [], "model": "old"}
    sending = Sending(dialect=GEMINI, model="gemini-3", stream=True)
    made = json.loads(KIND.enclosed(a_factory(), sending, json.dumps(told).encode()))
    assert made == {"model": "gemini-3", "stream": True, "contents": []}
    others = b'{ "a" : 1 }'
    assert KIND.enclosed(a_factory(), Sending(dialect=CHAT, model="m"), others) is others
