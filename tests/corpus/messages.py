"""Messages, read the plain way: requests, answers, streams. Independent of the product's parsers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.corpus.asking import Asked, Item, Talk
from tests.corpus.folding import Cut, frames
from tests.corpus.meaning import Counts, Meaning

Json = dict[str, Any]

# translation.md 3.2, "decode".
STOPS = {
    "end_turn": "end",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "context_window",
    "refusal": "refusal",
    "pause_turn": "pause",
}

# --- requests


def read_request(body: Json) -> Asked:
    """A body of `/v1/messages`."""
    system = body.get("system") or []
    thinking = body.get("thinking")
    effort = (body.get("output_config") or {}).get("effort")
    format_ = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    blocks = [block for message in body["messages"] for block in _blocks(message.get("content"))]
    return Asked(
        system=system if isinstance(system, str) else "\n\n".join(block["text"] for block in system),
        items=_items(body["messages"]),
        tools={
            tool["name"]: (tool.get("description") or "", tool["input_schema"])
            for tool in body.get("tools") or []
            if "input_schema" in tool
        },
        hosted=["web_search" for tool in body.get("tools") or [] if tool.get("type", "").startswith("web_search")],
        choice=_choice(body.get("tool_choice")),
        schema=format_.get("schema"),
        stream=bool(body.get("stream")),
        limit=body["max_tokens"],
        stop=body.get("stop_sequences") or [],
        sampling={name: body[name] for name in ("temperature", "top_p") if body.get(name) is not None},
        thinks=thinking["type"] != "disabled" if thinking else True if effort else None,
        thoughts=sum(block["type"] == "thinking" for block in blocks),
    )


def _items(messages: list[Json]) -> list[Item]:
    talk = Talk()
    for message in messages:
        blocks = _blocks(message.get("content"))
        match message["role"]:
            case "user":
                for block in blocks:
                    _user_block(talk, block)
            case "assistant":
                calls = [(b["id"], b["name"], b["input"]) for b in blocks if b["type"] == "tool_use"]
                talk.assistant("".join(b["text"] for b in blocks if b["type"] == "text"), calls)
            case _:
                talk.system("\n\n".join(block["text"] for block in blocks))
    return talk.flush()


def _blocks(content: Any) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content or []


def _user_block(talk: Talk, block: Json) -> None:
    match block["type"]:
        case "tool_result":
            words = "".join(inner["text"] for inner in _blocks(block.get("content")))
            talk.result(block["tool_use_id"], f"Error: {words}" if block.get("is_error") else words)
        case "image":
            talk.user("image", block["source"].get("data") or block["source"]["url"])
        case "text":
            talk.user("text", block["text"])
        case other:
            raise AssertionError(f"a block of kind {other}")


def _choice(choice: Json | None) -> Any:
    if choice is None:
        return None
    return ("named", choice["name"]) if choice["type"] == "tool" else choice["type"]


# --- answers


def read_answer(body: Json) -> Meaning:
    """A `message`."""
    meaning = Meaning(counts=_counts(body.get("usage")))
    for block in body["content"]:
        _BLOCKS.get(block["type"], _hosted)(meaning, block)
    meaning.stop = STOPS[body["stop_reason"]]
    meaning.stop_text = body.get("stop_sequence")
    meaning.refusal = (body.get("stop_details") or {}).get("explanation") or ""
    return meaning


def _text(meaning: Meaning, block: Json) -> None:
    meaning.text += block["text"]
    for citation in block.get("citations") or []:
        if citation.get("url") and citation["url"] not in meaning.sources:
            meaning.sources.append(citation["url"])


def _thinking(meaning: Meaning, block: Json) -> None:
    meaning.reasoning += block["thinking"]


def _call(meaning: Meaning, block: Json) -> None:
    meaning.calls.append((block["name"], block["input"]))
    meaning.call_ids.append(block["id"])


def _hosted(meaning: Meaning, block: Json) -> None:
    kind = block["type"]
    known = kind.endswith("_tool_result") or kind in ("server_tool_use", "mcp_tool_use")
    meaning.beyond.add("hosted tools" if known else kind)


_BLOCKS: dict[str, Callable[[Meaning, Json], None]] = {"text": _text, "thinking": _thinking, "tool_use": _call}


def _counts(usage: Json | None) -> Counts | None:
    if not usage:
        return None
    read, written = usage.get("cache_read_input_tokens"), usage.get("cache_creation_input_tokens")
    fresh, output = usage["input_tokens"], usage["output_tokens"]
    rounds = usage.get("iterations") or []
    counted = [entry for entry in rounds if entry["type"] in ("compaction", "message")]
    if counted and not any(entry["type"] == "fallback_message" for entry in rounds):  # 3.3
        fresh, output = (sum(entry[name] for entry in counted) for name in ("input_tokens", "output_tokens"))
    reasoning = (usage.get("output_tokens_details") or {}).get("thinking_tokens")
    return Counts(fresh + (read or 0) + (written or 0), read, written, output, reasoning)


# --- streams


def fold(raw: bytes) -> Json:
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
