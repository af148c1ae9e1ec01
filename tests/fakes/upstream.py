"""A scripted upstream: a real HTTP/1.1 server on loopback that answers as told, and misbehaves as told.

It runs its own event loop in a thread, so that both in-process engines and gateway processes can call it.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Seen:
    """A request that reached the upstream."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.raw)


@dataclass
class Script:
    """One answer. `pieces` go out one by one, `pause` seconds apart; then `end`: done, cut, reset or hang."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)
    pause: float = 0.0
    end: str = "done"
    before_head: float = 0.0
    """Seconds of silence before the head."""
    raw_head: bytes | None = None
    """Sent instead of a proper head."""


def answer_json(body: Any, status: int = 200, **headers: str) -> Script:
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return Script(status, {"content-type": "application/json", **_dashed(headers)}, [raw])


def answer_text(text: str, status: int = 200, kind: str = "text/html") -> Script:
    return Script(status, {"content-type": kind}, [text.encode()])


def answer_sse(
    data: bytes | Iterable[bytes], *, pause: float = 0.0, end: str = "done", before_head: float = 0.0
) -> Script:
    pieces = [data] if isinstance(data, bytes) else list(data)
    return Script(200, {"content-type": "text/event-stream"}, pieces, pause, end, before_head)


def hang() -> Script:
    return Script(end="hang", raw_head=b"")


def reset() -> Script:
    return Script(end="reset", raw_head=b"")


def garbage() -> Script:
    return Script(end="cut", raw_head=b"\x00\x01not http at all\r\n\r\n")


def _dashed(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


class ScriptedUpstream:
    """Answers with the queued scripts in order, then with `default`; both may be functions of the request."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.seen: list[Seen] = []
        self.queue: deque[Script | Callable[[Seen], Script]] = deque()
        self.default: Script | Callable[[Seen], Script] | None = None
        self.open_requests = 0
        self.connections = 0
        self.accepted = 0
        """Connections so far."""
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait(5)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def last(self) -> Seen:
        return self.seen[-1]

    def clear(self) -> None:
        self.seen.clear()
        self.queue.clear()
        self.default = None

    def then(self, *scripts: Script | Callable[[Seen], Script]) -> ScriptedUpstream:
        self.queue.extend(scripts)
        return self

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**26, backlog=2048, ssl=self._tls)
        )
        self.port: int = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.accepted += 1
        try:
            while request := await self._read(reader):
                self.seen.append(request)
                script = self.queue.popleft() if self.queue else self.default
                if callable(script):
                    script = script(request)
                if script is None:
                    script = answer_json({"error": {"message": "nothing scripted"}}, 500)
                self.open_requests += 1
                try:
                    if not await self._play(script, reader, writer):
                        return
                finally:
                    self.open_requests -= 1
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.connections -= 1
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Seen | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        return Seen(method, path, headers, raw)

    async def _play(self, script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """True when the connection can serve another request."""
        gone = asyncio.ensure_future(reader.read(1))
        try:
            if script.before_head and await _either(gone, script.before_head):
                return False
            writer.write(self._head(script))
            for number, piece in enumerate(script.pieces):
                if number and script.pause and await _either(gone, script.pause):
                    return False
                if piece:  # an empty chunk would be the end of the body, and the end itself garbage behind it
                    writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    await writer.drain()
                if gone.done():
                    return False
            return await self._end(script, gone, writer)
        finally:
            gone.cancel()
            await asyncio.wait({gone})

    def _head(self, script: Script) -> bytes:
        if script.raw_head is not None:
            return script.raw_head
        lines = [f"HTTP/1.1 {script.status} Scripted", "transfer-encoding: chunked"]
        lines += [f"{name}: {value}" for name, value in script.headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    async def _end(self, script: Script, gone: asyncio.Future[bytes], writer: asyncio.StreamWriter) -> bool:
        if script.end == "done":
            writer.write(b"0\r\n\r\n")
            await writer.drain()
            return not gone.done()
        if script.end == "hang":
            await gone
        if script.end == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        return False


async def _either(gone: asyncio.Future[bytes], seconds: float) -> bool:
    """Waits, but not for a peer that has left."""
    done, _ = await asyncio.wait({gone}, timeout=seconds)
    return bool(done)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
