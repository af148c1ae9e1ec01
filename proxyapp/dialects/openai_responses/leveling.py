"""The operator's reasoning level in a caller's own Responses body."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct

from proxyapp.dialects import jsonio, leveling
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.openai.settings import drop_sampling
from proxyapp.dialects.openai_responses.render_settings import render_reasoning
from proxyapp.dialects.openai_responses.tables import NAME, WORDS
from proxyapp.ir import levels
from proxyapp.ir.request import ReasoningSettings, Request

_KEPT = ("summary", "generate_summary", "context")
"""Of the caller's `reasoning`: what is shown of it, and which earlier reasoning is read."""
_SUMMARIES = ("summary", "generate_summary")


class _Update(Struct):
    """As much of an item as tells whether it sets the effort from there on (`configuration_update`)."""

    type: Any = None
    reasoning: Any = UNSET


_updates = msgspec.json.Decoder(list[_Update])
_raws = msgspec.json.Decoder(list[Raw])
_FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def put(top: dict[str, Raw], side: UpstreamSide, level: ReasoningSettings) -> None:
    """In place. What the caller said of thinking goes, in the items too; what it said of the summary stays."""
    said = leveling.take_away(top).get("reasoning")
    names = ("context",) if level.mode == "off" else _KEPT
    kept = {name: said[name] for name in names if name in said} if isinstance(said, dict) else {}
    if "input" in top:
        _take_updates(top)
    side.drop("reasoning", levels.sentence(level), ours=True)
    request = Request(client_dialect=NAME, model=side.model, words=WORDS, reasoning=level)
    told = render_reasoning(request, side).get("reasoning", {})
    if any(name in kept for name in _SUMMARIES):
        told.pop("summary", None)
    if told:
        top["reasoning"] = Raw(jsonio.encode({**kept, **told}))
    if level.mode != "off":
        drop_sampling(top, side)


def _take_updates(top: dict[str, Raw]) -> None:
    try:
        seen = _updates.decode(top["input"])
        if not any(_is_update(item) for item in seen):
            return
        raws = _raws.decode(top["input"])
    except _FAULTS:
        return  # a string, or not what it should be: of that the upstream will say so
    items = [_without_effort(raw) if _is_update(item) else raw for raw, item in zip(raws, seen, strict=True)]
    top["input"] = Raw(jsonio.encode([item for item in items if item is not None]))


def _is_update(item: _Update) -> bool:
    return item.type == "configuration_update" and item.reasoning is not UNSET


def _without_effort(raw: Raw) -> Raw | None:
    """None where the item held nothing else."""
    fields = jsonio.decode_top(bytes(raw))
    del fields["reasoning"]
    return Raw(jsonio.encode(fields)) if fields.keys() - {"type", "id"} else None
