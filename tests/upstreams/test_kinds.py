"""Addresses as people write them, headers of each kind, and what is known of models."""

from __future__ import annotations

import pytest

from proxyapp.errors import NoHealthyUpstream
from proxyapp.upstreams.contract import Sending, Upstream
from proxyapp.upstreams.registry import KINDS
from proxyapp.upstreams.urls import endpoint

RELAY = "https://relay.example"


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("https://api.openai.com", "https://api.openai.com/v1/messages"),
        ("https://api.openai.com/", "https://api.openai.com/v1/messages"),
        ("https://api.openai.com/v1", "https://api.openai.com/v1/messages"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1/messages"),
        ("https://api.openai.com/v1/messages", "https://api.openai.com/v1/messages"),
        ("https://api.openai.com/v1/chat/completions", "https://api.openai.com/v1/messages"),
        ("http://localhost:11434/v1", "http://localhost:11434/v1/messages"),
        ("https://g.example/v1beta/openai/", "https://g.example/v1beta/openai/messages"),
        (f"{RELAY}/https://api.anthropic.com", f"{RELAY}/https://api.anthropic.com/v1/messages"),
        (f"{RELAY}/v1/https://api.anthropic.com", f"{RELAY}/v1/https://api.anthropic.com/v1/messages"),
        (f"{RELAY}/https://api.anthropic.com/v1/messages", f"{RELAY}/https://api.anthropic.com/v1/messages"),
        ("https://x.example/v1?tenant=a", "https://x.example/v1/messages?tenant=a"),
        ("https://x.example/v12x", "https://x.example/v12x/v1/messages"),
    ],
)
def test_a_base_url_is_taken_as_people_write_it(base, expected):
    assert endpoint(base, "/messages") == expected


def test_each_kind_shows_its_key_in_its_own_way():
    assert KINDS["openai"].headers(Upstream(name="u", kind="openai"), "s", Sending()) == {"authorization": "Bearer s"}
    headers = KINDS["anthropic"].headers(Upstream(name="u", kind="anthropic"), "s", Sending())
    assert headers == {"anthropic-version": "2023-06-01", "x-api-key": "s"}


def test_a_compatible_server_has_no_default_address():
    nowhere = Upstream(name="u", kind="openai_compatible")
    with pytest.raises(NoHealthyUpstream):
        KINDS["openai_compatible"].url(nowhere, "m", dialect="openai-chat", stream=False)


@pytest.mark.parametrize(
    ("model", "thinking", "sampling", "max_output"),
    [
        ("claude-opus-4-20250514", "budget", True, 32_000),
        ("claude-sonnet-4-20250514", "budget", True, 64_000),
        ("claude-opus-4-1-20250805", "budget", True, 32_000),
        ("claude-sonnet-4-5-20250929", "budget", True, 64_000),
        ("claude-sonnet-4-6", "both", True, 128_000),
        ("claude-opus-4-7", "adaptive", False, 128_000),
        ("claude-opus-5-5", "adaptive", False, 128_000),
        ("claude-new-thing-9", "adaptive", False, 128_000),
        ("claude-3-5-haiku-20241022", "none", True, 8_192),
        ("some-other-model", "budget", True, None),
    ],
)
def test_what_is_known_of_claude_models(model, thinking, sampling, max_output):
    profile = KINDS["anthropic"].profile(Upstream(name="u", kind="anthropic"), model)
    assert (profile.thinking, profile.sampling, profile.max_output) == (thinking, sampling, max_output)


def test_reasoning_models_of_openai_take_no_sampling():
    openai = KINDS["openai"]
    assert not openai.profile(Upstream(name="u", kind="openai"), "o3-mini").sampling
    assert not openai.profile(Upstream(name="u", kind="openai"), "gpt-5.2").sampling
    assert openai.profile(Upstream(name="u", kind="openai"), "gpt-4o").sampling
    assert openai.profile(Upstream(name="u", kind="openai"), "gpt-4o").max_tokens_field == "max_completion_tokens"


def test_other_operations_than_inference_have_addresses_where_the_kind_offers_them():
    def address(kind: str, operation: str, base: str | None = None) -> str | None:
        return KINDS[kind].operation_url(Upstream(name="u", kind=kind, base_url=base), "m", operation)

    assert address("openai", "images/generations") == "https://api.openai.com/v1/images/generations"
    assert address("openai", "rerank") is None
    assert address("openai_compatible", "rerank", "http://h/v1/chat/completions") == "http://h/v1/rerank"
    assert address("anthropic", "messages/count_tokens") == "https://api.anthropic.com/v1/messages/count_tokens"
    assert address("anthropic", "embeddings") is None
    assert address("demo", "messages/count_tokens") is None
    with pytest.raises(NoHealthyUpstream):
        address("openai_compatible", "embeddings")
