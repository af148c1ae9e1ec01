"""Corner cases of reference/translation.md section 10 whose target is a Messages upstream: requests."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from proxyapp.dialects import jsonio
from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.contract import Body, ClientSide, Profile, UpstreamSide
from proxyapp.dialects.openai_chat import OPENAI_CHAT
from proxyapp.dialects.signatures import Sealer
from proxyapp.errors import Unsupported
from proxyapp.ir.parts import Text
from proxyapp.ir.request import ReasoningSettings, Request, Turn

SEALER = Sealer(b"k" * 32)
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 16).decode()
PDF = base64.b64encode(b"%PDF-1.7\n" + b"\0" * 16).decode()

Json = dict[str, Any]


def an_upstream(*, lenient: bool = False, account: str = "acme", **profile: Any) -> UpstreamSide:
    return UpstreamSide(profile=Profile(**profile), sealer=SEALER, model="claude-up", account=account, lenient=lenient)


def chat(messages: list[Json], **more: Any) -> Request:
    body = {"model": "m", "messages": messages, **more}
    return OPENAI_CHAT.parse_request(body, ClientSide(sealer=SEALER))


def own(messages: list[Json], **more: Any) -> Request:
    body = {"model": "m", "max_tokens": 4096, "messages": messages, **more}
    return ANTHROPIC.parse_request(body, ClientSide(sealer=SEALER))


def sent(request: Request, side: UpstreamSide | None = None) -> Json:
    """The upstream's body, as it reads after a trip over the wire."""
    return json.loads(jsonio.encode(ANTHROPIC.render_request(request, side or an_upstream())))


def paths(side: UpstreamSide) -> list[str]:
    return [note.path for note in side.notes.items]


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def assistant(content: str | None, *calls: Json, **more: Any) -> Json:
    message: Json = {"role": "assistant", "content": content, **more}
    return {**message, "tool_calls": list(calls)} if calls else message


def call(call_id: str, name: str = "look_up", arguments: str = "{}") -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(call_id: str, content: str = "done") -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def tool(name: str = "look_up", **more: Any) -> Json:
    return {"type": "function", "function": {"name": name, **more}}


def kinds(message: Json) -> list[str]:
    return [block["type"] for block in message["content"]]


def texts(message: Json) -> list[str]:
    return [block["text"] for block in message["content"] if block["type"] == "text"]


# --- 10.1 messages


def test_xl_001_two_system_messages_become_two_blocks_in_order() -> None:
    body = sent(chat([{"role": "system", "content": "one"}, {"role": "system", "content": "two"}, user("hi")]))
    assert body["system"] == [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]


def test_xl_002_a_developer_message_goes_to_the_system_prompt() -> None:
    body = sent(chat([{"role": "developer", "content": "be brief"}, user("hi")]))
    assert body["system"] == [{"type": "text", "text": "be brief"}]


def test_xl_003_a_late_system_message_keeps_its_place_where_the_model_knows_it() -> None:
    history = [user("a"), assistant("b"), user("c"), {"role": "system", "content": "now in French"}]
    side = an_upstream(mid_system=True)
    body = sent(chat(history), side)
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user", "system"]
    assert body["messages"][3]["content"] == [{"type": "text", "text": "now in French"}]
    assert not paths(side)


def test_xl_004_a_late_system_message_becomes_a_marked_user_text_elsewhere() -> None:
    history = [user("a"), assistant("b"), user("c"), {"role": "system", "content": "now in French"}]
    side = an_upstream()
    body = sent(chat(history), side)
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    marked = texts(body["messages"][2])[1]
    assert "operator" in marked
    assert marked.endswith("now in French")
    assert paths(side) == ["messages.3"]


@pytest.mark.parametrize("mid_system", [True, False])
def test_xl_005_a_system_message_between_calls_and_results_moves_behind_the_results(mid_system: bool) -> None:
    late = {"role": "system", "content": "careful"}
    body = sent(
        chat([user("a"), assistant(None, call("c1")), late, result("c1")], tools=[tool()]),
        an_upstream(mid_system=mid_system),
    )
    answered = body["messages"][2]
    assert answered["content"][0]["content"] == "done"
    if mid_system:
        assert body["messages"][3] == {"role": "system", "content": [{"type": "text", "text": "careful"}]}
    else:
        assert kinds(answered) == ["tool_result", "text"]


