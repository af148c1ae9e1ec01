"""What is not inference, with the official SDKs as they are: embeddings, counts, lists, and what is only forwarded."""

from __future__ import annotations

import base64
import io
import struct
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

from proxyapp.engine.identify import digest
from proxyapp.engine.snapshot import Credential, Model, Route, Snapshot, Upstream
from tests.engine.conftest import KEY, a_key, an_upstream
from tests.fakes import strict_gemini
from tests.fakes.strict_gemini import StrictGemini
from tests.fakes.upstream import Script, ScriptedUpstream, answer_json, answer_sse

pytestmark = pytest.mark.slow
FLOATS = [0.5, -1.0, 0.25]
PACKED = base64.b64encode(struct.pack("<3f", *FLOATS)).decode()
SOUND = b"ID3" + bytes(range(256)) * 100


@pytest.fixture
def scripted() -> Iterator[ScriptedUpstream]:
    server = ScriptedUpstream()
    yield server
    server.close()


@pytest.fixture
def served(gateway, scripted) -> Callable[..., ScriptedUpstream]:
    """`served(name=dialect)`: models of these names at a scripted upstream of that dialect."""

    def serve(**models: str) -> ScriptedUpstream:
        upstreams = {
            name: google(scripted.url) if dialect == "gemini" else an_upstream(name, scripted.url, dialect)
            for name, dialect in models.items()
        }
        named = {name.replace("_", "-"): Route(name, name.replace("_", "-")) for name in models}
        gateway.engine.snapshot = Snapshot(
            keys={digest(KEY): a_key()},
            models={name: Model(name=name, routes=(route,), created=1) for name, route in named.items()},
            upstreams=upstreams,
        )
        scripted.default = StrictGemini() if "gemini" in models.values() else None
        return scripted

    return serve


def google(url: str) -> Upstream:
    credentials = (Credential("main", strict_gemini.KEY),)
    return an_upstream("google", url, kind="gemini", credentials=credentials)


@pytest.fixture(params=["v1", "v1beta"])
def gemini(gateway, request) -> genai.Client:
    options = types.HttpOptions(base_url=gateway.url, api_version=request.param)
    return genai.Client(api_key=KEY, http_options=options)


@pytest.fixture
def chatgpt(gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=KEY, base_url=f"{gateway.url}/v1", max_retries=0) as client:
        yield client


@pytest.fixture
def claude(gateway) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key=KEY, base_url=gateway.url, max_retries=0) as client:
        yield client


def embeddings(*vectors: Any) -> Script:
    data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
    usage = {"prompt_tokens": 4, "total_tokens": 4}
    return answer_json({"object": "list", "data": data, "model": "e", "usage": usage})


def test_embeddings_asked_for_in_base64_as_the_sdk_does_by_default(served, chatgpt):
    upstream = served(e="openai-chat").then(embeddings(PACKED, PACKED), embeddings(FLOATS, FLOATS))
    for _ in range(2):  # a server that knows base64, and one that does not
        made = chatgpt.embeddings.create(model="e", input=["one", "two"], dimensions=3)
        assert [item.embedding for item in made.data] == [FLOATS, FLOATS]
        assert made.usage.prompt_tokens == 4
    assert upstream.last.body == {"model": "e", "input": ["one", "two"], "dimensions": 3, "encoding_format": "base64"}


def test_embeddings_asked_for_as_numbers(served, chatgpt):
    served(e="openai-chat").then(embeddings(PACKED))
    made = chatgpt.embeddings.create(model="e", input="one", encoding_format="float")
    assert made.data[0].embedding == FLOATS


def test_a_model_without_embeddings_is_a_bad_request(served, chatgpt):
    served(c="anthropic-messages")
    with pytest.raises(openai.BadRequestError, match="makes no embeddings"):
        chatgpt.embeddings.create(model="c", input="one")


TOOLS: Any = [{"name": "look", "input_schema": {"type": "object", "properties": {"q": {"type": "string"}}}}]


def test_counting_over_an_upstream_that_counts(served, claude):
    upstream = served(c="anthropic-messages").then(answer_json({"input_tokens": 77}))
    asked: Any = [{"role": "user", "content": "Hello"}]
    assert claude.messages.count_tokens(model="c", messages=asked, tools=TOOLS, system="Be brief.").input_tokens == 77
    assert upstream.last.path.startswith("/v1/messages/count_tokens")


def test_counting_over_an_upstream_that_does_not(served, claude):
    served(g="openai-chat")
    asked: Any = [{"role": "user", "content": "Hello"}]
    got = claude.messages.with_raw_response.count_tokens(model="g", messages=asked, tools=TOOLS)
    assert got.headers["x-dragoman-estimated"] == "true"
    assert got.parse().input_tokens > 10
    beta = claude.beta.messages.count_tokens(model="g", messages=asked, betas=["token-counting-2024-11-01"])
    assert beta.input_tokens > 0


def test_openais_sdk_counts_over_an_upstream_that_counts_and_one_that_does_not(served, chatgpt):
    served(c="anthropic-messages", g="openai-chat").then(answer_json({"input_tokens": 12}))
    assert chatgpt.responses.input_tokens.count(model="c", input="Hello").input_tokens == 12
    counted = chatgpt.responses.input_tokens.count(model="g", input="Hello", instructions="Be brief.")
    assert (counted.object, counted.input_tokens > 3) == ("response.input_tokens", True)


