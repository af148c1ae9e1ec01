"""A stream's text as the whole answer it tells, read the plain way: dicts and string joins, none of our own code."""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]


class Cut(AssertionError):
    """The stream has no proper end, or ends in an error."""


def frames(raw: bytes) -> list[tuple[str, str]]:
    """(event word, data) of every event that holds data. Line ends are LF, with Gemini CRLF."""
    found = []
    for piece in raw.decode().replace("\r\n", "\n").split("\n\n"):
        lines = [line for line in piece.split("\n") if line]
        name = "".join(line[7:] for line in lines if line.startswith("event: "))
        data = "\n".join(line[6:] for line in lines if line.startswith("data: "))
        if data:
            found.append((name, data))
    return found


def payloads(raw: bytes) -> list[Json]:
    return [json.loads(data) for _, data in frames(raw) if data != "[DONE]"]
