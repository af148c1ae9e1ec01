"""How much to think, for each kind of model (reference/translation.md 6.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from proxyapp.dialects.anthropic.tables import EFFORT_BUDGET, WORDS
from proxyapp.dialects.anthropic.thinking import Plan, Planner, effort_of
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.openai_chat.tables import WORDS as CHAT_WORDS
from proxyapp.ir.request import ReasoningSettings, Request

Upstream = Callable[..., UpstreamSide]
CHAT = "openai-chat"
OWN = "anthropic-messages"
ALL = ("low", "medium", "high", "xhigh", "max")


def plan(side: UpstreamSide, dialect: str = CHAT, limit: int = 64000, **settings: Any) -> Plan:
    request = Request(
        client_dialect=dialect,
        words=CHAT_WORDS if dialect == CHAT else WORDS,
        model="m",
        reasoning=ReasoningSettings(**settings),
    )
    return Planner(request, side, limit).plan()


def test_nothing_asked_nothing_sent(upstream: Upstream) -> None:
    request = Request(client_dialect=CHAT, words=CHAT_WORDS, model="m")
    assert Planner(request, upstream(thinking="adaptive"), 100).plan() == Plan()


@pytest.mark.parametrize("word", ["minimal", "low", "medium", "high", "xhigh"])
def test_the_ladder_is_stable_in_both_directions(word: str) -> None:
    assert effort_of(EFFORT_BUDGET[word]) == word


@pytest.mark.parametrize(
    ("effort", "sent", "is_said"),
    [
        ("minimal", "low", False),
        ("low", "low", False),
        ("high", "high", False),
        ("xhigh", "high", True),
        ("max", "high", True),
        ("huge", None, True),
    ],
)
def test_effort_words_a_model_lacks_become_the_nearest_below(
    upstream: Upstream, effort: str, sent: str | None, is_said: bool
) -> None:
    side = upstream(thinking="adaptive")
    made = plan(side, mode="effort", effort=effort)
    assert made.thinking == {"type": "adaptive", "display": "summarized"}
    assert made.effort == sent
    assert bool(side.notes.items) is is_said


def test_effort_words_a_model_has_are_sent_as_they_are(upstream: Upstream) -> None:
    for effort in ALL:
        side = upstream(thinking="adaptive", efforts=ALL)
        assert plan(side, mode="effort", effort=effort).effort == effort
        assert not side.notes.items


@pytest.mark.parametrize(
    ("effort", "budget"), [("minimal", 1024), ("low", 1024), ("medium", 8192), ("high", 24576), ("max", 63999)]
)
def test_effort_becomes_a_budget_where_that_is_the_form(upstream: Upstream, effort: str, budget: int) -> None:
    side = upstream(thinking="budget")
    assert plan(side, mode="effort", effort=effort).thinking == {"type": "enabled", "budget_tokens": budget}
    assert not side.notes.items


def test_adaptive_becomes_a_hard_budget_where_that_is_the_form(upstream: Upstream) -> None:
    side = upstream(thinking="budget")
    assert plan(side, OWN, mode="adaptive").thinking == {"type": "enabled", "budget_tokens": 24576}
    assert plan(side, OWN, mode="adaptive", effort="low").thinking == {"type": "enabled", "budget_tokens": 1024}


@pytest.mark.parametrize(("budget", "effort"), [(1024, "low"), (8192, "medium"), (31999, "high")])
def test_a_budget_becomes_effort_where_budgets_are_refused(upstream: Upstream, budget: int, effort: str) -> None:
    made = plan(upstream(thinking="adaptive"), OWN, mode="budget", budget=budget)
    assert made == Plan({"type": "adaptive"}, effort)


def test_a_budget_stays_one_where_it_is_known(upstream: Upstream) -> None:
    side = upstream(thinking="both")
    made = plan(side, OWN, mode="budget", budget=31999, display="omitted", effort="low")
    assert made == Plan({"type": "enabled", "budget_tokens": 31999, "display": "omitted"}, "low")
    assert not side.notes.items


def test_a_budget_model_takes_no_effort_word(upstream: Upstream) -> None:
    side = upstream(thinking="budget")
    assert plan(side, OWN, mode="budget", budget=2000, effort="low").effort is None
    assert plan(side, OWN, mode="effort", effort="low") == Plan()
    assert [note.path for note in side.notes.items] == ["thinking"]


@pytest.mark.parametrize(("budget", "limit", "fitted"), [(5000, 4000, 3999), (100, 4000, 1024), (2000, 4000, 2000)])
def test_a_budget_is_fitted_under_the_limit(upstream: Upstream, budget: int, limit: int, fitted: int) -> None:
    side = upstream(thinking="budget")
    made = plan(side, OWN, limit, mode="budget", budget=budget)
    assert made.thinking == {"type": "enabled", "budget_tokens": fitted}
    assert bool(side.notes.items) is (budget != fitted)


@pytest.mark.parametrize("limit", [1, 1024])
def test_without_room_thinking_is_off(upstream: Upstream, limit: int) -> None:
    side = upstream(thinking="budget")
    assert plan(side, limit=limit, mode="effort", effort="high").thinking is None
    assert side.notes.items


def test_models_that_do_not_think_are_not_asked_to(upstream: Upstream) -> None:
    side = upstream()
    assert plan(side, mode="effort", effort="high") == Plan()
    assert [note.path for note in side.notes.items] == ["reasoning_effort"]
    quiet = upstream()
    assert plan(quiet, mode="off") == Plan()
    assert not quiet.notes.items


@pytest.mark.parametrize("form", ["budget", "adaptive", "both"])
@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "off"},
        {"mode": "off", "effort": "none"},
        {"mode": "effort", "effort": "none"},
        {"mode": "budget", "budget": 0},
    ],
)
def test_off_is_said_in_the_wires_own_word(upstream: Upstream, form: str, settings: dict[str, Any]) -> None:
    side = upstream(thinking=form)
    assert plan(side, **settings) == Plan({"type": "disabled"})
    assert not side.notes.items


def test_off_bears_no_effort_above_high(upstream: Upstream) -> None:
    side = upstream(thinking="adaptive", efforts=ALL)
    assert plan(side, OWN, mode="off", effort="max") == Plan({"type": "disabled"}, "high")
    assert plan(upstream(thinking="adaptive"), OWN, mode="off", effort="low").effort == "low"
    assert side.notes.items


def test_a_budget_model_that_cannot_stop_is_left_alone(upstream: Upstream) -> None:
    side = upstream(thinking="budget", thinking_can_be_off=False)
    assert plan(side, mode="off") == Plan()
    assert side.notes.items


def test_between_tools_is_kept_where_it_can_be(upstream: Upstream) -> None:
    assert plan(upstream(thinking="adaptive"), OWN, mode="between_tools") == Plan({"type": "between_tools"})
    side = upstream(thinking="budget")
    made = plan(side, OWN, mode="between_tools").thinking
    assert made is not None
    assert made["type"] == "enabled"
    assert side.notes.items


def test_a_dynamic_budget_is_a_medium_one(upstream: Upstream) -> None:
    made = plan(upstream(thinking="budget"), "gemini", mode="budget", budget=-1).thinking
    assert made == {"type": "enabled", "budget_tokens": 8192}


def test_a_caller_that_wants_no_text_gets_none(upstream: Upstream) -> None:
    made = plan(upstream(thinking="adaptive"), mode="effort", effort="low", show=False).thinking
    assert made == {"type": "adaptive", "display": "omitted"}


def test_this_dialects_own_callers_decide_about_the_text(upstream: Upstream) -> None:
    assert plan(upstream(thinking="adaptive"), OWN, mode="adaptive").thinking == {"type": "adaptive"}
    effort_alone = plan(upstream(thinking="adaptive"), OWN, mode="effort", effort="low")
    assert effort_alone == Plan(None, "low")
