"""Responses in, Responses out: the caller's bytes with the fewest possible changes, and readers of what comes back."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import Body, ClientSide, Glimpse, UpstreamSide
from proxyapp.dialects.openai.fields import as_text
from proxyapp.dialects.openai_responses import history, leveling
from proxyapp.dialects.openai_responses.encode import ResponsesEncoder
from proxyapp.dialects.openai_responses.errors import ERRORS, failure
from proxyapp.dialects.openai_responses.finish import finish_of
from proxyapp.dialects.openai_responses.frames import Frames
from proxyapp.dialects.openai_responses.usage import parse_usage
from proxyapp.dialects.sse import Frame
from proxyapp.errors import BadRequest, GatewayError, UpstreamBroken
from proxyapp.ir import prompts
from proxyapp.ir.request import Request

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_ENDS = {"response.completed", "response.incomplete", "response.cancelled"}
_BEGINNINGS = {"response.created", "response.queued", "response.in_progress"}
_NO_ANSWER = "The upstream could not make an answer."


def patch(body: Body, model: str, side: UpstreamSide) -> bytes:
    """The caller's body for this upstream. Values that need no change are sent as the caller wrote them."""
    top = dict(body.top)
    top["model"] = Raw(jsonio.encode(model))
    if not side.profile.streaming:
        for name in ("stream", "stream_options"):
            top.pop(name, None)
    if side.profile.fast and bytes(top.get("service_tier", b"null")) == b"null":
        top["service_tier"] = Raw(b'"priority"')
    if side.max_output is not None:
        _cap(top, side)
    if side.level is not None:
        leveling.put(top, side, side.level)
    if side.system_prompt:
        _put_prompt(top, side.system_prompt)
    if "input" in top:
        stores = bytes(top.get("store", Raw(b"true"))) != b"false"
        top["input"] = history.cleaned(top["input"], side, stores=stores)
    return jsonio.encode(top)


def _cap(top: dict[str, Raw], side: UpstreamSide) -> None:
    """The operator's cap, also where the caller gave no limit."""
    asked = jsonio.decode(top["max_output_tokens"]) if "max_output_tokens" in top else None
    if not isinstance(asked, int) or asked > (side.max_output or 0):
        top["max_output_tokens"] = Raw(jsonio.encode(side.max_output))
        if asked is not None:
            sentence = f"The limit was lowered to {side.max_output}, the most allowed."
            side.drop("max_output_tokens", sentence, dropped=False)


def _put_prompt(top: dict[str, Raw], prompt: str) -> None:
    """The operator's system prompt before the caller's instructions, once; also where the conversation itself begins
    with it. Instructions that are no text stay: the upstream will say so."""
    raw = top.get("instructions")
    given = jsonio.decode(raw) if raw is not None else None
    if not given and not _begins_with(top.get("input"), prompt):
        top["instructions"] = Raw(jsonio.encode(prompt))
    elif isinstance(given, str) and given and not prompts.begins(given, prompt):
        top["instructions"] = Raw(jsonio.encode(prompts.joined([prompt, given])))


class _Head(Struct):
    """As much of an item as is looked at."""

    role: Any = None
    content: Any = None


_heads = msgspec.json.Decoder(list[_Head])


def _begins_with(raw: Raw | None, prompt: str) -> bool:
    """Is the first item a system message that begins with the prompt?"""
    try:
        heads = _heads.decode(raw) if raw is not None else []
    except _UNREADABLE:
        return False
    if not heads or heads[0].role not in ("system", "developer"):
        return False
    content = heads[0].content
    parts = content if isinstance(content, list) else [{"text": content}]
    texts = [part.get("text") if isinstance(part, dict) else None for part in parts]
    return prompts.is_there(prompt, [text if isinstance(text, str) else "" for text in texts])


class _Event(Struct):
    """An event as far as a reader along the way needs it."""

    type: Any = ""
    sequence_number: Any = None
    response: Any = None
    item: Any = None
    delta: Any = None
    error: Any = None


_decode = msgspec.json.Decoder(_Event).decode


class ResponsesTap:
    """Tap of the contract. Costs one typed decode a frame."""

    def __init__(self, body: Body) -> None:
        self.glimpse = Glimpse()
        self.has_content = False
        self.is_done = False
        self._next = 0
        """The number of the next event."""
        self._begun: dict[str, Any] | None = None

    def feed(self, frame: Frame) -> bool:
        data = frame.data
        if not data:
            return True
        try:
            event = _decode(data)
        except _UNREADABLE:
            return True
        self._take(as_text(event.type) or frame.event, event, data)
        if isinstance(event.sequence_number, int) and self.glimpse.error is None:
            self._next = event.sequence_number + 1  # an error is not relayed: `fail` says it in its place
        return True

    def fail(self, error: GatewayError, side: ClientSide) -> bytes:
        """The error event that goes on from what was relayed; a whole little stream when nothing was."""
        if self._begun is None:
            return ResponsesEncoder(Request(client_dialect="", model="", stream=True), side).fail(error)
        response = {**self._begun, "status": "failed", "error": failure(error)}
        return Frames(self._next).event("response.failed", response=response)

    def _take(self, kind: str, event: _Event, data: bytes) -> None:
        response = event.response if isinstance(event.response, dict) else {}
        if kind.endswith(".delta"):
            self.has_content = self.has_content or bool(event.delta)
        elif kind == "response.output_item.done":
            self.has_content = True
        elif kind in _BEGINNINGS:
            self._begun = response
            self.glimpse.id = as_text(response.get("id")) or None
            self.glimpse.model = as_text(response.get("model")) or None
        elif kind in _ENDS:
            self._end(response)
        elif kind == "response.failed":
            self.glimpse.error = ERRORS.reported(response.get("error") or _NO_ANSWER)
        elif kind == "error":
            self.glimpse.error = ERRORS.of_event(data)

    def _end(self, response: dict[str, Any]) -> None:
        self.is_done = True
        seen = glimpse_of(response)
        seen.id, seen.model = seen.id or self.glimpse.id, seen.model or self.glimpse.model
        for name in ("id", "model", "usage", "finish", "error"):
            setattr(self.glimpse, name, getattr(seen, name))


def glimpse(answer: bytes) -> Glimpse:
    """What a whole pass-through answer tells the books. Raises nothing; `error` is set when it is no answer."""
    try:
        body = jsonio.decode(answer)
    except BadRequest:
        body = None
    if not isinstance(body, dict):
        return Glimpse(error=UpstreamBroken("The upstream's answer is no response."))
    if not isinstance(body.get("output"), list):
        if body.get("error"):
            return Glimpse(error=ERRORS.reported(body["error"], answer))
        return Glimpse(error=UpstreamBroken("The upstream's answer is no response."))
    return glimpse_of(body)


def glimpse_of(response: dict[str, Any]) -> Glimpse:
    """What a Response object tells. One that is made in the background has no end yet."""
    error = response.get("error")
    is_open = response.get("status") in ("queued", "in_progress")
    output = response.get("output")
    items = output if isinstance(output, list) else []
    kinds = {as_text(item.get("type")) for item in items if isinstance(item, dict)}
    calls = bool(kinds & {"function_call", "custom_tool_call"})
    return Glimpse(
        id=as_text(response.get("id")) or None,
        model=as_text(response.get("model")) or None,
        usage=parse_usage(response.get("usage"), response.get("tool_usage")),
        finish=None if is_open else finish_of(response, calls=calls, refused=False),
        error=ERRORS.reported(error or _NO_ANSWER) if error or response.get("status") == "failed" else None,
    )
