"""What a dialect is: the one interface that `openai_chat`, `anthropic` and their siblings fill in.

Words: **parse** = their JSON to our IR; **render** = our IR to their JSON; **decode/encode** = the same for streams.
"Client side" methods serve callers who speak the dialect, "upstream side" methods upstreams that do.
All of it is synchronous, without I/O, clock or randomness (those come in as arguments).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import msgspec
from msgspec import Struct, field

from proxyapp.dialects.signatures import Sealer
from proxyapp.dialects.sse import Frame
from proxyapp.errors import GatewayError, Unsupported, UpstreamFault
from proxyapp.ir.embeddings import EmbeddingRequest, EmbeddingResponse
from proxyapp.ir.events import Event
from proxyapp.ir.notes import Notes
from proxyapp.ir.profile import Profile as Profile
from proxyapp.ir.request import ReasoningSettings, Request
from proxyapp.ir.response import Finish, Response
from proxyapp.ir.usage import Usage


class Body:
    """A caller's JSON body, read only as deep as needed. `top` holds the top-level values as raw JSON."""

    def __init__(self, raw: bytes) -> None:
        """Raises BodyUnreadable when `raw` is not a JSON object."""
        from proxyapp.dialects import jsonio

        self.raw = raw
        self.top: dict[str, msgspec.Raw] = jsonio.decode_top(raw)
        self._whole: dict[str, Any] | None = None

    def get(self, name: str) -> Any:
        """One top-level value, decoded; None when absent. Raises BodyUnreadable when it is not valid JSON."""
        from proxyapp.dialects import jsonio

        value = self.top.get(name)
        return None if value is None else jsonio.decode(value)

    def whole(self) -> dict[str, Any]:
        """Everything, decoded once. Treat as read-only. Raises BodyUnreadable."""
        from proxyapp.dialects import jsonio

        if self._whole is None:
            self._whole = jsonio.decode_object(self.raw)
        return self._whole


class Peek(Struct, frozen=True):
    """What routing needs to know before anything is translated."""

    model: str
    stream: bool


class ClientSide(Struct, kw_only=True):
    """What a dialect may use while it serves a caller."""

    sealer: Sealer
    notes: Notes = field(default_factory=Notes)
    new_id: Callable[[], str] = lambda: "0" * 24
    """24 random characters [A-Za-z0-9]; the dialect puts its own prefix before them."""
    now: int = 0
    """Unix seconds."""
    show_reasoning: bool = True
    """Chat callers: reasoning text is given as `reasoning_content`."""
    estimate_input: int | None = None
    """A local estimate of the prompt's tokens, for fields that must hold a number before the upstream says one."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The caller's request headers, lower case (`anthropic-version`, `anthropic-beta`, ...)."""
    asked: Peek | None = None
    """Model and stream switch where the address tells them and not the body (Gemini)."""


class UpstreamSide(Struct, kw_only=True):
    """What a dialect may use and fill while it talks to one upstream model; lives for one attempt."""

    profile: Profile
    sealer: Sealer
    notes: Notes = field(default_factory=Notes)
    system_prompt: str = ""
    """The operator's own, put before the caller's; empty = none. On the translation road the engine puts it into the
    request, on the pass-through road `patch` does."""
    max_output: int | None = None
    """The operator's cap on output tokens; `patch` holds a pass-through body to it."""
    level: ReasoningSettings | None = None
    """The operator's reasoning level, in place of all that the caller said of thinking; None = as the caller says. On
    the translation road the engine puts it into the request, on the pass-through road `patch` does."""
    lenient: bool = False
    """The model's switch: what would be refused is dropped with a Note instead."""
    account: str = ""
    """A stable word for the upstream account; reasoning proofs are bound to it."""
    model: str = ""
    """The upstream's name of the model."""
    new_id: Callable[[], str] = lambda: "0" * 24
    now: int = 0
    wire_names: dict[str, str] = field(default_factory=dict)
    """Tool names: as sent -> as the caller wrote them. Filled by render_request, read by parse_response and decoder."""
    wrapped_tools: set[str] = field(default_factory=set)
    """Caller's names of custom (free text) tools that were sent as functions with one `input` string."""
    answer_tool: str | None = None
    """Wire name of the tool whose input *is* the answer (structured output by a forced tool)."""
    caller: str = ""
    """Name of the client who asks, for upstreams that keep their users apart (Coze)."""
    without_proofs: bool = False
    """The upstream could not read the reasoning proofs of this body: `patch` leaves them out."""
    query: dict[str, str] = field(default_factory=dict)
    """Filled by render_request where a part of the request travels in the address (Coze's `conversation_id`)."""

    def drop(self, path: str, sentence: str, *, dropped: bool = True, ours: bool = False) -> None:
        """Loss policy `W`: say so and go on. `ours`: it is the operator's settings that could not be followed, or that
        changed the request; of the caller's words nothing was lost for want of a counterpart."""
        self.notes.add(path, sentence, dropped=dropped, ours=ours)

    def refuse(self, path: str, sentence: str) -> None:
        """Loss policy `E*`: raises Unsupported, or with the lenient switch drops the field with a Note."""
        if not self.lenient:
            raise Unsupported(sentence, param=path)
        self.notes.add(path, sentence)


