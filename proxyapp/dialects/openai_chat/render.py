"""An IR request as a Chat request: the entry. Fields stand in a fixed order, so that equal requests are equal bytes."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.openai_chat.fitting import fit_choice, fit_fields, fit_messages
from proxyapp.dialects.openai_chat.render_settings import render_extras, render_format, render_settings
from proxyapp.dialects.openai_chat.render_tools import render_tools, tool_names
from proxyapp.dialects.openai_chat.turns import TurnRenderer
from proxyapp.ir.request import Request


def render_request(request: Request, side: UpstreamSide) -> dict[str, Any]:
    """The whole body for `side.model`. Losses go to `side.notes`; raises Unsupported for what may not be lost."""
    names = tool_names(request, side)
    form, instructions = render_format(request, side)
    body: dict[str, Any] = {
        "model": side.model,
        "messages": fit_messages(TurnRenderer(request, side, names).render(instructions), side),
    }
    if request.stream and side.profile.streaming:
        body["stream"] = True
        if side.profile.usage_in_stream:
            body["stream_options"] = {"include_usage": True}
    body |= render_tools(request, side, names)
    body |= form
    body |= render_settings(request, side)
    body |= render_extras(request, side, body)
    fit_choice(body, side)
    fit_fields(body, side, request.word)
    return body
