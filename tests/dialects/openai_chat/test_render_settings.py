"""Tools and settings as an upstream's Chat request."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from proxyapp.dialects import jsonio
from proxyapp.dialects.anthropic.tables import WORDS
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.errors import Unsupported
from proxyapp.ir import parts as p
from proxyapp.ir.request import Format, ReasoningSettings, Request, ServerTool, Tool, ToolChoice, Turn

STRICT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


def ask(**fields: Any) -> Request:
    """A request of a Messages caller with one user turn."""
    turns = fields.pop("turns", [Turn(role="user", parts=[p.Text(text="hi")], path="messages.0")])
    dialect = fields.pop("dialect", "anthropic-messages")
    words = WORDS if dialect == "anthropic-messages" else {}
    return Request(client_dialect=dialect, words=words, model="asked", turns=turns, **fields)


def said(*parts: p.Part, role: Any = "user", path: str = "messages.1") -> Turn:
    return Turn(role=role, parts=list(parts), path=path)


def call(call_id: str = "c1", name: str = "f", arguments: str = "{}", **more: Any) -> p.ToolCall:
    return p.ToolCall(id=call_id, name=name, arguments=arguments, **more)


def result(call_id: str, *parts: p.Part, **more: Any) -> p.ToolResult:
    return p.ToolResult(call_id=call_id, parts=list(parts), **more)


def paths(side: UpstreamSide) -> list[str]:
    return [note.path for note in side.notes.items]


# --- tools


def test_names_ids_choice_and_history_agree(render: Any, upstream: Any) -> None:
    side = upstream()
    request = ask(
        tools=[Tool(name="mcp:x.y", schema={"type": "object"}), Tool(name="mcp_x_y")],
        tool_choice=ToolChoice(mode="named", names=["mcp:x.y"]),
        turns=[said(call("functions.f:0", "mcp:x.y"), role="assistant"), said(result("functions.f:0"))],
    )
    body = render(request, side)
    wire = body["tools"][0]["function"]["name"]
    assert body["tools"][1]["function"]["name"] == "mcp_x_y" != wire
    assert body["tool_choice"] == {"type": "function", "function": {"name": wire}}
    assert body["messages"][0]["tool_calls"][0]["function"]["name"] == wire
    assert body["messages"][0]["tool_calls"][0]["id"] == body["messages"][1]["tool_call_id"] != "functions.f:0"
    assert side.wire_names == {wire: "mcp:x.y"}


def test_schemas_are_made_what_the_api_insists_on(render: Any) -> None:
    schemas = [None, {}, {"type": "object"}, {"properties": {"type": {}}}, {"$ref": "#/x"}, STRICT]
    body = render(ask(tools=[Tool(name=f"t{n}", schema=schema) for n, schema in enumerate(schemas)]))
    assert [tool["function"].get("parameters") for tool in body["tools"]] == [
        None,
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"type": {}}},
        {"$ref": "#/x"},
        STRICT,
    ]


def test_strict_is_sent_only_as_said_and_only_where_it_holds(render: Any, upstream: Any) -> None:
    side = upstream()
    loose = {**STRICT, "required": []}
    tools = [
        Tool(name="a", schema=STRICT, strict=True),
        Tool(name="b", schema=loose, strict=True),
        Tool(name="c", schema=loose, strict=False),
        Tool(name="d", schema=STRICT),
    ]
    body = render(ask(tools=tools), side)
    assert [tool["function"].get("strict") for tool in body["tools"]] == [True, False, False, None]
    assert paths(side) == ["tools"]
    assert "strict" not in render(ask(tools=tools), strict_tools=False)["tools"][0]["function"]


def test_custom_tools_are_wrapped_where_the_server_has_none(render: Any, upstream: Any) -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: WORD"}
    request = ask(
        tools=[Tool(name="patch", description="Edits.", kind="custom", grammar=grammar)],
        tool_choice=ToolChoice(mode="named", names=["patch"]),
        turns=[said(call("c1", "patch", "*** Begin", kind="custom"), role="assistant"), said(result("c1"))],
    )
    side = upstream()
    body = render(request, side)
    function = body["tools"][0]["function"]
    assert function["parameters"]["required"] == ["input"]
    assert "Edits." in function["description"]
    assert "start: WORD" in function["description"]
    assert body["messages"][0]["tool_calls"][0]["function"]["arguments"] == '{"input":"*** Begin"}'
    assert body["tool_choice"]["type"] == "function"
    assert side.wrapped_tools == {"patch"}

    side = upstream(custom_tools=True)
    body = render(request, side)
    nested = {"syntax": "lark", "definition": "start: WORD"}
    assert body["tools"][0]["custom"]["format"] == {"type": "grammar", "grammar": nested}
    assert body["messages"][0]["tool_calls"][0]["custom"] == {"name": "patch", "input": "*** Begin"}
    assert body["tool_choice"] == {"type": "custom", "custom": {"name": "patch"}}
    assert side.wrapped_tools == set()


@pytest.mark.parametrize(("mode", "word"), [("auto", "auto"), ("none", "none"), ("any", "required")])
def test_choice_words(render: Any, mode: Any, word: str) -> None:
    assert render(ask(tools=[Tool(name="f")], tool_choice=ToolChoice(mode=mode)))["tool_choice"] == word


def test_a_subset_is_told_to_openai_and_sent_alone_to_others(render: Any, upstream: Any) -> None:
    request = ask(
        tools=[Tool(name="a"), Tool(name="b")],
        tool_choice=ToolChoice(mode="allowed", names=["a"], required=True),
    )
    body = render(request, metadata=True)
    assert len(body["tools"]) == 2
    entry = {"type": "function", "function": {"name": "a"}}
    assert body["tool_choice"] == {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [entry]}}
    side = upstream()
    body = render(request, side)
    assert [tool["function"]["name"] for tool in body["tools"]] == ["a"]
    assert body["tool_choice"] == "required"
    assert paths(side) == ["tool_choice"]


def test_choice_and_parallel_flag_are_not_sent_without_tools(render: Any, upstream: Any) -> None:
    side = upstream()
    body = render(ask(tool_choice=ToolChoice(mode="any"), parallel_tools=False), side)
    assert body.keys() == {"model", "messages"}
    assert paths(side) == ["tool_choice"]


def test_the_parallel_flag_where_the_server_takes_it(render: Any, upstream: Any) -> None:
    request = ask(tools=[Tool(name="f")], parallel_tools=False)
    assert render(request)["parallel_tool_calls"] is False
    side = upstream(parallel_flag=False)
    assert "parallel_tool_calls" not in render(request, side)
    assert paths(side) == ["parallel_tool_calls"]


def test_plain_web_search_is_mapped_at_openai_and_refused_elsewhere(render: Any) -> None:
    raw = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
    place = {"type": "approximate", "city": "Bonn"}
    hosted = ServerTool(
        kind="web_search", dialect="anthropic-messages", raw={**raw, "user_location": place}, path="tools.0"
    )
    options = {"user_location": {"type": "approximate", "approximate": {"city": "Bonn"}}}
    assert render(ask(server_tools=[hosted]), metadata=True)["web_search_options"] == options
    with pytest.raises(Unsupported) as caught:
        render(ask(server_tools=[hosted]))
    assert caught.value.param == "tools.0"
    hosted.raw = {**raw, "allowed_domains": ["example.com"]}
    with pytest.raises(Unsupported):
        render(ask(server_tools=[hosted]), metadata=True)


def test_a_chat_callers_hosted_tools_go_on(render: Any) -> None:
    hosted = [
        ServerTool(kind="browse", dialect="openai-chat", raw={"type": "browse"}, path="tools.0"),
        ServerTool(kind="web_search", dialect="openai-chat", raw={"a": 1}, path="web_search_options"),
    ]
    body = render(ask(server_tools=hosted, dialect="openai-chat"))
    assert (body["tools"], body["web_search_options"]) == ([{"type": "browse"}], {"a": 1})


# --- settings


def test_the_limit_has_the_name_the_server_takes_and_is_capped(render: Any, upstream: Any) -> None:
    assert render(ask(max_output=50))["max_tokens"] == 50
    side = upstream(max_tokens_field="max_completion_tokens", max_output=10)
    assert render(ask(max_output=50), side)["max_completion_tokens"] == 10
    assert paths(side) == ["max_tokens"]
    with pytest.raises(Unsupported):
        render(ask(max_output=0))


def test_sampling_as_far_as_the_model_takes_it(render: Any, upstream: Any) -> None:
    request = ask(temperature=0.5, top_p=0.9, top_k=40, seed=1, n=1, stop=["a", "b", "c"])
    side = upstream(stop_max=2)
    body = render(request, side)
    assert (body["temperature"], body["top_p"], body["seed"], body["stop"]) == (0.5, 0.9, 1, ["a", "b"])
    assert "n" not in body
    assert paths(side) == ["stop_sequences", "top_k"]
    assert render(request, top_k=True)["top_k"] == 40
    side = upstream(sampling=False)
    assert not render(request, side).keys() & {"temperature", "top_p", "top_k"}
    side = upstream(temperature_and_top_p=False)
    assert "top_p" not in render(request, side)
    assert "top_p" in paths(side)


@pytest.mark.parametrize(
    ("settings", "efforts", "sent", "noted"),
    [
        (ReasoningSettings(mode="effort", effort="medium"), ("low", "medium", "high"), "medium", False),
        (ReasoningSettings(mode="effort", effort="minimal"), ("low", "medium", "high"), "low", False),
        (ReasoningSettings(mode="effort", effort="max"), ("low", "medium", "high"), "high", True),
        (ReasoningSettings(mode="effort", effort="own-word"), ("low",), "own-word", False),
        (ReasoningSettings(mode="off"), ("none", "low"), "none", False),
        (ReasoningSettings(mode="off"), ("low", "high"), "low", True),
        (ReasoningSettings(mode="adaptive"), ("low", "high"), None, False),
        (ReasoningSettings(mode="adaptive", effort="high"), ("low", "high"), "high", False),
        (ReasoningSettings(mode="budget", budget=8192), ("low", "medium", "high"), "medium", False),
        (ReasoningSettings(mode="budget", budget=31999), ("low", "high", "xhigh"), "xhigh", False),
        (ReasoningSettings(mode="between_tools"), ("low",), None, True),
    ],
)
def test_reasoning_becomes_an_effort(
    render: Any, upstream: Any, settings: ReasoningSettings, efforts: Any, sent: str | None, noted: bool
) -> None:
    side = upstream(efforts=efforts)
    assert render(ask(reasoning=settings), side).get("reasoning_effort") == sent
    assert bool(side.notes.items) is noted


def test_reasoning_is_dropped_for_models_without_it(render: Any, upstream: Any) -> None:
    side = upstream(reasoning_effort=False)
    assert "reasoning_effort" not in render(ask(reasoning=ReasoningSettings(mode="effort", effort="high")), side)
    assert paths(side) == ["thinking"]
    side = upstream(reasoning_effort=False)
    render(ask(reasoning=ReasoningSettings(mode="off")), side)
    assert paths(side) == []


def test_a_schema_is_sent_strict_only_if_it_already_is(render: Any, upstream: Any) -> None:
    def sent(schema: dict[str, Any], side: UpstreamSide, **more: Any) -> dict[str, Any]:
        return render(ask(format=Format(kind="json_schema", schema=schema, always_held=True, **more)), side)[
            "response_format"
        ]

    assert sent(STRICT, upstream())["json_schema"] == {"name": "response", "schema": STRICT, "strict": True}
    loose = {"type": "object", "properties": {"a": {"type": "string"}}}
    side = upstream()
    assert sent(loose, side)["json_schema"] == {"name": "response", "schema": loose, "strict": False}
    assert paths(side) == ["output_config.format"]
    assert sent(loose, upstream(), name="my name", strict=True)["json_schema"]["name"] == "my_name"


def test_a_schema_becomes_an_instruction_where_it_cannot_be_held(render: Any, upstream: Any) -> None:
    side = upstream(structured_output=False)
    body = render(ask(format=Format(kind="json_schema", schema=STRICT), system=[p.Text(text="Be.")]), side)
    assert body["response_format"] == {"type": "json_object"}
    assert body["messages"][0]["content"].startswith("Be.\n\nAnswer with one JSON object")
    assert jsonio.text(STRICT) in body["messages"][0]["content"]
    assert [note.dropped for note in side.notes.items] == [False]
    body = render(ask(format=Format(kind="json_object")), json_object=False)
    assert "response_format" not in body
    assert body["messages"][0]["role"] == "system"


def test_end_users_are_hashed_when_long_or_personal(render: Any) -> None:
    long = "x" * 65
    assert render(ask(end_user="u1"))["user"] == "u1"
    assert (
        render(ask(end_user=long), safety_identifier=True)["safety_identifier"]
        == hashlib.sha256(long.encode()).hexdigest()
    )
    assert render(ask(end_user='{"a":1}'))["user"] == hashlib.sha256(b'{"a":1}').hexdigest()
    assert render(ask(end_user="a@b.c", dialect="openai-chat"))["user"] == "a@b.c"


def test_fields_of_openais_own_hosts(render: Any, upstream: Any) -> None:
    request = ask(
        metadata={"a": "b"},
        service_tier="standard_only",
        store=True,
        verbosity="low",
        cache_key="k",
        dialect="openai-chat",
    )
    body = render(request, metadata=True)
    assert (body["metadata"], body["service_tier"], body["store"]) == ({"a": "b"}, "default", True)
    assert (body["verbosity"], body["prompt_cache_key"]) == ("low", "k")
    side = upstream()
    assert render(request, side).keys() == {"model", "messages"}
    assert paths(side) == ["verbosity", "store"]
    with pytest.raises(Unsupported):
        render(ask(service_tier="platinum"), metadata=True)


def test_extras_go_back_to_their_own_dialect_and_are_noted_elsewhere(render: Any, upstream: Any) -> None:
    assert render(ask(extras={"modalities": ["text"]}, dialect="openai-chat"))["modalities"] == ["text"]
    side = upstream()
    body = render(ask(extras={"context_management": {}, "diagnostics": {}}), side)
    assert body.keys() == {"model", "messages"}
    assert paths(side) == ["context_management"]
    with pytest.raises(Unsupported) as caught:
        render(ask(extras={"mcp_servers": []}))
    assert caught.value.param == "mcp_servers"


# --- servers that know a part of JSON Schema


LOOSE = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "format": {"type": ["string", "null"], "format": "uri"},
        "const": {"const": "a"},
        "size": {"$ref": "#/$defs/Size"},
        "tree": {"$ref": "#"},
    },
    "required": ["format", "absent"],
    "$defs": {"Size": {"type": "integer", "exclusiveMinimum": 0}},
}
A_FORMAT = Format(kind="json_schema", schema=STRICT, strict=True)
PLAIN = {
    "type": "object",
    "properties": {
        "format": {"type": "string", "nullable": True, "description": "(format: uri)"},
        "const": {"type": "string", "enum": ["a"]},
        "size": {"type": "integer", "minimum": 1},
    },
    "required": ["format"],
}


def test_strict_servers_get_the_keywords_they_know_and_every_property(render: Any, upstream: Any) -> None:
    side = upstream(plain_schemas=True)
    body = render(ask(tools=[Tool(name="f", schema=LOOSE, strict=True)], format=A_FORMAT), side)
    function = body["tools"][0]["function"]
    sent = function["parameters"]
    tree = sent["properties"].pop("tree")
    assert sent == PLAIN
    assert set(tree["properties"]) == set(LOOSE["properties"])
    assert tree["properties"]["tree"] == {"type": "object", "description": "recursive: #"}
    assert "strict" not in function
    asked = body["response_format"]["json_schema"]
    assert "strict" not in asked
    assert "additionalProperties" not in asked["schema"]
    assert {"tools", "output_config.format"} <= set(paths(side))


def test_other_servers_get_schemas_as_they_are(render: Any, upstream: Any) -> None:
    body = render(ask(tools=[Tool(name="f", schema=LOOSE)]), upstream())
    assert body["tools"][0]["function"]["parameters"] == LOOSE
