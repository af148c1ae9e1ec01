"""IR as an upstream's body: turns, settings, tools and schemas that Google takes."""

from __future__ import annotations

import json

import pytest

from proxyapp.dialects import cleaning
from proxyapp.errors import BadRequest, Unsupported
from tests.corpus.schemas import validator
from tests.dialects.gemini.conftest import NEW, OLD, OLDEST, PRO

LITE, GEMINI_PRO = "gemini-2.5-flash-lite", "gemini-3-pro"


def user(text="hi") -> dict:
    return {"role": "user", "content": text}


def thinks(asked, model, **body):
    sent, side = asked(
        {"messages": [user()], **body}, model, dialect="anthropic-messages" if "thinking" in body else "openai-chat"
    )
    return sent.get("generationConfig", {}).get("thinkingConfig"), bool(side.notes.items)


SHOWN = {"includeThoughts": True}


@pytest.mark.parametrize(
    ("effort", "flash3", "pro3", "flash25", "pro25"),
    [
        ("none", ("MINIMAL", True), ("LOW", True), (0, False), (128, True)),
        ("minimal", ("MINIMAL", False), ("LOW", False), (512, False), (512, False)),
        ("low", ("LOW", False), ("LOW", False), (1024, False), (1024, False)),
        ("medium", ("MEDIUM", False), ("MEDIUM", False), (8192, False), (8192, False)),
        ("high", ("HIGH", False), ("HIGH", False), (24576, False), (24576, False)),
        ("xhigh", ("HIGH", True), ("HIGH", True), (24576, False), (32768, False)),
    ],
)
def test_effort_in_each_models_form(effort, flash3, pro3, flash25, pro25, asked):
    for model, (value, noted) in ((NEW, flash3), (GEMINI_PRO, pro3), (OLD, flash25), (PRO, pro25)):
        name = "thinkingLevel" if isinstance(value, str) else "thinkingBudget"
        shown = {} if effort == "none" else SHOWN
        assert thinks(asked, model, reasoning_effort=effort) == ({name: value, **shown}, noted), model


@pytest.mark.parametrize(
    ("thinking", "model", "config", "noted"),
    [
        ({"type": "adaptive"}, NEW, SHOWN, False),
        ({"type": "adaptive"}, OLD, {"thinkingBudget": -1, **SHOWN}, False),
        ({"type": "adaptive", "display": "omitted"}, OLD, {"thinkingBudget": -1}, False),
        ({"type": "enabled", "budget_tokens": 2000}, LITE, {"thinkingBudget": 2000, **SHOWN}, False),
        ({"type": "enabled", "budget_tokens": 30000}, OLD, {"thinkingBudget": 24576, **SHOWN}, True),
        ({"type": "enabled", "budget_tokens": 30000}, NEW, {"thinkingLevel": "HIGH", **SHOWN}, True),
        ({"type": "disabled"}, OLD, {"thinkingBudget": 0}, False),
        ({"type": "between_tools"}, NEW, SHOWN, True),
        ({"type": "adaptive"}, OLDEST, None, True),
        ({"type": "disabled"}, OLDEST, None, False),
    ],
)
def test_thinking_in_each_models_form(thinking, model, config, noted, asked):
    assert thinks(asked, model, thinking=thinking, max_tokens=8000) == (config, noted)


def test_settings_have_their_places(asked):
    sent, side = asked(
        {
            "messages": [{"role": "developer", "content": "Be brief."}, user()],
            "max_tokens": 900_000, "temperature": 2.5, "top_p": 0.5, "top_k": 7, "seed": 2**40 + 3, "stop": ["a", ""],
            "frequency_penalty": 0.1, "presence_penalty": 0.2, "logprobs": True, "top_logprobs": 2,
            "service_tier": "flex", "user": "u", "logit_bias": {"1": 3}, "verbosity": "low", "metadata": {"a": "b"},
        }
    )  # fmt: skip
    assert sent["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert sent["generationConfig"] == {
        "maxOutputTokens": 65536, "stopSequences": ["a"], "temperature": 2.0, "topP": 0.5, "topK": 7,
        "frequencyPenalty": 0.1, "presencePenalty": 0.2, "seed": 3, "responseLogprobs": True, "logprobs": 2,
    }  # fmt: skip
    assert sent["serviceTier"] == "flex"
    assert {note.path for note in side.notes.items} == {"max_tokens", "temperature", "seed", "logit_bias", "verbosity"}
    assert list(validator("gemini", "GenerateContentRequest").iter_errors(sent)) == []


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"logit_bias": {"1": -100}}, "logit_bias"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"service_tier": "platinum"}, "service_tier"),
        ({"tools": [{"type": "file_search"}]}, "tools.0"),
        ({"tools": [{"type": "web_search", "filters": {"allowed_domains": ["a"]}}]}, "tools.0.allowed_domains"),
        ({"messages": [user([{"type": "file", "file": {"file_id": "file-1"}}])]}, "messages.0.content.0"),
    ],
)
def test_what_cannot_be_said_is_refused(body, param, asked):
    with pytest.raises(Unsupported) as refused:
        asked({"messages": [user()], **body})
    assert refused.value.param == param


