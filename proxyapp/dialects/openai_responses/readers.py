"""The items of an upstream's answer while they are read: each collects events of the IR until it is its turn.

`take` an event, `end` with the finished item (or with nothing, when the answer ended without it), `pull` what may be
said now. What the deltas did not say is taken from the finished item.
"""

from __future__ import annotations

from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.openai.custom import unwrapped
from proxyapp.dialects.openai.fields import as_text
from proxyapp.dialects.openai_responses import reasoning
from proxyapp.dialects.openai_responses.message import MessageReader
from proxyapp.dialects.openai_responses.pending import ItemReader
from proxyapp.dialects.openai_responses.tables import CLIENT_CALL, FAMILY, HOSTED_CALL, NAME
from proxyapp.ir import events as ev
from proxyapp.ir import parts as p

__all__ = ["Context", "ItemReader", "reader_for"]


class Context:
    """What the readers of one answer share."""

    def __init__(self, side: UpstreamSide) -> None:
        self.side = side
        self.ids: set[str] = set()
        self.calls = False
        """A call of one of the caller's tools was read."""
        self.refused = False


def reader_for(item: dict[str, Any], context: Context) -> ItemReader:
    """The reader that an item of this type wants. Unknown types are kept whole."""
    kind = as_text(item.get("type"))
    if kind == "message":
        return MessageReader(item, context)
    if kind == "reasoning":
        return ReasoningReader(context)
    if kind in ("function_call", "custom_tool_call"):
        return CallReader(item, context, custom=kind == "custom_tool_call")
    return WholeReader(item, context)


class ReasoningReader(ItemReader):
    """Summary parts joined by a blank line, or the full text of open models; the proof comes with the end."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._side = context.side
        self._source = ""
        """Which of the two texts is read: the one that came first."""
        self._part: int | None = None
        self._is_open = False

    def take(self, kind: str, event: dict[str, Any]) -> None:
        source = _SOURCES.get(kind)
        text = event.get("delta")
        if source is None or not isinstance(text, str) or not text or self._source not in ("", source):
            return
        place = event.get(f"{source}_index")
        if self._part is not None and isinstance(place, int) and place != self._part:
            self._say(ev.ReasoningDelta("\n\n"))
        self._source, self._part = source, place if isinstance(place, int) else self._part
        self._open("")
        self._say(ev.ReasoningDelta(text))

    def finished(self, item: dict[str, Any]) -> None:
        text = "" if self._source else reasoning.item_text(item)
        proof = reasoning.proof_of(item)
        item_id = as_text(item.get("id"))
        if text or proof:
            self._open(item_id)
        if text:
            self._say(ev.ReasoningDelta(text))
        if proof:
            self._say(ev.SignatureDelta(reasoning.bound(item_id, proof), FAMILY))
        if self._is_open:
            self._say(ev.PartEnded())

    def _open(self, item_id: str) -> None:
        if not self._is_open:
            self._is_open = True
            self._say(ev.PartStarted(reasoning.start(item_id, self._side)))


_SOURCES = {"response.reasoning_summary_text.delta": "summary", "response.reasoning_text.delta": "content"}


class CallReader(ItemReader):
    """A call of one of the caller's tools, in the caller's name for it."""

    def __init__(self, item: dict[str, Any], context: Context, *, custom: bool) -> None:
        super().__init__()
        self._context = context
        self._custom = custom
        self._field = "input" if custom else "arguments"
        self._pieces: list[str] = []
        self._is_wrapped = False
        self._is_open = False
        self._begin(item)

    def take(self, kind: str, event: dict[str, Any]) -> None:
        if kind in _ARGUMENTS:
            self._more(event.get("delta"))
        elif kind in _ARGUMENTS_DONE:
            self._rest(event.get(self._field))

    def finished(self, item: dict[str, Any]) -> None:
        self._begin(item)
        if not self._is_open:
            if item:
                self._context.side.drop("output", "The upstream sent a tool call without a name.")
            return
        self._rest(item.get(self._field))
        if self._is_wrapped and (text := unwrapped("".join(self._pieces))):
            self._say(ev.ArgumentsDelta(text))
        self._say(ev.PartEnded())

    def _begin(self, item: dict[str, Any]) -> None:
        """As soon as the name is known."""
        wire = as_text(item.get("name"))
        if self._is_open or not wire:
            return
        side = self._context.side
        name = side.wire_names.get(wire, wire)
        self._is_wrapped = not self._custom and name in side.wrapped_tools
        self._is_open = self._context.calls = True
        kind = "custom" if self._custom or self._is_wrapped else "function"
        part = p.ToolCall(id=self._id_of(item), name=name, kind=kind)
        part.namespace = as_text(item.get("namespace")) or None
        self._say(ev.PartStarted(part))
        if not self._is_wrapped:
            self._say(*(ev.ArgumentsDelta(text) for text in self._pieces))

    def _id_of(self, item: dict[str, Any]) -> str:
        """One that no other call of the answer has (4.7, S24)."""
        call_id = as_text(item.get("call_id")) or as_text(item.get("id"))
        if not call_id or call_id in self._context.ids:
            call_id = f"call_{self._context.side.new_id()}"
        self._context.ids.add(call_id)
        return call_id

    def _more(self, text: Any) -> None:
        if not isinstance(text, str) or not text:
            return
        self._pieces.append(text)
        if self._is_open and not self._is_wrapped:
            self._say(ev.ArgumentsDelta(text))

    def _rest(self, whole: Any) -> None:
        """What the finished text has beyond the deltas."""
        if whole is not None and not isinstance(whole, str):
            whole = jsonio.text(whole)  # some servers send an object
        so_far = "".join(self._pieces)
        if whole and whole.startswith(so_far):
            self._more(whole[len(so_far) :])


_ARGUMENTS = {"response.function_call_arguments.delta", "response.custom_tool_call_input.delta"}
_ARGUMENTS_DONE = {"response.function_call_arguments.done", "response.custom_tool_call_input.done"}


class WholeReader(ItemReader):
    """An item that only its own dialect's callers can be shown: said at its end, as it is."""

    def __init__(self, item: dict[str, Any], context: Context) -> None:
        super().__init__()
        self._item = item

    def finished(self, item: dict[str, Any]) -> None:
        self._say(ev.PartStarted(_whole_part(item or self._item)), ev.PartEnded())


def _whole_part(item: dict[str, Any]) -> p.Part:
    kind, meta = as_text(item.get("type")), {NAME: {"item": item}}
    result = item.get("result")
    if kind == "image_generation_call" and isinstance(result, str) and result:
        mime = f"image/{as_text(item.get('output_format')) or 'png'}"
        return p.Image(source=p.Source(kind="base64", data=result, mime=mime), meta=meta)
    if kind in HOSTED_CALL:
        return p.ServerCall(id=as_text(item.get("id")), name=HOSTED_CALL[kind], dialect=NAME, meta=meta)
    if kind in CLIENT_CALL:
        name = CLIENT_CALL[kind][0]
        return p.ServerCall(id=as_text(item.get("call_id")), name=name, dialect=NAME, meta=meta)
    return p.Opaque(dialect=NAME, raw=item)
