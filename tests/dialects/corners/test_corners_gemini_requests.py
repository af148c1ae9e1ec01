"""Requests to and from Gemini: the corner cases of translation.md section 10 by number."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import ClientSide, Peek, UpstreamSide
from proxyapp.dialects.gemini.tables import SENTINEL
from proxyapp.dialects.registry import DIALECTS
from proxyapp.dialects.signatures import Sealer
from proxyapp.errors import BadRequest, Unsupported
from proxyapp.ir.profile import Profile
from proxyapp.upstreams.contract import Upstream
from proxyapp.upstreams.registry import KINDS
from tests.dialects.gemini.conftest import NEW, OLD, OLDEST, PRO

Json = dict[str, Any]
CHAT, MESSAGES, GEMINI = "openai-chat", "anthropic-messages", "gemini"
SEALER = Sealer(b"a key of thirty-two bytes, just so")
KIND = {CHAT: "openai", MESSAGES: "anthropic", GEMINI: "gemini"}
PNG = "iVBORw0KGgoAAAANSUhEUg=="


def crossed(body: Json, source: str, to: str, model: str, *, lenient: bool = False) -> tuple[Json, UpstreamSide]:
    """A caller's body as it goes to an upstream of another dialect, and the side with the Notes."""
    minimum = {} if source == GEMINI else {"model": "m"}
    if source == MESSAGES:
        minimum["max_tokens"] = 20_000
    client = ClientSide(sealer=SEALER, asked=Peek("m", stream=False) if source == GEMINI else None)
    request = DIALECTS[source].parse_request({**minimum, **body}, client)
    profile: Profile = KINDS[KIND[to]].profile(Upstream(name="u", kind=KIND[to]), model)
    side = UpstreamSide(profile=profile, sealer=SEALER, model=model, lenient=lenient, account="u/main")
    side.notes.items.extend(client.notes.items)
    return json.loads(jsonio.encode(DIALECTS[to].render_request(request, side))), side


def chat(*messages: Json, to: str = NEW, **more: Any) -> tuple[Json, UpstreamSide]:
    return crossed({"messages": list(messages) or [user("hi")], **more}, CHAT, GEMINI, to)


def messages(*turns: Json, to: str = NEW, **more: Any) -> tuple[Json, UpstreamSide]:
    return crossed({"messages": list(turns) or [user("hi")], **more}, MESSAGES, GEMINI, to)


def google(*contents: Json, to: str = "gpt-4o", **more: Any) -> tuple[Json, UpstreamSide]:
    given = list(contents) or [{"role": "user", "parts": [{"text": "hi"}]}]
    return crossed({"contents": given, **more}, GEMINI, MESSAGES if to.startswith("claude") else CHAT, to)


def user(text: Any) -> Json:
    return {"role": "user", "content": text}


