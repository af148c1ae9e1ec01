"""LiteLLM's config.yaml as a declarative document."""

import pytest
import yaml

from proxyapp.config.importing import litellm
from proxyapp.config.importing.findings import Sort

WHOLE = yaml.safe_load("""
environment_variables: {OLLAMA_HOST_URL: "http://ollama.test:11434"}
credential_list:
  - {credential_name: eu, credential_values: {api_key: az-key, api_base: "https://team.openai.azure.com/"}}
model_list:
  - model_name: gpt-4o
    litellm_params:
      {model: azure/gpt-4o-eu, litellm_credential_name: eu, api_version: "2024-10-21", rpm: 600, order: 1}
    model_info: {mode: chat}
  - model_name: gpt-4o
    litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY, rpm: 200, order: 1, timeout: 20}
  - model_name: gpt-4o
    litellm_params: {model: gpt-4o, api_key: os.environ/OPENAI_API_KEY, order: 2}
  - model_name: claude
    litellm_params: {model: anthropic/claude-sonnet-4-5, api_key: os.environ/NOT_SET_HERE, max_retries: 1}
    model_info: {input_cost_per_token: 0.000003, output_cost_per_token: 0.000015}
  - model_name: anthropic/*
    litellm_params: {model: anthropic/*, api_key: os.environ/NOT_SET_HERE, max_retries: 1}
  - model_name: local
    litellm_params: {model: ollama_chat/llama3.2, api_base: os.environ/OLLAMA_HOST_URL}
  - model_name: codex
    litellm_params:
      model: openai/responses/gpt-5-codex
      api_key: sk-literal-one
      organization: org-1
      extra_headers: {x-team: os.environ/TEAM}
  - model_name: relay
    litellm_params: {model: openai/facebook/opt-125m, api_base: "http://vllm.test:8000/v1", temperature: 0.2}
  - {model_name: bedrock, litellm_params: {model: bedrock/anthropic.claude-v2, aws_region_name: eu}}
  - {model_name: "*", litellm_params: {model: "*"}}
  - {model_name: no-base, litellm_params: {model: hosted_vllm/x}}
  - {model_name: no-model, litellm_params: {}}
router_settings:
  routing_strategy: least-busy
  num_retries: 3
  model_group_alias: {gpt-4: gpt-4o, hidden: {model: claude, hidden: true}, lost: nowhere}
  fallbacks: [{gpt-4o: [claude, local]}, {nobody: [claude]}]
  redis_host: redis.test
litellm_settings: {drop_params: true, request_timeout: 60, callbacks: [langfuse]}
general_settings: {master_key: sk-master-key, database_url: "postgres://me:hush@db/x"}
guardrails: []
""")
ENVIRON = {"OPENAI_API_KEY": "sk-from-the-environment", "TEAM": "blue"}


@pytest.fixture(scope="module")
def made():
    return litellm.convert(WHOLE, ENVIRON)


def by_name(made, section):
    return {item["name"]: item for item in made.document[section]}


def told(made, sort):
    return [str(finding) for finding in made.findings if finding.sort is sort]


def test_deployments_that_share_everything_are_one_upstream(made):
    upstreams = by_name(made, "upstreams")
    assert list(upstreams) == [
        "azure-team", "openai", "openai-2", "anthropic", "ollama.test-11434", "openai-3", "vllm.test-8000",
    ]  # fmt: skip
    assert upstreams["azure-team"] == {
        "name": "azure-team",
        "kind": "azure",
        "base_url": "https://team.openai.azure.com/",
        "api_version": "2024-10-21",
        "retries": 3,
        "timeouts": {"total": 60.0},
        "keys": [{"name": "main", "value": "az-key"}],
    }
    assert upstreams["openai"]["keys"] == [{"name": "OPENAI_API_KEY", "value": "sk-from-the-environment"}]
    assert upstreams["openai"]["timeouts"] == {"total": 20.0}
    assert upstreams["openai-3"] == {
        "name": "openai-3",
        "kind": "openai",
        "api": "responses",
        "headers": {"x-team": "blue", "OpenAI-Organization": "org-1"},
        "retries": 3,
        "timeouts": {"total": 60.0},
        "keys": [{"name": "main", "value": "sk-literal-one"}],
    }
    assert upstreams["ollama.test-11434"]["kind"] == "openai_compatible"
    assert upstreams["ollama.test-11434"]["base_url"] == "http://ollama.test:11434"


def test_the_key_of_one_server_is_not_carried_to_another(made):
    relay = by_name(made, "upstreams")["vllm.test-8000"]
    assert relay["kind"] == "openai_compatible"
    assert "keys" not in relay


