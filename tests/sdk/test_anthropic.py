"""The newest anthropic SDK, unmodified, against the running server, over both upstream dialects."""

from __future__ import annotations

import pytest

from tests.sdk.scenarios import Kit, Scenario, load

CASES = [(scenario, over) for scenario in load() if scenario.sdk == "anthropic" for over in scenario.over]


@pytest.mark.parametrize(("scenario", "over"), CASES, ids=[f"{s.name}-over-{over}" for s, over in CASES])
def test_the_newest_sdk_works(gateway, scenario: Scenario, over: str) -> None:
    kit = Kit(gateway.url, gateway.key, over, "newest")
    try:
        scenario.play(kit)
    except Exception as error:
        error.add_note(f"the upstreams refused: {gateway.refused}")
        raise
