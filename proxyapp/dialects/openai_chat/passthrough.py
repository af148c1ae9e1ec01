"""Chat in, Chat out: the caller's bytes with the fewest possible changes, and readers of what comes back."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import Body, Glimpse, UpstreamSide
from proxyapp.dialects.openai.fields import as_text
from proxyapp.dialects.openai_chat import details, leveling
from proxyapp.dialects.openai_chat.errors import ERRORS
from proxyapp.dialects.openai_chat.fitting import (
    SCHEMA_PLACES,
    choice_may_need_fitting,
    fit_choice,
    fit_fields,
    fit_messages,
    fit_schemas,
    may_need_fitting,
)
from proxyapp.dialects.openai_chat.prompting import with_prompt
from proxyapp.dialects.openai_chat.tables import FAILED_FINISH, FINISH
from proxyapp.dialects.openai_chat.usage import parse_usage
from proxyapp.dialects.openai_chat.wire import UNREADABLE, Choice, Chunk, Delta, decode_chunk
from proxyapp.dialects.signatures import PREFIX, is_sealed
from proxyapp.dialects.sse import Frame
from proxyapp.errors import BadRequest, UpstreamBroken
from proxyapp.ir.response import Finish, FinishKind

_MARK = PREFIX.encode()
_LIMITS = ("max_tokens", "max_completion_tokens")
_NEED_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")


class _Options(Struct):
    include_usage: Any = None


def patch(body: Body, model: str, side: UpstreamSide) -> bytes:
    """The caller's body for this upstream. Values that need no change are sent as the caller wrote them."""
    top = dict(body.top)
    top["model"] = Raw(jsonio.encode(model))
    if not side.profile.streaming:
        top.pop("stream", None)
    _patch_usage(top, side)
    if _is_empty_list(top.get("tools")):  # refused by several servers, and then the choice has nothing to choose from
        for name in _NEED_TOOLS:
            top.pop(name, None)
    top = _patch_limit(top, side.profile.max_tokens_field)
    if side.max_output is not None:
        _cap(top, side)
    if side.level is not None:
        leveling.put(top, side, side.level)
    if side.system_prompt and "messages" in top:
        top["messages"] = with_prompt(top["messages"], side.system_prompt)
    if "messages" in top and _MARK in bytes(top["messages"]):
        top["messages"] = _without_seals(top["messages"], side)
    _fit(top, side)
    return jsonio.encode(top)


def _fit(top: dict[str, Raw], side: UpstreamSide) -> None:
    """What this server wants otherwise than OpenAI. A body that fits stays as it is."""
    if "messages" in top and may_need_fitting(bytes(top["messages"]), side.profile):
        messages = jsonio.decode(top["messages"])
        if isinstance(messages, list) and (fitted := fit_messages(messages, side)) != messages:
            top["messages"] = Raw(jsonio.encode(fitted))
    if "tool_choice" in top and choice_may_need_fitting(side.profile):
        asked: dict[str, Any] = {name: jsonio.decode(top[name]) for name in ("tools", "tool_choice") if name in top}
        told = dict(asked)
        fit_choice(told, side)
        top.update({name: Raw(jsonio.encode(value)) for name, value in told.items() if value != asked[name]})
    if side.profile.plain_schemas:
        schemas: dict[str, Any] = {name: jsonio.decode(top[name]) for name in SCHEMA_PLACES if name in top}
        fitting = fit_schemas(schemas, side.profile)
        top.update({name: Raw(jsonio.encode(value)) for name, value in fitting.items() if value != schemas[name]})
    fit_fields(top, side)


def _patch_usage(top: dict[str, Raw], side: UpstreamSide) -> None:
    """Usage is asked for in every stream; options without a stream are refused with a 400 (4.7, S22)."""
    is_stream = bytes(top.get("stream", Raw(b"false"))) == b"true"
    if not is_stream or not side.profile.usage_in_stream:
        top.pop("stream_options", None)
        return
    given = top.get("stream_options")
    options = jsonio.decode_top(bytes(given)) if given is not None and bytes(given) != b"null" else {}
    if bytes(options.get("include_usage", Raw(b""))) != b"true":
        options["include_usage"] = Raw(b"true")
        top["stream_options"] = Raw(jsonio.encode(options))


def _is_empty_list(raw: Raw | None) -> bool:
    return raw is not None and b"".join(bytes(raw).split()) in (b"[]", b"null")


def _patch_limit(top: dict[str, Raw], wanted: str) -> dict[str, Raw]:
    """The output limit under the name that the upstream takes. Of two, `max_completion_tokens` holds (2.4.1)."""
    other = _LIMITS[1 - _LIMITS.index(wanted)] if wanted in _LIMITS else ""
    if other not in top:
        return top
    if wanted in top:
        top[wanted] = top["max_completion_tokens"]
        return {name: value for name, value in top.items() if name != other}
    return {wanted if name == other else name: value for name, value in top.items()}


def _cap(top: dict[str, Raw], side: UpstreamSide) -> None:
    """The operator's cap, also where the caller gave no limit."""
    asked = next((jsonio.decode(top[name]) for name in _LIMITS if name in top), None)
    if not isinstance(asked, int) or asked > (side.max_output or 0):
        for name in _LIMITS:
            top.pop(name, None)
        top[side.profile.max_tokens_field] = Raw(jsonio.encode(side.max_output))
        if asked is not None:
            side.drop("max_tokens", f"The limit was lowered to {side.max_output}, the most allowed.", dropped=False)


