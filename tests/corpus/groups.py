"""The groups in which the recorded traffic is held to its checks and counted: one list for the tests and the table."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from proxyapp.ir.profile import Profile
from tests.corpus import checks, endpoints, request_checks, roads
from tests.corpus.checks import Losses
from tests.corpus.exchanges import (
    CHAT,
    GEMINI,
    MESSAGES,
    RESPONSES,
    SPOKEN,
    Agent,
    Exchange,
    agents,
    exchanges,
    others,
)
from tests.corpus.house import House
from tests.corpus.request_checks import Asking

OLDER = {
    CHAT: ("openai", "gpt-4o"),
    RESPONSES: ("openai", "gpt-4o"),
    MESSAGES: ("anthropic", "claude-sonnet-4-5"),
    GEMINI: ("gemini", "gemini-2.5-flash"),
}
"""Models of the generation before, which can do less than those of `roads.CURRENT`."""


@dataclass(frozen=True)
class Case:
    """One exchange or request held to one check."""

    caller: str
    upstream: str
    form: str
    """whole, stream or error; for requests: recorded or agent."""
    id: str
    run: Callable[[House], Losses | Awaitable[Losses]]

    def __str__(self) -> str:
        return f"{self.caller} to {self.upstream}: {self.id}"


@dataclass(frozen=True)
class Group:
    """Cases held to the same check."""

    title: str
    make: Callable[[], Iterator[Case]]

    def cases(self) -> list[Case]:
        return list(self.make())


def _same() -> Iterator[Case]:
    for each in exchanges():
        yield Case(each.dialect, each.dialect, each.form, each.id, lambda house, e=each: checks.same(house, e))


def _cross() -> Iterator[Case]:
    for each in exchanges():
        for caller in others(each.dialect):
            run = functools.partial(_crossed, exchange=each, caller=caller)
            yield Case(caller, each.dialect, each.form, each.id, run)


def _crossed(house: House, exchange: Exchange, caller: str) -> Awaitable[Losses]:
    return checks.cross(house, exchange, caller)


def _piecewise() -> Iterator[Case]:
    for each in exchanges():
        for caller in SPOKEN if each.stream else ():
            yield _answer(each, caller, checks.piecewise)


def _alike() -> Iterator[Case]:
    for each in exchanges():
        for caller in () if each.is_error else SPOKEN:
            yield _answer(each, caller, checks.alike)


def _answer(exchange: Exchange, caller: str, check: Callable[[Exchange, str], Losses]) -> Case:
    return Case(caller, exchange.dialect, exchange.form, exchange.id, lambda house: check(exchange, caller))


def _forwarded() -> Iterator[Case]:
    for each in _asking():
        yield _request(each, each.dialect, request_checks.forwarded)


def _translated() -> Iterator[Case]:
    yield from _translations({name: roads.profile_of(name) for name in SPOKEN})


def _translated_older() -> Iterator[Case]:
    yield from _translations({name: roads.profile_of(name, *OLDER[name]) for name in SPOKEN})


def _translations(profiles: dict[str, Profile]) -> Iterator[Case]:
    for each in _asking():
        for to in others(each.dialect):
            check = functools.partial(request_checks.translated, to=to, profile=profiles[to])
            yield _request(each, to, check)


def _asking() -> list[Asking]:
    return [each for each in (*exchanges(), *agents()) if each.body is not None]


def _request(asker: Asking, to: str, check: Callable[[Asking], Losses]) -> Case:
    form = "agent" if isinstance(asker, Agent) else "recorded"
    return Case(asker.dialect, to, form, asker.id, lambda house: check(asker))


def _endpoints() -> Iterator[Case]:
    for each in endpoints.recorded():
        run = functools.partial(endpoints.passed_on, each=each)
        yield Case(each.kind, each.kind, each.exchange.form, each.id, run)
    for upstream in SPOKEN:
        run = functools.partial(endpoints.counted, upstream=upstream)
        yield Case(MESSAGES, upstream, "agent", endpoints.COUNTED.stem, run)


SAME = Group("Answers, same dialect: unchanged", _same)
CROSS = Group("Answers, another dialect: the same meaning", _cross)
PIECEWISE = Group("Streams one byte at a time: the same bytes", _piecewise)
ALIKE = Group("Stream and whole answer: the same meaning", _alike)
FORWARDED = Group("Requests, same dialect: unchanged", _forwarded)
TRANSLATED = Group("Requests for a current model: the same meaning", _translated)
TRANSLATED_OLDER = Group("Requests for an older model: the same meaning", _translated_older)
ENDPOINTS = Group("Other endpoints: passed on, and tokens counted", _endpoints)
GROUPS = (SAME, CROSS, PIECEWISE, ALIKE, FORWARDED, TRANSLATED, TRANSLATED_OLDER, ENDPOINTS)
