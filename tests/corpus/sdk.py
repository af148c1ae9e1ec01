"""What a caller got, as the official SDKs read it: their HTTP client, event reader, models and accumulators."""

from __future__ import annotations

import functools
from typing import Any

import anthropic
import httpx2
import openai
from anthropic.types import Message
from openai.types.chat import ChatCompletion

from tests.corpus.exchanges import CHAT

Filtered = openai.ContentFilterFinishReasonError
"""How the SDK's stream helper tells a program of a filtered answer."""

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


def read(dialect: str, raw: bytes, *, stream: bool) -> dict[str, Any]:
    """The answer as the dialect's SDK hands it to a program, as a dict. Raises what the SDK raises."""
    _answer.update(raw=raw, stream=stream)
    return _chat(stream) if dialect == CHAT else _messages(stream)


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
