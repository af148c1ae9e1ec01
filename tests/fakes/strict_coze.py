"""Coze v3 as strict as the real one: create, retrieve, message list, cancel, and the stream. Facts: upstreams.md 6.

What it says is its mind's (see `mind`); cues of its own, as first word of the user's text, make it misbehave:

    busy limited broken stranger    an error code instead of a chat
    fails canceled action           a chat that ends so
    slow:<n>                        n polls until it is over (else it is over at once)
    stumbles                        the first question about the running chat fails
    never                           a chat that does not end
    endless mute                    a stream that falls silent after its first words, or before
    quiet                           a stream without deltas: the message comes whole
    studio                          a stream without `chat.completed`, with a bare `[DONE]`
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.mind import Answer, Ask, Fault, Mind
from tests.fakes.strict import URL, Refused, as_stream, listing, only, require, text
from tests.fakes.upstream import Script, Seen, answer_json

KEY = "pat_strict_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWX"
BOT = "7533263489985413120"
LOG_ID = "20261121170000A1B2C3"
LEAKS = ("SUGGESTED-QUESTION", "generate_answer_finish", "PLUGIN-CALL", "KNOWLEDGE-HIT")
"""Words of messages that are not for the user's eyes."""

Json = dict[str, Any]
_TOP = {
    "bot_id", "user_id", "stream", "auto_save_history", "additional_messages", "custom_variables", "parameters",
    "meta_data", "enable_card", "shortcut_command", "extra_params", "publish_status",
}  # fmt: skip
_FORMS = {"user": "question", "assistant": "answer"}
_CODES = {"busy": 4016, "limited": 4013, "broken": 5000, "stranger": 4101, "odd": 4242}


class NoChat(Exception):
    """An envelope with a code, status 200."""

    def __init__(self, code: int, msg: str) -> None:
        super().__init__(msg)
        self.code, self.msg = code, msg


@dataclass
class Chat:
    """One run of the bot."""

    id: str
    conversation_id: str
    body: Json
    cue: str
    answer: Answer
    polls: int = 0
    """Questions until it is over."""
    canceled: bool = False
    asked: int = 0