def test_a_schema_beside_tools_is_refused_of_older_models(asked):
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    body = {
        "messages": [user()],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "response_format": wanted,
    }
    assert "responseJsonSchema" in asked(body, NEW)[0]["generationConfig"]
    with pytest.raises(Unsupported):
        asked(body, OLD)
    sent, side = asked(body, OLD, lenient=True)
    assert "JSON" in sent["systemInstruction"]["parts"][0]["text"]
    assert [note.path for note in side.notes.items] == ["response_format"]


def test_hosted_tools_of_others_have_counterparts(asked):
    tools = [
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
        {"type": "web_fetch_20250910", "name": "web_fetch"},
        {"type": "code_execution_20250825", "name": "code_execution"},
    ]
    sent, side = asked({"messages": [user()], "tools": tools}, dialect="anthropic-messages")
    assert sent["tools"] == [{"googleSearch": {}}, {"urlContext": {}}, {"codeExecution": {}}]
    assert [note.path for note in side.notes.items] == ["tools.0.max_uses", "tools.2"]
    assert "toolConfig" not in sent


def test_turns_are_put_in_googles_order(asked):
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    sent, side = asked(
        {
            "messages": [
                {"role": "assistant", "content": "I begin."},
                {"role": "user", "name": "ada", "content": "go"},
                {"role": "assistant", "content": "Looking.", "tool_calls": [call]},
                {"role": "system", "content": "Hurry."},
                {"role": "user", "content": "well?"},
                {"role": "tool", "tool_call_id": "lost", "content": "what"},
                {"role": "assistant", "content": "ok"},
                user("end"),
            ]
        },
        OLD,
    )
    roles = [content["role"] for content in sent["contents"]]
    assert roles == ["user", "model", "user", "model", "user", "model", "user"]
    assert sent["contents"][2]["parts"] == [{"text": "ada: go"}]
    missing, system, said, label, orphan = sent["contents"][4]["parts"]
    assert missing["functionResponse"]["response"] == {"error": "No result was recorded for this call."}
    assert "Hurry." in system["text"]
    assert said == {"text": "well?"}
    assert "lost" in label["text"]
    assert orphan == {"text": "what"}
    assert len(side.notes.items) == 5


@pytest.mark.parametrize(
    ("text", "response"),
    [
        ('{"a": 1}', {"a": 1}),
        ('{"id": 9007199254740993}', {"output": '{"id": 9007199254740993}'}),
        ("[1]", {"output": "[1]"}),
        ("{}", {"output": "{}"}),
        ("{oops", {"output": "{oops"}),
        ("", {"output": ""}),
    ],
)
def test_a_result_is_an_object_where_it_can_be_one(text, response, asked):
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    turns = [
        user(),
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": text},
    ]
    sent, _ = asked({"messages": turns})
    assert sent["contents"][-1]["parts"][0]["functionResponse"]["response"] == response


def test_documents_and_search_results_are_shown(asked):
    content = [
        {
            "type": "document",
            "title": "Notes",
            "context": "old",
            "source": {"type": "text", "media_type": "text/plain", "data": "ä"},
        },
        {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "found"}]},
    ]
    sent, _ = asked({"messages": [user(content)]}, dialect="anthropic-messages")
    about, document, found = sent["contents"][0]["parts"]
    assert about == {"text": "Notes\nold"}
    assert document == {"inlineData": {"mimeType": "text/plain", "data": "w6Q="}}
    assert found == {"text": "t\ns\nfound"}


