"""A Responses stream as events. One object a stream. Rules: reference/translation.md 4.6 (row R) and 4.7.

Items are told apart by `output_index` alone: some servers give one item a new id in each event (corpus
github-copilot-id-rotation). One item is read out at a time, in order; what comes for later ones waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.openai.fields import as_text
from proxyapp.dialects.openai_responses.errors import ERRORS
from proxyapp.dialects.openai_responses.finish import finish_of
from proxyapp.dialects.openai_responses.readers import Context, ItemReader, reader_for
from proxyapp.dialects.openai_responses.usage import parse_usage
from proxyapp.dialects.sse import Frame
from proxyapp.errors import UpstreamBroken, UpstreamFault
from proxyapp.ir import events as ev

_CUT = "The upstream's stream ended before the answer was complete."
_NO_EVENT = "The upstream sent a frame that is no event of a response."


class ResponsesDecoder:
    """Decoder of the contract."""

    def __init__(self, side: UpstreamSide) -> None:
        self._context = Context(side)
        self._readers: dict[int, ItemReader] = {}
        """By `output_index`, in the order in which they began."""
        self._by_id: dict[str, int] = {}
        self._started = False
        self._ended = False

    def feed(self, frame: Frame) -> list[ev.Event]:
        data = frame.data
        if self._ended:
            return []
        if not data:
            return [ev.Alive()] if self._started else []
        if data.strip() == b"[DONE]":  # no end of this dialect: its own terminal event comes before it
            return self.close()
        event = jsonio.try_object(data)
        if event is None:
            return self._fail(UpstreamBroken(_NO_EVENT))
        return self._take(as_text(event.get("type")) or frame.event, event, data)

    def close(self) -> list[ev.Event]:
        return [] if self._ended else self._fail(UpstreamBroken(_CUT))

    def whole(self, body: dict[str, Any]) -> list[ev.Event]:
        """A whole answer: the terminal event of a stream that had no other."""
        return self._terminal(body)

    def _take(self, kind: str, event: dict[str, Any], data: bytes) -> list[ev.Event]:
        step = _STEPS.get(kind)
        if step is not None:
            return step(self, event, data)
        if not kind:
            return self._fail(self._stranger(event, data))
        if not kind.startswith("response."):  # a relay's own: a ping, its limits
            return [ev.Alive()] if self._started else []
        return [*self._start({}), *self._of_item(kind, event)]

    def _stranger(self, event: dict[str, Any], data: bytes) -> UpstreamFault:
        """A frame that names no kind: an error in plain form, or another dialect."""
        if event.get("error"):
            return ERRORS.of_event(data)
        return UpstreamBroken(_NO_EVENT)

    # --- the answer

    def _created(self, event: dict[str, Any], data: bytes) -> list[ev.Event]:
        response = event.get("response")
        return self._start(response if isinstance(response, dict) else {}) or [ev.Alive()]

    def _start(self, response: dict[str, Any]) -> list[ev.Event]:
        if self._started:
            return []
        self._started = True
        created = response.get("created_at")
        return [
            ev.Started(
                id=as_text(response.get("id")),
                model=as_text(response.get("model")),
                created=int(created) if isinstance(created, int | float) else None,
                service_tier=as_text(response.get("service_tier")) or None,
            )
        ]

    def _end(self, event: dict[str, Any], data: bytes) -> list[ev.Event]:
        response = event.get("response")
        if not isinstance(response, dict):
            return self._fail(UpstreamBroken("The upstream's last event holds no response."))
        return self._terminal(response)

    def _terminal(self, response: dict[str, Any]) -> list[ev.Event]:
        if response.get("status") == "failed" or response.get("error"):
            return self._fail(ERRORS.reported(response.get("error") or "The upstream could not make an answer."))
        events = self._start(response)
        self._complete(response.get("output"))
        self._advance(events)
        counts = parse_usage(response.get("usage"), response.get("tool_usage"))
        if counts is not None:
            events.append(ev.UsageGiven(counts))
        events.append(ev.Finished(finish_of(response, calls=self._context.calls, refused=self._context.refused)))
        self._ended = True
        return events

    def _complete(self, output: Any) -> None:
        """Items that never came by themselves, and those that were not ended (4.6, row R)."""
        items = [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []
        for index, item in zip(self._places(items), items, strict=True):
            self._reader(index, item).end(item)
        for reader in self._readers.values():
            reader.end({})

    def _places(self, items: list[dict[str, Any]]) -> list[int]:
        """Where the items of the last event stood in the stream: by their ids, since some are left out there and the
        numbers then differ (corpus openai-phase); where no id is known again, one after the other."""
        ids = [as_text(item.get("id")) for item in items]
        unused = max(self._readers, default=-1) + 1
        if any(item_id in self._by_id for item_id in ids):
            return [self._by_id.get(item_id, unused + place) for place, item_id in enumerate(ids)]
        order = list(self._readers)
        return [order[place] if place < len(order) else unused + place for place in range(len(items))]

    def _failed(self, event: dict[str, Any], data: bytes) -> list[ev.Event]:
        response = event.get("response")
        error = response.get("error") if isinstance(response, dict) else None
        return self._fail(ERRORS.reported(error or "The upstream could not make an answer."))

    def _error(self, event: dict[str, Any], data: bytes) -> list[ev.Event]:
        return self._fail(ERRORS.of_event(data))

    def _fail(self, error: UpstreamFault) -> list[ev.Event]:
        self._ended = True
        return [ev.Failed(error)]

    # --- its items

    def _added(self, event: dict[str, Any], data: bytes) -> list[ev.Event]:
        events, item = self._start({}), event.get("item")
        if isinstance(item, dict):
            self._reader(self._index(event, item), item)
            self._advance(events)
        return events

    def _done(self, event: dict[str, Any], data: bytes) -> list[ev.Event]:
        events, item = self._start({}), event.get("item")
        if isinstance(item, dict):
            self._reader(self._index(event, item), item).end(item)
            self._advance(events)
        return events

    def _of_item(self, kind: str, event: dict[str, Any]) -> list[ev.Event]:
        """An event inside an item. One for an item that never began is kept for its end."""
        reader = self._readers.get(self._index(event, {}))
        if reader is None:
            return [ev.Alive()]
        reader.take(kind, event)
        events: list[ev.Event] = []
        self._advance(events)
        return events or [ev.Alive()]

    def _index(self, event: dict[str, Any], item: dict[str, Any]) -> int:
        """`output_index`; without one the item's id, else the last item."""
        index = event.get("output_index")
        item_id = as_text(event.get("item_id")) or as_text(item.get("id"))
        if not isinstance(index, int) or isinstance(index, bool):
            index = self._by_id.get(item_id)
        if index is None:
            index = len(self._readers) if item else max(self._readers, default=0)
        if item_id:
            self._by_id.setdefault(item_id, index)
        return index

    def _reader(self, index: int, item: dict[str, Any]) -> ItemReader:
        reader = self._readers.get(index)
        if reader is None:
            reader = self._readers[index] = reader_for(item, self._context)
        return reader

    def _advance(self, events: list[ev.Event]) -> None:
        """Reads out the first item that is not closed, and the next ones once it is."""
        for reader in self._readers.values():
            if reader.is_closed:
                continue
            events += reader.pull()
            if not reader.is_closed:
                return


_STEPS: dict[str, Callable[[ResponsesDecoder, dict[str, Any], bytes], list[ev.Event]]] = {
    "response.created": ResponsesDecoder._created,
    "response.queued": ResponsesDecoder._created,
    "response.in_progress": ResponsesDecoder._created,
    "response.output_item.added": ResponsesDecoder._added,
    "response.output_item.done": ResponsesDecoder._done,
    "response.completed": ResponsesDecoder._end,
    "response.incomplete": ResponsesDecoder._end,
    "response.cancelled": ResponsesDecoder._end,
    "response.failed": ResponsesDecoder._failed,
    "error": ResponsesDecoder._error,
}
