"""Google's own SDK against the running gateway, over strict upstreams of three dialects."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from proxyapp.engine.snapshot import Credential, Model, Route, Timeouts, Upstream
from tests.fakes import strict_gemini
from tests.fakes.mind import CITIES, GREETING, PERSON, THOUGHT
from tests.fakes.strict_gemini import StrictGemini
from tests.fakes.upstream import ScriptedUpstream
from tests.sdk.conftest import Gateway
from tests.sdk.scenarios.things import FOUND, PNG_BASE64

OVER = {
    "gemini 3": "gemini-3-flash-preview",
    "gemini 2.5": "gemini-2.5-flash",
    "messages": "claude-sonnet-4-5",
    "adaptive messages": "claude-opus-4-7",
    "chat": "gpt-5.1",
}
every = pytest.mark.parametrize("model", OVER.values(), ids=OVER)
THINKS = types.ThinkingConfig(include_thoughts=True)


class Person(BaseModel):
    name: str
    age: int


def get_weather(city: str, unit: str) -> str:
    """The weather now."""
    return f"{city}: {CITIES[city]}"


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedUpstream]:
    server = ScriptedUpstream()
    yield server
    server.close()


@pytest.fixture
def strict(gateway: Gateway, server: ScriptedUpstream) -> Iterator[StrictGemini]:
    """A Gemini upstream beside the gateway's others."""
    server.default = made = StrictGemini()
    upstream = Upstream(
        name="gemini",
        kind="gemini",
        base_url=server.url,
        credentials=(Credential("main", strict_gemini.KEY),),
        timeouts=Timeouts(connect=2, first_byte=10, idle=10, total=30),
        retries=0,
    )
    before = gateway.engine.snapshot
    models = {name: Model(name=name, routes=(Route("gemini", name),), created=1) for name in OVER.values()}
    gateway.engine.snapshot = msgspec.structs.replace(
        before, models={**models, **before.models}, upstreams={**before.upstreams, "gemini": upstream}
    )
    yield made
    assert not made.refused
    assert not gateway.refused


@pytest.fixture(params=["v1", "v1beta"])
def client(gateway: Gateway, strict: StrictGemini, request: Any) -> genai.Client:
    options = types.HttpOptions(base_url=gateway.url, api_version=request.param)
    return genai.Client(api_key=gateway.key, http_options=options)


def config(**settings: Any) -> types.GenerateContentConfig:
    return types.GenerateContentConfig(**settings)


@every
def test_the_sdk_asks_and_is_answered(client: genai.Client, model: str) -> None:
    answer = client.models.generate_content(model=model, contents="hello")
    assert answer.text == "".join(GREETING)
    assert (answer.usage_metadata.prompt_token_count, answer.usage_metadata.candidates_token_count) == (12, 7)
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.response_id
    assert answer.model_version


@every
def test_the_sdk_streams(client: genai.Client, model: str) -> None:
    chunks = list(client.models.generate_content_stream(model=f"models/{model}", contents="hello"))
    assert "".join(chunk.text or "" for chunk in chunks) == "".join(GREETING)
    assert len(chunks) > 2
    reasons = [chunk.candidates[0].finish_reason for chunk in chunks]
    assert reasons[-1] == types.FinishReason.STOP
    assert not any(reasons[:-1])
    assert chunks[-1].usage_metadata.candidates_token_count == 7


@every
def test_functions_are_called_by_the_sdk_itself(client: genai.Client, model: str) -> None:
    answer = client.models.generate_content(model=model, contents="weather", config=config(tools=[get_weather]))
    assert answer.text == FOUND
    chat = client.chats.create(model=model, config=config(tools=[get_weather], thinking_config=THINKS))
    assert chat.send_message("ponder").text == FOUND
    streamed = list(chat.send_message_stream("weather, in a stream"))
    assert "".join(chunk.text or "" for chunk in streamed).endswith(FOUND)


@every
def test_thoughts_are_shown_to_those_who_ask(client: genai.Client, model: str) -> None:
    settings = config(thinking_config=THINKS, tools=[types.Tool(function_declarations=[_declared()])])
    chunks = list(client.models.generate_content_stream(model=model, contents="ponder", config=settings))
    parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts]
    thoughts = "".join(part.text for part in parts if part.thought and part.text)
    assert thoughts == ("" if model == "gpt-5.1" else "".join(THOUGHT))
    assert [part.function_call.name for part in parts if part.function_call] == ["get_weather"] * 2


