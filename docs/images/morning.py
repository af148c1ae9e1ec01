"""An invented morning at a small company, for the screenshots: who asked what, and what the scripted upstreams said."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.fakes import answers
from tests.fakes.upstream import Script, ScriptedUpstream, answer_json, answer_sse

KEYS = {
    ("atlas-web", "production"): "sk-dg-images-atlas-production",
    ("support-bot", "production"): "sk-dg-images-support-production",
    ("mira", "laptop"): "sk-dg-images-mira-laptop",
    ("nightly-evals", "ci"): "sk-dg-images-evals-ci",
}
FEATURED = "anthropic-eu"
"""Stands in the row of one request alone: the one that is shown in full."""
AGENTS = {
    "atlas-web": "Anthropic/JS 0.71.0",
    "support-bot": "OpenAI/Python 2.8.1",
    "mira": "OpenAI/Python 2.8.1",
    "nightly-evals": "python-httpx/0.28.1",
}


def configuration(urls: Mapping[str, str]) -> dict[str, Any]:
    """The declarative document; `urls` are the scripted upstreams' addresses by name."""
    key = {"name": "main", "value": "sk-invented-upstream-key"}
    kinds = {"anthropic": "anthropic", "anthropic-eu": "anthropic", "openai": "openai", "gpu-box": "openai_compatible"}
    clients: dict[str, dict[str, Any]] = {}
    for (client, name), value in KEYS.items():
        clients.setdefault(client, {"name": client, "keys": []})["keys"].append({"name": name, "value": value})
    clients["nightly-evals"]["limits"] = {"rpm": 6}
    return {
        "upstreams": [
            {"name": name, "kind": kind, "base_url": urls[name], "keys": [key], "retries": 1}
            for name, kind in kinds.items()
        ],
        "models": [
            {
                "name": "claude-sonnet-4-5",
                "aliases": ["sonnet", "claude-sonnet-4-5-20250929"],
                "max_output_tokens": 32000,
                "routes": [
                    {"upstream": "anthropic", "model": "claude-sonnet-4-5-20250929", "weight": 3},
                    {"upstream": "anthropic-eu", "model": "claude-sonnet-4-5-20250929", "priority": 1},
                ],
            },
            {"name": "claude-haiku-4-5", "routes": [{"upstream": "anthropic", "model": "claude-haiku-4-5-20251001"}]},
            {"name": "gpt-5-mini", "routes": [{"upstream": "openai"}]},
            {"name": "qwen3-coder", "routes": [{"upstream": "gpu-box", "model": "qwen3-coder-30b-a3b"}]},
        ],
        "clients": list(clients.values()),
    }


# --- what upstreams say ----------------------------------------------------------------------------------------------


def message(text: str, fresh: int, output: int, cached: int = 0, wait: float = 0.4) -> Script:
    body = answers.whole("anthropic-messages", text)
    body["usage"] = {"input_tokens": fresh, "cache_read_input_tokens": cached, "cache_creation_input_tokens": 0,
                     "output_tokens": output}  # fmt: skip
    return _after(answer_json(body, request_id="req_011CVexample"), wait)


def message_stream(text: str, fresh: int, output: int, cached: int = 0, wait: float = 0.4) -> Script:
    start, block, *_, stop, delta, end = answers.stream("anthropic-messages")
    opening = json.loads(start.split(b"data: ")[1])
    opening["message"]["usage"] = {"input_tokens": fresh, "cache_read_input_tokens": cached,
                                   "cache_creation_input_tokens": 0, "output_tokens": 1}  # fmt: skip
    words = [
        answers.event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": f"{word} "}})
        for word in text.split()
    ]
    delta = delta.replace(b'"output_tokens":4', b'"output_tokens":%d' % output)
    return answer_sse([answers.event(opening), block, *words, stop, delta, end], pause=0.04, before_head=wait)


def chat(text: str, prompt: int, output: int, cached: int = 0, wait: float = 0.4) -> Script:
    body = answers.whole("openai-chat", text)
    body["usage"] = _chat_usage(prompt, output, cached)
    return _after(answer_json(body), wait)


def chat_stream(text: str, prompt: int, output: int, cached: int = 0, wait: float = 0.3, cut_at: int = 0) -> Script:
    """With `cut_at`, an error after so many words."""
    opening, *_, finish, usage, done = answers.stream("openai-chat")
    body = json.loads(usage[6:]) | {"usage": _chat_usage(prompt, output, cached)}
    words = [answers.chunk({"content": f"{word} "}) for word in text.split()]
    closing = [finish, b"data: " + json.dumps(body).encode() + b"\n\n", done]
    if cut_at:
        words, closing = words[:cut_at], [answers.error_in_stream("openai-chat", "CUDA out of memory")]
    return answer_sse([opening, *words, *closing], pause=0.04, before_head=wait)


def overloaded(wait: float) -> Script:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    return _after(answer_json(error, 529), wait)


def _chat_usage(prompt: int, output: int, cached: int) -> dict[str, Any]:
    details = {"prompt_tokens_details": {"cached_tokens": cached}} if cached else {}
    return {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output, **details}


def _after(script: Script, seconds: float) -> Script:
    script.before_head = seconds
    return script


# --- who asks what ---------------------------------------------------------------------------------------------------


@dataclass
class Ask:
    """One request. `minutes`: its age in the picture."""

    minutes: float
    client: str
    model: str
    text: str
    upstream: str = ""
    says: list[Script] = field(default_factory=list)
    stream: bool = False
    more: dict[str, Any] = field(default_factory=dict)
    hangs_up: bool = False


