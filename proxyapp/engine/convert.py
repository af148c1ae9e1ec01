"""One translation without a server: a request, an answer or a stream from one dialect to another. No I/O.

It is the roads of `engine/roads.py` with the sides made up, so that what comes out is what the gateway would send.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlencode

from msgspec import Struct

from proxyapp.dialects import jsonio, sse
from proxyapp.dialects.contract import Body, ClientSide, Dialect, Peek, UpstreamSide
from proxyapp.dialects.registry import DIALECTS
from proxyapp.dialects.signatures import Sealer
from proxyapp.engine.roads import Translation, folded
from proxyapp.errors import BadRequest, BodyUnreadable, GatewayError, UpstreamFault, UpstreamRefused
from proxyapp.ir.notes import Notes
from proxyapp.ir.parts import Text
from proxyapp.ir.profile import Profile
from proxyapp.ir.request import Request, Turn
from proxyapp.upstreams.contract import Kind, Sending, Upstream, enclosing
from proxyapp.upstreams.registry import KINDS

SHORT = {
    "chat": "openai-chat",
    "openai": "openai-chat",
    "responses": "openai-responses",
    "messages": "anthropic-messages",
    "anthropic": "anthropic-messages",
    "claude": "anthropic-messages",
}
"""Names that people use -> the dialect."""
MAX_EVENT = 64 * 2**20
_KEY = b"manage.py convert: seals nothing that a server would open"
"""Proofs of another vendor are sealed for the caller as by a server, but with this key: `convert` opens its own
envelopes again, a server never does."""


class Plan(Struct, kw_only=True):
    """What is to be converted into what."""

    source: str
    target: str
    """Names of dialects, see `dialect_named`."""
    model: str = ""
    """The upstream's name of the model; empty = as the body says."""
    kind: str = ""
    """The kind of upstream whose models are meant; empty = the first that speaks the upstream's dialect."""
    lenient: bool = False
    stream: bool | None = None
    """The form of the answer that comes out, or that the request asks for; None = as it went in."""
    request: bytes = b""
    """The caller's request, in the target's dialect, that the answer is for."""
    now: int = 0


