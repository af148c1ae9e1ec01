"""Events as the bytes of a Chat stream. Rules: reference/translation.md 4.1 (grammar C) and 4.2.

All chunks share id, time and model; what surrounds a piece of text is encoded once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import ClientSide
from proxyapp.dialects.openai_chat import details
from proxyapp.dialects.openai_chat.answer import (
    audio_object,
    finish_word,
    image_object,
    is_shown,
    known_tier,
    needs_error,
    no_answer,
)
from proxyapp.dialects.openai_chat.assistant import full_name
from proxyapp.dialects.openai_chat.errors import ERRORS
from proxyapp.dialects.openai_chat.extras import annotation_of
from proxyapp.dialects.openai_chat.tables import NAME
from proxyapp.dialects.openai_chat.usage import render_usage
from proxyapp.errors import GatewayError
from proxyapp.ir import events as ev
from proxyapp.ir import parts as p
from proxyapp.ir.request import Request
from proxyapp.ir.usage import Usage

DONE = b"data: [DONE]\n\n"


class ChatEncoder:
    """Encoder of the contract. `Started` sends nothing: the first chunk, with the role, comes with the first part."""

    def __init__(self, request: Request, side: ClientSide) -> None:
        self._request, self._side = request, side
        self._shows_reasoning = is_shown(request, side)
        self._open: p.Part | None = None
        self._text: list[str] = []
        """Text of the open Reasoning part, arguments of the open custom call."""
        self._proof: tuple[str, str] | None = None
        self._call_index = -1
        self._arguments_head = self._arguments_tail = b""
        self._has_arguments = False
        self._details = self._images = 0
        self._text_start = self._text_end = 0
        """Where in the message's text the open part begins, and how long that text is, in characters."""
        self._annotations: list[dict[str, Any]] = []
        self._logprobs: list[dict[str, Any]] = []
        self._usage: Usage | None = None
        self._has_role = self._has_content = self._has_refusal = self._ended = False
        self._frame(ev.Started())

    def encode(self, event: ev.Event) -> bytes:
        if self._ended:
            return b""
        if type(event) is ev.TextDelta and not self._logprobs:
            self._text_end += len(event.text)
            return self._text_head + jsonio.encode(event.text) + self._tail
        return _STEPS[type(event)](self, event)

    def fail(self, error: GatewayError) -> bytes:
        """The error frame. No `[DONE]` follows: that would be a proper end."""
        self._ended = True
        return b"data: " + jsonio.encode({"error": ERRORS.body_of(error)}) + b"\n\n"

    def _frame(self, event: ev.Started) -> None:
        """What is the same in every chunk."""
        head = {
            "id": event.id or f"chatcmpl-{self._side.new_id()}",
            "object": "chat.completion.chunk",
            "created": event.created or self._side.now,
            "model": event.model or self._request.model,
        }
        if (tier := known_tier(event.service_tier)) is not None:
            head["service_tier"] = tier
        self._head = b"data: " + jsonio.encode(head)[:-1]
        before = b',"choices":[{"index":0,"delta":'
        self._choice_end = b',"usage":null}\n\n' if self._request.include_usage else b"}\n\n"
        self._delta_head = self._head + before
        self._tail = b'},"logprobs":null,"finish_reason":null}]' + self._choice_end
        self._content_head = self._delta_head + b'{"content":'
        self._refusal_head = self._delta_head + b'{"refusal":'
        self._reasoning_head = self._delta_head + b'{"reasoning_content":'
        self._text_head = self._content_head

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return self._delta_head + jsonio.encode(delta)[:-1] + self._tail

    def _started(self, event: ev.Started) -> bytes:
        self._usage = event.usage
        self._frame(event)
        return b""

    def _part_started(self, event: ev.PartStarted) -> bytes:
        part = self._open = event.part
        self._text, self._proof, self._has_arguments = [], None, False
        start = _STARTS.get(type(part))
        return start(self, part) if start is not None else b""

    def _role(self, content: str | None) -> bytes:
        """The role, once, in the first chunk."""
        if self._has_role:
            return b""
        self._has_role = True
        return self._delta({"role": "assistant", "content": content, "refusal": None})

    def _start_text(self, part: p.Part) -> bytes:
        self._has_content = True
        self._text_start = self._text_end
        self._text_head = self._content_head
        return self._role("")

    def _start_refusal(self, part: p.Part) -> bytes:
        self._has_content = self._has_refusal = True
        self._text_head = self._refusal_head
        return self._role(None)

    def _start_reasoning(self, part: p.Reasoning) -> bytes:
        if not self._shows_reasoning:
            return b""
        role = self._role(None)
        return role + self._detail(part) if part.redacted else role

    def _start_call(self, part: p.ToolCall) -> bytes:
        self._has_content = True
        self._call_index += 1
        name = full_name(part.name, part.namespace)
        if self._request.legacy_functions:
            return self._start_legacy_call(name)
        call: dict[str, Any] = {"index": self._call_index, "id": part.id, "type": "function"}
        call["function"] = {"name": name, "arguments": ""}
        if extra := part.meta.get(NAME, {}).get("extra_content"):
            call["extra_content"] = extra
        if part.kind == "custom":
            self._side.notes.add(
                "tools", "A custom tool is called as a function: Chat streams no other.", dropped=False
            )
        prefix = f'{{"tool_calls":[{{"index":{self._call_index},"function":{{"arguments":'
        self._arguments_head, self._arguments_tail = self._delta_head + prefix.encode(), b"}}]" + self._tail
        return self._role(None) + self._delta({"tool_calls": [call]})

    def _start_legacy_call(self, name: str) -> bytes:
        if self._call_index:
            self._side.notes.add("functions", "Only the first of several calls fits `function_call`.")
            self._arguments_head = b""
            return b""
        self._arguments_head = self._delta_head + b'{"function_call":{"arguments":'
        self._arguments_tail = b"}" + self._tail
        return self._role(None) + self._delta({"function_call": {"name": name, "arguments": ""}})

    def _start_audio(self, part: p.Audio) -> bytes:
        self._has_content = True
        return self._role(None) + self._delta({"audio": audio_object(part, self._side)})

    def _start_image(self, part: p.Image) -> bytes:
        self._has_content = True
        self._images += 1
        return self._role(None) + self._delta({"images": [{"index": self._images - 1, **image_object(part)}]})

    def _text_delta(self, event: ev.TextDelta) -> bytes:
        """With log probabilities; without them `encode` has the short way."""
        name = "refusal" if isinstance(self._open, p.Refusal) else "content"
        self._text_end += len(event.text)
        return self._with_logprobs({name: event.text}, self._open)

    def _with_logprobs(self, delta: dict[str, Any], part: p.Part | None) -> bytes:
        tokens, self._logprobs = self._logprobs, []
        is_refusal = isinstance(part, p.Refusal)
        logprobs = {"content": None if is_refusal else tokens, "refusal": tokens if is_refusal else None}
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": None}
        return self._head + b',"choices":[' + jsonio.encode(choice) + b"]" + self._choice_end

    def _logprobs_given(self, event: ev.LogprobsGiven) -> bytes:
        self._logprobs += event.tokens
        return b""

    def _reasoning_delta(self, event: ev.ReasoningDelta) -> bytes:
        if not self._shows_reasoning:
            return b""
        self._text.append(event.text)
        return self._reasoning_head + jsonio.encode(event.text) + self._tail

    def _signature(self, event: ev.SignatureDelta) -> bytes:
        self._proof = (event.signature, event.family)
        return b""

    def _arguments(self, event: ev.ArgumentsDelta) -> bytes:
        if not isinstance(self._open, p.ToolCall):
            return b""
        if self._open.kind == "custom":
            self._text.append(event.text)
            return b""
        self._has_arguments = True
        return self._arguments_chunk(event.text)

    def _arguments_chunk(self, text: str) -> bytes:
        return self._arguments_head + jsonio.encode(text) + self._arguments_tail if self._arguments_head else b""

    def _citation(self, event: ev.CitationGiven) -> bytes:
        """All in one chunk at the end: the official SDK cannot join two lists of annotations."""
        annotation = annotation_of(event.citation, self._text_start, self._text_end)
        if annotation is not None:
            self._annotations.append(annotation)
        return b""

    def _part_ended(self, event: ev.PartEnded) -> bytes:
        part, self._open = self._open, None
        if isinstance(part, p.ToolCall):
            return self._end_call(part)
        if isinstance(part, p.Reasoning) and self._proof is not None and self._shows_reasoning:
            signature, family = self._proof
            whole = p.Reasoning(text="".join(self._text), signature=signature, family=family, meta=part.meta)
            return self._detail(whole)
        if self._logprobs:
            return self._with_logprobs({}, part)
        return b""

    def _end_call(self, part: p.ToolCall) -> bytes:
        if part.kind == "custom":
            return self._arguments_chunk(jsonio.text({"input": "".join(self._text)}))
        return b"" if self._has_arguments else self._arguments_chunk("{}")

    def _detail(self, part: p.Reasoning) -> bytes:
        """A proof, whole and in one chunk under its own index, so that the official SDK can join the list."""
        entry = details.give(part, self._details, self._side.sealer)
        if entry is None:
            return b""
        self._details += 1
        return self._delta({"reasoning_details": [entry]})

    def _usage_given(self, event: ev.UsageGiven) -> bytes:
        self._usage = event.usage
        return b""

    def _finished(self, event: ev.Finished) -> bytes:
        if needs_error(event.finish, has_content=self._has_content):
            raise no_answer(event.finish)
        self._ended = True
        out = [self._role("")]
        if self._annotations:
            out.append(self._delta({"annotations": self._annotations}))
        if event.finish.explanation and not self._has_refusal:
            out.append(self._delta({"refusal": event.finish.explanation}))
        word = finish_word(event.finish, self._request, has_calls=self._call_index >= 0, has_refusal=self._has_refusal)
        end = b'{},"logprobs":null,"finish_reason":' + jsonio.encode(word) + b"}]" + self._choice_end
        out.append(self._delta_head + end)
        if self._request.include_usage and self._usage is not None:
            out.append(self._head + b',"choices":[],"usage":' + jsonio.encode(render_usage(self._usage)) + b"}\n\n")
        return b"".join([*out, DONE])

    def _failed(self, event: ev.Failed) -> bytes:
        return self.fail(event.error)

    def _alive(self, event: ev.Alive) -> bytes:
        return b""


