"""The operator's reasoning level in a caller's own Messages body: what it said of thinking goes, the level comes.

What the level asks for may not stand beside what the caller sent without knowing of it: a limit that is too small, a
forced call, sampling, an answer that was begun. Each is settled as on the translation road, with a Note.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct

from proxyapp.dialects import jsonio, leveling
from proxyapp.dialects.anthropic import thinking
from proxyapp.dialects.anthropic.tables import NAME, WORDS
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.ir import levels
from proxyapp.ir.request import ReasoningSettings, Request

_PATH = WORDS["reasoning"]
_LEAST_TOP_P = 0.95
_raws = msgspec.json.Decoder(list[Raw])


class _Turned(Struct):
    """As much of a message as tells whether it sets an effort of its own (per-turn control, a beta)."""

    output_config: Any = UNSET


_turned = msgspec.json.Decoder(list[_Turned])
_FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def take_away(top: dict[str, Raw]) -> str | None:
    """Takes all that the caller said of thinking out of the body, in place; returns whether it wants it shown
    (`display`)."""
    taken = leveling.take_away(top)
    if "messages" in top:
        _take_efforts_of_turns(top)
    said = taken.get("thinking")
    display = said.get("display") if isinstance(said, dict) else None
    return display if isinstance(display, str) else None


def _take_efforts_of_turns(top: dict[str, Raw]) -> None:
    try:
        turned = _turned.decode(top["messages"])
        if all(each.output_config is UNSET for each in turned):
            return
        messages = _raws.decode(top["messages"])
    except _FAULTS:
        return  # not what it should be: the upstream will say so
    kept = [
        message if each.output_config is UNSET else _without_effort(message)
        for message, each in zip(messages, turned, strict=True)
    ]
    top["messages"] = Raw(jsonio.encode([message for message in kept if message is not None]))


def _without_effort(message: Raw) -> Raw | None:
    """None where the message held nothing else."""
    fields = jsonio.decode_top(bytes(message))
    leveling.take_away(fields)
    return Raw(jsonio.encode(fields)) if fields.keys() - {"role"} else None


def put(top: dict[str, Raw], side: UpstreamSide, level: ReasoningSettings, display: str | None) -> None:
    """The level in place of what was taken away, in place."""
    settings = msgspec.structs.replace(level, display=display)
    request = Request(client_dialect=NAME, model=side.model, words=WORDS, reasoning=settings)
    asked = _value(top, "max_tokens")
    limit = asked if isinstance(asked, int) and not isinstance(asked, bool) else None
    # Without a number there is nothing to fit; the upstream says what it wants.
    plan = thinking.Planner(request, side, 2**62 if limit is None else limit).plan()
    side.drop(_PATH, levels.sentence(level), ours=True)
    if plan.has_budget:
        _give_way(top, side, plan, limit)
    if plan.thinking is not None:
        top["thinking"] = Raw(jsonio.encode(plan.thinking))
    if plan.effort is not None:
        config = jsonio.try_object(bytes(top.get("output_config", b""))) or {}
        top["output_config"] = Raw(jsonio.encode({**config, "effort": plan.effort}))
    if limit is not None and (raised := thinking.raised(plan, side, limit, "max_tokens")) != limit:
        top["max_tokens"] = Raw(jsonio.encode(raised))
    if plan.is_on and side.profile.sampling:
        _drop_sampling(top, side)


def _give_way(top: dict[str, Raw], side: UpstreamSide, plan: thinking.Plan, limit: int | None) -> None:
    """Budget thinking goes where it cannot stand beside what the caller wants."""
    why = ""
    choice = _value(top, "tool_choice")
    forced = isinstance(choice, dict) and choice.get("type") in ("any", "tool")
    messages = _latest(top)
    if limit == 0:
        why = "Thinking was left out: nothing is answered, the cache alone is warmed."
    elif forced:
        why = "Thinking was switched off, since the tool choice forces a call."
    elif _lacks_thinking(messages):
        why = "Thinking was switched off: the thinking before the last tool calls is missing."
    elif side.profile.prefill and _is_begun(messages):
        why = "Thinking was switched off, since the answer was begun by the caller."
    if not why or thinking.switch_off(plan, side, _PATH, why) or not forced:
        return
    kept = {key: value for key, value in choice.items() if key == "disable_parallel_tool_use"}
    top["tool_choice"] = Raw(jsonio.encode({"type": "auto", **kept}))
    side.drop("tool_choice", "This model always thinks and cannot be forced to call a tool.", dropped=False)


def _latest(top: dict[str, Raw]) -> list[Any]:
    """The messages from the assistant's last one on; those before it, which may be many, are not decoded."""
    try:
        raws = _raws.decode(top.get("messages", b"[]"))
    except _FAULTS:
        return []  # not what it should be: the upstream will say so
    found: list[Any] = []
    while raws and (not found or _role(found[0]) != "assistant"):
        found.insert(0, jsonio.decode(raws.pop()))
    return found


def _lacks_thinking(messages: list[Any]) -> bool:
    """Does the last assistant message call tools without beginning with thinking (6.3)?"""
    kinds = _kinds(messages[0]) if messages and _role(messages[0]) == "assistant" else []
    return "tool_use" in kinds and kinds[0] not in ("thinking", "redacted_thinking")


def _is_begun(messages: list[Any]) -> bool:
    """Does the conversation end in the middle of the assistant's words? One that ends in a hosted tool's block goes on
    with a paused turn."""
    last = messages[-1:]
    return bool(last) and _role(last[0]) == "assistant" and _kinds(last[0])[-1:] == ["text"]


def _role(message: Any) -> Any:
    return message.get("role") if isinstance(message, dict) else None


def _kinds(message: dict[str, Any]) -> list[Any]:
    content = message.get("content")
    if isinstance(content, str):
        return ["text"]
    return [block.get("type") for block in _listed(content) if isinstance(block, dict)]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _drop_sampling(top: dict[str, Raw], side: UpstreamSide) -> None:
    """6.2, more rules 3; the caller did not know that the model would think."""
    temperature, top_p = _value(top, "temperature"), _value(top, "top_p")
    refused = {
        "temperature": _is_number(temperature) and temperature != 1,
        "top_p": _is_number(top_p) and top_p < _LEAST_TOP_P,
        "top_k": _value(top, "top_k") is not None,
    }
    for name in (name for name, is_refused in refused.items() if is_refused):
        del top[name]
        side.drop(name, "Not taken while the model thinks, as the operator has set it to.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _value(top: dict[str, Raw], name: str) -> Any:
    return jsonio.decode(top[name]) if name in top else None
