"""Anthropic Messages in both roles. Knows itself and the IR; no other dialect, no network, no clock.

The map: `request` and `messages` read a caller's body, `render`, `turns`, `content`, `toolset`, `thinking` and
`settings` write an upstream's; `decode`, `blocks` and `reader` read an upstream's answer, `encode`, `writer` and
`response` give it to a caller; `passthrough` serves callers and upstreams that speak it both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxyapp.dialects.anthropic import errors, naming, passthrough
from proxyapp.dialects.anthropic import render as rendering
from proxyapp.dialects.anthropic import request as parsing
from proxyapp.dialects.anthropic import response as answers
from proxyapp.dialects.anthropic.decode import AnthropicDecoder
from proxyapp.dialects.anthropic.encode import PING, AnthropicEncoder
from proxyapp.dialects.anthropic.tables import NAME
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
from proxyapp.dialects.sse import Frame
from proxyapp.errors import GatewayError, UpstreamFault
from proxyapp.ir.request import Request
from proxyapp.ir.response import Response


class Anthropic:
    """The contract's methods; each does its work in the module of its name."""

    name = NAME
    keepalive = PING

    def peek(self, body: Body) -> Peek:
        return parsing.peek(body)

    def parse_request(self, body: dict[str, Any], side: ClientSide) -> Request:
        return parsing.parse_request(body, side)

    def render_response(self, response: Response, request: Request, side: ClientSide) -> dict[str, Any]:
        return answers.render_response(response, request, side)

    def encoder(self, request: Request, side: ClientSide) -> Encoder:
        return AnthropicEncoder(request, side)

    def render_error(self, error: GatewayError, request_id: str) -> tuple[int, dict[str, Any]]:
        return errors.render_error(error, request_id)

    def render_request(self, request: Request, side: UpstreamSide) -> dict[str, Any]:
        return rendering.render_request(request, side)

    def parse_response(self, body: dict[str, Any], side: UpstreamSide) -> Response:
        return answers.parse_response(body, side)

    def decoder(self, side: UpstreamSide) -> Decoder:
        return AnthropicDecoder(side)

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFault:
        return errors.parse_error(status, headers, body)

    def patch(self, body: Body, model: str, side: UpstreamSide) -> bytes:
        return passthrough.patch(body, model, side)

    def tap(self, body: Body) -> Tap:
        return passthrough.AnthropicTap()

    def glimpse(self, answer: bytes) -> Glimpse:
        return passthrough.glimpse(answer)

    def renamed(self, answer: bytes, model: str) -> bytes:
        return naming.renamed(answer, model)

    def renamed_frame(self, frame: Frame, model: str) -> bytes:
        return naming.renamed_frame(frame, model)


ANTHROPIC: Dialect = Anthropic()

__all__ = ["ANTHROPIC"]
