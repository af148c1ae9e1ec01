"""A whole Responses answer as IR, read by the stream's decoder so that both forms give the same."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.openai_responses.decode import ResponsesDecoder
from proxyapp.dialects.openai_responses.errors import ERRORS
from proxyapp.errors import UpstreamBroken
from proxyapp.ir.fold import fold
from proxyapp.ir.response import Response

UNFINISHED = ("queued", "in_progress")


def parse_response(body: dict[str, Any], side: UpstreamSide) -> Response:
    """Raises UpstreamRefused for an error inside a 200, UpstreamBroken for anything that is no answer."""
    if not isinstance(body.get("output"), list):
        if body.get("error"):
            raise ERRORS.reported(body["error"])
        raise UpstreamBroken("The upstream's answer is no response.")
    if body.get("status") in UNFINISHED:
        raise UpstreamBroken("The upstream answered before the answer was finished.")
    return fold(ResponsesDecoder(side).whole(body))
