"""The shelf behind `engine.memory`: remembered reasoning proofs in the database, for other workers and restarts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

import zstandard
from django.utils import timezone

from proxyapp.conversations.desk import Away, Desk
from proxyapp.models.conversations import RememberedProof

LARGEST = 32 * 2**20
"""Bytes one entry may inflate to; what we wrote ourselves is far below."""
_AT_ONCE = 500
"""Names in one query."""


class ProofShelf:
    """A `Shelf`. Away database: one line in the log when that begins, and the proofs are lost."""

    def __init__(self, desk: Desk, hours: int) -> None:
        self._desk = desk
        self._life = timedelta(hours=hours)

    async def put(self, client: int, proofs: Mapping[str, bytes]) -> None:
        expires = timezone.now() + self._life
        packer = zstandard.ZstdCompressor()
        rows = [
            RememberedProof(digest=digest(client, name), expires_at=expires, proof=packer.compress(proof))
            for name, proof in proofs.items()
        ]
        try:
            await self._desk.run(lambda: _save(rows))
        except Away:
            return

    async def get(self, client: int, ids: Sequence[str]) -> Mapping[str, bytes] | None:
        names = {digest(client, call_id): call_id for call_id in ids}
        try:
            return await self._desk.run(lambda: {names[key]: proof for key, proof in _load(list(names))})
        except Away:
            return None


def digest(client: int, call_id: str) -> str:
    """The key of a row: no client finds another's."""
    return hashlib.sha256(f"{client}\0{call_id}".encode("utf-8", "surrogatepass")).hexdigest()


def _save(rows: list[RememberedProof]) -> None:
    RememberedProof.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["digest"], update_fields=["expires_at", "proof"]
    )


def _load(keys: list[str]) -> Iterator[tuple[str, bytes]]:
    reader = zstandard.ZstdDecompressor()
    for start in range(0, len(keys), _AT_ONCE):
        some = RememberedProof.objects.filter(digest__in=keys[start : start + _AT_ONCE], expires_at__gt=timezone.now())
        for key, proof in some.values_list("digest", "proof"):
            with suppress(zstandard.ZstdError):  # a damaged row is a lost proof
                yield key, reader.decompress(bytes(proof), max_output_size=LARGEST)