def calls(*names: str, arguments: str = "{}", **more: Any) -> Json:
    told = [
        {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": arguments}} for name in names
    ]
    return {"role": "assistant", "content": None, "tool_calls": told, **more}


def result(name: str, text: str = "done") -> Json:
    return {"role": "tool", "tool_call_id": f"call_{name}", "content": text}


def function(name: str, schema: Json | None = None, **more: Any) -> Json:
    return {"type": "function", "function": {"name": name, **({"parameters": schema} if schema else {}), **more}}


def properties(to: str = OLDEST, **schemas: Json) -> Json:
    """The properties of a tool's schema as they go out."""
    body, _ = chat(tools=[function("f", {"type": "object", "properties": schemas})], to=to)
    declared = body["tools"][0]["functionDeclarations"][0]
    return (declared.get("parameters") or declared["parametersJsonSchema"])["properties"]


def responses(body: Json, index: int = -1) -> list[Json]:
    return [part["functionResponse"] for part in body["contents"][index]["parts"] if "functionResponse" in part]


# --- contents


def test_xl_011_parallel_results_stand_in_one_content():
    body, _ = chat(user("go"), calls("a", "b", "c"), result("a"), result("b"), result("c"))
    assert [content["role"] for content in body["contents"]] == ["user", "model", "user"]
    assert [each["name"] for each in responses(body)] == ["a", "b", "c"]


def test_xl_012_results_are_put_in_the_order_of_their_calls():
    body, _ = chat(user("go"), calls("a", "b"), result("b", "two"), result("a", "one"), user("and?"))
    assert [(each["id"], each["response"]) for each in responses(body)] == [
        ("call_a", {"output": "one"}),
        ("call_b", {"output": "two"}),
    ]
    assert body["contents"][-1]["parts"][-1] == {"text": "and?"}


def test_xl_020_a_trailing_assistant_message_is_stripped():
    body, side = chat(user("hi"), {"role": "assistant", "content": "I think"})
    assert body["contents"] == [{"role": "user", "parts": [{"text": "hi"}]}]
    assert side.notes.items[0].path == "messages.1"


def test_xl_022_two_user_messages_are_one_content():
    body, _ = chat(user("one"), user("two"))
    assert body["contents"] == [{"role": "user", "parts": [{"text": "one"}, {"text": "two"}]}]


def test_xl_037_snake_case_is_understood_everywhere():
    body, _ = google(
        {
            "parts": [
                {"text": "look"},
                {"inline_data": {"mime_type": "image/png", "data": PNG}},
            ]
        },
        {"role": "model", "parts": [{"function_call": {"name": "f", "args": {"snake_case": 1}}}]},
        {"parts": [{"function_response": {"name": "f", "response": {"output": "x"}}}]},
        system_instruction={"parts": {"text": "Be brief."}},
        tools=[
            {
                "function_declarations": [
                    {"name": "f", "parameters_json_schema": {"type": "object", "properties": {"snake_case": {}}}}
                ]
            }
        ],
        tool_config={"function_calling_config": {"mode": "ANY", "allowed_function_names": ["f"]}},
        generation_config={
            "max_output_tokens": "7",
            "top_p": 0.5,
            "stop_sequences": ["x"],
            "response_mime_type": "application/json",
            "response_schema": {"type": "OBJECT", "properties": {"a_b": {"type": "STRING", "max_length": "5"}}},
        },
    )
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert body["messages"][1]["content"][1]["image_url"]["url"] == f"data:image/png;base64,{PNG}"
    assert body["messages"][2]["tool_calls"][0]["function"]["arguments"] == '{"snake_case":1}'
    assert body["messages"][3]["content"] == "x"
    assert "snake_case" in body["tools"][0]["function"]["parameters"]["properties"]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert (body["max_completion_tokens"], body["top_p"], body["stop"]) == (7, 0.5, ["x"])
    wanted = body["response_format"]["json_schema"]["schema"]["properties"]
    assert wanted == {"a_b": {"type": "string", "maxLength": 5}}


def test_xl_038_a_content_without_a_role_is_the_users():
    body, _ = google({"parts": [{"text": "hi"}]})
    assert body["messages"] == [{"role": "user", "content": "hi"}]


def test_xl_039_results_without_ids_find_their_calls_by_name_and_order():
    def call(city: str) -> Json:
        return {"functionCall": {"name": "weather", "args": {"city": city}}}

    def answer(words: str) -> Json:
        return {"functionResponse": {"name": "weather", "response": {"output": words}}}

    body, _ = google(
        {"parts": [{"text": "go"}]},
        {"role": "model", "parts": [call("Paris"), {"functionCall": {"name": "time"}}, call("Rome")]},
        {"parts": [answer("P"), answer("R"), {"functionResponse": {"name": "time", "response": {"output": "T"}}}]},
    )
    _, assistant, *tools = body["messages"]
    asked = {call["id"]: json.loads(call["function"]["arguments"]) for call in assistant["tool_calls"]}
    given = {tool["tool_call_id"]: tool["content"] for tool in tools}
    by_city = {asked[call_id].get("city"): words for call_id, words in given.items()}
    assert by_city == {"Paris": "P", "Rome": "R", None: "T"}


# --- tools


def test_xl_043_a_name_that_begins_with_a_digit_gets_a_letter_before_it():
    body, side = chat(user("go"), calls("1tool"), result("1tool"), tools=[function("1tool"), function("_1tool")])
    one, two = (each["name"] for each in body["tools"][0]["functionDeclarations"])
    assert two == "_1tool"
    assert one[0] == "_"
    assert one != two
    assert body["contents"][1]["parts"][0]["functionCall"]["name"] == one
    assert responses(body)[0]["name"] == one
    answer = {"candidates": [{"content": {"parts": [{"functionCall": {"name": one}}]}, "finishReason": "STOP"}]}
    assert DIALECTS[GEMINI].parse_response(answer, side).parts[0].name == "1tool"


def test_xl_044_a_name_that_only_google_takes_is_fitted_and_restored():
    body, side = google(tools=[{"functionDeclarations": [{"name": "mcp:x.y"}]}])
    wire = body["tools"][0]["function"]["name"]
    assert set(wire) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
    assert side.wire_names[wire] == "mcp:x.y"


def test_xl_049_no_arguments_are_an_empty_object():
    body, _ = chat(user("go"), calls("f", arguments=""), result("f"))
    assert body["contents"][1]["parts"][0]["functionCall"]["args"] == {}


@pytest.mark.parametrize(("text", "args"), [('{"a": [1,', {"a": [1]}), ("oops", {"_raw": "oops"}), ("7", {"value": 7})])
def test_xl_050_arguments_that_are_no_object_are_repaired_or_wrapped(text, args):
    body, side = chat(user("go"), calls("f", arguments=text), result("f"))
    assert body["contents"][1]["parts"][0]["functionCall"]["args"] == args
    assert len(responses(body)) == 1
    assert bool(side.notes.items) == (text != "7") or any("stand-in" in note.sentence for note in side.notes.items)


def test_xl_055_keywords_that_google_refuses_are_taken_out():
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"n": {"type": "integer", "exclusiveMinimum": 0}, "x": {"type": "number", "exclusiveMaximum": 2}},
        "additionalProperties": False,
    }
    for model, field in ((OLDEST, "parameters"), (NEW, "parametersJsonSchema")):
        body, _ = chat(tools=[function("f", schema)], to=model)
        sent = body["tools"][0]["functionDeclarations"][0][field]
        assert "$schema" not in sent
        assert ("additionalProperties" in sent) is (model == NEW)
        assert sent["properties"]["n"]["minimum"] == 1
        assert sent["properties"]["x"]["maximum"] == 2
        assert not {"exclusiveMinimum", "exclusiveMaximum"} & (
            sent["properties"]["n"].keys() | sent["properties"]["x"].keys()
        )


