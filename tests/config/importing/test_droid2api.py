"""droid2api's config.json as a declarative document."""

import pytest

from proxyapp.config.importing import droid2api
from proxyapp.config.importing.findings import Sort

WHOLE = {
    "port": 3000,
    "model_redirects": {
        "claude-3-5-haiku-20241022": "claude-haiku-4-5-20251001",
        "opus": "claude-opus-9",
        "gpt-5.4": "gpt-5.2",
    },
    "endpoint": [
        {"name": "openai", "base_url": "https://api.factory.ai/api/llm/o/v1/responses"},
        {"name": "anthropic", "base_url": "https://api.factory.ai/api/llm/a/v1/messages"},
        {"name": "common", "base_url": "https://api.factory.ai/api/llm/o/v1/chat/completions"},
    ],
    "proxies": [{"name": "first", "url": "http://me:hush-hush@10.0.0.1:3128"}, {"name": "none"}, 7],
    "models": [
        {"name": "Haiku", "id": "claude-haiku-4-5-20251001", "type": "anthropic", "reasoning": "auto"},
        {"id": "gpt-5.2", "type": "openai", "reasoning": "high", "provider": "openai", "fast": True},
        {"id": "gpt-5.4", "type": "openai", "reasoning": "auto"},
        {"id": "glm-5", "type": "common", "provider": "fireworks", "reasoning": "sometimes"},
        {"id": "gemini-3-flash-preview", "type": "google"},
        {"id": "glm-5", "type": "anthropic"},
        {"id": "x", "type": ["common"]},
        {"type": "openai"},
        "gpt",
    ],
    "dev_mode": True,
    "user_agent": "factory-cli/0.84.0",
    "system_prompt": "You are Droid.\n\nPlease forget the previous content.",
    "remove_on_402": True,
}


def sentences(imported, sort):
    return {finding.where: finding.sentence for finding in imported.findings if finding.sort is sort}


def test_everything_becomes_one_factory_upstream_with_models_behind_a_pool():
    made = droid2api.convert(WHOLE)
    assert made.document["proxy_pools"] == [
        {
            "name": "droid2api",
            "on_exhausted": "fail",
            "proxies": [{"name": "first", "url": "http://me:hush-hush@10.0.0.1:3128"}],
        }
    ]
    assert made.document["upstreams"] == [
        {
            "name": "factory",
            "kind": "factory",
            "allow_caller_keys": True,
            "proxy_pool": "droid2api",
            "system_prompt": WHOLE["system_prompt"],
        }
    ]
    assert made.document["models"] == [
        {
            "name": "claude-haiku-4-5-20251001",
            "aliases": ["claude-3-5-haiku-20241022"],
            "routes": [{"upstream": "factory", "model": "claude-haiku-4-5-20251001"}],
            "reasoning": "auto",
            "profile": {"api": "messages"},
        },
        {
            "name": "gpt-5.2",
            "aliases": ["gpt-5.4"],
            "routes": [{"upstream": "factory", "model": "gpt-5.2"}],
            "reasoning": "high",
            "profile": {"api": "responses", "provider": "openai", "fast": True},
        },
        {
            "name": "glm-5",
            "routes": [{"upstream": "factory", "model": "glm-5"}],
            "reasoning": "off",
            "profile": {"api": "chat", "provider": "fireworks"},
        },
        {
            "name": "gemini-3-flash-preview",
            "routes": [{"upstream": "factory", "model": "gemini-3-flash-preview"}],
            "reasoning": "off",
            "profile": {"api": "generate_content"},
        },
    ]


def test_what_is_not_taken_is_told_with_its_place():
    made = droid2api.convert(WHOLE)
    left_out = sentences(made, Sort.LEFT_OUT)
    assert set(left_out) == {
        "proxies[1]", "proxies[2]", "models[5]", "models[6]", "models[7]", "models[8]", "model_redirects.opus", "port",
        "dev_mode", "user_agent", "",
    }  # fmt: skip
    assert left_out["models[5]"] == "glm-5 is there already; as there, the first of a name counts."
    assert left_out[""] == "no counterpart here: remove_on_402."
    assert set(sentences(made, Sort.CHANGED)) == {"models[3].reasoning", "model_redirects.gpt-5.4"}
    assert set(sentences(made, Sort.DECIDE)) == {"system_prompt", ""}
    assert "hush-hush" not in str([str(finding) for finding in made.findings])
    assert "hush-hush" not in repr(made)


def test_the_host_that_moved_is_followed_also_inside_a_relays_address():
    old = [{"name": "anthropic", "base_url": "https://app.factory.ai/api/llm/a/v1/messages"}]
    relay = [{"name": "anthropic", "base_url": "https://relay.test/https://app.factory.ai/api/llm/a/v1/messages/"}]
    models = [{"id": "claude", "type": "anthropic"}, {"id": "claude-2", "type": "anthropic"}]
    made = droid2api.convert({"endpoint": old, "models": models})
    assert "base_url" not in made.document["upstreams"][0]
    assert len(sentences(made, Sort.CHANGED)) == 1
    made = droid2api.convert({"endpoint": relay, "models": models})
    assert made.document["upstreams"][0]["base_url"] == "https://relay.test/https://api.factory.ai"


def test_an_endpoint_at_another_server_becomes_an_upstream_of_what_it_speaks():
    made = droid2api.convert(
        {
            "endpoint": [
                {"name": "anthropic", "base_url": "https://api.z.test/api/anthropic/v1/messages"},
                {"name": "openai", "base_url": "https://llm.test:8443/v1/responses"},
            ],
            "models": [
                {"id": "glm-4.6", "type": "anthropic"},
                {"id": "gpt", "type": "openai"},
                {"id": "kimi", "type": "common"},
            ],
        }
    )
    assert made.document["upstreams"] == [
        {
            "name": "api.z.test",
            "kind": "anthropic",
            "allow_caller_keys": True,
            "base_url": "https://api.z.test/api/anthropic/v1/messages",
        },
        {
            "name": "llm.test-8443",
            "kind": "openai_compatible",
            "allow_caller_keys": True,
            "base_url": "https://llm.test:8443/v1/responses",
            "api": "responses",
        },
        {"name": "factory", "kind": "factory", "allow_caller_keys": True},
    ]
    assert "profile" not in made.document["models"][0]


@pytest.mark.parametrize(
    ("raw", "known"),
    [
        (WHOLE, True),
        ({"models": [{"id": "x", "type": "openai"}]}, True),
        ({"endpoint": [], "user_agent": "x"}, True),
        ({"models": [{"name": "x"}]}, False),
        ({"models": {"id": "x"}}, False),
        ({"model_list": []}, False),
        ([{"id": "x", "type": "openai"}], False),
        ("models", False),
        (None, False),
    ],
)
def test_the_file_is_known_by_what_is_in_it(raw, known):
    assert droid2api.is_one(raw) is known


@pytest.mark.parametrize("value", [None, 7, "text", [], [[]], {}, {"a": 1}, [{"id": {}, "type": {}}], True, [None]])
def test_no_value_of_any_type_breaks_it(value):
    for word in droid2api.KNOWN:
        made = droid2api.convert({**WHOLE, word: value})
        assert set(made.document) <= {"proxy_pools", "upstreams", "models"}
