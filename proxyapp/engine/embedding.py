"""Embeddings: the same routes, keys, limits, retries and history as inference, whole answers alone.

Where caller and upstream speak the same language the body goes through, else it is translated. A request with more
inputs than an upstream takes at once goes out in parts, all to the target that answered the first: vectors of two
models do not lie in one space.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import Body, Dialect, Embedding, Glimpse, Peek, UpstreamSide
from proxyapp.dialects.registry import DIALECTS, EMBEDDERS
from proxyapp.dialects.signatures import Sealer
from proxyapp.engine import routing
from proxyapp.engine.call import Call, Reply
from proxyapp.engine.core import Engine
from proxyapp.engine.exchange import Exchange
from proxyapp.engine.identify import identify
from proxyapp.engine.operation import Operation
from proxyapp.engine.prepare import headers_for, kind_of, profile_of, refusal_of, sending_of
from proxyapp.engine.routing import Plan, Target
from proxyapp.engine.serve import ask, read, whole_reply
from proxyapp.errors import BadRequest, BodyUnreadable, Unsupported, UpstreamBroken, UpstreamFault
from proxyapp.ir.embeddings import EmbeddingRequest, EmbeddingResponse
from proxyapp.ir.notes import Notes
from proxyapp.ir.usage import Usage
from proxyapp.upstreams.contract import Credential, Outbound

_BYTES_PER_TOKEN = 4


async def embed(engine: Engine, call: Call, exchange: Exchange) -> Reply:
    """One request for embeddings, in a dialect of `EMBEDDERS`."""
    snapshot = engine.snapshot
    caller = identify(snapshot, call.headers, query_key=call.query_key, address=call.address)
    exchange.asked_by(caller.key)
    body = Body(await read(call, exchange))
    peek = call.asked or call.dialect.peek(body)
    exchange.asks_for(Peek(peek.model, stream=False))
    plan = routing.plan(snapshot, caller, peek.model, engine.rng)
    exchange.on_finish(engine.limiter.admit(caller.key))
    exchange.begin()

    work = Embeddings(call, body, peek.model, plan, engine.sealer)
    try:
        out = await work.done(engine, exchange)
    except RecursionError as exc:  # read just so, and too deep to be written again
        raise BodyUnreadable("The body is nested too deeply.") from exc
    usage = exchange.glimpse.usage
    exchange.estimated = usage is not None and usage.estimated
    return whole_reply(call, exchange, out)


class Passed:
    """One attempt in the caller's own language."""

    translated = False
    weight: int | None = None

    def __init__(
        self, target: Target, body: bytes, asked: Body, language: Embedding, estimate: Callable[[], int]
    ) -> None:
        self.target = target
        self.body = body
        self.notes = Notes()
        self.glimpse = Glimpse()
        self._asked = asked
        self._language = language
        self._estimate = estimate

    def answer(self, raw: bytes) -> bytes:
        usage = self._language.usage(raw)
        self.glimpse.usage = usage or Usage(fresh_input=self._estimate(), estimated=True)
        return self._language.relay(raw, self._asked, None if usage else self.glimpse.usage.fresh_input)


class Translated:
    """One attempt in another language than the caller's, or at a part of what was asked."""

    translated = True
    weight: int | None = None

    def __init__(self, target: Target, part: EmbeddingRequest, side: UpstreamSide, language: Embedding) -> None:
        self.target = target
        self.body = jsonio.encode(language.render_request(part, side))
        self.notes = side.notes
        self.glimpse = Glimpse()
        self.response: EmbeddingResponse | None = None
        self._part = part
        self._language = language

    def answer(self, raw: bytes) -> bytes:
        """Nothing yet: what the caller gets is made when all parts are there."""
        response = self._language.parse_response(raw, len(self._part.inputs))
        response.usage = response.usage or Usage(fresh_input=weight(self._part), estimated=True)
        response.model = response.model or self.target.model
        self.glimpse.usage, self.glimpse.model = response.usage, response.model
        self.response = response
        return b""


Road = Passed | Translated


