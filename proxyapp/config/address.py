"""Where this server is, as seen from its own machine."""

from __future__ import annotations

from django.conf import settings

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - compared with, not bound to


def own_address() -> str:
    """`http://HOST:PORT`, with a loopback address where the server listens everywhere."""
    host = _ANYWHERE.get(settings.HOST, settings.HOST)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.PORT}"
