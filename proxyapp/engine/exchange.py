"""One request's running account: times, attempts, bodies, outcome. Becomes the two records of the journal."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from proxyapp.dialects.contract import Glimpse, Peek
from proxyapp.engine.call import Call
from proxyapp.engine.record import AttemptRecord, Begun, Content, Ended
from proxyapp.engine.roads import Road
from proxyapp.engine.scrub import scrubber_of
from proxyapp.engine.snapshot import Key
from proxyapp.errors import GatewayError
from proxyapp.ir.notes import Notes
from proxyapp.ir.usage import Usage

SESSION_HEADERS = ("x-claude-code-session-id", "session_id", "session-id", "x-session-id", "x-opencode-session")
"""In which coding agents name a conversation (Claude Code, Codex of two generations, others, OpenCode)."""


class Books(Protocol):
    """Where records go: `engine.journal.Journal`."""

    def begin(self, record: Begun) -> None: ...

    def end(self, record: Ended) -> None: ...


class Capture:
    """Collects a body up to a cap."""

    def __init__(self, cap: int) -> None:
        self._left = cap
        self._pieces: list[bytes] = []
        self.truncated = False

    def add(self, data: bytes) -> None:
        if len(data) > self._left:
            data = data[: self._left]
            self.truncated = True
        if data:
            self._pieces.append(data)
            self._left -= len(data)

    def bytes(self) -> bytes | None:
        return b"".join(self._pieces) if self._pieces else None


class Exchange:
    """Lives from admission to the last byte. `finish` takes effect once; later calls are ignored."""

    def __init__(self, call: Call, books: Books, bodies: str, cap: int) -> None:
        self.books = books
        self.bodies = bodies
        """all | errors | none"""
        self.clock = time.perf_counter
        self.began = self.clock()
        self.waited = 0.0
        """Seconds spent waiting for upstreams and for the caller to take bytes."""
        self.upstream_seconds = 0.0
        self.first_byte: float | None = None
        self.done = False
        self.aborting: GatewayError | None = None
        """Set when the server itself ends this request (shutting down)."""
        self.attempts: list[AttemptRecord] = []
        self.notes = Notes()
        self.dropped = ""
        """`x-dragoman-dropped`: what of the request was lost. Notes made later, on the answer, are for the books."""
        self.weight: int | None = None
        """What the prompt's text was reckoned to be (`engine.estimate`), kept for the history to learn from."""
        self.estimated = False
        """The answer's count of tokens was made here."""
        self.upstream = self.upstream_model = self.upstream_request_id = ""
        self.glimpse = Glimpse()
        self.status = 0
        self._on_finish: list[Callable[[], None]] = []
        self.is_rewritten = False
        """What the upstream gets differs from what came even where nothing is translated: both are kept."""
        self.settle: Callable[[Road, bytes], Awaitable[bytes]] = _as_it_is
        """What must be safe before the last bytes of an answer go out; gives those bytes. Raises nothing."""
        self._scrubber = scrubber_of(call.headers, call.query_key)
        """For what this request alone bore; the books know all other secrets."""
        self._begun = False
        self.session = next((call.headers[name][:200] for name in SESSION_HEADERS if name in call.headers), "")
        """The word for the caller's conversation; "" = none is known. Where there is a choice of accounts or ways out,
        `engine.session` finds one in the body."""
        self._cap = cap
        self.client_request = Capture(cap)
        self.upstream_request = Capture(cap)
        self.upstream_answer = Capture(cap)
        self.client_answer = Capture(cap)
        self.record = Begun(
            request_id=call.request_id,
            started=time.time(),
            dialect=call.dialect.name,
            caller_request_id=call.headers.get("x-request-id", "")[:200],
            path=call.path[:200],
            address=call.address,
            user_agent=call.headers.get("user-agent", "")[:200],
            session=self.session,
        )

    def asked_by(self, key: Key) -> None:
        """Who is asking is known."""
        self.record.client_id, self.record.client = key.client_id or None, key.client
        self.record.key_id, self.record.key = key.id or None, key.name
        if key.history_bodies != "default":
            self.bodies = key.history_bodies

    def asks_for(self, peek: Peek) -> None:
        """What is asked for is known."""
        self.record.model, self.record.stream = peek.model[:200], peek.stream

    def begin(self) -> None:
        """The request was admitted: written to the journal."""
        self._begun = True
        self.books.begin(self._scrubber.begun(self.record) if self._scrubber else self.record)

    def on_finish(self, action: Callable[[], None]) -> None:
        """`action` runs once, when the request is over, however it ends."""
        self._on_finish.append(action)

    def finish(self, outcome: str, *, status: int, error: GatewayError | None = None) -> None:
        """The request is over: the journal has it before the last byte goes out."""
        if self.done:
            return
        self.done = True
        self.status = status
        try:
            ended = self._ended(outcome, status, error)
            self.books.end(self._scrubber.ended(ended) if self._scrubber else ended)
        finally:
            for action in self._on_finish:
                action()

    def _ended(self, outcome: str, status: int, error: GatewayError | None) -> Ended:
        duration = self.clock() - self.began
        usage = self.glimpse.usage or Usage()
        finish = self.glimpse.finish
        return Ended(
            begun=self.record,
            outcome=outcome,
            status=status,
            error=error.code if error else "",
            message=error.message if error else "",
            upstream=self.upstream,
            upstream_model=self.upstream_model,
            upstream_request_id=self.upstream_request_id[:200],
            finish=finish.kind.value if finish else "",
            duration_ms=duration * 1000,
            first_byte_ms=None if self.first_byte is None else (self.first_byte - self.began) * 1000,
            overhead_ms=max(duration - self.waited, 0.0) * 1000,
            fresh_input=_possible(usage.fresh_input),
            cache_read=_possible(usage.cache_read),
            cache_write_5m=_possible(usage.cache_write_5m),
            cache_write_1h=_possible(usage.cache_write_1h),
            output=_possible(usage.output),
            reasoning=_possible(usage.reasoning),
            usage_estimated=usage.estimated,
            attempts=self.attempts,
            notes=[(note.path, note.sentence, note.dropped) for note in self.notes.items],
            content=self._content(outcome),
            proxy=self.attempts[-1].proxy if self.attempts else "",
            extra={} if self.weight is None else {"weight": self.weight},
        )

    def _content(self, outcome: str) -> Content | None:
        if self.bodies == "none" or (self.bodies == "errors" and outcome == "ok"):
            return None
        layers = (self.client_request, self.upstream_request, self.upstream_answer, self.client_answer)
        return Content(
            client_request=layers[0].bytes(),
            upstream_request=layers[1].bytes(),
            upstream_answer=layers[2].bytes(),
            client_answer=layers[3].bytes(),
            truncated=any(layer.truncated for layer in layers),
        )

    def new_attempt(self, record: AttemptRecord) -> AttemptRecord:
        """A further try: what the one before it left behind is forgotten, its record stays."""
        self.attempts.append(record)
        self.upstream, self.upstream_model = record.upstream, record.model
        self.upstream_request, self.upstream_answer = Capture(self._cap), Capture(self._cap)
        self.client_answer = Capture(self._cap)
        self.glimpse = Glimpse()
        return record


async def _as_it_is(road: Road, last: bytes) -> bytes:
    return last


def _possible(count: int | None) -> int | None:
    """An upstream's number as the books can write it; one that cannot be is an unknown one."""
    return count if count is None or count < 2**63 else None
