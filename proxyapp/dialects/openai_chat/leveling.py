"""The operator's reasoning level in a caller's own Chat body, in the form that the server takes it."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from proxyapp.dialects import jsonio, leveling
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.openai.settings import drop_sampling
from proxyapp.dialects.openai_chat.reasoning import render_reasoning
from proxyapp.dialects.openai_chat.tables import NAME, WORDS
from proxyapp.ir import levels
from proxyapp.ir.request import ReasoningSettings, Request


def put(top: dict[str, Raw], side: UpstreamSide, level: ReasoningSettings) -> None:
    """In place. What the caller said of thinking goes, by all the names that servers have for it; whether the thinking
    is shown stays its choice."""
    said = leveling.take_away(top).get("reasoning")
    hidden = isinstance(said, dict) and said.get("exclude") is True
    side.drop(WORDS["reasoning"], levels.sentence(level), ours=True)
    settings = msgspec.structs.replace(level, show=False if hidden else None)
    request = Request(client_dialect=NAME, model=side.model, words=WORDS, reasoning=settings)
    for name, value in render_reasoning(request, side).items():
        top[name] = Raw(jsonio.encode(_beside(top.get(name), value)))
    if level.mode != "off":
        drop_sampling(top, side)


def _beside(given: Raw | None, value: Any) -> Any:
    """`chat_template_kwargs` may hold other things of the caller's."""
    rest = jsonio.try_object(bytes(given)) if given is not None else None
    return {**rest, **value} if rest and isinstance(value, dict) else value
