"""The third road: endpoints that are not modelled here go to upstreams that offer them, bytes in, bytes out.

Only the model's name is changed. Keys, limits, failover before the first byte, time-outs and history are those of
inference; usage and errors are read where the answer is JSON or a stream of events.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import Body, ClientSide, Glimpse, Peek
from proxyapp.dialects.openai.forwarded import StreamReader, error_in, usage_in
from proxyapp.dialects.signatures import Sealer
from proxyapp.dialects.sse import Frame, FrameReader, data_frame
from proxyapp.engine import attempts, routing
from proxyapp.engine.call import AnswerCut, Call, Reply
from proxyapp.engine.core import Engine
from proxyapp.engine.exchange import Capture, Exchange
from proxyapp.engine.formdata import FormData
from proxyapp.engine.identify import identify
from proxyapp.engine.memory import Found
from proxyapp.engine.operation import Operation
from proxyapp.engine.prepare import headers_for, kind_of, profile_of, refusal_of, sending_of
from proxyapp.engine.pump import Head, Pump
from proxyapp.engine.record import AttemptRecord
from proxyapp.engine.replies import answer_headers
from proxyapp.engine.routing import Plan, Target
from proxyapp.engine.serve import Story, read, stay, stream
from proxyapp.engine.snapshot import Model
from proxyapp.engine.transport import Answer
from proxyapp.errors import BadRequest, GatewayError, Unsupported, UpstreamBroken, UpstreamFault
from proxyapp.ir.notes import Notes
from proxyapp.ir.request import Request
from proxyapp.upstreams.contract import Credential, Outbound

DEFAULT_MODELS = {"moderations": "omni-moderation-latest"}
"""What OpenAI's server takes where a body may name no model."""
ENDPOINTS = (
    "audio/speech",
    "audio/transcriptions",
    "audio/translations",
    "completions",
    "images/edits",
    "images/generations",
    "images/variations",
    "moderations",
    "rerank",
)
_EVENTS = "text/event-stream"
_SWITCHES = ("stream", "stream_options")
_PAGES = ("text/html", "application/xhtml")


def forward(endpoint: str) -> Story:
    """The story of one endpoint."""

    async def story(engine: Engine, call: Call, exchange: Exchange) -> Reply:
        snapshot = engine.snapshot
        caller = identify(snapshot, call.headers, query_key=call.query_key, address=call.address)
        exchange.asked_by(caller.key)
        letter = opened(endpoint, await read(call, exchange, keep=False), call.headers.get("content-type", ""))
        exchange.client_request.add(letter.kept())
        exchange.asks_for(letter.peek)
        plan = routing.plan(snapshot, caller, letter.peek.model, engine.rng)
        routing.stay_within(caller.key, letter.field)
        exchange.on_finish(engine.limiter.admit(caller.key))
        exchange.begin()

        forwarding = Forwarding(endpoint, call, letter, plan.model, engine.sealer, engine.settings.max_event_bytes)
        plan = stay(forwarding.possible(plan), caller, exchange)
        if letter.peek.stream and endpoint == "completions":
            return await stream(engine, call, plan, forwarding, exchange)
        return await _relay(engine, call, plan, forwarding, exchange)

    return story


class Letter(Struct, frozen=True):
    """A caller's body, opened as far as its model."""

    peek: Peek
    content: Body | FormData

    def to(self, model: str, *, streams: bool) -> bytes:
        """The body for an upstream's model. `streams`: it may ask for a stream."""
        if isinstance(self.content, FormData):
            return self.content.with_text("model", model)
        top = {name: value for name, value in self.content.top.items() if streams or name not in _SWITCHES}
        return jsonio.encode({**top, "model": model})

    def field(self, name: str) -> Any:
        """One field of it; None when absent."""
        return self.content.text(name) if isinstance(self.content, FormData) else self.content.get(name)

    def kept(self) -> bytes:
        """What the history keeps of it."""
        return jsonio.encode(self.content.described()) if isinstance(self.content, FormData) else self.content.raw


