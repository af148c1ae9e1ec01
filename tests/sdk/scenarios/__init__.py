"""What a user does with the official SDKs, written once for every generation of them.

A scenario is a function of a `Kit`; it fails by raising. It imports the SDK and the standard library alone, so that
`python -m tests.sdk.scenarios` runs it in any virtual environment that holds an SDK.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

CHAT, MESSAGES = "openai-chat", "anthropic-messages"
UPSTREAMS = (CHAT, MESSAGES)


class Scenario(NamedTuple):
    name: str
    sdk: str
    """openai | anthropic"""
    over: tuple[str, ...]
    """Dialects of the upstreams it runs over."""
    play: Callable[[Kit], None]


ALL: list[Scenario] = []


def scenario(sdk: str, *over: str) -> Callable[[Callable[[Kit], None]], Callable[[Kit], None]]:
    """Registers a function; without `over` it runs over both upstream dialects."""

    def register(play: Callable[[Kit], None]) -> Callable[[Kit], None]:
        ALL.append(Scenario(play.__name__, sdk, over or UPSTREAMS, play))
        return play

    return register


def load() -> list[Scenario]:
    """Every scenario, both SDKs."""
    from tests.sdk.scenarios import (  # noqa: F401 (importing registers)
        anthropic_faults,
        anthropic_talk,
        anthropic_tools,
        openai_faults,
        openai_talk,
        openai_tools,
    )

    return ALL


class Kit:
    """Clients for one gateway, and the models that lead to one upstream dialect."""

    _clients: dict[tuple[Any, ...], Any] = {}

    def __init__(self, base_url: str, key: str, over: str, generation: str) -> None:
        self.base_url, self.key, self.over, self.generation = base_url, key, over, generation

    @property
    def is_newest(self) -> bool:
        return self.generation == "newest"

    @property
    def model(self) -> str:
        return "gpt-4o" if self.over == CHAT else "claude-haiku-4-5"

    @property
    def thinkers(self) -> tuple[str, ...]:
        """Models that think: over Messages by budget, and as they see fit."""
        return ("deepseek-chat",) if self.over == CHAT else ("claude-haiku-4-5", "claude-opus-4-7")

    def openai(self, **options: Any) -> Any:
        import openai

        return self._client(openai.OpenAI, base_url=f"{self.base_url}/v1", **options)

    def async_openai(self) -> Any:
        import openai

        return openai.AsyncOpenAI(base_url=f"{self.base_url}/v1", api_key=self.key, max_retries=0, timeout=20)

    def anthropic(self, **options: Any) -> Any:
        import anthropic

        return self._client(anthropic.Anthropic, base_url=self.base_url, **options)

    def async_anthropic(self) -> Any:
        import anthropic

        return anthropic.AsyncAnthropic(base_url=self.base_url, api_key=self.key, max_retries=0, timeout=20)

    def _client(self, kind: Any, **options: Any) -> Any:
        """One client for all scenarios, as programs have."""
        settings = {"api_key": self.key, "max_retries": 0, "timeout": 20, **options}
        name = (kind, *sorted(settings.items()))
        if name not in self._clients:
            self._clients[name] = kind(**settings)
        return self._clients[name]


def fresh() -> str:
    """A word that nobody has said before."""
    return uuid.uuid4().hex


def expect(actual: Any, expected: Any) -> None:
    """Equal, or an error that shows both (this runs where pytest does not explain asserts)."""
    if actual != expected:
        raise AssertionError(f"\n  got      {actual!r}\n  expected {expected!r}")
