"""What upstreams answer, as each dialect says it, and how one sees that a caller got it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from proxyapp.dialects.contract import ClientSide, Peek, UpstreamSide
from proxyapp.dialects.registry import DIALECTS
from proxyapp.dialects.signatures import Sealer
from proxyapp.engine.roads import Translation
from proxyapp.errors import UpstreamFault
from proxyapp.ir.profile import Profile
from tests.corpus.exchanges import CHAT, GEMINI, MESSAGES, MINIMAL, MODEL, RESPONSES, SPOKEN, asked_in
from tests.corpus.meaning import Meaning
from tests.corpus.readers import FOLD, READ
from tests.matrix.features import PNG

Json = dict[str, Any]
SEALER = Sealer(b"k" * 32)
PROOF = "UHJvb2ZPZlRob3VnaHQ0Mg=="
NEWS = "https://news.example.org/a"


def chat(message: Json, finish: str = "stop", **more: Any) -> Json:
    choice = {"index": 0, "message": {"role": "assistant", "content": None, "refusal": None, **message}}
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    top = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "usage": usage}
    choices = [{**choice, "finish_reason": finish, "logprobs": more.pop("logprobs", None)}]
    return {**top, "choices": choices * more.pop("times", 1), **more}


def responses(*output: Json, **more: Any) -> Json:
    usage = {
        "input_tokens": 100, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 20, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 120,
    }  # fmt: skip
    top = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "completed", "error": None}
    return {**top, "incomplete_details": None, "output": list(output), "usage": usage, **more}


def said(text: str, **more: Any) -> Json:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": [], **more}
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}


def messages(*content: Json, stop: str = "end_turn", **more: Any) -> Json:
    usage = {"input_tokens": 100, "output_tokens": 20}
    top = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": list(content)}
    return {**top, "stop_reason": stop, "stop_sequence": None, "usage": usage, **more}


def gemini(*parts: Json, finish: str = "STOP", times: int = 1, usage: Json | None = None, **more: Any) -> Json:
    counts = {"promptTokenCount": 100, "candidatesTokenCount": 20, "totalTokenCount": 120, **(usage or {})}
    candidate = {"index": 0, "content": {"role": "model", "parts": list(parts)}, "finishReason": finish, **more}
    return {"candidates": [candidate] * times, "usageMetadata": counts, "modelVersion": "m", "responseId": "r1"}


_TEXT = {"type": "text", "text": "Hi"}
_CALLS = [(f"call_{n}", "weather", {"city": f"City {n}"}) for n in (1, 2)]
_TOKEN = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}


def _chat_calls() -> list[Json]:
    return [{"id": i, "type": "function", "function": {"name": n, "arguments": json.dumps(a)}} for i, n, a in _CALLS]


def _response_calls() -> list[Json]:
    return [
        {
            "type": "function_call",
            "id": f"fc_{i}",
            "call_id": i,
            "name": n,
            "arguments": json.dumps(a),
            "status": "completed",
        }
        for i, n, a in _CALLS
    ]


@dataclass(frozen=True)
class Told:
    """One row: answers by the upstream's dialect, and how one sees that the caller got it."""

    name: str
    answers: dict[str, Json]
    seen: Callable[[Meaning, str], bool]
    """Of what the caller got, read plainly, and as text."""


