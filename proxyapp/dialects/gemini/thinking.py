"""How much to think, in the form this model takes: a level (Gemini 3) or a budget (2.5), never both.

The caller's form is kept where the model has it and converted by the ladder only where it has not
(reference/translation.md 6.2).
"""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.gemini.tables import BUDGET_EFFORT, EFFORT_BUDGET, EFFORTS
from proxyapp.ir.request import ReasoningSettings, Request


def thinking_config(request: Request, side: UpstreamSide) -> dict[str, Any]:
    """`thinkingConfig`; empty = leave it out."""
    settings, path = request.reasoning, request.word("reasoning")
    if settings is None:
        return {}
    off = settings.mode == "off" or settings.effort == "none" or (settings.mode == "budget" and settings.budget == 0)
    if side.profile.thinking == "none":
        if not off:
            side.drop(path, "This model does not think.", ours=settings.by_operator)
        return {}
    if settings.mode == "between_tools":
        side.drop(path, "This model cannot think between tools only.", dropped=False)
    by_level = side.profile.thinking == "level"
    if off:
        off_by = _level_off if by_level else _budget_off
        return off_by(side, path, ours=settings.by_operator)
    config = _by_level(settings, side, path) if by_level else _by_budget(settings, side, path)
    if settings.show is not False:
        config["includeThoughts"] = True
    return config


# --- levels


def _level_off(side: UpstreamSide, path: str, *, ours: bool) -> dict[str, Any]:
    sentence = "This model always thinks; it is asked to do so as little as it can."
    side.drop(path, sentence, dropped=False, ours=ours)
    return {"thinkingLevel": side.profile.efforts[0].upper()} if side.profile.efforts else {}


def _by_level(settings: ReasoningSettings, side: UpstreamSide, path: str) -> dict[str, Any]:
    word = settings.effort
    if settings.mode == "budget" and settings.budget is not None and settings.budget > 0:
        word = word or next((effort for most, effort in BUDGET_EFFORT if settings.budget <= most), "xhigh")
    if word is None:
        return {}
    level = _nearest(word, side, path, ours=settings.by_operator)
    return {"thinkingLevel": level.upper()} if level else {}


def _nearest(word: str, side: UpstreamSide, path: str, *, ours: bool) -> str | None:
    """The level itself, else the next lower one, else the lowest."""
    levels = side.profile.efforts
    if word in levels:
        return word
    if word not in EFFORTS or not levels:
        side.drop(path, f"This model does not know the effort `{word}`.", ours=ours)
        return None
    rank = EFFORTS.index(word)
    below = [level for level in levels if level in EFFORTS and EFFORTS.index(level) < rank]
    nearest = below[-1] if below else levels[0]
    if word != "minimal":
        side.drop(path, f"The effort `{word}` was sent as `{nearest}`.", dropped=False, ours=ours)
    return nearest


# --- budgets


def _budget_off(side: UpstreamSide, path: str, *, ours: bool) -> dict[str, Any]:
    if side.profile.thinking_can_be_off:
        return {"thinkingBudget": 0}
    least = side.profile.least_budget
    side.drop(path, f"This model always thinks; it got its least budget, {least}.", dropped=False, ours=ours)
    return {"thinkingBudget": least}


def _by_budget(settings: ReasoningSettings, side: UpstreamSide, path: str) -> dict[str, Any]:
    if settings.budget is not None and (settings.mode == "budget" or settings.by_operator):
        return {"thinkingBudget": _fitted(settings.budget, side, path, said=True, ours=settings.by_operator)}
    if settings.mode == "between_tools":
        return {}
    word = settings.effort
    if word is None:
        return {"thinkingBudget": -1}
    if word not in EFFORT_BUDGET:
        side.drop(path, f"This model does not know the effort `{word}`.")
        return {}
    return {"thinkingBudget": _fitted(EFFORT_BUDGET[word], side, path, said=False)}


def _fitted(budget: int, side: UpstreamSide, path: str, *, said: bool, ours: bool = False) -> int:
    if budget < 0:
        return -1
    fitting = max(budget, side.profile.least_budget)
    if side.profile.most_budget is not None:
        fitting = min(fitting, side.profile.most_budget)
    if said and fitting != budget:
        sentence = f"The thinking budget was fitted to what the model takes: {fitting}."
        side.drop(path, sentence, dropped=False, ours=ours)
    return fitting
