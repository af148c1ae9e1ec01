"""The operator's reasoning level in a caller's own generateContent body: its `thinkingConfig` goes, the level comes."""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from proxyapp.dialects import jsonio, leveling
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.gemini.tables import NAME, WORDS
from proxyapp.dialects.gemini.thinking import thinking_config
from proxyapp.errors import BodyUnreadable
from proxyapp.ir import levels
from proxyapp.ir.request import ReasoningSettings, Request

_CONFIGS = ("generationConfig", "generation_config")
_THINKING = ("thinkingConfig", "thinking_config")
_SHOWN = ("includeThoughts", "include_thoughts")


def put(top: dict[str, Raw], side: UpstreamSide, level: ReasoningSettings) -> None:
    """In place. Both spellings are looked through, so that none is left for the upstream to prefer. Whether the
    thoughts are shown stays the caller's choice."""
    leveling.take_away(top)
    side.drop(WORDS["reasoning"], levels.sentence(level), ours=True)
    found = {name: fields for name in _CONFIGS if (fields := _fields(top.get(name))) is not None}
    shown = [choice for fields in found.values() for choice in _taken(fields)]
    settings = Request(client_dialect=NAME, model=side.model, words=WORDS, reasoning=level)
    config = thinking_config(settings, side)
    config.pop("includeThoughts", None)
    if shown:
        config["includeThoughts"] = shown[-1]
    if not found and config and not any(name in top for name in _CONFIGS):
        found["generationConfig"] = {}
    for name, fields in found.items():
        if config:
            fields["thinkingConfig"] = Raw(jsonio.encode(config))
            config = {}
        top[name] = Raw(jsonio.encode(fields))


def _fields(raw: Raw | None) -> dict[str, Raw] | None:
    """None for what is absent or no object: of that the upstream will say what is wrong."""
    if raw is None:
        return None
    if bytes(raw).strip() == b"null":
        return {}
    try:
        return jsonio.decode_top(bytes(raw))
    except BodyUnreadable:
        return None


def _taken(fields: dict[str, Raw]) -> list[bool]:
    """Takes the caller's settings out, in place; returns what they said of showing thoughts."""
    given: list[Any] = [jsonio.try_object(bytes(fields.pop(name))) for name in _THINKING if name in fields]
    said = [config.get(name) for config in given if config for name in _SHOWN]
    return [choice for choice in said if isinstance(choice, bool)]