@pytest.mark.parametrize("model", [OLDEST, NEW])
def test_xl_056_names_of_properties_are_never_keywords(model):
    names = ("title", "default", "format", "$schema", "type", "examples", "const", "additionalProperties")
    sent = properties(to=model, **{name: {"type": "string"} for name in names})
    assert tuple(sent) == names
    assert {schema["type"].lower() for schema in sent.values()} == {"string"}


def test_xl_057_a_schema_that_holds_itself_is_cut_off():
    node = {"type": "object", "properties": {"child": {"$ref": "#/$defs/node"}, "name": {"type": "string"}}}
    schema = {"type": "object", "properties": {"tree": {"$ref": "#/$defs/node"}}, "$defs": {"node": node}}
    body, side = chat(tools=[function("f", schema)], to=OLDEST)
    tree = body["tools"][0]["functionDeclarations"][0]["parameters"]["properties"]["tree"]
    assert tree["properties"]["child"] == {"type": "OBJECT", "description": "recursive: node"}
    assert [note.path for note in side.notes.items] == ["tools.0.parameters"]


def test_xl_058_an_enumeration_of_numbers_is_told_in_words():
    assert properties(n={"type": "integer", "enum": [1, 2]})["n"] == {
        "type": "INTEGER",
        "description": "(one of: 1, 2)",
    }
    assert properties(n={"enum": [1, "a"]})["n"]["enum"] == ["1", "a"]


def test_xl_059_empty_members_of_an_enumeration_are_taken_out():
    sent = properties(s={"type": "string", "enum": ["a", "", None]})["s"]
    assert (sent["enum"], sent["nullable"]) == (["a"], True)


def test_xl_060_a_type_or_null_is_nullable():
    assert properties(s={"type": ["string", "null"]})["s"] == {"type": "STRING", "nullable": True}
    assert properties(s={"anyOf": [{"type": "integer"}, {"type": "null"}], "description": "d"})["s"] == {
        "type": "INTEGER",
        "description": "d",
        "nullable": True,
    }
    union = properties(s={"type": ["string", "integer"], "description": "d"})["s"]
    assert union == {"anyOf": [{"type": "STRING", "description": "d"}, {"type": "INTEGER", "description": "d"}]}


def test_xl_068_a_subset_without_force_is_validated():
    subset = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [function("a")]}}
    body, _ = chat(tools=[function("a"), function("b")], tool_choice=subset)
    config = body["toolConfig"]["functionCallingConfig"]
    assert config == {"mode": "VALIDATED", "allowedFunctionNames": ["a"]}
    subset["allowed_tools"]["mode"] = "required"
    body, _ = chat(tools=[function("a"), function("b")], tool_choice=subset)
    assert body["toolConfig"]["functionCallingConfig"] == {"mode": "ANY", "allowedFunctionNames": ["a"]}


def picture_in_result() -> tuple[Json, ...]:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    content = [{"type": "text", "text": "seen"}, image]
    return (
        user("look"),
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "cam", "input": {}}]},
        user([{"type": "tool_result", "tool_use_id": "t1", "content": content}]),
    )


