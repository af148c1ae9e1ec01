"""One door for programs, one for people: inference paths take the lean handler, everything else Django's own.

The engine of this worker starts with the ASGI lifespan, or with the first request where a server has none.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
django.setup(set_prefix=False)

from django.conf import settings  # noqa: E402

from gateway.handler import ConsoleHandler, LeanHandler  # noqa: E402
from proxyapp import wiring  # noqa: E402

LEAN = ("/v1", "/v1beta", "/chat", "/embeddings", "/models", "/messages", "/responses", "/health", "/_demo")
"""First path segments of the inference and health paths."""

_lean = LeanHandler(settings.DRAGOMAN_MAX_BODY_MB * 2**20)
_console = ConsoleHandler(settings.DRAGOMAN_MAX_BODY_MB * 2**20)


async def application(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """The ASGI application."""
    if scope["type"] == "http":
        head = scope["path"][1:].partition("/")[0]
        handler = _lean if f"/{head}" in LEAN else _console
        await handler(scope, receive, send)
    elif scope["type"] == "lifespan":
        await _lifespan(receive, send)
    else:
        # A WebSocket: refused at once, so that clients which try one first fall back to plain HTTP. Our own server
        # hands the handshake on as a plain GET, which `proxyapp.api.base` answers with the same 426.
        await receive()
        if "websocket.http.response" in scope.get("extensions", {}):
            await send({"type": "websocket.http.response.start", "status": 426, "headers": []})
            await send({"type": "websocket.http.response.body", "body": b""})
        else:
            await send({"type": "websocket.close", "code": 1008})


async def _lifespan(
    receive: Callable[[], Awaitable[dict[str, Any]]], send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await wiring.start()
            await send({"type": "lifespan.startup.complete"})
        else:
            await wiring.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return
