"""Tries targets until one answers: retries on a route, the next key, the next route. Nothing after the first content.

contract.md "Retries and failover": `retries` further attempts on one route for connection faults, 408, 409, 5xx, 529
and unreadable answers (429 where another key is left); 401, 402, 403 and 429 move on to the next key, then the next
route; 400, 404, 413 and 422 are never sent again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Protocol, TypeVar

from proxyapp.engine import blame, credentials, repeating, stepwise
from proxyapp.engine.credentials import Trial
from proxyapp.engine.exchange import Exchange
from proxyapp.engine.exits import Exits
from proxyapp.engine.record import AttemptRecord
from proxyapp.engine.roads import WholeRoad
from proxyapp.engine.routing import Plan, Target
from proxyapp.engine.transport import Answer
from proxyapp.errors import (
    GatewayError,
    NoCredential,
    NoHealthyUpstream,
    Unsupported,
    UpstreamBroken,
    UpstreamCredential,
    UpstreamFault,
    UpstreamRefused,
    UpstreamTimeout,
)
from proxyapp.upstreams.contract import Credential, Outbound

T = TypeVar("T")
R = TypeVar("R", bound=WholeRoad)
Use = Callable[[R, Answer, Target, AttemptRecord], Awaitable[T]]
"""What to do with an answer whose status is below 400: read it whole, or up to its first content."""


class Preparing(Protocol[R]):
    """Makes the requests of one call, one for each attempt: `engine.prepare.Preparation`, and those of operations that
    are not inference."""

    operation: str
    """"" for inference, else what upstreams may limit apart from it."""

    async def recall(self, target: Target) -> None:
        """Before a road is made: what must be had first for this target."""
        ...

    def road(self, target: Target, credential: Credential | None) -> R:
        """Raises BadRequest and Unsupported in the caller's words, NoHealthyUpstream for an unknown kind."""
        ...

    def outbound(self, road: R, target: Target, credential: Credential | None, *, stream: bool) -> Outbound: ...

    def refusal(self, target: Target, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFault:
        """An upstream's answer of 300 or more as an error."""
        ...

    def mends(self, error: UpstreamFault) -> bool:
        """The next try will go without what this error is about: the same target is asked once more."""
        ...

    async def settle(self, road: R, last: bytes) -> bytes:
        """The answer is complete; `last` goes out after this."""
        ...


_KEY_AT_FAULT = frozenset({401, 402, 403})
_REQUEST_IDS = ("request-id", "x-request-id", "x-tt-logid", "x-log-id")
_NEVER_AGAIN = frozenset({400, 404, 413, 422})
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0


class Next(Enum):
    """Where to go after a failed attempt."""

    SAME = "the same key once more"
    KEY = "the next key"
    ROUTE = "the next route"
    NOWHERE = "nobody else will answer differently"


async def run(
    plan: Plan, preparation: Preparing[R], exits: Exits, exchange: Exchange, use: Use[R, T], *, stream: bool
) -> T:
    """The first good answer, as `use` makes it. Raises the last error when every target has failed."""
    failure: GatewayError | None = None
    for target in credentials.usable_first(plan, exits.health, preparation.operation).targets:
        try:
            return await _try_route(target, preparation, exits, exchange, use, stream=stream)
        except UpstreamFault as error:
            if failure is None or not isinstance(error, NoHealthyUpstream):  # what was answered tells more
                failure = error
            if _next(error) is Next.NOWHERE:
                break
        except (NoCredential, Unsupported) as error:
            failure = failure or error  # another route may have a key, or a way to say it
    assert failure is not None  # a plan is never empty
    raise failure


async def _try_route(
    target: Target, preparation: Preparing[R], exits: Exits, exchange: Exchange, use: Use[R, T], *, stream: bool
) -> T:
    keys = credentials.in_order(target, exits.health, preparation.operation)
    again = target.upstream.retries
    pause = _FIRST_PAUSE
    while True:
        try:
            return await _try_once(target, keys[0], preparation, exits, exchange, use, stream=stream)
        except UpstreamFault as error:
            if preparation.mends(error):
                continue
            step = _next(error)
            if step is Next.KEY:
                keys.pop(0)
                if keys:
                    continue
            elif error.pool and (others := [key for key in keys if target.pool_name(key) != error.pool]):
                keys = others
                continue
            if step is not Next.SAME or again <= 0:
                raise
            again -= 1
            await _pause(error, pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


async def _pause(error: UpstreamFault, pause: float) -> None:
    if error.retry_after is not None and error.retry_after > _LONGEST_PAUSE:
        raise error  # asked to stay away for long: the next route is the better choice
    await asyncio.sleep(error.retry_after if error.retry_after is not None else pause * random.uniform(0.5, 1.0))  # noqa: S311


async def _try_once(
    target: Target,
    credential: Credential | None,
    preparation: Preparing[R],
    exits: Exits,
    exchange: Exchange,
    use: Use[R, T],
    *,
    stream: bool,
) -> T:
    record = AttemptRecord(upstream=target.upstream.name, key=credential.name if credential else "", model=target.model)
    exchange.new_attempt(record)
    road, outbound = await _made(target, credential, preparation, exchange, stream=stream)

    def ask(outbound: Outbound) -> Awaitable[Answer]:
        return exits.open(outbound, target, credential, record, exchange.session)

    trial = Trial(credential, target, preparation.operation, exits.health)
    began = exchange.clock()
    answer: Answer | None = None
    kept = False
    try:
        answer = await ask(outbound)
        record.status = answer.status
        trial.answered(answer.headers)
        exchange.upstream_request_id = next(
            (answer.headers[name] for name in _REQUEST_IDS if name in answer.headers), ""
        )
        if answer.status >= 300:
            raise await _refusal(preparation, target, answer, exchange)
        answer = await stepwise.completed(answer, outbound, target, preparation.refusal, ask, exchange)
        result = await use(road, answer, target, record)
        kept = True
        trial.worked()
        return result
    except GatewayError as error:
        if isinstance(error, UpstreamRefused):
            trial.refused(error)
        raise _account(error, target, credential, record) from error.__cause__
    except RecursionError as exc:  # read just so, and too deep to be written again
        broken = UpstreamBroken("The upstream's answer is nested too deeply to be read.")
        raise _account(broken, target, credential, record) from exc
    finally:
        trial.over()
        record.ms = (exchange.clock() - began) * 1000
        exchange.waited += record.ms / 1000
        exchange.upstream_seconds += record.ms / 1000
        if answer is not None and not kept:
            answer.close()


async def _made(
    target: Target, credential: Credential | None, preparation: Preparing[R], exchange: Exchange, *, stream: bool
) -> tuple[R, Outbound]:
    """What an attempt sends. Raises BadRequest, Unsupported, NoHealthyUpstream."""
    await preparation.recall(target)
    road = preparation.road(target, credential)
    exchange.notes, exchange.dropped, exchange.weight = road.notes, road.notes.header(), road.weight
    outbound = preparation.outbound(road, target, credential, stream=stream)
    if road.translated or exchange.is_rewritten:
        exchange.upstream_request.add(outbound.body)
    return road, outbound


async def _refusal(preparation: Preparing[R], target: Target, answer: Answer, exchange: Exchange) -> UpstreamFault:
    deadline = asyncio.get_running_loop().time() + target.upstream.timeouts.total
    body = await answer.read_all(target.upstream.timeouts, deadline)
    exchange.upstream_answer.add(body)
    return preparation.refusal(target, answer.status, answer.headers, body)


def _account(error: GatewayError, target: Target, credential: Credential | None, record: AttemptRecord) -> GatewayError:
    """Writes the failure into the attempt's record; an upstream's no to the gateway's own key becomes ours to say."""
    if isinstance(error, UpstreamFault):
        error.upstream = target.upstream.name
    repeating.take_out(error, target, credential)
    is_ours = credentials.is_ours(credential)
    if is_ours and isinstance(error, UpstreamRefused) and blame.is_about_credential(error):
        if error.status == 401 and credential is None and not credentials.has_key_header(target.upstream):
            record.error, record.message = NoCredential.code, "The upstream answered 401: it wants a key."
            return credentials.missing(target.upstream)
        record.error, record.message = UpstreamCredential.code, f"The upstream answered {error.status} to this key."
        return UpstreamCredential(
            f"The upstream {target.upstream.name} refused this gateway's credential ({error.status}). "
            "The operator has to check its key.",
            upstream=target.upstream.name,
        )
    record.error, record.message = error.code, error.message
    return error


def _next(error: UpstreamFault) -> Next:
    if isinstance(error, UpstreamCredential):
        return Next.KEY
    if isinstance(error, UpstreamTimeout):
        return Next.ROUTE
    if isinstance(error, UpstreamRefused):
        if error.status in _NEVER_AGAIN or error.status in _KEY_AT_FAULT:
            return Next.NOWHERE  # a caller's own key: another route has the same one. Or its prompt
        if error.status == 429:
            return Next.KEY
        return Next.SAME if error.retryable else Next.NOWHERE
    return Next.ROUTE if isinstance(error, NoHealthyUpstream) else Next.SAME
