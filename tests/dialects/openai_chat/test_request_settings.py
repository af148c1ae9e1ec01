"""A caller's tools and settings as IR."""

from __future__ import annotations

from typing import Any

import pytest

from proxyapp.errors import BadRequest
from proxyapp.ir.request import Format, ReasoningSettings, ServerTool, Tool, ToolChoice


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def part(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, **fields}


# --- tools


def test_tools_of_all_forms(parse: Any) -> None:
    grammar = {"syntax": "lark", "definition": "start: WORD"}
    request = parse(
        tools=[
            part(
                "function", function={"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True}
            ),
            part("function", name="flat", parameters={}),
            part("custom", custom={"name": "patch", "format": {"type": "grammar", "grammar": grammar}}),
            part("web_search", search_context_size="low"),
        ],
        functions=[{"name": "old"}],
        web_search_options={"search_context_size": "high"},
        parallel_tool_calls=False,
    )
    assert request.tools == [
        Tool(name="f", description="d", schema={"type": "object"}, strict=True),
        Tool(name="flat", schema={}),
        Tool(name="patch", kind="custom", grammar={"type": "grammar", **grammar}),
        Tool(name="old"),
    ]
    assert request.server_tools == [
        ServerTool(
            kind="web_search",
            dialect="openai-chat",
            raw=part("web_search", search_context_size="low"),
            path="tools.3",
        ),
        ServerTool(
            kind="web_search",
            dialect="openai-chat",
            raw={"search_context_size": "high"},
            path="web_search_options",
        ),
    ]
    assert request.parallel_tools is False
    assert request.legacy_functions is True


@pytest.mark.parametrize(
    ("given", "choice"),
    [
        ("auto", ToolChoice(mode="auto")),
        ("none", ToolChoice(mode="none")),
        ("required", ToolChoice(mode="any")),
        ({"type": "auto"}, ToolChoice(mode="auto")),
        ({"type": "none"}, ToolChoice(mode="none")),
        ({"type": "required"}, ToolChoice(mode="any")),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice(mode="named", names=["f"])),
        ({"type": "function", "name": "f"}, ToolChoice(mode="named", names=["f"])),
        ({"type": "custom", "custom": {"name": "c"}}, ToolChoice(mode="named", names=["c"])),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]},
            },
            ToolChoice(mode="allowed", names=["f"], required=True),
        ),
        (None, None),
    ],
)
def test_tool_choices(parse: Any, given: Any, choice: ToolChoice | None) -> None:
    assert parse(tool_choice=given).tool_choice == choice


def test_the_old_function_choice(parse: Any) -> None:
    assert parse(function_call="none").tool_choice == ToolChoice(mode="none")
    assert parse(function_call={"name": "f"}).tool_choice == ToolChoice(mode="named", names=["f"])


# --- settings


def test_the_newer_limit_wins(parse: Any) -> None:
    assert parse(max_tokens=5).max_output == 5
    assert parse(max_tokens=5, max_completion_tokens=7).max_output == 7


def test_stop_is_a_string_or_a_list(parse: Any) -> None:
    assert parse(stop="x").stop == ["x"]
    assert parse(stop=["x", "y"]).stop == ["x", "y"]
    assert parse(stop=None).stop == []


def test_scalars_land_in_their_places(parse: Any) -> None:
    request = parse(
        stream=True,
        stream_options={"include_usage": True},
        temperature=0,
        top_p=0.5,
        top_k=40.0,
        seed=1,
        frequency_penalty=0.1,
        presence_penalty=-1,
        logit_bias={"5": -100},
        logprobs=True,
        top_logprobs=3,
        n=2,
        user="old",
        safety_identifier="new",
        prompt_cache_key="k",
        metadata={"a": "b"},
        service_tier="flex",
        store=True,
        verbosity="low",
    )
    assert (request.stream, request.include_usage, request.temperature, request.top_p) == (True, True, 0, 0.5)
    assert (request.top_k, request.seed, request.frequency_penalty, request.presence_penalty) == (40, 1, 0.1, -1)
    assert (request.logit_bias, request.logprobs, request.top_logprobs, request.n) == ({"5": -100}, True, 3, 2)
    assert (request.end_user, request.cache_key, request.metadata) == ("new", "k", {"a": "b"})
    assert (request.service_tier, request.store, request.verbosity) == ("flex", True, "low")


def test_output_formats(parse: Any) -> None:
    schema = {"type": "object"}
    spec = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True, "description": "d"}}
    assert parse(response_format=spec).format == Format(
        kind="json_schema", schema=schema, name="n", description="d", strict=True
    )
    assert parse(response_format={"type": "json_object"}).format == Format(kind="json_object")
    assert parse(response_format={"type": "text"}).format == Format(kind="text")
    assert parse().format is None


@pytest.mark.parametrize(
    ("body", "settings"),
    [
        ({"reasoning_effort": "high"}, ReasoningSettings(mode="effort", effort="high")),
        ({"reasoning_effort": "none"}, ReasoningSettings(mode="off", effort="none")),
        ({"thinking": {"type": "disabled"}}, ReasoningSettings(mode="off")),
        ({"thinking": {"type": "enabled"}}, ReasoningSettings(mode="adaptive")),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, ReasoningSettings(mode="budget", budget=2048)),
        ({"reasoning": {"effort": "low", "exclude": True}}, ReasoningSettings(mode="effort", effort="low", show=False)),
        ({"reasoning": {"max_tokens": 99}}, ReasoningSettings(mode="budget", budget=99)),
        ({"reasoning": {"enabled": True}}, ReasoningSettings(mode="adaptive")),
        ({"reasoning": {"enabled": False}}, ReasoningSettings(mode="off")),
        ({}, None),
    ],
)
def test_reasoning_in_all_its_spellings(parse: Any, body: dict[str, Any], settings: ReasoningSettings | None) -> None:
    assert parse(**body).reasoning == settings


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": 1.5}, "max_completion_tokens"),
        ({"n": 0}, "n"),
        ({"stop": 7}, "stop"),
        ({"stop": [7]}, "stop"),
        ({"logit_bias": {"5": "x"}}, "logit_bias.5"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"response_format": {}}, None),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": 1}}},
            "response_format.json_schema.schema",
        ),
        ({"tools": {}}, "tools"),
        ({"tools": [1]}, "tools.0"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools.0.function.name"),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function.name"),
        ({"functions": [{}]}, "functions.0.name"),
        ({"model": ""}, "model"),
    ],
)
def test_a_setting_of_a_wrong_kind_is_named(parse: Any, body: dict[str, Any], path: str | None) -> None:
    if path is None:
        assert parse(**body).format is None
        return
    with pytest.raises(BadRequest) as caught:
        parse(**body)
    assert caught.value.param == path
