"""Channels of one-api and new-api as a declarative document."""

import json

import pytest

from proxyapp.config.importing import oneapi
from proxyapp.config.importing.applying import FORMATS, UnknownFile, convert, load
from proxyapp.config.importing.findings import Sort

CHANNELS = [
    {
        "id": 3, "type": 14, "name": "claude / 备用", "key": "sk-ant-1\nsk-ant-2\n\nsk-ant-1", "status": 1, "weight": 0,
        "priority": 5, "models": "claude-sonnet-4-5,claude-opus-4-1, claude-opus-4-1", "group": "default,vip",
        "base_url": "", "model_mapping": "{\"claude-opus-4-1\": \"claude-opus-4-1-20250805\"}", "balance": 1,
    },
    {
        "id": 1, "type": 3, "name": "azure", "key": "az-key", "status": 2, "weight": 4, "priority": 10,
        "models": "gpt-4o", "base_url": "https://team.openai.azure.com", "other": "2024-10-21", "model_mapping": "",
    },
    {
        "id": 2, "type": 1, "name": "openai", "key": "", "status": 1, "priority": -1, "models": "gpt-4o",
        "model_mapping": "not json",
    },
    {"id": 4, "type": 15, "name": "baidu", "key": "hush", "models": "ernie"},
    {"id": 5, "type": 8, "name": "own", "key": "hush", "models": "x"},
    {"id": 6, "type": 8, "name": "azure", "key": "other-key", "models": "", "base_url": "http://own.test/v1"},
]  # fmt: skip


def told(made, sort):
    return [str(finding) for finding in made.findings if finding.sort is sort]


def test_a_channel_is_an_upstream_with_its_keys():
    made = oneapi.convert_one(CHANNELS)
    assert made.document["upstreams"] == [
        {
            "name": "azure",
            "kind": "azure",
            "base_url": "https://team.openai.azure.com",
            "api_version": "2024-10-21",
            "enabled": False,
            "keys": [{"name": "main", "value": "az-key"}],
        },
        {"name": "openai", "kind": "openai"},
        {
            "name": "claude",
            "kind": "anthropic",
            "keys": [{"name": "key-1", "value": "sk-ant-1"}, {"name": "key-2", "value": "sk-ant-2"}],
        },
        {
            "name": "azure-2",
            "kind": "openai_compatible",
            "base_url": "http://own.test/v1",
            "keys": [{"name": "main", "value": "other-key"}],
        },
    ]


def test_a_model_has_a_route_to_each_channel_that_offers_it_the_highest_priority_first():
    models = {model["name"]: model["routes"] for model in oneapi.convert_one(CHANNELS).document["models"]}
    assert models == {
        "gpt-4o": [
            {"upstream": "azure", "model": "gpt-4o", "priority": 0, "weight": 4},
            {"upstream": "openai", "model": "gpt-4o", "priority": 1, "weight": 1},
        ],
        "claude-sonnet-4-5": [{"upstream": "claude", "model": "claude-sonnet-4-5", "priority": 0, "weight": 1}],
        "claude-opus-4-1": [{"upstream": "claude", "model": "claude-opus-4-1-20250805", "priority": 0, "weight": 1}],
    }


def test_what_is_not_taken_is_told_without_a_secret():
    made = oneapi.convert_one(CHANNELS)
    assert told(made, Sort.LEFT_OUT) == [
        "channels[2].model_mapping: is no JSON object.",
        "channels[3]: baidu: the type 15 (Baidu) has no counterpart here.",
        "channels[4]: own: has no base_url.",
    ]
    assert told(made, Sort.DECIDE) == [
        "channels[2]: openai has no key in this file: enter it.",
        "channels[5]: azure-2 names no models: give it some.",
        "group: groups have no counterpart (vip): say what clients may use by their models.",
        "users and their tokens are not in this file: make clients and keys here.",
    ]
    whole = str([str(finding) for finding in made.findings])
    assert not any(secret in whole for secret in ("sk-ant", "az-key", "hush", "other-key"))


