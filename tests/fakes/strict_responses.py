"""A Responses upstream that checks what it gets, keeps what it may, and answers as its mind says, also as a stream."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Callable
from typing import Any

from tests.fakes.embeddings import answer_embeddings
from tests.fakes.mind import Answer, Ask, Fault, Mind, ToolUse
from tests.fakes.responses_items import Json, Proof, Proofs
from tests.fakes.responses_rules import read
from tests.fakes.responses_stream import frames
from tests.fakes.responses_tools import BETWEEN
from tests.fakes.strict import Refused, as_stream, require
from tests.fakes.upstream import Script, Seen, answer_json

KEY = "sk-upstream-responses"
_ENDS = {"length": "max_output_tokens", "filter": "content_filter"}


class StrictResponses:
    """Use one object as the `default` of a ScriptedUpstream. `proofs` may be filled with contents encrypted elsewhere;
    two objects that share `proofs` are two organisations of one service."""

    def __init__(
        self, mind: Callable[[Ask], Answer | Fault] | None = None, key: str = KEY, proofs: Proofs | None = None
    ) -> None:
        self.mind = mind or Mind()
        self.key = key
        self.proofs: Proofs = {} if proofs is None else proofs
        self.refused: list[str] = []
        """What was wrong with requests, for a test's message."""
        self.forgotten: list[str] = []
        """Calls that came back without the reasoning that led to them: taken, but it costs quality."""
        self.stored: dict[str, Json] = {}
        """Response id -> {"response", "input", "items"}."""
        self._count = itertools.count(1)

    def __call__(self, seen: Seen) -> Script:
        try:
            require(seen.headers.get("authorization") == f"Bearer {self.key}", "not the upstream's own key")
            path = seen.path.removeprefix("/v1").partition("?")[0]
            if seen.method == "POST" and path == "/embeddings":
                return answer_embeddings(seen)
            if seen.method == "POST" and path in ("/responses", "/responses/input_tokens"):
                return self._respond(seen, counts=path.endswith("/input_tokens"))
            return self._keep(seen.method, path)
        except Refused as no:
            self.refused.append(no.message)
            return error(no.status, no.message, **no.details)

    def _respond(self, seen: Seen, *, counts: bool) -> Script:
        body = seen.body
        held = self._held(body.get("previous_response_id"))
        ask = read(seen, body, held, self.proofs, self.key)
        given = body["input"]
        given = [{"type": "message", "role": "user", "content": given}] if isinstance(given, str) else given
        self._look_for_reasoning([*held, *given])
        if counts:
            require("stream" not in body, "Unknown parameter: 'stream'.")
            return answer_json({"object": "response.input_tokens", "input_tokens": len(seen.raw) // 4})
        answer = self.mind(ask)
        if isinstance(answer, Fault):
            headers = {} if answer.retry_after is None else {"retry_after": str(answer.retry_after)}
            code = "rate_limit_exceeded" if answer.status == 429 else None
            return error(answer.status, answer.message, code=code, headers=headers)
        response = self._response(ask, answer)
        if body.get("store") is not False:
            items = [*held, *given, *response["output"]]
            self.stored[response["id"]] = {"response": response, "input": given, "items": items}
        if body.get("stream"):
            script = as_stream(frames(response, answer), answer)
            script.headers["x-request-id"] = "req_strict"
            return script
        return answer_json(response, x_request_id="req_strict")

    def _held(self, previous: str | None) -> list[Json]:
        if previous is None:
            return []
        if previous not in self.stored:
            said = f"Previous response with id '{previous}' not found."
            raise Refused(said, param="previous_response_id", code="previous_response_not_found")
        return list(self.stored[previous]["items"])

    def _keep(self, method: str, path: str) -> Script:
        """GET and DELETE of what is stored."""
        _, _, response_id, *more = [*path.split("/"), ""]
        if not path.startswith("/responses/") or response_id not in self.stored:
            raise Refused(f"Response with id '{response_id}' not found.", 404, param="id")
        if method == "DELETE":
            del self.stored[response_id]
            return answer_json({"id": response_id, "object": "response", "deleted": True})
        if more[0] == "input_items":
            data = [{"id": f"msg_{next(self._count)}", **item} for item in self.stored[response_id]["input"]]
            ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]}
            return answer_json({"object": "list", "data": data, "has_more": False, **ends})
        return answer_json(self.stored[response_id]["response"])

    def _look_for_reasoning(self, items: list[Json]) -> None:
        known = {call: content for content, proof in self.proofs.items() for call in proof.calls}
        here = {item.get("encrypted_content") for item in items if item.get("type") == "reasoning"}
        here |= {item.get("id") for item in items if item.get("type") == "reasoning"}
        for item in items:
            content = known.get(item.get("call_id", ""))
            if "output" in item and content is not None and not {content, self.proofs[content].item_id} & here:
                self.forgotten.append(item["call_id"])

    # --- the answer

    def _response(self, ask: Ask, answer: Answer) -> Json:
        body = ask.body
        output = list(self._output(ask, answer))
        why = _ENDS.get(answer.finish)
        reasoning = body.get("reasoning") or {}
        return {
            "id": f"resp_{self._id()}",
            "object": "response",
            "created_at": 1760000000,
            "completed_at": 1760000001,
            "status": "incomplete" if why else "completed",
            "background": False,
            "error": None,
            "incomplete_details": {"reason": why} if why else None,
            "instructions": body.get("instructions"),
            "max_output_tokens": body.get("max_output_tokens"),
            "max_tool_calls": None,
            "model": f"{ask.model}-2026-01-01",
            "output": output,
            "parallel_tool_calls": ask.parallel,
            "previous_response_id": body.get("previous_response_id"),
            "prompt_cache_key": body.get("prompt_cache_key"),
            "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
            "safety_identifier": None,
            "service_tier": "default",
            "store": body.get("store") is not False,
            "temperature": body.get("temperature", 1.0),
            "text": body.get("text") or {"format": {"type": "text"}},
            "tool_choice": body.get("tool_choice") or "auto",
            "tools": body.get("tools") or [],
            "top_logprobs": 0,
            "top_p": body.get("top_p", 1.0),
            "truncation": "disabled",
            "usage": usage(answer),
            "user": None,
            "metadata": body.get("metadata") or {},
        }

    def _output(self, ask: Ask, answer: Answer) -> Any:
        calls = [self._call(ask, call) for call in answer.calls]
        words = "".join(answer.text)
        if answer.thinking and (words or calls):
            yield self._reasoning(ask, answer, [call["call_id"] for call in calls])
        if words:
            part: Json = {"type": "output_text", "annotations": [], "logprobs": [], "text": words}
            if answer.finish == "refusal":
                part = {"type": "refusal", "refusal": words}
            status = "incomplete" if answer.finish in _ENDS else "completed"
            phase = "commentary" if calls else "final_answer"
            made = {"id": f"msg_{self._id()}", "type": "message", "status": status, "role": "assistant"}
            yield {**made, "phase": phase, "content": [part]}
        yield from calls

    def _call(self, ask: Ask, use: ToolUse) -> Json:
        space, between, name = use.name.partition(BETWEEN)
        where = {"namespace": space} if between else {}
        name = name if between else use.name
        made = {"status": "completed", "call_id": f"call_{self._id()[:24]}", "name": name, **where}
        if _is_custom(ask, use.name):
            return {"id": f"ctc_{self._id()}", "type": "custom_tool_call", **made, "input": use.arguments["input"]}
        arguments = json.dumps(use.arguments, ensure_ascii=False)
        return {"id": f"fc_{self._id()}", "type": "function_call", **made, "arguments": arguments}

    def _reasoning(self, ask: Ask, answer: Answer, calls: list[str]) -> Json:
        words = "".join(answer.thinking)
        made = hashlib.sha512(f"{next(self._count)} {words}".encode()).digest()
        encrypted = "gAAAAAB" + base64.urlsafe_b64encode(made * 3).decode()
        item_id = f"rs_{self._id()}"
        self.proofs[encrypted] = Proof(item_id, self.key, calls)
        shown = (ask.body.get("reasoning") or {}).get("summary") and not answer.redacted
        item: Json = {"id": item_id, "type": "reasoning"}
        item["summary"] = [{"type": "summary_text", "text": words}] if shown else []
        if "reasoning.encrypted_content" in (ask.body.get("include") or []):
            item["encrypted_content"] = encrypted
        return item

    def _id(self) -> str:
        return hashlib.sha256(f"{self.key} {next(self._count)}".encode()).hexdigest()[:50]


