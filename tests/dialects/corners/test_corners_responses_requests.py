"""Corner cases of reference/translation.md section 10: requests from Responses callers, and for Responses upstreams."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxyapp.dialects import jsonio
from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.contract import Body, ClientSide, Dialect, Profile, UpstreamSide
from proxyapp.dialects.openai_chat import OPENAI_CHAT
from proxyapp.dialects.openai_responses import OPENAI_RESPONSES
from proxyapp.dialects.signatures import Sealer
from proxyapp.errors import BadRequest, Unsupported

SEALER = Sealer(b"k" * 32)
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABXvMqOgAAAABJRU5ErkJggg=="
OWN = "rs_0a311635443846b4016994b3e25404"
MESSAGE = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hm."}]}

Json = dict[str, Any]


def a_caller() -> ClientSide:
    return ClientSide(sealer=SEALER, new_id=lambda: "A" * 24)


def an_upstream(**profile: Any) -> UpstreamSide:
    lenient, account = profile.pop("lenient", False), profile.pop("account", "up/main")
    own = Profile(**{"model_group": "openai", "metadata": True, "reasoning_effort": True, **profile})
    return UpstreamSide(profile=own, sealer=SEALER, model="up", lenient=lenient, account=account)


def sent(source: Dialect, body: Json, target: Dialect, side: UpstreamSide | None = None) -> Json:
    return target.render_request(source.parse_request(body, a_caller()), side or an_upstream())


def from_chat(side: UpstreamSide | None = None, **body: Any) -> Json:
    """A Chat request as its Responses upstream gets it."""
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **body}
    return sent(OPENAI_CHAT, body, OPENAI_RESPONSES, side)


def from_messages(messages: list[Json], side: UpstreamSide | None = None, **body: Any) -> Json:
    body = {"model": "m", "max_tokens": 100, "messages": messages, **body}
    return sent(ANTHROPIC, body, OPENAI_RESPONSES, side)


def to_chat(given: Any, side: UpstreamSide | None = None, **body: Any) -> Json:
    """A Responses request as its Chat upstream gets it."""
    return sent(OPENAI_RESPONSES, {"model": "m", "input": given, **body}, OPENAI_CHAT, side or an_upstream())


def patched(items: list[Json], side: UpstreamSide | None = None, **body: Any) -> list[Json]:
    raw = jsonio.encode({"model": "m", "input": items, **body})
    return json.loads(OPENAI_RESPONSES.patch(Body(raw), "up", side or an_upstream()))["input"]


def notes(side: UpstreamSide) -> list[str]:
    return [note.path for note in side.notes.items]


# --- messages


def test_xl_027_the_name_of_a_participant_goes_before_the_text() -> None:
    side = an_upstream()
    body = from_chat(side, messages=[{"role": "user", "content": "hi", "name": "Ada"}])
    assert body["input"][0]["content"] == [{"type": "input_text", "text": "Ada: hi"}]
    assert notes(side) == ["messages.0.name"]


def thinking(signature: str, text: str = "Hm.") -> Json:
    return {"type": "thinking", "thinking": text, "signature": signature}


def sealed(proof: str, account: str = "up/main") -> str:
    return SEALER.seal(proof, family="openai", group="openai", account=account)


def turn(*blocks: Json) -> list[Json]:
    use = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "4"}
    return [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [*blocks, use]},
        {"role": "user", "content": [result]},
    ]


def test_xl_028_thinking_text_and_call_become_three_items_in_that_order() -> None:
    said = {"type": "text", "text": "Let me look."}
    items = from_messages(turn(thinking(sealed(f"{OWN}:gAAAA")), said))["input"]
    assert [item["type"] for item in items[1:]] == ["reasoning", "message", "function_call", "function_call_output"]
    assert items[1] == {
        "type": "reasoning",
        "id": OWN,
        "summary": [{"type": "summary_text", "text": "Hm."}],
        "encrypted_content": "gAAAA",
    }


def test_xl_036_a_reasoning_item_has_no_status() -> None:
    items = from_messages(turn(thinking(sealed(f"{OWN}:gAAAA"))))["input"]
    assert "status" not in items[1]


def test_xl_192_redacted_thinking_is_an_item_without_a_summary() -> None:
    items = from_messages(turn({"type": "redacted_thinking", "data": sealed(f"{OWN}:gAAAA")}))["input"]
    assert items[1] == {"type": "reasoning", "id": OWN, "summary": [], "encrypted_content": "gAAAA"}


@pytest.mark.parametrize(
    "signature",
    [sealed(f"{OWN}:gAAAA", account="other/key"), sealed("gAAAA"), "EqQBCgIYAhIM", sealed(f"{OWN}:x")[:-1] + "?"],
    ids=["another account", "no id of OpenAI's", "Anthropic's own", "altered"],
)
def test_xl_193_proofs_that_are_not_this_upstreams_are_left_out(signature: str) -> None:
    items = from_messages(turn(thinking(signature)))["input"]
    assert [item["type"] for item in items] == ["message", "function_call", "function_call_output"]


def test_xl_029_a_plain_string_is_one_user_message() -> None:
    assert to_chat("hi")["messages"] == [{"role": "user", "content": "hi"}]


def test_xl_030_instructions_come_first_and_a_developer_stays_one() -> None:
    items = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "hi"}]
    messages = to_chat(items, an_upstream(developer_role=True), instructions="Be kind.")["messages"]
    assert [(message["role"], message["content"]) for message in messages] == [
        ("system", "Be kind."),
        ("developer", "Be brief."),
        ("user", "hi"),
    ]


CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": '{"a":1}'}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "4"}


def test_xl_031_message_and_calls_of_one_turn_are_one_assistant_message() -> None:
    second = {**CALL, "call_id": "call_2"}
    items = [{"role": "user", "content": "go"}, MESSAGE, CALL, second, OUTPUT, {**OUTPUT, "call_id": "call_2"}]
    messages = to_chat(items)["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool"]
    assert messages[1]["content"] == "Hm."
    assert [call["id"] for call in messages[1]["tool_calls"]] == ["call_1", "call_2"]


def test_xl_032_the_phase_of_a_message_is_left_out_without_a_word() -> None:
    side = an_upstream()
    items = [{"role": "user", "content": "go"}, {**MESSAGE, "phase": "commentary"}, {"role": "user", "content": "on"}]
    body = sent(OPENAI_RESPONSES, {"model": "m", "input": items}, ANTHROPIC, side)
    assert body["messages"][1]["content"] == [{"type": "text", "text": "Hm."}]
    assert notes(side) == []


def test_xl_033_a_reference_to_an_item_that_is_not_here_is_refused() -> None:
    with pytest.raises(BadRequest) as caught:
        to_chat([{"type": "item_reference", "id": "msg_1"}])
    assert caught.value.param == "input.0.id"


def test_xl_034_ids_that_are_not_openais_are_taken_out() -> None:
    items = [
        {**MESSAGE, "id": "msg-proxy-1"},
        {**CALL, "id": "call_1"},
        {**CALL, "id": "fc_1", "call_id": "call_2"},
        {**MESSAGE, "id": "msg_" + "a" * 61},
    ]
    assert ["id" in item for item in patched(items)] == [False, False, True, False]


def test_xl_035_a_call_of_a_chat_caller_has_a_call_id_and_no_id() -> None:
    call = {"id": "call_x", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_x", "content": "4"},
    ]
    assert from_chat(messages=messages)["input"][1:] == [
        {"type": "function_call", "call_id": "call_x", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_x", "output": "4"},
    ]


# --- tools


def test_xl_047_a_long_call_id_is_cut_alike_in_call_and_output() -> None:
    messages = turn()
    for place in (messages[1]["content"][0], messages[2]["content"][0]):
        place["id" if "id" in place else "tool_use_id"] = "toolu_" + "x" * 64
    call, output = from_messages(messages)["input"][1:]
    assert len(call["call_id"]) == 64
    assert call["call_id"] == output["call_id"]


LARK = {"type": "grammar", "syntax": "lark", "definition": "start: WORD"}
PATCH = {"type": "custom", "name": "apply_patch", "description": "Edit", "format": LARK}


def test_xl_069_a_free_text_tool_is_a_function_with_one_string_where_there_are_no_others() -> None:
    side = an_upstream(custom_tools=False)
    function = to_chat("hi", side, tools=[PATCH])["tools"][0]["function"]
    assert function["parameters"]["required"] == ["input"]
    assert "start: WORD" in function["description"]
    assert side.wrapped_tools == {"apply_patch"}


def test_xl_071_the_output_of_a_free_text_tool_is_a_tool_message() -> None:
    items = [
        {"role": "user", "content": "go"},
        {"type": "custom_tool_call", "call_id": "call_1", "name": "apply_patch", "input": "*** Begin"},
        {"type": "custom_tool_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "Done"}]},
    ]
    messages = to_chat(items, an_upstream(custom_tools=False), tools=[PATCH])["messages"]
    assert messages[1]["tool_calls"][0]["function"]["arguments"] == '{"input":"*** Begin"}'
    assert messages[2] == {"role": "tool", "tool_call_id": "call_1", "content": "Done"}


def test_xl_072_namespaces_are_flattened() -> None:
    inner = {"type": "function", "name": "add", "parameters": {"type": "object", "properties": {}}}
    space = {"type": "namespace", "name": "math", "description": "Sums", "tools": [inner]}
    items = [{"role": "user", "content": "go"}, {**CALL, "name": "add", "namespace": "math"}, OUTPUT]
    body = to_chat(items, tools=[space], tool_choice={"type": "function", "name": "add"})
    assert body["tools"][0]["function"]["name"] == "math__add"
    assert body["messages"][1]["tool_calls"][0]["function"]["name"] == "math__add"
    assert body["tool_choice"] == {"type": "function", "function": {"name": "math__add"}}


def test_xl_074_an_image_stays_in_the_output_of_its_call() -> None:
    messages = turn()
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    messages[2]["content"][0]["content"] = [{"type": "text", "text": "Here:"}, image]
    assert from_messages(messages)["input"][2]["output"] == [
        {"type": "input_text", "text": "Here:"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
    ]


# --- settings


def test_xl_090_stop_sequences_are_refused_unless_the_model_is_lenient() -> None:
    with pytest.raises(Unsupported) as caught:
        from_chat(stop=["END"])
    assert caught.value.param == "stop"
    side = an_upstream(lenient=True)
    assert "stop" not in from_chat(side, stop=["END"])
    assert notes(side) == ["stop"]


def test_xl_093_log_probabilities_are_asked_for_by_include() -> None:
    body = from_chat(logprobs=True, top_logprobs=3)
    assert body["top_logprobs"] == 3
    assert "message.output_text.logprobs" in body["include"]


def test_xl_099_a_limit_under_sixteen_is_raised() -> None:
    side = an_upstream()
    assert from_chat(side, max_completion_tokens=8)["max_output_tokens"] == 16
    assert notes(side) == ["max_tokens"]


@pytest.mark.parametrize("store", [{}, {"store": True}])
def test_xl_100_nothing_is_left_at_a_third_party(store: Json) -> None:
    assert "store" not in to_chat("hi", **store)
    assert from_chat(**store)["store"] is False


# --- reasoning, relayed

REASONING = {"type": "reasoning", "id": OWN, "summary": [], "encrypted_content": "gAAAA"}


def test_xl_188_reasoning_without_its_proof_goes_where_nothing_is_stored() -> None:
    bare = {"type": "reasoning", "id": OWN, "summary": []}
    assert patched([bare, MESSAGE], store=False) == [MESSAGE]
    assert patched([bare, MESSAGE], store=True) == [bare, MESSAGE]


@pytest.mark.parametrize("after", [[], [{"role": "user", "content": "on"}], [OUTPUT]])
def test_xl_189_reasoning_that_nothing_of_the_models_follows_goes(after: list[Json]) -> None:
    assert patched([REASONING, *after], store=False) == after
    assert patched([REASONING, CALL, *after], store=False) == [REASONING, CALL, *after]


def test_xl_191_thinking_of_another_vendor_returns_with_its_signature() -> None:
    side = UpstreamSide(profile=Profile(thinking="both", model_group="claude"), sealer=SEALER, account="up/main")
    seal = SEALER.seal("EqQB", family="anthropic", group="claude", account="up/main")
    summary = [{"type": "summary_text", "text": "Hm."}]
    items = [
        {"role": "user", "content": "go"},
        {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": seal},
        CALL,
        OUTPUT,
    ]
    reasoning = {"effort": "medium"}
    body = sent(OPENAI_RESPONSES, {"model": "m", "input": items, "reasoning": reasoning}, ANTHROPIC, side)
    assert body["messages"][1]["content"][0] == {"type": "thinking", "thinking": "Hm.", "signature": "EqQB"}


def test_xl_194_the_same_history_gives_the_same_bytes() -> None:
    messages = turn(thinking(sealed(f"{OWN}:gAAAA")), {"type": "text", "text": "So."})
    assert jsonio.encode(from_messages(messages)) == jsonio.encode(from_messages(json.loads(json.dumps(messages))))


# --- media


def test_xl_204_a_document_by_address_stays_one() -> None:
    document = {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}
    body = from_messages([{"role": "user", "content": [document]}])
    assert body["input"][0]["content"] == [{"type": "input_file", "file_url": "https://example.com/a.pdf"}]


def detail_of(**given: str) -> str:
    part = {"type": "image_url", "image_url": {"url": "https://example.com/a.png", **given}}
    body = from_chat(messages=[{"role": "user", "content": [part]}])
    return str(body["input"][0]["content"][0]["detail"])


def test_xl_208_the_detail_of_an_image_stays() -> None:
    assert detail_of(detail="original") == "original"


def test_xl_209_an_image_without_detail_gets_auto() -> None:
    assert detail_of() == "auto"
