"""Overrides of what a model can do, as the console and the declarative file give them: checked against `ir.profile`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from proxyapp.config.wording import say
from proxyapp.ir.profile import Profile

FIELDS: dict[str, Any] = get_type_hints(Profile)
"""Name of each field -> its type."""


def typed_overrides(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides with the types that `Profile` wants. Raises ValueError with a sentence that names the field."""
    typed = {}
    for name, value in overrides.items():
        if name not in FIELDS:
            raise ValueError(f"profile has no field {name!r}; it may have {', '.join(sorted(FIELDS))}")
        words = _words(name)
        if words and isinstance(value, str) and value not in words:
            raise ValueError(f"profile field {name} must be one of {', '.join(word for word in words if word)}")
        try:
            typed[name] = msgspec.convert(value, FIELDS[name])
        except msgspec.ValidationError as exc:
            raise ValueError(f"profile field {say(exc, name)}")
    return typed


def _words(name: str) -> tuple[str, ...]:
    """All that may be said in a field, where that is settled."""
    return get_args(FIELDS[name]) if get_origin(FIELDS[name]) is Literal else ()
