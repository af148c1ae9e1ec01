"""The real engine with a scripted upstream behind it that plays recordings, over loopback sockets."""

from __future__ import annotations

import json
import ssl
from typing import Any

from proxyapp.dialects.contract import Peek
from proxyapp.dialects.registry import DIALECTS
from proxyapp.dialects.signatures import Sealer
from proxyapp.engine.call import Call
from proxyapp.engine.core import Engine
from proxyapp.engine.identity import new_request_id
from proxyapp.engine.serve import Story, serve
from proxyapp.engine.settings import EngineSettings
from proxyapp.engine.transport import Transport
from proxyapp.upstreams.contract import Credential, Upstream
from tests.corpus.exchanges import CHAT, GEMINI, MESSAGES, MODEL, RESPONSES, Exchange
from tests.engine.conftest import KEY, BooksInAList, Outcome, a_snapshot, collect
from tests.fakes.upstream import Script, ScriptedUpstream

UPSTREAM_MODEL = f"{MODEL}-at-up"
_UPSTREAMS: dict[str, dict[str, str]] = {
    CHAT: {"kind": "openai_compatible"},
    RESPONSES: {"kind": "openai", "api": "responses"},
    MESSAGES: {"kind": "anthropic"},
    GEMINI: {"kind": "gemini"},
}
_SECRET = Credential("main", "sk-secret-of-up")
_TLS = ssl.create_default_context()


class House:
    """One upstream for many exchanges; a fresh engine for each, since books and connections are per engine."""

    def __init__(self, upstream: ScriptedUpstream) -> None:
        self.upstream = upstream

    async def ask(
        self, exchange: Exchange, caller: str, body: dict[str, Any], *, piece: int = 0, story: Story | None = None
    ) -> Outcome:
        """The caller's body goes in, the recording is played (`piece` bytes a network write; 0: in one), and what the
        caller got comes out. `story`: of an endpoint that is no conversation."""
        self.upstream.clear()
        self.upstream.then(played(exchange, piece))
        books = BooksInAList()
        engine = Engine(settings=EngineSettings(), books=books, sealer=Sealer(b"k" * 32), transport=Transport(tls=_TLS))
        up = Upstream(
            name="up", base_url=self.upstream.url, credentials=(_SECRET,), retries=0, **_UPSTREAMS[exchange.dialect]
        )
        engine.snapshot = a_snapshot(up, model=MODEL)
        try:
            reply = await serve(engine, call(caller, body, stream=exchange.stream), story)
            return Outcome(reply.status, await collect(reply), reply, books.row)
        finally:
            await engine.close()

    @property
    def sent(self) -> dict[str, Any]:
        """The body the upstream got last."""
        return self.upstream.last.body


def call(caller: str, body: dict[str, Any], *, stream: bool) -> Call:
    """As HTTP would bring it."""
    raw = json.dumps(body).encode()

    async def read() -> bytes:
        return raw

    return Call(
        dialect=DIALECTS[caller],
        request_id=new_request_id(),
        headers={"authorization": f"Bearer {KEY}"},
        read_body=read,
        path="/v1",
        asked=Peek(MODEL, stream) if caller == GEMINI else None,
    )


def played(exchange: Exchange, piece: int = 0) -> Script:
    kind = "text/event-stream" if exchange.stream else "application/json"
    raw = exchange.raw
    pieces = [raw[start : start + piece] for start in range(0, len(raw), piece)] if piece else [raw]
    return Script(exchange.status, {"content-type": kind}, pieces)
