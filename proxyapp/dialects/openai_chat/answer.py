"""A whole answer for a Chat caller. Rules: reference/translation.md 3.1 and 3.2."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import ClientSide
from proxyapp.dialects.openai.media import as_data_url
from proxyapp.dialects.openai.tables import TIER_OF, TIERS
from proxyapp.dialects.openai_chat import details
from proxyapp.dialects.openai_chat.assistant import full_name
from proxyapp.dialects.openai_chat.extras import annotation_of
from proxyapp.dialects.openai_chat.tables import FINISH_WORD, NAME
from proxyapp.dialects.openai_chat.usage import render_usage
from proxyapp.errors import UpstreamBroken
from proxyapp.ir import parts as p
from proxyapp.ir.request import Request
from proxyapp.ir.response import Finish, FinishKind, Response


def render_response(response: Response, request: Request, side: ClientSide) -> dict[str, Any]:
    """The `chat.completion` object. Raises UpstreamBroken for an answer that is none (malformed, nothing at all)."""
    has_content = any(not isinstance(part, p.Reasoning) for part in response.parts)
    if needs_error(response.finish, has_content=has_content):
        raise no_answer(response.finish)
    message = _Message()
    for part in response.parts:
        _add(message, part, request, side)
    body: dict[str, Any] = {
        "id": response.id or f"chatcmpl-{side.new_id()}",
        "object": "chat.completion",
        "created": response.created or side.now,
        "model": response.model or request.model,
        "choices": [
            {
                "index": 0,
                "message": message.render(response.finish, request),
                "logprobs": _logprobs(response, is_refusal=bool(message.refusal)),
                "finish_reason": finish_word(
                    response.finish, request, has_calls=bool(message.calls), has_refusal=bool(message.refusal)
                ),
            }
        ],
    }
    if response.usage is not None:
        body["usage"] = render_usage(response.usage)
    if (tier := known_tier(response.service_tier)) is not None:
        body["service_tier"] = tier
    body |= response.extras.get(NAME, {})
    return body


def known_tier(word: str | None) -> str | None:
    """A tier word that Chat callers know (the official SDK's types are closed); None = leave it out."""
    word = TIER_OF.get(word or "", word)
    return word if word in TIERS else None


def is_shown(request: Request, side: ClientSide) -> bool:
    """Does the caller get reasoning? The operator's switch, and OpenRouter's `reasoning.exclude`."""
    return side.show_reasoning and not (request.reasoning is not None and request.reasoning.show is False)


def finish_word(finish: Finish, request: Request, *, has_calls: bool, has_refusal: bool) -> str:
    """Chat's word. A refusal in the model's own words is a `stop`; a call is never hidden behind one."""
    word = FINISH_WORD[finish.kind]
    if finish.kind is FinishKind.REFUSAL and has_refusal:
        word = "stop"
    if word == "stop" and has_calls:
        word = "tool_calls"
    return "function_call" if word == "tool_calls" and request.legacy_functions else word


def needs_error(finish: Finish, *, has_content: bool) -> bool:
    """Ends that are no answer: a `stop` would be a false one (3.2, rule 3)."""
    return finish.kind is FinishKind.MALFORMED or (finish.kind is FinishKind.OTHER and not has_content)


def no_answer(finish: Finish) -> UpstreamBroken:
    return UpstreamBroken(
        f"The upstream ended the answer as '{finish.raw or finish.kind.value}', without a usable result."
    )


class _Message(Struct):
    """The pieces of the message while the parts are gone through."""

    text: str = ""
    refusal: str = ""
    has_text: bool = False
    reasoning: list[str] = field(default_factory=list)
    details: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    images: list[dict[str, Any]] = field(default_factory=list)
    audio: dict[str, Any] | None = None

    def render(self, finish: Finish, request: Request) -> dict[str, Any]:
        has_other = self.calls or self.refusal or self.audio or finish.explanation
        message: dict[str, Any] = {
            "role": "assistant",
            "content": self.text if self.has_text or not has_other else None,
            "refusal": self.refusal or finish.explanation or None,
        }
        if self.reasoning:
            message["reasoning_content"] = "".join(self.reasoning)
        optional = {"reasoning_details": self.details, "annotations": self.annotations, "images": self.images}
        message |= {name: value for name, value in optional.items() if value}
        if self.audio is not None:
            message["audio"] = self.audio
        if self.calls and request.legacy_functions:
            message["function_call"] = self.calls[0].get("function")
        elif self.calls:
            message["tool_calls"] = self.calls
        return message


def _add(message: _Message, part: p.Part, request: Request, side: ClientSide) -> None:
    match part:
        case p.Text():
            start = len(message.text)
            message.text += part.text
            message.has_text = True
            found = (annotation_of(citation, start, len(message.text)) for citation in part.citations)
            message.annotations += [annotation for annotation in found if annotation is not None]
        case p.Refusal():
            message.refusal += part.text
        case p.Reasoning() if is_shown(request, side):
            _add_reasoning(message, part, side)
        case p.ToolCall():
            message.calls.append(_call(part, request))
        case p.Audio():
            message.audio = audio_object(part, side)
        case p.Image():
            message.images.append(image_object(part))


def _add_reasoning(message: _Message, part: p.Reasoning, side: ClientSide) -> None:
    if part.text:
        message.reasoning.append(part.text)
    entry = details.give(part, len(message.details), side.sealer)
    if entry is not None:
        message.details.append(entry)


def _call(part: p.ToolCall, request: Request) -> dict[str, Any]:
    """A custom call in its own form where the caller declared a custom tool, else as a function around the text."""
    name = full_name(part.name, part.namespace)
    if part.kind == "custom" and any(tool.name == part.name and tool.kind == "custom" for tool in request.tools):
        return {"id": part.id, "type": "custom", "custom": {"name": name, "input": part.arguments}}
    arguments = jsonio.text({"input": part.arguments}) if part.kind == "custom" else part.arguments or "{}"
    call: dict[str, Any] = {"id": part.id, "type": "function", "function": {"name": name, "arguments": arguments}}
    if extra := part.meta.get(NAME, {}).get("extra_content"):
        call["extra_content"] = extra
    return call


def audio_object(part: p.Audio, side: ClientSide) -> dict[str, Any]:
    """Spoken output in the form of `message.audio`; an id is made up where its upstream gave none."""
    meta = part.meta.get(NAME, {})
    return {
        "id": meta.get("id") or f"audio_{side.new_id()}",
        "data": part.source.data,
        "transcript": part.transcript or "",
        "expires_at": meta.get("expires_at") or side.now,
    }


def image_object(part: p.Image) -> dict[str, Any]:
    """An image in an answer, in OpenRouter's form: Chat itself has none."""
    url = part.source.data if part.source.kind == "url" else as_data_url(part.source)
    return {"type": "image_url", "image_url": {"url": url}}


def _logprobs(response: Response, *, is_refusal: bool) -> dict[str, Any] | None:
    if response.logprobs is None:
        return None
    tokens = response.logprobs
    return {"content": None if is_refusal else tokens, "refusal": tokens if is_refusal else None}
