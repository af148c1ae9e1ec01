"""Recorded traffic of endpoints that are no conversation: embeddings, old completions, a count of tokens."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import Any

from proxyapp.engine.counting import count
from proxyapp.engine.embedding import embed
from proxyapp.engine.forwarding import forward
from proxyapp.engine.serve import Story
from tests.corpus.checks import Losses
from tests.corpus.exchanges import CHAT, FOLDER, MESSAGES, MODEL, Exchange
from tests.corpus.house import UPSTREAM_MODEL, House
from tests.fakes.upstream import Script

Json = dict[str, Any]
COUNTED = FOLDER / "clients" / "claude-code-12-v1_messages_count_tokens.json"
STORIES: dict[str, Story] = {"openai-embeddings": embed, "openai-completions": forward("completions")}
MINIMAL: dict[str, Json] = {"openai-embeddings": {"input": "Words."}, "openai-completions": {"prompt": "Words."}}

NOT_HELD = {
    "anthropic-complete": "Text Completions of Anthropic, which the service itself has shut down: no caller's endpoint"
}
"""Recorded, and not played."""


@dataclass(frozen=True)
class Recorded:
    """One exchange with such an endpoint."""

    id: str
    kind: str
    exchange: Exchange

    @property
    def asked(self) -> Json:
        body = self.exchange.body or {**MINIMAL[self.kind], "stream": self.exchange.stream}
        return {**body, "model": MODEL}


@functools.cache
def recorded() -> tuple[Recorded, ...]:
    paths = [path for path in sorted(FOLDER.glob("*.json")) if path.name.partition(".")[0] in STORIES]
    return tuple(_recorded(path.stem, json.loads(path.read_text())) for path in paths)


def _recorded(name: str, told: Json) -> Recorded:
    answer = told["response"]
    text = answer["sse"] if "sse" in answer else json.dumps(answer["body"], ensure_ascii=False)
    body = told["request"] and told["request"]["body"]
    kind = name.partition(".")[0]
    # They go to an upstream that speaks Chat; no check of that dialect looks at them.
    exchange = Exchange(name, CHAT, told["stream"], body, answer["status"], text.encode(), frozenset(told["tags"]))
    return Recorded(name, kind, exchange)


async def passed_on(house: House, each: Recorded) -> Losses:
    """The upstream gets the caller's request, the caller the upstream's answer: unchanged but for the model."""
    outcome = await house.ask(each.exchange, CHAT, each.asked, story=STORIES[each.kind])
    assert house.sent == {**each.asked, "model": UPSTREAM_MODEL}
    if each.exchange.status == 401:
        assert outcome.status == 502, "the gateway's key is at fault, not the caller's"
    elif each.exchange.status >= 400:
        assert outcome.status == each.exchange.status
        assert outcome.json["error"]["message"] == each.exchange.json()["error"]["message"]
    elif each.exchange.stream:
        assert outcome.raw == each.exchange.raw
    else:
        assert outcome.json == each.exchange.json()
    return set()


async def counted(house: House, upstream: str) -> Losses:
    """Claude Code's question is answered with a number, whoever serves the model: counted there, or estimated here."""
    told = json.loads(COUNTED.read_text())
    answers = {"input_tokens": 1234, "totalTokens": 1234, "object": "response.input_tokens"}
    exchange = Exchange("count", upstream, False, None, 200, json.dumps(answers).encode(), frozenset())
    house.upstream.default = Script(200, {"content-type": "application/json"}, [exchange.raw])
    outcome = await house.ask(exchange, MESSAGES, {**told["body"], "model": MODEL}, story=count)
    assert outcome.status == 200
    assert set(outcome.json) >= {"input_tokens"}
    if upstream == MESSAGES:
        assert outcome.json["input_tokens"] == 1234
    else:
        assert outcome.json["input_tokens"] > 100
    return set()
