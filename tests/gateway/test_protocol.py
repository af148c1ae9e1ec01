"""What a connection may send before a request is known: a head of some size, in some time, and no other protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvicorn

from gateway import protocol


async def echo(scope, receive, send):
    """Answers with the method, the path and the body that came."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    out = f"{scope['method']} {scope['path']} ".encode() + body
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(out))]})
    await send({"type": "http.response.body", "body": out})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    config = uvicorn.Config(
        echo, port=0, http=protocol.GuardedProtocol, ws="none", lifespan="off", log_config=None, timeout_keep_alive=75
    )
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


async def talk(port: int, *pieces: bytes, pause: float = 0.0, until_closed: bool = True) -> bytes:
    """What comes back; the connection is left open by this side."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        return await asyncio.wait_for(reader.read() if until_closed else reader.read(65536), 10)
    finally:
        writer.close()


async def test_a_request_for_http_2_is_served_as_it_is(port):
    """As Java's client sends its first request: the body was lost with the upgrade."""
    head = (
        b"POST /v1/x HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: 5\r\nHost: x\r\n"
        b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nUpgrade: h2c\r\n\r\n"
    )
    assert (await talk(port, head + b"hello", until_closed=False)).endswith(b"POST /v1/x hello")
    assert (await talk(port, head, b"hello", pause=0.05, until_closed=False)).endswith(b"POST /v1/x hello")


async def test_what_a_body_says_of_upgrades_stays(port):
    body = b"a\r\nUpgrade: h2c\r\n"
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)
    assert (await talk(port, head + body, until_closed=False)).endswith(body)
    assert (await talk(port, head, body, pause=0.05, until_closed=False)).endswith(body)


async def test_a_head_without_end_is_refused(port, monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_BYTES", 10_000)
    pieces = [b"GET / HTTP/1.1\r\nhost: x\r\n", b"a: %s\r\n" % (b"y" * 8000), b"b: %s\r\n" % (b"y" * 3000)]
    assert (await talk(port, *pieces, pause=0.02)).startswith(b"HTTP/1.1 431 ")


async def test_a_head_within_the_bounds_may_come_in_pieces(port):
    pieces = [b"GET /a HTTP/1.1\r\n", b"ho", b"st: x\r\ncontent-le", b"ngth: 0\r\n", b"\r\n"]
    assert (await talk(port, *pieces, pause=0.01, until_closed=False)).endswith(b"GET /a ")


@pytest.mark.parametrize("sent", [b"", b"POST /v1/chat/comp", b"GET / HTTP/1.1\r\nhost: x\r\n"])
async def test_a_head_that_does_not_come_is_given_up(port, monkeypatch, sent):
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    got = await talk(port, sent)
    assert got == b"" if not sent else got.startswith(b"HTTP/1.1 408 ")


async def test_a_second_head_that_does_not_come_is_given_up_too(port, monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    got = await talk(port, b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n", b"GET /b HT", pause=0.05)
    assert b"GET /a " in got
    assert b"HTTP/1.1 408 " in got


async def test_a_body_may_take_longer_than_a_head(port, monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\n"
    assert (await talk(port, head, b"a", b"b", b"c", pause=0.15, until_closed=False)).endswith(b"POST / abc")


async def test_an_idle_connection_is_kept_between_requests(port, monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    asked = b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n"
    assert (await talk(port, asked, asked, pause=0.3, until_closed=False)).count(b"GET /a ") == 2
