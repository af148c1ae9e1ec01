"""Tool names and call ids that fit a target: deterministic, collision-free, reversible by a table.

Rules: reference/translation.md 7.1. Legal names are reserved first and stay as they are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")


def wire_names(names: Iterable[str], *, limit: int) -> dict[str, str]:
    """The caller's names -> names of [a-zA-Z0-9_-] and at most `limit` characters, no two alike."""
    wanted = list(dict.fromkeys(names))
    table = {name: name for name in wanted if _is_legal(name, limit)}
    taken = set(table)
    for name in wanted:
        if name not in table:
            table[name] = _fit(name, limit, taken)
            taken.add(table[name])
    return table


def wire_id(call_id: str, *, limit: int) -> str:
    """A call id of [a-zA-Z0-9_-] and at most `limit` characters; legal ones unchanged, deterministic."""
    if _is_legal(call_id, limit):
        return call_id
    return _hashed(_ILLEGAL.sub("_", call_id), call_id, limit)


def _is_legal(name: str, limit: int) -> bool:
    return 0 < len(name) <= limit and not _ILLEGAL.search(name)


def _fit(name: str, limit: int, taken: set[str]) -> str:
    clean = _ILLEGAL.sub("_", name)
    if clean and len(clean) <= limit and clean not in taken:
        return clean
    return _hashed(clean, name, limit)


def _hashed(clean: str, original: str, limit: int) -> str:
    return f"{clean[: limit - 9]}_{hashlib.sha256(original.encode()).hexdigest()[:8]}"
