"""Why an answer ended: `stop_reason` and its company to and from the IR (reference/translation.md 3.2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from proxyapp.dialects.anthropic.tables import FINISH, STOP_REASON
from proxyapp.errors import UpstreamBroken
from proxyapp.ir.parts import Part, ToolCall
from proxyapp.ir.response import Finish, FinishKind

_YIELDING = (FinishKind.END, FinishKind.OTHER, FinishKind.STOP_SEQUENCE)
_EXPLAINED = {FinishKind.RECITATION: "recitation"}


def parse(reason: Any, sequence: Any = None, details: Any = None, *, answered: bool = False) -> Finish:
    """`answered`: the answer came as the input of a forced tool, so `tool_use` is a plain end."""
    raw = reason if isinstance(reason, str) else None
    kind = FINISH.get(raw or "", FinishKind.OTHER)
    if answered and kind is FinishKind.TOOL_CALLS:
        kind = FinishKind.END
    told = details if isinstance(details, dict) else {}
    return Finish(
        kind=kind,
        raw=raw,
        sequence=sequence if isinstance(sequence, str) else None,
        category=_text(told.get("category")),
        explanation=_text(told.get("explanation")),
    )


def render(finish: Finish, *, called: bool, refused: bool, has_content: bool) -> dict[str, Any]:
    """`stop_reason`, `stop_sequence` and `stop_details`. Raises UpstreamBroken for an answer that is none.

    Calls win over a plain end, never over a cut or a filter (3.2 rule 1). A reason in this wire's own words stands:
    the provider may have answered the calls itself (corpus ...programmatic-tool-calling-1). An unknown reason without
    any content is no success, nor is a malformed answer (rule 3).
    """
    kind = finish.kind
    if kind is FinishKind.MALFORMED or (kind is FinishKind.OTHER and not has_content):
        raise UpstreamBroken(f"The model's answer was unusable ({finish.raw or 'no reason given'}).")
    reason = STOP_REASON[kind]
    if refused and kind in (*_YIELDING, FinishKind.TOOL_CALLS):
        reason = "refusal"
    elif called and kind in _YIELDING and finish.raw not in FINISH:
        reason = "tool_use"
    return {
        "stop_reason": reason,
        "stop_sequence": finish.sequence if reason == "stop_sequence" else None,
        "stop_details": _details(finish) if reason == "refusal" else None,
    }


def _details(finish: Finish) -> dict[str, Any]:
    category = finish.category if finish.raw == "refusal" else None  # other vendors' categories are not in the enum
    explanation = finish.explanation or _EXPLAINED.get(finish.kind)
    return {"type": "refusal", "category": category, "explanation": explanation}


def has_call(parts: Iterable[Part]) -> bool:
    return any(isinstance(part, ToolCall) for part in parts)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
