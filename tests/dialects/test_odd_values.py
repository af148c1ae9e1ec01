"""Values of a kind that nobody expects, from callers and upstreams: found by the properties, kept as plain cases."""

from __future__ import annotations

import pytest

from proxyapp.dialects.contract import Body
from proxyapp.dialects.registry import DIALECTS
from proxyapp.dialects.sse import parse_frame
from proxyapp.ir import parts as p
from proxyapp.ir.request import Request, Tool, Turn
from proxyapp.ir.response import Finish, FinishKind, Response
from tests.properties.sides import client_side, parsed, rendered, upstream_side
from tests.properties.test_answers import wanted

HI = [Turn(role="user", parts=[p.Text(text="Hi")])]


@pytest.mark.parametrize("dialect", ["gemini", "anthropic-messages", "openai-chat", "openai-responses"])
@pytest.mark.parametrize("required", [[[]], [{}, "a"], "a", {"a": 1}, [None]])
def test_a_schema_whose_list_of_required_names_is_none(dialect, required):
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": required}
    schema["additionalProperties"] = False
    tools = [Tool(name="t", schema=schema, strict=True), Tool(name="u", schema={"allOf": [schema, schema]})]
    assert "t" in str(rendered(dialect, Request(client_dialect="x", model="m", turns=HI, tools=tools)))


def test_a_finish_reason_that_is_no_word():
    body = {"id": "1", "choices": [{"message": {"content": "Hi"}, "finish_reason": []}]}
    answer = DIALECTS["openai-chat"].parse_response(body, upstream_side("openai-chat"))
    assert (answer.finish.kind, answer.finish.raw) == (FinishKind.OTHER, None)


def test_the_words_of_a_refusal_reach_a_gemini_caller():
    answer = Response(parts=[p.Refusal(text="I will not.")], finish=Finish(kind=FinishKind.REFUSAL, raw="stop"))
    told = DIALECTS["gemini"].render_response(answer, wanted("gemini", stream=False), client_side())
    assert (told["candidates"][0]["finishReason"], told["candidates"][0]["finishMessage"]) == ("SAFETY", "I will not.")


def test_an_item_whose_kind_is_no_word():
    told = b'{"id": "r", "status": "completed", "output": [{"type": []}, {"type": "function_call"}]}'
    assert DIALECTS["openai-responses"].glimpse(told).finish == Finish(kind=FinishKind.TOOL_CALLS, raw="completed")


def test_a_last_event_whose_output_is_no_list():
    tap = DIALECTS["openai-responses"].tap(Body(b"{}"))
    tap.feed(parse_frame(b'data: {"type":"response.completed","response":{"id":"r","output":true}}\n\n'))
    assert (tap.is_done, tap.glimpse.id) == (True, "r")


def test_a_hosted_call_whose_output_is_a_list_of_anything():
    for output in ([7], ["prompt_cache_breakpoint"], [None]):
        item = {"type": "mcp_call", "id": "mcp_1", "output": output}
        request = parsed("openai-responses", {"model": "m", "input": [item, {"role": "user", "content": "x"}]})
        assert rendered("openai-responses", request)["input"][0] == item


@pytest.mark.parametrize("dialect", ["gemini", "anthropic-messages", "openai-chat", "openai-responses"])
def test_thousands_of_calls_in_one_turn_find_their_results(dialect):
    """Each result was looked for among all calls: a body of some megabytes held the worker for minutes."""
    names = [f"c{number}" for number in range(20_000)]
    calls: list[p.Part] = [p.ToolCall(id=name, name="f", arguments="{}") for name in names]
    results: list[p.Part] = [p.ToolResult(call_id=name, name="f", parts=[p.Text(text=f"of {name}.")]) for name in names]
    turns = [*HI, Turn(role="assistant", parts=calls), Turn(role="user", parts=results[::-1])]
    tools = [Tool(name="f", schema={"type": "object"})]
    told = str(rendered(dialect, Request(client_dialect="x", model="m", turns=turns, tools=tools)))
    assert told.count("of c") == len(names)
    assert "No result" not in told


def test_thousands_of_tools_are_told_apart():
    names = [f"f{number}" for number in range(20_000)]
    tools = [{"type": "function", "name": name} for name in [*names, "f7"]]
    spaces = [{"type": "namespace", "name": space, "tools": [{"name": "g"}]} for space in ("a", "b")]
    spaces.append({"type": "namespace", "name": "a", "tools": [{"name": "h"}]})
    choice = {"type": "allowed_tools", "tools": [{"name": "f7"}, {"name": "g"}, {"name": "h"}]}
    body = {"model": "m", "input": "hi", "tools": [*tools, *spaces], "tool_choice": choice}
    request = parsed("openai-responses", body)
    assert [tool.name for tool in request.tools] == [*names, "g", "g", "h"]
    assert request.tool_choice is not None
    assert request.tool_choice.names == ["f7", "g", "a__h"]
