"""The strict Responses upstream is right: the official SDK works with it directly, and a bad request is refused."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.fakes.mind import CONCLUSION, GREETING, PATCH, PERSON, THOUGHT
from tests.fakes.responses_items import Proof
from tests.fakes.strict_responses import KEY, StrictResponses
from tests.fakes.upstream import Script, ScriptedUpstream, Seen
from tests.sdk.scenarios.things import FOUND, WEATHER, run_tool

TOOL = {"type": "function", "name": "get_weather", "parameters": WEATHER, "strict": True}
CUSTOM = {"type": "custom", "name": "apply_patch", "description": "Patches."}
ENCRYPTED = ["reasoning.encrypted_content"]
STATELESS: dict[str, Any] = {"store": False, "include": ENCRYPTED, "reasoning": {"effort": "low", "summary": "auto"}}


@pytest.fixture
def strict() -> StrictResponses:
    return StrictResponses()


@pytest.fixture
def client(strict: StrictResponses, monkeypatch: pytest.MonkeyPatch) -> Iterator[openai.OpenAI]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ScriptedUpstream()
    server.default = strict
    yield openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0)
    server.close()


def ask(client: openai.OpenAI, stream: bool, **settings: Any) -> Any:
    if not stream:
        return client.responses.create(**settings)
    *_, last = client.responses.create(**settings, stream=True)
    if last.type == "response.completed":
        with client.responses.stream(**settings) as events:  # the helper knows no other end
            return events.get_final_response()
    return last.response


def outputs(response: Any) -> list[dict[str, Any]]:
    calls = [item for item in response.output if item.type == "function_call"]
    told = [run_tool(call.name, json.loads(call.arguments)) for call in calls]
    return [
        {"type": "function_call_output", "call_id": call.call_id, "output": text}
        for call, text in zip(calls, told, strict=True)
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_the_sdk_asks(client, stream: bool) -> None:
    response = ask(client, stream, model="gpt-4.1", input="hello")
    assert (response.output_text, response.status) == ("".join(GREETING), "completed")
    assert (response.usage.input_tokens, response.usage.output_tokens) == (12, 7)
    assert ask(client, stream, model="gpt-4.1", input="long").incomplete_details.reason == "max_output_tokens"
    assert ask(client, stream, model="gpt-4.1", input="refuse").output[0].content[0].refusal == "I will not."


@pytest.mark.parametrize("stream", [False, True])
def test_the_sdk_goes_on_with_its_own_copy(client, strict: StrictResponses, stream: bool) -> None:
    said: list[Any] = [{"role": "user", "content": "ponder"}]
    response = ask(client, stream, model="gpt-5.2", input=said, tools=[TOOL], **STATELESS)
    assert [item.type for item in response.output] == ["reasoning", "message", "function_call", "function_call"]
    assert response.output[0].summary[0].text == "".join(THOUGHT)
    said += [*response.output, *outputs(response)]
    response = ask(client, stream, model="gpt-5.2", input=said, tools=[TOOL], **STATELESS)
    assert (response.output[0].summary[0].text, response.output_text) == ("".join(CONCLUSION), FOUND)
    assert not strict.forgotten


@pytest.mark.parametrize("stream", [False, True])
def test_the_sdk_goes_on_with_what_is_stored(client, strict: StrictResponses, stream: bool) -> None:
    first = ask(client, stream, model="gpt-5.2", input="ponder", tools=[TOOL])
    settings = {"model": "gpt-5.2", "tools": [TOOL], "previous_response_id": first.id}
    assert ask(client, stream, input=outputs(first), **settings).output_text == FOUND
    assert client.responses.retrieve(first.id).output[0].type == "reasoning"
    assert client.responses.input_items.list(first.id).data[0].role == "user"
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, stream, input="hello", model="gpt-5.2", previous_response_id=first.id)
    assert caught.value.code == "previous_response_not_found"
    assert not strict.forgotten


@pytest.mark.parametrize("stream", [False, True])
def test_the_sdk_uses_a_free_form_tool(client, stream: bool) -> None:
    response = ask(client, stream, model="gpt-4.1", input="patch", tools=[CUSTOM], store=False)
    call = response.output[-1]
    assert (call.type, call.name, call.input) == ("custom_tool_call", "apply_patch", PATCH)
    ran = {"type": "custom_tool_call_output", "call_id": call.call_id, "output": "ok"}
    said = [{"role": "user", "content": "patch"}, *response.output, ran]
    assert ask(client, stream, model="gpt-4.1", input=said, tools=[CUSTOM]).output_text == "Done: ok"


def test_the_sdk_counts_and_embeds(client) -> None:
    assert client.responses.input_tokens.count(model="gpt-4.1", input="hello").input_tokens > 0
    asked: dict[str, Any] = {"model": "text-embedding-3-small", "input": ["abc", "Zoë"]}
    packed, plain = client.embeddings.create(**asked), client.embeddings.create(**asked, encoding_format="float")
    assert [each.embedding for each in packed.data] == [each.embedding for each in plain.data]


def test_a_stream_ends_badly_as_the_real_one_does(client) -> None:
    kinds = [event.type for event in client.responses.create(model="gpt-4.1", input="break", stream=True)]
    assert kinds[-1] == "response.failed"
    events: list[Any] = []
    with pytest.raises(openai.APIConnectionError):
        deque(map(events.append, client.responses.create(model="gpt-4.1", input="cut", stream=True)))
    assert events[-1].type == "response.output_text.delta"
    assert [event.sequence_number for event in events] == list(range(len(events)))


# --- what it refuses

HI = {"role": "user", "content": "hello"}
CALL = {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "21"}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "good"}
SAID = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "So."}]}


def send(*items: dict[str, Any], **changes: Any) -> Script:
    body = {"model": "gpt-5.2", "input": list(items), "tools": [TOOL], "store": False, **changes}
    strict = StrictResponses()
    strict.proofs["good"] = Proof("rs_1", KEY, ["call_1"])
    strict.proofs["theirs"] = Proof("rs_1", "sk-another", ["call_1"])
    headers = {"authorization": f"Bearer {KEY}"}
    return strict(Seen("POST", "/v1/responses", headers, json.dumps(body).encode()))


def test_good_requests_are_answered() -> None:
    assert send(HI).status == 200
    assert send(HI, SAID, HI).status == 200
    assert send(HI, REASONING, CALL, OUTPUT).status == 200
    assert send(HI, REASONING, {**CALL, "id": "fc_1", "status": "completed"}, OUTPUT).status == 200


@pytest.mark.parametrize(
    "items",
    [
        [HI, CALL],
        [HI, OUTPUT],
        [HI, CALL, OUTPUT, OUTPUT],
        [HI, CALL, CALL, OUTPUT],
        [HI, CALL, {**OUTPUT, "type": "custom_tool_call_output"}],
        [HI, {**CALL, "id": "call_1"}, OUTPUT],
        [HI, {**CALL, "id": "fc_" + "a" * 70}, OUTPUT],
        [HI, {**CALL, "call_id": "c" * 65}, {**OUTPUT, "call_id": "c" * 65}],
        [HI, {**CALL, "arguments": {}}, OUTPUT],
        [HI, {**CALL, "name": "a.b"}, OUTPUT],
        [HI, REASONING],
        [HI, REASONING, HI],
        [HI, REASONING, {**CALL, "call_id": "call_2"}, {**OUTPUT, "call_id": "call_2"}],
        [HI, {**REASONING, "status": "completed"}, CALL, OUTPUT],
        [HI, {**REASONING, "encrypted_content": "forged"}, CALL, OUTPUT],
        [HI, {**REASONING, "encrypted_content": "theirs"}, CALL, OUTPUT],
        [HI, {**REASONING, "encrypted_content": None}, CALL, OUTPUT],
        [HI, {**REASONING, "id": "rs_2"}, CALL, OUTPUT],
        [HI, {**REASONING, "id": None}, CALL, OUTPUT],
        [{"role": "user", "content": [{"type": "text", "text": "hello"}]}],
        [{"role": "user", "content": [{"type": "output_text", "text": "hello"}]}],
        [{"role": "assistant", "content": [{"type": "input_text", "text": "hello"}]}],
        [{"role": "user", "content": [{"type": "input_image", "image_url": {"url": "https://a"}}]}],
        [{"role": "user", "content": [{"type": "input_file", "file_data": "data:application/pdf;base64,AA=="}]}],
        [{"role": "tool", "content": "21"}],
        [{"type": "item_reference", "id": "msg_1"}],
    ],
)
def test_an_impossible_history_is_refused(items: list[dict[str, Any]]) -> None:
    assert send(*items).status in (400, 404)


@pytest.mark.parametrize(
    "changes",
    [
        {"messages": []},
        {"max_tokens": 50},
        {"max_output_tokens": 15},
        {"stop": ["x"]},
        {"seed": 1},
        {"temperature": 0.5},
        {"model": "gpt-4.1", "reasoning": {"effort": "low"}},
        {"reasoning": {"effort": "enormous"}},
        {"reasoning_effort": "low"},
        {"response_format": {"type": "json_object"}},
        {"text": {"format": {"type": "json_schema", "schema": WEATHER}}},
        {"text": {"format": {"type": "json_schema", "name": "x", "strict": True, "schema": {"type": "object"}}}},
        {"text": {"format": {"type": "json_object"}}},
        {"tools": [{"type": "function", "function": {"name": "x"}}]},
        {"tools": [{**TOOL, "parameters": {"type": "object"}}]},
        {"tools": [{**TOOL, "parameters": {**WEATHER, "required": ["city"]}}]},
        {"tools": [TOOL, TOOL]},
        {"tools": [], "tool_choice": "required"},
        {"tool_choice": {"type": "function", "name": "nobody"}},
        {"tool_choice": {"type": "any"}},
        {"include": ["everything"]},
        {"stream_options": {"include_obfuscation": False}},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"previous_response_id": "resp_unknown"},
        {"metadata": {"a": 1}},
        {"model": "claude-haiku-4-5"},
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, Any]) -> None:
    assert send(HI, **changes).status == 400


def test_an_answer_about_structure_needs_one() -> None:
    shape = {"type": "json_schema", "name": "person", "strict": True, "schema": {**WEATHER}}
    answered = send({"role": "user", "content": "person"}, text={"format": shape})
    said = json.loads(answered.pieces[0])["output"][-1]["content"][0]["text"]
    assert json.loads(said) == PERSON
    assert send({"role": "user", "content": "person"}).status == 400