@dataclass
class StrictCoze:
    """Use one object as the `default` of a ScriptedUpstream."""

    mind: Callable[[Ask], Answer | Fault] = field(default_factory=Mind)
    refused: list[str] = field(default_factory=list)
    """What was wrong with requests, for a test's message."""
    chats: dict[str, Chat] = field(default_factory=dict)
    conversations: dict[str, list[Json]] = field(default_factory=dict)
    """What each has heard."""
    canceled: list[str] = field(default_factory=list)
    _count: Iterator[int] = field(default_factory=lambda: itertools.count(7533263489985413121))

    def __call__(self, seen: Seen) -> Script:
        parts = urlsplit(seen.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        try:
            if seen.headers.get("authorization") != f"Bearer {KEY}":
                raise NoChat(700012006, "access token invalid")
            answer = self._road(seen.method, parts.path)
            return answer(seen, query)
        except NoChat as no:
            return _envelope(code=no.code, msg=no.msg)
        except Refused as no:
            self.refused.append(no.message)
            return _envelope(code=4000, msg=no.message)

    def _road(self, method: str, path: str) -> Callable[[Seen, dict[str, str]], Script]:
        roads = {
            ("POST", "/v3/chat"): self._create,
            ("GET", "/v3/chat/retrieve"): self._retrieve,
            ("GET", "/v3/chat/message/list"): self._list,
            ("POST", "/v3/chat/cancel"): self._cancel,
        }
        require((method, path) in roads, f"no such path: {method} {path}")
        return roads[method, path]

    # --- the four requests

    def _create(self, seen: Seen, query: dict[str, str]) -> Script:
        body = only(seen.body, _TOP, "")
        ask = _read(body, seen)
        cue, _, rest = (ask.said[-1].split() or [""])[0].partition(":")
        if cue in _CODES:
            raise NoChat(_CODES[cue], f"scripted {cue}")
        conversation = self._conversation(query, body)
        answer = Answer(text=["Hel", "lo."]) if cue in _OWN_CUES else self.mind(ask)
        if isinstance(answer, Fault):
            return answer_json({"code": answer.status, "msg": answer.message}, answer.status)
        chat = Chat(str(next(self._count)), conversation, body, cue, answer, polls=_polls(cue, rest))
        self.chats[chat.id] = chat
        if body["stream"] and cue in ("endless", "mute"):
            most = {"endless": 6, "mute": 2}[cue]
            return Script(200, {"content-type": "text/event-stream"}, list(_stream(chat))[:most], end="hang")
        if body["stream"]:
            return as_stream(_stream(chat), answer)
        return _envelope(data=_chat_object(chat))

    def _conversation(self, query: dict[str, str], body: Json) -> str:
        only(query, {"conversation_id"}, "query")
        conversation = query.get("conversation_id")
        if conversation is None:
            conversation = str(next(self._count))
            self.conversations[conversation] = []
        elif conversation not in self.conversations:
            raise NoChat(4200, "Requested resource conversation does not exist")
        self.conversations[conversation] += body["additional_messages"]
        return conversation

    def _retrieve(self, seen: Seen, query: dict[str, str]) -> Script:
        chat = self._chat_of(query)
        require(seen.raw == b"", "a GET with a body")
        chat.asked += 1
        if chat.cue == "stumbles" and chat.asked == 1:
            return answer_json({"code": 5000, "msg": "server issues"}, 503)
        if chat.polls and chat.cue != "never":
            chat.polls -= 1
        return _envelope(data=_chat_object(chat))

    def _list(self, seen: Seen, query: dict[str, str]) -> Script:
        chat = self._chat_of(query)
        require(not chat.polls, "the chat is not over")
        return _envelope(data=list(_messages(chat)))

    def _cancel(self, seen: Seen, query: dict[str, str]) -> Script:
        chat = self._chat_of(only(seen.body, {"conversation_id", "chat_id"}, ""))
        if not chat.polls:
            raise NoChat(4104, "the chat cannot be cancelled")
        chat.canceled, chat.polls = True, 0
        self.canceled.append(chat.id)
        return _envelope(data=_chat_object(chat))

    def _chat_of(self, ids: Json) -> Chat:
        chat = self.chats.get(text(ids.get("chat_id"), "chat_id"))
        require(chat is not None, "no such chat")
        assert chat is not None
        require(ids.get("conversation_id") == chat.conversation_id, "the chat is of another conversation")
        return chat


_OWN_CUES = {"fails", "canceled", "action", "slow", "stumbles", "never", "quiet", "studio", "endless", "mute"}


def _polls(cue: str, rest: str) -> int:
    return {"slow": int(rest or 1), "stumbles": 1, "never": 1, "endless": 1, "mute": 1}.get(cue, 0)


# --- reading


def _read(body: Json, seen: Seen) -> Ask:
    require(body.get("bot_id") == BOT, f"bot_id: no bot {body.get('bot_id')!r}")
    require(text(body.get("user_id"), "user_id"), "user_id: empty")
    require(isinstance(body.get("stream"), bool), "stream: Input should be a bool")
    require(body["stream"] or body.get("auto_save_history") is True, "auto_save_history must be true without a stream")
    meta = body.get("meta_data", {})
    require(all(isinstance(value, str) for value in meta.values()), "meta_data: Input should be texts")
    ask = Ask(model=BOT, headers=seen.headers, body=body)
    messages = listing(body.get("additional_messages"), "additional_messages")
    require(len(messages) <= 100, "additional_messages: too many")
    for number, message in enumerate(messages):
        _message(message, ask, f"additional_messages[{number}]")
    require(messages[-1]["role"] == "user", "additional_messages: the last one must be the user's")
    return ask


def _message(message: Json, ask: Ask, path: str) -> None:
    only(message, {"role", "type", "content", "content_type", "meta_data"}, path)
    require(message.get("type") == _FORMS.get(message.get("role", "")), f"{path}.type: does not fit the role")
    words = text(message.get("content"), f"{path}.content")
    require(words, f"{path}.content: empty")
    if message["role"] == "assistant":
        require(message.get("content_type") == "text", f"{path}.content_type: not for answers")
        return
    require(message.get("content_type") in ("text", "object_string"), f"{path}.content_type: unknown")
    if message["content_type"] == "text":
        ask.said.append(words)
        return
    for item in listing(json.loads(words), path):
        if item.get("type") == "text":
            ask.said.append(text(only(item, {"type", "text"}, path)["text"], path))
            continue
        only(item, {"type", "file_id", "file_url"}, path)
        require(item.get("type") in ("image", "file", "audio"), f"{path}: unknown type")
        require(URL.fullmatch(item.get("file_url", "")), f"{path}.file_url: not a public address")
        ask.media.append(f"{item['type']} {item['file_url']}")


# --- answering


def _envelope(data: Any = None, code: int = 0, msg: str = "") -> Script:
    body: Json = {"code": code, "msg": msg, "detail": {"logid": LOG_ID}}
    return answer_json(body if data is None else {**body, "data": data}, x_tt_logid=LOG_ID)


def _chat_object(chat: Chat, status: str = "") -> Json:
    ends = {"fails": "failed", "canceled": "canceled", "action": "requires_action"}
    over = "canceled" if chat.canceled else ends.get(chat.cue, "completed")
    status = status or ("in_progress" if chat.polls else over)
    found: Json = {
        "id": chat.id,
        "conversation_id": chat.conversation_id,
        "bot_id": chat.body["bot_id"],
        "created_at": 1760000000,
        "last_error": {"code": 0, "msg": ""},
        "status": status,
        "usage": {"token_count": 0, "output_count": 0, "input_count": 0},
        "section_id": chat.conversation_id,
    }
    if status == "failed":
        found["last_error"] = {"code": 5000, "msg": "the model gave up"}
    if status == "requires_action":
        call = {"id": "c1", "type": "function", "function": {"name": "local", "arguments": "{}"}}
        found["required_action"] = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [call]}}
    if status == "completed":
        count = chat.answer.fresh + chat.answer.output
        found["usage"] = {"token_count": count, "output_count": chat.answer.output, "input_count": chat.answer.fresh}
    return found


