"""What is remembered for callers whose dialect, or whose client, has no place for reasoning proofs.

Vendors want the thinking before a tool call back with the call's result, unaltered. Most Chat clients drop every field
they do not know, but all of them return tool call ids. So a translated answer's proofs are kept here by (client, call
id), and put back before their calls when a later request brings the calls without them (reference/translation.md 6.4).
What may really be sent is decided by `proofs.sendable`, as for every proof.

A bounded memory of this worker comes first; a `Shelf` behind it serves other workers and restarts.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from proxyapp.dialects import naming, proofs
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.signatures import account_hash
from proxyapp.ir import events as ev
from proxyapp.ir.parts import Part, Reasoning, ToolCall
from proxyapp.ir.request import Request, Turn

_ID_LIMITS = (64, 128)
"""Dialects shorten call ids that their callers could not return; each of these forms finds the proof."""
_MOST_CALLS = 2000
"""Calls of one request that are looked up, the latest first."""

log = logging.getLogger("dragoman.memory")


class Kept(Struct, frozen=True):
    """One proof that came before a call."""

    part: Reasoning
    is_near: bool
    """Nothing stood between it and the call; else there was text, and the proof belongs before that."""


Found = dict[str, list[Kept]]
"""Call id -> the proofs since the call before it."""
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Kept]).decode


class Shelf(Protocol):
    """Where proofs are kept beyond this worker. Neither method raises: a shelf that is away logs it."""

    async def put(self, client: int, proofs: Mapping[str, bytes]) -> None: ...

    async def get(self, client: int, ids: Sequence[str]) -> Mapping[str, bytes] | None:
        """Those that are there; None when that cannot be told."""
        ...


class Gatherer:
    """Reads along one answer, by events or by whole parts, for tool calls and the proofs before them."""

    def __init__(self) -> None:
        self.found: Found = {}
        self._before: list[Kept] = []
        self._open: Reasoning | None = None
        self._text: list[str] = []

    def part(self, part: Part) -> None:
        """A part that is complete."""
        if isinstance(part, Reasoning):
            if part.signature:
                self._before.append(Kept(_portable(part), is_near=True))
        elif isinstance(part, ToolCall):
            if self._before:
                self.found[part.id] = self._before
            self._before = []
        else:
            self._before = [Kept(kept.part, is_near=False) for kept in self._before]

    def event(self, event: ev.Event) -> None:
        """One of `WATCHED`."""
        if isinstance(event, ev.PartStarted):
            if isinstance(event.part, Reasoning):
                self._open, self._text = msgspec.structs.replace(event.part), []
            else:
                self.part(event.part)
        elif self._open is None:
            return
        elif isinstance(event, ev.ReasoningDelta):
            self._text.append(event.text)
        elif isinstance(event, ev.SignatureDelta):
            self._open.signature, self._open.family = event.signature, event.family
        elif isinstance(event, ev.PartEnded):
            self._open.text = "".join(self._text) or self._open.text
            self.part(self._open)
            self._open = None


WATCHED = frozenset({ev.PartStarted, ev.ReasoningDelta, ev.SignatureDelta, ev.PartEnded})


def _portable(part: Reasoning) -> Reasoning:
    """The part with its owner's account as a hash: what is kept tells no names."""
    owner = part.meta.get("proof")
    if not owner:
        return part
    hashed = {"group": owner.get("group", ""), "account": account_hash(owner.get("account", ""))}
    return msgspec.structs.replace(part, meta={**part.meta, "proof": hashed})


