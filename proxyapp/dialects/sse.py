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
_MARK = b"\xef\xbb\xbf"
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
        self._rest = bytearray()
        """The beginning of a frame that is not complete yet; grows in place, so that small pieces stay cheap."""
        self._searched = 0
        """How much of it was looked through for a blank line."""
        self._max_bytes = max_bytes
        self._at_start = True

    def feed(self, chunk: bytes) -> list[Frame]:
        """Whole frames that this chunk completes. Raises UpstreamBroken when a frame grows over the bound."""
        if self._at_start:
            chunk = self._without_mark(chunk)
        if not self._rest and b"\r" not in chunk:
            frames = self._split_plain(chunk)
        else:
            self._rest += chunk
            frames = self._split()
        if len(self._rest) > self._max_bytes:
            raise UpstreamBroken(f"The upstream sent a single event of over {self._max_bytes} bytes.")
        return frames

    def close(self) -> list[Frame]:
        """The last frame, when the stream ended without its blank line."""
        rest, self._rest, self._searched = bytes(self._rest), bytearray(), 0
        if not rest.strip():
            return []
        return [parse_frame(rest)]

    def _without_mark(self, chunk: bytes) -> bytes:
        """The stream's first bytes without a byte order mark; b"" while it is not clear whether it is one."""
        data = bytes(self._rest) + chunk
        self._rest.clear()
        if len(data) < len(_MARK) and _MARK.startswith(data):
            self._rest += data
            return b""
        self._at_start = False
        return data.removeprefix(_MARK)

    def _split_plain(self, chunk: bytes) -> list[Frame]:
        """The usual case: nothing left over, plain line ends."""
        pieces = chunk.split(b"\n\n")
        self._rest += pieces.pop()
        self._searched = len(self._rest)
        return [parse_frame(piece + b"\n\n") for piece in pieces]

    def _split(self) -> list[Frame]:
        frames: list[Frame] = []
        data = self._rest
        start, search = 0, max(0, self._searched - 3)
        while match := _BOUNDARY.search(data, search):
            if match.end() == len(data) and match.group() == b"\r\r":
                break  # the next byte may be an LF that belongs to it
            frames.append(parse_frame(bytes(data[start : match.end()])))
            start = search = match.end()
        del match  # it holds on to the buffer, which could then not shrink
        del data[:start]
        self._searched = len(data)
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