def test_xl_006_two_system_messages_in_the_middle_become_one() -> None:
    late = [{"role": "system", "content": "one"}, {"role": "system", "content": "two"}]
    body = sent(chat([user("a"), *late, assistant("b"), user("c")]), an_upstream(mid_system=True))
    assert [message["role"] for message in body["messages"]] == ["user", "system", "assistant", "user"]
    assert texts(body["messages"][1]) == ["one", "two"]


def test_xl_008_three_tool_messages_become_one_user_message() -> None:
    calls = [call("c1"), call("c2"), call("c3")]
    answers = [result("c3", "3"), result("c1", "1"), result("c2", "2")]
    body = sent(chat([user("a"), assistant(None, *calls), *answers], tools=[tool()]))
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert [(b["tool_use_id"], b["content"]) for b in body["messages"][2]["content"]] == [
        ("c1", "1"),
        ("c2", "2"),
        ("c3", "3"),
    ]


def test_xl_009_results_and_the_following_text_share_one_user_message() -> None:
    body = sent(chat([user("a"), assistant(None, call("c1")), result("c1"), user("and?")], tools=[tool()]))
    assert kinds(body["messages"][2]) == ["tool_result", "text"]


def test_xl_013_empty_assistant_content_beside_calls_makes_no_text_block() -> None:
    body = sent(chat([user("a"), assistant("", call("c1")), result("c1")], tools=[tool()]))
    assert kinds(body["messages"][1]) == ["tool_use"]


@pytest.mark.parametrize("blank", [" ", "", "\n\t"])
def test_xl_014_a_blank_user_message_gets_a_visible_placeholder(blank: str) -> None:
    side = an_upstream()
    body = sent(chat([user(blank)]), side)
    assert texts(body["messages"][0])[0].strip()
    assert paths(side) == ["messages.0"]


def test_xl_015_a_blank_text_beside_a_real_one_is_dropped() -> None:
    content = [{"type": "text", "text": " "}, {"type": "text", "text": "real"}]
    assert texts(sent(chat([{"role": "user", "content": content}]))["messages"][0]) == ["real"]


def test_xl_016_an_assistant_message_of_blanks_is_dropped_and_its_neighbours_merge() -> None:
    body = sent(chat([user("a"), assistant(" \n"), user("b")]))
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    ]


def test_xl_017_placeholders_are_visible_text() -> None:
    placeholder = texts(sent(chat([user(" ")]))["messages"][0])[0]
    assert placeholder.isascii()
    assert any(character.isalpha() for character in placeholder)


def test_xl_018_a_conversation_that_opens_with_the_assistant_gets_a_user_before_it() -> None:
    side = an_upstream()
    body = sent(chat([assistant("hello"), user("hi")]), side)
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert paths(side) == ["messages.0"]


def test_xl_019_a_trailing_assistant_message_is_no_prefill_for_models_without() -> None:
    side = an_upstream(prefill=False)
    body = sent(chat([user("a"), assistant("b")]), side)
    assert body["messages"][-1] == {"role": "user", "content": [{"type": "text", "text": "Continue."}]}
    assert paths(side) == ["messages.1"]


def test_xl_019_a_trailing_assistant_message_is_a_prefill_for_models_that_know_it() -> None:
    body = sent(chat([user("a"), assistant("The answer is ")]))
    assert body["messages"][-1] == {"role": "assistant", "content": [{"type": "text", "text": "The answer is"}]}


def test_xl_021_two_user_messages_in_a_row_are_merged() -> None:
    assert texts(sent(chat([user("a"), user("b")]))["messages"][0]) == ["a", "b"]


def test_xl_023_a_call_without_result_gets_one_that_says_so() -> None:
    side = an_upstream()
    body = sent(
        chat([user("a"), assistant(None, call("c1"), call("c2")), result("c2"), user("b")], tools=[tool()]), side
    )
    first, second, third = body["messages"][2]["content"]
    assert (first["tool_use_id"], first["is_error"]) == ("c1", True)
    assert (second["tool_use_id"], third["text"]) == ("c2", "b")
    assert len(paths(side)) == 1


def test_xl_024_a_result_without_its_call_becomes_text() -> None:
    side = an_upstream()
    body = sent(chat([user("a"), result("nobody", "42"), user("b")]), side)
    assert kinds(body["messages"][0]) == ["text"] * 4
    assert "42" in texts(body["messages"][0])
    assert paths(side) == ["messages.1.content.0"]


