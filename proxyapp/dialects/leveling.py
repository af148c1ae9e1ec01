"""Clearing a caller's body of all that tells a model how much to think, where the operator's level holds instead."""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from proxyapp.dialects import jsonio
from proxyapp.errors import BodyUnreadable
from proxyapp.ir import levels


def take_away(top: dict[str, Raw]) -> dict[str, Any]:
    """Takes such fields out of a body's top level, in place, and out of the objects that hold some among others.
    Returns what stood at the top, decoded; what cannot be read is taken away as well."""
    taken = {name: _value(top.pop(name)) for name in [name for name in top if name in levels.WORDS]}
    for name in [name for name in top if name in levels.HOLDERS]:
        given = _value(top[name])
        kept = levels.without_words({name: given})
        if name not in kept or (given is None and bytes(top[name]).strip() != b"null"):
            del top[name]
        elif kept[name] != given:
            top[name] = Raw(jsonio.encode(kept[name]))
    return taken


def _value(raw: Raw) -> Any:
    try:
        return jsonio.decode(raw)
    except BodyUnreadable:
        return None