def test_a_reference_that_leads_nowhere_is_told_by_its_name(made):
    upstream = by_name(made, "upstreams")["anthropic"]
    assert "keys" not in upstream
    assert upstream["retries"] == 1
    assert any("anthropic is made without its key: the environment variable NOT_SET_HERE" in line
               for line in told(made, Sort.DECIDE))  # fmt: skip


def test_a_group_is_a_model_with_its_routes_in_order_and_by_weight(made):
    models = by_name(made, "models")
    assert models["gpt-4o"]["routes"] == [
        {"upstream": "azure-team", "model": "gpt-4o-eu", "priority": 0, "weight": 3},
        {"upstream": "openai", "model": "gpt-4o", "priority": 0, "weight": 1},
        {"upstream": "openai-2", "model": "gpt-4o", "priority": 1, "weight": 1},
        {"upstream": "anthropic", "model": "claude-sonnet-4-5", "priority": 2, "weight": 1},
        {"upstream": "ollama.test-11434", "model": "llama3.2", "priority": 3, "weight": 1},
    ]
    assert models["gpt-4o"]["aliases"] == ["gpt-4"]
    assert models["gpt-4o"]["lenient"] is True
    assert models["claude"]["prices"] == {"input": 3.0, "output": 15.0}
    assert models["claude"]["aliases"] == ["hidden"]
    assert models["anthropic/*"]["routes"] == [{"upstream": "anthropic", "model": "*", "priority": 0, "weight": 1}]
    assert models["codex"]["routes"][0]["model"] == "gpt-5-codex"
    assert models["relay"]["routes"][0]["model"] == "facebook/opt-125m"


def test_the_master_key_is_an_admin_key(made):
    assert made.document["clients"] == [
        {"name": "litellm", "keys": [{"name": "master_key", "value": "sk-master-key", "scope": "admin"}]}
    ]


def test_what_has_no_counterpart_is_told_with_its_place(made):
    left_out = told(made, Sort.LEFT_OUT)
    for line in (
        "model_list[8]: bedrock: the provider bedrock has no counterpart here.",
        "model_list[9]: *: says no provider.",
        "model_list[10]: has no api_base.",
        "model_list[11]: needs a model_name, and litellm_params with a model.",
        "model_list[7].litellm_params: no counterpart here: temperature.",
        "router_settings: no counterpart here: redis_host.",
        "litellm_settings: no counterpart here: callbacks.",
        "router_settings.model_group_alias.lost: nowhere is none of the models, or the alias is one.",
        "fallbacks.nobody: is none of the models.",
        "no counterpart here: guardrails.",
    ):
        assert line in left_out, line
    assert told(made, Sort.CHANGED) == [
        "router_settings.routing_strategy: least-busy: routes are shared by weight here."
    ]
    whole = "\n".join(str(finding) for finding in made.findings)
    for secret in ("az-key", "sk-from", "sk-literal", "sk-master", "hush", "blue"):
        assert secret not in whole


def test_the_second_conversion_says_the_same(made):
    again = litellm.convert(WHOLE, ENVIRON)
    assert (again.document, again.findings) == (made.document, made.findings)


def test_a_reference_names_the_upstream_the_same_way_once_it_is_set(made):
    again = litellm.convert(WHOLE, {**ENVIRON, "NOT_SET_HERE": "sk-now"})
    assert by_name(again, "upstreams").keys() == by_name(made, "upstreams").keys()
    assert by_name(again, "upstreams")["anthropic"]["keys"] == [{"name": "NOT_SET_HERE", "value": "sk-now"}]


@pytest.mark.parametrize(
    ("raw", "known"),
    [
        (WHOLE, True),
        ({"model_list": [{"model_name": "x"}]}, True),
        ({"model_list": [], "general_settings": {}}, True),
        ({"model_list": []}, False),
        ({"models": []}, False),
        ([], False),
    ],
)
def test_the_file_is_known_by_what_is_in_it(raw, known):
    assert litellm.is_one(raw) is known


VALUES = [None, 7, "text", [], [[]], {}, {"a": 1}, [{"id": {}}], True, [None], float("inf"), -1, "os.environ/X", "a/b"]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_no_value_of_any_type_breaks_it(value):
    for word in WHOLE:
        litellm.convert({**WHOLE, word: value}, {})
        if isinstance(WHOLE[word], dict):
            for inner in (*WHOLE[word], "default_fallbacks", "timeout"):
                litellm.convert({**WHOLE, word: {**WHOLE[word], inner: value}}, {})
    for word in ("model_name", "litellm_params", "model_info"):
        litellm.convert({"model_list": [{**WHOLE["model_list"][1], word: value}]}, {})
    for word in litellm.PARAMS_KNOWN | {"base_url", "input_cost_per_token"}:
        params = {**WHOLE["model_list"][1]["litellm_params"], word: value}
        litellm.convert({"model_list": [{"model_name": "x", "litellm_params": params}]}, {})
