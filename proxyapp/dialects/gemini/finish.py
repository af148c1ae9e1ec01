"""Why an answer ended: `finishReason` and `promptFeedback` to and from the IR (reference/translation.md 3.2)."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.gemini.tables import FINISH, FINISH_NUMBERS, FINISH_WORD
from proxyapp.errors import UpstreamBroken
from proxyapp.ir.response import Finish, FinishKind

_EXPLAINED = (FinishKind.CONTENT_FILTER, FinishKind.RECITATION)
_YIELDING = (FinishKind.END, FinishKind.OTHER)
_UNSAID = frozenset({"", "FINISH_REASON_UNSPECIFIED"})


def word_of(reason: Any) -> str:
    """The reason as a word; "" when none is given (Google sends the unspecified one with chunks that go on)."""
    if isinstance(reason, int) and not isinstance(reason, bool):
        reason = FINISH_NUMBERS[reason] if 0 <= reason < len(FINISH_NUMBERS) else "OTHER"
    return reason if isinstance(reason, str) and reason not in _UNSAID else ""


def parse(word: str, message: Any = None, *, called: bool) -> Finish:
    """`called`: a tool of the caller was called, for which this wire has no word of its own (it says STOP)."""
    kind = FINISH.get(word, FinishKind.OTHER)
    if called and kind in _YIELDING:
        kind = FinishKind.TOOL_CALLS
    said = message if isinstance(message, str) and message and kind in _EXPLAINED else None
    return Finish(kind=kind, raw=word, explanation=said)


def blocked(feedback: Any) -> Finish | None:
    """A prompt that was blocked: a 200 without candidates (5.3 rule 9)."""
    reason = feedback.get("blockReason") if isinstance(feedback, dict) else None
    if not reason:
        return None
    said = feedback.get("blockReasonMessage")
    explanation = said if isinstance(said, str) and said else f"The prompt was blocked ({reason})."
    return Finish(kind=FinishKind.CONTENT_FILTER, raw=str(reason), category=str(reason), explanation=explanation)


def render(finish: Finish, *, refused: str, has_content: bool) -> dict[str, Any]:
    """`finishReason` and `finishMessage`. Raises UpstreamBroken for an answer that is none (3.2 rule 3)."""
    kind = finish.kind
    if isinstance(finish.raw, str) and finish.raw in FINISH and (kind is not FinishKind.OTHER or has_content):
        return _told(finish.raw, finish.explanation)
    if kind is FinishKind.MALFORMED or (kind is FinishKind.OTHER and not has_content):
        raise UpstreamBroken(f"The model's answer was unusable ({finish.raw or 'no reason given'}).")
    if refused and FINISH_WORD[kind] in ("STOP", "SAFETY"):
        return _told("SAFETY", refused)
    return _told(FINISH_WORD[kind], finish.explanation)


def _told(word: str, message: str | None) -> dict[str, Any]:
    return {"finishReason": word, **({"finishMessage": message} if message else {})}