def test_a_request_of_nothing_still_has_a_content(asked):
    sent, _ = asked({"messages": [{"role": "system", "content": "x"}]})
    assert [content["role"] for content in sent["contents"]] == ["user"]


# --- schemas


def message(schema_: dict) -> dict:
    return cleaning.parameters({"type": "object", "properties": {"p": schema_}})[0]["properties"]["p"]


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ({}, {"type": "STRING"}),
        (True, {"type": "STRING"}),
        ({"type": "array"}, {"type": "ARRAY", "items": {"type": "OBJECT"}}),
        ({"type": "array", "prefixItems": [{"type": "string"}, {"type": "string"}]},
         {"type": "ARRAY", "items": {"type": "STRING"}}),
        ({"type": "object"}, {"type": "OBJECT"}),
        ({"const": "x"}, {"type": "STRING", "enum": ["x"], "format": "enum"}),
        ({"type": "string", "format": "date-time"}, {"type": "STRING", "format": "date-time"}),
        ({"type": "string", "format": "uuid"}, {"type": "STRING", "description": "(format: uuid)"}),
        ({"type": "string", "pattern": "^a", "minLength": 1}, {"type": "STRING", "pattern": "^a", "minLength": 1}),
        ({"type": "number", "multipleOf": 2, "description": "even"},
         {"type": "NUMBER", "description": "even (multipleOf: 2)"}),
        ({"oneOf": [{"type": "string"}, {"const": 1}]},
         {"anyOf": [{"type": "STRING"}, {"type": "STRING", "enum": ["1"], "format": "enum"}]}),
        ({"allOf": [{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
                    {"properties": {"b": {"type": "string"}}, "required": ["b", "lost"]}]},
         {"type": "OBJECT", "properties": {"a": {"type": "STRING"}, "b": {"type": "STRING"}}, "required": ["a", "b"]}),
        ({"type": "object", "additionalProperties": {"type": "string"}},
         {"type": "OBJECT", "description": '(other properties: {"type":"string"})'}),
        ({"type": ["null"]}, {"type": "STRING", "nullable": True}),
        ({"type": "object", "properties": {"a": {}}, "required": [{}]},
         {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}),
    ],
)  # fmt: skip
def test_a_schema_in_googles_own_words(given, want):
    assert message(given) == want


def test_the_callers_schema_is_not_changed():
    given = {"type": "object", "properties": {"a": {"exclusiveMinimum": 0, "type": ["integer", "null"], "const": 1}}}
    before = json.dumps(given)
    cleaning.parameters(given)
    cleaning.json_parameters(given)
    assert json.dumps(given) == before


def test_json_schema_keeps_its_references_and_loses_what_google_does_not_know():
    given = {
        "$schema": "x",
        "type": "object",
        "definitions": {"a": {"type": "string", "pattern": "^a"}},
        "properties": {"x": {"$ref": "#/definitions/a", "description": "lost"}, "y": {"const": 1}},
        "additionalProperties": False,
    }
    assert cleaning.json_parameters(given)[0] == {
        "$defs": {"a": {"type": "string", "description": '(pattern: "^a")'}},
        "type": "object",
        "properties": {"x": {"$ref": "#/$defs/a"}, "y": {"enum": [1]}},
        "additionalProperties": False,
    }


@pytest.mark.parametrize("clean", [cleaning.parameters, cleaning.json_parameters])
def test_no_parameters_are_none(clean):
    for nothing in (None, {}, {"type": "object"}, {"type": "object", "properties": {}, "additionalProperties": False}):
        assert clean(nothing) == (None, False)


def test_schemas_beyond_reason_are_refused():
    deep: dict = {"type": "string"}
    for _ in range(5000):
        deep = {"type": "array", "items": deep}
    bomb: dict = {"$defs": {"d0": {"type": "string"}}, "type": "object", "properties": {"x": {"$ref": "#/$defs/d30"}}}
    for level in range(30):
        both = {name: {"$ref": f"#/$defs/d{level}"} for name in "ab"}
        bomb["$defs"][f"d{level + 1}"] = {"type": "object", "properties": both}
    loop = {"$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"}
    for wrong in ({"type": "object", "properties": {"x": deep}}, bomb, loop):
        with pytest.raises(BadRequest):
            cleaning.parameters(wrong)
