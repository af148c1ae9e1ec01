"""Which server an address leads to, and what is known of its models."""

from __future__ import annotations

import pytest

from proxyapp.upstreams import servers
from proxyapp.upstreams.contract import Upstream
from proxyapp.upstreams.registry import KINDS

KIND = KINDS["openai_compatible"]


def profile(base_url: str, model: str):
    return KIND.profile(Upstream(name="u", kind="openai_compatible", base_url=base_url), model)


@pytest.mark.parametrize(
    ("base", "name"),
    [
        ("https://api.deepseek.com", "DeepSeek"),
        ("https://api.deepseek.com/v1/", "DeepSeek"),
        ("https://openrouter.ai/api/v1", "OpenRouter"),
        ("https://API.Mistral.ai/v1", "Mistral"),
        ("https://codestral.mistral.ai/v1", "Mistral"),
        ("https://api.groq.com/openai/v1", "Groq"),
        ("https://api.x.ai/v1", "xAI"),
        ("https://api.perplexity.ai", "Perplexity"),
        ("http://localhost:11434/v1", "Ollama"),
        ("http://gpu-box:11434", "Ollama"),
        ("https://ollama.com/v1", "Ollama"),
        ("http://127.0.0.1:1234/v1", "LM Studio"),
        ("https://generativelanguage.googleapis.com/v1beta/openai/", "Gemini"),
        ("https://relay.example/https://api.x.ai/v1", "xAI"),
        ("http://localhost:8000/v1", None),
        ("https://notmistral.ai.example.org", None),
        ("https://evil-api.x.ai.example.org", None),
        ("https://fakeopenrouter.ai", None),
        ("http://host:112344/v1", None),
        ("", None),
        ("http://[::1", None),
    ],
)
def test_a_server_is_known_by_its_host(base, name):
    found = servers.known(base)
    assert (found.name if found else None) == name


def test_schemas_are_cleaned_where_gemini_is_behind():
    assert profile("https://generativelanguage.googleapis.com/v1beta/openai", "gemini-2.5-flash").plain_schemas
    assert profile("https://x.example", "google/gemini-2.5-pro").plain_schemas
    assert not profile("https://x.example", "llama3").plain_schemas


def test_an_unknown_server_is_judged_by_the_models_name():
    assert profile("https://x.example", "deepseek-chat").reasoning_back == "tool_turns"
    assert profile("https://x.example", "DeepSeek-R1").reasoning_back == "strip"
    assert profile("https://x.example", "llama").top_k
    assert profile("https://x.example", "llama").untaken == ()


@pytest.mark.parametrize(
    ("base", "model", "effort", "efforts"),
    [
        ("https://api.x.ai", "grok-3-mini", True, ("low", "high")),
        ("https://api.x.ai", "grok-4", False, None),
        ("https://api.x.ai", "grok-4-0709", False, None),
        ("https://api.x.ai", "grok-4-1-fast-reasoning", False, None),
        ("https://api.x.ai", "grok-4.3", True, ("none", "low", "medium", "high")),
        ("https://api.x.ai", "grok-4.5", True, ("low", "medium", "high")),
        ("https://api.x.ai", "grok-code-fast-1", False, None),
        ("https://api.x.ai", "grok-4.20-non-reasoning", False, None),
        ("https://api.x.ai", "grok-5", True, ("low", "medium", "high")),
        ("https://api.groq.com", "openai/gpt-oss-120b", True, ("low", "medium", "high")),
        ("https://api.groq.com", "qwen/qwen3-32b", True, ("none",)),
        ("https://api.groq.com", "llama-3.3-70b-versatile", False, None),
        ("https://api.mistral.ai", "mistral-small-latest", True, ("none", "high")),
        ("https://api.mistral.ai", "mistral-large-latest", False, None),
        ("http://localhost:11434", "qwen3:8b", True, ("none", "low", "medium", "high")),
        ("http://localhost:11434", "qwen3-coder:30b", False, None),
        ("http://localhost:11434", "llama3:8b", False, None),
        ("http://localhost:1234", "openai/gpt-oss-20b", True, ("low", "medium", "high")),
        ("http://localhost:1234", "qwen3-8b", False, None),
        ("https://api.perplexity.ai", "sonar-deep-research", True, ("low", "medium", "high")),
        ("https://api.perplexity.ai", "sonar-reasoning-pro", False, None),
    ],
)
def test_which_models_can_be_told_how_much_to_think(base, model, effort, efforts):
    found = profile(base, model)
    assert found.reasoning_effort is effort
    if efforts is not None:
        assert found.efforts == efforts


def test_models_that_think_at_xai_take_no_stop_and_others_do():
    assert "stop" in profile("https://api.x.ai", "grok-4").untaken
    assert "stop" not in profile("https://api.x.ai", "grok-3").untaken


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("https://api.perplexity.ai", "https://api.perplexity.ai/chat/completions"),
        ("https://api.perplexity.ai/", "https://api.perplexity.ai/chat/completions"),
        ("https://api.perplexity.ai/chat/completions", "https://api.perplexity.ai/chat/completions"),
        ("https://api.groq.com/openai/v1", "https://api.groq.com/openai/v1/chat/completions"),
        ("https://api.deepseek.com", "https://api.deepseek.com/v1/chat/completions"),
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1/chat/completions"),
    ],
)
def test_servers_without_a_version_in_their_paths_get_none(base, expected):
    upstream = Upstream(name="u", kind="openai_compatible", base_url=base)
    assert KIND.url(upstream, "m", dialect="openai-chat", stream=False) == expected


def test_other_paths_of_such_a_server_have_no_version_either():
    upstream = Upstream(name="u", kind="openai_compatible", base_url="https://api.perplexity.ai")
    assert KIND.operation_url(upstream, "m", "embeddings") == "https://api.perplexity.ai/embeddings"


@pytest.mark.parametrize("server", servers.SERVERS, ids=lambda server: server.name)
def test_every_row_names_a_form_and_words_that_exist(server):
    from proxyapp.dialects.openai.tables import EFFORTS
    from proxyapp.dialects.openai_chat.reasoning import _FORMS

    for found in (server.default, *(row for _, row in server.models)):
        assert found.reasoning_form in _FORMS
        assert set(found.efforts) <= set(EFFORTS)
