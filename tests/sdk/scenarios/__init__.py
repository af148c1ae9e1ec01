"""What a user does with the official SDKs, written once for every generation of them.

A scenario is a function of a `Kit`; it fails by raising. It imports the SDK and the standard library alone, so that
`python -m tests.sdk.scenarios` runs it in any virtual environment that holds an SDK.
"""

from __future__ import annotations

import importlib
import importlib.util
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

CHAT, MESSAGES, RESPONSES, GEMINI = "openai-chat", "anthropic-messages", "openai-responses", "gemini"
UPSTREAMS = (CHAT, MESSAGES, RESPONSES, GEMINI)
MODEL = {CHAT: "gpt-4o", MESSAGES: "claude-haiku-4-5", RESPONSES: "gpt-4.1", GEMINI: "gemini-2.5-flash"}
THINKERS = {
    CHAT: ("deepseek-chat",),
    MESSAGES: ("claude-haiku-4-5", "claude-opus-4-7"),
    RESPONSES: ("gpt-5.2",),
    GEMINI: ("gemini-2.5-flash", "gemini-3-pro-preview"),
}
"""Over Messages by budget, and as they see fit; over Gemini without and with signatures that must come back."""


_OFTEN = {"openai": (CHAT, MESSAGES), "anthropic": (CHAT, MESSAGES), "responses": (MESSAGES, RESPONSES)}


class Scenario(NamedTuple):
    name: str
    sdk: str
    """openai | responses (of the openai SDK) | anthropic | genai"""
    over: tuple[str, ...]
    """Dialects of the upstreams it runs over."""
    play: Callable[[Kit], None]

    @property
    def over_for_previous(self) -> tuple[str, ...]:
        """For SDKs of the generation before: passed through and translated once. What differs is the caller's side."""
        often = tuple(over for over in self.over if over in _OFTEN[self.sdk])
        return often or self.over[:1]


ALL: list[Scenario] = []


def scenario(sdk: str, *over: str) -> Callable[[Callable[[Kit], None]], Callable[[Kit], None]]:
    """Registers a function; without `over` it runs over all upstream dialects."""

    def register(play: Callable[[Kit], None]) -> Callable[[Kit], None]:
        ALL.append(Scenario(play.__name__, sdk, over or UPSTREAMS, play))
        return play

    return register


def load() -> list[Scenario]:
    """Every scenario of the SDKs that are installed."""
    for sdk, module in (
        ("openai", "openai"),
        ("openai", "responses"),
        ("anthropic", "anthropic"),
        ("google.genai", "genai"),
    ):
        if _is_installed(sdk):
            for part in ("talk", "tools", "faults"):
                importlib.import_module(f"tests.sdk.scenarios.{module}_{part}")
    return ALL


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


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
        return MODEL[self.over]

    @property
    def thinkers(self) -> tuple[str, ...]:
        """Models that think."""
        return THINKERS[self.over]

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

    def genai(self, version: str = "v1beta", *, api_key: str = "", shared: bool = True) -> Any:
        from google import genai

        options = {"base_url": self.base_url, "api_version": version, "timeout": 20_000}
        if not shared:
            return genai.Client(api_key=api_key or self.key, http_options=options)
        name = (genai.Client, self.base_url, version, api_key)
        if name not in self._clients:
            self._clients[name] = genai.Client(api_key=api_key or self.key, http_options=options)
        return self._clients[name]

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