def test_xl_075_a_picture_stands_inside_a_result_on_new_models():
    body, _ = messages(*picture_in_result())
    (answer,) = responses(body)
    assert answer["response"] == {"output": "seen"}
    assert answer["parts"] == [{"inlineData": {"mimeType": "image/png", "data": PNG}}]
    assert len(body["contents"][-1]["parts"]) == 1


def test_xl_076_a_picture_stands_beside_a_result_on_older_models():
    body, _ = messages(*picture_in_result(), to=OLD)
    first, label, picture = body["contents"][-1]["parts"]
    assert "parts" not in first["functionResponse"]
    assert "t1" in label["text"]
    assert picture == {"inlineData": {"mimeType": "image/png", "data": PNG}}


def test_xl_078_a_failed_result_is_an_error():
    failed = {"type": "tool_result", "tool_use_id": "t1", "content": "no", "is_error": True}
    body, _ = messages(*picture_in_result()[:2], user([failed]))
    assert responses(body)[0]["response"] == {"error": "no"}


# --- settings


def test_xl_089_of_six_stop_strings_five_go_out():
    body, side = chat(stop=list("abcdef"))
    assert body["generationConfig"]["stopSequences"] == list("abcde")
    assert [note.path for note in side.notes.items] == ["stop"]


def test_xl_098_a_schema_for_the_answer():
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    body, _ = chat(response_format=wanted)
    config = body["generationConfig"]
    assert (config["responseMimeType"], config["responseJsonSchema"]) == ("application/json", schema)
    body, _ = chat(response_format=wanted, to=OLDEST)
    assert body["generationConfig"]["responseSchema"]["properties"] == {"a": {"type": "STRING"}}


