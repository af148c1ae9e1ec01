"""How much to think, in the form this model takes: reference/translation.md 6.2 and 2.4.1 rule 3.

The caller's form is kept where the model has it and converted by the ladder only where it has not.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from proxyapp.dialects.anthropic.tables import (
    BUDGET_EFFORT,
    EFFORT_BUDGET,
    EFFORTS,
    LEAST_BUDGET,
    NAME,
)
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.ir.request import ReasoningSettings, Request

_ADAPTIVE = ("adaptive", "both")
_BUDGET = ("budget", "both")


ANSWER_ROOM = 4_000
"""Tokens for the answer beside a budget that the operator's level sets (reference/upstreams.md 1.6)."""


class Plan(Struct):
    """What will be sent as `thinking` and `output_config.effort`."""

    thinking: dict[str, Any] | None = None
    effort: str | None = None
    limit: int | None = None
    """`max_tokens` that the budget needs; None: the one there is will do."""

    @property
    def is_on(self) -> bool:
        return self.thinking is not None and self.thinking["type"] != "disabled"

    @property
    def has_budget(self) -> bool:
        return self.thinking is not None and self.thinking["type"] == "enabled"


class Planner:
    """Decides for one request. `limit` is the `max_tokens` that will be sent."""

    def __init__(self, request: Request, side: UpstreamSide, limit: int) -> None:
        self.request = request
        self.side = side
        self.limit = limit
        self.form = side.profile.thinking
        self.own = request.client_dialect == NAME
        self.path = request.word("reasoning")
        self.ours = request.reasoning is not None and request.reasoning.by_operator

    def plan(self) -> Plan:
        settings = self.request.reasoning
        if settings is None:
            return Plan()
        if self._is_off(settings):
            return self._off(settings)
        if self.form == "none":
            self._say("This model does not think.")
            return Plan()
        return self._by_level(settings) if settings.by_operator else self._on(settings)

    def _on(self, settings: ReasoningSettings) -> Plan:
        match settings.mode:
            case "budget" if settings.budget is not None and settings.budget > 0:
                return self._budget(settings, settings.budget)
            case "effort" if self.own:
                return self._effort_alone(settings)
            case "between_tools" if self.form in _ADAPTIVE:
                return Plan({"type": "between_tools"}, self._effort(settings.effort))
            case "between_tools":
                self._say("This model cannot think between tools only.", dropped=False)
        return self._by_effort(settings)

    def _say(self, sentence: str, *, dropped: bool = True) -> None:
        self.side.drop(self.path, sentence, dropped=dropped, ours=self.ours)

    # --- off

    def _is_off(self, settings: ReasoningSettings) -> bool:
        return (
            settings.mode == "off"
            or (settings.mode == "effort" and settings.effort == "none")
            or (settings.mode == "budget" and settings.budget == 0)
        )

    def _off(self, settings: ReasoningSettings) -> Plan:
        if self.form == "none" or (self.ours and not self.side.profile.thinks_unasked):
            return Plan()
        if self.side.profile.thinking_can_be_off:
            return Plan({"type": "disabled"}, self._effort_while_off(settings))
        self._say("This model always thinks; it is asked to do so as little as it can.", dropped=False)
        if self.form in _ADAPTIVE and self.side.profile.efforts:
            return Plan(None, self.side.profile.efforts[0])
        return Plan()

    def _effort_while_off(self, settings: ReasoningSettings) -> str | None:
        """Some models refuse `disabled` together with an effort above high (6.2)."""
        if settings.mode != "off" or settings.effort == "none" or self.form not in _ADAPTIVE:
            return None
        effort = self._effort(settings.effort)
        if effort in ("xhigh", "max"):
            self._say("Without thinking the effort is at most high.", dropped=False)
            return "high"
        return effort

    # --- on

    def _budget(self, settings: ReasoningSettings, budget: int) -> Plan:
        if self.form not in _BUDGET:
            return Plan(self._adaptive(settings), self._effort(settings.effort or effort_of(budget)))
        thinking = self._enabled(settings, budget, said=True)
        effort = self._effort(settings.effort) if self.form == "both" else None
        if settings.effort and self.form == "budget":
            self._say("This model takes a budget and no effort word.")
        return Plan(thinking, effort)

    def _effort_alone(self, settings: ReasoningSettings) -> Plan:
        """`output_config.effort` without `thinking` (6.2, more rules 1): it asks for no thinking of its own."""
        if self.form in _ADAPTIVE:
            return Plan(None, self._effort(settings.effort))
        self._say("This model takes a budget and no effort word.")
        return Plan()

    def _by_effort(self, settings: ReasoningSettings) -> Plan:
        if self.form in _ADAPTIVE:
            return Plan(self._adaptive(settings), self._effort(settings.effort))
        # A dynamic budget (-1) is a medium one; no word at all leaves it to the model, which thinks hard (6.2).
        word_ = settings.effort or ("medium" if settings.mode == "budget" else "high")
        return Plan(self._enabled(settings, EFFORT_BUDGET.get(word_, EFFORT_BUDGET["high"]), said=False))

    def _adaptive(self, settings: ReasoningSettings) -> dict[str, Any]:
        thinking: dict[str, Any] = {"type": "adaptive"}
        display = settings.display if self.own else ("omitted" if settings.show is False else "summarized")
        if display:  # newer models hide the text unless they are told (6.2, more rules 2)
            thinking["display"] = display
        return thinking

    def _enabled(self, settings: ReasoningSettings, budget: int, *, said: bool) -> dict[str, Any] | None:
        """Budget thinking inside the output limit: the limit is the caller's and stays (2.4.1 rule 3)."""
        if self.limit <= LEAST_BUDGET:
            sentence = f"Thinking needs an output limit above {LEAST_BUDGET} tokens; it was switched off."
            self._say(sentence)
            return None
        fitting = max(LEAST_BUDGET, min(budget, self.limit - 1))
        if said and fitting != budget:
            sentence = "The thinking budget was fitted between 1024 and the output limit."
            self._say(sentence, dropped=False)
        thinking: dict[str, Any] = {"type": "enabled", "budget_tokens": fitting}
        if self.own and settings.display:
            thinking["display"] = settings.display
        return thinking

    def _by_level(self, settings: ReasoningSettings) -> Plan:
        """The operator's level: by effort where the model takes that, else by a budget that makes its own room."""
        if self.form in _ADAPTIVE:
            return Plan(self._adaptive(settings), self._effort(settings.effort))
        budget, limit = self._roomy(settings.budget or LEAST_BUDGET)
        if limit <= LEAST_BUDGET:
            self._say(f"Thinking needs an output limit above {LEAST_BUDGET} tokens; it was left out.")
            return Plan()
        if budget != settings.budget:
            self._say(f"The thinking budget was lowered to {budget}, to leave room for the answer.", dropped=False)
        thinking: dict[str, Any] = {"type": "enabled", "budget_tokens": budget}
        if self.own and settings.display:
            thinking["display"] = settings.display
        return Plan(thinking, limit=limit)

    def _roomy(self, budget: int) -> tuple[int, int]:
        """(budget, `max_tokens`) that stand together. A limit that does not hold the budget is the caller's, who did
        not know of it: it is raised as far as the model and the operator's cap allow, then the budget gives way."""
        if budget < self.limit:
            return budget, self.limit
        caps = [most for most in (self.side.profile.max_output, self.side.max_output) if most is not None]
        limit = max(self.limit, min([budget + ANSWER_ROOM, *caps]))
        return min(budget, max(LEAST_BUDGET, limit - ANSWER_ROOM)), limit

    def _effort(self, wanted: str | None) -> str | None:
        """The nearest effort word the model takes: not above what was asked, unless there is none below."""
        efforts = self.side.profile.efforts
        if wanted is None or wanted in efforts:
            return wanted
        if wanted not in EFFORTS or not efforts:
            self._say(f"This model does not know the effort `{wanted}`.")
            return None
        rank = EFFORTS.index(wanted)
        below = [effort for effort in efforts if effort in EFFORTS and EFFORTS.index(effort) < rank]
        nearest = below[-1] if below else efforts[0]
        if wanted != "minimal":
            self._say(f"The effort `{wanted}` was sent as `{nearest}`.", dropped=False)
        return nearest


def effort_of(budget: int) -> str:
    """The effort word of a thinking budget, by the ladder."""
    return next((effort for most, effort in BUDGET_EFFORT if budget <= most), "xhigh")


def switch_off(plan: Plan, side: UpstreamSide, path: str, why: str) -> bool:
    """Takes budget thinking out of a plan, where the model allows that; says so in a Note."""
    if not side.profile.thinking_can_be_off:
        return False
    plan.thinking = plan.limit = None
    side.drop(path, why, ours=side.level is not None)
    return True


def raised(plan: Plan, side: UpstreamSide, limit: int, path: str) -> int:
    """The `max_tokens` to send, with a Note where the operator's level needs more than `limit`."""
    if plan.limit is None or plan.limit <= limit:
        return limit
    side.drop(path, f"Raised to {plan.limit}, above the thinking budget of the operator's reasoning level.", ours=True)
    return plan.limit