@pytest.mark.parametrize(
    "raw",
    [CHANNELS, {"success": True, "data": CHANNELS}, {"data": {"items": CHANNELS, "total": 6}}, {"channels": CHANNELS}],
)
def test_every_form_of_the_list_says_the_same(raw):
    assert oneapi.is_one(raw)
    assert oneapi.convert_one(raw).document == oneapi.convert_one(CHANNELS).document


def test_one_channel_alone_is_a_list_of_one():
    [upstream] = oneapi.convert_one({"success": True, "data": CHANNELS[1]}).document["upstreams"]
    assert upstream["name"] == "azure"


def test_a_table_from_the_database_says_the_same_as_its_interface():
    text = (
        "id,type,name,key,status,weight,priority,models,base_url,other,model_mapping\r\n"
        '1,3,azure,az-key,2,4,10,gpt-4o,https://team.openai.azure.com,2024-10-21,\r\n'
        '2,14,claude,"sk-ant-1\nsk-ant-2",1,,5,"a,b",,,"{""a"": ""c""}"\r\n'
    )  # fmt: skip
    name, made = convert(load(text), {})
    assert name == "one-api"
    assert [upstream["name"] for upstream in made.document["upstreams"]] == ["azure", "claude"]
    assert made.document["upstreams"][1]["keys"][1] == {"name": "key-2", "value": "sk-ant-2"}
    assert made.document["models"][1]["routes"][0]["model"] == "c"
    with pytest.raises(UnknownFile, match="table cannot be read"):
        load(f"type,models,name\n{'x' * 200_000}")


def test_the_numbers_of_the_two_programs_part_ways():
    channel = {"id": 1, "type": 43, "name": "c", "key": "k-1\nk-2", "models": "m"}
    one, new = convert([channel], {}), convert([{**channel, "auto_ban": 1}], {})
    assert one[0] == "one-api"
    assert "43" in told(one[1], Sort.LEFT_OUT)[0]
    assert new[0] == "new-api"
    assert new[1].document["upstreams"][0]["base_url"] == "https://api.deepseek.com"
    forced = convert([{**channel, "auto_ban": 1, "type": 36}], {}, "one-api")
    assert forced[1].document["upstreams"][0]["base_url"] == "https://api.deepseek.com"


def test_what_new_api_has_more_is_taken():
    channel = {
        "id": 1, "type": 1, "name": "c", "key": "k-1\nk-2", "models": ["m"], "openai_organization": "org",
        "header_override": json.dumps({"x-team": "blue", "x-key": "{api_key}"}), "system_prompt": "Be kind.",
        "channel_info": {"is_multi_key": True, "multi_key_status_list": {"1": 2}},
    }  # fmt: skip
    made = oneapi.convert_new([channel])
    assert made.document["upstreams"] == [
        {
            "name": "c",
            "kind": "openai",
            "system_prompt": "Be kind.",
            "headers": {"x-team": "blue", "OpenAI-Organization": "org"},
            "keys": [{"name": "key-1", "value": "k-1"}, {"name": "key-2", "value": "k-2", "enabled": False}],
        }
    ]
    assert told(made, Sort.LEFT_OUT) == [
        "channels[0].header_override: values with placeholders in braces have no counterpart."
    ]


VALUES = [None, 7, "text", [], [[]], {}, {"a": 1}, "[" * 5000, True, [None], float("inf"), -1, 1e300, "9" * 400]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_no_value_of_any_type_breaks_it(value):
    for known in FORMATS:
        known.is_one(value)
        known.is_one({"data": value})
        known.is_one([value])
    for word in oneapi.KNOWN | oneapi.BOOKKEEPING:
        for channel in CHANNELS[:2]:
            oneapi.convert_new([{**channel, word: value}, value])
