"""IR as an upstream's Chat request."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.errors import Unsupported
from proxyapp.ir import parts as p
from proxyapp.ir.request import Format, ReasoningSettings, Request, ServerTool, Tool, ToolChoice, Turn

PNG = p.Source(kind="base64", data="iVBORw==", mime="image/png")
STRICT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


def ask(**fields: Any) -> Request:
    """A request of a Messages caller with one user turn."""
    turns = fields.pop("turns", [Turn(role="user", parts=[p.Text(text="hi")], path="messages.0")])
    return Request(client_dialect=fields.pop("dialect", "anthropic-messages"), model="asked", turns=turns, **fields)


def said(*parts: p.Part, role: Any = "user", path: str = "messages.1") -> Turn:
    return Turn(role=role, parts=list(parts), path=path)


def call(call_id: str = "c1", name: str = "f", arguments: str = "{}", **more: Any) -> p.ToolCall:
    return p.ToolCall(id=call_id, name=name, arguments=arguments, **more)


def result(call_id: str, *parts: p.Part, **more: Any) -> p.ToolResult:
    return p.ToolResult(call_id=call_id, parts=list(parts), **more)


def paths(side: UpstreamSide) -> list[str]:
    return [note.path for note in side.notes.items]


# --- envelope


def test_the_smallest_request(render: Any) -> None:
    assert render(ask()) == {"model": "up-model", "messages": [{"role": "user", "content": "hi"}]}


def test_usage_is_asked_for_in_streams_where_the_server_takes_it(render: Any) -> None:
    assert render(ask(stream=True))["stream_options"] == {"include_usage": True}
    assert "stream_options" not in render(ask(stream=True), usage_in_stream=False)
    assert "stream_options" not in render(ask(stream=False))


def test_equal_requests_are_equal_bytes(render: Any) -> None:
    request = ask(tools=[Tool(name="x.y", schema={})], turns=[said(call("bad id", "x.y"), role="assistant")], seed=1)
    assert jsonio.encode(render(request)) == jsonio.encode(render(request))


# --- system


def test_system_texts_of_one_author_are_one_message(render: Any) -> None:
    body = render(ask(system=[p.Text(text="a"), p.Text(text="b", cache="5m")]))
    assert body["messages"][0] == {"role": "system", "content": "a\n\nb"}


def test_developer_texts_keep_their_role_where_it_is_known(render: Any) -> None:
    system = [p.Text(text="a", meta={"author": "system"}), p.Text(text="b", meta={"author": "developer"})]
    assert [message["role"] for message in render(ask(system=system), developer_role=True)["messages"]] == [
        "system",
        "developer",
        "user",
    ]
    assert render(ask(system=system))["messages"][0] == {"role": "system", "content": "a\n\nb"}


def test_cache_points_in_the_system_text_keep_it_in_parts(render: Any) -> None:
    body = render(ask(system=[p.Text(text="a", cache="1h"), p.Text(text="b")]), cache_points=True)
    point = {"mode": "explicit", "ttl": "30m"}
    assert body["messages"][0]["content"] == [
        {"type": "text", "text": "a", "prompt_cache_breakpoint": point},
        {"type": "text", "text": "b"},
    ]


def test_only_the_last_four_cache_points_are_sent(render: Any, upstream: Any) -> None:
    side = upstream(cache_points=True)
    turn = said(*(p.Text(text=str(n), cache="12h") for n in range(6)))
    content = render(ask(turns=[turn]), side)["messages"][0]["content"]
    assert ["prompt_cache_breakpoint" in item for item in content] == [False] * 2 + [True] * 4
    assert paths(side) == ["cache_control"]


# --- turns


def test_results_come_first_and_late_instructions_after_them(render: Any) -> None:
    turns = [
        said(p.Text(text="do"), path="messages.0"),
        said(p.Text(text="ok"), call("c1"), call("c2"), role="assistant"),
        Turn(role="system", parts=[p.Text(text="mind")], author="system"),
        said(p.Text(text="first"), result("c2", p.Text(text="two")), result("c1", p.Text(text="one"))),
    ]
    messages = render(ask(turns=turns))["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool", "system", "user"]
    assert [message.get("tool_call_id") for message in messages[2:4]] == ["c2", "c1"]
    assert messages[1]["content"] == "ok"
    assert messages[5] == {"role": "user", "content": "first"}


def test_a_call_without_a_result_gets_one(render: Any, upstream: Any) -> None:
    side = upstream()
    turns = [said(call("c1"), call("c2"), role="assistant"), said(result("c1"), p.Text(text="go on"))]
    messages = render(ask(turns=turns), side)["messages"]
    assert messages[2] == {"role": "tool", "tool_call_id": "c2", "content": "No result was recorded."}
    assert messages[3]["content"] == "go on"
    assert [note.dropped for note in side.notes.items] == [False]


def test_a_result_without_a_call_becomes_text(render: Any, upstream: Any) -> None:
    side = upstream()
    messages = render(ask(turns=[said(result("zz", p.Text(text="lost")))]), side)["messages"]
    assert [message["role"] for message in messages] == ["user"]
    assert [item["text"] for item in messages[0]["content"]] == ["Result of tool call zz:", "lost"]
    assert paths(side) == ["messages.1.content.0"]


def test_the_same_id_in_two_turns_is_answered_in_each(render: Any) -> None:
    turns = [
        said(call("c1"), role="assistant"),
        said(result("c1", p.Text(text="one"))),
        said(call("c1"), role="assistant"),
        said(result("c1", p.Text(text="two"))),
    ]
    messages = render(ask(turns=turns))["messages"]
    assert [message["content"] for message in messages if message["role"] == "tool"] == ["one", "two"]


def test_consecutive_assistant_turns_of_other_dialects_are_one_message(render: Any) -> None:
    turns = [said(p.Text(text="a"), role="assistant"), said(call("c1"), role="assistant"), said(result("c1"))]
    messages = render(ask(turns=turns))["messages"]
    assert [message["role"] for message in messages] == ["assistant", "tool"]
    assert messages[0]["content"] == "a"
    own = render(ask(turns=turns, dialect="openai-chat"))["messages"]
    assert [message["role"] for message in own] == ["assistant", "assistant", "tool"]


def test_an_assistant_turn_with_nothing_to_send_is_left_out(render: Any) -> None:
    turns = [said(p.Reasoning(text="hm", signature="s", family="anthropic"), role="assistant"), said(p.Text(text="hi"))]
    assert [message["role"] for message in render(ask(turns=turns))["messages"]] == ["user"]


def test_an_empty_user_turn_stays_a_turn(render: Any) -> None:
    assert render(ask(turns=[said()]))["messages"] == [{"role": "user", "content": ""}]


def test_blank_texts_beside_others_are_left_out(render: Any) -> None:
    turn = said(p.Text(text=""), p.Image(source=PNG))
    assert [item["type"] for item in render(ask(turns=[turn]))["messages"][0]["content"]] == ["image_url"]


def test_a_participants_name_is_kept(render: Any) -> None:
    turn = Turn(role="user", parts=[p.Text(text="hi")], name="bo")
    assert render(ask(turns=[turn]))["messages"][0] == {"role": "user", "content": "hi", "name": "bo"}


def test_media_of_a_result_move_into_the_next_user_message(render: Any) -> None:
    turns = [
        said(call("c1"), role="assistant"),
        said(result("c1", p.Text(text="see"), p.Image(source=PNG)), p.Text(text="well?")),
    ]
    messages = render(ask(turns=turns))["messages"]
    assert messages[1] == {"role": "tool", "tool_call_id": "c1", "content": "see"}
    assert messages[2]["content"] == [
        {"type": "text", "text": "Attachment to the result of tool call c1:"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
        {"type": "text", "text": "well?"},
    ]


def test_media_of_a_result_are_named_as_missing_where_no_user_may_follow(render: Any, upstream: Any) -> None:
    side = upstream(user_after_tool=False)
    turns = [said(call("c1"), role="assistant"), said(result("c1", p.Image(source=PNG)))]
    messages = render(ask(turns=turns), side)["messages"]
    assert [message["role"] for message in messages] == ["assistant", "tool"]
    assert messages[1]["content"] == "[an attachment was left out]"
    assert paths(side) == ["messages.1.content.0"]


def test_refusals_in_history(render: Any) -> None:
    turns = [said(p.Refusal(text="no"), role="assistant")]
    assert render(ask(turns=turns), metadata=True)["messages"] == [
        {"role": "assistant", "content": None, "refusal": "no"}
    ]
    assert render(ask(turns=turns))["messages"] == [{"role": "assistant", "content": "no"}]


def test_documents_search_results_and_other_parts(render: Any, upstream: Any) -> None:
    side = upstream()
    turn = said(
        p.Document(source=p.Source(kind="text", data="words"), title="T", context="C", citations=True),
        p.Document(source=p.Source(kind="base64", data="aGk=", mime="text/plain")),
        p.Document(source=p.Source(kind="base64", data="JVBERi0=", mime="application/pdf")),
        p.SearchResult(source="https://x", title="X", texts=["a", "b"]),
        p.Image(source=p.Source(kind="url", data="https://x/i.png"), detail="high"),
        p.Audio(source=p.Source(kind="base64", data="AAAA", mime="audio/mpeg")),
        p.ServerResult(call_id="s", dialect="anthropic-messages", raw={}),
        p.Opaque(dialect="anthropic-messages", raw={}),
        p.Reasoning(text="hm"),
    )
    items = render(ask(turns=[turn]), side)["messages"][0]["content"]
    assert items == [
        {"type": "text", "text": "Document: T\nC\nwords"},
        {"type": "text", "text": "hi"},
        {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
        {"type": "text", "text": "X\nhttps://x\na\nb"},
        {"type": "image_url", "image_url": {"url": "https://x/i.png", "detail": "high"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
    ]
    assert paths(side) == ["messages.1.content.0.citations", "messages.1.content.6", "messages.1.content.7"]


@pytest.mark.parametrize(
    "part",
    [
        p.Image(source=p.Source(kind="file", data="file_1")),
        p.Document(source=p.Source(kind="url", data="https://x/a.pdf")),
        p.Document(source=p.Source(kind="file", data="file_1")),
        p.Audio(source=p.Source(kind="url", data="https://x/a.wav")),
    ],
)
def test_media_that_cannot_be_sent_are_refused_by_name(render: Any, upstream: Any, part: p.Part) -> None:
    with pytest.raises(Unsupported) as caught:
        render(ask(turns=[said(part)]))
    assert caught.value.param == "messages.1.content.0"
    side = upstream(lenient=True)
    assert render(ask(turns=[said(part)]), side)["messages"] == []
    assert paths(side) == ["messages.1.content.0"]


def test_a_chat_callers_own_parts_go_back(render: Any) -> None:
    turn = said(p.Document(source=p.Source(kind="file", data="f1")), p.Opaque(dialect="openai-chat", raw={"type": "v"}))
    items = render(ask(turns=[turn], dialect="openai-chat"))["messages"][0]["content"]
    assert items == [{"type": "file", "file": {"file_id": "f1"}}, {"type": "v"}]
    spoken = said(p.Audio(source=p.Source(kind="file", data="audio_1")), role="assistant")
    assert render(ask(turns=[spoken], dialect="openai-chat"))["messages"] == [
        {"role": "assistant", "content": None, "audio": {"id": "audio_1"}}
    ]


# --- reasoning in history


@pytest.mark.parametrize(
    ("back", "with_call", "sent"),
    [("strip", True, False), ("keep", False, True), ("tool_turns", True, True), ("tool_turns", False, False)],
)
def test_reasoning_text_returns_as_the_profile_says(render: Any, back: str, with_call: bool, sent: bool) -> None:
    parts: list[p.Part] = [p.Reasoning(text="hm"), p.Text(text="a"), *([call("c1")] if with_call else [])]
    turns = [said(*parts, role="assistant"), said(result("c1") if with_call else p.Text(text="b"))]
    message = render(ask(turns=turns), reasoning_back=back, reasoning_field="reasoning")["messages"][0]
    assert ("reasoning" in message) is sent


def test_an_openrouter_proof_returns_to_its_own_account_only(render: Any, upstream: Any) -> None:
    proof = json.dumps({"type": "reasoning.text", "signature": "s", "index": 0})
    meta = {"proof": {"group": "", "account": "acme"}}
    part = p.Reasoning(text="hm", signature=proof, family="openrouter", meta=meta)
    turns = [said(part, p.Text(text="a"), role="assistant")]
    message = render(ask(turns=turns), upstream(account="acme"))["messages"][0]
    assert message["reasoning_details"] == [{"type": "reasoning.text", "signature": "s", "index": 0, "text": "hm"}]
    assert "reasoning_details" not in render(ask(turns=turns), upstream(account="other"))["messages"][0]


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
        return render(ask(format=Format(kind="json_schema", schema=schema, **more)), side)["response_format"]

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
