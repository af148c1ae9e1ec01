"""A whole answer for a caller, made by the stream's encoder so that both forms say the same."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.contract import ClientSide
from proxyapp.dialects.openai_responses.encode import ResponsesEncoder
from proxyapp.errors import UpstreamBroken
from proxyapp.ir.fold import unfold
from proxyapp.ir.request import Request
from proxyapp.ir.response import Response


def render_response(response: Response, request: Request, side: ClientSide) -> dict[str, Any]:
    """The Response object. Raises UpstreamBroken for an answer that is none."""
    encoder = ResponsesEncoder(request, side)
    for event in unfold(response):
        encoder.encode(event)
    if encoder.final is None:
        raise UpstreamBroken("The upstream's answer has no end.")
    return encoder.final
