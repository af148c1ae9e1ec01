"""Gateway keys: made, recognised by digest, never kept in the clear. Imports no Django."""

from __future__ import annotations

import hashlib
import secrets

PREFIX = "sk-dg-"
RANDOM_BYTES = 32
"""43 url-safe characters: too many to guess, which is why a fast digest is enough."""
IMPORTED_LEAST = 8
"""Shortest key of another system that may be taken over."""
SHOWN = 12
"""Characters of a key that the console shows."""


def make_key() -> str:
    """A fresh key. The caller shows it once and keeps only its digest."""
    return PREFIX + secrets.token_urlsafe(RANDOM_BYTES)


def digest(key: str) -> str:
    """SHA-256 in hex: how a key is stored and looked up."""
    return hashlib.sha256(key.encode("utf-8")).hexdigest()


def shown_prefix(key: str) -> str:
    """The part that may be shown: at most 12 characters, and never more than a third of a short imported key."""
    return key[: min(SHOWN, max(2, len(key) // 3))]


def problem_with(key: str) -> str:
    """Why a value cannot be a key, as a sentence without the value; "" when it can."""
    if len(key) < IMPORTED_LEAST:
        return f"A key must have at least {IMPORTED_LEAST} characters."
    if not key.isascii() or not key.isprintable() or " " in key:
        return "A key may hold printable ASCII characters only, without spaces: it travels in an HTTP header."
    return ""
