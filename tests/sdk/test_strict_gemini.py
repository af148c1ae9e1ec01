"""The strict Gemini upstream is right: the official SDK works with it directly, and a bad request is refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from tests.fakes.gemini_contents import Proof
from tests.fakes.mind import CITIES, GREETING, PERSON, THOUGHT
from tests.fakes.strict_gemini import KEY, StrictGemini
from tests.fakes.upstream import Script, ScriptedUpstream, Seen
from tests.sdk.scenarios.things import FOUND, PNG_BASE64

MODELS = ("gemini-2.5-flash", "gemini-3-pro-preview")
THINKS = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(include_thoughts=True))


class Person(BaseModel):
    name: str
    age: int


def get_weather(city: str, unit: str) -> str:
    """The weather now."""
    return f"{city}: {CITIES[city]}"


@pytest.fixture
def strict() -> StrictGemini:
    return StrictGemini()


@pytest.fixture(params=["v1", "v1beta"])
def client(strict: StrictGemini, monkeypatch: pytest.MonkeyPatch, request: Any) -> Iterator[genai.Client]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ScriptedUpstream()
    server.default = strict
    yield genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=server.url, api_version=request.param))
    server.close()


def test_the_sdk_asks(client) -> None:
    answer = client.models.generate_content(model="gemini-2.5-flash", contents="hello")
    assert answer.text == "".join(GREETING)
    assert (answer.usage_metadata.prompt_token_count, answer.usage_metadata.candidates_token_count) == (12, 7)
    chunks = list(client.models.generate_content_stream(model="gemini-2.5-flash", contents="hello"))
    assert "".join(chunk.text or "" for chunk in chunks) == "".join(GREETING)
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert client.models.generate_content(model="gemini-2.5-flash", contents="long").candidates[0].finish_reason == (
        types.FinishReason.MAX_TOKENS
    )
    assert client.models.generate_content(model="gemini-2.5-flash", contents="blocked").prompt_feedback.block_reason


@pytest.mark.parametrize("model", MODELS)
def test_the_sdk_calls_functions_by_itself(client, strict: StrictGemini, model: str) -> None:
    chat = client.chats.create(model=model, config={**THINKS.model_dump(exclude_none=True), "tools": [get_weather]})
    assert chat.send_message("ponder").text == FOUND
    streamed = list(chat.send_message_stream("weather, in a stream"))
    assert "".join(chunk.text or "" for chunk in streamed).endswith(FOUND)
    assert not strict.refused


@pytest.mark.parametrize("model", MODELS)
def test_thinking_is_shown_and_signed(client, model: str) -> None:
    chunks = list(client.models.generate_content_stream(model=model, contents="ponder", config=offering(THINKS)))
    parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts]
    assert "".join(part.text for part in parts if part.thought) == "".join(THOUGHT)
    calls = [part for part in parts if part.function_call]
    assert [bool(part.thought_signature) for part in calls] == [model == "gemini-3-pro-preview", False]


def offering(config: types.GenerateContentConfig) -> types.GenerateContentConfig:
    declared = {"name": "get_weather", "parameters": WEATHER}
    return config.model_copy(update={"tools": [types.Tool(function_declarations=[declared])]})


def test_the_sdk_parses_counts_embeds_and_lists(client) -> None:
    shape = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Person)
    answer = client.models.generate_content(model="gemini-2.5-flash", contents="person", config=shape)
    assert answer.parsed == Person(**PERSON)
    assert client.models.count_tokens(model="gemini-2.5-flash", contents="hello").total_tokens > 0
    embedded = client.models.embed_content(model="gemini-embedding-001", contents=["abc", "Zoë"])
    assert [each.values[0] for each in embedded.embeddings] == [3.0, 3.0]
    assert "models/gemini-2.5-flash" in [model.name for model in client.models.list()]


def test_errors_are_google_s(client) -> None:
    with pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model="gemini-2.5-flash", contents="always:429:x")
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
    with pytest.raises(errors.ServerError):
        list(client.models.generate_content_stream(model="gemini-2.5-flash", contents="break"))


# --- what it refuses

WEATHER = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]}
HI = {"role": "user", "parts": [{"text": "hello"}]}
SIGNED = base64.b64encode(b"good").decode()
FORGED = base64.b64encode(b"forged").decode()
THEIRS = base64.b64encode(b"theirs").decode()
SENTINEL = base64.b64encode(b"skip_thought_signature_validator").decode()
CALL = {"functionCall": {"name": "get_weather", "args": {"city": "Paris"}}}
RESPONSE = {"functionResponse": {"name": "get_weather", "response": {"output": "21"}}}
ASKED = {"role": "model", "parts": [{**CALL, "thoughtSignature": SIGNED}]}
ANSWERED = {"role": "user", "parts": [RESPONSE]}
DECLARED = {"name": "get_weather", "description": "Now.", "parameters": WEATHER}


def send(*contents: dict[str, Any], model: str = "gemini-3-pro-preview", verb: str = "", **changes: Any) -> Script:
    body = {"contents": list(contents), "tools": [{"functionDeclarations": [DECLARED]}], **changes}
    strict = StrictGemini()
    strict.proofs[SIGNED] = Proof(KEY, CALL["functionCall"])
    strict.proofs[THEIRS] = Proof("another", CALL["functionCall"])
    path = f"/v1beta/models/{model}:{verb or 'generateContent'}"
    return strict(Seen("POST", path, {"x-goog-api-key": KEY}, json.dumps(body).encode()))


def model_turn(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "model", "parts": list(parts)}


def test_good_requests_are_answered() -> None:
    assert send(HI).status == 200
    assert send(HI, HI).status == 200
    assert send(HI, ASKED, ANSWERED).status == 200
    assert send(HI, model_turn({**CALL, "thoughtSignature": SENTINEL}), ANSWERED).status == 200
    assert send(HI, model_turn(CALL), ANSWERED, model_turn({"text": "So."}), HI).status == 200
    assert send(HI, model_turn(CALL), ANSWERED, model="gemini-2.5-flash").status == 200
    assert send(HI, tools=[]).status == 200
    snake = {"system_instruction": {"parts": [{"text": "x"}]}, "generation_config": {"max_output_tokens": 5}}
    assert send(HI, **snake).status == 200


@pytest.mark.parametrize(
    "contents",
    [
        [],
        [{"role": "assistant", "parts": [{"text": "hi"}]}],
        [{"role": "user", "parts": []}],
        [{"role": "user", "parts": [{}]}],
        [{"role": "user", "parts": [{"text": "a", "inlineData": {"mimeType": "image/png", "data": PNG_BASE64}}]}],
        [{"role": "user", "parts": [{"inlineData": {"mimeType": "image/svg+xml", "data": PNG_BASE64}}]}],
        [{"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": "%"}}]}],
        [HI, model_turn({"text": "hi"})],
        [HI, ASKED],
        [HI, ASKED, HI],
        [ASKED, ANSWERED],
        [HI, ANSWERED],
        [HI, ASKED, {"role": "user", "parts": [RESPONSE, RESPONSE]}],
        [HI, model_turn({**CALL, "thoughtSignature": SIGNED}, CALL), ANSWERED],
        [HI, ASKED, {"role": "user", "parts": [{"functionResponse": {"name": "x", "response": {}}}]}],
        [HI, ASKED, {"role": "user", "parts": [{"functionResponse": {"name": "get_weather", "response": "21"}}]}],
        [HI, model_turn(CALL), ANSWERED],
        [HI, model_turn({**CALL, "thoughtSignature": FORGED}), ANSWERED],
        [HI, model_turn({**CALL, "thoughtSignature": THEIRS}), ANSWERED],
        [HI, model_turn({**CALL, "thoughtSignature": "not base64"}), ANSWERED],
        [
            HI,
            model_turn({"functionCall": {"name": "get_weather", "args": {"city": "Rome"}}, "thoughtSignature": SIGNED}),
            ANSWERED,
        ],
        [HI, ASKED, ANSWERED, model_turn(CALL), ANSWERED],
    ],
)
def test_impossible_contents_are_refused(contents: list[dict[str, Any]]) -> None:
    assert send(*contents).status == 400


def declared(**schema: Any) -> dict[str, Any]:
    return {"tools": [{"functionDeclarations": [{"name": "x", "parameters": schema}]}]}


@pytest.mark.parametrize(
    "changes",
    [
        {"max_tokens": 5},
        {"generationConfig": {"max_tokens": 5}},
        {"generationConfig": {"maxOutputTokens": 0}},
        {"generationConfig": {"stopSequences": ["a", "b", "c", "d", "e", "f"]}},
        {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW", "thinkingBudget": 1024}}},
        {"generationConfig": {"thinkingConfig": {"thinkingLevel": "MINIMAL"}}},
        {"generationConfig": {"thinkingConfig": {"thinkingLevel": "XHIGH"}}},
        {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}, "model": "gemini-2.5-flash"},
        {"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}, "model": "gemini-2.5-pro"},
        {"generationConfig": {"responseSchema": WEATHER}},
        {"generationConfig": {"responseMimeType": "application/json"}, "model": "gemini-2.5-flash"},
        {"toolConfig": {"functionCallingConfig": {"mode": "AUTO", "allowedFunctionNames": ["get_weather"]}}},
        {"toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["nobody"]}}},
        {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}, "tools": []},
        declared(type="object", properties={}),
        declared(type="object", properties={"a": {"type": "string"}}, additionalProperties=False),
        declared(type="object", properties={"a": {"type": "array"}}),
        declared(type="object", properties={"a": {"type": "integer", "enum": [1, 2]}}),
        declared(type="object", properties={"a": {"type": "string", "format": "uri"}}),
        declared(type="object", properties={"a": {"type": ["string", "null"]}}),
        declared(type="object", properties={"a": {"type": "string", "const": "x"}}),
        declared(type="object", properties={"a": {"type": "string"}}, required=["b"]),
        declared(type="object", properties={"a": {"anyOf": [{"type": "string"}], "minimum": 1}}),
        {"tools": [{"functionDeclarations": [DECLARED, DECLARED]}]},
        {"tools": [{"functionDeclarations": [{"name": "1x"}]}]},
        {"tools": [{}]},
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, Any]) -> None:
    model = changes.pop("model", "gemini-3-pro-preview")
    assert send(HI, model=model, **changes).status == 400


def test_keys_models_and_paths_must_be_known() -> None:
    assert send(HI, model="gpt-4o").status == 404
    assert send(HI, verb="predict").status == 404
    path = "/v1beta/models/gemini-2.5-flash:generateContent"
    assert StrictGemini()(Seen("POST", path, {"x-goog-api-key": "x"}, b"{}")).status == 400
    assert StrictGemini()(Seen("POST", f"{path}?key={KEY}", {"x-goog-api-key": KEY}, b"{}")).status == 400
