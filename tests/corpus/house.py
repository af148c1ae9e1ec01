"""The real engine with a scripted upstream behind it that plays recordings, over loopback sockets."""

from __future__ import annotations

import ssl
from typing import Any

from proxyapp.dialects.signatures import Sealer
from proxyapp.engine.core import Engine
from proxyapp.engine.settings import EngineSettings
from proxyapp.engine.transport import Transport
from tests.corpus.exchanges import MODEL, Exchange
from tests.engine.conftest import BooksInAList, Outcome, a_call, a_snapshot, an_upstream, ask
from tests.fakes.upstream import Script, ScriptedUpstream

UPSTREAM_MODEL = f"{MODEL}-at-up"
_TLS = ssl.create_default_context()


class House:
    """One upstream for many exchanges; a fresh engine for each, since books and connections are per engine."""

    def __init__(self, upstream: ScriptedUpstream) -> None:
        self.upstream = upstream

    async def ask(self, exchange: Exchange, caller: str, body: dict[str, Any], *, piece: int = 0) -> Outcome:
        """The caller's body goes in, the recording is played (`piece` bytes a network write; 0: in one), and what the
        caller got comes out."""
        self.upstream.clear()
        self.upstream.then(played(exchange, piece))
        engine = Engine(
            settings=EngineSettings(), books=BooksInAList(), sealer=Sealer(b"k" * 32), transport=Transport(tls=_TLS)
        )
        engine.snapshot = a_snapshot(an_upstream("up", self.upstream.url, exchange.dialect), model=MODEL)
        try:
            return await ask(engine, a_call(caller, body))
        finally:
            await engine.close()

    @property
    def sent(self) -> dict[str, Any]:
        """The body the upstream got last."""
        return self.upstream.last.body


def played(exchange: Exchange, piece: int = 0) -> Script:
    kind = "text/event-stream" if exchange.stream else "application/json"
    raw = exchange.raw
    pieces = [raw[start : start + piece] for start in range(0, len(raw), piece)] if piece else [raw]
    return Script(exchange.status, {"content-type": kind}, pieces)
