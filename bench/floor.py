"""The least a Python gateway can do: ASGI in, aiohttp out, no thought between. `bench/cpu.py` measures against it."""

from __future__ import annotations

import os
from typing import Any

import aiohttp

UPSTREAM = f"http://127.0.0.1:{os.environ.get('UPSTREAM_PORT', '0')}/v1/chat/completions"
_sessions: list[aiohttp.ClientSession] = []


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Forwards a POST and its whole answer."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if not _sessions:
        connector = aiohttp.TCPConnector(limit=0)
        _sessions.append(aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()))
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    async with _sessions[0].post(UPSTREAM, data=body, headers={"content-type": "application/json"}) as answer:
        raw = await answer.read()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(raw)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": raw})