def test_xl_025_history_with_calls_but_no_tools_gets_a_stand_in_that_cannot_be_called() -> None:
    body = sent(chat([user("a"), assistant(None, call("c1")), result("c1")]))
    assert len(body["tools"]) == 1
    assert body["tool_choice"] == {"type": "none"}


def test_xl_025_this_dialects_own_history_needs_no_stand_in() -> None:
    """Appendix E: the service takes tool blocks without `tools`."""
    use = {"type": "tool_use", "id": "t1", "name": "look_up", "input": {}}
    done = {"type": "tool_result", "tool_use_id": "t1", "content": "x"}
    body = sent(own([user("a"), {"role": "assistant", "content": [use]}, {"role": "user", "content": [done]}]))
    assert "tools" not in body


def test_xl_026_choice_none_keeps_the_tools() -> None:
    history = [user("a"), assistant(None, call("c1")), result("c1")]
    body = sent(chat(history, tools=[tool()], tool_choice="none"))
    assert body["tools"][0]["name"] == "look_up"
    assert body["tool_choice"] == {"type": "none"}


def test_xl_040_a_legacy_function_message_answers_by_name() -> None:
    said = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    body = sent(chat([user("a"), said, {"role": "function", "name": "f", "content": "7"}], functions=[{"name": "f"}]))
    use, done = body["messages"][1]["content"][0], body["messages"][2]["content"][0]
    assert done["tool_use_id"] == use["id"]
    assert done["content"] == "7"


# --- 10.2 tools


def test_xl_042_colliding_names_are_told_apart_and_restored() -> None:
    side = an_upstream()
    body = sent(chat([user("a")], tools=[tool("a.b"), tool("a_b")]), side)
    first, second = (rendered["name"] for rendered in body["tools"])
    assert second == "a_b"
    assert first != second
    answer = {"type": "message", "content": [{"type": "tool_use", "id": "t", "name": first, "input": {}}]}
    part = ANTHROPIC.parse_response(answer, side).parts[0]
    assert part.name == "a.b"  # type: ignore[attr-defined]


def test_xl_045_an_illegal_call_id_is_cleaned_the_same_way_in_call_and_result() -> None:
    call_id = "functions.Bash:0"
    body = sent(chat([user("a"), assistant(None, call(call_id)), result(call_id)], tools=[tool()]))
    wire_id = body["messages"][1]["content"][0]["id"]
    assert wire_id == body["messages"][2]["content"][0]["tool_use_id"]
    assert wire_id.replace("_", "").replace("-", "").isalnum()
    assert wire_id != "functions_Bash_0"


def test_xl_048_empty_arguments_are_an_empty_object() -> None:
    body = sent(chat([user("a"), assistant(None, call("c1", arguments="")), result("c1")], tools=[tool()]))
    assert body["messages"][1]["content"][0]["input"] == {}


def test_xl_050_invalid_arguments_in_history_are_repaired_or_kept_whole() -> None:
    side = an_upstream()
    calls = [call("c1", arguments='{"a": [1, 2,'), call("c2", arguments="not json")]
    body = sent(chat([user("a"), assistant(None, *calls), result("c1"), result("c2")], tools=[tool()]), side)
    repaired, whole = (block["input"] for block in body["messages"][1]["content"])
    assert repaired == {"a": [1, 2]}
    assert whole == {"_raw": "not json"}
    assert len(paths(side)) == 2


def test_xl_052_a_function_without_parameters_gets_an_empty_object_schema() -> None:
    body = sent(chat([user("a")], tools=[tool()]))
    assert body["tools"][0]["input_schema"] == {"type": "object", "properties": {}}


def test_xl_054_a_union_at_the_root_is_merged_into_an_object() -> None:
    branches = [
        {"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a", "b"]},
        {"type": "object", "properties": {"b": {}, "c": {}}, "required": ["b"]},
    ]
    side = an_upstream()
    rendered = sent(chat([user("a")], tools=[tool(parameters={"anyOf": branches})]), side)["tools"][0]["input_schema"]
    assert rendered["type"] == "object"
    assert list(rendered["properties"]) == ["a", "b", "c"]
    assert rendered["required"] == ["b"]
    assert "anyOf" not in rendered
    assert "a, b; b, c" in rendered["description"]
    assert paths(side) == ["tools.0.parameters"]


