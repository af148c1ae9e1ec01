"""What one exchange leaves behind: the two records a worker writes to its journal file.

`Begun` goes out at admission, `Ended` before the answer's last byte. Both are already redacted. The history writer
turns them into rows; a `Begun` with no `Ended` in a dead worker's file becomes a row `interrupted`.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field


class AttemptRecord(Struct, kw_only=True, array_like=True):
    """One try at one target."""

    upstream: str
    key: str = ""
    """Name of the credential, never its value."""
    model: str = ""
    status: int | None = None
    """HTTP status of the upstream; None = no answer."""
    error: str = ""
    """Our error code, "" when it went well."""
    message: str = ""
    ms: float = 0.0
    proxy: str = ""
    """Name or address of the proxy used, without its password."""


class Content(Struct, kw_only=True, array_like=True):
    """The bodies of one exchange, redacted and capped; None = not kept, or the same as the layer before."""

    client_request: bytes | None = None
    upstream_request: bytes | None = None
    """None on the pass-through road, where it differs by the model name alone."""
    upstream_answer: bytes | None = None
    """As it came, stream frames included."""
    client_answer: bytes | None = None
    """None on the pass-through road."""
    truncated: bool = False
    """True when a layer was cut at the cap."""


class Begun(Struct, kw_only=True, array_like=True, tag="b"):
    """An exchange was admitted."""

    request_id: str
    """Ours: 32 hex digits, time-ordered."""
    started: float
    """Unix seconds."""
    client_id: int | None = None
    client: str = ""
    key_id: int | None = None
    key: str = ""
    dialect: str = ""
    model: str = ""
    """As asked for."""
    stream: bool = False
    caller_request_id: str = ""
    path: str = ""
    address: str = ""
    """The caller's IP address."""
    user_agent: str = ""
    session: str = ""
    """The coding agent's session header, when one was sent."""


class Ended(Struct, kw_only=True, array_like=True, tag="e"):
    """An exchange is over. Repeats what identifies it, so that one record is enough for a row."""

    begun: Begun
    outcome: str = "ok"
    """ok | error | partial | client_closed (interrupted is the writer's)."""
    status: int = 0
    """HTTP status given to the caller."""
    error: str = ""
    """Our error code."""
    message: str = ""
    upstream: str = ""
    upstream_model: str = ""
    upstream_request_id: str = ""
    finish: str = ""
    duration_ms: float = 0.0
    first_byte_ms: float | None = None
    """From admission to the first content byte given to the caller."""
    overhead_ms: float | None = None
    """Time in the gateway itself: total less the time spent waiting for upstreams."""
    fresh_input: int | None = None
    cache_read: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    output: int | None = None
    reasoning: int | None = None
    usage_estimated: bool = False
    attempts: list[AttemptRecord] = field(default_factory=list)
    notes: list[tuple[str, str, bool]] = field(default_factory=list)
    """(path, sentence, dropped) of each loss."""
    content: Content | None = None
    proxy: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


Record = Begun | Ended
