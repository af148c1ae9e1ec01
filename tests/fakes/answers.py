"""Small, complete answers in each dialect, whole and as streams, for scripted upstreams."""

from __future__ import annotations

import json
from typing import Any

USAGE = {
    "openai-chat": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13},
    "anthropic-messages": {"input_tokens": 9, "output_tokens": 4},
}


def whole(dialect: str, text: str = "Hello there.") -> dict[str, Any]:
    if dialect == "openai-chat":
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return {
            "id": "chatcmpl-up1",
            "object": "chat.completion",
            "created": 1700000000,
            "model": "up-model",
            "choices": [choice],
            "usage": USAGE[dialect],
        }
    return {
        "id": "msg_up1",
        "type": "message",
        "role": "assistant",
        "model": "up-model",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": USAGE[dialect],
    }


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    body = {
        "id": "chatcmpl-up1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "up-model",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        **more,
    }
    return b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"


def event(body: dict[str, Any]) -> bytes:
    return f"event: {body['type']}\ndata: {json.dumps(body, separators=(',', ':'))}\n\n".encode()


def stream(dialect: str, *words: str) -> list[bytes]:
    """One piece a frame; the first two (Messages) or one (Chat) hold no content, the rest of the ends neither."""
    words = words or ("Hello", " there", ".")
    if dialect == "openai-chat":
        usage = {**json.loads(chunk({})[6:]), "choices": [], "usage": USAGE[dialect]}
        return [
            chunk({"role": "assistant", "content": ""}),
            *[chunk({"content": word}) for word in words],
            chunk({}, "stop"),
            b"data: " + json.dumps(usage, separators=(",", ":")).encode() + b"\n\n",
            b"data: [DONE]\n\n",
        ]
    start = {**whole(dialect), "content": [], "stop_reason": None}
    start["usage"] = {**start["usage"], "output_tokens": 1}
    return [
        event({"type": "message_start", "message": start}),
        event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        *[
            event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}})
            for word in words
        ],
        event({"type": "content_block_stop", "index": 0}),
        event(
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": {"output_tokens": 4},
            }
        ),
        event({"type": "message_stop"}),
    ]


def first_content(dialect: str) -> int:
    """Index of the first piece of `stream` that holds content, plus one."""
    return 2 if dialect == "openai-chat" else 3


def error_in_stream(dialect: str, message: str = "the machine is on fire") -> bytes:
    if dialect == "openai-chat":
        error = {"message": message, "type": "server_error", "param": None, "code": None}
        return b"data: " + json.dumps({"error": error}).encode() + b"\n\n"
    return event({"type": "error", "error": {"type": "overloaded_error", "message": message}})


def text_of(dialect: str, raw: bytes) -> str:
    """The text of an answer, whole or streamed, read the plain way."""
    if raw.lstrip().startswith(b"{"):
        body = json.loads(raw)
        if dialect == "openai-chat":
            return body["choices"][0]["message"]["content"]
        return "".join(block.get("text", "") for block in body["content"])
    found = []
    for line in raw.splitlines():
        if line.startswith(b"data: {"):
            data = json.loads(line[6:])
            for choice in data.get("choices", []):
                found.append(choice["delta"].get("content") or "")
            found.append(data.get("delta", {}).get("text", ""))
    return "".join(found)
