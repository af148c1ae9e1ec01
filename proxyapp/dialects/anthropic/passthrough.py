"""Same dialect on both sides: the body is patched at the top, the bytes flow, a reader listens in.

Nothing is translated: fields that nobody here has heard of pass as they are.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from proxyapp.dialects import jsonio
from proxyapp.dialects.anthropic import errors, finish, leveling, usage
from proxyapp.dialects.anthropic.tables import FAMILY, LEAST_BUDGET
from proxyapp.dialects.contract import Body, Glimpse, UpstreamSide
from proxyapp.dialects.signatures import PREFIX, is_sealed
from proxyapp.dialects.sse import Frame
from proxyapp.errors import BodyUnreadable, UpstreamBroken
from proxyapp.ir import prompts

_SEALED = PREFIX.encode()
_PROOF_FIELD = {"thinking": "signature", "redacted_thinking": "data"}

_raws = msgspec.json.Decoder(list[Raw])
_fields = msgspec.json.Decoder(dict[str, Raw])
_FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

# --- the request


def patch(body: Body, model: str, side: UpstreamSide) -> bytes:
    """The caller's body for `model`. Envelopes of ours are opened for their owner and taken away from all others;
    every other value keeps its bytes."""
    top = dict(body.top)
    top["model"] = Raw(jsonio.encode(model))
    if not side.profile.streaming:
        top.pop("stream", None)
    if not side.profile.temperature_and_top_p:
        _one_of_two(top, side)
    display = leveling.take_away(top) if side.level is not None else None
    if _SEALED in body.raw and "messages" in top:
        _unseal(top, side)
    if side.max_output is not None:
        _cap(top, side)
    if side.level is not None:
        leveling.put(top, side, side.level, display)
    if side.system_prompt:
        _put_prompt(top, side.system_prompt)
    return jsonio.encode(top)


def _one_of_two(top: dict[str, Raw], side: UpstreamSide) -> None:
    """The model refuses `temperature` and `top_p` beside each other (upstreams.md 9, quirk 9)."""
    if all(bytes(top.get(name, b"null")) != b"null" for name in ("temperature", "top_p")):
        del top["top_p"]
        side.drop("top_p", "This model takes only one of temperature and top_p.")


def _cap(top: dict[str, Raw], side: UpstreamSide) -> None:
    asked = jsonio.decode(top["max_tokens"]) if "max_tokens" in top else None
    if isinstance(asked, int) and side.max_output is not None and asked > side.max_output:
        top["max_tokens"] = Raw(jsonio.encode(side.max_output))
        side.drop("max_tokens", f"The limit was lowered to {side.max_output}, the most allowed.", dropped=False)
        _fit_budget(top, side, side.max_output)


def _fit_budget(top: dict[str, Raw], side: UpstreamSide, limit: int) -> None:
    """A thinking budget must stay under the limit (2.4.1 rule 3), also under one that was lowered here."""
    thinking = jsonio.try_object(bytes(top.get("thinking", b"")))
    budget = thinking.get("budget_tokens") if thinking else None
    if thinking is None or not isinstance(budget, int) or budget < limit:
        return
    side.drop("thinking", "The thinking budget was fitted under the lowered limit.", dropped=limit <= LEAST_BUDGET)
    if limit <= LEAST_BUDGET:
        del top["thinking"]
    else:
        top["thinking"] = Raw(jsonio.encode({**thinking, "budget_tokens": limit - 1}))


def _put_prompt(top: dict[str, Raw], prompt: str) -> None:
    """The operator's system prompt before the caller's, once; the caller's blocks keep their bytes. The continuation
    of a thread has none: it is with the thread."""
    thread = jsonio.try_object(bytes(top.get("thread", b"")))
    if thread is not None and thread.get("type") == "continue":
        return
    raw, own = top.get("system"), {"type": "text", "text": prompt}
    given = jsonio.decode(raw) if raw is not None else None
    if not given:
        top["system"] = Raw(jsonio.encode([own]))
    elif isinstance(given, str) and not prompts.begins(given, prompt):
        top["system"] = Raw(jsonio.encode([own, {"type": "text", "text": given}]))
    elif isinstance(given, list) and raw is not None and not prompts.is_there(prompt, _texts(given)):
        top["system"] = Raw(jsonio.encode([own, *_raws.decode(raw)]))


def _texts(blocks: list[Any]) -> list[str]:
    """An empty text stands for a block of another kind."""
    texts = [block.get("text") if isinstance(block, dict) else None for block in blocks]
    return [text if isinstance(text, str) else "" for text in texts]


def _unseal(top: dict[str, Raw], side: UpstreamSide) -> None:
    try:
        messages = [_unsealed_message(message, side) for message in _raws.decode(top["messages"])]
    except _FAULTS:
        return  # not what it should be: the upstream will say so
    kept = [message for message in messages if message is not None]
    top["messages"] = Raw(jsonio.encode(kept))
    if _loses_thinking(top, kept):
        del top["thinking"]
        side.drop("thinking", "Thinking was switched off: the thinking before the last tool calls is another model's.")


def _unsealed_message(message: Raw, side: UpstreamSide) -> Raw | None:
    """The message with its own proofs opened and foreign thinking dropped; None when nothing is left of it."""
    if _SEALED not in bytes(message):
        return message
    fields = _fields.decode(message)
    content = bytes(fields.get("content", b"")).lstrip()
    if not content.startswith(b"["):
        return message
    blocks = [_unsealed_block(block, side) for block in _raws.decode(content)]
    kept = [block for block in blocks if block is not None]
    if not kept:
        return None
    fields["content"] = Raw(jsonio.encode(kept))
    return Raw(jsonio.encode(fields))


def _unsealed_block(block: Raw, side: UpstreamSide) -> Raw | None:
    if _SEALED not in bytes(block):
        return block
    fields = _fields.decode(block)
    name = _PROOF_FIELD.get(_text(fields.get("type")))
    sealed = _text(fields.get(name)) if name else ""
    if name is None or not is_sealed(sealed):
        return block  # the marker stands in somebody's text
    group, account = side.profile.model_group, side.account
    proof = side.sealer.unwrap(sealed, family=FAMILY, group=group, account=account)
    if proof is None:
        return None
    fields[name] = Raw(jsonio.encode(proof))
    return Raw(jsonio.encode(fields))


def _loses_thinking(top: dict[str, Raw], messages: list[Raw]) -> bool:
    """Budget thinking is on and the last assistant message, which calls tools, has lost its thinking (6.3)."""
    thinking = jsonio.try_object(bytes(top.get("thinking", b"")))
    if thinking is None or thinking.get("type") != "enabled":
        return False
    for message in reversed(messages):
        told = jsonio.try_object(bytes(message)) or {}
        if told.get("role") == "assistant":
            content = told.get("content")
            blocks = content if isinstance(content, list) else []
            kinds = [block.get("type") for block in blocks if isinstance(block, dict)]
            return "tool_use" in kinds and kinds[0] not in _PROOF_FIELD
    return False


def _text(value: Raw | None) -> str:
    if value is None:
        return ""
    try:
        decoded = jsonio.decode(value)
    except BodyUnreadable:
        return ""
    return decoded if isinstance(decoded, str) else ""


# --- the answer


class _Stop(Struct):
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Any = None


class _Message(Struct):
    id: str | None = None
    model: str | None = None
    usage: Any = None


class _Event(Struct):
    type: str = ""
    message: _Message | None = None
    delta: _Stop | None = None
    usage: Any = None
    error: Any = None
    content_block: Any = None


class _Answer(Struct):
    type: str | None = None
    id: str | None = None
    model: str | None = None
    usage: Any = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Any = None


_event = msgspec.json.Decoder(_Event)
_answer = msgspec.json.Decoder(_Answer)
_READ = frozenset({"message_start", "content_block_start", "message_delta", "message_stop", "error"})


class AnthropicTap:
    """Reads along. Deltas, which are most of a stream, are not decoded."""

    def __init__(self) -> None:
        self.glimpse = Glimpse()
        self.has_content = False
        self.is_done = False
        self._counts: dict[str, Any] = {}

    def feed(self, frame: Frame) -> bool:
        name = frame.event
        if name == "content_block_delta":
            self.has_content = True
        elif frame.data and not self.is_done and (not name or name in _READ):
            self._read(frame)
        return True

    def _read(self, frame: Frame) -> None:
        try:
            event = _event.decode(frame.data)
        except _FAULTS:
            return
        match event.type or frame.event:
            case "message_start":
                self._begin(event)
            case "message_delta":
                self._end(event)
            case "message_stop":
                self.is_done = True
            case "content_block_delta":
                self.has_content = True
            case "content_block_start":
                self.has_content = self.has_content or _says_something(event.content_block)
            case "error":
                self.glimpse.error = errors.refusal_in({"type": "error", "error": event.error}, raw=frame.data)

    def _begin(self, event: _Event) -> None:
        if event.message is not None:
            self.glimpse.id, self.glimpse.model = event.message.id, event.message.model
            self._count(event.message.usage)

    def _end(self, event: _Event) -> None:
        self._count(event.usage)
        if event.delta is not None and event.delta.stop_reason is not None:
            stop = event.delta
            self.glimpse.finish = finish.parse(stop.stop_reason, stop.stop_sequence, stop.stop_details)

    def _count(self, counts: Any) -> None:
        self._counts = usage.merged(self._counts, counts)
        self.glimpse.usage = usage.parse(self._counts)


def _says_something(block: Any) -> bool:
    """Text and thinking usually begin empty; every other block says something by being there."""
    if not isinstance(block, dict):
        return False
    kind = block.get("type")
    return bool(block.get(kind)) if kind in ("text", "thinking") else True


def glimpse(answer: bytes) -> Glimpse:
    """A whole answer, read as far as the books need it. Raises nothing."""
    try:
        told = _answer.decode(answer)
    except _FAULTS:
        told = _Answer(type="?")
    if told.type != "message":
        fault = errors.refusal_in(jsonio.try_object(answer), raw=answer)
        return Glimpse(error=fault or UpstreamBroken("The upstream's answer is not a message."))
    ended = None
    if told.stop_reason is not None:
        ended = finish.parse(told.stop_reason, told.stop_sequence, told.stop_details)
    return Glimpse(id=told.id, model=told.model, usage=usage.parse(told.usage), finish=ended)
