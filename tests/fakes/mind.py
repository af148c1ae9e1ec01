"""What the strict upstreams say: the last user text that begins with a cue decides, whatever the dialect."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

CITIES = {"Paris": 21, "Zürich": 7}
GREETING = ["Hel", "lo there, Zoë", " 🌍", "."]
PERSON = {"name": "Ada", "age": 36}
THOUGHT = ["The user asks about ", "two cities: Paris & Zürich."]
CONCLUSION = ["Both are ", "known now."]
PATCH = '*** Begin Patch\n*** Update File: é "x".txt\n-a\\b\n+c\t{"d": 1}\n*** End Patch\n'
"""What a free-form tool is handed; it has all that JSON must escape."""


@dataclass
class Ask:
    """What a request asks, whatever its dialect."""

    model: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    said: list[str] = field(default_factory=list)
    """The user's texts of the whole conversation."""
    results: list[str] = field(default_factory=list)
    """Tool results since the last assistant message, in order."""
    tools: list[str] = field(default_factory=list)
    forced: str | None = None
    """The tool that must be called; "*" = any."""
    parallel: bool = True
    thinks: bool = False
    has_format: bool = False
    stop: list[str] = field(default_factory=list)
    system: str = ""
    media: list[str] = field(default_factory=list)


@dataclass
class ToolUse:
    name: str
    arguments: dict[str, Any]


@dataclass
class Answer:
    text: list[str] = field(default_factory=list)
    """As streamed."""
    calls: list[ToolUse] = field(default_factory=list)
    thinking: list[str] = field(default_factory=list)
    finish: str = ""
    """end | calls | length | stop | refusal | filter | blocked (Gemini: the prompt); "" = as the content says."""
    stop_sequence: str | None = None
    fresh: int = 12
    cache_read: int = 0
    output: int = 7
    redacted: bool = False
    """Messages: the thinking comes as `redacted_thinking`."""
    interleaved: bool = False
    """Chat streams: the fragments of parallel calls come in turns."""
    ends: str = "done"
    """done | error | cut: how a stream ends after its text."""

    def __post_init__(self) -> None:
        self.finish = self.finish or ("calls" if self.calls else "end")


@dataclass
class Fault:
    """An HTTP error."""

    status: int
    message: str
    retry_after: float | None = None


class Mind:
    """A model with a memory for `once:` cues: `once:429:<word>` fails the first time it sees this very text."""

    def __init__(self) -> None:
        self._failed: set[str] = set()

    def __call__(self, ask: Ask) -> Answer | Fault:
        cues = [_cue(said) for said in reversed(ask.said)]
        cue, rest = next((found for found in cues if found[0] in {*_CUES, "once", "always"}), ("hello", ""))
        if cue in ("once", "always"):
            return self._fail(cue, rest)
        if ask.forced:
            return _forced(ask)
        return _CUES[cue](ask)

    def _fail(self, cue: str, rest: str) -> Answer | Fault:
        if rest in self._failed:
            return Answer(text=["Recovered."])
        if cue == "once":
            self._failed.add(rest)
        status = int(rest.partition(":")[0])
        return Fault(status, f"scripted {status}", retry_after=0.05 if status == 429 else None)


def _cue(said: str) -> tuple[str, str]:
    """The first word, cut at its colon, which only `once` and `always` have."""
    cue, _, rest = (said.split() or [""])[0].partition(":")
    return cue, rest


def _greet(ask: Ask) -> Answer:
    return Answer(text=list(GREETING))


def _weather(ask: Ask, *, thinks: bool = False, interleaved: bool = False) -> Answer | Fault:
    if ask.results:
        return Answer(text=["Then: ", "; ".join(ask.results), "."], thinking=CONCLUSION if thinks else [])
    if "get_weather" not in ask.tools:
        return Fault(400, "the tool get_weather was not offered")
    cities = list(CITIES) if ask.parallel else ["Paris"]
    calls = [ToolUse("get_weather", {"city": city, "unit": "celsius"}) for city in cities]
    return Answer(text=["Let me ", "look."], calls=calls, thinking=THOUGHT if thinks else [], interleaved=interleaved)


def _interleaved(ask: Ask) -> Answer | Fault:
    return _weather(ask, interleaved=True)


def _ponder(ask: Ask) -> Answer | Fault:
    return _weather(ask, thinks=ask.thinks)


def _hidden(ask: Ask) -> Answer | Fault:
    answer = _weather(ask, thinks=ask.thinks)
    return replace(answer, redacted=True) if isinstance(answer, Answer) else answer


def _clock(ask: Ask) -> Answer:
    return Answer(text=["It is ", *ask.results]) if ask.results else Answer(calls=[ToolUse("get_time", {})])


def _patch(ask: Ask) -> Answer | Fault:
    """A free-form tool, or the function that stands for one: its only argument is called `input` there."""
    if ask.results:
        return Answer(text=["Done: ", *ask.results])
    found = [tool for tool in ask.tools if tool.endswith(("apply_patch", "exec"))]
    if not found:
        return Fault(400, "no free-form tool was offered")
    return Answer(text=["Patching."], calls=[ToolUse(found[0], {"input": PATCH})], thinking=THOUGHT * ask.thinks)


def _person(ask: Ask) -> Answer | Fault:
    if not ask.has_format:
        return Fault(400, "no output format was given")
    text = json.dumps(PERSON)
    return Answer(text=[text[:9], text[9:]])


def _look(ask: Ask) -> Answer:
    return Answer(text=["I see ", " and ".join(ask.media) or "nothing", "."])


def _mirror(ask: Ask) -> Answer:
    """The request as it came, for scenarios that look at it."""
    shown = {n: v for n, v in ask.headers.items() if n.startswith(("anthropic-", "openai-", "idempotency"))}
    return Answer(text=[json.dumps({"headers": shown, "body": ask.body, "system": ask.system}, ensure_ascii=False)])


def _stop(ask: Ask) -> Answer | Fault:
    if not ask.stop:
        return Fault(400, "no stop sequence was given")
    return Answer(text=["One, two", ", "], finish="stop", stop_sequence=ask.stop[0])


def _forced(ask: Ask) -> Answer:
    name = ask.tools[0] if ask.forced == "*" else str(ask.forced)
    known = {"get_weather": {"city": "Paris", "unit": "celsius"}}
    return Answer(calls=[ToolUse(name, known.get(name, {}))])


_CUES: dict[str, Callable[[Ask], Answer | Fault]] = {
    "hello": _greet,
    "weather": _weather,
    "interleaved": _interleaved,
    "ponder": _ponder,
    "hidden": _hidden,
    "clock": _clock,
    "patch": _patch,
    "person": _person,
    "look": _look,
    "mirror": _mirror,
    "stop": _stop,
    "cached": lambda ask: Answer(text=["Cheap."], fresh=20, cache_read=100, output=3),
    "long": lambda ask: Answer(text=["And so on and "], finish="length"),
    "refuse": lambda ask: Answer(text=["I will not."], finish="refusal"),
    "filter": lambda ask: Answer(text=["Half of "], finish="filter"),
    "blocked": lambda ask: Answer(finish="blocked"),
    "break": lambda ask: Answer(text=["So far so "], ends="error"),
    "cut": lambda ask: Answer(text=["So far so "], ends="cut"),
}
