"""The demo upstream: a small, honest server of Anthropic Messages, on loopback, for the very first request.

It is called over HTTP by the engine like any other upstream, with a key that only this server can make. It tells who it
is and repeats what it was told; there is no model behind it.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import AsyncIterator
from typing import Any

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from proxyapp import wiring
from proxyapp.api.base import AsyncAPIView, json_response
from proxyapp.api.inference import body_reader
from proxyapp.dialects import jsonio
from proxyapp.dialects.sse import named_frame
from proxyapp.engine.identity import new_id
from proxyapp.errors import BadRequest, NotAuthenticated

_LONGEST_ECHO = 500


class DemoView(AsyncAPIView):
    """POST /_demo/v1/messages."""

    async def post(self, request: HttpRequest) -> HttpResponseBase:
        if not hmac.compare_digest(self.incoming.get("x-api-key", "").encode(), wiring.demo_key().encode()):
            raise NotAuthenticated("The demo upstream serves this gateway alone.")
        raw = await body_reader(request)()
        body = jsonio.decode_object(raw)
        messages = body.get("messages")
        if not messages or not isinstance(messages, list):
            raise BadRequest("messages: Input should be a valid list of at least one message", param="messages")
        text = _answer(messages)
        message = {
            "id": f"msg_{new_id()}",
            "type": "message",
            "role": "assistant",
            "model": "demo",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": _tokens(raw.decode("utf-8", "replace")), "output_tokens": _tokens(text)},
        }
        if body.get("stream"):
            return StreamingHttpResponse(_stream(message, text), content_type="text/event-stream")
        return json_response(message)


def _answer(messages: list[Any]) -> str:
    said = " ".join(_texts(messages)).strip()
    if len(said) > _LONGEST_ECHO:
        said = said[:_LONGEST_ECHO] + "…"
    heard = f" You said: “{said}”" if said else ""
    return (
        "Hello from Dragoman's demo upstream. There is no model behind me, but the way here was real: your request "
        "reached me as Anthropic Messages over HTTP. If you asked in another dialect, it was translated on the way, "
        f"and so is this answer.{heard}"
    )


def _texts(messages: list[Any]) -> list[str]:
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, str):
                return [content]
            blocks = content if isinstance(content, list) else []
            return [str(block.get("text", "")) for block in blocks if isinstance(block, dict)]
    return []


def _tokens(text: str) -> int:
    return max(1, len(text) // 4)


async def _stream(message: dict[str, Any], text: str) -> AsyncIterator[bytes]:
    start = {**message, "content": [], "stop_reason": None, "usage": {**message["usage"], "output_tokens": 1}}
    yield _event({"type": "message_start", "message": start})
    yield _event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    for word in re.findall(r"\S+\s*", text):
        yield _event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}})
    yield _event({"type": "content_block_stop", "index": 0})
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    yield _event(
        {"type": "message_delta", "delta": ended, "usage": {"output_tokens": message["usage"]["output_tokens"]}}
    )
    yield _event({"type": "message_stop"})


def _event(data: dict[str, Any]) -> bytes:
    return named_frame(data["type"].encode(), jsonio.encode(data))