def test_xl_063_a_forced_call_switches_budget_thinking_off() -> None:
    side = an_upstream(thinking="budget", max_output=64000)
    body = sent(chat([user("a")], tools=[tool()], tool_choice="required", reasoning_effort="high"), side)
    assert "thinking" not in body
    assert body["tool_choice"] == {"type": "any"}
    assert paths(side) == ["reasoning_effort"]


def test_xl_063_a_model_that_always_thinks_is_not_forced() -> None:
    side = an_upstream(thinking="budget", max_output=64000, thinking_can_be_off=False)
    body = sent(chat([user("a")], tools=[tool()], tool_choice="required", reasoning_effort="high"), side)
    assert body["thinking"]["type"] == "enabled"
    assert body["tool_choice"] == {"type": "auto"}
    assert paths(side) == ["tool_choice"]


def test_xl_063_adaptive_thinking_bears_a_forced_call() -> None:
    side = an_upstream(thinking="adaptive")
    body = sent(chat([user("a")], tools=[tool()], tool_choice="required", reasoning_effort="high"), side)
    assert body["thinking"]["type"] == "adaptive"
    assert body["tool_choice"] == {"type": "any"}
    assert not paths(side)


def test_xl_064_parallel_off_without_a_choice_makes_an_auto_choice() -> None:
    body = sent(chat([user("a")], tools=[tool()], parallel_tool_calls=False))
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


def test_xl_065_parallel_off_is_not_said_beside_choice_none() -> None:
    body = sent(chat([user("a")], tools=[tool()], parallel_tool_calls=False, tool_choice="none"))
    assert body["tool_choice"] == {"type": "none"}


def test_xl_067_allowed_tools_are_filtered() -> None:
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "b"}}]}
    side = an_upstream()
    body = sent(
        chat(
            [user("a")], tools=[tool("a"), tool("b")], tool_choice={"type": "allowed_tools", "allowed_tools": allowed}
        ),
        side,
    )
    assert [rendered["name"] for rendered in body["tools"]] == ["b"]
    assert body["tool_choice"] == {"type": "any"}
    assert paths(side) == ["tool_choice"]


# --- 10.3 settings


def test_xl_083_without_a_limit_the_models_own_maximum_is_sent() -> None:
    assert sent(chat([user("a")]), an_upstream(max_output=64000))["max_tokens"] == 64000


def test_xl_084_a_small_limit_leaves_no_room_for_budget_thinking() -> None:
    side = an_upstream(thinking="budget", max_output=64000)
    body = sent(chat([user("a")], max_tokens=500, reasoning_effort="high"), side)
    assert body["max_tokens"] == 500
    assert "thinking" not in body
    assert paths(side) == ["reasoning_effort"]


def test_xl_085_a_high_temperature_is_clamped() -> None:
    side = an_upstream()
    assert sent(chat([user("a")], temperature=1.7), side)["temperature"] == 1
    assert paths(side) == ["temperature"]


def test_xl_086_a_model_that_refuses_sampling_gets_none() -> None:
    side = an_upstream(sampling=False)
    assert "temperature" not in sent(chat([user("a")], temperature=0.2), side)
    assert paths(side) == ["temperature"]


def test_xl_087_temperature_wins_over_top_p_where_only_one_is_taken() -> None:
    side = an_upstream(temperature_and_top_p=False)
    body = sent(chat([user("a")], temperature=0.2, top_p=0.5), side)
    assert body["temperature"] == 0.2
    assert "top_p" not in body
    assert paths(side) == ["top_p"]


def test_xl_088_a_stop_string_of_white_space_is_dropped() -> None:
    side = an_upstream()
    assert sent(chat([user("a")], stop=["\n", "END"]), side)["stop_sequences"] == ["END"]
    assert paths(side) == ["stop"]


def test_xl_091_two_answers_are_refused() -> None:
    with pytest.raises(Unsupported) as caught:
        sent(chat([user("a")], n=2))
    assert caught.value.param == "n"


def test_xl_092_log_probabilities_are_refused_unless_lenient() -> None:
    with pytest.raises(Unsupported) as caught:
        sent(chat([user("a")], logprobs=True))
    assert caught.value.param == "logprobs"
    side = an_upstream(lenient=True)
    sent(chat([user("a")], logprobs=True), side)
    assert paths(side) == ["logprobs"]


def test_xl_094_a_seed_is_dropped_with_a_note() -> None:
    side = an_upstream()
    assert "seed" not in sent(chat([user("a")], seed=7), side)
    assert paths(side) == ["seed"]


