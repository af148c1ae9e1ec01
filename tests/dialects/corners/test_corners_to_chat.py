"""Corner cases of reference/translation.md section 10: requests for Chat upstreams, from callers of all dialects."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxyapp.dialects import jsonio
from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.contract import Body, ClientSide, Profile, UpstreamSide
from proxyapp.dialects.openai_chat import OPENAI_CHAT
from proxyapp.dialects.signatures import Sealer
from proxyapp.errors import BadRequest, Unsupported
from proxyapp.ir.parts import Image, Source, Text, ToolCall, ToolResult
from proxyapp.ir.request import Format, Request, Tool, ToolChoice, Turn

SEALER = Sealer(b"k" * 32)
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABXvMqOgAAAABJRU5ErkJggg=="
JPEG_URL = f"data:image/jpeg;base64,{PNG}"
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}

Json = dict[str, Any]


def a_caller() -> ClientSide:
    return ClientSide(sealer=SEALER, new_id=lambda: "A" * 24)


def an_upstream(*, lenient: bool = False, account: str = "", **profile: Any) -> UpstreamSide:
    return UpstreamSide(profile=Profile(**profile), sealer=SEALER, model="up", lenient=lenient, account=account)


def from_messages(side: UpstreamSide | None = None, **body: Any) -> Json:
    """A Messages request as its Chat upstream gets it."""
    body = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}], **body}
    return OPENAI_CHAT.render_request(ANTHROPIC.parse_request(body, a_caller()), side or an_upstream())


def from_ir(side: UpstreamSide | None = None, **fields: Any) -> Json:
    """A request of a dialect that is not here yet (Responses, Gemini), in neutral words."""
    request = Request(client_dialect="openai-responses", model="m", **fields)
    return OPENAI_CHAT.render_request(request, side or an_upstream())


def from_chat(messages: list[Json], **body: Any) -> Request:
    return OPENAI_CHAT.parse_request({"model": "m", "messages": messages, **body}, a_caller())


def patched(body: Json, **profile: Any) -> Json:
    raw = OPENAI_CHAT.patch(Body(jsonio.encode(body)), "up", an_upstream(**profile))
    return jsonio.decode_object(raw)


def a_tool(name: str = "f", **more: Any) -> Json:
    return {"name": name, "input_schema": SCHEMA, **more}


def asked(call_id: str, name: str = "f") -> Json:
    return {"role": "assistant", "content": [{"type": "tool_use", "id": call_id, "name": name, "input": {}}]}


def answered(call_id: str, *after: Json, **more: Any) -> Json:
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call_id, **more}, *after]}


def said(role: Any, *parts: Any) -> Turn:
    return Turn(role=role, parts=list(parts))


# --- 10.1 messages


def test_xl_007_a_system_message_in_the_middle_keeps_its_place() -> None:
    messages = [
        {"role": "user", "content": "a"},
        {"role": "system", "content": "mind"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    sent = from_messages(messages=messages)["messages"]
    assert [message["role"] for message in sent] == ["user", "system", "assistant", "user"]
    assert sent[1]["content"] == "mind"


def test_xl_010_results_come_before_the_text_they_stood_after() -> None:
    content = [{"type": "text", "text": "look"}, *answered("toolu_1", content="done")["content"]]
    messages = [{"role": "user", "content": "a"}, asked("toolu_1"), {"role": "user", "content": content}]
    sent = from_messages(messages=messages, tools=[a_tool()])["messages"]
    assert sent[2:] == [
        {"role": "tool", "tool_call_id": "toolu_1", "content": "done"},
        {"role": "user", "content": "look"},
    ]


def test_xl_029_a_single_input_text_is_one_user_message() -> None:
    assert from_ir(turns=[said("user", Text(text="hi"))])["messages"] == [{"role": "user", "content": "hi"}]


def test_xl_030_instructions_come_first_and_a_developer_text_keeps_its_author() -> None:
    system = [Text(text="be"), Text(text="mind", meta={"author": "developer"})]
    sent = from_ir(an_upstream(developer_role=True), system=system, turns=[said("user", Text(text="hi"))])["messages"]
    assert [(message["role"], message["content"]) for message in sent] == [
        ("system", "be"),
        ("developer", "mind"),
        ("user", "hi"),
    ]


def test_xl_031_items_of_one_turn_are_one_assistant_message() -> None:
    turns = [
        said("user", Text(text="hi")),
        said("assistant", Text(text="ok")),
        said("assistant", ToolCall(id="c1", name="f")),
        said("assistant", ToolCall(id="c2", name="f")),
        said("user", ToolResult(call_id="c1"), ToolResult(call_id="c2")),
    ]
    message = from_ir(turns=turns)["messages"][1]
    assert message["content"] == "ok"
    assert [call["id"] for call in message["tool_calls"]] == ["c1", "c2"]


def test_xl_040_an_old_function_message_is_a_result_by_name() -> None:
    request = from_chat(
        [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "done"},
        ]
    )
    sent = OPENAI_CHAT.render_request(request, an_upstream())["messages"]
    assert sent[2] == {"role": "tool", "tool_call_id": sent[1]["tool_calls"][0]["id"], "content": "done"}


# --- 10.2 tools


def test_xl_041_a_long_tool_name_is_cut_and_comes_back() -> None:
    side, name = an_upstream(), "n" * 80
    sent = from_messages(side, tools=[a_tool(name)], tool_choice={"type": "tool", "name": name})
    wire = sent["tools"][0]["function"]["name"]
    assert len(wire) == 64
    assert sent["tool_choice"]["function"]["name"] == wire
    call = {"id": "c", "type": "function", "function": {"name": wire, "arguments": "{}"}}
    body = {"choices": [{"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    (part,) = OPENAI_CHAT.parse_response(body, side).parts
    assert isinstance(part, ToolCall)
    assert part.name == name


@pytest.mark.parametrize("limit", [40, 64])
def test_xl_046_a_long_call_id_fits_and_both_ends_agree(limit: int) -> None:
    call_id = "toolu_" + "x" * 64
    messages = [{"role": "user", "content": "a"}, asked(call_id), answered(call_id, content="ok")]
    sent = from_messages(an_upstream(call_id_limit=limit), messages=messages, tools=[a_tool()])["messages"]
    wire = sent[1]["tool_calls"][0]["id"]
    assert len(wire) <= limit
    assert sent[2]["tool_call_id"] == wire


def test_xl_053_an_object_schema_gets_properties() -> None:
    sent = from_messages(tools=[{"name": "f", "input_schema": {"type": "object"}}])
    assert sent["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {}}


def test_xl_061_a_tool_of_type_custom_is_a_function_with_its_own_schema() -> None:
    sent = from_messages(tools=[a_tool(type="custom")])["tools"][0]
    assert (sent["type"], sent["function"]["parameters"]["type"]) == ("function", "object")


def test_xl_062_optional_properties_stay_optional() -> None:
    function = from_messages(tools=[a_tool()])["tools"][0]["function"]
    assert not function.get("strict")
    assert "required" not in function["parameters"]


def test_xl_066_parallel_off_becomes_the_flag_and_the_choice_stays_auto() -> None:
    sent = from_messages(tools=[a_tool()], tool_choice={"type": "auto", "disable_parallel_tool_use": True})
    assert (sent["parallel_tool_calls"], sent["tool_choice"]) == (False, "auto")


def test_xl_069_a_custom_tool_becomes_a_function_with_an_input_string() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: PATCH"}
    tool = Tool(name="apply_patch", description="Edits files.", kind="custom", grammar=grammar)
    function = from_ir(tools=[tool])["tools"][0]["function"]
    assert function["parameters"]["properties"] == {"input": {"type": "string"}}
    assert "start: PATCH" in function["description"]


def test_xl_071_a_custom_tools_output_is_a_tool_message() -> None:
    call = ToolCall(id="ctc_1", name="apply_patch", arguments="*** Begin", kind="custom")
    turns = [said("assistant", call), said("user", ToolResult(call_id="ctc_1", parts=[Text(text="Done")]))]
    sent = from_ir(turns=turns)["messages"]
    assert json.loads(sent[0]["tool_calls"][0]["function"]["arguments"]) == {"input": "*** Begin"}
    assert sent[1] == {"role": "tool", "tool_call_id": "ctc_1", "content": "Done"}


def test_xl_072_namespaced_tools_are_flattened_everywhere() -> None:
    turns = [said("assistant", ToolCall(id="c", name="run", namespace="shell")), said("user", ToolResult(call_id="c"))]
    sent = from_ir(tools=[Tool(name="run", namespace="shell")], turns=turns)
    assert sent["tools"][0]["function"]["name"] == "shell__run"
    assert sent["messages"][0]["tool_calls"][0]["function"]["name"] == "shell__run"


def test_xl_073_an_image_in_a_result_moves_to_the_following_user_message() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    content = [{"type": "text", "text": "shot"}, image]
    messages = [{"role": "user", "content": "a"}, asked("toolu_1"), answered("toolu_1", content=content)]
    sent = from_messages(messages=messages, tools=[a_tool()])["messages"]
    assert sent[2] == {"role": "tool", "tool_call_id": "toolu_1", "content": "shot"}
    label, moved = sent[3]["content"]
    assert "toolu_1" in label["text"]
    assert moved["image_url"]["url"] == f"data:image/png;base64,{PNG}"


def test_xl_077_an_error_result_says_so_in_words() -> None:
    messages = [{"role": "user", "content": "a"}, asked("toolu_1"), answered("toolu_1", content="no", is_error=True)]
    assert from_messages(messages=messages, tools=[a_tool()])["messages"][2]["content"] == "Error: no"


def test_xl_079_a_result_without_content_is_an_empty_string() -> None:
    messages = [{"role": "user", "content": "a"}, asked("toolu_1"), answered("toolu_1")]
    assert from_messages(messages=messages, tools=[a_tool()])["messages"][2]["content"] == ""


def test_xl_080_hosted_web_search_is_mapped_or_refused_never_a_function() -> None:
    tools = [{"type": "web_search_20250305", "name": "web_search"}]
    sent = from_messages(an_upstream(metadata=True), tools=tools)
    assert sent["web_search_options"] == {}
    assert "tools" not in sent
    with pytest.raises(Unsupported) as caught:
        from_messages(tools=tools)
    assert caught.value.param == "tools.0"
    side = an_upstream(lenient=True)
    assert "tools" not in from_messages(side, tools=tools)
    assert side.notes.header() == "tools.0"


def test_xl_082_empty_tools_are_removed() -> None:
    assert "tools" not in patched({"model": "m", "messages": [], "tools": []})


# --- 10.3 settings


def test_xl_097_a_format_is_strict_only_if_its_schema_complies() -> None:
    def sent(schema: Json) -> Json:
        spec = {"format": {"type": "json_schema", "schema": schema}}
        return from_messages(output_config=spec)["response_format"]["json_schema"]

    assert sent(SCHEMA) == {"name": "response", "schema": SCHEMA, "strict": False}
    strict = {**SCHEMA, "required": ["a"], "additionalProperties": False}
    assert sent(strict) == {"name": "response", "schema": strict, "strict": True}


def test_xl_100_nothing_is_stored_that_nobody_asked_to_store() -> None:
    assert "store" not in from_ir(an_upstream(metadata=True))
    assert "store" not in from_ir(an_upstream(), store=True)


def test_xl_103_cache_points_go_only_to_models_that_take_them() -> None:
    content = [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    messages = [{"role": "user", "content": content}]
    assert from_messages(messages=messages)["messages"] == [{"role": "user", "content": "a"}]
    point = {"mode": "explicit", "ttl": "30m"}
    sent = from_messages(an_upstream(cache_points=True), messages=messages)["messages"][0]["content"]
    assert sent == [{"type": "text", "text": "a", "prompt_cache_breakpoint": point}]


def test_xl_105_a_long_user_id_is_hashed() -> None:
    sent = from_messages(an_upstream(safety_identifier=True), metadata={"user_id": "u" * 70})
    assert len(sent["safety_identifier"]) == 64
    assert set(sent["safety_identifier"]) <= set("0123456789abcdef")


def test_xl_106_standard_only_is_the_default_tier() -> None:
    assert from_messages(an_upstream(metadata=True), service_tier="standard_only")["service_tier"] == "default"


def test_xl_108_stream_options_without_a_stream_are_removed() -> None:
    body = {"model": "m", "messages": [], "stream": False, "stream_options": {"include_usage": True}}
    assert "stream_options" not in patched(body)


def test_xl_109_openai_gets_the_newer_limit_field() -> None:
    sent = patched({"model": "m", "max_tokens": 5}, max_tokens_field="max_completion_tokens")
    assert sent == {"model": "up", "max_completion_tokens": 5}
    assert from_messages(an_upstream(max_tokens_field="max_completion_tokens"))["max_completion_tokens"] == 100


def test_xl_115_unknown_fields_are_forwarded_byte_for_byte() -> None:
    raw = b'{"model":"m","beta_thing":{"b": 1.0, "a":[ ]},"messages":[]}'
    assert b'"beta_thing":{"b": 1.0, "a":[ ]}' in OPENAI_CHAT.patch(Body(raw), "up", an_upstream())


# --- 10.6 reasoning, 10.7 media


def test_xl_193_an_envelope_with_a_wrong_mac_is_dropped_without_an_error() -> None:
    sealed = SEALER.seal("proof", family="openrouter")[:-1]
    details = [{"type": "reasoning.encrypted", "data": sealed}]
    request = from_chat([{"role": "assistant", "content": "a", "reasoning_details": details}])
    assert request.turns[0].parts == [Text(text="a")]


def test_xl_194_the_same_history_gives_the_same_bytes() -> None:
    messages = [{"role": "user", "content": "a"}, asked("bad:id", "x" * 80), answered("bad:id", content="ok")]
    first, second = (from_messages(messages=messages, tools=[a_tool("x" * 80)], max_tokens=5) for _ in range(2))
    assert jsonio.encode(first) == jsonio.encode(second)


def test_xl_195_reasoning_text_without_a_proof_is_not_sent_by_default() -> None:
    history = [{"role": "assistant", "content": "a", "reasoning_content": "hm"}]
    sent = OPENAI_CHAT.render_request(from_chat(history), an_upstream())["messages"]
    assert sent == [{"role": "assistant", "content": "a"}]


def test_xl_196_a_proof_is_never_put_into_a_call_id() -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": SEALER.seal("proof", family="anthropic")}
    content = [thinking, *asked("toolu_1")["content"]]
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": content}, answered("toolu_1")]
    sent = from_messages(messages=messages, tools=[a_tool()])
    assert sent["messages"][1]["tool_calls"][0]["id"] == "toolu_1"
    assert "gwr1." not in json.dumps(sent)


def test_xl_186_thinking_of_another_vendor_is_not_sent() -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": "EqQBCkYIARgCKkD"}
    hidden = {"type": "redacted_thinking", "data": "EqQBCkYIARgCKkD"}
    content = [thinking, hidden, {"type": "text", "text": "a"}]
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": content}]
    assert from_messages(messages=messages)["messages"][1] == {"role": "assistant", "content": "a"}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (  # 197, 198: the bytes decide over the declared type
            {"type": "image_url", "image_url": {"url": JPEG_URL}},
            Image(source=Source(kind="base64", data=PNG, mime="image/png")),
        ),
        (  # 199
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            Image(source=Source(kind="url", data="https://example.com/a.png")),
        ),
    ],
)
def test_xl_198_images_are_read_by_their_bytes(part: Json, expected: Image) -> None:
    assert from_chat([{"role": "user", "content": [part]}]).turns[0].parts == [expected]


def test_xl_202_a_pdf_becomes_a_file_with_a_data_url_and_a_name() -> None:
    source = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    sent = from_messages(messages=[{"role": "user", "content": [{"type": "document", "source": source}]}])
    file = {"filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}
    assert sent["messages"][0]["content"] == [{"type": "file", "file": file}]


def test_xl_203_a_text_document_becomes_text_under_its_title() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "words"}
    block = {"type": "document", "source": source, "title": "Notes"}
    sent = from_messages(messages=[{"role": "user", "content": [block]}])
    assert sent["messages"][0]["content"] == "Document: Notes\nwords"


def test_xl_205_bad_media_are_refused_by_name() -> None:
    with pytest.raises(BadRequest) as caught:
        from_chat([{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "!"}}]}])
    assert caught.value.param == "messages.0.content.0.input_audio.data"


# --- appendix E: faults that peers have


def test_a_forced_choice_and_a_subset_are_kept() -> None:
    sent = from_messages(tools=[a_tool()], tool_choice={"type": "any"})
    assert sent["tool_choice"] == "required"
    allowed = ToolChoice(mode="allowed", names=["f"])
    assert from_ir(tools=[Tool(name="f"), Tool(name="g")], tool_choice=allowed)["tool_choice"] == "auto"


def test_settings_without_a_counterpart_are_reported() -> None:
    side = an_upstream()
    from_messages(side, top_k=5, context_management={"edits": []})
    assert set(side.notes.header().split(",")) == {"top_k", "context_management"}


def test_the_callers_own_limit_is_kept() -> None:
    assert from_messages(max_tokens=7)["max_tokens"] == 7
    with pytest.raises(Unsupported):
        from_messages(max_tokens=0)


def test_a_json_object_can_be_asked_for() -> None:
    assert from_ir(format=Format(kind="json_object"))["response_format"] == {"type": "json_object"}
