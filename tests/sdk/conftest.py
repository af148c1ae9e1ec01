"""Dragoman behind a real HTTP server on loopback, over strict scripted upstreams, for clients that are not ours.

The server lives in a thread with an event loop of its own; its engine has a snapshot made by hand, no database is
touched. Which model goes where is told by the model's name (see `MODELS`).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
import uvloop

from gateway.asgi import application
from proxyapp import wiring
from proxyapp.dialects.signatures import Sealer
from proxyapp.engine.conversation import Chain, Turn
from proxyapp.engine.core import Engine
from proxyapp.engine.identify import digest
from proxyapp.engine.settings import EngineSettings
from proxyapp.engine.snapshot import Credential, Model, Route, Snapshot, Timeouts, Upstream
from proxyapp.engine.transport import Transport
from tests.engine.conftest import KEY, BooksInAList, a_key
from tests.fakes import strict_chat, strict_gemini, strict_messages, strict_responses
from tests.fakes.strict_chat import StrictChat
from tests.fakes.strict_gemini import StrictGemini
from tests.fakes.strict_messages import StrictMessages
from tests.fakes.strict_responses import StrictResponses
from tests.fakes.upstream import ScriptedUpstream, free_port
from tests.sdk.scenarios import CHAT, GEMINI, MESSAGES, RESPONSES, Kit, Scenario

MODELS = {
    "openai": ("gpt-4o", "gpt-5.1"),
    "compatible": ("deepseek-chat",),
    "anthropic": ("claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-7", "claude-opus-5-5"),
    "responses": ("gpt-4.1", "gpt-5.2", "gpt-6.1-sol", "o4-mini", "text-embedding-3-small"),
    "gemini": (*strict_gemini.OLD, *strict_gemini.NEW, *strict_gemini.EMBEDDERS),
}
"""upstream -> models it serves, under their own names."""


class StoreInADict:
    """Kept Responses, as `conversations.responses` keeps them in the database."""

    def __init__(self) -> None:
        self._turns: list[tuple[int, Turn, list[int]]] = []

    async def chain(self, client: int, response_id: str) -> Chain | None:
        for row, (owner, turn, after) in enumerate(self._turns):
            if (owner, turn.response["id"]) == (client, response_id):
                rows = [*after, row]
                return Chain(rows, [self._turns[each][1] for each in rows])
        return None

    async def holders(self, client: int, ids: Sequence[str]) -> list[Turn]:
        own = [turn for owner, turn, _ in self._turns if owner == client]
        return [turn for turn in own if any(item["id"] in ids for item in turn.response["output"])]

    async def put(self, client: int, turn: Turn, after: Sequence[int]) -> bool:
        self._turns.append((client, turn, list(after)))
        return True


class Gateway:
    """The running server. `serve(...)` changes what its models mean."""

    def __init__(self) -> None:
        self.key = KEY
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.chat, self.messages = StrictChat(), StrictMessages()
        self.responses, self.gemini = StrictResponses(), StrictGemini()
        self.behind: dict[str, Any] = {
            CHAT: self.chat, MESSAGES: self.messages, RESPONSES: self.responses, GEMINI: self.gemini
        }  # fmt: skip
        """Dialect -> the upstream that speaks it."""
        self.servers = {dialect: ScriptedUpstream() for dialect in self.behind}
        for dialect, strict in self.behind.items():
            self.servers[dialect].default = strict
        config = uvicorn.Config(
            application,
            port=self.port,
            loop="uvloop",
            http="httptools",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=lambda: uvloop.run(self._run()), daemon=True)
        self._built = threading.Event()
        self._thread.start()
        self._wait()

    async def _run(self) -> None:
        self.engine = Engine(
            settings=EngineSettings(),
            books=BooksInAList(),
            sealer=Sealer(b"k" * 32),
            transport=Transport(max_answer_bytes=4 * 2**20),
            store=StoreInADict(),
        )
        self._built.set()
        await self._server.serve()
        await self.engine.close()

    def _wait(self) -> None:
        self._built.wait(10)
        until = time.monotonic() + 10
        while not self._server.started and time.monotonic() < until:
            time.sleep(0.01)
        assert self._server.started, "the server did not start"

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        for server in self.servers.values():
            server.close()

    @property
    def worker(self) -> Any:
        """What `proxyapp.wiring` hands to the views."""
        watcher = SimpleNamespace(healthy=True)
        return SimpleNamespace(pid=os.getpid(), engine=self.engine, watcher=watcher, started=time.time())

    @property
    def refused(self) -> list[str]:
        """What the upstreams found wrong."""
        return [said for strict in self.behind.values() for said in strict.refused]

    def serve(self, routes: dict[str, str] | None = None) -> None:
        """`routes`: model -> `upstream/model there`, beside `MODELS`."""
        models = {
            name: Model(name=name, routes=(Route(u, name),), created=1) for u, ns in MODELS.items() for name in ns
        }
        for name, there in (routes or {}).items():
            upstream, _, model = there.partition("/")
            models[name] = Model(name=name, routes=(Route(upstream, model),), created=1)
        upstreams = (
            self._upstream("openai", "openai", CHAT, strict_chat.KEY, api="chat"),
            self._upstream("compatible", "openai_compatible", CHAT, strict_chat.KEY),
            self._upstream("anthropic", "anthropic", MESSAGES, strict_messages.KEY),
            self._upstream("responses", "openai", RESPONSES, strict_responses.KEY, api="responses"),
            self._upstream("gemini", "gemini", GEMINI, strict_gemini.KEY),
        )
        self.engine.snapshot = Snapshot(
            keys={digest(KEY): a_key()}, models=models, upstreams={upstream.name: upstream for upstream in upstreams}
        )

    def _upstream(self, name: str, kind: str, dialect: str, key: str, api: str | None = None) -> Upstream:
        """Without retries of its own: the SDKs' retries are what is looked at."""
        return Upstream(
            name=name,
            kind=kind,
            api=api,
            base_url=self.servers[dialect].url,
            credentials=(Credential("main", key),),
            timeouts=Timeouts(connect=2, first_byte=10, idle=10, total=30),
            retries=0,
        )


@pytest.fixture(scope="session")
def running() -> Iterator[Gateway]:
    gateway = Gateway()
    yield gateway
    gateway.stop()


@pytest.fixture(scope="module")
def in_place(running: Gateway) -> Iterator[Gateway]:
    """The running server with this process's worker behind it, and the usual routes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring, "_worker", running.worker)
        patch.setenv("NO_PROXY", "127.0.0.1")
        running.serve()
        yield running


@pytest.fixture
def gateway(in_place: Gateway) -> Iterator[Gateway]:
    """As `in_place`; what a test did to the routes and the upstreams' memories is undone."""
    yield in_place
    in_place.serve()
    for strict in in_place.behind.values():
        strict.refused.clear()


@pytest.fixture
def play(gateway: Gateway) -> Callable[[Scenario, str], None]:
    """Plays a scenario with the SDKs of this process, which are the newest."""

    def run(scenario: Scenario, over: str) -> None:
        gateway.responses.forgotten.clear()
        try:
            scenario.play(Kit(gateway.url, gateway.key, over, "newest"))
            if scenario.sdk != "responses":  # whose own bodies go through as they are
                assert not gateway.responses.forgotten, "reasoning did not come back with its calls' results"
        except Exception as error:
            error.add_note(f"the upstreams refused: {gateway.refused}")
            raise

    return run