def test_xl_095_an_answer_schema_goes_to_output_config_in_the_strict_subset() -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 1, "description": "how many"}},
        "required": ["n"],
    }
    shape = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    body = sent(chat([user("a")], response_format=shape))
    assert body["output_config"]["format"] == {
        "type": "json_schema",
        "schema": {
            "type": "object",
            "properties": {"n": {"type": "integer", "description": 'how many\n\nFurther rules: {"minimum":1}'}},
            "additionalProperties": False,
            "required": ["n"],
        },
    }


def test_xl_096_a_json_object_is_asked_for_in_words() -> None:
    side = an_upstream()
    body = sent(chat([{"role": "system", "content": "s"}, user("a")], response_format={"type": "json_object"}), side)
    assert body["system"][0]["text"] == "s"
    assert "JSON object" in body["system"][1]["text"]
    assert paths(side) == ["response_format"]


def test_xl_104_only_the_last_four_cache_points_are_sent() -> None:
    marked = [{"type": "text", "text": str(n), "prompt_cache_breakpoint": {"mode": "explicit"}} for n in range(6)]
    side = an_upstream()
    body = sent(chat([{"role": "user", "content": marked}]), side)
    assert ["cache_control" in block for block in body["messages"][0]["content"]] == [False] * 2 + [True] * 4
    assert paths(side) == ["prompt_cache_breakpoint"]


def test_xl_107_the_flex_tier_is_dropped() -> None:
    side = an_upstream()
    assert "service_tier" not in sent(chat([user("a")], service_tier="flex"), side)
    assert paths(side) == ["service_tier"]


def test_xl_110_a_model_that_always_thinks_thinks_as_little_as_it_can() -> None:
    side = an_upstream(thinking="adaptive", thinking_can_be_off=False)
    body = sent(chat([user("a")], reasoning_effort="none"), side)
    assert body["output_config"] == {"effort": "low"}
    assert "thinking" not in body
    assert paths(side) == ["reasoning_effort"]


def test_xl_113_a_dynamic_budget_is_adaptive_thinking() -> None:
    request = Request(
        client_dialect="gemini",
        model="m",
        turns=[Turn(role="user", parts=[Text(text="a")], path="contents.0")],
        reasoning=ReasoningSettings(mode="budget", budget=-1),
    )
    assert sent(request, an_upstream(thinking="adaptive"))["thinking"]["type"] == "adaptive"


