"""Tool calls of an answer, put together from fragments that servers cut, number and repeat in many ways.

One call is open at a time (the event grammar). Fragments of later calls are held until the open one is complete.
Rules and cases: reference/translation.md 4.6 and 4.7 (S9, S10, S24).
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.openai.custom import unwrapped
from proxyapp.dialects.openai_chat.messages import arguments_text
from proxyapp.dialects.openai_chat.tables import NAME
from proxyapp.ir import events as ev
from proxyapp.ir.parts import ToolCall


class _Call(Struct, eq=False):
    """One call while it is read. `name` and `upstream_id` are "" until they are known."""

    upstream_id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    """Pieces not given out yet."""
    kind: str = "function"
    is_wrapped: bool = False
    is_closed: bool = False
    meta: dict[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        return "".join(self.pieces)

    def is_complete(self) -> bool:
        """Are the arguments a whole JSON object? Looked at only when something else wants to begin."""
        return bool(self.pieces) and self.pieces[-1].rstrip()[-1:] == "}" and jsonio.try_object(self.text()) is not None


class _Fragment(Struct):
    index: int | None
    id: str
    name: str
    arguments: str
    kind: str
    meta: dict[str, Any]


class Calls:
    """Feed fragments, get events. `seen`: at least one call was given out."""

    def __init__(self, side: UpstreamSide) -> None:
        self._side = side
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._open: _Call | None = None
        self._ids: set[str] = set()
        self._touched: list[_Call] = []
        self.seen = False

    @property
    def is_open(self) -> bool:
        return any(not call.is_closed for call in self._calls)

    def take(self, fragments: Any, events: list[ev.Event]) -> None:
        """The `tool_calls` of one frame."""
        self._touched = []
        for raw in fragments if isinstance(fragments, list) else ():
            if isinstance(raw, dict):
                self._add(_fragment(raw))
        self._advance(events)

    def settle(self, events: list[ev.Event]) -> bool:
        """Other content follows: closes the calls if all are complete. False = not all are, hold that content."""
        if not all(call.is_closed or (call.name and call.is_complete()) for call in self._calls):
            return False
        self.finish(events)
        return True

    def finish(self, events: list[ev.Event]) -> None:
        """The answer is over: gives out all that is held, in order."""
        while (call := self._open or self._next()) is not None:
            self._start(call, events)
            self._close(call, events)
        for call in self._calls:
            if not call.is_closed:
                call.is_closed = True
                self._side.drop("tool_calls", "The upstream sent a tool call without a name.")

    def _add(self, piece: _Fragment) -> None:
        call = self._find(piece)
        if call is not None and self._is_resent(call, piece):
            return
        if call is None or self._is_another(call, piece):
            call = _Call()
            self._calls.append(call)
        if piece.index is not None:
            self._by_index[piece.index] = call
        if not call.name and piece.name:
            self._name(call, piece)
        call.upstream_id = call.upstream_id or piece.id
        call.meta |= piece.meta
        if call.is_closed:
            self._late(piece)
        elif piece.arguments:
            call.pieces.append(piece.arguments)
            call.waiting.append(piece.arguments)
        self._touched.append(call)

    def _find(self, piece: _Fragment) -> _Call | None:
        """By index; without one by id; without both the last call."""
        if piece.index is not None:
            return self._by_index.get(piece.index)
        if piece.id:
            return next((call for call in self._calls if call.upstream_id == piece.id), None)
        return self._calls[-1] if self._calls else None

    def _is_resent(self, call: _Call, piece: _Fragment) -> bool:
        """Some servers repeat the whole call in a last frame."""
        same = bool(piece.id) and piece.id == call.upstream_id and call not in self._touched
        return same and bool(piece.name) and bool(piece.arguments) and piece.arguments == call.text()

    def _is_another(self, call: _Call, piece: _Fragment) -> bool:
        """A new call under a number already used (Gemini's Chat layer gives all calls index 0), or under none."""
        if not piece.name:
            return False
        if piece.id and call.upstream_id and piece.id != call.upstream_id:
            return True
        if call in self._touched and not piece.id:
            return True
        return piece.arguments.startswith("{") and call.is_complete()

    def _late(self, piece: _Fragment) -> None:
        if piece.arguments.strip():
            self._side.drop("tool_calls", "The upstream went on with a tool call that was complete.")

    def _name(self, call: _Call, piece: _Fragment) -> None:
        call.name = self._side.wire_names.get(piece.name, piece.name)
        call.is_wrapped = piece.kind == "function" and call.name in self._side.wrapped_tools
        call.kind = "custom" if call.is_wrapped else piece.kind

    def _advance(self, events: list[ev.Event]) -> None:
        """Gives out the open call's pieces, and the next call's as soon as the open one is complete."""
        while (call := self._open or self._next()) is not None:
            self._start(call, events)
            if self._next() is None or not call.is_complete():
                return
            self._close(call, events)

    def _next(self) -> _Call | None:
        """The first call that waits to be opened."""
        for call in self._calls:
            if call.name and not call.is_closed and call is not self._open:
                return call
        return None

    def _start(self, call: _Call, events: list[ev.Event]) -> None:
        if self._open is not call:
            self._open, self.seen = call, True
            part = ToolCall(id=self._id_of(call), name=call.name, kind=call.kind, meta=call.meta)
            events.append(ev.PartStarted(part))
        if not call.is_wrapped:
            events += [ev.ArgumentsDelta(text) for text in call.waiting]
            call.waiting = []

    def _close(self, call: _Call, events: list[ev.Event]) -> None:
        if call.is_wrapped and (text := unwrapped(call.text())):
            events.append(ev.ArgumentsDelta(text))
        events.append(ev.PartEnded())
        call.is_closed, self._open = True, None

    def _id_of(self, call: _Call) -> str:
        call_id = call.upstream_id
        if not call_id or call_id in self._ids:
            call_id = f"call_{self._side.new_id()}"
        self._ids.add(call_id)
        return call_id


def _fragment(raw: dict[str, Any]) -> _Fragment:
    index, call_id = raw.get("index"), raw.get("id")
    is_custom = isinstance(raw.get("custom"), dict)
    spec = raw.get("custom" if is_custom else "function")
    spec = spec if isinstance(spec, dict) else {}
    name = spec.get("name")
    extra = raw.get("extra_content")
    return _Fragment(
        index=index if isinstance(index, int) else None,
        id=call_id if isinstance(call_id, str) else "" if call_id is None else str(call_id),
        name=name if isinstance(name, str) else "",
        arguments=arguments_text(spec.get("input" if is_custom else "arguments")),
        kind="custom" if is_custom else "function",
        meta={NAME: {"extra_content": extra}} if isinstance(extra, dict) else {},
    )
