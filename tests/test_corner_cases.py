"""The 218 corner cases of translation, by number: each is held by a test whose name bears it (`test_xl_013_…`).

Which test holds which: `python -m tests.test_corner_cases`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent
NUMBERS = [*map(str, range(1, 216)), "180a", "180b", "180c"]
NOT_A_TEST: dict[str, str] = {}
"""Number -> why it cannot be one. Empty, and better so."""
_NAME = re.compile(r"def (test_xl_\w+)\(")
_NUMBERS = re.compile(r"test_xl_(\d+[abc]?(?:_and_\d+[abc]?)*)_")


def held() -> dict[str, list[str]]:
    """Number -> the tests that hold it, as file and name."""
    found: dict[str, list[str]] = {number: [] for number in NUMBERS}
    for path in sorted(TESTS.rglob("test_*.py")):
        for name in _NAME.findall(path.read_text(encoding="utf-8")):
            for number in numbers_of(name):
                found[number].append(f"{path.relative_to(TESTS)}: {name}")
    return found


def numbers_of(name: str) -> list[str]:
    """`test_xl_125_and_126_…` holds two."""
    match = _NUMBERS.match(name)
    assert match, f"{name} bears no number"
    return [number.lstrip("0") for number in match[1].split("_and_")]


def test_every_corner_case_is_held_by_a_test_or_says_why_not() -> None:
    assert len(NUMBERS) == 218
    missing = [number for number, tests in held().items() if not tests]
    assert missing == list(NOT_A_TEST)


def test_no_test_bears_the_number_of_a_case_that_there_is_not() -> None:
    names = [name for path in TESTS.rglob("test_*.py") for name in _NAME.findall(path.read_text(encoding="utf-8"))]
    assert {number for name in names for number in numbers_of(name)} == set(NUMBERS) - set(NOT_A_TEST)


def test_a_name_may_bear_two_numbers() -> None:
    assert numbers_of("test_xl_070_and_178_free_text_comes_back_raw") == ["70", "178"]
    assert numbers_of("test_xl_180a_3_sdks_read_it") == ["180a"]


if __name__ == "__main__":
    for number, tests in held().items():
        sys.stdout.write(f"{number}: {'; '.join(tests) or NOT_A_TEST.get(number, 'MISSING')}\n")
