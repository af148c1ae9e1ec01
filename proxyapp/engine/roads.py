"""The two roads a request can take: pass-through (same dialect, bytes relayed) and translation (through the IR).

A road is made per attempt. It holds the body to send and turns what comes back into what the caller gets, either
whole (`answer`) or piece by piece (`feed`, `close`). No I/O here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import Body, ClientSide, Decoder, Dialect, FailingTap, Glimpse, Renaming, UpstreamSide
from proxyapp.dialects.sse import Frame, FrameReader
from proxyapp.engine.affinity import made_by
from proxyapp.engine.memory import WATCHED, Found, Gatherer
from proxyapp.errors import BadRequest, BodyUnreadable, GatewayError, UpstreamBroken, UpstreamFault
from proxyapp.ir import events as ev
from proxyapp.ir.fold import Fold, unfold
from proxyapp.ir.notes import Notes
from proxyapp.ir.request import Request
from proxyapp.ir.response import Response


class WholeRoad(Protocol):
    """What every road has; all that one without streams needs."""

    body: bytes
    """What to send."""
    translated: bool
    notes: Notes
    glimpse: Glimpse
    """What is known of the answer so far."""
    weight: int | None
    """What the prompt's text was reckoned to be, for the history to learn from; None = not reckoned."""

    def answer(self, raw: bytes) -> bytes:
        """A whole answer for the caller; a stream that came where none was asked for becomes one. Raises UpstreamFault
        when it is an error or unreadable."""
        ...


class Road(WholeRoad, Protocol):
    """One that also carries streams."""

    query: dict[str, str]
    """What the address bears beside the kind's own."""
    has_content: bool
    """Content has come: from here on nothing may be sent again."""
    is_done: bool
    """The answer is complete."""
    error: UpstreamFault | None
    """The stream failed. `feed` and `close` return what came before it; say it with `fail`."""
    found: Found
    """The reasoning proofs before the answer's tool calls, as far as they were seen."""

    def feed(self, chunk: bytes) -> bytes:
        """A piece of the upstream's stream as a piece of the caller's; may be b""."""
        ...

    def close(self) -> bytes:
        """The upstream's bytes have ended; sets `error` when that was too early."""
        ...

    def whole_as_stream(self, raw: bytes) -> bytes:
        """A whole answer where a stream was asked for. Raises as `answer`."""
        ...

    def fail(self, error: GatewayError) -> bytes:
        """The caller's dialect's error event."""
        ...