_STARTS: dict[type, Callable[[ChatEncoder, Any], bytes]] = {
    p.Text: ChatEncoder._start_text,
    p.Refusal: ChatEncoder._start_refusal,
    p.Reasoning: ChatEncoder._start_reasoning,
    p.ToolCall: ChatEncoder._start_call,
    p.Audio: ChatEncoder._start_audio,
    p.Image: ChatEncoder._start_image,
}
"""Hosted calls, their results and unknown parts are not shown to Chat callers: they would try to answer them."""

_STEPS: dict[type, Callable[[ChatEncoder, Any], bytes]] = {
    ev.Started: ChatEncoder._started,
    ev.PartStarted: ChatEncoder._part_started,
    ev.TextDelta: ChatEncoder._text_delta,
    ev.ReasoningDelta: ChatEncoder._reasoning_delta,
    ev.SignatureDelta: ChatEncoder._signature,
    ev.ArgumentsDelta: ChatEncoder._arguments,
    ev.CitationGiven: ChatEncoder._citation,
    ev.LogprobsGiven: ChatEncoder._logprobs_given,
    ev.PartEnded: ChatEncoder._part_ended,
    ev.UsageGiven: ChatEncoder._usage_given,
    ev.Finished: ChatEncoder._finished,
    ev.Failed: ChatEncoder._failed,
    ev.Alive: ChatEncoder._alive,
}
