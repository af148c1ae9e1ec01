"""The two ends of the engine: a Call goes in, a Reply comes out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Protocol

from msgspec import Struct, field

from proxyapp.dialects.contract import Dialect, Peek


class Call(Struct, kw_only=True):
    """One inference request as HTTP brought it."""

    dialect: Dialect
    """The caller's."""
    request_id: str
    """Ours: 32 hex digits, time-ordered (see `identity.new_request_id`)."""
    headers: Mapping[str, str]
    """Names in lower case."""
    read_body: Callable[[], Awaitable[bytes]]
    """Reads the body, bounded. Raises BodyTooLarge, or ClientGone when the caller hangs up."""
    query_key: str | None = None
    """The value of `?key=`."""
    address: str = ""
    """The caller's IP address, behind trusted proxies the forwarded one."""
    path: str = ""
    asked: Peek | None = None
    """Model and stream switch where the address tells them (Gemini); else the body is asked."""


class Stream(Protocol):
    """A reply's bytes while they are made. `close` must be called exactly once, also when nothing was read."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    def close(self) -> None:
        """Hangs up on the upstream at once if the answer is not complete. Synchronous, raises nothing."""
        ...


class Reply(Struct, kw_only=True):
    """What goes back to the caller."""

    status: int
    body: bytes | Stream
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


class ClientGone(Exception):
    """The caller hung up before its request was complete."""


class AnswerCut(Exception):
    """An answer that has begun cannot be completed and has no words for that: the connection is to be cut."""
