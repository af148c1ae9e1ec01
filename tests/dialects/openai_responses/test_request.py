"""A caller's Responses request as IR: every kind of item, and what is wrong in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from proxyapp.dialects.contract import Body
from proxyapp.dialects.openai_responses import OPENAI_RESPONSES
from proxyapp.errors import BadRequest, Unsupported
from proxyapp.ir import parts as p
from proxyapp.ir.request import Request

Parse = Callable[..., Request]


def test_the_model_and_the_switch_are_read_first() -> None:
    peek = OPENAI_RESPONSES.peek(Body(b'{"model": "m", "stream": true, "input": broken}'.replace(b"broken", b"[]")))
    assert (peek.model, peek.stream) == ("m", True)
    for raw in (b"{}", b'{"model": 5}', b'{"model": ""}', b'{"model": "m", "stream": "yes"}'):
        with pytest.raises(BadRequest):
            OPENAI_RESPONSES.peek(Body(raw))


def test_consecutive_items_of_one_side_are_one_turn(parse: Parse) -> None:
    request = parse(
        input=[
            {"role": "user", "content": "a"},
            {"role": "user", "content": [{"type": "input_text", "text": "b"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "content": None, "encrypted_content": "gAAAA"},
            {"role": "assistant", "content": "c"},
            {"type": "function_call", "call_id": "1", "name": "f", "arguments": ""},
            {"type": "custom_tool_call", "call_id": "2", "name": "g", "input": "raw"},
            {"type": "function_call_output", "call_id": "1", "output": "x"},
            {"type": "custom_tool_call_output", "call_id": "2", "output": [{"type": "input_text", "text": "y"}]},
            {"role": "developer", "content": "now"},
        ]
    )
    assert [(turn.role, len(turn.parts)) for turn in request.turns] == [
        ("user", 1), ("user", 1), ("assistant", 4), ("user", 2), ("system", 1),
    ]  # fmt: skip
    reasoning, _, _, custom = request.turns[2].parts
    assert isinstance(reasoning, p.Reasoning)
    assert (reasoning.signature, reasoning.family, reasoning.item_id) == ("gAAAA", "openai", "rs_1")
    assert isinstance(custom, p.ToolCall)
    assert (custom.kind, custom.arguments) == ("custom", "raw")
    assert request.turns[4].author == "developer"


def test_tools_of_the_newest_agents_stand_in_the_input(parse: Parse) -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: X"}
    tools = [{"type": "custom", "name": "exec", "format": grammar}, {"type": "function", "name": "wait"}]
    space = {"type": "namespace", "name": "functions", "description": "d", "tools": tools}
    more = {"type": "additional_tools", "role": "developer", "tools": [space]}
    request = parse(input=[more, {"role": "developer", "content": "Be."}, {"role": "user", "content": "hi"}, more])
    assert [(tool.namespace, tool.name, tool.kind) for tool in request.tools] == [
        ("functions", "exec", "custom"), ("functions", "wait", "function"),
    ]  # fmt: skip
    assert request.tools[0].grammar == grammar
    assert [text.text for text in request.system] == ["Be."]


def test_a_configuration_update_holds_for_the_answer(parse: Parse) -> None:
    update = {
        "type": "configuration_update",
        "reasoning": {"effort": "high"},
        "text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}}},
    }
    request = parse(input=[{"role": "user", "content": "hi"}, update], reasoning={"effort": "low", "summary": "auto"})
    assert request.reasoning is not None
    assert (request.reasoning.effort, request.reasoning.show) == ("high", True)
    assert request.format is not None
    assert request.format.name == "x"


@pytest.mark.parametrize(
    ("call", "output", "name"),
    [
        (
            {"type": "local_shell_call", "id": "lsh_1", "call_id": "c", "action": {"type": "exec", "command": ["ls"]}},
            {"type": "local_shell_call_output", "id": "c", "call_id": "c", "output": "a"},
            "local_shell",
        ),
        (
            {"type": "apply_patch_call", "call_id": "c", "operation": {"type": "delete_file", "path": "a"}},
            {"type": "apply_patch_call_output", "call_id": "c", "status": "completed"},
            "apply_patch",
        ),
        (
            {"type": "shell_call", "call_id": "c", "action": {"commands": ["ls"]}},
            {"type": "shell_call_output", "call_id": "c", "output": [{"stdout": "a"}]},
            "shell",
        ),
        (
            {"type": "computer_call", "call_id": "c", "action": {"type": "screenshot"}},
            {
                "type": "computer_call_output",
                "call_id": "c",
                "output": {"type": "computer_screenshot", "image_url": "https://a.example/a.png"},
            },
            "computer",
        ),
    ],
)
def test_openais_own_tools_that_callers_run_are_calls_and_results(
    parse: Parse, call: Any, output: Any, name: str
) -> None:
    request = parse(input=[{"role": "user", "content": "go"}, call, output])
    (made,), (result,) = request.turns[1].parts, request.turns[2].parts
    assert isinstance(made, p.ToolCall)
    assert isinstance(result, p.ToolResult)
    assert (made.name, made.id, result.call_id) == (name, "c", "c")


def test_what_hosted_tools_did_is_kept_apart(parse: Parse) -> None:
    item = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}}
    request = parse(input=[{"role": "user", "content": "go"}, item, {"type": "made_up", "x": 1}])
    hosted, unknown = request.turns[1].parts
    assert isinstance(hosted, p.ServerCall)
    assert isinstance(unknown, p.Opaque)


def test_settings_get_their_places(parse: Parse) -> None:
    request = parse(
        max_output_tokens=50, temperature=0.1, top_p=0.9, top_logprobs=2, parallel_tool_calls=False, user="u",
        safety_identifier="s", prompt_cache_key="k", metadata={"a": 1}, service_tier="flex", store=True,
        truncation="auto", context_management=[{"type": "compaction"}], client_metadata={"x": "y"},
        reasoning={"effort": "none"}, text={"format": {"type": "json_object"}, "verbosity": "low"}, include=[],
    )  # fmt: skip
    assert (request.max_output, request.top_logprobs, request.logprobs) == (50, 2, True)
    assert (request.end_user, request.cache_key, request.store) == ("s", "k", None)
    assert (request.metadata, request.verbosity, request.parallel_tools) == ({"a": "1"}, "low", False)
    assert request.reasoning is not None
    assert request.reasoning.mode == "off"
    assert set(request.extras) == {"truncation", "context_management"}


@pytest.mark.parametrize(
    ("choice", "mode", "names"),
    [
        ("auto", "auto", []),
        ("required", "any", []),
        ({"type": "none"}, "none", []),
        ({"type": "function", "name": "f"}, "named", ["f"]),
        ({"type": "custom", "name": "g", "namespace": "n"}, "named", ["n__g"]),
        ({"type": "web_search_preview"}, "named", ["web_search"]),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}, "allowed", ["f"]),
    ],
)
def test_every_form_of_choice_is_read(parse: Parse, choice: Any, mode: str, names: list[str]) -> None:
    request = parse(tool_choice=choice, tools=[{"type": "function", "name": "f"}])
    assert request.tool_choice is not None
    assert (request.tool_choice.mode, request.tool_choice.names) == (mode, names)


@pytest.mark.parametrize(
    ("tool", "choice", "optional"),
    [
        ({"type": "web_search", "external_web_access": True}, "auto", True),
        ({"type": "web_search"}, {"type": "web_search"}, False),
        ({"type": "web_search"}, "required", False),
        ({"type": "web_search", "filters": {"allowed_domains": ["a.example"]}}, "auto", False),
        ({"type": "file_search"}, "auto", False),
    ],
)
def test_a_search_that_is_only_offered_can_be_done_without(
    parse: Parse, tool: Any, choice: Any, optional: bool
) -> None:
    assert parse(tools=[tool], tool_choice=choice).server_tools[0].optional is optional


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": []}, "input"),
        ({"input": 5}, "input"),
        ({"input": [5]}, "input.0"),
        ({"input": [{}]}, "input.0.type"),
        ({"input": [{"role": "critic", "content": "x"}]}, "input.0.role"),
        ({"input": [{"role": "user", "content": 5}]}, "input.0.content"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input.0.content.0.text"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input.0.content.0.image_url"),
        ({"input": [{"role": "system", "content": [{"type": "input_image", "file_id": "f"}]}]}, "input.0.content.0"),
        ({"input": [{"type": "function_call", "name": "f"}]}, "input.0.call_id"),
        ({"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "mcp"}]}]}, "tools.0.tools.0.type"),
        ({"tools": [{"type": "function"}]}, "tools.0.name"),
        ({"tool_choice": "perhaps"}, "tool_choice"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"text": {"format": {"type": "poem"}}}, "text.format.type"),
        ({"include": [5]}, "include"),
        ({"store": "yes"}, "store"),
    ],
)
def test_a_malformed_field_is_named(parse: Parse, body: Any, param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(**body)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"background": True}, "background"),
        ({"input": [{"type": "compaction", "encrypted_content": "x"}]}, "input.0"),
    ],
)
def test_what_only_openai_could_resolve_is_refused(parse: Parse, body: Any, param: str) -> None:
    with pytest.raises(Unsupported) as caught:
        parse(**body)
    assert caught.value.param == param