class Decoder(Protocol):
    """Upstream stream -> events. One object a stream; synchronous; obeys the grammar of `ir/events.py`.

    Never raises for anything an upstream may send: it yields `Failed` (UpstreamRefused for an error the upstream
    reports, UpstreamBroken for frames that cannot be read) and ignores what comes after.
    """

    def feed(self, frame: Frame) -> list[Event]: ...

    def close(self) -> list[Event]:
        """Called exactly once when the bytes end (also after a cut). A stream without its proper end yields
        `Failed(UpstreamBroken)`; one that has ended properly yields what was held back, or nothing."""
        ...


class Encoder(Protocol):
    """Events -> the bytes of the caller's stream. One object a stream. Each call returns whole frames, or b""."""

    def encode(self, event: Event) -> bytes:
        """Raises UpstreamBroken for a `Finished` that is no answer: a plain end would be a false one."""
        ...

    def fail(self, error: GatewayError) -> bytes:
        """The dialect's own error event, as the last bytes of a stream that has begun (or not yet)."""
        ...


class Glimpse(Struct, kw_only=True):
    """What a pass-through answer tells the books."""

    id: str | None = None
    model: str | None = None
    usage: Usage | None = None
    finish: Finish | None = None
    error: UpstreamFault | None = None
    """An error inside a 200."""


class Tap(Protocol):
    """Reads along a pass-through stream. Its own failures must not reach the caller: it raises nothing."""

    glimpse: Glimpse
    has_content: bool
    """True once real content went by (text, reasoning, a tool call): from here on nothing may be retried."""
    is_done: bool
    """True once the stream's proper end was seen; False at EOF means that it was cut."""

    def feed(self, frame: Frame) -> bool:
        """Look at one frame; False = do not relay it (a usage chunk that only the gateway asked for)."""
        ...


@runtime_checkable
class FailingTap(Protocol):
    """A tap of a dialect that numbers its events: its error event goes on from what was relayed."""

    def fail(self, error: GatewayError, side: ClientSide) -> bytes:
        """The last bytes of the stream."""
        ...


