"""An IR request as the body of `/v3/chat`. A bot has its own prompt, model, settings and tools; it gets words alone."""

from __future__ import annotations

import re
from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.coze.messages import messages
from proxyapp.dialects.coze.tables import MODALITIES, OWN_FIELDS, REFUSED_EXTRAS, SETTINGS, SILENT_EXTRAS
from proxyapp.errors import Unsupported
from proxyapp.ir.request import Request, Turn

_PREFIX = "bot-"
_CONVERSATION = "conversation_id"
_ANSWER_ID = re.compile(r"^coze-([^-]+)(?:-[^-]+)?$")
"""The id of an answer may stand for its conversation (see `answer.answer_id`)."""
_PLAIN_TIERS = (None, "auto", "default", "standard", "standard_only")


def render_request(request: Request, side: UpstreamSide) -> dict[str, Any]:
    """The whole body for the bot `side.model`. The conversation, where the caller named one, goes into `side.query`."""
    _refuse_impossible(request, side)
    _note_settings(request, side)
    system, turns = _instructions(request, side), request.turns
    conversation = _conversation(request)
    if conversation:
        side.query[_CONVERSATION] = conversation
        system, turns = _new_part(system, turns, side)
    if system:
        side.drop("system", "A bot has its own prompt: system texts stand before the user's words.", dropped=False)
    streams = request.stream and side.profile.streaming
    body: dict[str, Any] = {
        "bot_id": side.model.removeprefix(_PREFIX),
        "user_id": request.end_user or side.caller or "anonymous",
        "stream": streams,
        "auto_save_history": True,
        "additional_messages": messages(system, turns, side),
    }
    if meta := {name: value for name, value in request.metadata.items() if name != _CONVERSATION}:
        body["meta_data"] = meta
    return body | _extras(request, side, streams=streams)


def _conversation(request: Request) -> str:
    """The conversation at Coze that the caller goes on with; "" = none. Raises Unsupported."""
    named = request.extras.get(_CONVERSATION) or request.metadata.get(_CONVERSATION) or ""
    if not isinstance(named, str):
        raise Unsupported(f"{_CONVERSATION} must be a string.", param=_CONVERSATION)
    found = _ANSWER_ID.match(named)
    return found[1] if found else named


def _new_part(system: list[str], turns: list[Turn], side: UpstreamSide) -> tuple[list[str], list[Turn]]:
    """What Coze does not know yet: the user's turns after the last answer. Sent whole, the history would be doubled."""
    answers = [index for index, turn in enumerate(turns) if turn.role == "assistant"]
    if not answers or answers[-1] == len(turns) - 1:
        return system, turns
    side.drop("messages", "Only the newest messages were sent: the conversation is kept at Coze.", dropped=False)
    return [], turns[answers[-1] + 1 :]


def _refuse_impossible(request: Request, side: UpstreamSide) -> None:
    """Raises Unsupported for what would give the caller something else than it asked for."""
    if request.n > 1:
        raise Unsupported("A bot gives one answer a request.", param=request.word("n"))
    if request.logprobs or (request.logprobs is None and request.top_logprobs):
        side.refuse(request.word("logprobs"), "A bot gives no log probabilities.")
    if request.tools and request.tool_choice is not None and request.tool_choice.mode == "none":
        side.drop("tools", "Bots have tools of their own.")
    elif request.tools:
        side.refuse("tools", "Bots have tools of their own and take none from callers.")
    for tool in request.server_tools:
        side.refuse(tool.path or "tools", "Bots have tools of their own and take none from callers.")


def _note_settings(request: Request, side: UpstreamSide) -> None:
    for field, word in SETTINGS:
        if getattr(request, field) not in (None, [], {}):
            side.drop(request.word(word), "The bot's own configuration settles this.")
    if request.reasoning is not None and request.reasoning.mode != "off":
        sentence = "Whether a bot thinks is settled in its own configuration."
        side.drop(request.word("reasoning"), sentence, ours=request.reasoning.by_operator)
    if request.service_tier not in _PLAIN_TIERS:
        side.drop("service_tier", "The upstream has no service tiers.")
    if request.store:
        side.drop("store", "The upstream keeps conversations, not answers.")


def _instructions(request: Request, side: UpstreamSide) -> list[str]:
    """The caller's system texts, and what it wants of the answer's form in words."""
    texts = [text.text for text in request.system if text.text]
    wanted = request.format
    if wanted is None or wanted.kind == "text":
        return texts
    side.drop(request.word("format"), "The bot is asked for JSON in words: it cannot be held to it.", dropped=False)
    texts.append("Answer with one JSON object and nothing else.")
    if wanted.kind == "json_schema":
        texts.append(f"It must match this JSON Schema:\n{jsonio.text(wanted.schema or {})}")
    return texts


def _text_alone(name: str, value: Any) -> None:
    if any(str(kind).lower() != "text" for kind in (value if isinstance(value, list) else [value])):
        raise Unsupported("A bot answers in text only.", param=name)


def _extras(request: Request, side: UpstreamSide, *, streams: bool) -> dict[str, Any]:
    """Coze's own fields as they came; those of other dialects are judged by the tables. Raises Unsupported."""
    fields: dict[str, Any] = {}
    for name, value in request.extras.items():
        if name in OWN_FIELDS:
            fields[name] = value
        elif name in MODALITIES:
            _text_alone(name, value)
        elif name in REFUSED_EXTRAS:
            side.refuse(name, f"This upstream has no counterpart of '{name}'.")
        elif name != _CONVERSATION and name not in SILENT_EXTRAS:
            side.drop(name, "The upstream's dialect has no such field.")
    if fields.get("auto_save_history") is False and not streams:
        del fields["auto_save_history"]
        side.drop("auto_save_history", "Without a stream the answer is read back from the saved conversation.")
    return fields
