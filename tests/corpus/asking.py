"""What a request asks for, whichever dialect it is told in. Plain readers, independent of the product's parsers.

The conversation is one flat list of items, in an order both dialects can tell: between two assistant messages first the
results of the calls, then everything else; in an assistant message first its text, joined, then its calls.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.corpus.meaning import parsed

Json = dict[str, Any]
Item = tuple[Any, ...]
"""(who, kind, value...): ("user", "text", words), ("user", "image", data), ("user", "result", number of the call,
words), ("assistant", "text", words), ("assistant", "call", number, name, arguments), ("system", "text", words).
"""


@dataclass
class Asked:
    """A request in neutral words."""

    system: str = ""
    """All leading system and developer texts, a blank line between."""
    items: list[Item] = field(default_factory=list)
    tools: dict[str, tuple[str, Json]] = field(default_factory=dict)
    """name -> (description, JSON Schema of the arguments)"""
    choice: Any = None
    """auto, none, any or (named, name)"""
    schema: Json | None = None
    """Of the answer."""
    stream: bool = False
    limit: int | None = None
    stop: list[str] = field(default_factory=list)
    sampling: Json = field(default_factory=dict)
    thinks: bool | None = None
    """Reasoning asked for; None = not said."""
    thoughts: int = 0
    """Earlier thinking that the caller sends back, in blocks."""


class _Talk:
    """Puts items into the common order."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self._results: list[Item] = []
        self._others: list[Item] = []
        self._numbers: dict[str, int] = {}

    def user(self, kind: str, *value: Any) -> None:
        self._others.append(("user", kind, *value))

    def system(self, words: str) -> None:
        self._others.append(("system", "text", words))

    def result(self, call_id: str, words: str) -> None:
        self._results.append(("user", "result", self._numbers.get(call_id, -1), words))

    def assistant(self, words: str, calls: list[tuple[str, str, Any]]) -> None:
        self.flush()
        if words:
            self.items.append(("assistant", "text", words))
        for call_id, name, arguments in calls:
            self._numbers[call_id] = len(self._numbers)
            self.items.append(("assistant", "call", self._numbers[call_id], name, arguments))

    def flush(self) -> list[Item]:
        self.items += sorted(self._results, key=lambda item: item[2]) + self._others
        self._results, self._others = [], []
        return self.items


# --- Chat Completions


def read_chat(body: Json) -> Asked:
    """A body of `/v1/chat/completions`."""
    messages = list(body["messages"])
    leading = []
    while messages and messages[0]["role"] in ("system", "developer"):
        leading += _chat_texts(messages.pop(0))
    asked = Asked(
        system="\n\n".join(leading),
        items=_chat_items(messages),
        tools={name: described for name, described in map(_chat_tool, body.get("tools") or [])},
        choice=_chat_choice(body.get("tool_choice")),
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


def _chat_items(messages: list[Json]) -> list[Item]:
    talk = _Talk()
    for message in messages:
        match message["role"]:
            case "user":
                for part in _chat_parts(message):
                    _chat_user_part(talk, part)
            case "assistant":
                talk.assistant("".join(_chat_texts(message)), [_chat_call(c) for c in message.get("tool_calls") or []])
            case "tool":
                talk.result(message["tool_call_id"], "".join(_chat_texts(message)))
            case _:
                talk.system("\n\n".join(_chat_texts(message)))
    return talk.flush()


def _chat_parts(message: Json) -> list[Json]:
    content = message.get("content") or []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _chat_texts(message: Json) -> list[str]:
    return [part["text"] for part in _chat_parts(message)]


def _chat_user_part(talk: _Talk, part: Json) -> None:
    if part["type"] == "image_url":
        talk.user("image", part["image_url"]["url"].rpartition("base64,")[2])
    else:
        talk.user("text", part["text"])


def _chat_call(call: Json) -> tuple[str, str, Any]:
    return call["id"], call["function"]["name"], parsed(call["function"]["arguments"])


def _chat_tool(tool: Json) -> tuple[str, tuple[str, Json]]:
    function = tool["function"]
    return function["name"], (function.get("description") or "", function.get("parameters") or {})


def _chat_choice(choice: Any) -> Any:
    if isinstance(choice, dict):
        return ("named", choice["function"]["name"])
    return "any" if choice == "required" else choice


# --- Messages


def read_messages(body: Json) -> Asked:
    """A body of `/v1/messages`."""
    system = body.get("system") or []
    thinking = body.get("thinking")
    effort = (body.get("output_config") or {}).get("effort")
    format_ = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    blocks = [block for message in body["messages"] for block in _blocks(message.get("content"))]
    return Asked(
        system=system if isinstance(system, str) else "\n\n".join(block["text"] for block in system),
        items=_messages_items(body["messages"]),
        tools={
            tool["name"]: (tool.get("description") or "", tool["input_schema"])
            for tool in body.get("tools") or []
            if "input_schema" in tool
        },
        choice=_messages_choice(body.get("tool_choice")),
        schema=format_.get("schema"),
        stream=bool(body.get("stream")),
        limit=body["max_tokens"],
        stop=body.get("stop_sequences") or [],
        sampling={name: body[name] for name in ("temperature", "top_p") if body.get(name) is not None},
        thinks=thinking["type"] != "disabled" if thinking else True if effort else None,
        thoughts=sum(block["type"] == "thinking" for block in blocks),
    )


def _messages_items(messages: list[Json]) -> list[Item]:
    talk = _Talk()
    for message in messages:
        blocks = _blocks(message.get("content"))
        match message["role"]:
            case "user":
                for block in blocks:
                    _messages_user_block(talk, block)
            case "assistant":
                calls = [(b["id"], b["name"], b["input"]) for b in blocks if b["type"] == "tool_use"]
                talk.assistant("".join(b["text"] for b in blocks if b["type"] == "text"), calls)
            case _:
                talk.system("\n\n".join(block["text"] for block in blocks))
    return talk.flush()


def _blocks(content: Any) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content or []


def _messages_user_block(talk: _Talk, block: Json) -> None:
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


def _messages_choice(choice: Json | None) -> Any:
    if choice is None:
        return None
    return ("named", choice["name"]) if choice["type"] == "tool" else choice["type"]


READ = {"openai-chat": read_chat, "anthropic-messages": read_messages}
