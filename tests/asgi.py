"""Speaks ASGI to an application without a server: one request, its answer, and hanging up."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Got:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)
    complete: bool = False

    @property
    def raw(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


class Exchange:
    """`await run()` for the whole answer; `hang_up()` in between."""

    def __init__(
        self, app: Any, method: str, path: str, body: bytes | list[bytes] = b"", headers: dict[str, str] | None = None
    ) -> None:
        pieces = [body] if isinstance(body, bytes) else body
        path, _, query = path.partition("?")
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
            "client": ("127.0.0.1", 5000),
            "server": ("127.0.0.1", 8000),
        }
        self.got = Got()
        self.first_piece = asyncio.Event()
        self._app = app
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        for number, piece in enumerate(pieces):
            more = number + 1 < len(pieces)
            self._incoming.put_nowait({"type": "http.request", "body": piece, "more_body": more})

    def hang_up(self) -> None:
        self._incoming.put_nowait({"type": "http.disconnect"})

    async def run(self) -> Got:
        await self._app(self.scope, self._incoming.get, self._send)
        return self.got

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.got.status = message["status"]
            self.got.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        if message.get("body"):
            self.got.pieces.append(message["body"])
            self.first_piece.set()
        self.got.complete = not message.get("more_body", False)


async def ask(app: Any, method: str, path: str, body: Any = b"", **headers: str) -> Got:
    """One request; a body that is no bytes is sent as JSON. Header names with `_` for `-`."""
    raw = body if isinstance(body, bytes | list) else json.dumps(body).encode()
    return await Exchange(app, method, path, raw, {n.replace("_", "-"): v for n, v in headers.items()}).run()