def _message_object(chat: Chat, kind: str, content: str, number: int, **more: Any) -> Json:
    return {
        "id": f"{chat.id}{number}",
        "conversation_id": chat.conversation_id,
        "bot_id": chat.body["bot_id"],
        "chat_id": chat.id,
        "role": "assistant",
        "type": kind,
        "content": content,
        "content_type": "text",
        "created_at": 1760000001,
        **more,
    }


def _messages(chat: Chat) -> Iterator[Json]:
    """The whole messages, with those around the answer that nobody should see."""
    yield _message_object(chat, "function_call", json.dumps({"name": LEAKS[2]}), 1)
    yield _message_object(chat, "knowledge", LEAKS[3], 2)
    thought = "".join(chat.answer.thinking)
    more = {"reasoning_content": thought} if thought else {}
    yield _message_object(chat, "answer", "".join(chat.answer.text), 3, **more)
    finish = {"msg_type": LEAKS[1], "data": "{}", "from_module": None}
    yield _message_object(chat, "verbose", json.dumps(finish), 4)
    yield _message_object(chat, "follow_up", LEAKS[0], 5)


def _stream(chat: Chat) -> Iterator[bytes]:
    def frame(event: str, data: Any) -> bytes:
        words = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        return f"event:{event}\ndata:{words}\n\n".encode()

    yield frame("conversation.chat.created", _chat_object(chat, "created"))
    yield frame("conversation.chat.in_progress", _chat_object(chat, "in_progress"))
    yield b'data:{"debug_url":"https://coze.example/debug"}\n\n'
    before, knowledge, whole, *after = _messages(chat)
    yield frame("conversation.message.completed", before)
    yield frame("conversation.message.completed", knowledge)
    if chat.cue in ("fails", "canceled", "action"):
        word = {"fails": "failed", "action": "requires_action"}.get(chat.cue, chat.cue)
        yield frame(f"conversation.chat.{word}", _chat_object(chat))
        yield frame("done", '"[DONE]"')
        return
    if chat.cue != "quiet":
        for piece in chat.answer.thinking:
            yield frame("conversation.message.delta", {**whole, "content": "", "reasoning_content": piece})
        for piece in chat.answer.text:
            yield frame("conversation.message.delta", {**whole, "content": piece, "reasoning_content": ""})
    if chat.answer.ends == "error":
        yield frame("error", {"code": 5000, "msg": "scripted break"})
    if chat.answer.ends != "done":
        return
    yield frame("conversation.message.completed", whole)
    for message in after:
        yield frame("conversation.message.completed", message)
    if chat.cue == "studio":
        yield frame("done", "[DONE]")
        return
    yield frame("conversation.chat.completed", _chat_object(chat))
    yield frame("done", '"[DONE]"')
