"""Counting the tokens of a prompt: the upstream is asked where it has a counter, else the count is an estimate.

The request goes the way of a generation (the same model, routes, keys, translation), so that what is counted is what
would be sent. It costs nothing and so counts towards no limit: Claude Code alone counts some thirty times to show what
fills its context, and gives up on a 404.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import Body, Counting, Dialect, Glimpse, Peek, UpstreamSide
from proxyapp.dialects.registry import COUNTERS, DIALECTS
from proxyapp.engine import estimate, routing
from proxyapp.engine.call import Call, Reply
from proxyapp.engine.conversation import STATEFUL, Conversation
from proxyapp.engine.core import Engine
from proxyapp.engine.exchange import Exchange
from proxyapp.engine.identify import identify
from proxyapp.engine.identity import new_id
from proxyapp.engine.operation import Operation
from proxyapp.engine.prepare import (
    Preparation,
    enclosed,
    headers_for,
    kind_of,
    refusal_of,
    sending_of,
    system_prompt,
    with_prompt,
)
from proxyapp.engine.routing import Plan, Target
from proxyapp.engine.serve import ask, preparation_of, read, whole_reply
from proxyapp.errors import BodyUnreadable, UpstreamBroken, UpstreamCredential, UpstreamFault, UpstreamRefused
from proxyapp.ir.notes import Notes
from proxyapp.upstreams.contract import Credential, Outbound

_THE_CALLERS_FAULT = frozenset({400, 401, 402, 403, 413, 422})


async def count(engine: Engine, call: Call, exchange: Exchange) -> Reply:
    """One request for a count, in a dialect of `COUNTERS`."""
    snapshot = engine.snapshot
    caller = identify(snapshot, call.headers, query_key=call.query_key, address=call.address)
    exchange.asked_by(caller.key)
    counting = COUNTERS[call.dialect.name]
    asked = Body(await read(call, exchange))
    peek = call.asked or call.dialect.peek(asked)
    exchange.asks_for(Peek(peek.model, stream=False))
    plan = routing.plan(snapshot, caller, peek.model, engine.rng)
    exchange.begin()

    body = Body(jsonio.encode(counting.generation(asked.top)))
    if call.dialect.name in STATEFUL:
        # What was said before is counted too; nothing of this is kept.
        kept = Conversation(engine.store, caller.key.client_id, engine.sealer, may_keep=False, new_id=new_id)
        body = await kept.open(body, engine.settings.max_body_bytes)
    preparation = preparation_of(engine, call, body, plan, caller, exchange)
    questions = Questions(call, body, preparation)
    counters = tuple(takewhile(questions.has_counter, plan.targets))
    if counters:
        try:
            return whole_reply(call, exchange, await ask(engine, Plan(plan.model, counters), questions, exchange))
        except UpstreamFault as error:
            if isinstance(error, UpstreamCredential) or _is_callers(error):
                raise
    return whole_reply(call, exchange, _estimated(preparation, plan, counting, exchange))


def _is_callers(error: UpstreamFault) -> bool:
    return isinstance(error, UpstreamRefused) and error.status in _THE_CALLERS_FAULT


def _estimated(preparation: Preparation, plan: Plan, counting: Counting, exchange: Exchange) -> bytes:
    """The local answer, marked as such."""
    target = plan.targets[0]
    weight = estimate.weigh(with_prompt(preparation.request(), system_prompt(target, plan.model)))
    exchange.estimated = True
    exchange.upstream, exchange.upstream_model = target.upstream.name, target.model
    exchange.notes = Notes()
    exchange.notes.add("", "The upstream did not count: this is an estimate.", dropped=False)
    return jsonio.encode(counting.answer(estimate.tokens(weight, preparation.factor(target))))


class Question:
    """One attempt at an upstream's counter."""

    weight: int | None = None

    def __init__(self, body: bytes, side: UpstreamSide, counter: Counting, client: Counting | None) -> None:
        self.body = body
        self.notes = side.notes
        self.profile = side.profile
        self.translated = client is not None
        self.glimpse = Glimpse()
        self._counter = counter
        self._client = client

    def answer(self, raw: bytes) -> bytes:
        answer = jsonio.try_object(raw)
        if answer is None:
            raise UpstreamBroken("The upstream's answer is not a JSON object.")
        count = self._counter.tokens(answer)
        return raw if self._client is None else jsonio.encode(self._client.answer(count))


class Questions(Operation[Question]):
    """Makes the questions of one request."""

    operation = "count_tokens"

    def __init__(self, call: Call, body: Body, preparation: Preparation) -> None:
        self._call = call
        self._body = body
        self._preparation = preparation

    def has_counter(self, target: Target) -> bool:
        return self._counter_of(target) is not None

    async def recall(self, target: Target) -> None:
        await self._preparation.recall(target)

    def mends(self, error: UpstreamFault) -> bool:
        return self._preparation.mends(error)

    def road(self, target: Target, credential: Credential | None) -> Question:
        try:
            return self._question(target, credential)
        except RecursionError as exc:  # read just so, and too deep to be written again
            raise BodyUnreadable("The body is nested too deeply.") from exc

    def outbound(self, road: Question, target: Target, credential: Credential | None, *, stream: bool) -> Outbound:
        found = self._counter_of(target)
        assert found is not None  # only targets with one are tried
        kind, dialect = kind_of(target), found[0].name
        passes, level = not road.translated, self._preparation.level
        sending = sending_of(self._call, target, dialect, road.profile, passes=passes, level=level)
        headers = headers_for(target, credential, sending)
        return Outbound("POST", found[1], headers, enclosed(kind, target, sending, road.body))

    def refusal(self, target: Target, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFault:
        found = self._counter_of(target)
        return refusal_of(found[0] if found else self._call.dialect, target, status, headers, body)

    def _question(self, target: Target, credential: Credential | None) -> Question:
        found = self._counter_of(target)
        assert found is not None
        dialect, counter = found[0], COUNTERS[found[0].name]
        side = self._preparation.upstream_side(target, credential)
        if dialect is self._call.dialect and self._preparation.passes(target):
            side.without_proofs = self._preparation.recollection.passes(self._body)
            patched = jsonio.decode_top(dialect.patch(self._body, target.model, side))
            side.notes = Notes()  # what was changed in the caller's own body is no loss to a count
            return Question(jsonio.encode(counter.question(patched, target.model)), side, counter, None)
        rendered = dialect.render_request(self._preparation.request_for(target, side), side)
        question = jsonio.encode(counter.question(rendered, target.model))
        return Question(question, side, counter, COUNTERS[self._call.dialect.name])

    def _counter_of(self, target: Target) -> tuple[Dialect, str] | None:
        """The dialect and address of the target's counter: that of the dialect it would be asked in, else of another
        one that it speaks too."""
        kind, upstream = kind_of(target), target.upstream
        spoken = kind.dialect(upstream, target.model, self._call.dialect.name)
        for name in (spoken, *COUNTERS):
            if name in COUNTERS and kind.dialect(upstream, target.model, name) == name:
                url = kind.operation_url(upstream, target.model, COUNTERS[name].operation)
                if url is not None:
                    return DIALECTS[name], url
        return None