def test_googles_sdk_counts_over_an_upstream_that_counts_and_one_that_does_not(served, gemini):
    served(**{"gemini_2.5_flash": "gemini", "gpt_5": "openai-chat"})
    assert gemini.models.count_tokens(model="gemini-2.5-flash", contents="How many?").total_tokens > 5
    assert gemini.models.count_tokens(model="gpt-5", contents="How many tokens is this text?").total_tokens > 5


def test_googles_sdk_embeds_over_both_kinds_of_upstream(served, gemini):
    upstream = served(gemini_embedding_001="gemini", e="openai-chat")
    made = gemini.models.embed_content(model="gemini-embedding-001", contents=["one", "two"])
    assert [len(each.values) for each in made.embeddings] == [8, 8]
    upstream.then(embeddings(FLOATS, FLOATS))
    settings = types.EmbedContentConfig(output_dimensionality=3)
    made = gemini.models.embed_content(model="e", contents=["one", "two"], config=settings)
    assert [each.values for each in made.embeddings] == [FLOATS, FLOATS]
    assert upstream.last.body["dimensions"] == 3


def test_openais_sdk_embeds_over_google(served, chatgpt):
    served(gemini_embedding_001="gemini")
    made = chatgpt.embeddings.create(model="gemini-embedding-001", input=["one", "two"], dimensions=4)
    assert [len(item.embedding) for item in made.data] == [4, 4]


def test_googles_sdk_lists_models(served, gemini):
    served(claude_opus_4_6="anthropic-messages", gpt_4o="openai-chat")
    listed = list(gemini.models.list(config={"page_size": 1}))
    assert [model.name for model in listed] == ["models/claude-opus-4-6", "models/gpt-4o"]
    assert "generateContent" in listed[0].supported_actions
    assert gemini.models.get(model="claude-opus-4-6").output_token_limit == 128_000


def test_the_lists_of_models(served, chatgpt, claude):
    served(claude_opus_4_6="anthropic-messages", gpt_4o="openai-chat")
    assert [model.id for model in chatgpt.models.list()] == ["claude-opus-4-6", "gpt-4o"]
    assert chatgpt.models.retrieve("gpt-4o").object == "model"
    listed = list(claude.models.list(limit=1))
    assert [model.id for model in listed] == ["claude-opus-4-6", "gpt-4o"]
    assert listed[0].capabilities is not None
    assert claude.models.retrieve("claude-opus-4-6").max_tokens == 128_000


def test_completions_whole_and_streamed(served, chatgpt):
    choice = {"index": 0, "text": " upon a time", "finish_reason": "stop", "logprobs": None}
    whole = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "i", "choices": [choice]}
    event = b'data: {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "i", "choices": [%s]}\n\n'
    pieces = [
        event % b'{"index": 0, "text": " upon", "finish_reason": null}',
        event % b'{"index": 0, "text": " a time", "finish_reason": "stop"}',
        b"data: [DONE]\n\n",
    ]
    served(i="openai-chat").then(answer_json(whole), answer_sse(pieces))
    assert chatgpt.completions.create(model="i", prompt="Once").choices[0].text == " upon a time"
    stream = chatgpt.completions.create(model="i", prompt="Once", stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == " upon a time"


def test_a_moderation_without_a_model(served, chatgpt):
    result = {"flagged": False, "categories": {}, "category_scores": {}}
    served(**{"omni_moderation_latest": "openai-chat"}).then(
        answer_json({"id": "modr-1", "model": "omni-moderation-latest", "results": [result]})
    )
    assert chatgpt.moderations.create(input="hi").results[0].flagged is False


def test_pictures(served, chatgpt):
    upstream = served(p="openai-chat")
    upstream.default = answer_json({"created": 1, "data": [{"b64_json": "AAAA"}], "usage": {"input_tokens": 1}})
    assert chatgpt.images.generate(model="p", prompt="a cat").data[0].b64_json == "AAAA"
    edited = chatgpt.images.edit(model="p", image=("cat.png", b"\x89PNG", "image/png"), prompt="a hat")
    assert edited.data[0].b64_json == "AAAA"
    assert b'filename="cat.png"' in upstream.last.raw


def test_speech_and_transcripts(served, chatgpt):
    upstream = served(s="openai-chat").then(
        Script(200, {"content-type": "audio/mpeg"}, [SOUND[:9], SOUND[9:]]), answer_json({"text": "Hello"})
    )
    with chatgpt.audio.speech.with_streaming_response.create(model="s", input="Hello", voice="alloy") as speech:
        assert b"".join(speech.iter_bytes()) == SOUND
    heard = chatgpt.audio.transcriptions.create(model="s", file=("a.mp3", io.BytesIO(SOUND), "audio/mpeg"))
    assert heard.text == "Hello"
    assert SOUND in upstream.last.raw


def test_sound_that_is_cut_is_an_error_and_no_short_sound(served, chatgpt):
    served(s="openai-chat").then(Script(200, {"content-type": "audio/mpeg"}, [SOUND], end="cut"))
    with (
        pytest.raises(Exception, match=r"peer closed|incomplete|closed"),
        chatgpt.audio.speech.with_streaming_response.create(model="s", input="Hello", voice="alloy") as speech,
    ):
        speech.read()
