"""Which item ids OpenAI takes, and which reasoning items may be sent. Rules: reference/translation.md 2.3 Target R.

OpenAI answers 400 to an id that is not in its form and to reasoning that no item follows; it drops nothing itself.
"""

from __future__ import annotations

import re
from typing import Any

from proxyapp.dialects.openai_responses.tables import CALLERS_ITEMS, ID_PREFIX

_LEGAL = re.compile(r"[a-z]+_[A-Za-z0-9_-]{1,60}\Z")
_LONGEST = 64
_STRICT = {"message", "reasoning", "function_call"}
"""Kinds whose prefix is checked; recordings show more than one for the others."""


def is_legal(kind: str, item_id: Any) -> bool:
    """Has the id the form of OpenAI's own for an item of this kind?"""
    if not isinstance(item_id, str) or len(item_id) > _LONGEST or not _LEGAL.match(item_id):
        return False
    return kind not in _STRICT or item_id.startswith(f"{ID_PREFIX[kind]}_")


def with_legal_id(item: dict[str, Any]) -> dict[str, Any]:
    """The item, without its id where that would be refused."""
    if "id" not in item or is_legal(str(item.get("type")), item["id"]):
        return item
    return {name: value for name, value in item.items() if name != "id"}


def followed(items: list[Any]) -> list[Any]:
    """The items without reasoning that nothing of the model's follows."""
    kept: list[Any] = []
    has_follower = False
    for item in reversed(items):
        kind = _kind_of(item)
        if kind == "reasoning" and not has_follower:
            continue
        if kind != "reasoning":
            has_follower = kind not in CALLERS_ITEMS and not (kind == "message" and _role_of(item) != "assistant")
        kept.append(item)
    return kept[::-1]


def _kind_of(item: Any) -> str:
    if not isinstance(item, dict):
        return "message"
    return str(item.get("type") or "message")


def _role_of(item: Any) -> Any:
    return item.get("role") if isinstance(item, dict) else None
