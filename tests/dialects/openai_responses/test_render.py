"""Requests of other dialects as an upstream's Responses body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.contract import ClientSide, UpstreamSide
from proxyapp.dialects.gemini import GEMINI
from proxyapp.dialects.openai_chat import OPENAI_CHAT
from proxyapp.dialects.openai_responses import OPENAI_RESPONSES
from proxyapp.errors import Unsupported
from proxyapp.ir.parts import Audio, Document, Image, Part, Source, Text, ToolCall, ToolResult
from proxyapp.ir.request import ReasoningSettings, Request, ServerTool, Tool, ToolChoice, Turn
from tests.corpus import schemas

Upstream = Callable[..., UpstreamSide]
Json = dict[str, Any]
OPENAI = {"metadata": True, "custom_tools": True, "safety_identifier": True, "model_group": "openai"}


@pytest.fixture
def render(upstream: Upstream) -> Callable[..., Json]:
    """Fields of a request as a valid body; of the side its lenient switch and its profile."""

    def run(side: UpstreamSide | None = None, dialect: str = "openai-chat", **fields: Any) -> Json:
        turns = fields.pop("turns", [Turn(role="user", parts=[Text(text="hi")])])
        request = Request(client_dialect=dialect, model="m", turns=turns, **fields)
        body = OPENAI_RESPONSES.render_request(request, side or upstream(**OPENAI))
        assert schemas.fault("openai-responses", "CreateResponse", body) is None
        return body

    return run


def user(*parts: Part) -> list[Turn]:
    return [Turn(role="user", parts=list(parts), path="messages.0")]


def test_system_texts_are_instructions_up_to_the_first_developer(render: Callable[..., Json]) -> None:
    texts = [Text(text="A"), Text(text="B"), Text(text="C", meta={"author": "developer"}), Text(text="D")]
    body = render(system=texts)
    assert body["instructions"] == "A\n\nB"
    assert [(item["role"], item["content"][0]["text"]) for item in body["input"]] == [
        ("developer", "C"), ("system", "D"), ("user", "hi"),
    ]  # fmt: skip


def test_cache_points_are_kept_where_they_are_known(render: Callable[..., Json], upstream: Upstream) -> None:
    texts = [Text(text="A"), Text(text="B", cache="1h")]
    body = render(upstream(**OPENAI, cache_points=True), system=texts)
    assert body["instructions"] == "A"
    assert body["input"][0]["content"][0]["prompt_cache_breakpoint"] == {"mode": "explicit", "ttl": "30m"}
    assert "prompt_cache_breakpoint" not in str(render(system=texts))


def test_five_cache_points_are_one_too_many(render: Callable[..., Json], upstream: Upstream) -> None:
    side = upstream(**OPENAI, cache_points=True)
    body = render(side, turns=user(*(Text(text=str(number), cache="5m") for number in range(5))))
    marked = ["prompt_cache_breakpoint" in content for content in body["input"][0]["content"]]
    assert marked == [False, True, True, True, True]
    assert len(side.notes.items) == 1


def test_calls_and_results_find_each_other(render: Callable[..., Json], upstream: Upstream) -> None:
    turns = [
        Turn(role="assistant", parts=[ToolCall(id="a", name="f"), ToolCall(id="b", name="f")], path="messages.0"),
        Turn(
            role="user",
            parts=[
                ToolResult(call_id="b", parts=[Text(text="no")], is_error=True),
                ToolResult(call_id="z", parts=[Text(text="lost")]),
            ],
            path="messages.1",
        ),
    ]
    side = upstream(**OPENAI)
    items = render(side, turns=turns)["input"]
    assert [(item["type"], item.get("call_id"), item.get("output")) for item in items] == [
        ("function_call", "a", None),
        ("function_call", "b", None),
        ("function_call_output", "a", "No result was recorded."),
        ("function_call_output", "b", "Error: no"),
        ("message", None, None),
    ]
    assert [note.path for note in side.notes.items] == ["messages.0", "messages.1.content.1"]


def test_strict_is_always_said(render: Callable[..., Json], upstream: Upstream) -> None:
    closed = {"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False}
    tools = [
        Tool(name="plain"),
        Tool(name="strict", schema=closed, strict=True),
        Tool(name="loose", schema={"type": "object", "properties": {"a": {}}}, strict=True),
    ]
    side = upstream(**OPENAI)
    assert [tool["strict"] for tool in render(side, tools=tools)["tools"]] == [False, True, False]
    assert [note.path for note in side.notes.items] == ["tools"]


@pytest.mark.parametrize("native", [True, False])
def test_free_text_tools_are_their_own_where_known_else_functions(
    render: Callable[..., Json], upstream: Upstream, native: bool
) -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: X"}
    turns = [
        Turn(role="assistant", parts=[ToolCall(id="a", name="edit", kind="custom", arguments="raw")]),
        Turn(role="user", parts=[ToolResult(call_id="a", parts=[Text(text="ok")])]),
    ]
    side = upstream(**{**OPENAI, "custom_tools": native})
    choice = ToolChoice(mode="named", names=["edit"])
    body = render(side, tools=[Tool(name="edit", kind="custom", grammar=grammar)], turns=turns, tool_choice=choice)
    kind = "custom" if native else "function"
    assert body["tools"][0]["type"] == body["tool_choice"]["type"] == kind
    assert [item["type"] for item in body["input"]] == (
        ["custom_tool_call", "custom_tool_call_output"] if native else ["function_call", "function_call_output"]
    )
    assert side.wrapped_tools == (set() if native else {"edit"})


def test_a_choice_names_tools_as_they_are_sent(render: Callable[..., Json]) -> None:
    tools = [Tool(name="a.b"), Tool(name="c")]
    search = ServerTool(kind="web_search", dialect="anthropic-messages", raw={"max_uses": 1}, path="tools.2")
    choice = ToolChoice(mode="allowed", names=["a.b", "web_search", "unknown"], required=True)
    body = render(tools=tools, server_tools=[search], tool_choice=choice)
    assert body["tool_choice"] == {
        "type": "allowed_tools",
        "mode": "required",
        "tools": [{"type": "function", "name": "a_b"}, {"type": "web_search"}],
    }


@pytest.mark.parametrize(
    ("tool", "sent"),
    [
        (
            {"user_location": {"type": "approximate", "city": "Bern", "region": None}, "allowed_domains": ["a.ch"]},
            {
                "type": "web_search",
                "filters": {"allowed_domains": ["a.ch"]},
                "user_location": {"type": "approximate", "city": "Bern"},
            },
        ),
        (
            {"search_context_size": "low", "user_location": {"type": "approximate", "approximate": {"city": "Bern"}}},
            {
                "type": "web_search",
                "search_context_size": "low",
                "user_location": {"type": "approximate", "city": "Bern"},
            },
        ),
    ],
)  # fmt: skip
def test_a_web_search_of_others_is_openais(render: Callable[..., Json], tool: Json, sent: Json) -> None:
    hosted = ServerTool(kind="web_search", dialect="x", raw=tool, path="tools.0")
    assert render(server_tools=[hosted])["tools"] == [sent]


@pytest.mark.parametrize(
    ("kind", "lenient", "refused"), [("bash", False, True), ("bash", True, False), ("mcp", True, True)]
)
def test_other_hosted_tools_are_refused(
    render: Callable[..., Json], upstream: Upstream, kind: str, lenient: bool, refused: bool
) -> None:
    hosted = ServerTool(kind=kind, dialect="anthropic-messages", raw={}, path="tools.0")
    side = upstream(**OPENAI, lenient=lenient)
    if refused:
        with pytest.raises(Unsupported) as caught:
            render(side, server_tools=[hosted])
        assert caught.value.param == "tools.0"
    else:
        assert "tools" not in render(side, server_tools=[hosted])


@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        (ReasoningSettings(mode="effort", effort="high"), {"effort": "high"}),
        (ReasoningSettings(mode="effort", effort="high", show=True), {"effort": "high", "summary": "auto"}),
        (ReasoningSettings(mode="budget", budget=8000), {"effort": "medium", "summary": "auto"}),
        (ReasoningSettings(mode="adaptive"), {"summary": "auto"}),
        (ReasoningSettings(mode="adaptive", show=False), None),
        (ReasoningSettings(mode="off"), {"effort": "low"}),
        (None, None),
    ],
)
def test_how_much_to_think(render: Callable[..., Json], settings: Any, sent: Any) -> None:
    body = render(reasoning=settings)
    assert body.get("reasoning") == sent
    assert body["include"] == ["reasoning.encrypted_content"]


def test_models_that_do_not_reason_are_asked_for_none_of_it(render: Callable[..., Json], upstream: Upstream) -> None:
    side = upstream(**OPENAI, reasoning_effort=False)
    body = render(side, reasoning=ReasoningSettings(mode="effort", effort="high"))
    assert not {"reasoning", "include"} & body.keys()
    assert [note.path for note in side.notes.items] == ["reasoning"]


@pytest.mark.parametrize(
    "part",
    [
        Audio(source=Source(kind="base64", data="QUJD", mime="audio/wav")),
        Image(source=Source(kind="file", data="file_1")),
        Document(source=Source(kind="file", data="file_1")),
    ],
)
def test_media_that_cannot_be_said_are_refused_by_their_path(render: Callable[..., Json], part: Part) -> None:
    with pytest.raises(Unsupported) as caught:
        render(turns=user(part))
    assert caught.value.param == "messages.0.content.0"


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"n": 2}, "n"), ({"logit_bias": {"5": -100}}, "logit_bias"), ({"max_output": 0}, "max_tokens")],
)
def test_what_would_change_the_answer_is_refused(render: Callable[..., Json], fields: Json, param: str) -> None:
    with pytest.raises(Unsupported) as caught:
        render(**fields)
    assert caught.value.param == param


CODEX: list[Any] = [{"type": "function", "name": "f"}, {"type": "web_search", "external_web_access": True}]


@pytest.mark.parametrize("dialect", [OPENAI_CHAT, GEMINI], ids=lambda dialect: dialect.name)
def test_a_search_that_agents_only_offer_is_left_out_where_it_cannot_be(
    caller: ClientSide, upstream: Upstream, dialect: Any
) -> None:
    side = upstream()
    request = OPENAI_RESPONSES.parse_request({"model": "m", "input": "hi", "tools": CODEX}, caller)
    assert len(dialect.render_request(request, side)["tools"]) == 1
    assert [note.path for note in side.notes.items] == ["tools.1"]


@pytest.mark.parametrize("dialect", [ANTHROPIC, GEMINI], ids=lambda dialect: dialect.name)
def test_a_search_that_may_not_leave_the_house_is_not_sent(
    caller: ClientSide, upstream: Upstream, dialect: Any
) -> None:
    side = upstream()
    tool = {"type": "web_search", "external_web_access": False}
    request = OPENAI_RESPONSES.parse_request({"model": "m", "input": "hi", "tools": [tool]}, caller)
    assert not dialect.render_request(request, side).get("tools")
    assert [note.path for note in side.notes.items] == ["tools.0"]
