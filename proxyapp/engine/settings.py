"""What the engine must know of the server's settings, as one frozen value; it never reads settings itself."""

from __future__ import annotations

from msgspec import Struct


class EngineSettings(Struct, frozen=True, kw_only=True):
    max_body_bytes: int = 64 * 1024 * 1024
    max_event_bytes: int = 16 * 1024 * 1024
    max_answer_bytes: int = 64 * 1024 * 1024
    keepalive_seconds: float = 15.0
    """Silence after which a stream gets its dialect's keep-alive."""
    history_bodies: str = "all"
    """all | errors | none"""
    body_cap_bytes: int = 256 * 1024
    """The most that is kept of one layer of one exchange."""
    fetch_media: bool = False
    """Media that callers gave by address are fetched for upstreams that need the bytes."""
