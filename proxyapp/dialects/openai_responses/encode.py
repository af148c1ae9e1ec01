"""Events as the bytes of a Responses stream. Rules: reference/translation.md 4.1 (grammar R) and 4.4.

An item is closed when the next one opens or the answer ends: only then is it known whether it is complete.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from proxyapp.dialects import naming
from proxyapp.dialects.contract import ClientSide
from proxyapp.dialects.openai_responses import reasoning
from proxyapp.dialects.openai_responses.errors import failure
from proxyapp.dialects.openai_responses.frames import Frames
from proxyapp.dialects.openai_responses.hosted import item_of_call, item_of_image
from proxyapp.dialects.openai_responses.naming import Declared
from proxyapp.dialects.openai_responses.output import (
    CallWriter,
    HostedWriter,
    Item,
    MessageWriter,
    ReasoningWriter,
    Writer,
)
from proxyapp.dialects.openai_responses.snapshot import Snapshot
from proxyapp.dialects.openai_responses.tables import ID_PREFIX, INCOMPLETE_WORD, NAME
from proxyapp.errors import GatewayError, UpstreamBroken
from proxyapp.ir import events as ev
from proxyapp.ir import parts as p
from proxyapp.ir.request import Request
from proxyapp.ir.response import Finish, FinishKind
from proxyapp.ir.usage import Usage

_CALL_ID_LIMIT = 64
_CUT = frozenset({FinishKind.LENGTH, FinishKind.CONTEXT_WINDOW, FinishKind.CONTENT_FILTER, FinishKind.RECITATION})


class ResponsesEncoder:
    """Encoder of the contract. `final` is the finished Response object, once there is one."""

    def __init__(self, request: Request, side: ClientSide) -> None:
        self._side = side
        self._frames = Frames()
        self._snapshot = Snapshot(request, side)
        self._declared = Declared(request)
        self._output: list[Item] = []
        self._writer: Writer | None = None
        self._part: p.Part | None = None
        self._message_id: str | None = None
        """The upstream's own id of the message that is open, where it told one."""
        self._arguments: list[str] = []
        """Of the open call of a hosted tool."""
        self._calls: set[str] = set()
        self._has_refusal = False
        self._usage: Usage | None = None
        self._ended = False
        self.final: dict[str, Any] | None = None

    def encode(self, event: ev.Event) -> bytes:
        if self._ended:
            return b""
        return _STEPS[type(event)](self, event)

    def fail(self, error: GatewayError) -> bytes:
        """`response.failed` with what was made so far: agents ignore a bare `error` (4.4 rule 7)."""
        out = b"" if self._snapshot.is_named else self._started(ev.Started())
        out += self._close("incomplete")
        self._ended = True
        self.final = self._snapshot.at("failed", output=self._output, usage=self._usage, error=failure(error))
        return out + self._frames.event("response.failed", response=self.final)

    # --- the answer

    def _started(self, event: ev.Started) -> bytes:
        self._usage = event.usage
        self._snapshot.name(event.id, event.model, event.created, event.service_tier)
        begun = self._snapshot.at("in_progress")
        return self._frames.event("response.created", response=begun) + self._frames.event(
            "response.in_progress", response=begun
        )

    def _usage_given(self, event: ev.UsageGiven) -> bytes:
        self._usage = event.usage
        return b""

    def _finished(self, event: ev.Finished) -> bytes:
        finish = event.finish
        if _is_no_answer(finish, has_content=bool(self._output) or self._writer is not None):
            raise UpstreamBroken(
                f"The upstream ended the answer as '{finish.raw or finish.kind.value}', without a usable result."
            )
        out = self._close("incomplete" if finish.kind in _CUT else "completed")
        reason = INCOMPLETE_WORD.get(finish.kind)
        if finish.kind is FinishKind.REFUSAL and not self._has_refusal:
            if finish.explanation:
                out += self._refuse(finish.explanation)
            else:  # no words to show, and none are made up: yet it must not look like an end
                reason = "content_filter"
        self._ended = True
        status = "incomplete" if reason else "completed"
        self.final = self._snapshot.at(status, output=self._output, usage=self._usage, reason=reason)
        return out + self._frames.event(f"response.{status}", response=self.final)

    def _refuse(self, words: str) -> bytes:
        """A refusal that its upstream tells beside the content."""
        writer = MessageWriter(self._frames, len(self._output), self._new_id("message"), None)
        self._writer = writer
        return writer.begin() + writer.begin_part(refusal=True) + writer.add(words) + self._close("completed")

    def _failed(self, event: ev.Failed) -> bytes:
        return self.fail(event.error)

    def _nothing(self, event: Any) -> bytes:
        return b""

    # --- parts

    def _part_started(self, event: ev.PartStarted) -> bytes:
        self._part = event.part
        self._arguments = []
        start = _STARTS.get(type(event.part))
        return start(self, event.part) if start is not None else b""

    def _text(self, event: ev.TextDelta) -> bytes:
        out = b"" if self._part is None else self._open_text()
        assert isinstance(self._writer, MessageWriter)
        return out + self._writer.add(event.text)

    def _open_text(self) -> bytes:
        """Opens the content part, when its first text comes, and a message around it where none goes on. Texts that
        follow each other are one message, unless their upstream made them two."""
        part, self._part = self._part, None
        assert part is not None
        is_refusal = isinstance(part, p.Refusal)
        self._has_refusal = self._has_refusal or is_refusal
        own, out = part.meta.get(NAME, {}), b""
        if not isinstance(self._writer, MessageWriter) or own.get("id") != self._message_id:
            out = self._close("completed")
            self._message_id = own.get("id")
            item_id = self._message_id or self._new_id("message")
            self._writer = MessageWriter(self._frames, len(self._output), item_id, own.get("phase"))
            out += self._writer.begin()
        return out + self._writer.begin_part(refusal=is_refusal)

    def _citation(self, event: ev.CitationGiven) -> bytes:
        out = b"" if self._part is None else self._open_text()
        if isinstance(self._writer, MessageWriter):
            self._writer.cite(event.citation)
        return out

    def _logprobs(self, event: ev.LogprobsGiven) -> bytes:
        out = b"" if self._part is None else self._open_text()
        if isinstance(self._writer, MessageWriter):
            self._writer.weigh(event.tokens)
        return out

    def _start_reasoning(self, part: p.Reasoning) -> bytes:
        self._part = msgspec.structs.replace(part)
        return self._close("completed")

    def _reasoning(self, event: ev.ReasoningDelta) -> bytes:
        out = self._open_reasoning(self._part)
        assert isinstance(self._writer, ReasoningWriter)
        return out + self._writer.add(event.text)

    def _open_reasoning(self, part: p.Part | None) -> bytes:
        if isinstance(self._writer, ReasoningWriter):
            return b""
        own = part.item_id if isinstance(part, p.Reasoning) else None
        item_id = own if own and own.startswith("rs_") else self._new_id("reasoning")
        self._writer = ReasoningWriter(self._frames, len(self._output), item_id)
        return self._writer.begin()

    def _signature(self, event: ev.SignatureDelta) -> bytes:
        if isinstance(self._part, p.Reasoning):
            self._part.signature, self._part.family = event.signature, event.family
        return b""

    def _start_call(self, part: p.ToolCall) -> bytes:
        out = self._close("completed")
        name, namespace, kind = self._declared.of(part)
        call_id = naming.wire_id(part.id, limit=_CALL_ID_LIMIT) if part.id else ""
        if not call_id or call_id in self._calls:
            call_id = f"call_{self._side.new_id()}"
        self._calls.add(call_id)
        type_ = "custom_tool_call" if kind == "custom" else "function_call"
        item: Item = {"id": self._new_id(type_), "type": type_, "call_id": call_id, "name": name}
        if namespace is not None:
            item["namespace"] = namespace
        writer = CallWriter(self._frames, len(self._output), item, changed=kind != part.kind)
        self._writer = writer
        return out + writer.begin()

    def _argument(self, event: ev.ArgumentsDelta) -> bytes:
        if isinstance(self._writer, CallWriter):
            return self._writer.add(event.text)
        self._arguments.append(event.text)
        return b""

    def _close_only(self, part: p.Part) -> bytes:
        return self._close("completed")

    def _part_ended(self, event: ev.PartEnded) -> bytes:
        part, self._part = self._part, None
        if isinstance(self._writer, MessageWriter) and part is None:
            return self._writer.end_part()
        if isinstance(part, p.Reasoning):
            return self._end_reasoning(part)
        if part is None or isinstance(part, p.Text | p.Refusal | p.ToolCall):
            return b""  # an empty text; a call is closed by what follows it
        item = self._whole(part)
        return self._show(item) if item is not None else b""

    def _end_reasoning(self, part: p.Reasoning) -> bytes:
        if not part.signature and not isinstance(self._writer, ReasoningWriter):
            return b""  # nothing was thought that could be shown or sent back
        out = self._open_reasoning(part)
        assert isinstance(self._writer, ReasoningWriter)
        self._writer.proof = reasoning.for_caller(part, self._side.sealer)
        return out

    def _whole(self, part: p.Part) -> Item | None:
        """A part that is an item by itself; None, with a Note, where this dialect has none for it."""
        match part:
            case p.ServerCall():
                item = item_of_call(part, "".join(self._arguments), self._new_id)
            case p.Image():
                item = item_of_image(part, self._new_id)
            case p.Opaque() if part.dialect == NAME and isinstance(part.raw, dict):
                item = part.raw
            case p.ServerResult():
                return None  # what a hosted tool found is told by the sources of the text
            case _:
                item = None
        if item is None:
            self._side.notes.add("output", f"A part of kind {type(part).__name__} cannot be said in this dialect.")
        return item

    def _show(self, item: Item) -> bytes:
        writer = HostedWriter(self._frames, len(self._output))
        self._writer, writer.item = writer, item
        return self._close("completed")

    def _close(self, status: str) -> bytes:
        writer, self._writer = self._writer, None
        self._message_id = None
        if writer is None:
            return b""
        out, item = writer.finish(status)
        self._output.append(item)
        return out

    def _new_id(self, kind: str) -> str:
        return f"{ID_PREFIX[kind]}_{self._side.new_id()}"


