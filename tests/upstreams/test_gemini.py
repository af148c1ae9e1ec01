"""Google's Gemini API: addresses as people write them, the key's place, and what its models can do."""

from __future__ import annotations

import pytest

from proxyapp.upstreams.contract import Sending, Upstream
from proxyapp.upstreams.gemini import Gemini

KIND = Gemini()
HOST = "https://generativelanguage.googleapis.com"


def url(base: str | None = None, model: str = "gemini-3-pro", *, stream: bool = False) -> str:
    upstream = Upstream(name="google", kind="gemini", base_url=base)
    return KIND.url(upstream, model, dialect="gemini", stream=stream)


@pytest.mark.parametrize(
    ("base", "version"),
    [
        (None, "v1beta"),
        (HOST, "v1beta"),
        (f"{HOST}/", "v1beta"),
        (f"{HOST}/v1beta", "v1beta"),
        (f"{HOST}/v1beta/", "v1beta"),
        (f"{HOST}/v1", "v1"),
        (f"{HOST}/v1alpha", "v1alpha"),
        (f"{HOST}/v1beta/models", "v1beta"),
        (f"{HOST}/v1beta/openai/", "v1beta"),
        (f"{HOST}/v1beta/models/gemini-2.5-pro:generateContent", "v1beta"),
        (f"{HOST}/v1beta/models/gemini-2.5-pro:streamGenerateContent", "v1beta"),
    ],
)
def test_nothing_is_doubled(base, version):
    assert url(base) == f"{HOST}/{version}/models/gemini-3-pro:generateContent"


def test_a_stream_has_its_own_verb_and_is_asked_for_as_events():
    assert url(stream=True) == f"{HOST}/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse"
    assert url("https://relay.example/google?tenant=a", stream=True) == (
        "https://relay.example/google/v1beta/models/gemini-3-pro:streamGenerateContent?tenant=a&alt=sse"
    )


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("models/gemini-3-pro", "models/gemini-3-pro"),
        ("tunedModels/mine-1", "tunedModels/mine-1"),
        ("org/model:free", "models/org/model:free"),
        ("a b?key=x#y", "models/a%20b%3Fkey%3Dx%23y"),
        ("../../secrets", "models%2F..%2F..%2Fsecrets"),
    ],
)
def test_a_models_name_stays_a_name(model, path):
    assert url(model=model) == f"{HOST}/v1beta/{path}:generateContent"


def test_the_key_goes_out_in_a_header():
    upstream = Upstream(name="google", kind="gemini")
    assert KIND.headers(upstream, "AIza", Sending(caller={"anthropic-version": "x"})) == {"x-goog-api-key": "AIza"}
    assert KIND.headers(upstream, None, Sending()) == {}
    assert "key" not in url(stream=True)


def test_operations_are_verbs():
    upstream = Upstream(name="google", kind="gemini")
    assert KIND.operation_url(upstream, "m", "countTokens") == f"{HOST}/v1beta/models/m:countTokens"
    assert KIND.operation_url(upstream, "m", "embeddings") is None


@pytest.mark.parametrize(
    ("model", "thinking", "off", "schema", "signed"),
    [
        ("gemini-1.5-pro", "none", True, False, False),
        ("gemini-2.0-flash", "none", True, False, False),
        ("gemini-2.5-flash-preview-09-2025", "budget", True, True, False),
        ("gemini-2.5-pro", "budget", False, True, False),
        ("gemini-3-pro-preview", "level", False, True, True),
        ("gemini-3.1-flash-lite", "level", False, True, True),
        ("gemini-flash-latest", "level", False, True, True),
        ("gemini-4-ultra", "level", False, True, True),
        ("gemma-3-27b-it", "none", True, False, False),
    ],
)
def test_what_the_models_can_do(model, thinking, off, schema, signed):
    profile = KIND.profile(Upstream(name="google", kind="gemini"), model)
    assert (profile.thinking, profile.thinking_can_be_off) == (thinking, off)
    assert (profile.json_schema, profile.signed_calls) == (schema, signed)


def test_only_the_smaller_models_take_the_least_level():
    upstream = Upstream(name="google", kind="gemini")
    assert KIND.profile(upstream, "gemini-3-flash").efforts[0] == "minimal"
    for model in ("gemini-3-pro", "gemini-3.1-pro-preview", "gemini-pro-latest"):
        assert KIND.profile(upstream, model).efforts == ("low", "medium", "high")