@every
def test_an_answer_of_a_schema(client: genai.Client, model: str) -> None:
    settings = config(response_mime_type="application/json", response_schema=Person)
    answer = client.models.generate_content(model=model, contents="person", config=settings)
    assert answer.parsed == Person(**PERSON)


@every
def test_thinking_that_nobody_may_read_goes_back_to_its_maker(client: genai.Client, model: str) -> None:
    settings = config(tools=[get_weather], thinking_config=types.ThinkingConfig(include_thoughts=True))
    assert client.chats.create(model=model, config=settings).send_message("hidden").text == FOUND


@every
def test_thoughts_that_are_not_shown_still_prove_themselves(client: genai.Client, model: str) -> None:
    settings = config(tools=[get_weather], thinking_config=types.ThinkingConfig(thinking_budget=2048))
    chat = client.chats.create(model=model, config=settings)
    assert chat.send_message("ponder").text == FOUND
    assert "".join(chunk.text or "" for chunk in chat.send_message_stream("ponder")).endswith(FOUND)
    shown = [part.text for content in chat.get_history() for part in content.parts if part.thought and part.text]
    assert shown == []


ENDS = {
    "long": (types.FinishReason.MAX_TOKENS,),
    "filter": (types.FinishReason.SAFETY, types.FinishReason.STOP),
    "refuse": (types.FinishReason.SAFETY, types.FinishReason.PROHIBITED_CONTENT),
}


@every
@pytest.mark.parametrize("cue", ENDS)
def test_ends_are_told(client: genai.Client, model: str, cue: str) -> None:
    whole = client.models.generate_content(model=model, contents=cue).candidates[0]
    *_, last = client.models.generate_content_stream(model=model, contents=cue)
    assert whole.finish_reason in ENDS[cue]
    assert last.candidates[0].finish_reason == whole.finish_reason


@every
@pytest.mark.parametrize("cue", ["break", "cut"])
def test_a_stream_that_breaks_is_an_error_and_no_end(client: genai.Client, model: str, cue: str) -> None:
    chunks: list[types.GenerateContentResponse] = []
    stream = client.models.generate_content_stream(model=model, contents=cue)
    with pytest.raises(errors.APIError) as fault:
        chunks.extend(stream)  # what came before the fault stays in the list
    assert "".join(chunk.text or "" for chunk in chunks) == "So far so "
    assert not any(chunk.candidates[0].finish_reason for chunk in chunks)
    assert fault.value.code >= 500


@every
def test_cached_tokens_are_a_part_of_the_prompt(client: genai.Client, model: str) -> None:
    counts = client.models.generate_content(model=model, contents="cached").usage_metadata
    assert (counts.prompt_token_count, counts.cached_content_token_count) == (120, 100)


@every
def test_a_picture_is_seen(client: genai.Client, model: str) -> None:
    picture = types.Part.from_bytes(data=base64.b64decode(PNG_BASE64), mime_type="image/png")
    answer = client.models.generate_content(model=model, contents=["look", picture])
    assert answer.text


@every
def test_errors_are_googles(client: genai.Client, model: str) -> None:
    with pytest.raises(errors.ClientError) as unknown:
        client.models.generate_content(model="no-such-model", contents="hello")
    assert (unknown.value.code, unknown.value.status) == (404, "NOT_FOUND")


def test_a_wrong_key_is_a_wrong_key(gateway: Gateway, strict: StrictGemini) -> None:
    options = types.HttpOptions(base_url=gateway.url)
    stranger = genai.Client(api_key="sk-dg-stranger", http_options=options)
    with pytest.raises(errors.ClientError) as refused:
        stranger.models.generate_content(model="gpt-5.1", contents="hello")
    assert (refused.value.code, refused.value.status) == (401, "UNAUTHENTICATED")


def _declared() -> dict[str, Any]:
    properties = {"city": {"type": "STRING"}, "unit": {"type": "STRING"}}
    return {"name": "get_weather", "parameters": {"type": "OBJECT", "properties": properties}}
