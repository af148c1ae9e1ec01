"""Factors out of the history: near the truth, never wild, and only from rows that can teach."""

from __future__ import annotations

import pytest

from proxyapp.history.calibration import BOUNDS, Calibrator, factors, learned
from proxyapp.history.rows import to_rows
from proxyapp.history.store import store


def test_a_factor_is_what_was_reported_over_what_was_reckoned() -> None:
    samples = [("up", "m", 130, 100), ("up", "m", 260, 200), ("up", "m", 39, 30), ("up", "n", 50, 50)]
    assert learned(samples) == {("up", "m"): pytest.approx(1.3)}


def test_short_prompts_and_impossible_counts_teach_nothing() -> None:
    assert learned([("up", "m", 500, 5)] * 10 + [("up", "m", 0, 500)] * 10) == {}


def test_the_newest_count_and_nothing_gets_wild() -> None:
    newest, old = [("up", "m", 100, 100)] * 50, [("up", "m", 300, 100)] * 50
    assert learned(newest + old) == {("up", "m"): 1.0}
    assert learned([("up", "m", 10**9, 100)] * 5) == {("up", "m"): BOUNDS[1]}
    assert learned([("up", "m", 1, 100)] * 5) == {("up", "m"): BOUNDS[0]}


@pytest.mark.django_db
def test_only_rows_with_both_numbers_are_used(an_exchange) -> None:
    def kept(number: int, **changes) -> None:
        facts = {"fresh_input": 100, "cache_read": 50, "extra": {"weight": 100}, **changes}
        store([to_rows(an_exchange(number, **facts))], "default")

    for number in range(3):
        kept(number)
    kept(3, extra={})
    kept(4, extra={"weight": "heavy"})
    kept(5, fresh_input=None)
    kept(6, usage_estimated=True)
    kept(7, outcome="error", fresh_input=9000)
    assert factors() == {("anthropic", "claude-sonnet-4-5-20250929"): pytest.approx(1.5)}


def test_the_thread_ends_when_told_and_before_it_ever_looked() -> None:
    given: list[object] = []
    calibrator = Calibrator(given.append)
    calibrator.start()
    calibrator.stop()
    assert given == []
    assert not calibrator._thread.is_alive()