def _is_no_answer(finish: Finish, *, has_content: bool) -> bool:
    """Ends that are no answer: `completed` would be a false one (3.2, rule 3)."""
    return finish.kind is FinishKind.MALFORMED or (finish.kind is FinishKind.OTHER and not has_content)


_STARTS: dict[type, Callable[[ResponsesEncoder, Any], bytes]] = {
    p.Reasoning: ResponsesEncoder._start_reasoning,
    p.ToolCall: ResponsesEncoder._start_call,
    p.ServerCall: ResponsesEncoder._close_only,
    p.Image: ResponsesEncoder._close_only,
    p.Opaque: ResponsesEncoder._close_only,
}

_STEPS: dict[type, Callable[[ResponsesEncoder, Any], bytes]] = {
    ev.Started: ResponsesEncoder._started,
    ev.PartStarted: ResponsesEncoder._part_started,
    ev.TextDelta: ResponsesEncoder._text,
    ev.CitationGiven: ResponsesEncoder._citation,
    ev.LogprobsGiven: ResponsesEncoder._logprobs,
    ev.ReasoningDelta: ResponsesEncoder._reasoning,
    ev.SignatureDelta: ResponsesEncoder._signature,
    ev.ArgumentsDelta: ResponsesEncoder._argument,
    ev.PartEnded: ResponsesEncoder._part_ended,
    ev.UsageGiven: ResponsesEncoder._usage_given,
    ev.Finished: ResponsesEncoder._finished,
    ev.Failed: ResponsesEncoder._failed,
    ev.Alive: ResponsesEncoder._nothing,
}
