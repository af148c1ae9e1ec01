"""How much to think, as each sort of server is told."""

from __future__ import annotations

from typing import Any

import pytest

from proxyapp.dialects.openai.settings import fit_effort
from proxyapp.ir.request import ReasoningSettings, Request, Turn

OFF = ReasoningSettings(mode="off")
ADAPTIVE = ReasoningSettings(mode="adaptive")
HIGH = ReasoningSettings(mode="effort", effort="high")
BUDGET = ReasoningSettings(mode="budget", budget=2048)
HIDDEN = ReasoningSettings(mode="effort", effort="low", show=False)
FORMS = ("reasoning_effort", "reasoning", "thinking", "chat_template_kwargs")


@pytest.fixture
def told(render: Any) -> Any:
    def run(wanted: ReasoningSettings | None, **profile: Any) -> dict[str, Any]:
        request = Request(client_dialect="some", model="m", turns=[Turn(role="user")], reasoning=wanted)
        return {name: value for name, value in render(request, **profile).items() if name in FORMS}

    return run


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, {}),
        (OFF, {"reasoning": {"effort": "none"}}),
        (ADAPTIVE, {"reasoning": {"enabled": True}}),
        (HIGH, {"reasoning": {"effort": "high"}}),
        (BUDGET, {"reasoning": {"max_tokens": 2048}}),
        (HIDDEN, {"reasoning": {"effort": "low", "exclude": True}}),
    ],
)
def test_openrouter_is_told_in_an_object(told, wanted, expected):
    assert told(wanted, reasoning_form="object", efforts=("none", "minimal", "low", "medium", "high")) == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, {}),
        (OFF, {"thinking": {"type": "disabled"}}),
        (ADAPTIVE, {"thinking": {"type": "enabled"}}),
        (HIGH, {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}),
        (BUDGET, {"thinking": {"type": "enabled"}, "reasoning_effort": "medium"}),
    ],
)
def test_deepseek_has_a_switch_with_the_effort_beside_it(told, wanted, expected):
    assert told(wanted, reasoning_form="switch") == expected


def test_a_switch_without_efforts_is_only_a_switch(told):
    assert told(HIGH, reasoning_form="switch", reasoning_effort=False) == {"thinking": {"type": "enabled"}}


@pytest.mark.parametrize(("wanted", "on"), [(OFF, False), (ADAPTIVE, True), (HIGH, True)])
def test_vllm_is_told_by_way_of_the_template(told, wanted, on):
    expected = {"chat_template_kwargs": {"enable_thinking": on, "thinking": on}}
    assert told(wanted, reasoning_form="template", reasoning_effort=False) == expected


@pytest.mark.parametrize(
    ("word", "taken", "expected"),
    [
        ("medium", ("low", "high"), "low"),
        ("max", ("low", "high"), "high"),
        ("none", ("low", "high"), "low"),
        ("none", ("none", "high"), "none"),
        ("medium", ("none", "high"), "high"),
        ("minimal", ("none", "low"), "low"),
        ("high", ("none",), None),
        ("own-word", ("none",), "own-word"),
    ],
)
def test_who_wants_some_reasoning_is_not_given_none(word, taken, expected):
    assert fit_effort(word, taken) == expected


def test_a_model_that_can_only_be_told_not_to_think_is_left_alone_with_a_note(render, upstream):
    side = upstream(efforts=("none",))
    request = Request(client_dialect="some", model="m", turns=[Turn(role="user")], reasoning=HIGH)
    assert "reasoning_effort" not in render(request, side)
    assert side.notes.header() == "reasoning"
    request.reasoning = OFF
    assert render(request, upstream(efforts=("none",)))["reasoning_effort"] == "none"
