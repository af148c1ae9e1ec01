"""An engine of its own for each test, in this process, with a scripted upstream behind it and its books in a list."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from proxyapp.dialects.registry import DIALECTS
from proxyapp.dialects.signatures import Sealer
from proxyapp.engine.call import Call, Reply
from proxyapp.engine.core import Engine
from proxyapp.engine.identify import digest
from proxyapp.engine.identity import new_request_id
from proxyapp.engine.record import Begun, Ended
from proxyapp.engine.serve import serve
from proxyapp.engine.settings import EngineSettings
from proxyapp.engine.snapshot import Credential, Key, Model, Route, Snapshot, Timeouts, Upstream
from proxyapp.engine.transport import Transport
from tests.fakes.upstream import ScriptedUpstream

KEY = "sk-dg-alice-0123456789abcdefghijklmnopqrstuvwxyz"
PATHS = {
    "openai-chat": "/v1/chat/completions",
    "anthropic-messages": "/v1/messages",
    "openai-responses": "/v1/responses",
}
KINDS = {"openai-chat": "openai_compatible", "anthropic-messages": "anthropic"}


@dataclass
class BooksInAList:
    begun: list[Begun] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)

    def begin(self, record: Begun) -> None:
        self.begun.append(record)

    def end(self, record: Ended) -> None:
        self.ended.append(record)

    @property
    def row(self) -> Ended:
        assert len(self.ended) == 1, f"{len(self.ended)} rows for one request"
        return self.ended[0]


@pytest.fixture(scope="session")
def scripted() -> Iterator[ScriptedUpstream]:
    server = ScriptedUpstream()
    yield server
    server.close()


@pytest.fixture(scope="session")
def scripted_too() -> Iterator[ScriptedUpstream]:
    server = ScriptedUpstream()
    yield server
    server.close()


@pytest.fixture
def upstream(scripted: ScriptedUpstream) -> ScriptedUpstream:
    scripted.clear()
    return scripted


@pytest.fixture
def second_upstream(scripted_too: ScriptedUpstream) -> ScriptedUpstream:
    scripted_too.clear()
    return scripted_too


def a_key(**changes: Any) -> Key:
    return Key(**{"id": 1, "name": "laptop", "client_id": 1, "client": "alice", **changes})


def an_upstream(name: str, url: str, dialect: str = "openai-chat", **changes: Any) -> Upstream:
    facts: dict[str, Any] = {
        "name": name,
        "kind": KINDS[dialect],
        "base_url": url,
        "credentials": (Credential("main", f"sk-secret-of-{name}"),),
        "timeouts": Timeouts(connect=20, first_byte=30, idle=30, total=60),
        "retries": 0,
    }
    return Upstream(**{**facts, **changes})


def a_snapshot(*upstreams: Upstream, model: str = "m", key: Key | None = None, **changes: Any) -> Snapshot:
    routes = tuple(Route(u.name, f"{model}-at-{u.name}", priority=i) for i, u in enumerate(upstreams))
    facts: dict[str, Any] = {
        "keys": {digest(KEY): key or a_key()},
        "models": {model: Model(name=model, routes=routes)},
        "upstreams": {u.name: u for u in upstreams},
    }
    return Snapshot(**{**facts, **changes})


@pytest.fixture
async def make_engine() -> AsyncIterator[Callable[..., Engine]]:
    made: list[Engine] = []

    def make(snapshot: Snapshot, **settings: Any) -> Engine:
        engine = Engine(
            settings=EngineSettings(**settings),
            books=BooksInAList(),
            sealer=Sealer(b"k" * 32),
            transport=Transport(max_answer_bytes=4 * 2**20),
        )
        engine.snapshot = snapshot
        made.append(engine)
        return engine

    yield make
    for engine in made:
        await engine.close()


def a_call(dialect: str, body: Any, *, key: str | None = KEY, **headers: str) -> Call:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def read() -> bytes:
        return raw

    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if key:
        sent.setdefault("authorization", f"Bearer {key}")
    return Call(
        dialect=DIALECTS[dialect],
        request_id=new_request_id(),
        headers=sent,
        read_body=read,
        path=PATHS.get(dialect, ""),
        address="127.0.0.1",
    )


def a_body(stream: bool = False, model: str = "m", **more: Any) -> dict[str, Any]:
    """Legal in both dialects."""
    return {"model": model, "max_tokens": 50, "stream": stream, "messages": [{"role": "user", "content": "hi"}], **more}


async def collect(reply: Reply) -> bytes:
    if isinstance(reply.body, bytes):
        return reply.body
    pieces = [piece async for piece in reply.body]
    reply.body.close()
    return b"".join(pieces)


@dataclass
class Outcome:
    status: int
    raw: bytes
    reply: Reply
    row: Ended

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


async def ask(engine: Engine, call: Call) -> Outcome:
    reply = await serve(engine, call)
    raw = await collect(reply)
    assert isinstance(engine.books, BooksInAList)
    return Outcome(reply.status, raw, reply, engine.books.row)
