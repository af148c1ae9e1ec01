"""Server-sent events: bytes to frames and back. Knows framing, not meaning.

Takes what the standard allows and what servers really send: LF, CRLF and CR line ends, a byte order mark, no space
after the colon, data over several lines, comments, a missing last blank line. Cutting the bytes anywhere changes
nothing; text is decoded per frame, never per network chunk.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from proxyapp.errors import UpstreamBroken

_BOUNDARY = re.compile(rb"\r\n\r\n|\n\n|\r\r|\r\n\n|\n\r\n")
_LINE = re.compile(rb"\r\n|\n|\r")


class Frame(NamedTuple):
    """One event. `raw` is the frame's own bytes with its blank line, for relaying."""

    event: str
    """The `event:` word; "" when there was none."""
    data: bytes
    """The `data:` lines joined with LF; b"" for a comment or an empty frame."""
    raw: bytes


class FrameReader:
    """Feed network chunks, get whole frames. `max_bytes` bounds a single frame (UpstreamBroken beyond it)."""

    def __init__(self, max_bytes: int = 16 * 1024 * 1024) -> None:
        self._rest = b""
        self._max_bytes = max_bytes
        self._at_start = True
        self._searched = 0

    def feed(self, chunk: bytes) -> list[Frame]:
        """Whole frames that this chunk completes. Raises UpstreamBroken when a frame grows over the bound."""
        data = self._rest + chunk if self._rest else chunk
        if self._at_start and data:
            if b"\xef\xbb\xbf".startswith(data[:3]) and len(data) < 3:
                self._rest = data
                return []
            self._at_start = False
            data = data.removeprefix(b"\xef\xbb\xbf")
        frames = self._split_plain(data) if b"\r" not in data else self._split(data)
        if len(self._rest) > self._max_bytes:
            raise UpstreamBroken(f"The upstream sent a single event of over {self._max_bytes} bytes.")
        return frames

    def close(self) -> list[Frame]:
        """The last frame, when the stream ended without its blank line."""
        rest, self._rest = self._rest, b""
        if not rest.strip():
            return []
        return [parse_frame(rest)]

    def _split_plain(self, data: bytes) -> list[Frame]:
        self._searched = 0
        pieces = data.split(b"\n\n")
        self._rest = pieces.pop()
        return [parse_frame(piece + b"\n\n") for piece in pieces]

    def _split(self, data: bytes) -> list[Frame]:
        frames = []
        start = 0
        search = max(0, self._searched - 3)
        while match := _BOUNDARY.search(data, search):
            if match.end() == len(data) and match.group() == b"\r\r":
                break  # the next byte may be an LF that belongs to it
            frames.append(parse_frame(data[start : match.end()]))
            start = search = match.end()
        self._rest = data[start:]
        self._searched = len(self._rest)
        return frames


def parse_frame(raw: bytes) -> Frame:
    """One frame's bytes as a Frame."""
    if raw.startswith(b"data: ") and raw.endswith(b"\n\n") and raw.count(b"\n") == 2 and b"\r" not in raw:
        return Frame("", raw[6:-2], raw)
    if raw.startswith(b"event: ") and raw.endswith(b"\n\n") and raw.count(b"\n") == 3 and b"\r" not in raw:
        head, found, rest = raw.partition(b"\ndata: ")
        if found:
            return Frame(head[7:].decode("utf-8", "replace"), rest[:-2], raw)
    event, data = "", []
    for line in _LINE.split(raw):
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            data.append(value)
        elif name == b"event":
            event = value.decode("utf-8", "replace")
    return Frame(event, b"\n".join(data), raw)


def data_frame(data: bytes) -> bytes:
    """An unnamed event."""
    return b"data: " + data + b"\n\n"


def named_frame(event: bytes, data: bytes) -> bytes:
    """An event with its name line."""
    return b"event: " + event + b"\ndata: " + data + b"\n\n"