def opened(endpoint: str, raw: bytes, content_type: str) -> Letter:
    """Raises BadRequest when it cannot be read, or names no model where it must."""
    content: Body | FormData
    if content_type.lower().startswith("multipart/form-data"):
        content = FormData(raw, content_type)
        model, wants_stream = content.text("model"), content.text("stream") in ("true", "True", "1")
    else:
        content = Body(raw)
        model, wants_stream = content.get("model"), content.get("stream") is True
    model = DEFAULT_MODELS.get(endpoint) if model is None else model
    if not isinstance(model, str) or not model:
        raise BadRequest("A model must be named.", param="model")
    return Letter(Peek(model, wants_stream), content)


async def _relay(engine: Engine, call: Call, plan: Plan, forwarding: Forwarding, exchange: Exchange) -> Reply:
    """Whatever the upstream answers with: whole when it is JSON or text; events, sound and the like flow."""

    async def use(road: ForwardRoad, answer: Answer, target: Target, record: AttemptRecord) -> tuple[str, bytes | Head]:
        kind = answer.headers.get("content-type", "application/octet-stream")
        timeouts = target.upstream.timeouts
        deadline = asyncio.get_running_loop().time() + timeouts.total
        if _flows(kind):
            if not kind.lower().startswith(_EVENTS):
                road.is_plain, exchange.upstream_answer = True, Capture(0)
            return kind, await Head(road, answer, target.upstream, exchange, deadline).read_to_content()
        raw = await answer.read_all(timeouts, deadline)
        answer.close()
        exchange.upstream_answer.add(raw)
        if kind.lower().startswith(_PAGES):
            raise UpstreamBroken(f"The upstream {target.upstream.name} answered with a web page.")
        out = road.answer(raw)
        exchange.glimpse = road.glimpse
        return kind, out

    kind, found = await attempts.run(plan, forwarding, engine.exits, exchange, use, stream=False)
    if isinstance(found, Head):
        headers = {**answer_headers(call, exchange), "cache-control": "no-cache", "x-accel-buffering": "no"}
        every = engine.settings.keepalive_seconds
        plain = isinstance(found.road, ForwardRoad) and found.road.is_plain
        pump = PlainPump(found, b"", math.inf) if plain else Pump(found, call.dialect.keepalive, every)
        return Reply(status=200, body=pump, headers=headers, media_type=kind)
    exchange.first_byte = exchange.clock()
    exchange.finish("ok", status=200)
    return Reply(status=200, body=found, headers=answer_headers(call, exchange), media_type=kind)


def _flows(kind: str) -> bool:
    kind = kind.partition(";")[0].strip().lower()
    if kind == _EVENTS:
        return True
    return not (kind.startswith("text/") or kind.endswith(("json", "xml")))