def _without_seals(raw: Raw, side: UpstreamSide) -> Raw:
    """Our own envelopes out of the history: the proof in place of the upstream's own, nothing in place of others."""
    messages = jsonio.decode(raw)
    for message in messages if isinstance(messages, list) else ():
        if not isinstance(message, dict) or not details.entries_of(message.get("reasoning_details")):
            continue
        kept = [_unsealed(entry, side) for entry in details.entries_of(message["reasoning_details"])]
        message["reasoning_details"] = [entry for entry in kept if entry is not None]
        if not message["reasoning_details"]:
            del message["reasoning_details"]
    return Raw(jsonio.encode(messages))


def _unsealed(entry: dict[str, Any], side: UpstreamSide) -> dict[str, Any] | None:
    token = entry.get("data") if entry.get("type") == details.ENCRYPTED else entry.get("signature")
    if not isinstance(token, str) or not is_sealed(token):
        return entry
    proof = side.sealer.unwrap(token, family=details.FAMILY, group=side.profile.model_group, account=side.account)
    own = jsonio.try_object(proof)
    if own is None:
        return None
    text = details.entry_text(entry)
    return {**own, details.text_key(own): text} if text else own


class ChatTap:
    """Tap of the contract. Costs one typed decode a frame."""

    def __init__(self, body: Body) -> None:
        self.glimpse = Glimpse()
        self.has_content = False
        self.is_done = False
        self._hides_usage = not _asked_for_usage(body)

    def feed(self, frame: Frame) -> bool:
        data = frame.data
        if not data:
            return True
        if data.strip() == b"[DONE]":
            self.is_done = True
            return True
        if frame.event == "error":
            self.glimpse.error = ERRORS.of_event(data)
            return True
        try:
            chunk = decode_chunk(data)
        except UNREADABLE:
            return True
        if chunk.object == "error":
            self.glimpse.error = ERRORS.of_event(data)
            return True
        self._take(chunk)
        return not (self._hides_usage and chunk.choices == [] and chunk.usage is not None)

    def _take(self, chunk: Chunk) -> None:
        glimpse = self.glimpse
        if glimpse.id is None and chunk.id:
            glimpse.id, glimpse.model = as_text(chunk.id), as_text(chunk.model)
        if counts := chunk.counts():
            glimpse.usage = parse_usage(counts) or glimpse.usage
        if fault := chunk.fault():
            glimpse.error = ERRORS.reported(fault)
        for choice in chunk.choices or ():
            self._take_choice(choice)

    def _take_choice(self, choice: Choice) -> None:
        delta = choice.delta or choice.message
        if not self.has_content and delta is not None:
            self.has_content = is_content(delta)
        if choice.finish_reason and self.glimpse.finish is None:
            # Not the end yet: the usage chunk and [DONE] follow. A stream without [DONE] is judged by the finish.
            self.glimpse.finish = finish_of(choice)
            if self.glimpse.finish.raw in FAILED_FINISH and self.glimpse.error is None:
                self.glimpse.error = ERRORS.reported(choice.error or "The upstream ended the answer with an error.")


def _asked_for_usage(body: Body) -> bool:
    raw = body.top.get("stream_options")
    try:
        return raw is not None and msgspec.json.decode(raw, type=_Options | None) == _Options(include_usage=True)
    except UNREADABLE:
        return False


def is_content(delta: Delta) -> bool:
    """Does it hold anything of the answer itself, so that no other upstream may be tried any more?"""
    said = delta.content or delta.refusal or delta.tool_calls or delta.function_call
    thought = delta.reasoning_content or delta.reasoning or delta.reasoning_details or delta.thinking_blocks
    return bool(said or thought or delta.audio or delta.images)


def finish_of(choice: Choice) -> Finish:
    """The finish word as it stands, for the books."""
    word = as_text(choice.finish_reason)
    return Finish(kind=FINISH.get(word, FinishKind.OTHER), raw=word)


def glimpse(answer: bytes) -> Glimpse:
    """What a whole pass-through answer tells the books. Raises nothing; `error` is set when it is no answer."""
    try:
        chunk = decode_chunk(answer)
    except UNREADABLE:
        return Glimpse(error=_reported_in(answer) or UpstreamBroken("The upstream's answer is no chat completion."))
    if chunk.error:
        return Glimpse(error=ERRORS.reported(chunk.error, answer))
    choice = chunk.first_choice()
    if choice is None:
        return Glimpse(error=UpstreamBroken("The upstream's answer holds no choice."))
    return Glimpse(
        id=as_text(chunk.id) or None,
        model=as_text(chunk.model) or None,
        usage=parse_usage(chunk.counts()),
        finish=finish_of(choice) if choice.finish_reason else None,
        error=ERRORS.reported(choice.error or "The upstream ended the answer with an error.")
        if as_text(choice.finish_reason) in FAILED_FINISH
        else None,
    )


def _reported_in(answer: bytes) -> Any:
    try:
        value = jsonio.decode(answer)
    except BadRequest:
        return None
    error = value.get("error") if isinstance(value, dict) else None
    return ERRORS.reported(error, answer) if error else None
