"""The model's name in a pass-through answer: the one the caller asked for, whatever the upstream calls it.

Claude Code compares the two (seen with 2.1.197) and leaves the thinking of "another model" out of its next request, on
which a service with thinking by budget answers 400 inside a tool loop. All other bytes of the answer stay as they are.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from proxyapp.dialects import jsonio
from proxyapp.dialects.sse import Frame

_fields = msgspec.json.Decoder(dict[str, Raw])
_FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def renamed(answer: bytes, model: str) -> bytes:
    """A whole answer."""
    try:
        told = _fields.decode(answer).get("model")
    except _FAULTS:
        return answer
    return answer if told is None else _replaced(answer, bytes(told), model)


def renamed_frame(frame: Frame, model: str) -> bytes:
    """A frame of a stream; only `message_start`, which holds no content yet, tells the model."""
    if frame.event not in ("", "message_start") or b"message_start" not in frame.data:
        return frame.raw
    try:
        message = _fields.decode(frame.data).get("message")
        told = _fields.decode(message).get("model") if message is not None else None
    except _FAULTS:
        return frame.raw
    return frame.raw if told is None else _replaced(frame.raw, bytes(told), model)


def _replaced(raw: bytes, told: bytes, model: str) -> bytes:
    """Inside of strings the quotes would be escaped, so that the first match is a key; the service tells the model
    before the content, which alone could hold another."""
    wanted = jsonio.encode(model)
    pattern = rb'("model"\s*:\s*)' + re.escape(told.strip())
    return re.sub(pattern, lambda found: found[1] + wanted, raw, count=1)
