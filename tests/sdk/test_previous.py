"""The generation of SDKs before (openai 2, anthropic 0.x with `anthropic-version: 2023-06-01`), the same scenarios.

They live in `.venv-previous`, which `make test` makes; they play in a process of their own against this one's server.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.sdk.scenarios import load

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = ROOT / ".venv-previous" / "bin" / "python"
SCENARIOS = [scenario for scenario in load() if scenario.sdk != "genai"]
CASES = [(scenario.sdk, scenario.name, over) for scenario in SCENARIOS for over in scenario.over_for_previous]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def played(in_place) -> dict[tuple[str, str, str], dict[str, Any]]:
    """What each scenario came to, all played once."""
    if not PYTHON.exists():
        missing = "the SDKs of the generation before are not installed (make .venv-previous/.sdk)"
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    command = [str(PYTHON), "-m", "tests.sdk.scenarios", "--base-url", in_place.url, "--key", in_place.key]
    plain = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    done = subprocess.run(
        [*command, "--generation", "previous"], cwd=ROOT, env=plain, capture_output=True, text=True, timeout=180
    )
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    return {(result["sdk"], result["name"], result["over"]): result for result in results}


@pytest.mark.parametrize(("sdk", "name", "over"), CASES, ids=[f"{s}-{name}-over-{over}" for s, name, over in CASES])
def test_the_previous_sdk_works(played, in_place, sdk: str, name: str, over: str) -> None:
    result = played[sdk, name, over]
    assert result["ok"], f"{result['error']}\nthe upstreams refused: {in_place.refused}"
