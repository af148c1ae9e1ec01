"""The events of a Responses stream, as the recordings have them: reference/translation.md 4.1, grammar R."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from tests.fakes.answers import event
from tests.fakes.mind import Answer
from tests.fakes.strict import fragments

Json = dict[str, Any]
_LAST = {"completed": "response.completed", "incomplete": "response.incomplete"}


def frames(response: Json, answer: Answer) -> Iterator[bytes]:
    for number, body in enumerate(_events(response, answer)):
        yield event({"type": body.pop("type"), "sequence_number": number, **body})


def _events(response: Json, answer: Answer) -> Iterator[Json]:
    begun = {**response, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    begun.pop("completed_at", None)
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(response["output"]):
        yield {"type": "response.output_item.added", "output_index": index, "item": _empty(item)}
        cut = item["type"] == "message" and answer.ends != "done"
        for body in _body(item, answer, cut=cut):
            yield {"type": body.pop("type"), "item_id": item["id"], "output_index": index, **body}
        if cut and answer.ends == "error":
            yield from _failure(begun)
        if cut:
            return
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": _LAST[response["status"]], "response": response}


def _failure(begun: Json) -> Iterator[Json]:
    said = {"code": "server_error", "message": "the machine is on fire"}
    yield {"type": "response.failed", "response": {**begun, "status": "failed", "error": said}}


def _empty(item: Json) -> Json:
    match item["type"]:
        case "message":
            return {**item, "status": "in_progress", "content": []}
        case "function_call":
            return {**item, "status": "in_progress", "arguments": ""}
        case "custom_tool_call":
            return {**item, "status": "in_progress", "input": ""}
    early = {"encrypted_content": item["encrypted_content"][:20]} if "encrypted_content" in item else {}
    return {**item, "summary": [], **early}  # the early content is not the whole one, as with the real service


def _body(item: Json, answer: Answer, *, cut: bool) -> Iterator[Json]:
    match item["type"]:
        case "message":
            yield from _content(item["content"][0], answer, cut=cut)
        case "function_call":
            for piece in fragments(item["arguments"]):
                yield {"type": "response.function_call_arguments.delta", "delta": piece, **_hidden()}
            done = {"name": item["name"], "arguments": item["arguments"]}
            yield {"type": "response.function_call_arguments.done", **done}
        case "custom_tool_call":
            for piece in fragments(item["input"])[1:]:
                yield {"type": "response.custom_tool_call_input.delta", "delta": piece, **_hidden()}
            yield {"type": "response.custom_tool_call_input.done", "input": item["input"]}
        case _ if item["summary"]:
            yield from _summary(item["summary"][0]["text"], answer)


def _content(part: Json, answer: Answer, *, cut: bool) -> Iterator[Json]:
    kind, word = ("refusal", "refusal") if part["type"] == "refusal" else ("output_text", "text")
    more: Json = {} if kind == "refusal" else {"logprobs": []}
    yield {"type": "response.content_part.added", "content_index": 0, "part": {**part, word: ""}}
    for piece in answer.text:
        yield {"type": f"response.{kind}.delta", "content_index": 0, "delta": piece, **more, **_hidden()}
    if cut:
        return
    yield {"type": f"response.{kind}.done", "content_index": 0, word: part[word], **more}
    yield {"type": "response.content_part.done", "content_index": 0, "part": part}


def _summary(words: str, answer: Answer) -> Iterator[Json]:
    part = {"type": "summary_text", "text": words}
    yield {"type": "response.reasoning_summary_part.added", "summary_index": 0, "part": {**part, "text": ""}}
    for piece in answer.thinking:
        yield {"type": "response.reasoning_summary_text.delta", "summary_index": 0, "delta": piece, **_hidden()}
    yield {"type": "response.reasoning_summary_text.done", "summary_index": 0, "text": words}
    yield {"type": "response.reasoning_summary_part.done", "summary_index": 0, "part": part}


_padding = itertools.cycle(("", "aX3", "9fJk2PqLmZ", "t"))


def _hidden() -> Json:
    """Padding that hides the length of the pieces."""
    return {"obfuscation": next(_padding)}
