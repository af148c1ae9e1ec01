"""A caller's body as IR: what every field means, and what is refused."""

from __future__ import annotations

import json

import pytest

from proxyapp.dialects.contract import ClientSide
from proxyapp.dialects.gemini import GEMINI
from proxyapp.dialects.gemini.tables import SENTINEL
from proxyapp.errors import BadRequest
from proxyapp.ir import parts as p
from proxyapp.ir.request import Format, ReasoningSettings, ToolChoice
from tests.dialects.gemini.conftest import SIGNATURE

PNG = "iVBORw0KGgoAAAANSUhEUg=="


def thinking(**config) -> dict:
    return {"generationConfig": {"thinkingConfig": config}}


@pytest.mark.parametrize(
    ("config", "want"),
    [
        ({}, None),
        ({"includeThoughts": False}, None),
        ({"includeThoughts": True}, ReasoningSettings(mode="adaptive", show=True)),
        ({"thinkingBudget": 0}, ReasoningSettings(mode="off", show=False)),
        ({"thinkingBudget": -1, "includeThoughts": True}, ReasoningSettings(mode="adaptive", show=True)),
        ({"thinkingBudget": "2048"}, ReasoningSettings(mode="budget", budget=2048, show=False)),
        ({"thinkingLevel": "HIGH"}, ReasoningSettings(mode="effort", effort="high", show=False)),
        (
            {"thinking_level": "low", "include_thoughts": True},
            ReasoningSettings(mode="effort", effort="low", show=True),
        ),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, None),
    ],
)
def test_how_much_to_think(config, want, parse):
    assert parse(**thinking(**config)).reasoning == want


@pytest.mark.parametrize(
    ("config", "want"),
    [
        ({"responseMimeType": "text/plain"}, None),
        ({"responseMimeType": "application/json"}, Format(kind="json_object")),
        ({"responseJsonSchema": {"type": "object"}},
         Format(kind="json_schema", schema={"type": "object"}, always_held=True)),
        ({"responseSchema": {"type": "OBJECT", "properties": {"nullable": {"type": 3, "nullable": True}}}},
         Format(kind="json_schema", always_held=True,
                schema={"type": "object", "properties": {"nullable": {"type": ["integer", "null"]}}})),
        ({"responseFormat": {"text": {"mimeType": "application/json", "schema": {"type": "object"}}}},
         Format(kind="json_schema", schema={"type": "object"}, always_held=True)),
    ],
)  # fmt: skip
def test_the_shape_of_the_answer(config, want, parse):
    assert parse(generationConfig=config).format == want


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (
            {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["a", "b"]}},
            "these and nothing else: a, b",
        ),
        (
            {"responseSchema": {"type": "ARRAY", "items": {"type": "STRING"}}},
            '{"type":"array","items":{"type":"string"}}',
        ),
    ],
)
def test_a_form_without_an_object_is_asked_for_in_words(config, words, parse, caller):
    request = parse(systemInstruction="Be brief.", generationConfig=config)
    assert request.format is None
    assert request.system[0].text == "Be brief."
    assert request.system[1].text.endswith(words)
    assert [note.dropped for note in caller.notes.items] == [False]


@pytest.mark.parametrize(
    ("config", "want"),
    [
        ({}, None),
        ({"mode": "AUTO"}, ToolChoice(mode="auto")),
        ({"mode": 2}, ToolChoice(mode="any")),
        ({"mode": "none"}, ToolChoice(mode="none")),
        ({"mode": "ANY", "allowedFunctionNames": ["f"]}, ToolChoice(mode="named", names=["f"])),
        ({"mode": "ANY", "allowedFunctionNames": ["f", "g"]},
         ToolChoice(mode="allowed", names=["f", "g"], required=True)),
        ({"mode": "VALIDATED", "allowedFunctionNames": ["f"]}, ToolChoice(mode="allowed", names=["f"])),
        ({"mode": "MODE_UNSPECIFIED"}, None),
    ],
)  # fmt: skip
def test_which_tool_to_call(config, want, parse):
    tools = [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}]
    request = parse(tools=tools, toolConfig={"functionCallingConfig": config})
    assert request.tool_choice == want
    assert {tool.strict for tool in request.tools} == {True if config.get("mode") == "VALIDATED" else None}


