"""The newest openai SDK, unmodified, against the running server, over every upstream dialect."""

from __future__ import annotations

import pytest

from tests.sdk.scenarios import Scenario, load

CASES = [(scenario, over) for scenario in load() if scenario.sdk == "openai" for over in scenario.over]
pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("scenario", "over"), CASES, ids=[f"{s.name}-over-{over}" for s, over in CASES])
def test_the_newest_sdk_works(play, scenario: Scenario, over: str) -> None:
    play(scenario, over)
