"""Stored Responses in the database: kept, continued, listed, deleted. A client finds its own alone.

Nothing is held in a worker's memory: what one worker deleted is gone in all of them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import zstandard
from django.db import connection, transaction
from django.utils import timezone

from proxyapp.conversations.desk import Away, Desk
from proxyapp.conversations.proofs import digest
from proxyapp.dialects import jsonio
from proxyapp.engine.conversation import Chain, Turn
from proxyapp.errors import StoreAway
from proxyapp.models.conversations import StoredItem, StoredResponse

MOST_BYTES = 32 * 2**20
"""A turn larger than this is answered and not kept."""
_CHAIN = """
    WITH RECURSIVE chain(id, parent_id, content, depth) AS (
        SELECT id, parent_id, content, 0 FROM proxyapp_storedresponse
        WHERE id = (SELECT MAX(id) FROM proxyapp_storedresponse WHERE digest = %s) AND expires_at > %s
        UNION ALL
        SELECT earlier.id, earlier.parent_id, earlier.content, depth + 1
        FROM proxyapp_storedresponse earlier JOIN chain ON earlier.id = chain.parent_id
        WHERE earlier.expires_at > %s
    )
    SELECT id, parent_id, content FROM chain ORDER BY depth DESC
"""
"""From the first turn to the asked one, in one query; ends early where a turn is missing."""

Json = dict[str, Any]
log = logging.getLogger("dragoman.conversations")


_decode = msgspec.json.Decoder(Turn).decode


class ResponseStore:
    """A `Store`, and what the views ask."""

    def __init__(self, desk: Desk, days: int) -> None:
        self._desk = desk
        self._life = timedelta(days=days)

    # --- for the engine

    async def chain(self, client: int, response_id: str) -> Chain | None:
        turns = await self._run(lambda: _turns(client, response_id))
        return Chain([row for row, _ in turns], [turn for _, turn in turns]) if turns is not None else None

    async def holders(self, client: int, ids: Sequence[str]) -> Sequence[Turn]:
        found: list[Turn] = await self._run(lambda: _holders(client, ids))
        return found

    async def put(self, client: int, turn: Turn, after: Sequence[int]) -> bool:
        try:
            content = jsonio.encode(turn)
        except RecursionError:  # read just so, and too deep to be written again
            log.warning("A response to a request that is nested too deeply cannot be kept.")
            return False
        if len(content) > MOST_BYTES:
            log.warning("A response of %d bytes is too large to be kept.", len(content))
            return False
        now = timezone.now()
        row = StoredResponse(
            digest=digest(client, turn.response["id"]),
            client_id=client,
            parent_id=after[-1] if after else None,
            created_at=now,
            expires_at=now + self._life,
        )
        names = {digest(client, name) for item in turn.response["output"] if (name := _id_of(item))}
        try:
            await self._desk.run(lambda: _save(row, content, names, after))
        except Away:
            return False
        return True

    # --- for the views; all raise StoreAway

    async def get(self, client: int, response_id: str) -> Json | None:
        """The answer as its caller got it."""
        return await self._run(lambda: _one(client, response_id))

    async def delete(self, client: int, response_id: str) -> bool:
        """False when there is nothing to delete. What was said in later turns stays, but can no longer be continued."""
        gone: bool = await self._run(lambda: _delete(client, response_id))
        return gone

    async def inputs(self, client: int, response_id: str) -> list[Json] | None:
        """What the model was given for this answer, from the beginning of the conversation."""
        turns = await self._run(lambda: _turns(client, response_id))
        if not turns:
            return None
        before = [item for _, turn in turns[:-1] for item in turn.said()]
        return [*before, *turns[-1][1].sent]

    async def _run(self, work: Any) -> Any:
        try:
            return await self._desk.run(work)
        except Away as away:
            raise StoreAway("What is kept of earlier answers cannot be read at the moment.") from away


def _id_of(item: Any) -> str | None:
    name = item.get("id") if isinstance(item, dict) else None
    return name if isinstance(name, str) and name else None


# --- in a thread


def _turns(client: int, response_id: str) -> list[tuple[int, Turn]] | None:
    """None when it is not there, or not from its beginning."""
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(_CHAIN, [digest(client, response_id), now, now])
        rows = cursor.fetchall()
    if not rows or rows[0][1] is not None:
        return None
    return [(row, _unpacked(content)) for row, _, content in rows]


def _latest(client: int, response_id: str) -> StoredResponse | None:
    """As in a chain: the last row of that id, if its time is not over."""
    row = StoredResponse.objects.filter(digest=digest(client, response_id)).order_by("-id").first()
    return row if row is not None and row.expires_at > timezone.now() else None


def _one(client: int, response_id: str) -> Json | None:
    row = _latest(client, response_id)
    return _unpacked(row.content).response if row is not None else None


def _holders(client: int, ids: Sequence[str]) -> list[Turn]:
    wanted = [digest(client, name) for name in ids]
    rows = StoredItem.objects.filter(digest__in=wanted, response__expires_at__gt=timezone.now())
    holders = sorted(set(rows.values_list("response_id", flat=True)))
    contents = StoredResponse.objects.filter(pk__in=holders).order_by("pk").values_list("content", flat=True)
    return [_unpacked(content) for content in contents]


def _save(row: StoredResponse, content: bytes, names: set[str], after: Sequence[int]) -> None:
    row.content = zstandard.ZstdCompressor().compress(content)
    with transaction.atomic():
        row.save(force_insert=True)
        StoredItem.objects.bulk_create(StoredItem(digest=name, response=row) for name in sorted(names))
        StoredResponse.objects.filter(pk__in=after, expires_at__lt=_soon(row.expires_at)).update(
            expires_at=row.expires_at
        )


def _soon(expires: datetime) -> datetime:
    """Ancestors live as long as what follows them, written down once a day at most."""
    return expires - timedelta(days=1)


def _delete(client: int, response_id: str) -> bool:
    with transaction.atomic():
        rows = list(StoredResponse.objects.filter(digest=digest(client, response_id)).values_list("pk", flat=True))
        StoredItem.objects.filter(response_id__in=rows).delete()
        return bool(StoredResponse.objects.filter(pk__in=rows)._raw_delete("default"))


def _unpacked(content: Any) -> Turn:
    return _decode(zstandard.ZstdDecompressor().decompress(bytes(content), max_output_size=2 * MOST_BYTES))
