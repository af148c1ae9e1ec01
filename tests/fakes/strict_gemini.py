"""A Gemini upstream that checks what it gets, remembers what it signed, and answers as its mind says."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs

from tests.fakes.embeddings import vector
from tests.fakes.gemini_contents import Json, Proof, Proofs, camel, unknown, words_of
from tests.fakes.gemini_rules import NEW, OLD, read
from tests.fakes.mind import Answer, Ask, Fault, Mind
from tests.fakes.strict import Refused, as_stream, require
from tests.fakes.upstream import Script, Seen, answer_json

KEY = "AIza-upstream-gemini"
EMBEDDERS = ("gemini-embedding-001",)
_PATH = re.compile(r"/v1(?:beta)?/models/([^/:]+):(\w+)")
_STATUS = {
    400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL",
    503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip
_FINISH = {"length": "MAX_TOKENS", "refusal": "PROHIBITED_CONTENT", "filter": "SAFETY"}
_EMBED = {"model", "content", "taskType", "title", "outputDimensionality"}


class StrictGemini:
    """Use one object as the `default` of a ScriptedUpstream. `proofs` may be filled with signatures made elsewhere; two
    objects that share `proofs` are two accounts of one service."""

    def __init__(
        self, mind: Callable[[Ask], Answer | Fault] | None = None, key: str = KEY, proofs: Proofs | None = None
    ) -> None:
        self.mind = mind or Mind()
        self.key = key
        self.proofs: Proofs = {} if proofs is None else proofs
        self.refused: list[str] = []
        """What was wrong with requests, for a test's message."""
        self._count = itertools.count(1)

    def __call__(self, seen: Seen) -> Script:
        try:
            path, _, query = seen.path.partition("?")
            require("key=" not in query, "a key in the address ends up in logs")
            self._authenticate(seen)
            if seen.method == "GET":
                return _models(path)
            found = _PATH.fullmatch(path)
            if found is None or seen.method != "POST":
                raise Refused("The requested URL was not found on this server.", 404)
            return self._serve(seen, found[1], found[2], query)
        except Refused as no:
            self.refused.append(no.message)
            return _error(no.status, no.message, no.details.get("details", []))

    def _authenticate(self, seen: Seen) -> None:
        if seen.headers.get("x-goog-api-key") == self.key:
            return
        info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
        raise Refused("API key not valid. Please pass a valid API key.", details=[info])

    def _serve(self, seen: Seen, model: str, verb: str, query: str) -> Script:
        body = camel(seen.body)
        match verb:
            case "embedContent":
                return answer_json({"embedding": _embedded(body, model)})
            case "batchEmbedContents":
                requests = unknown(body, {"requests"}, "").get("requests") or []
                require(1 <= len(requests) <= 100, "BatchEmbedContentsRequest.requests: 1 to 100 are taken")
                require(all(each.get("model") for each in requests), "requests[].model: missing")
                return answer_json({"embeddings": [_embedded(each, model) for each in requests]})
            case "countTokens":
                return self._count_tokens(seen, model, body)
            case "generateContent" | "streamGenerateContent":
                return self._generate(seen, model, body, verb, parse_qs(query))
        raise Refused("The requested URL was not found on this server.", 404)

    def _count_tokens(self, seen: Seen, model: str, body: Json) -> Script:
        unknown(body, {"contents", "generateContentRequest"}, "")
        whole = body.get("generateContentRequest")
        require((whole is None) != ("contents" not in body), "exactly one of contents and generate_content_request")
        require(whole is None or whole.get("model"), "generate_content_request.model: missing")
        read(seen, model, whole or body, self.proofs, self.key)
        total = len(seen.raw) // 4
        details = [{"modality": "TEXT", "tokenCount": total}]
        return answer_json({"totalTokens": total, "promptTokensDetails": details})

    def _generate(self, seen: Seen, model: str, body: Json, verb: str, query: dict[str, list[str]]) -> Script:
        ask = read(seen, model, body, self.proofs, self.key)
        answer = self.mind(ask)
        if isinstance(answer, Fault):
            return _fault(answer)
        head = {"modelVersion": f"{model}-001", "responseId": f"strict-{next(self._count)}"}
        if verb == "generateContent":
            return answer_json(self._whole(head, ask, answer))
        chunks = list(self._chunks(head, ask, answer))
        if query.get("alt") == ["sse"]:
            return as_stream((chunk if isinstance(chunk, bytes) else _frame(chunk) for chunk in chunks), answer)
        listed = b",\r\n".join(json.dumps(chunk, ensure_ascii=False).encode() for chunk in chunks)
        return answer_json(b"[" + listed + b"]")

    # --- the answer

    def _whole(self, head: Json, ask: Ask, answer: Answer) -> Json:
        if answer.finish == "blocked":
            return {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": usage(answer), **head}
        parts = [_joined(piece) for piece in self._pieces(ask, answer)]
        candidate: Json = {"content": {"parts": parts, "role": "model"}, **_end(answer), "index": 0}
        return {"candidates": [candidate], "usageMetadata": usage(answer), **head}

    def _chunks(self, head: Json, ask: Ask, answer: Answer) -> Iterator[Json | bytes]:
        if answer.finish == "blocked":
            yield self._whole(head, ask, answer)
            return
        pieces = self._pieces(ask, answer)
        parts = [{**part, "text": text} if "text" in part else part for part, texts in pieces for text in texts]
        signed = parts[-1].pop("thoughtSignature", None) if parts and "text" in parts[-1] else None
        for part in parts:
            part.pop("thoughtSignature", None) if "text" in part else None
            if answer.ends != "done" and "functionCall" in part:
                break
            candidate = {"content": {"parts": [part], "role": "model"}, "index": 0}
            yield {"candidates": [candidate], "usageMetadata": usage(answer, so_far=1), **head}
        if answer.ends == "error":
            yield json.dumps(_error_body(503, "the machine is on fire", [])).encode() + b"\n"
        if answer.ends != "done":
            return
        last: Json = {"text": "", "thoughtSignature": signed} if signed else {"text": ""}
        candidate = {"content": {"parts": [last], "role": "model"}, **_end(answer), "index": 0}
        yield {"candidates": [candidate], "usageMetadata": usage(answer), **head}

    def _pieces(self, ask: Ask, answer: Answer) -> Iterator[tuple[Json, list[str]]]:
        """Each part, and its text as it is streamed."""
        config = ((ask.body.get("generationConfig") or {}).get("thinkingConfig")) or {}
        if answer.thinking and config.get("includeThoughts") and not answer.redacted:
            yield {"text": "", "thought": True}, answer.thinking
        signs = ask.thinks and ask.model in NEW
        refused = answer.finish == "refusal"
        if answer.text and not refused:
            sign = {"thoughtSignature": self._signature(None)} if signs and not answer.calls else {}
            yield {"text": "", **sign}, answer.text
        for number, use in enumerate(answer.calls):
            call: Json = {"name": use.name, "args": use.arguments}
            sign = {"thoughtSignature": self._signature(call)} if signs and not number else {}
            named = {"id": f"fc{next(self._count)}"} if ask.model in NEW else {}
            if not use.arguments:
                call.pop("args")
            yield {"functionCall": {**named, **call}, **sign}, [""]

    def _signature(self, call: Json | None) -> str:
        made = hashlib.sha512(f"{next(self._count)} {call}".encode()).digest()
        signature = base64.b64encode(b"\x12\xc9" + made * 2).decode()
        self.proofs[signature] = Proof(self.key, None if call is None else dict(call))
        return signature


def _joined(piece: tuple[Json, list[str]]) -> Json:
    part, texts = piece
    return {**part, "text": "".join(texts)} if "text" in part else part


def _end(answer: Answer) -> Json:
    end = {"finishReason": _FINISH.get(answer.finish, "STOP")}
    return {**end, "finishMessage": "".join(answer.text)} if answer.finish == "refusal" else end


def usage(answer: Answer, so_far: int | None = None) -> Json:
    thoughts = 2 if answer.thinking else 0
    said = answer.output - thoughts if so_far is None else so_far
    prompt = answer.fresh + answer.cache_read
    told: Json = {"promptTokenCount": prompt, "candidatesTokenCount": said, "totalTokenCount": prompt + said + thoughts}
    if thoughts:
        told["thoughtsTokenCount"] = thoughts
    if answer.cache_read:
        told["cachedContentTokenCount"] = answer.cache_read
    return {**told, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}]}


