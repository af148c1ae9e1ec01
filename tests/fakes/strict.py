"""What the strict upstreams share: refusing, small checks of JSON, and a stream's pieces."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Any

from tests.fakes.mind import Answer
from tests.fakes.upstream import Script, answer_sse

URL = re.compile(r"https?://\S+")
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class Refused(Exception):
    """This upstream does not take the request."""

    def __init__(self, message: str, status: int = 400, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.details = details


def require(condition: object, message: str) -> None:
    if not condition:
        raise Refused(message)


def only(value: Any, allowed: Iterable[str], path: str) -> dict[str, Any]:
    """`value` as an object without other keys than `allowed`."""
    require(isinstance(value, dict), f"{path}: Input should be an object")
    for key in value:
        require(key in set(allowed), f"{path}.{key}: Extra inputs are not permitted".removeprefix("."))
    return value


def text(value: Any, path: str) -> str:
    require(isinstance(value, str), f"{path}: Input should be a string")
    return value


def listing(value: Any, path: str) -> list[Any]:
    require(isinstance(value, list) and value, f"{path}: Input should be a list of at least one")
    return value


def base64_bytes(value: Any, path: str) -> bytes:
    try:
        return base64.b64decode(text(value, path), validate=True)
    except binascii.Error:
        raise Refused(f"{path}: not base64") from None


def as_stream(frames: Iterable[bytes], answer: Answer) -> Script:
    """The frames in pieces that end inside words, characters and frames; a bad end comes a moment later."""
    *most, last = frames
    if answer.ends == "error":
        return answer_sse([b"".join(most), last], pause=0.05)
    if answer.ends == "cut":
        return answer_sse([b"".join([*most, last]), b": cut\n\n"], pause=0.05, end="cut")
    data, pieces, at = b"".join([*most, last]), [], 0
    for size in _sizes(len(data)):
        pieces.append(data[at : at + size])
        at += size
    return answer_sse(pieces)


def _sizes(total: int) -> Iterable[int]:
    sizes, used, turn = (61, 7, 223, 13, 1, 509), 0, 0
    while used < total:
        yield sizes[turn % len(sizes)]
        used += sizes[turn % len(sizes)]
        turn += 1


def fragments(words: str) -> list[str]:
    """Tool arguments as they are streamed: in uneven pieces, the first one empty."""
    return ["", words[:3], words[3:10], words[10:]] if len(words) > 10 else ["", words]
