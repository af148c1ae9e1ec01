"""A Messages upstream that checks what it gets, remembers what it signed, and answers as its mind says."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.fakes.answers import error_in_stream, event
from tests.fakes.messages_rules import Json, Proofs, read
from tests.fakes.mind import Answer, Ask, Fault, Mind
from tests.fakes.strict import Refused, as_stream, fragments, require
from tests.fakes.upstream import Script, Seen, answer_json

KEY = "sk-upstream-messages"
_TYPES = {400: "invalid_request_error", 404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}
_STOP = {
    "end": "end_turn", "calls": "tool_use", "length": "max_tokens", "stop": "stop_sequence", "refusal": "refusal",
    "filter": "refusal", "blocked": "refusal",
}  # fmt: skip


class StrictMessages:
    """Use one object as the `default` of a ScriptedUpstream. `proofs` may be filled with signatures made elsewhere."""

    def __init__(self, mind: Callable[[Ask], Answer | Fault] | None = None) -> None:
        self.mind = mind or Mind()
        self.proofs: Proofs = {}
        self.refused: list[str] = []
        """What was wrong with requests, for a test's message."""
        self._threads: dict[str, Json] = {}
        self._count = itertools.count(1)

    def __call__(self, seen: Seen) -> Script:
        try:
            counts = seen.path.partition("?")[0] == "/v1/messages/count_tokens"
            require((seen.path == "/v1/messages" or counts) and seen.method == "POST", f"no such path: {seen.path}")
            require(seen.headers.get("x-api-key") == KEY, "not the upstream's own key")
            body = self._with_history(seen.body)
            if counts:
                require("max_tokens" not in body and "stream" not in body, "max_tokens: Extra inputs are not permitted")
                read(seen, {**body, "max_tokens": 2**20}, self.proofs)
                return answer_json({"input_tokens": len(seen.raw) // 4})
            ask = read(seen, body, self.proofs)
            answer = self.mind(ask)
        except Refused as no:
            self.refused.append(no.message)
            return _error(no.status, no.message, **no.details)
        if isinstance(answer, Fault):
            headers = {} if answer.retry_after is None else {"retry_after": str(answer.retry_after)}
            return answer_json(_error_body(answer.status, answer.message), answer.status, **headers)
        return self._answer(ask, answer, body, held="thread" in seen.body)

    def _with_history(self, body: Json) -> Json:
        """A thread's continuation with what the server holds of it."""
        thread = body.get("thread") or {}
        if thread.get("type") != "continue":
            return body
        held = self._threads.get(thread["previous_message_id"])
        if held is None:
            raise Refused("no such thread", 404, error_code="thread_not_found")
        require("system" not in body and "tools" not in body, "thread: `system` and `tools` stay with the thread")
        return {**held, **body, "messages": held["messages"] + body["messages"]}

    def _answer(self, ask: Ask, answer: Answer, body: Json, *, held: bool) -> Script:
        message = {
            "id": f"msg_strict{next(self._count):018d}",
            "type": "message",
            "role": "assistant",
            "model": f"{ask.model}-20260101",
            "content": list(self._content(ask, answer)),
            "stop_reason": _STOP[answer.finish],
            "stop_sequence": answer.stop_sequence,
            "usage": _usage(answer),
        }
        if held:
            said = [*body["messages"], {"role": "assistant", "content": message["content"]}]
            self._threads[message["id"]] = {**body, "messages": said}
        if not ask.body.get("stream"):
            return answer_json(message, request_id="req_strict")
        script = as_stream(_events(message, answer), answer)
        script.headers["request-id"] = "req_strict"
        return script

    def _content(self, ask: Ask, answer: Answer) -> Iterator[Json]:
        if answer.thinking:
            words = "".join(answer.thinking)
            signature = self._signature(words)
        if answer.thinking and answer.redacted:
            yield {"type": "redacted_thinking", "data": signature}
        elif answer.thinking:
            settings = ask.body.get("thinking", {})
            default = "summarized" if settings.get("type") == "enabled" else "omitted"
            shown = settings.get("display", default) != "omitted"
            yield {"type": "thinking", "thinking": words if shown else "", "signature": signature}
        if answer.text:
            yield {"type": "text", "text": "".join(answer.text)}
        for call in answer.calls:
            call_id = f"toolu_strict{next(self._count):015d}"
            yield {"type": "tool_use", "id": call_id, "name": call.name, "input": call.arguments}

    def _signature(self, words: str) -> str:
        made = hashlib.sha512(f"{next(self._count)} {words}".encode()).digest()
        signature = "Er" + base64.b64encode(made * 3).decode()
        self.proofs[signature] = words
        return signature


def _events(message: Json, answer: Answer) -> Iterator[bytes]:
    start = {**message, "content": [], "stop_reason": None, "stop_sequence": None}
    start["usage"] = {**message["usage"], "output_tokens": 1}
    yield event({"type": "message_start", "message": start})
    yield event({"type": "ping"})
    for index, block in enumerate(message["content"]):
        yield from _block(index, block, answer)
        if block["type"] == "text" and answer.ends == "error":
            yield error_in_stream("anthropic-messages")
            return
        if block["type"] == "text" and answer.ends == "cut":
            return
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"]}
    yield event({"type": "message_delta", "delta": delta, "usage": {"output_tokens": answer.output}})
    yield event({"type": "message_stop"})


def _block(index: int, block: Json, answer: Answer) -> Iterator[bytes]:
    empty, deltas = _pieces(block, answer)
    yield event({"type": "content_block_start", "index": index, "content_block": empty})
    for delta in deltas:
        yield event({"type": "content_block_delta", "index": index, "delta": delta})
    yield event({"type": "content_block_stop", "index": index})


def _pieces(block: Json, answer: Answer) -> tuple[Json, list[Json]]:
    match block["type"]:
        case "text":
            return {**block, "text": ""}, [{"type": "text_delta", "text": piece} for piece in answer.text]
        case "redacted_thinking":
            return block, []
        case "thinking":
            shown = answer.thinking if block["thinking"] else []
            deltas: list[Json] = [{"type": "thinking_delta", "thinking": piece} for piece in shown]
            proof = {"type": "signature_delta", "signature": block["signature"]}
            return {**block, "thinking": "", "signature": ""}, [*deltas, proof]
        case _:
            words = fragments(json.dumps(block["input"], ensure_ascii=False)) if block["input"] else [""]
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in words]


def _usage(answer: Answer) -> Json:
    return {
        "input_tokens": answer.fresh,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": answer.cache_read,
        "output_tokens": answer.output,
        "service_tier": "standard",
    }


def _error_body(status: int, message: str, **details: Any) -> Json:
    error: Json = {"type": _TYPES.get(status, "api_error"), "message": message}
    if details:
        error["details"] = details
    return {"type": "error", "error": error, "request_id": "req_strict"}


def _error(status: int, message: str, **details: Any) -> Script:
    return answer_json(_error_body(status, message, **details), status, request_id="req_strict")
