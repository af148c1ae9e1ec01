"""Names for requests: ids that sort by time and need no coordination."""

from __future__ import annotations

import os
import secrets
import string
import time

_ALPHABET = string.ascii_letters + string.digits


def new_request_id(now: float | None = None) -> str:
    """32 hex digits: 12 of milliseconds since 1970, 20 random. Sorts by time."""
    milliseconds = int((time.time() if now is None else now) * 1000)
    return f"{milliseconds:012x}{os.urandom(10).hex()}"


def new_id() -> str:
    """24 random letters and digits, for ids in answers."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(24))