def test_googles_schema_is_read_as_json_schema(parse):
    told = {
        "type": "OBJECT",
        "properties": {
            "type": {"type": "STRING", "enum": ["a"], "nullable": True, "max_length": "9"},
            "list": {"type": 5, "items": {"type": 1}, "minItems": "1"},
            "either": {"anyOf": [{"type": "STRING"}, {"type": "NUMBER"}], "nullable": True},
        },
        "required": ["type"],
        "propertyOrdering": ["type", "list"],
    }
    (tool,) = parse(tools={"functionDeclarations": {"name": "f", "parameters": told}}).tools
    assert tool.schema == {
        "type": "object",
        "properties": {
            "type": {"type": ["string", "null"], "enum": ["a", None], "maxLength": 9},
            "list": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "either": {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}]},
        },
        "required": ["type"],
    }


def test_hosted_tools_stand_apart(parse):
    tools = [{"googleSearch": {}}, {"url_context": {}, "code_execution": {}}, {"newest": {"a": 1}}]
    kinds = [tool.kind for tool in parse(tools=tools).server_tools]
    assert kinds == ["web_search", "web_fetch", "code_execution", "newest"]


def test_every_kind_of_part(parse):
    (turn,) = parse(
        contents={
            "parts": [
                "plain",
                {"inlineData": {"mimeType": "image/png", "data": PNG.rstrip("=")}},
                {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}, "videoMetadata": {"fps": 1}},
                {"inlineData": {"mimeType": "text/csv", "data": "YSxi", "displayName": "t.csv"}},
                {"inlineData": {"mimeType": "application/pdf", "data": "JVBERg=="}},
                {"fileData": {"fileUri": "https://example.com/cat.png"}},
                {
                    "fileData": {
                        "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x",
                        "mimeType": "a/b",
                    }
                },
                {"unheard": 1},
                {"text": ""},
            ]
        }
    ).turns
    text, image, audio, table, pdf, linked, uploaded, opaque = turn.parts
    assert text == p.Text(text="plain")
    assert (image.source.kind, image.source.data, image.source.mime) == ("base64", PNG, "image/png")
    assert isinstance(audio, p.Audio)
    assert (table.source.kind, table.source.data, table.title) == ("text", "a,b", "t.csv")
    assert pdf.source.mime == "application/pdf"
    assert (type(linked), linked.source.kind) == (p.Image, "url")
    assert uploaded.source.kind == "file"
    assert opaque.raw == {"unheard": 1}


def test_a_note_is_made_of_what_only_google_knows(parse, caller):
    parse(
        contents=[{"parts": [{"text": "x", "mediaResolution": {"level": "HIGH"}}]}],
        toolConfig={"retrievalConfig": {"languageCode": "de"}},
    )
    assert [note.path for note in caller.notes.items] == [
        "contents.0.parts.0.mediaResolution",
        "toolConfig.retrievalConfig",
    ]


def test_fields_without_a_place_are_kept_by_their_names(parse):
    request = parse(
        safety_settings=[{"category": "x"}],
        generationConfig={"speechConfig": {}, "mediaResolution": "LOW"},
        labels={"a": 1},
    )
    assert set(request.extras) == {
        "safetySettings",
        "generationConfig.speechConfig",
        "generationConfig.mediaResolution",
    }
    assert request.metadata == {"a": "1"}


