"""A stream of events as one JSON array, for Gemini's callers who did not ask for `alt=sse`."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

import msgspec

from proxyapp.dialects.sse import Frame, FrameReader
from proxyapp.engine.call import Reply, Stream


def as_array(reply: Reply) -> Reply:
    """The same reply with its stream as an array; one that is no stream (an error) stays."""
    if isinstance(reply.body, bytes):
        return reply
    media_type = "application/json; charset=UTF-8"
    return msgspec.structs.replace(reply, body=ArrayStream(reply.body), media_type=media_type)


class ArrayStream:
    """Each event's data is an element. A fault after the first byte is the last one, and the array is closed.

    White space between events, which is how a silent stream is kept alive, stays white space.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._pieces = aiter(stream)
        self._frames = FrameReader(sys.maxsize)  # bounded where it came in
        self._count = 0
        self._is_closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._is_closed:
            raise StopAsyncIteration
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            self._is_closed = True
            return self._elements(self._frames.close()) + (b"]" if self._count else b"[]")
        return self._elements(self._frames.feed(piece)) or b"\n"

    def _elements(self, frames: list[Frame]) -> bytes:
        out = []
        for frame in frames:
            if frame.data:
                out.append((b",\r\n" if self._count else b"[") + frame.data)
                self._count += 1
        return b"".join(out)

    def close(self) -> None:
        self._stream.close()
