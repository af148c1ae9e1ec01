"""Answers that take several requests (`Kind.steps`, as Coze's): sends what is asked for until the answer is whole.

It is one attempt: within the total timeout, on the credential it began with, and called off at the upstream when the
time is over or the caller has gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from proxyapp.engine.exchange import Exchange
from proxyapp.engine.prepare import kind_of
from proxyapp.engine.routing import Target
from proxyapp.engine.transport import Answer, timed_out
from proxyapp.errors import GatewayError, UpstreamFault
from proxyapp.upstreams.contract import Abandoned, Outbound, Pause, Steps, Timeouts, stepwise

Refusal = Callable[[Target, int, Mapping[str, str], bytes], UpstreamFault]
"""An answer of 300 or more as an error, as `attempts.Preparing.refusal`."""
Ask = Callable[[Outbound], Awaitable[Answer]]
"""Sends a request the way that the attempt's first one went."""
_FAREWELL_SECONDS = 10.0
_SEEN = 4096
"""Bytes of a stream's beginning and end that are kept to tell what it is about and whether it is over."""
_farewells: set[asyncio.Task[None]] = set()
"""Requests that call work off; the event loop itself holds tasks by weak references only."""

log = logging.getLogger("dragoman.stepwise")


class Collected(Answer):
    """An answer put together from several, in the place of the first one."""

    def __init__(self, raw: bytes) -> None:
        self.status = 200
        self.headers = {"content-type": "application/json"}
        self._rest = raw

    async def read(self, timeout: float) -> bytes:
        rest, self._rest = self._rest, b""
        return rest

    async def read_all(self, timeouts: Timeouts, deadline: float) -> bytes:
        return await self.read(0)

    @property
    def at_end(self) -> bool:
        return not self._rest

    def close(self) -> None:
        """Nothing is open any more."""


class Watched(Answer):
    """A stream that is called off at the upstream when it is closed before its end."""

    def __init__(self, inner: Answer, call_off: Callable[[bytes, bytes], None]) -> None:
        self.status, self.headers = inner.status, inner.headers
        self._inner = inner
        self._call_off: Callable[[bytes, bytes], None] | None = call_off
        self._head = self._tail = b""

    async def read(self, timeout: float) -> bytes:
        piece = await self._inner.read(timeout)
        if len(self._head) < _SEEN:
            self._head += piece[:_SEEN]
        self._tail = (self._tail + piece)[-_SEEN:]
        return piece

    async def read_all(self, timeouts: Timeouts, deadline: float) -> bytes:
        return await self._inner.read_all(timeouts, deadline)

    @property
    def at_end(self) -> bool:
        return self._inner.at_end

    def close(self) -> None:
        call_off, self._call_off = self._call_off, None
        if call_off is not None and not self.at_end:
            call_off(self._head, self._tail)
        self._inner.close()


async def completed(
    answer: Answer,
    outbound: Outbound,
    target: Target,
    refusal: Refusal,
    ask: Ask,
    exchange: Exchange,
) -> Answer:
    """`answer` itself, or where its kind needs more requests, what they brought. Raises UpstreamFault."""
    kind = stepwise(kind_of(target))
    if kind is None:
        return answer
    walk = _Walk(target, refusal, ask)
    if not _is_json(answer):
        return Watched(answer, lambda head, tail: walk.farewell(kind.call_off(target.upstream, outbound, head, tail)))
    try:
        first = await walk.read(answer)
        return Collected(await walk.run(kind.steps(target.upstream, outbound, first)))
    except BaseException:
        exchange.upstream_answer.add(b"\n".join(walk.came))
        raise


def _is_json(answer: Answer) -> bool:
    return "json" in answer.headers.get("content-type", "").partition(";")[0].lower()


class _Walk:
    """The requests of one answer."""

    def __init__(self, target: Target, refusal: Refusal, ask: Ask) -> None:
        self.came: list[bytes] = []
        """Every answer so far, for the books."""
        self._target = target
        self._upstream = target.upstream
        self._refusal = refusal
        self._ask = ask
        self._deadline = asyncio.get_running_loop().time() + target.upstream.timeouts.total

    async def run(self, steps: Steps) -> bytes:
        """The whole answer. Raises UpstreamFault."""
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._run(steps)
        except TimeoutError:
            self._call_off(steps)
            raise timed_out("total", self._upstream.timeouts, self._upstream.name) from None
        except asyncio.CancelledError:
            self._call_off(steps)
            raise

    async def _run(self, steps: Steps) -> bytes:
        try:
            step = next(steps)
            while True:
                try:
                    came = await self._take(step)
                except UpstreamFault as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(came)
        except StopIteration as done:
            return bytes(done.value)

    async def _take(self, step: Outbound | Pause) -> bytes:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return b""
        return await self.read(await self._ask(step))

    async def read(self, answer: Answer) -> bytes:
        """Its body. Raises UpstreamFault, also for a status of 300 or more."""
        try:
            raw = await answer.read_all(self._upstream.timeouts, self._deadline)
        finally:
            answer.close()
        self.came.append(raw)
        if answer.status >= 300:
            raise self._refusal(self._target, answer.status, answer.headers, raw)
        return raw

    def _call_off(self, steps: Steps) -> None:
        """Lets the upstream know that nobody waits, without waiting for it in turn."""
        try:
            last = steps.throw(Abandoned())
        except (Abandoned, StopIteration):
            return
        steps.close()
        if isinstance(last, Outbound):
            self.farewell(last)

    def farewell(self, outbound: Outbound | None) -> None:
        """Sends it without waiting for what comes back."""
        if outbound is not None:
            task = asyncio.ensure_future(self._send_off(outbound))
            _farewells.add(task)
            task.add_done_callback(_farewells.discard)

    async def _send_off(self, outbound: Outbound) -> None:
        try:
            async with asyncio.timeout(_FAREWELL_SECONDS):
                answer = await self._ask(outbound)
                answer.close()
        except (GatewayError, TimeoutError):
            log.info("The upstream %s could not be told to stop", self._upstream.name)