class ForwardRoad:
    """One attempt; reads along."""

    translated = False
    weight: int | None = None

    def __init__(self, body: bytes, endpoint: str, failing: Callable[[GatewayError], bytes], max_event: int) -> None:
        self.body = body
        self.query: dict[str, str] = {}
        self.notes = Notes()
        self.glimpse = Glimpse()
        self.found: Found = {}
        self.has_content = self.is_done = False
        self.error: UpstreamFault | None = None
        self.is_plain = False
        """The answer is bytes without a form: sound, a picture."""
        self.size = 0
        """Bytes of such an answer so far."""
        self.fail = failing
        self._frames = FrameReader(max_event)
        self._reader = StreamReader(has_end_mark=endpoint == "completions")

    def answer(self, raw: bytes) -> bytes:
        told = jsonio.try_object(raw)
        error = error_in(told, raw)
        if error is not None:
            raise error
        self.glimpse.usage = usage_in(told)
        return raw

    def feed(self, chunk: bytes) -> bytes:
        if self.is_plain:
            self.size += len(chunk)
            self.has_content = True
            return chunk
        return self._relay(self._frames.feed(chunk))

    def close(self) -> bytes:
        if self.is_plain:
            self.is_done = True
            return b""
        out = self._relay([frame._replace(raw=frame.raw.rstrip(b"\r\n") + b"\n\n") for frame in self._frames.close()])
        self.is_done = self._reader.may_end
        if not self.is_done and self.error is None:
            self.error = UpstreamBroken("The upstream's stream ended before the answer was complete.")
        return out

    def _relay(self, frames: list[Frame]) -> bytes:
        kept = []
        for frame in frames:
            if self.error is not None or self._reader.is_over:
                break
            self._reader.feed(frame)
            self.error = self._reader.error
            if self.error is None:
                kept.append(frame.raw)
        self.has_content, self.is_done = self._reader.has_content, self._reader.is_over
        self.glimpse.usage = self._reader.usage
        return b"".join(kept)

    def whole_as_stream(self, raw: bytes) -> bytes:
        told = jsonio.try_object(self.answer(raw))
        if told is None:
            raise UpstreamBroken("The upstream's answer is not a JSON object.")
        self.has_content = self.is_done = True
        return data_frame(jsonio.encode(told)) + data_frame(b"[DONE]")


class PlainPump(Pump):
    """Bytes without a form have no word for an error: a fault cuts the connection, so that nobody takes what came for
    the whole. The history keeps their size."""

    def _fail(self, error: GatewayError) -> bytes:
        super()._fail(error)
        self.close()
        raise AnswerCut(error.message)

    def _give(self, out: bytes) -> bytes:
        road = self._head.road
        if road.is_done and isinstance(road, ForwardRoad):
            self._head.exchange.client_answer.add(jsonio.encode({"bytes": road.size}))
        return super()._give(out)


class Forwarding(Operation[ForwardRoad]):
    """Makes the requests of one call."""

    def __init__(self, endpoint: str, call: Call, letter: Letter, model: Model, sealer: Sealer, max_event: int) -> None:
        self._endpoint = endpoint
        self._call = call
        self._letter = letter
        self._model = model
        self._max_event = max_event
        self._side = ClientSide(sealer=sealer)

    def possible(self, plan: Plan) -> Plan:
        """The plan without targets that do not offer the endpoint. Raises Unsupported when none is left."""
        able = tuple(target for target in plan.targets if self._url(target) is not None)
        if not able:
            upstream = plan.targets[0].upstream
            raise Unsupported(
                f"The upstream {upstream.name}, of kind {upstream.kind}, does not offer /v1/{self._endpoint}.",
                param="model",
            )
        return Plan(plan.model, able)

    def road(self, target: Target, credential: Credential | None) -> ForwardRoad:
        streams = profile_of(kind_of(target), target, self._model).streaming
        body = self._letter.to(target.model, streams=streams)
        return ForwardRoad(body, self._endpoint, self.error_event, self._max_event)

    def outbound(self, road: ForwardRoad, target: Target, credential: Credential | None, *, stream: bool) -> Outbound:
        url = self._url(target)
        assert url is not None  # only such targets are tried
        is_form = isinstance(self._letter.content, FormData)
        content_type = self._call.headers["content-type"] if is_form else "application/json"
        accept = self._call.headers.get("accept", "*/*")
        profile = profile_of(kind_of(target), target, self._model)
        sending = sending_of(self._call, target, self._call.dialect.name, profile, stream=stream, passes=True)
        headers = headers_for(target, credential, sending, accept=accept, content_type=content_type)
        return Outbound("POST", url, headers, road.body)

    def refusal(self, target: Target, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFault:
        return refusal_of(self._call.dialect, target, status, headers, body)

    def error_event(self, error: GatewayError) -> bytes:
        request = Request(client_dialect=self._call.dialect.name, model="", stream=True)
        return self._call.dialect.encoder(request, self._side).fail(error)

    def _url(self, target: Target) -> str | None:
        return kind_of(target).operation_url(target.upstream, target.model, self._endpoint)
