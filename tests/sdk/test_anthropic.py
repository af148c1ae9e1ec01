"""The newest anthropic SDK, unmodified, against the running server, over every upstream dialect."""

from __future__ import annotations

import pytest

from tests.fakes.upstream import ScriptedUpstream
from tests.sdk.conftest import Gateway
from tests.sdk.scenarios import CHAT, MESSAGES, Scenario, load

CASES = [(scenario, over) for scenario in load() if scenario.sdk == "anthropic" for over in scenario.over]
RUNNER = next(scenario for scenario, _ in CASES if scenario.name == "the_tool_runner_runs_to_the_end")
pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("scenario", "over"), CASES, ids=[f"{s.name}-over-{over}" for s, over in CASES])
def test_the_newest_sdk_works(play, scenario: Scenario, over: str) -> None:
    play(scenario, over)


def threads(server: ScriptedUpstream) -> list[str]:
    return [(seen.body.get("thread") or {"type": "none"})["type"] for seen in server.seen]


def test_the_tool_runners_thread_is_held_by_an_upstream_that_can(play, gateway: Gateway) -> None:
    gateway.servers[MESSAGES].seen.clear()
    play(RUNNER, MESSAGES)
    assert threads(gateway.servers[MESSAGES]) == ["create", "continue"] * 3


def test_the_tool_runner_goes_on_without_a_thread_where_nobody_holds_it(play, gateway: Gateway) -> None:
    gateway.servers[CHAT].seen.clear()
    play(RUNNER, CHAT)
    assert threads(gateway.servers[CHAT]) == ["none", "none"] * 2
    assert all(len(seen.body["messages"]) in (1, 4) for seen in gateway.servers[CHAT].seen)
