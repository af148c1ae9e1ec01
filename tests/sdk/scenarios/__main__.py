"""Plays scenarios from a process of its own, a few at a time.

Prints one JSON line each: `{sdk, name, over, ok, error, seconds}`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

from tests.sdk.scenarios import Kit, Scenario, load

_AT_ONCE = 4


def play(scenario: Scenario, kit: Kit) -> dict[str, object]:
    began = time.perf_counter()
    error = ""
    try:
        scenario.play(kit)
    except Exception:  # noqa: BLE001 (whatever it is, it is told)
        error = traceback.format_exc()
    seconds = round(time.perf_counter() - began, 3)
    whose = {"sdk": scenario.sdk, "name": scenario.name, "over": kit.over}
    return {**whose, "ok": not error, "error": error, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--generation", choices=("newest", "previous"), required=True)
    asked = parser.parse_args()
    newest = asked.generation == "newest"
    cases = [(each, over) for each in load() for over in (each.over if newest else each.over_for_previous)]
    kits = [Kit(asked.base_url, asked.key, over, asked.generation) for _, over in cases]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for result in pool.map(play, [scenario for scenario, _ in cases], kits):
            sys.stdout.write(json.dumps(result) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