class PassThrough:
    """Both sides speak the same dialect: frames are relayed as they are, a tap reads along."""

    translated = False
    weight: int | None = None

    def __init__(
        self,
        dialect: Dialect,
        body: Body,
        model: str,
        side: UpstreamSide,
        max_event: int,
        *,
        watch: bool = False,
        rename: bool = False,
    ) -> None:
        """`watch`: note who made the answer's proofs. `rename`: tell the caller the model by the name it asked for."""
        self.body = dialect.patch(body, model, side)
        self.query = side.query
        self.notes = side.notes
        self.has_content = self.is_done = False
        self.error: UpstreamFault | None = None
        self.found: Found = {}
        self._watch = watch
        self._dialect = dialect
        self._side = side
        self._asked = body
        self._frames = FrameReader(max_event)
        self._tap = dialect.tap(body)
        self._named = str(body.get("model") or model)
        wanted = rename and self._named != model
        self._renaming = dialect if wanted and isinstance(dialect, Renaming) else None
        self.glimpse = self._tap.glimpse
        self._client = ClientSide(sealer=side.sealer, new_id=side.new_id, now=side.now)
        self._request = Request(client_dialect=dialect.name, model=model, stream=True, include_usage=True)

    def answer(self, raw: bytes) -> bytes:
        if _is_stream(raw):
            return self._folded(raw)
        glimpse = self._dialect.glimpse(raw)
        if glimpse.error is not None:
            raise glimpse.error
        self.glimpse = glimpse
        self._note(raw)
        return raw if self._renaming is None else self._renaming.renamed(raw, self._named)

    def _folded(self, raw: bytes) -> bytes:
        response = folded([raw], self._dialect.decoder(self._side), self._frames)
        self._note(raw)
        self.glimpse = _glimpse_of(response)
        if self._renaming is not None:
            response.model = self._named
        return jsonio.encode(self._dialect.render_response(response, self._as_asked(), self._client))

    def feed(self, chunk: bytes) -> bytes:
        return self._relay(self._frames.feed(chunk))

    def close(self) -> bytes:
        whole = [frame for frame in self._frames.close() if _is_whole(frame)]
        out = self._relay([frame._replace(raw=frame.raw.rstrip(b"\r\n") + b"\n\n") for frame in whole])
        if self._tap.glimpse.finish is not None:
            self.is_done = True  # a missing end mark (`[DONE]`) after a finish reason loses nothing
        if not self.is_done and self.error is None:
            self.error = UpstreamBroken("The upstream's stream ended before the answer was complete.")
        return out

    def _relay(self, frames: list[Frame]) -> bytes:
        tap, kept = self._tap, []
        for frame in frames:
            if self.error is not None or tap.is_done:
                break  # nothing follows the end, wherever the bytes were cut
            keep = tap.feed(frame)
            if tap.glimpse.error is not None:
                self.error = tap.glimpse.error
            elif keep:
                kept.append(self._named_raw(frame))
                self._note(frame.raw)
        self.has_content, self.is_done = tap.has_content, tap.is_done
        if self.is_done and not self.has_content and tap.glimpse.finish is None and self.error is None:
            self.error = UpstreamBroken("The upstream's stream ended without an answer.")
        return b"".join(kept)

    def _named_raw(self, frame: Frame) -> bytes:
        """The frame's bytes, with the model's name that the caller asked for where callers look at it."""
        return frame.raw if self._renaming is None else self._renaming.renamed_frame(frame, self._named)

    def _note(self, raw: bytes) -> None:
        if self._watch:
            self.found.update(made_by(raw, self._side.account))

    def whole_as_stream(self, raw: bytes) -> bytes:
        response = _parse(self._dialect, raw, self._side)
        self._note(raw)
        self.glimpse = _glimpse_of(response)
        self.has_content = self.is_done = True
        return _encode_whole(self._dialect, response, self._as_asked(), self._client)

    def _as_asked(self) -> Request:
        """The caller's request: whether it wants usage, or calls functions in the old form, shows in the stream. A
        body that only its upstream understands gets the plain form."""
        try:
            return self._dialect.parse_request(self._asked.whole(), self._client)
        except BadRequest:
            return self._request

    def fail(self, error: GatewayError) -> bytes:
        if isinstance(self._tap, FailingTap):
            return self._tap.fail(error, self._client)
        return self._dialect.encoder(self._request, self._client).fail(error)


