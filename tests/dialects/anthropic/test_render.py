"""An upstream's body: settings, tools, output format, cache points and what other dialects bring along."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.openai_chat.tables import WORDS as CHAT_WORDS
from proxyapp.errors import Unsupported
from proxyapp.ir import parts as p
from proxyapp.ir.request import Format, Request, ServerTool, Tool, ToolChoice, Turn

Json = dict[str, Any]
Render = Callable[..., Json]
Upstream = Callable[..., UpstreamSide]
NAME = "anthropic-messages"
SCHEMA = {"type": "object", "properties": {"a": {"type": "string", "minLength": 1}}}


def a_request(**more: Any) -> Request:
    """From a Chat caller who says "hi"."""
    turns = [Turn(role="user", parts=[p.Text(text="hi")], path="messages.0")]
    return Request(**{"client_dialect": "openai-chat", "words": CHAT_WORDS, "model": "m", "turns": turns, **more})


def paths(side: UpstreamSide) -> list[str]:
    return [note.path for note in side.notes.items]


def test_the_least_request_says_nothing_the_caller_did_not(render: Render) -> None:
    assert render(a_request(), max_output=100) == {
        "model": "up-model",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    }


def test_a_stream_is_asked_for_as_the_caller_did(render: Render) -> None:
    assert render(a_request(stream=True))["stream"] is True


def test_rendering_leaves_the_request_as_it_was(parse: Callable[..., Request], upstream: Upstream) -> None:
    cached = {"type": "ephemeral"}
    request = parse(
        system=[{"type": "text", "text": str(n), "cache_control": cached} for n in range(4)],
        tools=[{"type": "bash_20250124", "name": "bash", "cache_control": cached}],
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": cached}]},
            {"role": "assistant", "content": [{"type": "container_upload", "file_id": "f"}]},
        ],
        container="c",
    )
    before = copy.deepcopy(msgspec.to_builtins(request))
    ANTHROPIC.render_request(request, upstream())
    assert msgspec.to_builtins(request) == before


# --- limits and sampling


@pytest.mark.parametrize(
    ("asked", "most", "sent"), [(500, 100, 100), (50, 100, 50), (None, None, 16384), (70, None, 70)]
)
def test_the_limit_is_the_callers_and_at_most_the_models(
    render: Render, upstream: Upstream, asked: int | None, most: int | None, sent: int
) -> None:
    side = upstream(max_output=most)
    assert render(a_request(max_output=asked), side)["max_tokens"] == sent
    assert paths(side) == (["max_tokens"] if asked == 500 else [])


def test_a_prewarm_stays_one(render: Render, parse: Callable[..., Request]) -> None:
    assert render(parse(max_tokens=0))["max_tokens"] == 0


def test_sampling_goes_as_it_came_where_it_is_taken(render: Render) -> None:
    body = render(a_request(temperature=0.3, top_p=0.9, top_k=5, stop=["END"]))
    assert (body["temperature"], body["top_p"], body["top_k"], body["stop_sequences"]) == (0.3, 0.9, 5, ["END"])


def test_thinking_excludes_sampling(render: Render, upstream: Upstream, parse: Callable[..., Request]) -> None:
    side = upstream(thinking="adaptive")
    thinking = {"type": "adaptive"}
    body = render(parse(thinking=thinking, temperature=0.3, top_p=0.5, top_k=5), side)
    assert not {"temperature", "top_p", "top_k"} & set(body)
    assert paths(side) == ["temperature", "top_p", "top_k"]
    quiet = upstream(thinking="adaptive")
    assert render(parse(thinking=thinking, temperature=1, top_p=0.98), quiet)["temperature"] == 1
    assert not paths(quiet)


def test_a_negative_temperature_is_none(render: Render) -> None:
    assert render(a_request(temperature=-1.0))["temperature"] == 0


def test_stop_sequences_beyond_the_models_number_are_cut(render: Render, upstream: Upstream) -> None:
    side = upstream(stop_max=2)
    assert render(a_request(stop=["a", "b", "c"]), side)["stop_sequences"] == ["a", "b"]
    assert paths(side) == ["stop"]


def test_weak_settings_without_counterpart_are_noted_once_each(render: Render, upstream: Upstream) -> None:
    side = upstream()
    render(
        a_request(
            seed=1,
            frequency_penalty=0.5,
            presence_penalty=0.0,
            verbosity="high",
            logit_bias={"5": 3.0},
            metadata={"a": "b"},
        ),
        side,
    )
    assert paths(side) == ["logit_bias", "seed", "frequency_penalty", "verbosity"]


def test_banned_tokens_are_refused(render: Render, upstream: Upstream) -> None:
    with pytest.raises(Unsupported):
        render(a_request(logit_bias={"5": -100.0}))
    side = upstream(lenient=True)
    render(a_request(logit_bias={"5": -100.0}), side)
    assert paths(side) == ["logit_bias"]


@pytest.mark.parametrize(
    ("tier", "sent", "noted"),
    [("auto", "auto", False), ("default", "standard_only", False), ("priority", None, True), ("flex", None, True)],
)
def test_service_tiers_are_mapped(render: Render, upstream: Upstream, tier: str, sent: str | None, noted: bool) -> None:
    side = upstream()
    assert render(a_request(service_tier=tier), side).get("service_tier") == sent
    assert bool(paths(side)) is noted


def test_an_unknown_service_tier_is_refused(render: Render) -> None:
    with pytest.raises(Unsupported) as caught:
        render(a_request(service_tier="platinum"))
    assert caught.value.param == "service_tier"


def test_an_end_user_too_long_is_hashed_whole(render: Render) -> None:
    assert render(a_request(end_user="u1"))["metadata"] == {"user_id": "u1"}
    assert len(render(a_request(end_user="u" * 300))["metadata"]["user_id"]) == 64


# --- fields of other dialects


@pytest.mark.parametrize("field", ["audio", "background", "conversation"])
def test_fields_that_change_the_answer_are_refused(render: Render, field: str) -> None:
    with pytest.raises(Unsupported) as caught:
        render(a_request(extras={field: {"x": 1}}))
    assert caught.value.param == field


def test_spoken_answers_are_refused_and_written_ones_not(render: Render, upstream: Upstream) -> None:
    with pytest.raises(Unsupported):
        render(a_request(extras={"modalities": ["text", "audio"]}))
    side = upstream()
    render(a_request(extras={"modalities": ["text"]}), side)
    assert not paths(side)


def test_hints_go_silently_and_unknown_fields_with_a_note(render: Render, upstream: Upstream) -> None:
    side = upstream()
    body = render(a_request(extras={"prediction": {"x": 1}, "shiny": 1, "background": False}), side)
    assert paths(side) == ["shiny"]
    assert set(body) == {"model", "max_tokens", "messages"}


def test_a_blocking_moderation_policy_is_refused(render: Render, upstream: Upstream) -> None:
    with pytest.raises(Unsupported):
        render(a_request(extras={"moderation": {"policy": {"mode": "block"}}}))
    side = upstream()
    render(a_request(extras={"moderation": {"policy": {"mode": "flag"}}}), side)
    assert paths(side) == ["moderation"]


def test_this_dialects_own_fields_go_back_as_they_came(render: Render, parse: Callable[..., Request]) -> None:
    own = {
        "container": {"id": "c"},
        "mcp_servers": [{"name": "s"}],
        "context_management": {"edits": [{"type": "clear"}]},
        "speed": "fast",
        "service_tier": "standard_only",
        "metadata": {"user_id": "u", "other": 1},
        "output_config": {"effort": "low", "task_budget": 5},
        "cache_control": {"type": "ephemeral", "ttl": "1h"},
    }
    body = render(parse(**own), thinking="adaptive")
    assert {key: body[key] for key in own} == own


# --- tools


def test_tools_have_name_description_and_schema(render: Render) -> None:
    tools = [Tool(name="f", description="d", schema=SCHEMA, cache="12h"), Tool(name="g")]
    assert render(a_request(tools=tools))["tools"] == [
        {
            "name": "f",
            "description": "d",
            "input_schema": SCHEMA,
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
        },
        {"name": "g", "input_schema": {"type": "object", "properties": {}}},
    ]


def test_own_tools_keep_their_schema_and_their_addenda(render: Render, parse: Callable[..., Request]) -> None:
    tools = [
        {
            "name": "f",
            "input_schema": {"type": "object", "$schema": "x"},
            "defer_loading": True,
            "input_examples": [{}],
        },
        {"name": "g", "input_schema": {"type": "object", "anyOf": []}, "strict": True},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 1},
    ]
    assert render(parse(tools=tools))["tools"] == tools


def test_strict_tools_are_cleaned_where_they_are_known(render: Render, upstream: Upstream) -> None:
    side = upstream()
    (tool,) = render(a_request(tools=[Tool(name="f", schema=SCHEMA, strict=True)]), side)["tools"]
    assert tool["strict"] is True
    assert tool["input_schema"]["additionalProperties"] is False
    assert "minLength" in tool["input_schema"]["properties"]["a"]["description"]
    assert paths(side) == ["tools.0.parameters"]
    plain = upstream(strict_tools=False)
    (tool,) = render(a_request(tools=[Tool(name="f", schema=SCHEMA, strict=True)]), plain)["tools"]
    assert "strict" not in tool
    assert paths(plain) == ["tools.0.strict"]


def test_a_free_text_tool_is_wrapped_and_remembered(render: Render, upstream: Upstream) -> None:
    side = upstream()
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: WORD"}
    request = a_request(tools=[Tool(name="patch", description="d", kind="custom", grammar=grammar)])
    request.turns += [
        Turn(role="assistant", parts=[p.ToolCall(id="c1", name="patch", arguments="raw", kind="custom")], path="x"),
        Turn(role="user", parts=[p.ToolResult(call_id="c1", parts=[p.Text(text="ok")])], path="y"),
    ]
    body = render(request, side)
    (tool,) = body["tools"]
    assert tool["input_schema"]["required"] == ["input"]
    assert "start: WORD" in tool["description"]
    assert body["messages"][1]["content"][0]["input"] == {"input": "raw"}
    assert side.wrapped_tools == {"patch"}


def test_namespaced_tools_are_flattened_everywhere(render: Render, upstream: Upstream) -> None:
    side = upstream()
    request = a_request(
        tools=[Tool(name="run", namespace="shell")], tool_choice=ToolChoice(mode="named", names=["shell__run"])
    )
    request.turns += [
        Turn(role="assistant", parts=[p.ToolCall(id="c1", name="run", namespace="shell")], path="x"),
        Turn(role="user", parts=[p.ToolResult(call_id="c1")], path="y"),
    ]
    body = render(request, side)
    assert body["tools"][0]["name"] == "shell__run"
    assert body["tool_choice"] == {"type": "tool", "name": "shell__run"}
    assert body["messages"][1]["content"][0]["name"] == "shell__run"


def test_long_names_fit_the_limit_and_are_remembered(render: Render, upstream: Upstream) -> None:
    side = upstream(tool_name_limit=20)
    name = "a" * 30
    (tool,) = render(a_request(tools=[Tool(name=name)]), side)["tools"]
    assert len(tool["name"]) <= 20
    assert side.wire_names == {tool["name"]: name}


@pytest.mark.parametrize(
    ("choice", "parallel", "sent"),
    [
        (None, None, None),
        (None, True, None),
        (ToolChoice(mode="any"), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice(mode="named", names=["f"]), None, {"type": "tool", "name": "f"}),
        (ToolChoice(mode="allowed", names=["f"]), None, {"type": "auto"}),
        (ToolChoice(mode="none"), False, {"type": "none"}),
    ],
)
def test_choices_are_said_in_the_wires_words(
    render: Render, choice: ToolChoice | None, parallel: bool | None, sent: Json | None
) -> None:
    body = render(a_request(tools=[Tool(name="f")], tool_choice=choice, parallel_tools=parallel))
    assert body.get("tool_choice") == sent


def test_a_choice_without_tools_is_left_out(render: Render, upstream: Upstream) -> None:
    side = upstream()
    assert "tool_choice" not in render(a_request(tool_choice=ToolChoice(mode="any"), parallel_tools=False), side)
    assert paths(side) == ["tool_choice"]
    quiet = upstream()
    assert "tool_choice" not in render(a_request(tool_choice=ToolChoice(mode="none")), quiet)
    assert not paths(quiet)


# --- hosted tools


def hosted(kind: str, **raw: Any) -> Request:
    return a_request(server_tools=[ServerTool(kind=kind, dialect="openai-chat", raw=raw, path="tools.0")])


def test_web_search_is_mapped_with_its_place(render: Render, upstream: Upstream) -> None:
    side = upstream()
    place = {"type": "approximate", "approximate": {"city": "Bonn", "region": None}}
    request = hosted(
        "web_search", user_location=place, search_context_size="low", filters={"allowed_domains": ["x.example"]}
    )
    assert render(request, side)["tools"] == [
        {
            "type": "web_search_20250305",
            "name": "web_search",
            "allowed_domains": ["x.example"],
            "user_location": {"type": "approximate", "city": "Bonn"},
        }
    ]
    assert paths(side) == ["tools.0.search_context_size"]


def test_a_flat_place_is_taken_too(render: Render) -> None:
    request = hosted("web_search_preview", user_location={"type": "approximate", "country": "DE"})
    assert render(request)["tools"][0]["user_location"] == {"type": "approximate", "country": "DE"}


def test_code_execution_is_mapped_without_files(render: Render, upstream: Upstream) -> None:
    side = upstream()
    assert render(hosted("code_interpreter", container={"type": "auto"}), side)["tools"][0]["name"] == "code_execution"
    assert paths(side) == ["tools.0"]
    with pytest.raises(Unsupported):
        render(hosted("code_interpreter", container={"type": "auto", "file_ids": ["f"]}))


@pytest.mark.parametrize("kind", ["file_search", "mcp", "image_generation", "computer", "browser"])
def test_other_hosted_tools_are_refused_by_name(render: Render, upstream: Upstream, kind: str) -> None:
    for side in (upstream(), upstream(lenient=True)):
        with pytest.raises(Unsupported, match=kind) as caught:
            render(hosted(kind), side)
        assert caught.value.param == "tools.0"


def test_tools_the_caller_could_run_are_dropped_only_leniently(render: Render, upstream: Upstream) -> None:
    with pytest.raises(Unsupported):
        render(hosted("apply_patch"))
    side = upstream(lenient=True)
    assert "tools" not in render(hosted("apply_patch"), side)
    assert paths(side) == ["tools.0"]


def test_tool_search_loads_everything(render: Render, upstream: Upstream) -> None:
    side = upstream()
    assert "tools" not in render(hosted("tool_search"), side)
    assert paths(side) == ["tools.0"]


# --- output format


def shaped(**more: Any) -> Request:
    return a_request(format=Format(kind="json_schema", schema=SCHEMA, name="x", description="The thing."), **more)


def test_plain_text_needs_no_word(render: Render) -> None:
    assert "output_config" not in render(a_request(format=Format(kind="text")))


def test_an_own_schema_is_sent_untouched(render: Render, parse: Callable[..., Request]) -> None:
    shape = {"type": "json_schema", "schema": SCHEMA}
    assert render(parse(output_config={"format": shape}))["output_config"] == {"format": shape}


def test_without_structured_output_a_forced_tool_is_the_answer(render: Render, upstream: Upstream) -> None:
    side = upstream(structured_output=False)
    body = render(shaped(), side)
    assert side.answer_tool == "json_output"
    assert body["tool_choice"] == {"type": "tool", "name": "json_output"}
    assert body["tools"][0]["input_schema"] == SCHEMA
    assert body["tools"][0]["description"].startswith("The thing.")


def test_beside_other_tools_any_call_is_accepted(render: Render, upstream: Upstream) -> None:
    side = upstream(structured_output=False)
    body = render(shaped(tools=[Tool(name="json_output")], parallel_tools=False), side)
    assert side.answer_tool == "json_output_"
    assert body["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    assert [tool["name"] for tool in body["tools"]] == ["json_output", "json_output_"]


def test_while_a_budget_is_thought_the_schema_is_told_in_words(render: Render, upstream: Upstream) -> None:
    from proxyapp.ir.request import ReasoningSettings

    side = upstream(structured_output=False, thinking="budget")
    body = render(shaped(reasoning=ReasoningSettings(mode="effort", effort="low")), side)
    assert side.answer_tool is None
    assert '"minLength":1' in body["system"][0]["text"]
    assert paths(side) == ["response_format"]


def test_a_schema_that_is_no_object_is_told_in_words(render: Render, upstream: Upstream) -> None:
    side = upstream(structured_output=False)
    body = render(a_request(format=Format(kind="json_schema", schema={"type": "array"})), side)
    assert side.answer_tool is None
    assert '{"type":"array"}' in body["system"][0]["text"]


# --- cache points


def test_lifetimes_of_others_become_the_nearest_cheaper_one(render: Render) -> None:
    for lifetime, sent in (("5m", {}), ("30m", {}), ("1h", {"ttl": "1h"}), ("12h", {"ttl": "1h"}), ("9d", {})):
        body = render(a_request(system=[p.Text(text="s", cache=lifetime)]))
        assert body["system"][0]["cache_control"] == {"type": "ephemeral", **sent}


def test_the_last_four_points_are_kept_over_tools_system_and_messages(render: Render, upstream: Upstream) -> None:
    side = upstream()
    request = a_request(
        tools=[Tool(name="f", cache="5m")],
        system=[p.Text(text="a", cache="5m"), p.Text(text="b", cache="5m")],
    )
    inner = p.ToolResult(call_id="c1", parts=[p.Text(text="x", cache="5m"), p.Text(text="y")], cache="5m")
    request.turns += [
        Turn(role="assistant", parts=[p.ToolCall(id="c1", name="f", cache="5m")], path="x"),
        Turn(role="user", parts=[inner], path="y"),
    ]
    body = render(request, side)
    assert "cache_control" not in body["tools"][0]
    assert ["cache_control" in block for block in body["system"]] == [False, True]
    assert "cache_control" in body["messages"][1]["content"][0]
    result = body["messages"][2]["content"][0]
    assert "cache_control" in result
    assert "cache_control" in result["content"][0]
    assert paths(side) == ["prompt_cache_breakpoint"]


def test_the_automatic_point_takes_one_of_the_four(render: Render, parse: Callable[..., Request]) -> None:
    cached = {"type": "ephemeral"}
    content = [{"type": "text", "text": str(n), "cache_control": cached} for n in range(4)]
    body = render(parse(messages=[{"role": "user", "content": content}], cache_control=cached))
    assert sum("cache_control" in block for block in body["messages"][0]["content"]) == 3


def test_thinking_bears_no_cache_point(render: Render, parse: Callable[..., Request]) -> None:
    thinking = {"type": "thinking", "thinking": "x", "signature": "s", "cache_control": {"type": "ephemeral"}}
    text = {"type": "text", "text": "y"}
    history = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [thinking, text]},
        {"role": "user", "content": "b"},
    ]
    assert "cache_control" not in render(parse(messages=history))["messages"][1]["content"][0]
