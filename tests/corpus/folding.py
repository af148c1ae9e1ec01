"""A stream's text as the whole answer it tells, read the plain way: dicts and string joins, none of our own code."""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]


class Cut(AssertionError):
    """The stream has no proper end, or ends in an error."""


def frames(raw: bytes) -> list[tuple[str, str]]:
    """(event word, data) of every event that holds data. Line ends are LF in all recordings and in all we send."""
    found = []
    for piece in raw.decode().split("\n\n"):
        lines = [line for line in piece.split("\n") if line]
        name = "".join(line[7:] for line in lines if line.startswith("event: "))
        data = "\n".join(line[6:] for line in lines if line.startswith("data: "))
        if data:
            found.append((name, data))
    return found


def payloads(raw: bytes) -> list[Json]:
    return [json.loads(data) for _, data in frames(raw) if data != "[DONE]"]


# --- Chat Completions


def fold_chat(raw: bytes) -> Json:
    """The `chat.completion` that a stream of chunks tells. Raises Cut."""
    chunks = payloads(raw)
    whole: Json = {"choices": {}, "usage": None}
    for chunk in chunks:
        if "error" in chunk:
            raise Cut(str(chunk["error"]))
        whole |= {name: chunk[name] for name in ("id", "model") if chunk.get(name)}
        whole["citations"] = chunk.get("citations") or whole.get("citations")
        whole["usage"] = chunk.get("usage") or (chunk.get("x_groq") or {}).get("usage") or whole["usage"]
        for piece in chunk.get("choices") or []:
            _add_choice(whole["choices"].setdefault(piece.get("index", 0), {"message": {}, "open": {}}), piece)
    if not whole["choices"] or any(not choice.get("finish_reason") for choice in whole["choices"].values()):
        raise Cut("no finish_reason")
    whole["choices"] = [whole["choices"][index] for index in sorted(whole["choices"])]
    return whole


def _add_choice(choice: Json, piece: Json) -> None:
    choice["finish_reason"] = piece.get("finish_reason") or choice.get("finish_reason")
    choice["logprobs"] = choice.get("logprobs") or bool(piece.get("logprobs"))
    message, delta = choice["message"], piece.get("delta") or {}
    for name in ("refusal", "reasoning_content", "reasoning"):
        if delta.get(name):
            message[name] = message.get(name, "") + delta[name]
    content = delta.get("content") or []
    pieces = [{"type": "text", "text": content}] if isinstance(content, str) else content
    message["content"] = message.get("content", []) + pieces
    for name in ("annotations", "reasoning_details"):
        message[name] = message.get(name, []) + (delta.get(name) or [])
    for call in delta.get("tool_calls") or []:
        _add_call(message.setdefault("tool_calls", []), choice["open"], call)
    if delta.get("function_call"):
        held = message.setdefault("function_call", {"name": "", "arguments": ""})
        for name in held:
            held[name] += delta["function_call"].get(name) or ""


def _add_call(calls: list[Json], by_index: Json, piece: Json) -> None:
    """A fragment belongs to the call of its index; one without an index is a whole call (Mistral)."""
    index = piece.get("index", f"whole {len(calls)}")
    function = piece.get("function") or {}
    if index not in by_index:
        by_index[index] = {"id": piece.get("id"), "function": {"name": function.get("name"), "arguments": ""}}
        calls.append(by_index[index])
    by_index[index]["function"]["arguments"] += function.get("arguments") or ""


# --- Messages


def fold_messages(raw: bytes) -> Json:
    """The `message` that a stream of events tells, up to its `message_stop`. Raises Cut. A second `message_start` with
    the same id is the first one said twice; one of another id makes the stream two answers, which is a Cut."""
    whole: Json = {}
    blocks: dict[int, Json] = {}
    ended = False
    for name, data in frames(raw):
        event = json.loads(data)
        assert name == event["type"], f"the event line says {name}, its data {event['type']}"
        match event["type"]:
            case "message_start" if whole and event["message"]["id"] != whole["id"]:
                raise Cut("a second answer inside the first")
            case "message_start":
                whole = {**event["message"]}
            case "content_block_start":
                assert event["index"] == len(blocks), "a gap in the block indexes"
                blocks[event["index"]] = {**event["content_block"], "json": ""}
            case "content_block_delta":
                _add_delta(blocks[event["index"]], event["delta"])
            case "message_delta":
                whole |= {key: value for key, value in event["delta"].items() if value is not None}
                counts = {key: value for key, value in (event.get("usage") or {}).items() if value is not None}
                whole["usage"] = {**whole["usage"], **counts}
            case "message_stop":
                ended = True
                break
            case "error":
                raise Cut(str(event["error"]))
    if not ended:
        raise Cut("no message_stop")
    whole["content"] = [_closed(block) for _, block in sorted(blocks.items())]
    return whole


def _add_delta(block: Json, delta: Json) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] = delta["signature"]
        case "input_json_delta":
            block["json"] += delta["partial_json"]
        case "citations_delta":
            block["citations"] = [*(block.get("citations") or []), delta["citation"]]
        case "compaction_delta":
            block["content"] = (block.get("content") or "") + (delta["content"] or "")
        case other:
            raise AssertionError(f"a delta of kind {other}")


def _closed(block: Json) -> Json:
    text = block.pop("json")
    return {**block, "input": json.loads(text)} if text else block


FOLD = {"openai-chat": fold_chat, "anthropic-messages": fold_messages}
