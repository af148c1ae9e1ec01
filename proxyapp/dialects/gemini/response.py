"""Whole answers on both sides: an upstream's body as a Response, a Response as a caller's body.

Reference: translation.md 3. An upstream's body is read as a stream of one chunk (`decode`).
"""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.contract import ClientSide, UpstreamSide
from proxyapp.dialects.gemini import finish, logprobs, usage
from proxyapp.dialects.gemini.decode import GeminiDecoder
from proxyapp.dialects.gemini.tables import NAME
from proxyapp.dialects.gemini.writer import AnswerWriter
from proxyapp.ir.fold import Fold
from proxyapp.ir.request import Request
from proxyapp.ir.response import Response


def parse_response(body: dict[str, Any], side: UpstreamSide) -> Response:
    """Raises UpstreamRefused for an error inside a 200, UpstreamBroken for anything that is no answer."""
    decoder, collected = GeminiDecoder(side), Fold()
    for event in [*decoder.chunk(body), *decoder.close()]:
        collected.add(event)
    return collected.result()


def render_response(response: Response, request: Request, side: ClientSide) -> dict[str, Any]:
    """The GenerateContentResponse. Raises UpstreamBroken for an answer that is none (3.2 rule 3)."""
    writer = AnswerWriter(request, side)
    parts = [written for part in response.parts for written in writer.parts(part)]
    parts += writer.rest()
    ended = finish.render(response.finish, refused=writer.refused, has_content=writer.has_content)
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, **ended, "index": 0}
    if response.logprobs:
        candidate["logprobsResult"] = logprobs.render(response.logprobs)
    body = {
        "candidates": [{**candidate, **writer.metadata()}],
        **counts(response, request),
        "modelVersion": response.model or request.model,
        "responseId": response.id or side.new_id(),
    }
    return {**body, **response.extras.get(NAME, {})}


def counts(response: Response, request: Request) -> dict[str, Any]:
    counted = usage.render(response.usage)
    return {} if counted is None else {"usageMetadata": counted}