class Dialect(Protocol):
    """One language, both roles. Stateless: one object serves all requests."""

    name: str
    """`openai-chat`, `anthropic-messages`, ... as in the corpus."""
    keepalive: bytes
    """A frame that keeps a silent stream open: a ping event or a comment line."""

    # --- both
    def peek(self, body: Body) -> Peek:
        """Model and stream switch. Raises BadRequest (in words) when either is missing or of a wrong type. Not asked
        where the address has told them (`Call.asked`)."""
        ...

    # --- client side
    def parse_request(self, body: dict[str, Any], side: ClientSide) -> Request:
        """The caller's body as IR. Lenient in what it takes; raises BadRequest naming the malformed field."""
        ...

    def render_response(self, response: Response, request: Request, side: ClientSide) -> dict[str, Any]: ...

    def encoder(self, request: Request, side: ClientSide) -> Encoder: ...

    def render_error(self, error: GatewayError, request_id: str) -> tuple[int, dict[str, Any]]:
        """Status and body of an error answer. An UpstreamRefused of the same dialect keeps its own body's words."""
        ...

    # --- upstream side
    def render_request(self, request: Request, side: UpstreamSide) -> dict[str, Any]:
        """IR as the upstream's body, with `model` = side.model and `stream` as asked. Deterministic: the same history
        gives the same bytes. Losses go to side.notes; raises Unsupported for what may not be lost."""
        ...

    def parse_response(self, body: dict[str, Any], side: UpstreamSide) -> Response:
        """Raises UpstreamRefused for an error inside a 200, UpstreamBroken for anything that is no answer."""
        ...

    def decoder(self, side: UpstreamSide) -> Decoder: ...

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFault:
        """An HTTP answer >= 400 as an error (UpstreamRefused with message, kind, upstream_code, retry_after, details,
        dialect and body; never raises). HTML and other non-JSON: status kept if 5xx, else UpstreamBroken (502)."""
        ...

    # --- pass-through
    def patch(self, body: Body, model: str, side: UpstreamSide) -> bytes:
        """The caller's own body with the upstream's model name in place and what the gateway must add or take away
        (Chat: `include_usage`; Anthropic: our own sealed signatures). Every other byte of a value stays as it is."""
        ...

    def tap(self, body: Body) -> Tap: ...

    def glimpse(self, answer: bytes) -> Glimpse:
        """Reads a whole pass-through answer; raises nothing. `error` is set when a 200 holds an error or no answer."""
        ...


@runtime_checkable
class Renaming(Protocol):
    """A dialect that has callers who compare the model's name in the answer with the one they asked for."""

    def renamed(self, answer: bytes, model: str) -> bytes:
        """A whole pass-through answer that names `model`; as it is when it does already, or cannot be read."""
        ...

    def renamed_frame(self, frame: Frame, model: str) -> bytes:
        """The same for a frame of a stream: its bytes."""
        ...


class Counting(Protocol):
    """Counting the tokens of a prompt, for dialects that have an endpoint for it. Bodies are dicts whose values may be
    raw JSON; what they do not touch keeps its bytes."""

    operation: str
    """What a `Kind` is asked for: `messages/count_tokens`."""

    # --- client side
    def generation(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A caller's counting body as the body of a generation with the same prompt."""
        ...

    def answer(self, tokens: int) -> dict[str, Any]: ...

    # --- upstream side
    def question(self, body: Mapping[str, Any], model: str) -> dict[str, Any]:
        """The body of a generation, in this dialect, as what the upstream's counter takes."""
        ...

    def tokens(self, answer: dict[str, Any]) -> int:
        """The count. Raises UpstreamBroken when there is none."""
        ...


class Embedding(Protocol):
    """Embeddings in one language, both roles. Errors are said by the dialect it is registered under."""

    most: int
    """The most inputs of one request to an upstream; more go out in several."""
    operation: str
    """What a `Kind` is asked for when the request was translated."""

    def asked(self, body: Body) -> str:
        """The same for a body that goes through."""
        ...

    # --- client side
    def parse_request(self, body: dict[str, Any], model: str) -> EmbeddingRequest:
        """Raises BadRequest naming the malformed field."""
        ...

    def render_response(self, response: EmbeddingResponse, request: EmbeddingRequest) -> dict[str, Any]:
        """Raises ValueError for a vector that is none."""
        ...

    # --- upstream side
    def render_request(self, request: EmbeddingRequest, side: UpstreamSide) -> dict[str, Any]:
        """Losses go to side.notes; raises Unsupported for what may not be lost."""
        ...

    def parse_response(self, raw: bytes, count: int) -> EmbeddingResponse:
        """Raises UpstreamRefused for an error inside a 200, UpstreamBroken for what else is not `count` vectors."""
        ...

    # --- pass-through
    def patch(self, body: Body, model: str) -> bytes: ...

    def usage(self, raw: bytes) -> Usage | None:
        """What the answer tells of its usage. Raises as `parse_response`."""
        ...

    def relay(self, raw: bytes, body: Body, tokens: int | None) -> bytes:
        """The upstream's answer for a caller of the same language; `tokens` is put in where it told no usage."""
        ...
