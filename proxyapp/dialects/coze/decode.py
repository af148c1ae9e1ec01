"""A Coze stream as events (reference/upstreams.md 6.5). One object a stream.

A message comes in deltas and then once more in full: the full text is used only for messages that had no deltas.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.coze import answer, errors
from proxyapp.dialects.coze.tables import COMPLETED
from proxyapp.dialects.sse import Frame
from proxyapp.errors import UpstreamBroken, UpstreamFault
from proxyapp.ir import events as ev
from proxyapp.ir.parts import Part, Reasoning, Text
from proxyapp.ir.response import Finish, FinishKind
from proxyapp.ir.usage import Usage

Json = dict[str, Any]
_DONE = (b'"[DONE]"', b"[DONE]")


class CozeDecoder:
    """Decoder of the contract."""

    def __init__(self, side: UpstreamSide) -> None:
        self._side = side
        self._started = False
        self._has_said = False
        """Words have come: without them an end mark alone is no answer."""
        self._ended = False
        self._open: type[Part] | None = None
        self._message = ""
        """Id of the message whose part is open."""
        self._seen: set[str] = set()
        """Ids of messages that came in deltas."""
        self._usage: Usage | None = None

    def feed(self, frame: Frame) -> list[ev.Event]:
        if self._ended:
            return []
        data = frame.data.strip()
        if frame.event == "done" or data in _DONE:
            return self._done()
        if not data:
            return self._alive()
        body = jsonio.try_object(data)
        if body is None:
            return self._fail(UpstreamBroken("The upstream sent an event that cannot be read."))
        if frame.event == "error" or (not frame.event and errors.number(body.get("code"))):
            return self._fail(errors.refused(body, body=data))
        step = _STEPS.get(frame.event)
        return self._alive() if step is None else step(self, body)

    def close(self) -> list[ev.Event]:
        if self._ended:
            return []
        return self._fail(UpstreamBroken("The upstream's stream ended before the answer was complete."))

    # --- one step an event

    def _chat(self, chat: Json) -> list[ev.Event]:
        """The chat has begun, goes on, or has ended, as its status says."""
        if (fault := answer.failure(chat)) is not None:
            return self._fail(fault)
        return self._alive() if self._started else self._start(chat)

    def _completed(self, chat: Json) -> list[ev.Event]:
        if (fault := answer.failure(chat)) is not None:
            return self._fail(fault)
        self._usage = answer.usage(chat)
        return [*([] if self._started else self._start(chat)), *self._finish(COMPLETED)]

    def _failed(self, chat: Json) -> list[ev.Event]:
        return self._fail(answer.failure(chat) or answer.failure({**chat, "status": "failed"}))

    def _canceled(self, chat: Json) -> list[ev.Event]:
        return self._fail(answer.failure({**chat, "status": "canceled"}))

    def _requires_action(self, chat: Json) -> list[ev.Event]:
        return self._fail(answer.failure({**chat, "status": "requires_action"}))

    def _delta(self, message: Json) -> list[ev.Event]:
        if not answer.is_answer(message):
            return self._alive()
        if any(answer.text(message.get(name)) for name in ("content", "reasoning_content")):
            self._seen.add(answer.text(message.get("id")))
        return self._say(message, answer.text(message.get("content")))

    def _message_completed(self, message: Json) -> list[ev.Event]:
        if not answer.is_answer(message) or answer.text(message.get("id")) in self._seen:
            return self._alive()
        return self._say(message, answer.content(message))

    # --- parts

    def _say(self, message: Json, words: str) -> list[ev.Event]:
        head = {"id": message.get("chat_id"), "conversation_id": message.get("conversation_id")}
        events = [] if self._started else self._start(head)
        if thought := answer.text(message.get("reasoning_content")):
            events += [*self._turn_to(Reasoning, message), ev.ReasoningDelta(thought)]
        if words:
            events += [*self._turn_to(Text, message), ev.TextDelta(words)]
        return events

    def _turn_to(self, kind: type[Reasoning] | type[Text], message: Json) -> list[ev.Event]:
        """Opens a part of the kind for the message, where another one or none is open."""
        message_id = answer.text(message.get("id"))
        if self._open is kind and self._message == message_id:
            return []
        events = self._shut()
        self._open, self._message, self._has_said = kind, message_id, True
        return [*events, ev.PartStarted(kind(text=""))]

    def _shut(self) -> list[ev.Event]:
        if self._open is None:
            return []
        self._open = None
        return [ev.PartEnded()]

    # --- begin and end

    def _start(self, chat: Json) -> list[ev.Event]:
        self._started = True
        return [ev.Started(id=answer.answer_id(chat), model=self._side.model, created=answer.created(chat))]

    def _alive(self) -> list[ev.Event]:
        return [ev.Alive()] if self._started else []

    def _done(self) -> list[ev.Event]:
        """The end mark. Without the chat's own end before it (Coze Studio) it is the end of what has come."""
        return self._finish("done") if self._has_said else self.close()

    def _finish(self, word: str) -> list[ev.Event]:
        self._ended = True
        counts = [ev.UsageGiven(self._usage)] if self._usage is not None else []
        return [*self._shut(), *counts, ev.Finished(Finish(kind=FinishKind.END, raw=word))]

    def _fail(self, error: UpstreamFault | None) -> list[ev.Event]:
        self._ended = True
        return [ev.Failed(error or UpstreamBroken("The upstream ended the chat without a reason."))]


_STEPS: dict[str, Callable[[CozeDecoder, Json], list[ev.Event]]] = {
    "conversation.chat.created": CozeDecoder._chat,
    "conversation.chat.in_progress": CozeDecoder._chat,
    "conversation.chat.completed": CozeDecoder._completed,
    "conversation.chat.failed": CozeDecoder._failed,
    "conversation.chat.canceled": CozeDecoder._canceled,
    "conversation.chat.requires_action": CozeDecoder._requires_action,
    "conversation.message.delta": CozeDecoder._delta,
    "conversation.message.completed": CozeDecoder._message_completed,
}
"""All others (audio, what newer versions add) are a sign of life and no more."""
