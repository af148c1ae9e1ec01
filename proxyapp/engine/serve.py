"""The story of a request, top to bottom. Everything else in this package is a step of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from proxyapp.dialects.contract import Body
from proxyapp.engine import attempts, routing, session
from proxyapp.engine.attempts import Preparing, R
from proxyapp.engine.call import Call, ClientGone, Reply
from proxyapp.engine.conversation import STATEFUL, Conversation
from proxyapp.engine.core import Engine
from proxyapp.engine.exchange import Exchange
from proxyapp.engine.identify import Caller, identify
from proxyapp.engine.identity import new_id
from proxyapp.engine.late import LatePump, abandon
from proxyapp.engine.prepare import Preparation
from proxyapp.engine.pump import Head, Pump
from proxyapp.engine.recollection import Recollection
from proxyapp.engine.record import AttemptRecord
from proxyapp.engine.replies import answer_headers, error_reply, stream_reply
from proxyapp.engine.roads import Road
from proxyapp.engine.routing import Plan, Target
from proxyapp.engine.transport import Answer
from proxyapp.errors import GatewayError, InternalError

S = TypeVar("S", bound=Road)
Story = Callable[[Engine, Call, Exchange], Awaitable[Reply]]
"""What happens between a request and its answer; `generate` unless the endpoint is another one's."""


class Streaming(Preparing[S], Protocol):
    """Makes requests whose answers may be streams."""

    def error_event(self, error: GatewayError) -> bytes:
        """The caller's error event, for a stream that never had content."""
        ...


async def serve(engine: Engine, call: Call, story: Story | None = None) -> Reply:
    """Answers one inference request. Every fault becomes the caller's dialect's own error; cancelling this coroutine
    (the caller hung up) cancels the upstream request and leaves a row `client_closed`."""
    exchange = Exchange(call, engine.books, engine.settings.history_bodies, engine.settings.body_cap_bytes)
    engine.enter(exchange)
    try:
        return await _served(engine, call, exchange, story or generate)
    except BaseException:
        # No effect on one that is over. A fault in telling a fault leaves a row too, and nothing counts as running.
        exchange.finish("error", status=500, error=InternalError("Internal error; the log has it."))
        raise  # the view logs it and answers


async def _served(engine: Engine, call: Call, exchange: Exchange, story: Story) -> Reply:
    try:
        return await story(engine, call, exchange)
    except GatewayError as error:
        return error_reply(call, exchange, error)
    except (asyncio.CancelledError, ClientGone) as gone:
        task = asyncio.current_task()
        if exchange.aborting is not None and task is not None:
            task.uncancel()
            return error_reply(call, exchange, exchange.aborting)
        exchange.finish("client_closed", status=499)
        if isinstance(gone, ClientGone):
            raise asyncio.CancelledError from gone
        raise


async def generate(engine: Engine, call: Call, exchange: Exchange) -> Reply:
    """Inference."""
    snapshot = engine.snapshot
    caller = identify(snapshot, call.headers, query_key=call.query_key, address=call.address)
    exchange.asked_by(caller.key)

    body = Body(await read(call, exchange))
    peek = call.asked or call.dialect.peek(body)
    exchange.asks_for(peek)

    plan = routing.plan(snapshot, caller, peek.model, engine.rng)
    routing.stay_within(caller.key, body.get)
    exchange.on_finish(engine.limiter.admit(caller.key))
    exchange.begin()

    conversation = Conversation(
        engine.store, caller.key.client_id, engine.sealer, may_keep=exchange.bodies != "none", new_id=new_id
    )
    if call.dialect.name in STATEFUL:
        body = await conversation.open(body, engine.settings.max_body_bytes)
        exchange.is_rewritten = conversation.has_rewritten
    plan = stay(plan, caller, exchange, body)
    preparation = preparation_of(engine, call, body, plan, caller, exchange)
    preparation.conversation = conversation
    exchange.settle = preparation.settle
    plan = await preparation.choose(plan)
    if peek.stream:
        return await stream(engine, call, plan, preparation, exchange)
    return await _whole(engine, call, plan, preparation, exchange)