class Embeddings(Operation[Road]):
    """The work on one request."""

    def __init__(self, call: Call, body: Body, model: str, plan: Plan, sealer: Sealer) -> None:
        self._sealer = sealer
        self._call = call
        self._body = body
        self._name = model
        self._model = plan.model
        self._own = EMBEDDERS[call.dialect.name]
        self._part: EmbeddingRequest | None = None
        """What goes out when it is not the caller's whole body."""
        self._answered: Road | None = None
        self._plan = self._able(plan)

    async def done(self, engine: Engine, exchange: Exchange) -> bytes:
        """The caller's answer, and its usage in `exchange`."""
        if self._speaks_ours(self._plan.targets[0]):
            return await self._passed(engine, exchange)
        request = self._request()
        most = min(EMBEDDERS[self._found(target)[0].name].most for target in self._plan.targets)
        answers = []
        for start in range(0, len(request.inputs), most):
            self._part = msgspec.structs.replace(request, inputs=request.inputs[start : start + most])
            await ask(engine, self._plan, self, exchange)
            assert isinstance(self._answered, Translated)
            assert self._answered.response is not None
            answers.append(self._answered.response)
            self._plan = Plan(self._model, (self._answered.target,))
        whole = joined(answers)
        exchange.glimpse.usage = whole.usage
        return self._rendered(whole, request)

    async def _passed(self, engine: Engine, exchange: Exchange) -> bytes:
        """The caller's own body goes out; only where that fails and another route speaks otherwise it is translated."""
        out = await ask(engine, self._plan, self, exchange)
        answered = self._answered
        if isinstance(answered, Translated) and answered.response is not None:
            return self._rendered(answered.response, self._request())
        return out

    # --- attempts.Preparing

    def road(self, target: Target, credential: Credential | None) -> Road:
        dialect, _ = self._found(target)
        if self._part is None and self._speaks_ours(target):
            return Passed(target, self._own.patch(self._body, target.model), self._body, self._own, self._weight)
        language = EMBEDDERS[dialect.name]
        part = self._part or self._request()
        if len(part.inputs) > language.most:
            raise Unsupported(
                f"The upstream {target.upstream.name} takes at most {language.most} inputs at once.", param="input"
            )
        return Translated(target, part, self._side(target, credential), language)

    def outbound(self, road: Road, target: Target, credential: Credential | None, *, stream: bool) -> Outbound:
        dialect, url = self._found(target)
        profile = profile_of(kind_of(target), target, self._model)
        sending = sending_of(self._call, target, dialect.name, profile, passes=not road.translated)
        return Outbound("POST", url, headers_for(target, credential, sending), road.body)

    def refusal(self, target: Target, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFault:
        return refusal_of(self._found(target)[0], target, status, headers, body)

    async def settle(self, road: Road, last: bytes) -> bytes:
        self._answered = road
        return last

    # --- what is possible

    def _able(self, plan: Plan) -> Plan:
        """The plan without targets that make no embeddings. Raises Unsupported when none is left."""
        able = tuple(target for target in plan.targets if self._look_for(target) is not None)
        if not able:
            upstream = plan.targets[0].upstream
            raise Unsupported(
                f"The model {self._name!r} makes no embeddings: its upstream {upstream.name}, of kind {upstream.kind}, "
                "does not offer them.",
                param="model",
            )
        return Plan(plan.model, able)

    def _look_for(self, target: Target) -> tuple[Dialect, str] | None:
        """The language in which the target makes embeddings, the caller's own first, and the address."""
        kind, upstream = kind_of(target), target.upstream
        ours = kind.operation_url(upstream, target.model, self._own.asked(self._body))
        if ours is not None:
            return self._call.dialect, ours
        for name, language in EMBEDDERS.items():
            url = kind.operation_url(upstream, target.model, language.operation)
            if url is not None:
                return DIALECTS[name], url
        return None

    def _found(self, target: Target) -> tuple[Dialect, str]:
        found = self._look_for(target)
        assert found is not None  # `_able` has left out the others
        if self._part is not None and found[0] is self._call.dialect:  # written anew, not passed on
            url = kind_of(target).operation_url(target.upstream, target.model, self._own.operation)
            return (found[0], url) if url is not None else found
        return found

    def _speaks_ours(self, target: Target) -> bool:
        return self._found(target)[0] is self._call.dialect

    # --- helpers of the above

    def _request(self) -> EmbeddingRequest:
        return self._own.parse_request(self._body.whole(), self._name)

    def _weight(self) -> int:
        try:
            return weight(self._request())
        except BadRequest:  # a form that only its upstream understands
            return max(len(self._body.raw) // _BYTES_PER_TOKEN, 1)

    def _rendered(self, response: EmbeddingResponse, request: EmbeddingRequest) -> bytes:
        try:
            return jsonio.encode(self._own.render_response(response, request))
        except ValueError as exc:
            raise UpstreamBroken("The upstream's answer holds an embedding that is none.") from exc

    def _side(self, target: Target, credential: Credential | None) -> UpstreamSide:
        return UpstreamSide(
            profile=profile_of(kind_of(target), target, self._model),
            sealer=self._sealer,
            lenient=self._model.lenient,
            model=target.model,
        )


def weight(request: EmbeddingRequest) -> int:
    """The tokens of a request, roughly."""
    return sum(
        max(len(each.text.encode(errors="replace")) // _BYTES_PER_TOKEN, 1) if each.tokens is None else len(each.tokens)
        for each in request.inputs
    )


def joined(answers: list[EmbeddingResponse]) -> EmbeddingResponse:
    """The parts of one answer, in order."""
    vectors = [vector for answer in answers for vector in answer.vectors]
    usages = [answer.usage for answer in answers if answer.usage is not None]
    usage = Usage(
        fresh_input=sum(usage.fresh_input or 0 for usage in usages),
        estimated=any(usage.estimated for usage in usages),
    )
    return EmbeddingResponse(vectors=vectors, model=answers[-1].model, usage=usage)