def _frame(chunk: Json) -> bytes:
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\r\n\r\n"


def _embedded(body: Json, model: str) -> Json:
    if model not in EMBEDDERS:
        raise Refused(f"models/{model} is not found for API version v1beta.", 404)
    unknown(body, _EMBED, "")
    require(body.get("model") in (None, f"models/{model}"), "model: not the one of the address")
    content = unknown(body.get("content"), {"parts", "role"}, "content")
    text = "".join(words_of(part, "content.parts") for part in content.get("parts") or [])
    require(text, "* EmbedContentRequest.content: content is empty")
    return {"values": vector(text, body.get("outputDimensionality", 8))}


def _models(path: str) -> Script:
    listed = [
        {
            "name": f"models/{name}",
            "version": "001",
            "displayName": name,
            "inputTokenLimit": 1048576,
            "outputTokenLimit": 65536,
            "supportedGenerationMethods": ["generateContent", "countTokens"],
        }
        for name in OLD + NEW
    ]
    if path.endswith("/models"):
        return answer_json({"models": listed})
    for model in listed:
        if path.endswith(f"/{model['name']}"):
            return answer_json(model)
    raise Refused("The requested model was not found.", 404)


def _fault(fault: Fault) -> Script:
    details: list[Json] = []
    if fault.retry_after is not None:
        quota = [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}]
        details = [
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": quota},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{fault.retry_after}s"},
        ]
    return _error(fault.status, fault.message, details)


def _error_body(status: int, message: str, details: list[Json]) -> Json:
    error: Json = {"code": status, "message": message, "status": _STATUS.get(status, "UNKNOWN")}
    return {"error": {**error, "details": details} if details else error}


def _error(status: int, message: str, details: list[Json]) -> Script:
    return answer_json(_error_body(status, message, details), status)
