"""An IR request as a Responses request: the entry. Fields stand in a fixed order: equal requests are equal bytes.

Nothing is left at the upstream: `store` is false, and proofs of reasoning are asked for, so that they come back.
"""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.openai_responses.render_settings import render_extras, render_format, render_settings
from proxyapp.dialects.openai_responses.render_tools import render_tools, tool_names
from proxyapp.dialects.openai_responses.turns import TurnRenderer
from proxyapp.ir.request import Request


def render_request(request: Request, side: UpstreamSide) -> dict[str, Any]:
    """The whole body for `side.model`. Losses go to `side.notes`; raises Unsupported for what may not be lost."""
    names = tool_names(request, side)
    form, lines = render_format(request, side)
    turns = TurnRenderer(request, side, names)
    turns.render(lines)
    body: dict[str, Any] = {"model": side.model}
    if turns.instructions:
        body["instructions"] = turns.instructions
    body["input"] = turns.items
    if request.stream and side.profile.streaming:
        body["stream"] = True
    body["store"] = False
    body |= render_tools(request, side, names)
    body |= form
    body |= render_settings(request, side)
    body |= render_extras(request, side, body)
    return body
