"""What a caller got, as the official SDKs read it: their HTTP client, event reader, models and accumulators."""

from __future__ import annotations

import functools
import json
from typing import Any

import anthropic
import httpx
import httpx2
import openai
from anthropic.types import Message
from google import genai
from google.genai import types as gemini_types
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from tests.corpus.exchanges import CHAT, GEMINI, MESSAGES, RESPONSES
from tests.corpus.gemini import fold as fold_gemini
from tests.corpus.responses import ENDS

Filtered, AtTheLimit = openai.ContentFilterFinishReasonError, openai.LengthFinishReasonError
"""How the SDK's stream helper tells a program of an answer that was filtered, or cut at its limit."""

_answer: dict[str, Any] = {}
"""What the next call is answered with."""


def _reply(request: httpx2.Request) -> httpx2.Response:
    kind = "text/event-stream" if _answer["stream"] else "application/json"
    return httpx2.Response(200, headers={"content-type": kind}, content=_answer["raw"])


@functools.cache
def _openai() -> openai.OpenAI:
    client = httpx2.Client(transport=httpx2.MockTransport(_reply))
    return openai.OpenAI(api_key="k", base_url="http://gateway/v1", max_retries=0, http_client=client)


@functools.cache
def _anthropic() -> anthropic.Anthropic:
    client = httpx2.Client(transport=httpx2.MockTransport(_reply))
    return anthropic.Anthropic(api_key="k", base_url="http://gateway", max_retries=0, http_client=client)


@functools.cache
def _genai() -> genai.Client:
    client = httpx.Client(transport=httpx.MockTransport(_reply_to_genai))
    options = gemini_types.HttpOptions(base_url="http://gateway", httpx_client=client)
    return genai.Client(api_key="k", http_options=options)


def _reply_to_genai(request: httpx.Request) -> httpx.Response:
    kind = "text/event-stream" if _answer["stream"] else "application/json"
    return httpx.Response(200, headers={"content-type": kind}, content=_answer["raw"])


def read(dialect: str, raw: bytes, *, stream: bool) -> dict[str, Any]:
    """The answer as the dialect's SDK hands it to a program, as a dict. Raises what the SDK raises."""
    _answer.update(raw=raw, stream=stream)
    return _READ[dialect](stream)


def _chat(stream: bool) -> dict[str, Any]:
    asked: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    if not stream:
        answer = _openai().chat.completions.create(**asked)
        ChatCompletion.model_validate(answer.model_dump())
        return answer.model_dump()
    with _openai().chat.completions.stream(**asked) as events:
        for _ in events:
            pass
        return events.get_final_completion().model_dump()


def _messages(stream: bool) -> dict[str, Any]:
    asked: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    if not stream:
        answer = _anthropic().messages.create(**asked)
        Message.model_validate(answer.model_dump())
        return answer.model_dump()
    with _anthropic().messages.stream(**asked) as events:
        return events.get_final_message().model_dump()


def _responses(stream: bool) -> dict[str, Any]:
    asked: dict[str, Any] = {"model": "m", "input": "hi"}
    if not stream:
        answer = _openai().responses.create(**asked)
        Response.model_validate(answer.model_dump())
        return answer.model_dump()
    with _openai().responses.stream(**asked) as events:
        told = [event for event in events if event.type in ENDS]
        return told[-1].response.model_dump()


def _gemini(stream: bool) -> dict[str, Any]:
    """This SDK hands out the chunks as they are; what they make together is read as it would be from the wire."""
    asked: dict[str, Any] = {"model": "m", "contents": "hi"}
    if not stream:
        return _plain(_genai().models.generate_content(**asked))
    told = [_plain(chunk) for chunk in _genai().models.generate_content_stream(**asked)]
    return fold_gemini(b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in told))


def _plain(answer: gemini_types.GenerateContentResponse) -> dict[str, Any]:
    answer.sdk_http_response = None
    return answer.model_dump(mode="json", by_alias=True, exclude_none=True)


_READ = {CHAT: _chat, MESSAGES: _messages, RESPONSES: _responses, GEMINI: _gemini}