def test_xl_111_a_budget_becomes_a_level_alone():
    body, _ = messages(thinking={"type": "enabled", "budget_tokens": 8192})
    assert body["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "MEDIUM", "includeThoughts": True}


def test_xl_112_a_model_that_always_thinks_gets_its_least_budget():
    body, side = messages(thinking={"type": "disabled"}, to=PRO)
    assert body["generationConfig"]["thinkingConfig"] == {"thinkingBudget": 128}
    assert [note.path for note in side.notes.items] == ["thinking"]


def test_xl_113_a_budget_that_the_model_decides_is_adaptive():
    config = {"generationConfig": {"thinkingConfig": {"thinkingBudget": -1, "includeThoughts": True}}}
    body, _ = google(to="claude-opus-4-7", **config)
    assert body["thinking"] == {"type": "adaptive", "display": "summarized"}


# --- reasoning over several turns


def envelope(signature: str, **origin: str) -> str:
    return SEALER.seal(signature, family="gemini", **{"group": "gemini-3", "account": "u/main", **origin})


def tool_turn(*blocks: Json) -> tuple[Json, ...]:
    use = [{"type": "tool_use", "id": f"t{i}", "name": "f", "input": {}} for i in (1, 2)]
    answers = [{"type": "tool_result", "tool_use_id": f"t{i}", "content": "ok"} for i in (1, 2)]
    return user("go"), {"role": "assistant", "content": [*blocks, *use]}, user(answers)


def test_xl_181_a_proof_that_travelled_sealed_returns_to_its_call():
    thinking = {"type": "thinking", "thinking": "hm", "signature": envelope("c2lnbmVk")}
    body, _ = messages(*tool_turn(thinking))
    thought, first, second = body["contents"][1]["parts"]
    assert thought == {"text": "hm", "thought": True}
    assert first["thoughtSignature"] == "c2lnbmVk"
    assert "thoughtSignature" not in second


@pytest.mark.parametrize("origin", [{"account": "other"}, {"group": "gemini-2.5"}])
def test_xl_183_without_its_proof_the_first_call_gets_googles_stand_in(origin):
    thinking = {"type": "thinking", "thinking": "hm", "signature": envelope("c2lnbmVk", **origin)}
    for blocks in ((), (thinking,)):
        body, side = messages(*tool_turn(*blocks))
        first, second = body["contents"][1]["parts"]
        assert first["thoughtSignature"] == SENTINEL
        assert "thoughtSignature" not in second
        assert any("stand-in" in note.sentence for note in side.notes.items)


def test_xl_183_older_turns_and_older_models_need_no_stand_in():
    body, _ = messages(*tool_turn(), {"role": "assistant", "content": "done"}, user("next"), to=NEW)
    assert SENTINEL not in json.dumps(body)
    body, _ = messages(*tool_turn(), to=OLD)
    assert SENTINEL not in json.dumps(body)


def test_xl_184_of_parallel_calls_the_first_alone_is_signed():
    details = [
        {"type": "reasoning.text", "index": 0, "text": "", "signature": envelope("c2lnbmVk"), "format": "gemini"}
    ]
    turn = calls("a", "b", content="Let me look.", reasoning_details=details)
    body, _ = chat(user("go"), turn, result("a"), result("b"))
    text, first, second = body["contents"][1]["parts"]
    assert text == {"text": "Let me look."}
    assert first["thoughtSignature"] == "c2lnbmVk"
    assert "thoughtSignature" not in second


def test_xl_193_an_envelope_of_a_wrong_key_is_dropped():
    forged = Sealer(b"another key of thirty-two bytes!!").seal("x", family="gemini", group="gemini-3", account="u/main")
    body, _ = messages(*tool_turn({"type": "thinking", "thinking": "hm", "signature": forged}))
    assert body["contents"][1]["parts"][0]["thoughtSignature"] == SENTINEL


def test_xl_194_the_same_history_gives_the_same_bytes():
    thinking = {"type": "thinking", "thinking": "hm", "signature": envelope("c2lnbmVk")}
    once, _ = messages(*tool_turn(thinking))
    again, _ = messages(*tool_turn(thinking))
    assert json.dumps(once) == json.dumps(again)
    longer, _ = messages(*tool_turn(thinking), {"role": "assistant", "content": "done"}, user("next"))
    assert json.dumps(longer["contents"]).startswith(json.dumps(once["contents"])[:-1])
    contents = [{"parts": [{"text": "go"}]}, {"role": "model", "parts": [{"functionCall": {"name": "f"}}]}]
    assert google(*contents)[0] == google(*contents)[0]


def test_xl_196_no_proof_stands_in_a_call_id():
    thinking = {"type": "thinking", "thinking": "hm", "signature": envelope("c2lnbmVk")}
    body, _ = messages(*tool_turn(thinking))
    ids = [part["functionCall"]["id"] for part in body["contents"][1]["parts"] if "functionCall" in part]
    assert ids == ["t1", "t2"]


# --- media


def test_xl_200_an_address_needs_its_bytes():
    content = [{"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}]
    with pytest.raises(Unsupported) as refused:
        chat(user(content))
    assert refused.value.param == "messages.0.content.0"
    video = [{"type": "image_url", "image_url": {"url": "https://www.youtube.com/watch?v=x"}}]
    body, _ = chat(user(video))
    assert body["contents"][0]["parts"] == [{"fileData": {"fileUri": "https://www.youtube.com/watch?v=x"}}]


def test_xl_206_audio_is_inline_data():
    data = base64.b64encode(b"RIFF....WAVE").decode()
    body, _ = chat(user([{"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}]))
    assert body["contents"][0]["parts"] == [{"inlineData": {"mimeType": "audio/wav", "data": data}}]


def test_several_answers_are_refused():
    with pytest.raises(Unsupported) as refused:
        chat(n=2)
    assert refused.value.param == "n"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"contents": []}, "contents"),
        ({"contents": [{"role": "narrator", "parts": [{"text": "x"}]}]}, "contents.0.role"),
        ({"contents": [{"parts": [{"text": 7}]}]}, "contents.0.parts.0.text"),
        ({"contents": [{"role": "model", "parts": [{"functionCall": {"args": {}}}]}]},
         "contents.0.parts.0.functionCall.name"),
        ({"contents": [{"parts": [{"inlineData": {"data": "é"}}]}]}, "contents.0.parts.0.inlineData.data"),
        ({"contents": "hi", "generationConfig": {"temperature": "hot"}}, "generationConfig.temperature"),
        ({"contents": "hi", "generationConfig": {"seed": 1.5}}, "generationConfig.seed"),
        ({"contents": "hi", "tools": [{"functionDeclarations": [{}]}]}, "tools.0.functionDeclarations.0.name"),
        ({"contents": "hi", "toolConfig": {"functionCallingConfig": {"mode": "MAYBE"}}},
         "toolConfig.functionCallingConfig.mode"),
        ({"contents": "hi", "cachedContent": "cachedContents/x"}, "cachedContent"),
        ({"contents": "hi", "generationConfig": {"responseModalities": ["IMAGE"]}},
         "generationConfig.responseModalities"),
    ],
)  # fmt: skip
def test_a_malformed_body_is_told_with_its_place(body, path):
    with pytest.raises(BadRequest) as refused:
        crossed(body, GEMINI, CHAT, "gpt-4o")
    assert refused.value.param == path