class Translation:
    """Client dialect -> IR -> upstream dialect, and back."""

    translated = True

    def __init__(
        self,
        client: tuple[Dialect, ClientSide],
        upstream: tuple[Dialect, UpstreamSide],
        request: Request,
        max_event: int,
        weight: int | None = None,
    ) -> None:
        self.weight = weight
        self._client, self._client_side = client
        self._upstream, self._side = upstream
        self._request = request
        self.notes = self._side.notes
        self.body = jsonio.encode(self._upstream.render_request(request, self._side))
        self.query = self._side.query
        self.glimpse = Glimpse()
        self.has_content = self.is_done = False
        self.error: UpstreamFault | None = None
        self._gatherer = Gatherer()
        self.found = self._gatherer.found
        self._frames = FrameReader(max_event)
        self._decoder = self._upstream.decoder(self._side)
        self._encoder = self._client.encoder(request, self._client_side)

    def answer(self, raw: bytes) -> bytes:
        response = self._read(raw)
        return jsonio.encode(self._client.render_response(response, self._request, self._client_side))

    def feed(self, chunk: bytes) -> bytes:
        out = []
        for frame in self._frames.feed(chunk):
            out.append(self._encode(self._decoder.feed(frame)))
        return b"".join(out)

    def close(self) -> bytes:
        out = [self._encode(self._decoder.feed(frame)) for frame in self._frames.close()]
        if not self.is_done and self.error is None:
            out.append(self._encode(self._decoder.close()))
        return b"".join(out)

    def _encode(self, events: list[ev.Event]) -> bytes:
        out = []
        for event in events:
            kind = type(event)
            if self.is_done or self.error is not None:
                break
            if kind in WATCHED:
                self._gatherer.event(event)
            if kind is ev.Failed:
                self.error = event.error  # type: ignore[union-attr]
                break
            if kind in _CONTENT:
                self.has_content = True
            elif kind in _FACTS:
                _learn(self.glimpse, event)
                self.is_done = kind is ev.Finished
            try:
                out.append(self._encoder.encode(event))
            except UpstreamFault as error:
                self.error, self.is_done = error, False
        return b"".join(out)

    def whole_as_stream(self, raw: bytes) -> bytes:
        response = self._read(raw)
        self.has_content = self.is_done = True
        return _encode_whole(self._client, response, self._request, self._client_side)

    def _read(self, raw: bytes) -> Response:
        if _is_stream(raw):
            response = folded([raw], self._decoder, self._frames)
        else:
            response = _parse(self._upstream, raw, self._side)
        self.glimpse = _glimpse_of(response)
        for part in response.parts:
            self._gatherer.part(part)
        return response

    def fail(self, error: GatewayError) -> bytes:
        return self._encoder.fail(error)


_CONTENT = frozenset(
    {ev.TextDelta, ev.ReasoningDelta, ev.SignatureDelta, ev.ArgumentsDelta, ev.PartEnded, ev.PartStarted}
)
_FACTS = frozenset({ev.Started, ev.UsageGiven, ev.Finished})


_STREAM = re.compile(rb"\s*(?:data|event|id|retry)?:")
"""How a stream of events begins; JSON begins otherwise."""


def _is_stream(raw: bytes) -> bool:
    """By its own first bytes: some servers stream unasked, and not all of those say so in the head."""
    return _STREAM.match(raw.removeprefix(b"\xef\xbb\xbf")) is not None


def folded(pieces: Iterable[bytes], decoder: Decoder, frames: FrameReader) -> Response:
    """A stream as one answer. Raises its own error, UpstreamBroken when it was cut."""
    collected = Fold()

    def add(events: list[ev.Event]) -> None:
        for event in events:
            if not collected.finished and collected.failure is None:
                collected.add(event)

    for piece in pieces:
        for frame in frames.feed(piece):
            add(decoder.feed(frame))
    for frame in frames.close():
        add(decoder.feed(frame))
    add(decoder.close())
    return collected.result()


def _is_whole(frame: Frame) -> bool:
    """Is the last frame of a stream, which had no blank line after it, more than the first half of one? Google tells
    some errors without `data:`, as an object or an array."""
    try:
        return frame.data == b"[DONE]" or isinstance(jsonio.decode(frame.data or frame.raw), dict | list)
    except BodyUnreadable:
        return False


def _parse(dialect: Dialect, raw: bytes, side: UpstreamSide) -> Response:
    try:
        body = jsonio.decode_object(raw)
    except BodyUnreadable as exc:
        raise UpstreamBroken("The upstream's answer is not a JSON object.") from exc
    return dialect.parse_response(body, side)


def _learn(glimpse: Glimpse, event: ev.Event) -> None:
    if isinstance(event, ev.Started):
        glimpse.id, glimpse.model, glimpse.usage = event.id, event.model, event.usage
    elif isinstance(event, ev.UsageGiven):
        glimpse.usage = event.usage
    elif isinstance(event, ev.Finished):
        glimpse.finish = event.finish


def _glimpse_of(response: Response) -> Glimpse:
    return Glimpse(id=response.id, model=response.model, usage=response.usage, finish=response.finish)


def _encode_whole(dialect: Dialect, response: Response, request: Request, side: ClientSide) -> bytes:
    encoder = dialect.encoder(request, side)
    return b"".join(encoder.encode(event) for event in unfold(response))
