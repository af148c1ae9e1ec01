"""A Chat Completions upstream that checks what it gets and answers as its mind says."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.fakes.answers import error_in_stream
from tests.fakes.chat_rules import Json, is_thinker, read
from tests.fakes.mind import Answer, Ask, Fault, Mind, ToolUse
from tests.fakes.strict import Refused, as_stream, fragments, require
from tests.fakes.upstream import Script, Seen, answer_json

KEY = "sk-upstream-chat"
_TYPES = {429: "requests"}
_CODES = {404: "model_not_found", 429: "rate_limit_exceeded"}
_FINISH = {
    "end": "stop", "calls": "tool_calls", "length": "length", "stop": "stop", "refusal": "stop",
    "filter": "content_filter", "blocked": "content_filter",
}  # fmt: skip


class StrictChat:
    """Use one object as the `default` of a ScriptedUpstream."""

    def __init__(self, mind: Callable[[Ask], Answer | Fault] | None = None) -> None:
        self.mind = mind or Mind()
        self.refused: list[str] = []
        """What was wrong with requests, for a test's message."""
        self.thoughts: dict[str, str] = {}
        self._count = itertools.count(1)

    def __call__(self, seen: Seen) -> Script:
        try:
            require(seen.path == "/v1/chat/completions" and seen.method == "POST", f"no such path: {seen.path}")
            require(seen.headers.get("authorization") == f"Bearer {KEY}", "not the upstream's own key")
            ask = read(seen, self.thoughts)
            answer = self.mind(ask)
        except Refused as no:
            self.refused.append(no.message)
            return _error(no.status, no.message)
        if isinstance(answer, Fault):
            headers = {} if answer.retry_after is None else {"retry_after": str(answer.retry_after)}
            return _error(answer.status, answer.message, **headers)
        return self._answer(ask, answer)

    def _answer(self, ask: Ask, answer: Answer) -> Script:
        head = {
            "id": f"chatcmpl-strict{next(self._count):06d}",
            "created": 1760000000,
            "model": f"{ask.model}-2026-01-01",
            "service_tier": "default",
            "system_fingerprint": "fp_strict",
        }
        calls = [{"id": f"call_strict{next(self._count):017d}", **_called(ask, call)} for call in answer.calls]
        if answer.thinking:
            self.thoughts |= {call["id"]: "".join(answer.thinking) for call in calls}
        if not ask.body.get("stream"):
            return answer_json(_whole(head, ask, answer, calls), x_request_id="req_strict")
        return as_stream(_chunks(head, ask, answer, calls), answer)


def _called(ask: Ask, use: ToolUse) -> Json:
    custom = [tool["custom"]["name"] for tool in ask.body.get("tools", []) if tool["type"] == "custom"]
    if use.name in custom:
        return {"type": "custom", "custom": {"name": use.name, "input": use.arguments["input"]}}
    arguments = json.dumps(use.arguments, ensure_ascii=False)
    return {"type": "function", "function": {"name": use.name, "arguments": arguments}}


def _whole(head: Json, ask: Ask, answer: Answer, calls: list[Json]) -> Json:
    words = "".join(answer.text)
    refused = answer.finish == "refusal"
    message: Json = {"role": "assistant", "content": words or None, "refusal": None, "annotations": []}
    if refused:
        message |= {"content": None, "refusal": words}
    if answer.thinking:
        message["reasoning_content"] = "".join(answer.thinking)
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _FINISH[answer.finish]}
    return {**head, "object": "chat.completion", "choices": [choice], "usage": _usage(ask, answer)}


def _chunks(head: Json, ask: Ask, answer: Answer, calls: list[Json]) -> Iterator[bytes]:
    wants_usage = (ask.body.get("stream_options") or {}).get("include_usage")

    def frame(choices: list[Json], usage: Json | None = None) -> bytes:
        chunk = {**head, "object": "chat.completion.chunk", "choices": choices}
        if wants_usage:
            chunk["usage"] = usage
        return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"

    def delta(finish: str | None = None, **fields: Any) -> bytes:
        return frame([{"index": 0, "delta": fields, "logprobs": None, "finish_reason": finish}])

    yield delta(role="assistant", content="", refusal=None)
    for piece in answer.thinking:
        yield delta(reasoning_content=piece)
    for piece in answer.text:
        yield delta(refusal=piece) if answer.finish == "refusal" else delta(content=piece)
    if answer.ends == "error":
        yield error_in_stream("openai-chat")
    if answer.ends != "done":
        return
    for fragment in _fragments(calls, interleaved=answer.interleaved):
        yield delta(tool_calls=[fragment])
    yield delta(_FINISH[answer.finish])
    if wants_usage:
        yield frame([], _usage(ask, answer))
    yield b"data: [DONE]\n\n"


def _fragments(calls: list[Json], *, interleaved: bool) -> Iterator[Json]:
    """The pieces of the calls, one call after the other or in turns (index 0, 1, 0, 1)."""
    each: list[list[Json]] = []
    for index, call in enumerate(calls):
        kind, word = ("custom", "input") if call["type"] == "custom" else ("function", "arguments")
        first, *rest = fragments(call[kind][word])
        opening = {"index": index, **call, kind: {"name": call[kind]["name"], word: first}}
        each.append([opening, *[{"index": index, kind: {word: piece}} for piece in rest]])
    if interleaved:
        for row in itertools.zip_longest(*each):
            yield from (piece for piece in row if piece is not None)
    else:
        yield from itertools.chain(*each)


def _usage(ask: Ask, answer: Answer) -> Json:
    prompt = answer.fresh + answer.cache_read
    usage: Json = {
        "prompt_tokens": prompt,
        "completion_tokens": answer.output,
        "total_tokens": prompt + answer.output,
        "prompt_tokens_details": {"cached_tokens": answer.cache_read, "audio_tokens": 0},
    }
    if is_thinker(ask.model):
        usage["completion_tokens_details"] = {"reasoning_tokens": 2 if answer.thinking else 0}
    return usage


def _error(status: int, message: str, **headers: str) -> Script:
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    error = {"message": message, "type": kind, "param": None, "code": _CODES.get(status)}
    return answer_json({"error": error}, status, **headers)
