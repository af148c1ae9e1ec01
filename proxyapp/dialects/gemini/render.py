"""An IR Request as an upstream's generateContent body. Model and stream switch are in the address, not here."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.gemini import settings
from proxyapp.dialects.gemini.toolset import Toolset, name_table
from proxyapp.dialects.gemini.turns import Conversation
from proxyapp.ir.request import Request


def render_request(request: Request, side: UpstreamSide) -> dict[str, Any]:
    """Deterministic. Losses go to `side.notes`; raises Unsupported for what may not be lost (2.1-2.7)."""
    names = name_table(request, side)
    toolset = Toolset(request, side, names)
    tools = toolset.definitions()
    instructions: list[str] = []
    config = settings.generation_config(request, side, instructions, tools=bool(tools))
    contents = Conversation(request, side, names).build()

    body: dict[str, Any] = {}
    system = [text.text for text in request.system if text.text] + instructions
    if system:
        body["systemInstruction"] = {"parts": [{"text": text} for text in system]}
    body["contents"] = contents
    if tools:
        body["tools"] = tools
    if choice := toolset.config():
        body["toolConfig"] = {"functionCallingConfig": choice}
    if config:
        body["generationConfig"] = config
    if tier := settings.service_tier(request, side):
        body["serviceTier"] = tier
    return {**settings.judge_extras(request, side), **body}
