"""The recorded traffic as values: exchanges with a service, and requests of agents. Origin: tests/fixtures/corpus."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxyapp.dialects.registry import DIALECTS

FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "corpus"
CHAT, RESPONSES, MESSAGES, GEMINI = "openai-chat", "openai-responses", "anthropic-messages", "gemini"
SPOKEN = tuple(name for name in (CHAT, RESPONSES, MESSAGES, GEMINI) if name in DIALECTS)
"""Dialects of callers and upstreams alike."""
MODEL = "m"
"""What callers ask for in these tests."""

# The least a caller may ask: for recordings that hold only an answer, and for callers of another dialect, who want all
# there is to see.
MINIMAL: dict[str, dict[str, Any]] = {
    CHAT: {"max_tokens": 64, "messages": [{"role": "user", "content": "Go on."}]},
    MESSAGES: {"max_tokens": 64, "messages": [{"role": "user", "content": "Go on."}]},
    RESPONSES: {
        "input": "Go on.",
        "store": False,
        "reasoning": {"summary": "auto"},
        "include": ["reasoning.encrypted_content"],
    },
    GEMINI: {
        "contents": [{"role": "user", "parts": [{"text": "Go on."}]}],
        "generationConfig": {"thinkingConfig": {"includeThoughts": True}},
    },
}


def others(dialect: str) -> tuple[str, ...]:
    return tuple(name for name in SPOKEN if name != dialect)


def asked_in(dialect: str, body: dict[str, Any], *, stream: bool) -> dict[str, Any]:
    """A body for the model `m`; a Gemini caller says model and stream in the address."""
    if dialect == GEMINI:
        return body
    usage = {"stream_options": {"include_usage": True}} if stream and dialect == CHAT else {}
    return {**body, "model": MODEL, "stream": stream, **usage}


SAID_WITH = {"openai-responses.json.vercel.openai-error-1-0.3a37a3": 429}
"""Recordings of an error's body alone, whose status the corpus assumed: what the service says it with, by id."""


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

    @functools.cached_property
    def is_error(self) -> bool:
        """Also an error inside a 200, and a stream that is nothing else."""
        return self.status >= 400 or self.error is not None

    @property
    def form(self) -> str:
        """The group it is counted in."""
        return "error" if self.is_error else "stream" if self.stream else "whole"

    def json(self) -> Any:
        return json.loads(self.raw)

    @functools.cached_property
    def error(self) -> dict[str, Any] | None:
        """What the service said instead of an answer."""
        if not self.stream:
            return self.json().get("error")
        told = [
            json.loads(line[6:]) for line in self.raw.decode().split("\n") if line.startswith('data: {"type":"error"')
        ]
        return told[0]["error"] if told else None

    def asked(self) -> dict[str, Any]:
        """The caller's body in the recording's own dialect, for the model `m`."""
        if self.body is None:
            return self.asked_by(self.dialect)
        return self.body if self.dialect == GEMINI else {**self.body, "model": MODEL}

    def asked_by(self, caller: str) -> dict[str, Any]:
        """A body of a caller that may get this answer; it wants all there is to see."""
        return asked_in(caller, MINIMAL[caller], stream=self.stream)


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
    names = [path for path in sorted(FOLDER.glob("*.json")) if path.name.partition(".")[0] in SPOKEN]
    found = [_exchange(path) for path in names]
    return tuple(exchange for exchange in found if dialect in ("", exchange.dialect))


@functools.cache
def agents() -> tuple[Agent, ...]:
    """All requests of agents, by id."""
    found = map(_agent, sorted((FOLDER / "clients").glob("*.json")))
    return tuple(agent for agent in found if agent.dialect in SPOKEN)


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
        status=SAID_WITH.get(told["id"], answer["status"]),
        raw=text.encode(),
        tags=frozenset(told["tags"]),
    )


def _agent(path: Path) -> Agent:
    told = json.loads(path.read_text())
    return Agent(path.stem, _SPOKEN_AT[told["path"].partition("?")[0]], told["headers"], told["body"])


_SPOKEN_AT = {
    "/v1/chat/completions": CHAT,
    "/v1/responses": RESPONSES,
    "/v1/messages": MESSAGES,
    "/v1/messages/count_tokens": "anthropic-count-tokens",
}
