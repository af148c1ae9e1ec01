"""Coze v3, towards upstreams alone: nobody speaks it to the gateway. `COZE` is the whole interface.

`render` and `messages` write a request; `decode` reads a stream, `response` a whole answer, `answer` what both share.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

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
from proxyapp.dialects.coze import errors, render, response
from proxyapp.dialects.coze.decode import CozeDecoder
from proxyapp.dialects.coze.tables import NAME
from proxyapp.errors import GatewayError, Unsupported, UpstreamFault
from proxyapp.ir.request import Request
from proxyapp.ir.response import Response

__all__ = ["COZE"]


class Coze:
    """The dialect `coze`; see `dialects.contract.Dialect`. The methods for callers raise Unsupported."""

    name = NAME
    keepalive = b""

    def render_request(self, request: Request, side: UpstreamSide) -> dict[str, Any]:
        return render.render_request(request, side)

    def parse_response(self, body: dict[str, Any], side: UpstreamSide) -> Response:
        return response.parse_response(body, side)

    def decoder(self, side: UpstreamSide) -> Decoder:
        return CozeDecoder(side)

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFault:
        return errors.parse_error(status, headers, body)

    # --- what only callers need

    def peek(self, body: Body) -> Peek:
        _nobody()

    def parse_request(self, body: dict[str, Any], side: ClientSide) -> Request:
        _nobody()

    def render_response(self, response: Response, request: Request, side: ClientSide) -> dict[str, Any]:
        _nobody()

    def encoder(self, request: Request, side: ClientSide) -> Encoder:
        _nobody()

    def render_error(self, error: GatewayError, request_id: str) -> tuple[int, dict[str, Any]]:
        _nobody()

    def patch(self, body: Body, model: str, side: UpstreamSide) -> bytes:
        _nobody()

    def tap(self, body: Body) -> Tap:
        _nobody()

    def glimpse(self, answer: bytes) -> Glimpse:
        _nobody()


def _nobody() -> NoReturn:
    raise Unsupported("Coze is spoken to upstreams alone; callers use another dialect.")


COZE = Coze()
