"""Connections to upstreams are used again, and nothing that one caller's answer left behind reaches the next caller."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.engine.conftest import a_body, a_call, a_snapshot, an_upstream, ask
from tests.fakes import answers


def whole(text: str) -> bytes:
    body = json.dumps(answers.whole("openai-chat", text)).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


class TalkativeServer:
    """Answers each request, and says `rest` once its answer has been taken."""

    def __init__(self, rest: bytes) -> None:
        self.rest = rest
        self.connections = 0
        self.said = asyncio.Event()

    async def __aenter__(self) -> TalkativeServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            for number in range(10):
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
                await reader.readexactly(int(length))
                writer.write(whole(f"answer {self.connections}.{number}"))
                await asyncio.sleep(0.05)
                writer.write(self.rest)
                await asyncio.sleep(0.05)
                self.said.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.mark.parametrize("rest", [whole("nobody asked for this"), b"data: more\n\n"])
async def test_an_answer_that_nobody_asked_for_goes_to_nobody(make_engine, rest):
    async with TalkativeServer(rest) as server:
        engine = make_engine(a_snapshot(an_upstream("up", server.url)))
        for number in range(3):
            server.said.clear()
            outcome = await ask(engine, a_call("openai-chat", a_body()))
            assert answers.text_of("openai-chat", outcome.raw) == f"answer {number + 1}.0"
            engine.books.ended.clear()
            await asyncio.wait_for(server.said.wait(), 5)
        assert server.connections == 3


async def test_a_connection_that_was_left_clean_is_used_again(make_engine):
    async with TalkativeServer(rest=b"") as server:
        engine = make_engine(a_snapshot(an_upstream("up", server.url)))
        for number in range(3):
            server.said.clear()
            outcome = await ask(engine, a_call("openai-chat", a_body()))
            assert answers.text_of("openai-chat", outcome.raw) == f"answer 1.{number}"
            engine.books.ended.clear()
            await asyncio.wait_for(server.said.wait(), 5)