class Converter:
    """One conversion. `notes` tells what was lost, `error` what the upstream's answer said instead of an answer."""

    def __init__(self, plan: Plan) -> None:
        """Raises BadRequest for a name that is none."""
        self._plan = plan
        self.source, self.target = dialect_named(plan.source), dialect_named(plan.target)
        self.notes = Notes()
        self.error: UpstreamFault | None = None
        self.address = ""
        """Where a request goes, when a part of it stands in the address (Gemini's model and stream switch)."""
        self._numbers = itertools.count(1)

    # --- requests

    def request(self, raw: bytes) -> bytes:
        """A caller's body as the upstream's. Raises BadRequest, Unsupported. In the same dialect it is patched, as on
        the gateway."""
        body = Body(raw)
        side = self._upstream_side(self.target, self._plan.model)
        if self.source is self.target:
            side.model = side.model or self._model_of(body)
            stream = body.get("stream") is True if self._plan.stream is None else self._plan.stream
            if "model" not in body.top and side.model:
                self.address = self._address(side, stream=stream)
            return self._enclosed(self.target.patch(body, side.model, side), side, stream=stream)
        request = self._parsed(self.source, raw)
        side = self._upstream_side(self.target, self._plan.model or request.model)
        rendered = self.target.render_request(request, side)
        if "model" not in rendered or side.query:
            self.address = self._address(side, stream=request.stream)
        return self._enclosed(jsonio.encode(rendered), side, stream=request.stream)

    def _enclosed(self, body: bytes, side: UpstreamSide, *, stream: bool) -> bytes:
        kind = kind_named(self._plan.kind, self.target.name)
        encloses = enclosing(kind)
        if encloses is None:
            return body
        sending = Sending(dialect=self.target.name, model=side.model, profile=side.profile, stream=stream)
        return encloses.enclosed(Upstream(name="convert", kind=kind.name), sending, body)

    def _address(self, side: UpstreamSide, *, stream: bool) -> str:
        kind = kind_named(self._plan.kind, self.target.name)
        url = kind.url(Upstream(name="convert", kind=kind.name), side.model, dialect=self.target.name, stream=stream)
        return url + ("?" if side.query and "?" not in url else "&" if side.query else "") + urlencode(side.query)

    def _parsed(self, dialect: Dialect, raw: bytes) -> Request:
        side = self._client_side(len(raw))
        if "model" not in Body(raw).top:  # it stands in the address, which is not here
            if not self._plan.model and not self._plan.request:
                raise BadRequest("The body names no model; say which with --model.")
            side.asked = Peek(model=self._plan.model or "model", stream=bool(self._plan.stream))
        request = dialect.parse_request(jsonio.decode_object(raw), side)
        if self._plan.stream is not None:
            request.stream = request.include_usage = self._plan.stream
        return request

    def _model_of(self, body: Body) -> str:
        model = body.get("model")
        return model if isinstance(model, str) else ""

    # --- answers

    def answer(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The upstream's answer, in pieces of any size, as the caller's: JSON to JSON, events to events, or from one
        form to the other. Raises UpstreamFault when it is no answer; an error that the upstream told in words comes
        out in the caller's form, and is in `error`."""
        pieces = _without_leading_space(pieces)
        first = next(pieces, b"")
        if not first:
            raise BodyUnreadable("There is nothing to convert.")
        rest = itertools.chain([first], pieces)
        if first[:1] == b"{":
            return self._whole(b"".join(rest))
        if first[:1] == b"[":
            return self._streamed([_as_events(b"".join(rest))])
        return self._streamed(rest)

    def _whole(self, raw: bytes) -> Iterator[bytes]:
        if self.source is self.target and not self._plan.stream:
            yield raw
            return
        road = self._road(stream=bool(self._plan.stream))
        try:
            yield road.whole_as_stream(raw) if self._plan.stream else road.answer(raw)
        except UpstreamRefused as error:
            self.error = error
            yield road.fail(error) if self._plan.stream else self._error_body(error)

    def _streamed(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        if self._plan.stream is False:
            yield self._folded(pieces)
            return
        if self.source is self.target:
            yield from pieces
            return
        road = self._road(stream=True)
        for piece in pieces:
            yield road.feed(piece)
            if road.is_done or road.error is not None:
                break
        else:
            yield road.close()
        self.error = road.error
        if road.error is not None:
            yield road.fail(road.error)

    def _folded(self, pieces: Iterable[bytes]) -> bytes:
        """A stream as one answer. Raises UpstreamBroken when it was cut."""
        request, side = self._asked(stream=False), self._answering_side()
        self.source.render_request(request, side)  # it tells the side under which names the tools went out
        side.notes = self.notes
        try:
            answer = folded(pieces, self.source.decoder(side), sse.FrameReader(MAX_EVENT))
        except UpstreamRefused as error:
            self.error = error
            return self._error_body(error)
        return jsonio.encode(self.target.render_response(answer, request, self._client_side()))

    def _road(self, *, stream: bool) -> Translation:
        side = self._answering_side()
        client = self.target, self._client_side()
        road = Translation(client, (self.source, side), self._asked(stream=stream), MAX_EVENT)
        side.notes = self.notes
        return road

    def _answering_side(self) -> UpstreamSide:
        """Of an upstream that has been asked already: what the request lost on its way is no news."""
        side = self._upstream_side(self.source, self._plan.model)
        side.lenient, side.notes = True, Notes()
        return side

    def _asked(self, *, stream: bool) -> Request:
        """What the answer is for: the request that was given, or one that wants to see all there is."""
        if self._plan.request:
            request = self._parsed(self.target, self._plan.request)
            request.stream = stream
            return request
        return Request(
            client_dialect=self.target.name,
            model=self._plan.model or "model",
            stream=stream,
            include_usage=True,
            turns=[Turn(role="user", parts=[Text(text="…")])],
        )

    def _error_body(self, error: GatewayError) -> bytes:
        return jsonio.encode(self.target.render_error(error, "")[1])

    # --- sides

    def _client_side(self, size: int = 0) -> ClientSide:
        return ClientSide(
            sealer=Sealer(_KEY), notes=self.notes, new_id=self._new_id, now=self._plan.now, estimate_input=size // 4
        )

    def _upstream_side(self, dialect: Dialect, model: str) -> UpstreamSide:
        return UpstreamSide(
            profile=self._profile(dialect, model),
            sealer=Sealer(_KEY),
            notes=self.notes,
            lenient=self._plan.lenient,
            model=model,
            new_id=self._new_id,
            now=self._plan.now,
        )

    def _profile(self, dialect: Dialect, model: str) -> Profile:
        kind = kind_named(self._plan.kind, dialect.name)
        return kind.profile(Upstream(name="convert", kind=kind.name), model)

    def _new_id(self) -> str:
        """Counted, so that the same input gives the same output."""
        return f"{next(self._numbers):024d}"


def dialect_named(name: str) -> Dialect:
    """By its name or a short one. Raises BadRequest that tells the nearest."""
    found = DIALECTS.get(SHORT.get(name, name))
    if found is None:
        raise BadRequest(_unknown("dialect", name, [*DIALECTS, *(word for word in SHORT if SHORT[word] in DIALECTS)]))
    return found


def kind_named(name: str, dialect: str) -> Kind:
    """A kind that speaks the dialect. Raises BadRequest."""
    if not name:
        return next(kind for kind in KINDS.values() if _speaks(kind, dialect))
    if name not in KINDS:
        raise BadRequest(_unknown("kind of upstream", name, list(KINDS)))
    return KINDS[name]


def _speaks(kind: Kind, dialect: str) -> bool:
    return kind.dialect(Upstream(name="convert", kind=kind.name), "", dialect) == dialect


def _unknown(what: str, name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    guess = f' Did you mean "{near[0]}"?' if near else ""
    return f'There is no {what} "{name}".{guess} There are: {", ".join(known)}.'


def _without_leading_space(pieces: Iterable[bytes]) -> Iterator[bytes]:
    begun = False
    for piece in pieces:
        told = piece if begun else piece.removeprefix(b"\xef\xbb\xbf").lstrip()
        begun = begun or bool(told)
        if told:
            yield told


def _as_events(raw: bytes) -> bytes:
    """A stream that came as one JSON array (Gemini's without `alt=sse`), as events."""
    chunks: Any = jsonio.decode(raw)
    return b"".join(sse.data_frame(jsonio.encode(chunk)) for chunk in chunks)
