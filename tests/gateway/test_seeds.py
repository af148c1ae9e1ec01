"""Which variables of the earlier gateways count, and what happens to those that do not, or cannot be right."""

import json

import pytest
from django.core.exceptions import ImproperlyConfigured

from gateway import seeds
from gateway.environment import Environment
from proxyapp.config.importing import droid2api

DROID = {"port": 3456, "models": [{"id": "claude-opus-4-1-20250805", "type": "anthropic", "reasoning": "high"}]}


@pytest.fixture
def read(monkeypatch, tmp_path):
    """`read(NAME="value", …)` -> Seeds, from a home and a directory that are otherwise empty."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DRAGOMAN_DROP_IN")

    def call(**variables):
        for name in (*seeds.PLAIN, *seeds.SECRET):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return seeds.read(Environment(), tmp_path)

    return call


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "API_KEY", "TYPE", "BASE_URL", "HAIKU_MODEL_NAME", "MAX_TOKENS"])
def test_what_many_shells_have_counts_for_nothing_alone(read, name):
    found = read(**{name: "whatever it is"})
    assert (found.unified, found.relay, found.factory) == (None, None, None)


def test_two_of_three_make_a_unified_proxy(read):
    found = read(TYPE="Google", API_KEY="k").unified
    assert (found.type, found.api_key, found.actual_name) == ("google", "k", "gpt-3.5-turbo")
    assert read(API_KEY="k", BASE_URL="http://127.0.0.1:1/v1").unified.type == "openai"


def test_the_name_alone_makes_one_and_a_bot_is_a_name(read):
    assert read(ACTUAL_NAME="gpt-4").unified.actual_name == "gpt-4"
    assert read(TYPE="coze", API_KEY="pat", BOT_ID="7533263489985413120").unified.actual_name == (
        "bot-7533263489985413120"
    )


def test_everything_of_the_unified_proxy_is_typed(read):
    found = read(
        TYPE="azure_openai",
        API_KEY="k",
        BASE_URL="https://r.openai.azure.com/openai/deployments/d",
        ACTUAL_NAME="gpt-4",
        ENABLED="false",
        MAX_TOKENS="4096",
        SUPPORTS_STREAMING="False",
        SUPPORTS_FUNCTION_CALLING="0",
        TIMEOUT="30",
        DEFAULT_HEADERS='{"x-team": "blue", "x-level": 3}',
        COST_PER_1K_INPUT_TOKENS="0.003",
    ).unified
    assert (found.enabled, found.streaming, found.tools) == (False, False, False)
    assert (found.max_tokens, found.timeout, found.cost_input, found.cost_output) == (4096, 30.0, 0.003, None)
    assert found.headers == {"x-team": "blue", "x-level": "3"}


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"TYPE": "opnai", "API_KEY": "k"}, "TYPE"),
        ({"TYPE": "custom", "API_KEY": "k"}, "BASE_URL"),
        ({"ACTUAL_NAME": "x", "BASE_URL": "localhost:11434"}, "BASE_URL"),
        ({"ACTUAL_NAME": "x", "BASE_URL": "https://me:secret@llm.example"}, "BASE_URL"),
        ({"ACTUAL_NAME": "x", "MAX_TOKENS": "many"}, "MAX_TOKENS"),
        ({"ACTUAL_NAME": "x", "TIMEOUT": "soon"}, "TIMEOUT"),
        ({"ACTUAL_NAME": "x", "TIMEOUT": "nan"}, "TIMEOUT"),
        ({"ACTUAL_NAME": "x", "ENABLED": "perhaps"}, "ENABLED"),
        ({"ACTUAL_NAME": "x", "DEFAULT_HEADERS": "[1]"}, "DEFAULT_HEADERS"),
        ({"ACTUAL_NAME": "x", "COST_PER_1K_OUTPUT_TOKENS": "-1"}, "COST_PER_1K_OUTPUT_TOKENS"),
        ({"OPENAI_BASE_URL": "llm.example/v1"}, "OPENAI_BASE_URL"),
        ({"OPENAI_BASE_URL": "http://[::1"}, "OPENAI_BASE_URL"),
        ({"ANTHROPIC_TARGET_URL": "ftp://relay.example"}, "ANTHROPIC_TARGET_URL"),
    ],
)
def test_a_bad_value_that_counts_is_named_and_a_secret_in_it_is_not_shown(read, variables, named):
    with pytest.raises(ImproperlyConfigured) as told:
        read(**variables)
    assert str(told.value).startswith(f"{named} must ")
    assert "secret" not in str(told.value)


def test_an_address_in_the_path_of_an_address_is_fine(read):
    url = "https://relay.example/https://app.factory.ai/api/llm/a/v1/messages"
    assert read(ANTHROPIC_TARGET_URL=url).factory.target_url == url


def test_several_refresh_tokens_stand_between_commas(read):
    assert read(DROID_REFRESH_KEY=" one, two ,").factory.refresh_tokens == ("one", "two")


def test_keys_may_be_files(read, tmp_path):
    (tmp_path / "key").write_text("sk-from-a-file\n")
    found = read(OPENAI_BASE_URL="http://127.0.0.1:1/v1", OPENAI_API_KEY_FILE=str(tmp_path / "key"))
    assert found.relay.api_key == "sk-from-a-file"


def test_one_word_leaves_them_all_out(read):
    found = read(OPENAI_BASE_URL="http://127.0.0.1:1/v1", PROXY_API_KEY="p" * 20, DRAGOMAN_DROP_IN="false")
    assert (found.relay, found.proxy_key, found.auth_file) == (None, "", None)


def test_a_config_of_droid2api_is_told_from_others(read, tmp_path):
    file = tmp_path / "config.json"
    file.write_text(json.dumps(DROID))
    assert read().droid_config == DROID
    assert droid2api.is_one(DROID)
    for other in ({"name": "app"}, {"models": ["gpt-4"]}, {"port": 3000}, [1], {"models": [{"id": 1, "type": "x"}]}):
        file.write_text(json.dumps(other))
        assert read().droid_config is None
        assert not droid2api.is_one(other)
        assert read().remarks == ()


def test_a_config_nobody_can_read_is_told_and_left_out(read, tmp_path):
    (tmp_path / "config.json").write_text('{"port": 3000, // as shown\n "models": []}')
    found = read()
    assert found.droid_config is None
    assert "config.json" in found.remarks[0]
    assert "line 1" in found.remarks[0]


def test_its_port_is_the_default_and_the_variable_wins(read, monkeypatch):
    assert seeds.port(Environment(), DROID) == 3456
    assert seeds.port(Environment(), {"port": "3456"}) == 8000
    assert seeds.port(Environment(), None) == 8000
    monkeypatch.setenv("PORT", "8003")
    assert seeds.port(Environment(), DROID) == 8003


def test_bytes_that_are_no_text_are_told_and_not_shown(read):
    with pytest.raises(ImproperlyConfigured, match="API_KEY must be text in UTF-8") as told:
        read(ACTUAL_NAME="x", API_KEY=b"sk-\xff-canary".decode("utf-8", "surrogateescape"))
    assert "canary" not in str(told.value)


def test_no_secret_shows_in_a_repr(read):
    found = read(ACTUAL_NAME="x", API_KEY="sk-canary", PROXY_API_KEY="canary-too", FACTORY_API_KEY="fk-canary")
    assert "canary" not in repr(found) + repr(found.unified) + repr(found.factory)
