"""Compressed answers, inflated in bounded steps, so that a small answer cannot become a large one in memory."""

from __future__ import annotations

import zlib

from proxyapp.errors import UpstreamBroken

_STEP = 256 * 1024


class Inflater:
    """gzip or deflate, piece by piece. Raises UpstreamBroken for bad data and past `limit` inflated bytes."""

    def __init__(self, encoding: str, limit: int) -> None:
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise UpstreamBroken(
                f"The upstream answered with the content encoding {encoding!r}, which was not asked for."
            )
        # 47 = zlib or gzip, told apart by the header (RFC 1950, 1952).
        self._inflate = zlib.decompressobj(47)
        self._left = limit

    def feed(self, data: bytes) -> bytes:
        pieces = []
        while data:
            try:
                piece = self._inflate.decompress(data, _STEP)
            except zlib.error as exc:
                raise UpstreamBroken("The upstream's compressed answer cannot be read.") from exc
            self._left -= len(piece)
            if self._left < 0:
                raise UpstreamBroken("The upstream's answer is too large once inflated.")
            pieces.append(piece)
            data = self._inflate.unconsumed_tail
        return b"".join(pieces)