def _is_custom(ask: Ask, name: str) -> bool:
    offered = list(ask.body.get("tools") or [])
    given = ask.body["input"] if isinstance(ask.body["input"], list) else []
    offered += [tool for item in given if item.get("type") == "additional_tools" for tool in item["tools"]]
    kinds: dict[str, str] = {}
    for tool in offered:
        if tool["type"] == "namespace":
            kinds |= {f"{tool['name']}{BETWEEN}{inner['name']}": inner["type"] for inner in tool["tools"]}
        else:
            kinds[tool.get("name", "")] = tool["type"]
    return kinds.get(name) == "custom"


def usage(answer: Answer) -> Json:
    prompt = answer.fresh + answer.cache_read
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": answer.cache_read, "cache_write_tokens": 0},
        "output_tokens": answer.output,
        "output_tokens_details": {"reasoning_tokens": 2 if answer.thinking else 0},
        "total_tokens": prompt + answer.output,
    }


def error(
    status: int, message: str, *, param: str | None = None, code: str | None = None, headers: Any = None
) -> Script:
    kind = "requests" if status == 429 else "invalid_request_error" if status < 500 else "server_error"
    said = {"message": message, "type": kind, "param": param, "code": code}
    return answer_json({"error": said}, status, x_request_id="req_strict", **(headers or {}))
