"""The connection before a request is known: its head has a bound in size and time, and no other protocol is spoken.

uvicorn has neither bound: one caller could fill the memory with a head that never ends, or hold connections that never
ask, all without a key. Bodies are bounded by the handler.
"""

from __future__ import annotations

import asyncio
import re

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 256 * 1024
HEAD_SECONDS = 30.0
"""From the connection, or from the first byte of a further request, to the end of the head."""

_UPGRADE = re.compile(rb"\r\nupgrade[ \t]*:", re.IGNORECASE)


class GuardedProtocol(HttpToolsProtocol):
    """One connection of a caller."""

    _in_head = True
    """A head is awaited, or has begun and not ended."""
    _head_bytes = 0
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_wait()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(self._plain(data))
        if not self._in_head:
            self._head_bytes = 0
            self._end_wait()
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES:
            self._refuse(b"431 Request Header Fields Too Large")
        elif self._patience is None:
            self._wait()

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def _plain(self, data: bytes) -> bytes:
        """The beginning of a request without its wish for another protocol, which the parser would take for granted: it
        drops the body that follows. Java's client wishes for HTTP/2 in its first request, whatever that is."""
        if self._head_bytes or not self._is_idle():
            return data
        end = data.find(b"\r\n\r\n")
        if data.find(b"pgrade:", 0, end) < 0:
            return data
        return _UPGRADE.sub(b"\r\nx-not-upgraded:", data[:end]) + data[end:]

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait(self) -> None:
        self._patience = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _end_wait(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._patience = None
        if not self._is_idle():  # a request is being answered; what was sent after it can wait
            self._wait()
        elif self._head_bytes:
            self._refuse(b"408 Request Timeout")
        else:
            self.transport.close()

    def _refuse(self, status: bytes) -> None:
        self._end_wait()
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()
