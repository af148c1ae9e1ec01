"""Responses, read the plain way: requests, answers, streams. Independent of the product's parsers."""

from __future__ import annotations

import json
from typing import Any

from tests.corpus.asking import Asked, Item, Talk
from tests.corpus.folding import Cut, frames
from tests.corpus.meaning import Counts, Meaning, parsed

Json = dict[str, Any]
ENDS = ("response.completed", "response.incomplete", "response.failed")

# --- requests


def read_request(body: Json) -> Asked:
    """A body of `/v1/responses`."""
    items = _input(body.get("input"))
    leading = [body["instructions"]] if body.get("instructions") else []
    tools = list(body.get("tools") or [])
    while items and (items[0].get("role") in ("system", "developer")):
        item = items.pop(0)
        tools += item.get("tools") or []
        leading += _texts(item.get("content"))
    reasoning = body.get("reasoning") or {}
    asked = Asked(
        system="\n\n".join(leading),
        items=_items(items),
        choice=_choice(body.get("tool_choice")),
        stream=bool(body.get("stream")),
        limit=body.get("max_output_tokens"),
        sampling={name: body[name] for name in ("temperature", "top_p") if body.get(name) is not None},
        schema=((body.get("text") or {}).get("format") or {}).get("schema"),
        thinks=None if reasoning.get("effort") is None else reasoning["effort"] != "none",
        thoughts=sum(item.get("type") == "reasoning" for item in items),
    )
    _add_tools(asked, tools)
    return asked


def _input(told: Any) -> list[Json]:
    return [{"role": "user", "content": told}] if isinstance(told, str) else list(told or [])


def _items(items: list[Json]) -> list[Item]:
    """What stands between two other things is one turn of the assistant's."""
    talk = Talk()
    words, calls = "", []
    for item in [*items, {"type": "end"}]:
        kind = item.get("type") or "message"
        if kind == "message" and item["role"] == "assistant":
            words += "".join(_texts(item["content"]))
        elif kind in ("function_call", "custom_tool_call"):
            calls.append(_asked_call(item))
        elif kind != "reasoning":
            if words or calls:
                talk.assistant(words, calls)
                words, calls = "", []
            _other_item(talk, kind, item)
    return talk.flush()


def _other_item(talk: Talk, kind: str, item: Json) -> None:
    match kind:
        case "message" if item["role"] == "user":
            for part in _parts(item["content"]):
                _user_part(talk, part)
        case "message":
            talk.system("\n\n".join(_texts(item["content"])))
        case "function_call_output" | "custom_tool_call_output":
            talk.result(item["call_id"], "".join(_texts(item["output"])))
        case "end":
            pass
        case other:
            raise AssertionError(f"an item of kind {other}")


def _parts(content: Any) -> list[Json]:
    return [{"type": "input_text", "text": content}] if isinstance(content, str) else content or []


def _texts(content: Any) -> list[str]:
    return [part["text"] for part in _parts(content)]


def _user_part(talk: Talk, part: Json) -> None:
    if part["type"] == "input_image":
        talk.user("image", part["image_url"].rpartition("base64,")[2])
    else:
        talk.user("text", part["text"])


def _asked_call(item: Json) -> tuple[str, str, Any]:
    return item["call_id"], _called(item), _arguments(item)


def _called(item: Json) -> str:
    return "__".join(filter(None, (item.get("namespace"), item["name"])))


def _arguments(item: Json) -> Any:
    return {"input": item["input"]} if item["type"] == "custom_tool_call" else parsed(item["arguments"])


def _add_tools(asked: Asked, tools: list[Json], prefix: str = "") -> None:
    for tool in tools:
        match tool["type"]:
            case "function":
                described = tool.get("description") or "", tool.get("parameters") or {}
                asked.tools[prefix + tool["name"]] = described
            case "custom":
                asked.free[prefix + tool["name"]] = tool.get("description") or ""
            case "namespace":
                _add_tools(asked, tool["tools"], f"{tool['name']}__")
            case hosted:
                asked.hosted.append("web_search" if hosted.startswith("web_search") else hosted)


def _choice(choice: Any) -> Any:
    if isinstance(choice, dict):
        return ("named", choice["name"])
    return "any" if choice == "required" else choice


# --- answers


