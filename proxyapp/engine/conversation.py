"""Responses that callers want kept: `store`, `previous_response_id` and references to items, for any upstream.

The gateway itself holds the state. An upstream is always asked with `store: false` and with the whole conversation, so
that failover, isolation and upstreams without state work alike (docs/decisions, "The gateway holds the state").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol, cast

import msgspec
from msgspec import Raw, Struct, field

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import Body, UpstreamSide
from proxyapp.dialects.openai_responses import state
from proxyapp.dialects.openai_responses.tables import FAMILY, NAME
from proxyapp.dialects.signatures import Sealer, is_sealed
from proxyapp.dialects.sse import FrameReader, named_frame
from proxyapp.engine.roads import Road
from proxyapp.errors import BadRequest, BodyTooLarge, PreviousNotFound, Unsupported

ENCRYPTED = "reasoning.encrypted_content"
"""What makes an upstream's reasoning return without being kept there."""
STATEFUL = frozenset({NAME})
"""The dialects whose callers may leave their conversations here."""
_HELD_THERE = {
    "conversation": "'conversation' names something kept at OpenAI, where this gateway's clients could not be told "
    "apart; use 'previous_response_id'.",
    "background": "Answers in the background are not offered here; leave 'background' out.",
}
_SNAPSHOT = re.compile(rb'"type":\s*"response\.(?:created|queued|in_progress|completed|incomplete|failed)"')
"""The events that hold the whole Response object."""

Json = dict[str, Any]


class Turn(Struct, frozen=True):
    """One turn of a kept conversation."""

    sent: list[Json]
    """What this turn added to the conversation, each item with an id."""
    response: Json
    """As the caller got it."""
    account: str = ""
    group: str = ""
    """The upstream account and model group whose the bare proofs in the answer are."""

    def said(self) -> list[Json]:
        """The turn as items. What an answer broke off in the middle of was not said."""
        return [*self.sent, *self.output()]

    def output(self) -> list[Json]:
        given: list[Any] = self.response["output"]
        return [item for item in given if isinstance(item, dict) and item.get("status") != "in_progress"]


class Chain(Struct, frozen=True):
    """A kept conversation, from its first turn."""

    rows: list[int] = field(default_factory=list)
    """The store's names for the turns."""
    turns: list[Turn] = field(default_factory=list)


class Store(Protocol):
    """Where turns are kept, apart by client (0 = callers without a key)."""

    async def chain(self, client: int, response_id: str) -> Chain | None:
        """The conversation up to that answer; None when it or a turn before it is not there. Raises StoreAway."""
        ...

    async def holders(self, client: int, ids: Sequence[str]) -> Sequence[Turn]:
        """The turns whose answers hold items of these ids. Raises StoreAway."""
        ...

    async def put(self, client: int, turn: Turn, after: Sequence[int]) -> bool:
        """Keeps a turn behind those rows. False, with a line in the log, when that was not possible."""
        ...