def stay(plan: Plan, caller: Caller, exchange: Exchange, body: Body | None = None) -> Plan:
    """The plan in the order of the caller's conversation, so that it keeps its account and route while they are well.
    Proofs of reasoning, and what is out, are looked at after this and count more."""
    if not session.is_wanted(plan):
        return plan
    if not exchange.session and body is not None:
        exchange.session = session.word(body)
    return session.steady(plan, f"{caller.key.client_id}/{exchange.session}") if exchange.session else plan


def preparation_of(
    engine: Engine, call: Call, body: Body, plan: Plan, caller: Caller, exchange: Exchange
) -> Preparation:
    most, client = engine.settings.max_event_bytes, caller.key.client
    recollection = Recollection(engine.memory, caller.key.client_id, lasting=exchange.bodies != "none")
    return Preparation(
        call, body, plan.model, client, engine.sealer, most, recollection, engine.factors, engine.fetcher
    )


async def read(call: Call, exchange: Exchange, *, keep: bool = True) -> bytes:
    """The caller's body. `keep`: the history may have it as it is."""
    began = exchange.clock()
    raw = await call.read_body()
    exchange.waited += exchange.clock() - began
    if keep:
        exchange.client_request.add(raw)
    return raw


async def _whole(engine: Engine, call: Call, plan: Plan, preparation: Preparation, exchange: Exchange) -> Reply:
    return whole_reply(call, exchange, await ask(engine, plan, preparation, exchange))


async def ask(engine: Engine, plan: Plan, preparation: Preparing[R], exchange: Exchange) -> bytes:
    """The whole answer of the first target that gives one, as the caller gets it."""

    async def use(road: R, answer: Answer, target: Target, record: AttemptRecord) -> bytes:
        timeouts = target.upstream.timeouts
        raw = await answer.read_all(timeouts, asyncio.get_running_loop().time() + timeouts.total)
        answer.close()
        exchange.upstream_answer.add(raw)
        out = await preparation.settle(road, road.answer(raw))
        exchange.glimpse = road.glimpse
        return out

    return await attempts.run(plan, preparation, engine.exits, exchange, use, stream=False)


def whole_reply(call: Call, exchange: Exchange, out: bytes) -> Reply:
    """A whole answer, booked. What an upstream said in the caller's own dialect is kept once."""
    if exchange.upstream_request.bytes() is not None or exchange.upstream_answer.bytes() is None:
        exchange.client_answer.add(out)
    exchange.first_byte = exchange.clock()
    exchange.finish("ok", status=200)
    return Reply(status=200, body=out, headers=answer_headers(call, exchange))


async def stream(engine: Engine, call: Call, plan: Plan, preparation: Streaming[S], exchange: Exchange) -> Reply:
    """The stream of the first target that comes to content, or keep-alives until there is one."""

    async def to_content(road: S, answer: Answer, target: Target, record: AttemptRecord) -> Head:
        deadline = asyncio.get_running_loop().time() + target.upstream.timeouts.total
        return await Head(road, answer, target.upstream, exchange, deadline).read_to_content()

    every = engine.settings.keepalive_seconds
    opening = asyncio.ensure_future(attempts.run(plan, preparation, engine.exits, exchange, to_content, stream=True))
    try:
        await asyncio.wait({opening}, timeout=every)
    except asyncio.CancelledError:
        opening.cancel()
        await asyncio.wait({opening})
        abandon(opening)
        raise
    if not opening.done():
        # Nothing for so long: the caller gets its head and keep-alives, the attempts go on behind it.
        late = LatePump(opening, call.dialect.keepalive, every, exchange, preparation.error_event)
        return stream_reply(call, exchange, late)
    return stream_reply(call, exchange, Pump(opening.result(), call.dialect.keepalive, every))