class Memory:
    """The proofs of one worker's recent answers, the least used forgotten first."""

    def __init__(self, shelf: Shelf | None = None, *, entries: int = 20_000, size: int = 64 * 2**20) -> None:
        self.shelf = shelf
        self._entries = entries
        self._size = size
        self._held: OrderedDict[tuple[int, str], bytes] = OrderedDict()
        """b"" = known to be nowhere."""
        self._held_bytes = 0

    async def keep(self, client: int, found: Found, *, lasting: bool) -> None:
        """Remembers an answer's proofs, with `lasting` beyond this worker too. Raises nothing."""
        packed = {name: _encode(kept) for call_id, kept in found.items() for name in _names(call_id)}
        for name, proof in packed.items():
            self._put((client, name), proof)
        if packed and lasting and self.shelf is not None:
            await self.shelf.put(client, packed)

    async def recall(self, client: int, ids: Iterable[str]) -> Found:
        """What is known of these calls. Asks the shelf only for those that this worker has never heard of."""
        wanted = list(dict.fromkeys(ids))[-_MOST_CALLS:]
        held = {call_id: self._look(client, call_id) for call_id in wanted}
        unknown = [call_id for call_id, proof in held.items() if proof is None]
        if unknown and self.shelf is not None:
            lent = await self.shelf.get(client, unknown)
            if lent is not None:
                held.update({call_id: lent.get(call_id, b"") for call_id in unknown})
                for call_id in unknown:
                    self._put((client, call_id), held[call_id] or b"")
        return {call_id: found for call_id, proof in held.items() if proof and (found := _read(proof))}

    def _look(self, client: int, call_id: str) -> bytes | None:
        proof = self._held.get((client, call_id))
        if proof is not None:
            self._held.move_to_end((client, call_id))
        return proof

    def _put(self, key: tuple[int, str], proof: bytes) -> None:
        self._held_bytes += len(proof) - len(self._held.pop(key, b""))
        self._held[key] = proof
        while len(self._held) > self._entries or self._held_bytes > self._size:
            self._held_bytes -= len(self._held.popitem(last=False)[1])


def _names(call_id: str) -> set[str]:
    """The forms in which callers may know a call: each dialect gives an id as it is, or fitted to its limit."""
    return {call_id, *(naming.wire_id(call_id, limit=limit) for limit in _ID_LIMITS)} if call_id else set()


def _read(proof: bytes) -> list[Kept]:
    try:
        return _decode(proof)
    except msgspec.MsgspecError:  # of another version of this program
        log.warning("A remembered proof cannot be read; it is left out.")
        return []


# --- the request


def bare_calls(request: Request) -> list[str]:
    """Ids of the calls that came without any proof in their turn."""
    return [part.id for turn in request.turns if _is_bare(turn) for part in turn.parts if isinstance(part, ToolCall)]


def _is_bare(turn: Turn) -> bool:
    if turn.role != "assistant" or not any(isinstance(part, ToolCall) for part in turn.parts):
        return False
    return not any(isinstance(part, Reasoning) and part.signature for part in turn.parts)


def with_memories(request: Request, memories: Found, side: UpstreamSide) -> Request:
    """The request with the remembered proofs of this very upstream before their calls; others stay forgotten, so that
    a foreign upstream gets what it would have got without any memory."""
    if not memories:
        return request
    turns = [_restored(turn, memories, side) if _is_bare(turn) else turn for turn in request.turns]
    return msgspec.structs.replace(request, turns=turns)


def _restored(turn: Turn, memories: Found, side: UpstreamSide) -> Turn:
    parts: list[Part] = []
    since = 0
    """Where what came after the last call begins."""
    has_any = False
    for part in turn.parts:
        if isinstance(part, ToolCall):
            kept = [one for one in memories.get(part.id, ()) if proofs.sendable(one.part, side, family=one.part.family)]
            has_any = has_any or bool(kept)
            parts[since:since] = [one.part for one in kept if not one.is_near]
            parts += [one.part for one in kept if one.is_near]
            since = len(parts) + 1
        parts.append(part)
    if has_any:  # what the caller kept of the thinking is the same thinking without its proof
        parts = [part for part in parts if not isinstance(part, Reasoning) or part.signature]
    return msgspec.structs.replace(turn, parts=parts) if has_any else turn


def accounts_of(memories: Found) -> list[str]:
    """Hashes of the accounts that made these proofs, the latest first."""
    made = [kept.part.meta.get("proof", {}).get("account", "") for found in memories.values() for kept in found]
    return list(dict.fromkeys(account for account in reversed(made) if account))


def without_proofs(request: Request) -> Request:
    """The request without any proof, and without thinking that would be nothing but its proof."""
    turns = [msgspec.structs.replace(turn, parts=_bare(turn.parts)) for turn in request.turns]
    return msgspec.structs.replace(request, turns=turns)


def _bare(parts: list[Part]) -> list[Part]:
    return [part for part in parts if not (isinstance(part, Reasoning) and part.signature)]