def test_xl_114_wanted_reasoning_is_asked_to_be_shown() -> None:
    body = sent(chat([user("a")], reasoning_effort="medium"), an_upstream(thinking="adaptive"))
    assert body["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert body["output_config"] == {"effort": "medium"}


def test_xl_115_unknown_fields_of_the_same_dialect_pass_byte_for_byte() -> None:
    raw = b'{"model": "m", "messages":[ {"role":"user","content":"\\u00e9"} ], "brand_new": {"a" : 1.50}}'
    patched = ANTHROPIC.patch(Body(raw), "other", an_upstream())
    assert b'"brand_new":{"a" : 1.50}' in patched
    assert b'[ {"role":"user","content":"\\u00e9"} ]' in patched
    assert json.loads(patched)["model"] == "other"


# --- 10.6 reasoning


def thinking(text: str, signature: str) -> Json:
    return {"type": "thinking", "thinking": text, "signature": signature}


def use(call_id: str = "t1") -> Json:
    return {"type": "tool_use", "id": call_id, "name": "look_up", "input": {"q": 1}}


def loop(*blocks: Json) -> list[Json]:
    done = {"type": "tool_result", "tool_use_id": "t1", "content": "x"}
    return [user("a"), {"role": "assistant", "content": list(blocks)}, {"role": "user", "content": [done]}]


def test_xl_185_thinking_is_replayed_as_it_was_and_first() -> None:
    blocks = [thinking("hm", "ErU/x=="), {"type": "redacted_thinking", "data": "Zm9v"}, use()]
    body = sent(own(loop(*blocks)))
    assert body["messages"][1]["content"] == blocks


def test_xl_186_a_proof_of_another_family_is_dropped() -> None:
    sealed = SEALER.seal("gAAAA", family="openai", group="gpt", account="x")
    assert kinds(sent(own(loop(thinking("hm", sealed), use())))["messages"][1]) == ["tool_use"]


def test_xl_187_a_tool_loop_that_lost_its_thinking_goes_on_without() -> None:
    side = an_upstream(thinking="budget", max_output=64000)
    request = own(loop(use()), thinking={"type": "enabled", "budget_tokens": 2000}, tools=[{"name": "look_up"}])
    assert "thinking" not in sent(request, side)
    assert paths(side) == ["thinking"]


def test_xl_187_adaptive_models_need_no_thinking_in_the_loop() -> None:
    side = an_upstream(thinking="adaptive")
    request = own(loop(use()), thinking={"type": "adaptive"}, tools=[{"name": "look_up"}])
    assert sent(request, side)["thinking"] == {"type": "adaptive"}
    assert not paths(side)


def test_xl_191_a_proof_that_comes_back_in_an_envelope_is_restored_for_its_owner_only() -> None:
    sealed = SEALER.seal("ErU", family="anthropic", group="claude", account="acme")
    request = own(loop(thinking("hm", sealed), use()))
    assert sent(request, an_upstream(model_group="claude"))["messages"][1]["content"][0] == thinking("hm", "ErU")
    for other in (an_upstream(model_group="claude", account="other"), an_upstream(model_group="fable")):
        assert kinds(sent(request, other)["messages"][1]) == ["tool_use"]


def test_xl_193_a_forged_envelope_is_dropped() -> None:
    sealed = SEALER.seal("ErU", family="anthropic", group="claude", account="acme")
    forged = sealed[:-1] + ("A" if sealed[-1] != "A" else "B")
    body = sent(own(loop(thinking("hm", forged), use())), an_upstream(model_group="claude"))
    assert kinds(body["messages"][1]) == ["tool_use"]


def test_xl_194_the_same_history_gives_the_same_bytes() -> None:
    history = [user("a"), assistant("b", call("x:1", arguments='{"b":1,"a":2}')), result("x:1"), user(" ")]
    bodies = {
        jsonio.encode(ANTHROPIC.render_request(chat(history, tools=[tool("n.1")]), an_upstream())) for _ in range(3)
    }
    assert len(bodies) == 1


def test_xl_195_unsigned_reasoning_of_a_chat_caller_is_not_sent() -> None:
    body = sent(chat([user("a"), assistant("b", reasoning_content="hm"), user("c")]))
    assert kinds(body["messages"][1]) == ["text"]


def test_xl_196_no_envelope_in_a_call_id() -> None:
    sealed = SEALER.seal("p", family="gemini")
    body = sent(own(loop(thinking("hm", sealed), use())))
    assert body["messages"][1]["content"][0]["id"] == "t1"


# --- 10.7 media


def image(url: str) -> Json:
    return {"type": "image_url", "image_url": {"url": url}}


def first_block(part: Json, side: UpstreamSide | None = None) -> Json:
    return sent(chat([{"role": "user", "content": [part]}]), side)["messages"][0]["content"][0]


def test_xl_197_a_data_url_becomes_a_base64_source() -> None:
    block = first_block(image(f"data:image/png;base64,{PNG}"))
    assert block == {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}


def test_xl_198_a_wrong_media_type_is_corrected_by_the_bytes() -> None:
    assert first_block(image(f"data:image/jpeg;base64,{PNG}"))["source"]["media_type"] == "image/png"


def test_xl_199_an_http_address_becomes_a_url_source() -> None:
    assert first_block(image("https://x.example/a.png"))["source"] == {"type": "url", "url": "https://x.example/a.png"}


def test_xl_201_bare_base64_of_a_pdf_becomes_a_document() -> None:
    block = first_block({"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}})
    assert block["type"] == "document"
    assert block["source"] == {"type": "base64", "media_type": "application/pdf", "data": PDF}
    assert block["title"] == "a.pdf"


def test_xl_205_audio_is_refused_by_name() -> None:
    audio = {"type": "input_audio", "input_audio": {"data": base64.b64encode(b"RIFF").decode(), "format": "wav"}}
    with pytest.raises(Unsupported) as caught:
        first_block(audio)
    assert caught.value.param == "messages.0.content.0"


def test_xl_207_an_svg_is_refused_by_name() -> None:
    svg = base64.b64encode(b"<svg/>").decode()
    with pytest.raises(Unsupported) as caught:
        first_block(image(f"data:image/svg+xml;base64,{svg}"))
    assert caught.value.param == "messages.0.content.0"