SUPPORT = "A customer writes: my invoice of October was charged twice. Draft a friendly answer."
REVIEW = "Review the attached diff for mistakes in the handling of time zones."
DRAFT = "I am sorry about the double charge. I have asked our billing team to return the second payment today, and you \
will see it within three working days."
FINDING = "The conversion drops the offset: a naive datetime is compared with an aware one in line 48, so the check \
fails on the two days a year when clocks change."
ORDERS_TOOL = {
    "type": "function",
    "function": {
        "name": "find_orders",
        "description": "Orders of a customer in a span of days.",
        "parameters": {
            "type": "object",
            "properties": {"customer": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["customer"],
        },
    },
}


def morning() -> list[Ask]:
    """The oldest first."""
    early = [
        Ask(74, "atlas-web", "claude-sonnet-4-5", REVIEW, "anthropic",
            [message_stream(FINDING, 1308, 812, 16896, 0.6)], True),
        Ask(71, "support-bot", "claude-haiku-4-5", SUPPORT, "anthropic", [message(DRAFT, 642, 58, wait=0.5)]),
        Ask(66, "mira", "gpt-5-mini", "Explain this stack trace.", "openai",
            [chat_stream(FINDING, 2210, 341, 1920, 0.4)], True),
    ]  # fmt: skip
    evals = [
        Ask(52 - 0.1 * number, "nightly-evals", "qwen3-coder", f"Case {number}: write the missing function.", "gpu-box",
            [chat("def solve(rows): return sorted(set(rows))", 902 + 37 * number, 118 + number, wait=0.25)])
        for number in range(1, 7)
    ]  # fmt: skip
    refused = Ask(51.2, "nightly-evals", "qwen3-coder", "Case 7: write the missing function.")
    late = [
        Ask(37, "atlas-web", "claude-sonnet-4-5", REVIEW, "anthropic",
            [message_stream(FINDING, 412, 655, 20480, 0.7)], True),
        Ask(33, "support-bot", "claude-haiku-4-5", SUPPORT, "anthropic", [message(DRAFT, 655, 61, wait=0.45)]),
        Ask(29, "mira", "qwen3-coder", "Port this loop to numpy.", "gpu-box",
            [chat_stream(FINDING, 1480, 96, cut_at=6)], True),
        Ask(28.6, "mira", "qwen3-coder", "Port this loop to numpy.", "gpu-box",
            [chat_stream(FINDING, 1480, 402)], True),
        Ask(21, "atlas-web", "claude-sonnet-4-5", REVIEW, "anthropic",
            [message_stream(FINDING, 388, 731, 21504, 0.5)], True, hangs_up=True),
        Ask(16, "support-bot", "claude-haiku-4.5", SUPPORT),
        Ask(15.5, "support-bot", "claude-haiku-4-5", SUPPORT, "anthropic", [message(DRAFT, 648, 57, wait=0.6)]),
        Ask(9, "mira", "gpt-5-mini", "Name three risks of this migration.", "openai",
            [chat("Locks, a long backfill, and readers of the old column.", 5120, 204, 4864, 0.8)]),
        featured(),
        Ask(1.1, "atlas-web", "claude-sonnet-4-5", REVIEW, "anthropic",
            [message_stream(FINDING, 530, 698, 23552, 0.6)], True),
        Ask(0.2, "support-bot", "claude-haiku-4-5", SUPPORT, "anthropic", [message(DRAFT, 671, 63, wait=0.5)]),
    ]  # fmt: skip
    return [*early, *evals, refused, *late]


def featured() -> Ask:
    """A Chat request that is translated to Messages, loses two settings, and finds its first upstream overloaded."""
    more = {
        "temperature": 0.2,
        "seed": 7,
        "frequency_penalty": 0.3,
        "max_completion_tokens": 600,
        "tools": [ORDERS_TOOL],
        "stream_options": {"include_usage": True},
    }
    return Ask(4, "mira", "sonnet", SUPPORT, "anthropic-eu", [message_stream(DRAFT, 1184, 47, 0, 0.7)], True, more)


def play(url: str, upstreams: Mapping[str, ScriptedUpstream]) -> list[float]:
    """Asks everything, one after the other. The ages in seconds that the requests shall have, the oldest first."""
    asks = morning()
    for ask in asks:
        if ask.upstream == FEATURED:
            upstreams["anthropic"].then(overloaded(0.21), overloaded(0.18))
        if ask.upstream:
            upstreams[ask.upstream].then(*ask.says)
        _ask(url, ask)
    return [ask.minutes * 60 for ask in asks]


def _ask(url: str, ask: Ask) -> None:
    key = next(value for (client, _), value in KEYS.items() if client == ask.client)
    body: dict[str, Any] = {"model": ask.model, "messages": [{"role": "user", "content": ask.text}], **ask.more}
    headers = {"content-type": "application/json", "user-agent": AGENTS[ask.client]}
    if ask.stream:
        body["stream"] = True
    if ask.client == "atlas-web":
        path, body["max_tokens"] = "/v1/messages", 2048
        headers |= {"x-api-key": key, "anthropic-version": "2023-06-01"}
    else:
        path = "/v1/chat/completions"
        headers |= {"authorization": f"Bearer {key}"}
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.request("POST", path, json.dumps(body), headers)
    response = connection.getresponse()
    if ask.hangs_up:
        response.read(400)
        if connection.sock is not None:
            connection.sock.close()
        time.sleep(1)
    else:
        response.read()
    connection.close()
