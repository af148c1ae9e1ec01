"""Settings that both OpenAI dialects write alike: effort, end user, schema of the answer.

Rules: reference/translation.md 2.6, 2.7 and 6.2.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from msgspec import Raw

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.openai.schemas import fitting, satisfies_strict
from proxyapp.dialects.openai.tables import EFFORT_OF_BUDGET, EFFORTS
from proxyapp.ir.request import Format, ReasoningSettings, Request

_ILLEGAL_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_END_USER_LIMIT = 64


def effort(request: Request, side: UpstreamSide) -> str | None:
    """The effort word to send; None = leave it to the model."""
    wanted = request.reasoning
    if wanted is None or not _can_be_told(wanted, request, side):
        return None
    path, ours = request.word("reasoning"), wanted.by_operator
    if wanted.mode == "between_tools":
        side.drop(path, "This upstream cannot be told when to think.")
    word = _effort_word(wanted)
    if word is None:
        return None
    fitted = fit_effort(word, side.profile.efforts)
    if fitted is None:
        side.drop(path, "The model cannot be told how much to think.", ours=ours)
        return None
    if fitted != word and (word, fitted) != ("minimal", "low"):
        sentence = f"Effort '{word}' was sent as '{fitted}', the nearest the model takes."
        side.drop(path, sentence, dropped=False, ours=ours)
    return fitted


def _can_be_told(wanted: ReasoningSettings, request: Request, side: UpstreamSide) -> bool:
    """A model that may not think at all is not asked to think least: that could begin what was to end."""
    path, ours, profile = request.word("reasoning"), wanted.by_operator, side.profile
    if not profile.reasoning_effort:
        if wanted.mode != "off":
            side.drop(path, "The model takes no reasoning settings.", ours=ours)
        return False
    if wanted.mode != "off" or profile.thinks_unasked or "none" in profile.efforts:
        return True
    side.drop(path, "The server is not known to have a word for no thinking; none was sent.", ours=ours)
    return False


def _effort_word(wanted: ReasoningSettings) -> str | None:
    """None = leave it to the model."""
    if wanted.mode == "off":
        return "none"
    if wanted.effort is not None or wanted.mode != "budget" or wanted.budget is None:
        return wanted.effort
    return next((word for most, word in EFFORT_OF_BUDGET if wanted.budget <= most), "xhigh")


def fit_effort(word: str, taken: tuple[str, ...]) -> str | None:
    """The same word where the model takes it, else the next lower one, else its lowest; unknown words as they are.
    Who wants some reasoning is not given none: None where the model has no other word."""
    if word in taken or word not in EFFORTS or not taken:
        return word
    place = EFFORTS.index(word)
    known = sorted((EFFORTS.index(each), each) for each in taken if each in EFFORTS)
    known = [(index, each) for index, each in known if each != "none"]
    lower = [each for index, each in known if index < place]
    return lower[-1] if lower else known[0][1] if known else None


def drop_sampling(top: dict[str, Raw], side: UpstreamSide) -> None:
    """Takes sampling settings out of a caller's own body, in place, for a model that refuses them while it thinks: its
    caller did not know that the operator would have it think."""
    if side.profile.sampling:
        return
    for name in ("temperature", "top_p"):
        if name in top and jsonio.decode(top[name]) not in (None, 1):
            del top[name]
            side.drop(name, "Not taken while the model thinks, as the operator has set it to.")


def end_user(request: Request, side: UpstreamSide, *, own: bool) -> dict[str, str]:
    """Who asks, under the name that the upstream knows. `own`: the caller speaks the upstream's dialect."""
    user = request.end_user
    if not user:
        return {}
    if len(user) > _END_USER_LIMIT or (not own and (user.startswith("{") or "@" in user)):
        user = hashlib.sha256(user.encode()).hexdigest()  # cutting could join two users; JSON and mail are personal
    return {"safety_identifier" if side.profile.safety_identifier else "user": user}


def schema_spec(request: Request, wanted: Format, side: UpstreamSide) -> dict[str, Any]:
    """`name`, `schema` and what else is known of it. Never tightened: optional properties stay optional, at the
    price of strict (2.6, rule 3)."""
    schema = fitting(wanted.schema or {}, side.profile) or {}
    spec: dict[str, Any] = {"name": _ILLEGAL_NAME.sub("_", wanted.name or "response")[:64] or "response"}
    if wanted.description is not None:
        spec["description"] = wanted.description
    spec["schema"] = schema
    if side.profile.plain_schemas:
        if wanted.strict:
            side.drop(
                request.word("format"), "Sent as not strict: the server knows part of JSON Schema.", dropped=False
            )
    elif wanted.strict is not None:
        spec["strict"] = wanted.strict
    elif wanted.always_held:
        spec["strict"] = satisfies_strict(schema)
        if not spec["strict"]:
            side.drop(
                request.word("format"),
                "Sent as not strict: the schema does not keep OpenAI's rules for strict.",
                dropped=False,
            )
    return spec
