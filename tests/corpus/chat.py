"""Chat Completions, read the plain way: requests, answers, streams. Independent of the product's parsers."""

from __future__ import annotations

from typing import Any

from tests.corpus.asking import Asked, Item, Talk
from tests.corpus.folding import Cut, payloads
from tests.corpus.meaning import Counts, Meaning, parsed

Json = dict[str, Any]

# translation.md 3.2, "decode".
STOPS = {
    "stop": "end",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "length": "length",
    "content_filter": "content_filter",
    "eos": "end",  # Together
}

# --- requests


def read_request(body: Json) -> Asked:
    """A body of `/v1/chat/completions`."""
    messages = list(body["messages"])
    leading = []
    while messages and messages[0]["role"] in ("system", "developer"):
        leading += _texts(messages.pop(0))
    tools = body.get("tools") or []
    asked = Asked(
        system="\n\n".join(leading),
        items=_items(messages),
        tools=dict(_tool(tool) for tool in tools if tool["type"] == "function"),
        free={tool["custom"]["name"]: tool["custom"].get("description") or "" for tool in tools if "custom" in tool},
        hosted=["web_search"] if "web_search_options" in body else [],
        choice=_choice(body.get("tool_choice")),
        stream=bool(body.get("stream")),
        limit=body.get("max_completion_tokens") or body.get("max_tokens"),
        stop=[body["stop"]] if isinstance(body.get("stop"), str) else body.get("stop") or [],
    )
    for old in body.get("functions") or []:
        asked.tools[old["name"]] = (old.get("description") or "", old.get("parameters") or {})
    if old_choice := body.get("function_call"):
        asked.choice = old_choice if isinstance(old_choice, str) else ("named", old_choice["name"])
    asked.sampling = {name: body[name] for name in ("temperature", "top_p") if body.get(name) is not None}
    asked.schema = ((body.get("response_format") or {}).get("json_schema") or {}).get("schema")
    effort = body.get("reasoning_effort")
    asked.thinks = None if effort is None else effort != "none"
    return asked


def _items(messages: list[Json]) -> list[Item]:
    talk = Talk()
    for message in messages:
        match message["role"]:
            case "user":
                for part in _parts(message):
                    _user_part(talk, part)
            case "assistant":
                talk.assistant("".join(_texts(message)), [_asked_call(c) for c in message.get("tool_calls") or []])
            case "tool":
                talk.result(message["tool_call_id"], "".join(_texts(message)))
            case _:
                talk.system("\n\n".join(_texts(message)))
    return talk.flush()


def _parts(message: Json) -> list[Json]:
    content = message.get("content") or []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _texts(message: Json) -> list[str]:
    return [part["text"] for part in _parts(message)]


def _user_part(talk: Talk, part: Json) -> None:
    if part["type"] == "image_url":
        talk.user("image", part["image_url"]["url"].rpartition("base64,")[2])
    else:
        talk.user("text", part["text"])


def _asked_call(call: Json) -> tuple[str, str, Any]:
    return call["id"], *_called(call)


def _called(call: Json) -> tuple[str, Any]:
    """Name and arguments; free text is told as the one argument of a call."""
    if "custom" in call:
        return call["custom"]["name"], {"input": call["custom"]["input"]}
    return call["function"]["name"], parsed(call["function"]["arguments"])


def _tool(tool: Json) -> tuple[str, tuple[str, Json]]:
    function = tool["function"]
    return function["name"], (function.get("description") or "", function.get("parameters") or {})


def _choice(choice: Any) -> Any:
    if isinstance(choice, dict):
        return ("named", choice["function"]["name"])
    return "any" if choice == "required" else choice


# --- answers


def read_answer(body: Json) -> Meaning:
    """A `chat.completion`; of several choices the first."""
    choice = body["choices"][0]
    message = choice.get("message") or {}  # Azure leaves it out of a filtered answer
    meaning = Meaning(refusal=message.get("refusal") or "", counts=_counts(body.get("usage")))
    _content(meaning, message.get("content"))
    meaning.reasoning += message.get("reasoning_content") or message.get("reasoning") or ""
    for call in message.get("tool_calls") or []:
        meaning.calls.append(_called(call))
        meaning.call_ids.append(call["id"])
    if old := message.get("function_call"):
        meaning.calls.append((old["name"], parsed(old["arguments"])))
    meaning.stop = _stop(choice["finish_reason"], meaning)
    cited = [note["url_citation"]["url"] for note in message.get("annotations") or []]
    meaning.sources = list(dict.fromkeys([*cited, *(body.get("citations") or [])]))
    if len(body["choices"]) > 1:
        meaning.beyond.add("n")
    if choice.get("logprobs"):
        meaning.beyond.add("logprobs")
    if message.get("images"):
        meaning.beyond.add("picture")
    return meaning


def _content(meaning: Meaning, content: Any) -> None:
    for part in [content] if isinstance(content, str) else content or []:
        if isinstance(part, str):
            meaning.text += part
        elif part["type"] == "thinking":
            meaning.reasoning += "".join(piece["text"] for piece in part["thinking"])
        else:
            meaning.text += part["text"]


def _stop(word: str, meaning: Meaning) -> str:
    """A refusal in words is a `stop` in Chat (3.2)."""
    kind = STOPS[word]
    return "refusal" if kind == "end" and meaning.refusal else kind


def _counts(usage: Json | None) -> Counts | None:
    if not usage:
        return None
    inside, outside = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    prompt, output = usage["prompt_tokens"], usage["completion_tokens"]
    cached = inside.get("cached_tokens", usage.get("cached_tokens", usage.get("prompt_cache_hit_tokens")))
    reasoning = outside.get("reasoning_tokens", usage.get("reasoning_tokens"))
    if reasoning and usage["total_tokens"] == prompt + output + reasoning:  # xAI counts reasoning beside the output
        output += reasoning
    return Counts(max(prompt, cached or 0), cached, inside.get("cache_write_tokens"), output, reasoning)


# --- streams


def fold(raw: bytes) -> Json:
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
    for name in ("annotations", "reasoning_details", "images"):
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