class Conversation:
    """The state that one request asks for. Does nothing unless `open` was called."""

    def __init__(
        self, store: Store | None, client: int, sealer: Sealer, *, may_keep: bool, new_id: Callable[[], str]
    ) -> None:
        self._store = store
        self._client = client
        self._sealer = sealer
        self._may_keep = may_keep
        self._new_id = new_id
        self._keeps = False
        self._rows: list[int] = []
        self._before: list[Json] = []
        """What was said before this turn."""
        self._sent: Any = None
        self._echo: dict[str, Raw] | None = None
        self.has_rewritten = False
        """The body that goes on is not the one that came."""

    async def open(self, body: Body, most_bytes: int) -> Body:
        """The body as an upstream without any state understands it. Raises BadRequest, Unsupported, PreviousNotFound,
        StoreAway, BodyTooLarge."""
        head = {name: body.get(name) for name in ("store", "previous_response_id", *_HELD_THERE)}
        for name, sentence in _HELD_THERE.items():
            if head[name]:
                raise Unsupported(sentence, param=name)
        previous, wants = state.previous_id(head), state.wants_store(head)
        if not (previous or wants or _names_items(body)):
            return body
        self._keeps = wants and self._may_keep and self._store is not None
        if previous:
            await self._find(previous)
        top = {name: value for name, value in body.top.items() if name != "previous_response_id"}
        await self._read_input(body, top)
        top["store"] = Raw(b"false")
        self._echo = {"store": _raw(self._keeps), "previous_response_id": _raw(previous)}
        self.has_rewritten = True
        made = jsonio.encode(top)
        if len(made) > most_bytes:
            raise BodyTooLarge(f"With what was said before, the request is larger than {most_bytes // 2**20} MB.")
        return Body(made)

    async def _find(self, previous: str) -> None:
        chain = await self._store.chain(self._client, previous) if self._store is not None else None
        if chain is None:
            raise PreviousNotFound(f"Previous response with id '{previous}' not found.", param="previous_response_id")
        self._rows = chain.rows
        self._before = [item for turn in chain.turns for item in [*turn.sent, *self._sealed(turn)]]

    def _sealed(self, turn: Turn) -> list[Json]:
        """An answer's items with their proofs in envelopes that name the owner: they go back to whoever made them."""
        return [self._sealed_item(item, turn) for item in turn.output()]

    def _sealed_item(self, item: Json, turn: Turn) -> Json:
        proof = item.get("encrypted_content")
        if item.get("type") != "reasoning" or not isinstance(proof, str) or is_sealed(proof) or not turn.account:
            return item
        sealed = self._sealer.seal(proof, family=FAMILY, group=turn.group, account=turn.account)
        return {**item, "encrypted_content": sealed}

    async def _read_input(self, body: Body, top: dict[str, Raw]) -> None:
        """Puts the whole conversation into `top`, and keeps what this turn adds to it."""
        given = body.get("input")
        items: list[Json] = state.with_history({"input": given}, [])["input"]
        resolved = await self._resolved(items)
        self._sent = resolved
        if self._before or resolved is not items:
            top["input"] = _raw([*self._before, *resolved])

    async def _resolved(self, items: list[Json]) -> list[Json]:
        """References replaced by what they name. Raises BadRequest for one that names nothing here."""
        named = {str(item.get("id")): number for number, item in enumerate(items) if _is_reference(item)}
        if not named:
            return items
        found = _by_id(self._before, named)
        missing = [name for name in named if name not in found]
        if missing and self._store is not None:
            for turn in await self._store.holders(self._client, missing):
                found.update(_by_id(self._sealed(turn), missing))
        for name, number in named.items():
            if name not in found:
                raise BadRequest(
                    f"Item with id '{name}' not found. Items are found when their answer was kept (`store`).",
                    param=f"input[{number}].id",
                )
        return [found[str(item["id"])] if _is_reference(item) else item for item in items]

    # --- towards the upstream

    def for_upstream(self, body: Body, side: UpstreamSide) -> Body:
        """The body for an upstream of the same dialect: asked for reasoning that can come back, where it has any.
        Models without reasoning refuse the question, and servers other than OpenAI's need not know it."""
        if side.system_prompt:
            # Answers repeat their request's instructions: the caller's come back, and not the operator's.
            self._echo = {**(self._echo or {}), "instructions": body.top.get("instructions", _raw(None))}
        if not self.has_rewritten or not (side.profile.metadata and side.profile.reasoning_effort):
            return body
        included = body.get("include")
        included = included if isinstance(included, list) else []
        if ENCRYPTED in included:
            return body
        return Body(jsonio.encode({**body.top, "include": _raw([*included, ENCRYPTED])}))

    # --- towards the caller

    def around(self, road: Road) -> Road:
        """The road with answers that say what is kept here, and not what the upstream keeps."""
        return cast(Road, _Shaped(road, self.shape)) if self._echo is not None else road

    def shape(self, out: bytes) -> bytes:
        """Whole frames, or a whole body, with `store` and `previous_response_id` as they are for this caller."""
        if self._echo is None:
            return out
        if out.startswith(b"{"):
            return self._with_echo(out)
        if _SNAPSHOT.search(out) is None:
            return out
        reader = FrameReader(max(len(out), 1))
        frames = [*reader.feed(out), *reader.close()]
        return b"".join(self._event(frame.event, frame.data) if frame.data else frame.raw for frame in frames)

    def _event(self, name: str, data: bytes) -> bytes:
        if _SNAPSHOT.search(data) is None:
            return _frame(name, data)
        try:
            event = jsonio.decode_top(data)
        except BadRequest:
            return _frame(name, data)
        if "response" in event:
            event["response"] = Raw(self._with_echo(bytes(event["response"])))
        return _frame(name, jsonio.encode(event))

    def _with_echo(self, response: bytes) -> bytes:
        try:
            return jsonio.encode({**jsonio.decode_top(response), **(self._echo or {})})
        except BadRequest:
            return response

    async def settle(self, last: bytes, side: UpstreamSide) -> bytes:
        """Keeps the answer that ends with these bytes, and gives the bytes, which say so if it could not be kept.
        Raises nothing. An answer that broke off without its own end is not kept."""
        if not self._keeps or self._store is None or self._echo is None:
            return last
        response = state.finished(last)
        if response is None or not isinstance(response.get("id"), str):
            return last
        sent = state.input_items({"input": self._sent}, self._new_id)
        turn = Turn(sent, response, side.account, side.profile.model_group)
        if await self._store.put(self._client, turn, self._rows):
            return last
        self._echo["store"] = _raw(False)
        return self.shape(last)


class _Shaped:
    """A road whose output goes through `shape`; in everything else the road itself."""

    def __init__(self, road: Road, shape: Callable[[bytes], bytes]) -> None:
        self._road = road
        self._shape = shape

    def __getattr__(self, name: str) -> Any:
        return getattr(self._road, name)

    def answer(self, raw: bytes) -> bytes:
        return self._shape(self._road.answer(raw))

    def feed(self, chunk: bytes) -> bytes:
        return self._shape(self._road.feed(chunk))

    def close(self) -> bytes:
        return self._shape(self._road.close())

    def whole_as_stream(self, raw: bytes) -> bytes:
        return self._shape(self._road.whole_as_stream(raw))

    def fail(self, error: Any) -> bytes:
        return self._shape(self._road.fail(error))


def _by_id(items: Sequence[Json], names: Collection[str]) -> dict[str, Json]:
    return {name: item for item in items if isinstance(name := item.get("id"), str) and name in names}


class _Item(Struct):
    """As much of an item as tells whether it is a reference."""

    type: Any = None
    role: Any = None


_items = msgspec.json.Decoder(list[_Item])


def _names_items(body: Body) -> bool:
    """Are there references to items, also such as leave their type out or write it with escapes? They would reach what
    the upstream's account holds of others. Malformed input is looked at as if there were."""
    raw = bytes(body.top.get("input", b""))
    if not raw.startswith(b"["):
        return False
    try:
        items = _items.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return True
    return any(item.type == "item_reference" or (item.type is None and item.role is None) for item in items)


def _is_reference(item: Json) -> bool:
    return item.get("type") == "item_reference"


def _frame(name: str, data: bytes) -> bytes:
    return named_frame(name.encode(), data) if name else b"data: " + data + b"\n\n"


def _raw(value: Any) -> Raw:
    return Raw(jsonio.encode(value))