def test_pieces_of_a_stream_that_an_sdk_keeps_are_one_turn(parse):
    contents = [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": [{"text": "thinking ", "thought": True}]},
        {"role": "model", "parts": [{"text": "on", "thought": True}]},
        {"role": "model", "parts": [{"text": "Hel"}]},
        {"role": "model", "parts": [{"text": "lo"}]},
        {"role": "model", "parts": [{"text": "", "thoughtSignature": SIGNATURE}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
        {"role": "user", "parts": [{"text": "and"}]},
        {"role": "user", "parts": [{"text": "you"}]},
    ]
    _, model, one, two = parse(contents=contents).turns
    thought, text, proof, call = model.parts
    assert (thought.text, text.text, proof.signature, call.name) == ("thinking on", "Hello", SIGNATURE, "f")
    assert (one.path, two.path) == ("contents.7", "contents.8")


@pytest.mark.parametrize("stand_in", [SENTINEL, "skip_thought_signature_validator"])
def test_googles_stand_in_is_no_proof(stand_in, parse):
    call = {"functionCall": {"name": "f"}, "thoughtSignature": stand_in}
    turns = parse(contents=[{"parts": [{"text": "x"}]}, {"role": "model", "parts": [call]}]).turns
    assert [type(part) for part in turns[1].parts] == [p.ToolCall]


@pytest.mark.parametrize(
    ("response", "text", "failed"),
    [
        ({"output": "x"}, "x", False),
        ({"result": {"a": 1.0}}, '{"a":1}', False),
        ({"error": "no"}, "no", True),
        ({"output": "x", "more": 1}, '{"output":"x","more":1}', False),
        ({"é": 2.5}, '{"é":2.5}', False),
        ({}, "{}", False),
        (None, "", False),
    ],
)
def test_what_a_tool_answered(response, text, failed, parse):
    answer = {"functionResponse": {"name": "f", "response": response}}
    (result,) = parse(contents=[{"parts": [answer]}]).turns[0].parts
    assert "".join(part.text for part in result.parts) == text
    assert result.is_error is failed


@pytest.mark.parametrize(
    "config",
    [
        {"responseSchema": {"nullable": True, "anyOf": 7, "type": 99}, "topK": "x"},
        {"maxOutputTokens": -1}, {"maxOutputTokens": 1e300}, {"topK": "inf"}, {"temperature": "nan"}, {"seed": 0.5},
        {"seed": "9" * 30}, {"stopSequences": [1]}, {"candidateCount": True}, {"thinkingConfig": 7},
        {"thinkingConfig": {"thinkingLevel": "VERY"}}, {"responseSchema": []}, {"responseMimeType": "text/x.enum"},
    ],
)  # fmt: skip
def test_odd_settings_are_told(config, parse):
    with pytest.raises(BadRequest) as told:
        parse(generationConfig=config)
    assert told.value.param.startswith("generationConfig.")


CALL, ANSWER = {"functionCall": {"name": "f"}}, {"functionResponse": {"name": "f", "response": {}}}


@pytest.mark.parametrize(
    ("role", "part"),
    [
        ("user", CALL),
        ("model", ANSWER),
        ("user", {"functionResponse": {"name": "f", "parts": [ANSWER]}}),
        ("user", {"functionResponse": {"name": "f", "parts": [CALL]}}),
    ],
)
def test_calls_and_results_stand_where_they_belong(role, part, parse):
    with pytest.raises(BadRequest) as told:
        parse(contents=[{"role": role, "parts": [part]}])
    assert told.value.param.startswith("contents.0.parts.0.")


def test_a_schema_nested_beyond_reason_is_told(parse):
    schema: dict = {"type": "STRING"}
    for _ in range(200):
        schema = {"type": "ARRAY", "items": schema}
    with pytest.raises(BadRequest):
        parse(tools=[{"functionDeclarations": [{"name": "f", "parameters": schema}]}])


def test_without_an_address_the_body_may_name_the_model(sealer):
    body = {"model": "models/x", "contents": "hi"}
    assert GEMINI.parse_request(body, ClientSide(sealer=sealer)).model == "x"
    from proxyapp.dialects.contract import Body

    assert GEMINI.peek(Body(json.dumps(body).encode())).model == "x"
    with pytest.raises(BadRequest):
        GEMINI.peek(Body(b"{}"))
