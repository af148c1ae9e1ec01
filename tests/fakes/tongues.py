"""The same small things said in all four dialects: a request, its extras, an answer whole and streamed."""

from __future__ import annotations

import json
from typing import Any

from msgspec import structs

from proxyapp.dialects.contract import Peek
from proxyapp.dialects.registry import DIALECTS
from proxyapp.engine.call import Call
from tests.engine.conftest import a_call
from tests.fakes import answers

Json = dict[str, Any]
CHAT, RESPONSES, MESSAGES, GEMINI = TONGUES = ("openai-chat", "openai-responses", "anthropic-messages", "gemini")
KINDS = {CHAT: "openai_compatible", RESPONSES: "openai", MESSAGES: "anthropic", GEMINI: "gemini"}
"""A kind that speaks it; OpenAI's needs `api="responses"`."""
_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
_CALL_ID = "call_0123456789"


# --- asking


def asked(dialect: str, *, stream: bool = False, **more: Any) -> Json:
    """A body with one question."""
    if dialect == GEMINI:
        return {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], **more}
    body: Json = {"model": "m", "stream": stream, **more}
    if dialect == RESPONSES:
        return {"input": "hi", "store": False, **body}
    return {"max_tokens": 50, "messages": [{"role": "user", "content": "hi"}], **body}


def tools(dialect: str) -> Json:
    """The fields that offer one tool."""
    function = {"name": "weather", "description": "Tells it.", "parameters": _SCHEMA}
    return {
        CHAT: {"tools": [{"type": "function", "function": function}]},
        RESPONSES: {"tools": [{"type": "function", "strict": False, **function}]},
        MESSAGES: {"tools": [{"name": "weather", "description": "Tells it.", "input_schema": _SCHEMA}]},
        GEMINI: {"tools": [{"functionDeclarations": [function]}]},
    }[dialect]


def history(dialect: str) -> Json:
    """The field with a conversation in which the tool was called and has answered."""
    arguments, found = {"city": "Paris"}, "21 degrees"
    text = json.dumps(arguments)
    if dialect == CHAT:
        call = {"id": _CALL_ID, "type": "function", "function": {"name": "weather", "arguments": text}}
        return {"messages": [
            {"role": "user", "content": "How warm is it?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": _CALL_ID, "content": found},
        ]}  # fmt: skip
    if dialect == RESPONSES:
        return {"input": [
            {"role": "user", "content": "How warm is it?"},
            {"type": "function_call", "call_id": _CALL_ID, "name": "weather", "arguments": text},
            {"type": "function_call_output", "call_id": _CALL_ID, "output": found},
        ]}  # fmt: skip
    if dialect == MESSAGES:
        return {"messages": [
            {"role": "user", "content": "How warm is it?"},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": _CALL_ID, "name": "weather", "input": arguments}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": _CALL_ID, "content": found}]},
        ]}  # fmt: skip
    return {"contents": [
        {"role": "user", "parts": [{"text": "How warm is it?"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "weather", "args": arguments}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {"output": found}}}]},
    ]}  # fmt: skip


def the_call(dialect: str, body: Json | None = None, *, stream: bool = False, **headers: str) -> Call:
    """It as HTTP brings it; of Gemini's, the address tells the model and the stream."""
    body = asked(dialect, stream=stream) if body is None else body
    if dialect != GEMINI:
        return a_call(dialect, body, **headers)
    call = a_call(CHAT, body, **headers)
    return structs.replace(call, dialect=DIALECTS[GEMINI], asked=Peek("m", stream), path="/v1beta/models/m")


# --- answering


def whole(dialect: str, text: str = "Hello there.") -> Json:
    if dialect in answers.USAGE:
        return answers.whole(dialect, text)
    if dialect == GEMINI:
        return {
            "candidates": [
                {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP", "index": 0}
            ],
            "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 4, "totalTokenCount": 13},
            "modelVersion": "up-model",
            "responseId": "r1",
        }
    content = {"type": "output_text", "text": text, "annotations": []}
    return {
        "id": "resp_up1", "object": "response", "created_at": 1700000000, "status": "completed", "model": "up-model",
        "output": [
            {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [content]}],
        "usage": {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13},
    }  # fmt: skip


def streamed(dialect: str, *words: str) -> list[bytes]:
    """One piece a frame."""
    words = words or ("Hello", " there", ".")
    if dialect in answers.USAGE:
        return answers.stream(dialect, *words)
    if dialect == GEMINI:
        chunks = [whole(GEMINI, word) for word in words]
        for chunk in chunks[:-1]:
            del chunk["candidates"][0]["finishReason"]
        return [b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n" for chunk in chunks]
    done = whole(RESPONSES, "".join(words))
    item = done["output"][0]
    part = item["content"][0]
    at = {"item_id": "msg_1", "output_index": 0}
    told: list[Json] = [
        {"type": "response.created", "response": {**done, "status": "in_progress", "output": [], "usage": None}},
        {"type": "response.output_item.added", "output_index": 0,
         "item": {**item, "status": "in_progress", "content": []}},
        {"type": "response.content_part.added", **at, "content_index": 0, "part": {**part, "text": ""}},
        *[{"type": "response.output_text.delta", **at, "content_index": 0, "delta": word} for word in words],
        {"type": "response.output_text.done", **at, "content_index": 0, "text": part["text"]},
        {"type": "response.content_part.done", **at, "content_index": 0, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": done},
    ]  # fmt: skip
    return [answers.event({**event, "sequence_number": number}) for number, event in enumerate(told)]


# --- reading


def text_of(dialect: str, raw: bytes) -> str:
    """The text of an answer, whole or streamed, read the plain way."""
    if dialect in answers.USAGE:
        return answers.text_of(dialect, raw)
    if raw.lstrip().startswith(b"{"):
        return _text_in(dialect, json.loads(raw))
    events = [json.loads(line[6:]) for line in raw.splitlines() if line.startswith(b"data: {")]
    if dialect == GEMINI:
        return "".join(_text_in(GEMINI, event) for event in events)
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


def _text_in(dialect: str, body: Json) -> str:
    if dialect == GEMINI:
        parts = [part for each in body["candidates"] for part in each.get("content", {}).get("parts", [])]
    else:
        parts = [part for item in body["output"] for part in item.get("content", [])]
    return "".join(part.get("text", "") for part in parts)


def is_over(dialect: str, raw: bytes) -> bool:
    """Does a stream bear its own proper end?"""
    mark = {
        CHAT: b"data: [DONE]\n\n",
        RESPONSES: b'"type":"response.completed"',
        MESSAGES: b'"type":"message_stop"',
        GEMINI: b'"finishReason":"STOP"',
    }[dialect]
    return mark in raw[-4000:].replace(b'": "', b'":"')
