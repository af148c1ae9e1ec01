"""What an upstream kind is: dialect, URL, headers and what its models can do. Pure: no I/O, no clock."""

from __future__ import annotations

import functools
from collections.abc import Generator, Mapping
from typing import Protocol, runtime_checkable

from msgspec import Struct, field

from proxyapp.ir.profile import Profile


class Timeouts(Struct, frozen=True):
    """Seconds."""

    connect: float = 10.0
    first_byte: float = 300.0
    idle: float = 300.0
    total: float = 3600.0


class Credential(Struct, frozen=True):
    """One key of an upstream, decrypted. Never logged, never in an exception."""

    name: str
    secret: str
    weight: int = 1
    subject: str = ""
    """What its health goes by: `key:12`, `token:3`; "" = none is kept (a caller's own, the demo's)."""
    pool: str = ""
    """The proxy pool it goes out through; "" = the model's or the upstream's."""
    expires: float | None = None
    """Unix seconds, of access tokens."""
    verbatim: bool = False
    """The secret is a whole `Authorization` of a caller, scheme included, and goes out as it came."""

    @property
    def is_token(self) -> bool:
        """An OAuth token; static keys come before them."""
        return self.subject.startswith("token:")

    def __repr__(self) -> str:
        return f"Credential({self.name!r})"


class Proxy(Struct, frozen=True):
    """One way out, decrypted. Never logged, never in an exception."""

    name: str
    url: str
    """With its name and password."""
    subject: str = ""
    """What its health goes by: `proxy:7`."""

    def __repr__(self) -> str:
        return f"Proxy({self.name!r})"


class ProxyPool(Struct, frozen=True, kw_only=True):
    """Ways out that stand in for each other."""

    name: str
    proxies: tuple[Proxy, ...] = ()
    """In their order."""
    strategy: str = "round_robin"
    """round_robin | random | least_used"""
    on_exhausted: str = "direct"
    """direct | fail: when none of them can be connected to."""
    sticky: bool = False
    """A caller's conversation keeps its proxy while that one works."""
    cooldown: float = 30.0
    """Seconds without a proxy that failed."""
    check_url: str = ""
    """What a check asks for through each proxy; "" = the upstreams that use the pool."""


class Upstream(Struct, frozen=True, kw_only=True):
    """One configured server."""

    name: str
    kind: str
    """openai | openai_compatible | anthropic | demo | ..."""
    api: str | None = None
    """Which dialect it speaks where a kind has several: chat | messages | ...; None = the kind's own."""
    base_url: str | None = None
    """None = the kind's own."""
    credentials: tuple[Credential, ...] = ()
    """Static keys."""
    tokens: tuple[Credential, ...] = ()
    """OAuth access tokens, for want of static keys."""
    token_trouble: str = ""
    """Why one of its tokens may be missing or expired: a sentence for callers, which names no account."""
    allow_caller_keys: bool = False
    proxy_pool: str = ""
    """Name of the pool that it is reached through; "" = directly."""
    timeouts: Timeouts = Timeouts()
    headers: Mapping[str, str] = field(default_factory=dict)
    """Added to every request."""
    system_prompt: str = ""
    retries: int = 2
    api_version: str | None = None

    def __repr__(self) -> str:
        return f"Upstream({self.name!r}, {self.kind!r})"


class Outbound(Struct, frozen=True):
    """One HTTP request to an upstream, ready to send."""

    method: str
    url: str
    headers: Mapping[str, str]
    """Lower-case names. Holds the credential: never log it."""
    body: bytes


class Sending(Struct, frozen=True, kw_only=True):
    """What a request is, as far as a kind's headers and envelope may depend on it. The same for all attempts at one
    target."""

    dialect: str = ""
    """As `Kind.dialect` said; the caller's own where the endpoint has no dialect to choose."""
    model: str = ""
    """The upstream's name of it."""
    profile: Profile = Profile()
    """With the operator's overrides."""
    stream: bool = False
    """The answer is asked for as a stream."""
    caller: Mapping[str, str] = field(default_factory=dict)
    """The caller's headers that may be passed on, lower case: those that belong to a dialect only where the body goes
    out in it as it came, those that name the conversation always. `anthropic-beta` as the operator's reasoning level
    has it. See `engine.prepare`."""
    request_id: str = ""
    """Ours. Ids that must be the same in every attempt can be derived from it."""


class Pause(Struct, frozen=True):
    """Wait before the next request."""

    seconds: float


class Abandoned(Exception):
    """Thrown into `steps` when nobody waits for the answer any more. It may yield one last Outbound, to call the work
    off; what comes back is not looked at."""


Steps = Generator[Outbound | Pause, bytes, bytes]
"""Yields what to send or how long to wait, is sent what came back (b"" after a pause), or has the UpstreamFault thrown
in that came instead, and returns the whole answer."""


class Kind(Protocol):
    """One kind of server. Stateless; one object serves all upstreams of the kind.

    Adding one: a file here, a line in `registry.py`, a fixture, a row in `docs/upstreams.md`.
    """

    name: str

    def __hash__(self) -> int: ...

    def dialect(self, upstream: Upstream, model: str, caller: str) -> str:
        """The name of the dialect to speak with this upstream (see `dialects.registry`) about `model` for a caller who
        speaks `caller`: one that has several takes the caller's own where neither `upstream.api` nor the model settles
        it. Where the operator has set `api` in a model's profile, that is what `upstream.api` holds for it."""
        ...

    def url(self, upstream: Upstream, model: str, *, dialect: str, stream: bool) -> str:
        """Where an inference request in `dialect` goes. `upstream.base_url` is as the operator wrote it."""
        ...

    def operation_url(self, upstream: Upstream, model: str, operation: str) -> str | None:
        """Where an operation beside inference goes, None when servers of this kind do not offer it. `operation` is
        what its maker calls it: the path after the version (`embeddings`, `messages/count_tokens`,
        `images/generations`) or Gemini's verb (`countTokens`, `embedContent`)."""
        ...

    def headers(self, upstream: Upstream, secret: str | None, sending: Sending) -> dict[str, str]:
        """Request headers with the credential in the kind's own form, lower case."""
        ...

    def profile(self, upstream: Upstream, model: str) -> Profile:
        """What `model` can do there, before the operator's overrides."""
        ...


@runtime_checkable
class Enclosing(Protocol):
    """A kind whose servers want more around a request than the dialect has."""

    def enclosed(self, upstream: Upstream, sending: Sending, body: bytes) -> bytes:
        """The body as it goes out. `body` is a JSON object in `sending.dialect`."""
        ...


@runtime_checkable
class Stepwise(Protocol):
    """A kind whose answers are work of its own: whole ones take several requests, and what nobody waits for any more is
    called off by another."""

    def steps(self, upstream: Upstream, outbound: Outbound, answer: bytes) -> Steps:
        """What is left to be asked after `outbound` was answered with JSON (also where a stream was asked for)."""
        ...

    def call_off(self, upstream: Upstream, outbound: Outbound, head: bytes, tail: bytes) -> Outbound | None:
        """What to send when nobody reads the stream any more that `outbound` was answered with. `head` and `tail` are
        its first and its last bytes so far. None: it is over, or there is nothing to call off."""
        ...


@functools.cache
def enclosing(kind: Kind) -> Enclosing | None:
    """The kind as one of those, None when it is none. Kept: the question itself costs more than most answers."""
    return kind if isinstance(kind, Enclosing) else None


@functools.cache
def stepwise(kind: Kind) -> Stepwise | None:
    """The same for this one."""
    return kind if isinstance(kind, Stepwise) else None
