"""Events of a stream as bytes: named, numbered from 0 without a gap."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.sse import named_frame


class Frames:
    """Writes the events of one stream."""

    def __init__(self, first: int = 0) -> None:
        self._next = first

    def event(self, kind: str, **fields: Any) -> bytes:
        """One event."""
        body = {"type": kind, **fields, "sequence_number": self._next}
        self._next += 1
        return named_frame(kind.encode(), jsonio.encode(body))

    def delta(self, head: bytes, text: str, tail: bytes) -> bytes:
        """One piece of text; what surrounds it was made once by `around`."""
        number = self._next
        self._next += 1
        return head + jsonio.encode(text) + tail + b"%d}\n\n" % number


def around(kind: str, place: dict[str, Any], rest: dict[str, Any] | None = None) -> tuple[bytes, bytes]:
    """What stands before and after the text of a delta event. `rest` comes after it."""
    head = jsonio.encode({"type": kind, **place})[:-1]
    tail = b"," + jsonio.encode(rest)[1:-1] if rest else b""
    return (
        b"event: " + kind.encode() + b"\ndata: " + head + b',"delta":',
        tail + b',"sequence_number":',
    )
