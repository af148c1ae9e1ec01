"""Logging for all of the gateway: structlog."""

from __future__ import annotations

from typing import Any


def configure(options: dict[str, Any]) -> None:
    """Placeholder until the real one is in place."""
