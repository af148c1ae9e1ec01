"""Google's generateContent in both roles. Knows itself and the IR; no other dialect, no network, no clock.

The map: `request`, `contents`, `tools` and `openapi` read a caller's body, `render`, `turns`, `parts`, `toolset`,
`thinking`, `settings` and `schema` write an upstream's; `decode` and `reader` read an upstream's answer, `encode`,
`writer` and `response` give it to a caller; `passthrough` serves callers and upstreams that speak it both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxyapp.dialects.contract import (
    Body,
    ClientSide,
    Decoder,
    Dialect,
    Encoder,
    Glimpse,
    Peek,
    Tap,
    UpstreamSide,
)
from proxyapp.dialects.gemini import errors, passthrough
from proxyapp.dialects.gemini import render as rendering
from proxyapp.dialects.gemini import request as parsing
from proxyapp.dialects.gemini import response as answers
from proxyapp.dialects.gemini.decode import GeminiDecoder
from proxyapp.dialects.gemini.encode import GeminiEncoder
from proxyapp.dialects.gemini.tables import NAME
from proxyapp.errors import GatewayError, UpstreamFault
from proxyapp.ir.request import Request
from proxyapp.ir.response import Response


class Gemini:
    """The contract's methods; each does its work in the module of its name."""

    name = NAME
    keepalive = b"\r\n"
    """White space: legal between events and inside a JSON array alike. Google's own SDKs trip over comment lines."""

    def peek(self, body: Body) -> Peek:
        return parsing.peek(body)

    def parse_request(self, body: dict[str, Any], side: ClientSide) -> Request:
        return parsing.parse_request(body, side)

    def render_response(self, response: Response, request: Request, side: ClientSide) -> dict[str, Any]:
        return answers.render_response(response, request, side)

    def encoder(self, request: Request, side: ClientSide) -> Encoder:
        return GeminiEncoder(request, side)

    def render_error(self, error: GatewayError, request_id: str) -> tuple[int, dict[str, Any]]:
        return errors.render_error(error, request_id)

    def render_request(self, request: Request, side: UpstreamSide) -> dict[str, Any]:
        return rendering.render_request(request, side)

    def parse_response(self, body: dict[str, Any], side: UpstreamSide) -> Response:
        return answers.parse_response(body, side)

    def decoder(self, side: UpstreamSide) -> Decoder:
        return GeminiDecoder(side)

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFault:
        return errors.parse_error(status, headers, body)

    def patch(self, body: Body, model: str, side: UpstreamSide) -> bytes:
        return passthrough.patch(body, model, side)

    def tap(self, body: Body) -> Tap:
        return passthrough.GeminiTap()

    def glimpse(self, answer: bytes) -> Glimpse:
        return passthrough.glimpse(answer)


GEMINI: Dialect = Gemini()

__all__ = ["GEMINI"]
