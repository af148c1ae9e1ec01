"""Why an upstream's answer ended (reference/translation.md 3.2)."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.openai.fields import as_text
from proxyapp.dialects.openai_responses.tables import INCOMPLETE
from proxyapp.ir.response import Finish, FinishKind


def finish_of(response: dict[str, Any], *, calls: bool, refused: bool) -> Finish:
    """`calls`: it holds calls of the caller's tools. What is cut or filtered is so before anything else."""
    status, details = as_text(response.get("status")), response.get("incomplete_details")
    reason = as_text(details.get("reason")) if isinstance(details, dict) else ""
    if status == "incomplete" or reason:
        return Finish(kind=INCOMPLETE.get(reason, FinishKind.OTHER), raw=reason or status)
    if status not in ("completed", ""):
        return Finish(kind=FinishKind.OTHER, raw=status)
    kind = FinishKind.TOOL_CALLS if calls else FinishKind.REFUSAL if refused else FinishKind.END
    return Finish(kind=kind, raw=status or None)