def read_answer(body: Json) -> Meaning:
    """A `response`."""
    meaning = Meaning(counts=_counts(body.get("usage")))
    for item in body["output"]:
        match item["type"]:
            case "message":
                for part in item["content"]:
                    _content(meaning, part)
            case "reasoning":
                meaning.reasoning += "\n\n".join(p["text"] for p in [*item["summary"], *(item.get("content") or [])])
            case "function_call" | "custom_tool_call":
                meaning.calls.append((item["name"], _arguments(item)))
                meaning.call_ids.append(item["call_id"])
            case other:
                meaning.beyond.add(BEYOND.get(other, "hosted tools"))
    meaning.stop = _stop(body, meaning)
    return meaning


# Items that are neither words nor calls of functions -> what they are. All others are what a hosted tool did.
BEYOND = {
    "compaction": "compaction",
    "apply_patch_call": "caller's own hosted tool",
    "local_shell_call": "caller's own hosted tool",
    "mcp_approval_request": "approval",
    "image_generation_call": "picture",
}


def _content(meaning: Meaning, part: Json) -> None:
    if part["type"] == "refusal":
        meaning.refusal += part["refusal"]
        meaning.stop = "refusal"
        return
    meaning.text += part["text"]
    for note in part.get("annotations") or []:
        if note.get("url") and note["url"] not in meaning.sources:
            meaning.sources.append(note["url"])
        elif not note.get("url"):
            meaning.beyond.add("sources of a file")
    if part.get("logprobs"):
        meaning.beyond.add("logprobs")


def _stop(body: Json, meaning: Meaning) -> str:
    """translation.md 3.2, "decode"."""
    match body["status"]:
        case "completed":
            return "tool_calls" if meaning.calls else meaning.stop or "end"
        case "incomplete":
            reason = body["incomplete_details"]["reason"]
            return {"max_output_tokens": "length", "content_filter": "content_filter"}[reason]
        case other:
            raise Cut(f"the answer is {other}")


def _counts(usage: Json | None) -> Counts | None:
    if not usage:
        return None
    inside, outside = usage.get("input_tokens_details") or {}, usage.get("output_tokens_details") or {}
    prompt, cached = usage["input_tokens"], inside.get("cached_tokens")
    return Counts(
        max(prompt, cached or 0),
        cached,
        inside.get("cache_write_tokens"),
        usage["output_tokens"],
        outside.get("reasoning_tokens"),
    )


# --- streams


def fold(raw: bytes) -> Json:
    """The `response` that a stream of events tells: its last event, with the items that were said to be done. Raises
    Cut."""
    done: dict[int, Json] = {}
    for _, data in frames(raw):
        event = json.loads(data) if data != "[DONE]" else {"type": "end mark"}
        match event["type"]:
            case "response.output_item.done":
                done[event["output_index"]] = event["item"]
            case "error" | "response.failed":
                raise Cut(str(event.get("error") or event.get("message") or event["response"].get("error")))
            case "response.completed" | "response.incomplete":
                items = [done[index] for index in sorted(done)]
                return {**event["response"], "output": items or event["response"]["output"]}
    raise Cut("no terminal event")


def check_lifecycle(raw: bytes) -> None:
    """The order that 4.1 gives a stream that we write: numbered without a gap, named, one item open at a time, its
    deltas equal to what is said to be done, and the end holding exactly that."""
    events = []
    for number, (name, data) in enumerate(frames(raw)):
        event = json.loads(data)
        assert name == event["type"], f"the event line says {name}, its data {event['type']}"
        assert event["sequence_number"] == number, f"{name} is number {event['sequence_number']}, not {number}"
        events.append(event)
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    assert events[-1]["type"] in ENDS
    done = _checked_items(events)
    assert events[-1]["response"]["output"] == done


def _checked_items(events: list[Json]) -> list[Json]:
    open_item: Json | None = None
    done: list[Json] = []
    pieces: dict[str, str] = {}
    for event in events:
        match event["type"]:
            case "response.output_item.added":
                assert open_item is None, "an item begins inside another"
                assert event["output_index"] == len(done)
                open_item, pieces = event["item"], {}
            case "response.output_item.done":
                assert open_item is not None
                assert (event["item"]["id"], event["output_index"]) == (open_item["id"], len(done))
                done.append(event["item"])
                open_item = None
            case kind if kind.endswith(".delta"):
                where = f"{kind[:-6]} {event.get('content_index', event.get('summary_index'))}"
                pieces[where] = pieces.get(where, "") + event["delta"]
            case kind if f"{kind[:-5]} {event.get('content_index', event.get('summary_index'))}" in pieces:
                said = next(event[name] for name in ("text", "refusal", "arguments", "input", "code") if name in event)
                assert said == pieces[f"{kind[:-5]} {event.get('content_index', event.get('summary_index'))}"]
    assert open_item is None, "an item was never done"
    return done
