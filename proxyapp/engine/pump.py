"""Moves a stream from the upstream to the caller: bytes, frames, events, frames, bytes; one yield per network read.

After the first content nothing is ever switched: a fault becomes the dialect's error event and the row says `partial`.
Silence of KEEPALIVE seconds gets the dialect's own keep-alive. The journal has the exchange before the last byte.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

from proxyapp.engine.exchange import Exchange
from proxyapp.engine.record import AttemptRecord
from proxyapp.engine.roads import Road
from proxyapp.engine.transport import Answer, timed_out
from proxyapp.errors import GatewayError, InternalError, UpstreamBroken, UpstreamFault
from proxyapp.upstreams.contract import Upstream

_HEAD_BYTES = 256 * 1024
"""A stream that sends this much without content is let through as it is."""
_DRAIN_SECONDS = 0.02

log = logging.getLogger("dragoman.stream")


class Head:
    """A stream that has been read up to its first content; what came so far is held back."""

    def __init__(self, road: Road, answer: Answer, upstream: Upstream, exchange: Exchange, deadline: float) -> None:
        self.road = road
        self.answer = answer
        self.upstream = upstream
        self.exchange = exchange
        self.deadline = deadline
        """Loop time at which the total timeout ends the stream."""
        self.held = b""

    async def read_to_content(self) -> Head:
        """Raises UpstreamFault for an error, a cut or silence before content: the next target may be tried."""
        kind = self.answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/json":
            return await self._read_whole()
        if kind in ("text/html", "application/xhtml+xml"):
            raise UpstreamBroken(f"The upstream {self.upstream.name} answered with a web page.")
        held: list[bytes] = []
        size = 0
        road = self.road
        while not (road.has_content or road.is_done) and size < _HEAD_BYTES:
            chunk = await self._read()
            out = road.feed(chunk) if chunk else road.close()
            size += len(chunk)
            held.append(out)
            if road.error is not None:
                raise road.error
        self.held = b"".join(held)
        return self

    async def _read_whole(self) -> Head:
        """A server that does not stream: its whole answer becomes the stream it could have been."""
        raw = await self.answer.read_all(self.upstream.timeouts, self.deadline)
        self.exchange.upstream_answer.add(raw)
        self.held = self.road.whole_as_stream(raw)
        return self

    async def _read(self) -> bytes:
        patience = min(self.upstream.timeouts.idle, self.deadline - asyncio.get_running_loop().time())
        try:
            chunk = await self.answer.read(max(patience, 0.0))
        except TimeoutError:
            which = "idle" if patience == self.upstream.timeouts.idle else "total"
            raise timed_out(which, self.upstream.timeouts, self.upstream.name) from None
        self.exchange.upstream_answer.add(chunk)
        return chunk


class Pump:
    """The caller's stream. Iterate once; `close` always, also when it was never iterated."""

    def __init__(self, head: Head, keepalive: bytes, keepalive_seconds: float) -> None:
        self._head = head
        self._road = head.road
        self._exchange = head.exchange
        self._keepalive = keepalive
        self._every = keepalive_seconds
        self._heard = self._given = asyncio.get_running_loop().time()
        """Loop times of the upstream's last bytes and of the caller's."""
        self._left = 0.0
        self._over = self._settled = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        exchange = self._exchange
        exchange.waited += exchange.clock() - self._left if exchange.first_byte is not None else 0.0
        try:
            out = await self._next()
            if self._over and not self._settled:
                self._settled = True
                out = await exchange.settle(self._road, out)
            return out
        finally:
            self._left = exchange.clock()
            self._given = asyncio.get_running_loop().time()

    async def _next(self) -> bytes:
        if self._head.held:
            held, self._head.held = self._head.held, b""
            return self._give(held)
        while not self._over:
            try:
                chunk = await self._read()
            except GatewayError as error:
                return self._fail(error)
            if chunk is None:
                return self._keepalive
            out = self._turn(chunk)
            if out:
                return out
        await self._drain()
        self.close()
        raise StopAsyncIteration

    def _turn(self, chunk: bytes) -> bytes:
        """One piece of the upstream's stream as one piece of the caller's."""
        try:
            out = self._road.feed(chunk) if chunk else self._road.close()
        except UpstreamFault as error:
            return self._fail(error)
        except RecursionError:  # read just so, and too deep to be written again
            return self._fail(UpstreamBroken("The upstream's answer is nested too deeply to be read."))
        except Exception:  # behind the head of a stream there is no view any more that could answer for it
            log.exception("Unexpected fault in a stream")
            return self._fail(InternalError("Internal error; the log has it."))
        if self._road.error is not None:
            return out + self._fail(self._road.error)
        if not chunk and not self._road.is_done:
            return out + self._fail(UpstreamBroken("The upstream's stream ended early.", upstream=self._name))
        return self._give(out)

    def _give(self, out: bytes) -> bytes:
        exchange, road = self._exchange, self._road
        if exchange.first_byte is None:
            exchange.first_byte = exchange.clock()
        if road.translated or exchange.is_rewritten:
            exchange.client_answer.add(out)
        if road.is_done:
            self._over = True
            exchange.glimpse = road.glimpse
            exchange.finish("ok", status=200)
        return out

    def _fail(self, error: GatewayError) -> bytes:
        self._over = True
        if isinstance(error, UpstreamFault) and not error.upstream:
            error.upstream = self._name
        exchange = self._exchange
        exchange.glimpse = self._road.glimpse
        if exchange.attempts:
            note_failure(exchange.attempts[-1], error)
        out = self._road.fail(error)
        exchange.client_answer.add(out)
        exchange.finish("partial", status=200, error=error)
        return out

    async def _read(self) -> bytes | None:
        """The next chunk, b"" at the end, None when it is time for a keep-alive. Raises GatewayError."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        timeouts = self._head.upstream.timeouts
        until_idle = self._heard + timeouts.idle - now
        until_keepalive = self._given + self._every - now
        until_total = self._head.deadline - now
        began = self._exchange.clock()
        try:
            chunk = await self._head.answer.read(max(min(until_keepalive, until_idle, until_total), 0.0))
        except TimeoutError:
            if until_total <= min(until_keepalive, until_idle):
                raise timed_out("total", timeouts, self._name) from None
            if until_idle <= until_keepalive:
                raise timed_out("idle", timeouts, self._name) from None
            return None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._exchange.aborting is None or task is None:
                raise
            task.uncancel()  # the server itself ends this stream, in words
            raise self._exchange.aborting from None
        finally:
            spent = self._exchange.clock() - began
            self._exchange.waited += spent
            self._exchange.upstream_seconds += spent
        self._heard = loop.time()
        self._exchange.upstream_answer.add(chunk)
        return chunk

    async def _drain(self) -> None:
        """The end mark of a complete answer may still be on its way; with it the connection can be used again."""
        if self._road.is_done and not self._head.answer.at_end:
            loop = asyncio.get_running_loop()
            end = loop.time() + _DRAIN_SECONDS
            try:
                while loop.time() < end and await self._head.answer.read(_DRAIN_SECONDS):
                    pass
            except (TimeoutError, GatewayError):
                return

    def close(self) -> None:
        if not self._exchange.done:
            self._exchange.glimpse = self._road.glimpse
            self._exchange.finish("client_closed", status=200)
        self._head.answer.close()

    @property
    def _name(self) -> str:
        return self._head.upstream.name


def note_failure(record: AttemptRecord, error: GatewayError) -> None:
    """A fault after the first content, in the attempt's record."""
    record.error, record.message = error.code, error.message