ANSWERS = (
    Told("text", {
        CHAT: chat({"content": "Hi"}), RESPONSES: responses(said("Hi")),
        MESSAGES: messages(_TEXT), GEMINI: gemini({"text": "Hi"}),
    }, lambda got, raw: got.text == "Hi" and got.stop == "end"),
    Told("parallel calls", {
        CHAT: chat({"tool_calls": _chat_calls()}, "tool_calls"), RESPONSES: responses(*_response_calls()),
        MESSAGES: messages(*({"type": "tool_use", "id": i, "name": n, "input": a} for i, n, a in _CALLS), stop="tool_use"),
        GEMINI: gemini(*({"functionCall": {"id": i, "name": n, "args": a}} for i, n, a in _CALLS)),
    }, lambda got, raw: got.calls == [(n, a) for _, n, a in _CALLS] and got.stop == "tool_calls" and len(set(got.call_ids)) == 2),
    Told("free-text (custom) call", {
        CHAT: chat({"tool_calls": [{"id": "call_1", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}]}, "tool_calls"),
        RESPONSES: responses({"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "sql", "input": "SELECT 1"}),
    }, lambda got, raw: got.calls == [("sql", {"input": "SELECT 1"})]),
    Told("thinking, as text", {
        CHAT: chat({"content": "Hi", "reasoning_content": "Hmm"}),
        RESPONSES: responses({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hmm"}]}, said("Hi")),
        MESSAGES: messages({"type": "thinking", "thinking": "Hmm", "signature": PROOF}, _TEXT),
        GEMINI: gemini({"text": "Hmm", "thought": True}, {"text": "Hi"}),
    }, lambda got, raw: got.reasoning == "Hmm"),
    Told("refusal in words", {
        CHAT: chat({"refusal": "No."}),
        RESPONSES: responses({**said(""), "content": [{"type": "refusal", "refusal": "No."}]}),
        MESSAGES: messages(stop="refusal", stop_details={"type": "refusal", "category": None, "explanation": "No."}),
    }, lambda got, raw: "No." in got.refusal + got.text and got.stop in ("refusal", "content_filter")),
    Told("filtered", {
        CHAT: chat({"content": ""}, "content_filter"),
        RESPONSES: responses(status="incomplete", incomplete_details={"reason": "content_filter"}),
        GEMINI: gemini(finish="SAFETY"),
    }, lambda got, raw: got.stop in ("content_filter", "refusal")),
    Told("cut at the limit", {
        CHAT: chat({"content": "Hi"}, "length"),
        RESPONSES: responses(said("Hi"), status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
        MESSAGES: messages(_TEXT, stop="max_tokens"), GEMINI: gemini({"text": "Hi"}, finish="MAX_TOKENS"),
    }, lambda got, raw: got.text == "Hi" and got.stop == "length"),
    Told("the stop sequence that matched", {
        MESSAGES: messages(_TEXT, stop="stop_sequence", stop_sequence="END"),
    }, lambda got, raw: got.stop_text == "END"),
    Told("a pause of a long answer", {MESSAGES: messages(_TEXT, stop="pause_turn")}, lambda got, raw: got.stop in ("pause", "length")),
    Told("sources", {
        CHAT: chat({"content": "Hi", "annotations": [{"type": "url_citation", "url_citation": {
            "start_index": 0, "end_index": 2, "url": NEWS, "title": "A"}}]}),
        RESPONSES: responses(said("Hi", annotations=[{"type": "url_citation", "start_index": 0, "end_index": 2, "url": NEWS, "title": "A"}])),
        MESSAGES: messages({**_TEXT, "citations": [{"type": "web_search_result_location", "url": NEWS, "title": "A", "encrypted_index": "e", "cited_text": "Hi"}]}),
        GEMINI: gemini({"text": "Hi"}, groundingMetadata={
            "groundingChunks": [{"web": {"uri": NEWS, "title": "A"}}],
            "groundingSupports": [{"segment": {"startIndex": 0, "endIndex": 2, "text": "Hi"}, "groundingChunkIndices": [0]}]}),
    }, lambda got, raw: got.sources == [NEWS]),
    Told("what a hosted search did", {
        RESPONSES: responses({"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "cats"}}, said("Hi")),
        MESSAGES: messages(
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "cats"}},
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [
                {"type": "web_search_result", "url": NEWS, "title": "A", "encrypted_content": "e", "page_age": None}]},
            _TEXT),
        GEMINI: gemini({"text": "Hi"}, groundingMetadata={"webSearchQueries": ["cats"]}),
    }, lambda got, raw: "cats" in raw and not got.calls),
    Told("log probabilities", {
        CHAT: chat({"content": "Hi"}, logprobs={"content": [_TOKEN], "refusal": None}),
        RESPONSES: responses(said("Hi", logprobs=[_TOKEN])),
        GEMINI: gemini({"text": "Hi"}, logprobsResult={"chosenCandidates": [{"token": "Hi", "tokenId": 1, "logProbability": -0.5}], "topCandidates": [{"candidates": []}]}),
    }, lambda got, raw: "-0.5" in raw),
    Told("more than one answer", {
        CHAT: chat({"content": "Hi"}, times=2), GEMINI: gemini({"text": "Hi"}, times=2),
    }, lambda got, raw: "n" in got.beyond),
    Told("a picture", {
        RESPONSES: responses({"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": PNG}),
        GEMINI: gemini({"inlineData": {"mimeType": "image/png", "data": PNG}}),
    }, lambda got, raw: PNG in raw),
    Told("tokens read from a cache", {
        CHAT: chat({"content": "Hi"}, usage={"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, "prompt_tokens_details": {"cached_tokens": 61}}),
        RESPONSES: responses(said("Hi"), usage={"input_tokens": 100, "input_tokens_details": {"cached_tokens": 61, "cache_write_tokens": 0}, "output_tokens": 20, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 120}),
        MESSAGES: messages(_TEXT, usage={"input_tokens": 39, "cache_read_input_tokens": 61, "output_tokens": 20}),
        GEMINI: gemini({"text": "Hi"}, usage={"cachedContentTokenCount": 61}),
    }, lambda got, raw: got.counts is not None and (got.counts.prompt, got.counts.cached) == (100, 61)),
    Told("tokens written to a cache", {
        CHAT: chat({"content": "Hi"}, usage={"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 61}}),
        RESPONSES: responses(said("Hi"), usage={"input_tokens": 100, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 61}, "output_tokens": 20, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 120}),
        MESSAGES: messages(_TEXT, usage={"input_tokens": 39, "cache_creation_input_tokens": 61, "output_tokens": 20}),
    }, lambda got, raw: got.counts is not None and (got.counts.prompt, got.counts.written) == (100, 61)),
    Told("tokens of thinking", {
        CHAT: chat({"content": "Hi"}, usage={"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, "completion_tokens_details": {"reasoning_tokens": 17}}),
        RESPONSES: responses(said("Hi"), usage={"input_tokens": 100, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}, "output_tokens": 20, "output_tokens_details": {"reasoning_tokens": 17}, "total_tokens": 120}),
        MESSAGES: messages(_TEXT, usage={"input_tokens": 100, "output_tokens": 20, "output_tokens_details": {"thinking_tokens": 17}}),
        GEMINI: gemini({"text": "Hi"}, usage={"candidatesTokenCount": 3, "thoughtsTokenCount": 17}),
    }, lambda got, raw: got.counts is not None and (got.counts.output, got.counts.reasoning) == (20, 17)),
)  # fmt: skip


def told(row: Told, upstream: str, caller: str) -> str:
    """yes, no, `whole` (in a whole answer only), `stream` (in a stream only) or error."""
    raw = json.dumps(row.answers[upstream]).encode()
    try:
        whole = _road(caller, upstream, stream=False).answer(raw)
        stream = _road(caller, upstream, stream=True).whole_as_stream(raw)
    except UpstreamFault:
        return "error"
    in_whole = row.seen(READ[caller](json.loads(whole)), whole.decode())
    in_stream = row.seen(READ[caller](FOLD[caller](stream)), stream.decode())
    return {(True, True): "yes", (True, False): "whole", (False, True): "stream"}.get((in_whole, in_stream), "no")


def _road(caller: str, upstream: str, *, stream: bool) -> Translation:
    client = ClientSide(sealer=SEALER, estimate_input=7, asked=Peek(MODEL, stream) if caller == GEMINI else None)
    request = DIALECTS[caller].parse_request(asked_in(caller, MINIMAL[caller], stream=stream), client)
    return Translation((DIALECTS[caller], client), (DIALECTS[upstream], upstream_side()), request, 2**20)


def upstream_side() -> UpstreamSide:
    profile = Profile(thinking="both", custom_tools=True, model_group="group")
    return UpstreamSide(profile=profile, sealer=SEALER, account="up/main", model="m")


# --- thinking over turns: does the proof that the upstream gave come back to it?

PROOFS: dict[str, Json] = {
    RESPONSES: responses(
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": PROOF}, _response_calls()[0]
    ),
    MESSAGES: messages(
        {"type": "thinking", "thinking": "Hmm", "signature": PROOF},
        {"type": "tool_use", "id": "call_1", "name": "weather", "input": {}},
        stop="tool_use",
    ),
    GEMINI: gemini({"functionCall": {"id": "call_1", "name": "weather", "args": {}}, "thoughtSignature": PROOF}),
}


def proof_comes_back(upstream: str, caller: str) -> bool:
    """The caller sends back what it got, as its dialect's own programs do, with the result of the call."""
    given = json.loads(_road(caller, upstream, stream=False).answer(json.dumps(PROOFS[upstream]).encode()))
    client = ClientSide(sealer=SEALER, asked=Peek(MODEL, False) if caller == GEMINI else None)
    request = DIALECTS[caller].parse_request(_next_turn(caller, given), client)
    return PROOF in json.dumps(DIALECTS[upstream].render_request(request, upstream_side()))


def _next_turn(caller: str, given: Json) -> Json:
    if caller == CHAT:
        message = given["choices"][0]["message"]
        result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "Sunny"}
        return {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}, message, result]}
    if caller == RESPONSES:
        call = next(item for item in given["output"] if item["type"] == "function_call")
        result = {"type": "function_call_output", "call_id": call["call_id"], "output": "Sunny"}
        return {"model": MODEL, "store": False, "input": [{"role": "user", "content": "Hi"}, *given["output"], result]}
    if caller == MESSAGES:
        call = next(block for block in given["content"] if block["type"] == "tool_use")
        result = {"type": "tool_result", "tool_use_id": call["id"], "content": "Sunny"}
        turns = [{"role": "assistant", "content": given["content"]}, {"role": "user", "content": [result]}]
        thinking = {"type": "enabled", "budget_tokens": 2000}
        return {
            "model": MODEL,
            "max_tokens": 9000,
            "thinking": thinking,
            "messages": [{"role": "user", "content": "Hi"}, *turns],
        }
    content = given["candidates"][0]["content"]
    call = next(part["functionCall"] for part in content["parts"] if "functionCall" in part)
    result = {"functionResponse": {"id": call.get("id"), "name": call["name"], "response": {"output": "Sunny"}}}
    return {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}, content, {"role": "user", "parts": [result]}]}


def table() -> dict[str, dict[tuple[str, str], str]]:
    """row -> (upstream, caller) -> word"""
    ways = [(upstream, caller) for upstream in SPOKEN for caller in SPOKEN if upstream != caller]
    rows = {row.name: {way: told(row, *way) for way in ways if way[0] in row.answers} for row in ANSWERS}
    rows["thinking over turns: its proof"] = {
        way: "yes" if proof_comes_back(*way) else "no" for way in ways if way[0] in PROOFS
    }
    return {name: cells for name, cells in rows.items() if cells}
