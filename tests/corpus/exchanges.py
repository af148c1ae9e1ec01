"""The recorded traffic as values: exchanges with a service, and requests of agents. Origin: tests/fixtures/corpus."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "corpus"
CHAT, MESSAGES = "openai-chat", "anthropic-messages"
OTHER = {CHAT: MESSAGES, MESSAGES: CHAT}
MODEL = "m"
"""What callers ask for in these tests."""

MINIMAL: dict[str, Any] = {"max_tokens": 64, "messages": [{"role": "user", "content": "Go on."}]}
"""Legal in both dialects: for recordings that hold only an answer, and for callers of the other dialect."""


@dataclass(frozen=True)
class Exchange:
    """One recorded exchange."""

    id: str
    dialect: str
    stream: bool
    body: dict[str, Any] | None
    """The recorded request's body; None when only the answer was recorded."""
    status: int
    raw: bytes
    """The answer's body as an upstream would send it."""
    tags: frozenset[str] = field(hash=False)

    @property
    def is_error(self) -> bool:
        """Also an error inside a 200."""
        return self.status >= 400 or (not self.stream and "error" in self.json())

    @property
    def form(self) -> str:
        """The group it is counted in."""
        return "error" if self.is_error else "stream" if self.stream else "whole"

    def json(self) -> Any:
        return json.loads(self.raw)

    def asked(self) -> dict[str, Any]:
        """The caller's body in the recording's own dialect, for the model `m`."""
        if self.body is not None:
            return {**self.body, "model": MODEL}
        return {**MINIMAL, "model": MODEL, "stream": self.stream, **self._usage_wanted(self.dialect)}

    def asked_elsewhere(self) -> dict[str, Any]:
        """A caller's body in the other dialect that may get this answer; it wants all there is to see."""
        return {**MINIMAL, "model": MODEL, "stream": self.stream, **self._usage_wanted(OTHER[self.dialect])}

    def _usage_wanted(self, dialect: str) -> dict[str, Any]:
        return {"stream_options": {"include_usage": True}} if self.stream and dialect == CHAT else {}


@dataclass(frozen=True)
class Agent:
    """One recorded request of an agent."""

    id: str
    dialect: str
    headers: dict[str, str] = field(hash=False)
    body: dict[str, Any] = field(hash=False)


@functools.cache
def exchanges(dialect: str = "") -> tuple[Exchange, ...]:
    """All exchanges, or those of one dialect, by id."""
    names = [path for path in sorted(FOLDER.glob("*.json")) if path.name.partition(".")[0] in OTHER]
    found = [_exchange(path) for path in names]
    return tuple(exchange for exchange in found if dialect in ("", exchange.dialect))


@functools.cache
def agents() -> tuple[Agent, ...]:
    """All requests of agents, by id."""
    paths = sorted((FOLDER / "clients").glob("*.json"))
    return tuple(_agent(path) for path in paths if path.stem.endswith(("_messages", "_chat_completions")))


def _exchange(path: Path) -> Exchange:
    told = json.loads(path.read_text())
    assert told["id"] == path.stem, path
    answer = told["response"]
    text = answer["sse"] if "sse" in answer else json.dumps(answer["body"], ensure_ascii=False)
    return Exchange(
        id=told["id"],
        dialect=told["dialect"],
        stream=told["stream"],
        body=told["request"] and told["request"]["body"],
        status=answer["status"],
        raw=text.encode(),
        tags=frozenset(told["tags"]),
    )


def _agent(path: Path) -> Agent:
    told = json.loads(path.read_text())
    dialect = MESSAGES if told["path"].startswith("/v1/messages") else CHAT
    return Agent(path.stem, dialect, told["headers"], told["body"])
