"""A stream whose upstream is slow to begin: keep-alives until the first content, then an ordinary pump."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

from proxyapp.engine.exchange import Exchange
from proxyapp.engine.pump import Head, Pump
from proxyapp.errors import GatewayError, InternalError

log = logging.getLogger("dragoman.stream")


class LatePump:
    """As `Pump`, around attempts that are still going on. No content was sent, so they may still fail over."""

    def __init__(
        self,
        opening: asyncio.Future[Head],
        keepalive: bytes,
        every: float,
        exchange: Exchange,
        error_event: Callable[[GatewayError], bytes],
    ) -> None:
        self._opening = opening
        self._keepalive = keepalive
        self._every = every
        self._exchange = exchange
        self._error_event = error_event
        self._pump: Pump | None = None
        self._greeted = self._over = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._pump is not None:
            return await self._pump.__anext__()
        if self._over:
            raise StopAsyncIteration
        if not self._greeted:
            self._greeted = True
            return self._keepalive
        try:
            return await self._wait()
        except GatewayError as error:
            return self._fail(error)
        except Exception:  # as in `Pump`
            log.exception("Unexpected fault before a stream")
            return self._fail(InternalError("Internal error; the log has it."))

    async def _wait(self) -> bytes:
        try:
            await asyncio.wait({self._opening}, timeout=self._every)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._exchange.aborting is None or task is None:
                raise
            task.uncancel()
            self._opening.cancel()
            raise self._exchange.aborting from None
        if not self._opening.done():
            return self._keepalive
        self._pump = Pump(self._opening.result(), self._keepalive, self._every)
        return await self._pump.__anext__()

    def _fail(self, error: GatewayError) -> bytes:
        self._over = True
        self._exchange.finish("error", status=200, error=error)
        return self._error_event(error)

    def close(self) -> None:
        if self._pump is not None:
            self._pump.close()
            return
        self._exchange.finish("client_closed", status=200)
        abandon(self._opening)


def abandon(opening: asyncio.Future[Head]) -> None:
    """Nobody wants this stream any more: stop opening it, or hang up on the upstream if it is open."""
    if opening.cancel() or opening.cancelled() or opening.exception() is not None:
        return
    opening.result().answer.close()
