"""OpenAI Responses, in both roles. `OPENAI_RESPONSES` is the whole interface; the modules are its parts.

Client side: request (peek, parse), answer, encode. Upstream side: render, response, decode. Both: errors, passthrough.
For whoever keeps conversations: state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxyapp.dialects.contract import (
    Body,
    ClientSide,
    Decoder,
    Encoder,
    Glimpse,
    Peek,
    Tap,
    UpstreamSide,
)
from proxyapp.dialects.openai_responses import answer, passthrough, render, request, response
from proxyapp.dialects.openai_responses.decode import ResponsesDecoder
from proxyapp.dialects.openai_responses.encode import ResponsesEncoder
from proxyapp.dialects.openai_responses.errors import ERRORS
from proxyapp.dialects.openai_responses.tables import NAME
from proxyapp.errors import GatewayError, UpstreamFault
from proxyapp.ir.request import Request
from proxyapp.ir.response import Response

__all__ = ["OPENAI_RESPONSES"]


class OpenAIResponses:
    """The dialect `openai-responses`; see `dialects.contract.Dialect` for what each method promises."""

    name = NAME
    keepalive = b": keep-alive\n\n"

    def peek(self, body: Body) -> Peek:
        return request.peek(body)

    def parse_request(self, body: dict[str, Any], side: ClientSide) -> Request:
        return request.parse_request(body, side)

    def render_response(self, response: Response, request: Request, side: ClientSide) -> dict[str, Any]:
        return answer.render_response(response, request, side)

    def encoder(self, request: Request, side: ClientSide) -> Encoder:
        return ResponsesEncoder(request, side)

    def render_error(self, error: GatewayError, request_id: str) -> tuple[int, dict[str, Any]]:
        return ERRORS.render(error)

    def render_request(self, request: Request, side: UpstreamSide) -> dict[str, Any]:
        return render.render_request(request, side)

    def parse_response(self, body: dict[str, Any], side: UpstreamSide) -> Response:
        return response.parse_response(body, side)

    def decoder(self, side: UpstreamSide) -> Decoder:
        return ResponsesDecoder(side)

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFault:
        return ERRORS.parse(status, headers, body)

    def patch(self, body: Body, model: str, side: UpstreamSide) -> bytes:
        return passthrough.patch(body, model, side)

    def tap(self, body: Body) -> Tap:
        return passthrough.ResponsesTap(body)

    def glimpse(self, answer: bytes) -> Glimpse:
        return passthrough.glimpse(answer)


OPENAI_RESPONSES = OpenAIResponses()
