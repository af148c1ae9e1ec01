"""What an answer means, whichever dialect it is told in. Plain readers, independent of the product's parsers.

Both sides of a translation are read by these: the recorded answer, and what the caller got.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class Counts:
    """Tokens. `prompt` is all of it, cached or not; `output` includes reasoning. None = not told."""

    prompt: int | None = None
    cached: int | None = None
    written: int | None = None
    output: int | None = None
    reasoning: int | None = None


@dataclass
class Meaning:
    """An answer in neutral words."""

    text: str = ""
    """All visible text, joined: Chat cannot say what stood between two calls."""
    reasoning: str = ""
    refusal: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    """(name, parsed arguments) of the caller's own tools, in order. Text that is no JSON stands as it is."""
    call_ids: list[str] = field(default_factory=list)
    stop: str = ""
    """The neutral class of translation.md 3.2."""
    stop_text: str | None = None
    """The stop sequence that matched."""
    counts: Counts | None = None
    sources: list[str] = field(default_factory=list)
    """Addresses cited, each once."""
    beyond: set[str] = field(default_factory=set)
    """What the answer holds besides: words of `losses.ANSWERS`."""


# translation.md 3.2, "decode".
STOPS: dict[str, dict[str, str]] = {
    "openai-chat": {
        "stop": "end",
        "tool_calls": "tool_calls",
        "function_call": "tool_calls",
        "length": "length",
        "content_filter": "content_filter",
        "eos": "end",  # Together
    },
    "anthropic-messages": {
        "end_turn": "end",
        "stop_sequence": "stop_sequence",
        "tool_use": "tool_calls",
        "max_tokens": "length",
        "model_context_window_exceeded": "context_window",
        "refusal": "refusal",
        "pause_turn": "pause",
    },
}


# --- Chat Completions


def read_chat(body: Json) -> Meaning:
    """A `chat.completion`; of several choices the first."""
    choice = body["choices"][0]
    message = choice.get("message") or {}  # Azure leaves it out of a filtered answer
    meaning = Meaning(refusal=message.get("refusal") or "", counts=_chat_counts(body.get("usage")))
    _chat_content(meaning, message.get("content"))
    meaning.reasoning += message.get("reasoning_content") or message.get("reasoning") or ""
    for call in message.get("tool_calls") or []:
        meaning.calls.append((call["function"]["name"], parsed(call["function"]["arguments"])))
        meaning.call_ids.append(call["id"])
    if old := message.get("function_call"):
        meaning.calls.append((old["name"], parsed(old["arguments"])))
    meaning.stop = _chat_stop(choice["finish_reason"], meaning)
    cited = [note["url_citation"]["url"] for note in message.get("annotations") or []]
    meaning.sources = list(dict.fromkeys([*cited, *(body.get("citations") or [])]))
    if len(body["choices"]) > 1:
        meaning.beyond.add("n")
    if choice.get("logprobs"):
        meaning.beyond.add("logprobs")
    return meaning


def _chat_content(meaning: Meaning, content: Any) -> None:
    for part in [content] if isinstance(content, str) else content or []:
        if isinstance(part, str):
            meaning.text += part
        elif part["type"] == "thinking":
            meaning.reasoning += "".join(piece["text"] for piece in part["thinking"])
        else:
            meaning.text += part["text"]


def _chat_stop(word: str, meaning: Meaning) -> str:
    """A refusal in words is a `stop` in Chat (3.2)."""
    kind = STOPS["openai-chat"][word]
    return "refusal" if kind == "end" and meaning.refusal else kind


def _chat_counts(usage: Json | None) -> Counts | None:
    if not usage:
        return None
    inside, outside = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    prompt, output = usage["prompt_tokens"], usage["completion_tokens"]
    cached = inside.get("cached_tokens", usage.get("cached_tokens", usage.get("prompt_cache_hit_tokens")))
    reasoning = outside.get("reasoning_tokens", usage.get("reasoning_tokens"))
    if reasoning and usage["total_tokens"] == prompt + output + reasoning:  # xAI counts reasoning beside the output
        output += reasoning
    return Counts(max(prompt, cached or 0), cached, inside.get("cache_write_tokens"), output, reasoning)


# --- Messages


def read_messages(body: Json) -> Meaning:
    """A `message`."""
    meaning = Meaning(counts=_messages_counts(body.get("usage")))
    for block in body["content"]:
        _BLOCKS.get(block["type"], _hosted)(meaning, block)
    meaning.stop = STOPS["anthropic-messages"][body["stop_reason"]]
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


def _messages_counts(usage: Json | None) -> Counts | None:
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


def parsed(text: str) -> Any:
    """Arguments as a value; no text means no arguments."""
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


READ = {"openai-chat": read_chat, "anthropic-messages": read_messages}
