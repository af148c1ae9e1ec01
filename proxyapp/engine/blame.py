"""Whose fault an upstream's no is: the credential's, and how far; or the request's, or nobody's.

The status alone does not tell. A 403 may mean the key, one model, or the words of the prompt; Anthropic says 400 when
the credit is used up, OpenAI 429. What is not told clearly is held against the key for the one model only, so that no
caller's prompt takes a key away from everybody.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

from msgspec import Struct

from proxyapp.errors import UpstreamRefused


class Reason(StrEnum):
    """Why something is out."""

    REFUSED = "refused"
    """The upstream does not know the key (any more)."""
    UNPAID = "unpaid"
    """Its account has no money, credit or quota left."""
    FORBIDDEN = "forbidden"
    """The key may not do this, here or at all."""
    LIMITED = "limited"
    """Too much for now."""
    UNREACHABLE = "unreachable"
    """Nothing answers there (a proxy)."""


class Blame(Struct, frozen=True):
    """An upstream's no is about the credential."""

    reason: Reason
    whole: bool = True
    """For everything that the credential may do; False: for this model alone."""


_UNPAID_CODES = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "insufficient_balance",
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
        "ramp_limit_exceeded",
        "BILLING_DISABLED",
    }
)
_UNPAID_WORDS = re.compile(r"your credit balance is too low|insufficient (?:account )?balance|billing hard limit", re.I)
_DISABLED = re.compile(
    r"this organi[sz]ation has been (?:disabled|suspended)|your account .{0,40}(?:banned|deactivated)", re.I
)
_BAD_KEY = re.compile(r"api key (?:not valid|expired|not found)", re.I)
"""How messages begin, Anthropic's first, which come with a 400. Only their beginning counts: further on they may repeat
what the caller sent."""
_MISSING_SCOPES = re.compile(r"you have insufficient permissions for this operation\b", re.I)
"""OpenAI's 401 to a restricted key: good for other endpoints, such as Chat without Responses."""
_CONTENT_CODES = frozenset(
    {"content_filter", "content_policy_violation", "moderation_blocked", "cyber_policy_violation"}
)
_CONTENT_WORDS = re.compile(r"\bflagged\b|\bmoderation\b|content[ _-]?(?:policy|filter|management)", re.IGNORECASE)
_ABOUT_THE_MODEL = re.compile(r"\bmodels?\b", re.IGNORECASE)
_ABOUT_THE_KEY = re.compile(
    r"api[ _-]?key|\btokens?\b|oauth|credential|authenticat|\baccount\b|organi[sz]ation|\bproject\b"
    r"|suspended|disabled|banned|leaked",
    re.IGNORECASE,
)
_PLACE = frozenset({"unsupported_country_region_territory"})
"""About the address from which the request came."""
_KEY_STATUSES = frozenset({401, 402, 403})


def of(error: UpstreamRefused) -> Blame | None:
    """None: not the credential's. A caller's own 400, 404, 413 or 422 never is, nor a 5xx."""
    if error.status == 429:
        return _of_429(error)
    if error.status == 402:
        return Blame(Reason.UNPAID)
    if error.status == 401:
        lacks_rights = _MISSING_SCOPES.match(error.message) is not None
        return Blame(Reason.FORBIDDEN, whole=False) if lacks_rights else Blame(Reason.REFUSED)
    if error.status not in (400, 403):
        return None
    if error.upstream_code in _UNPAID_CODES or _UNPAID_WORDS.match(error.message) or _needs_billing(error):
        return Blame(Reason.UNPAID)
    if error.status == 400 and _BAD_KEY.match(error.message):  # Google's servers behind Chat Completions
        return Blame(Reason.REFUSED)
    if _DISABLED.match(error.message):
        return Blame(Reason.FORBIDDEN)
    return _of_403(error) if error.status == 403 else None


def is_about_content(error: UpstreamRefused) -> bool:
    """A 403 to what was asked: another key would not help, and the caller is to know."""
    if error.status != 403:
        return False
    if error.upstream_code in _CONTENT_CODES or error.kind in _CONTENT_CODES or _CONTENT_WORDS.search(error.message):
        return True
    metadata = _dict(_dict(error.details).get("metadata"))  # OpenRouter's moderation
    return "flagged_input" in metadata or bool(metadata.get("reasons"))


def is_about_credential(error: UpstreamRefused) -> bool:
    """Is this no to be told as the gateway's own fault when the credential was the gateway's?"""
    if error.status in _KEY_STATUSES:
        return not is_about_content(error)
    return error.status == 400 and of(error) is not None


def _needs_billing(error: UpstreamRefused) -> bool:
    """Google's 400 to a project without billing."""
    return error.kind == "FAILED_PRECONDITION" and "enable billing" in error.message


def _of_429(error: UpstreamRefused) -> Blame:
    if error.upstream_code in _UNPAID_CODES:
        return Blame(Reason.UNPAID)
    if not error.retryable:  # spent for the day, as Google counts it: model by model
        return Blame(Reason.UNPAID, whole=False)
    return Blame(Reason.LIMITED, whole=False)


def _of_403(error: UpstreamRefused) -> Blame | None:
    if is_about_content(error) or error.upstream_code in _PLACE:
        return None
    if not error.details and not error.kind:  # an edge before the server, which looks at addresses and prompts
        return Blame(Reason.FORBIDDEN, whole=False)
    about_key = _ABOUT_THE_KEY.search(error.message) is not None
    about_model = error.upstream_code == "model_not_found" or _ABOUT_THE_MODEL.search(error.message) is not None
    return Blame(Reason.FORBIDDEN, whole=about_key and not about_model)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
