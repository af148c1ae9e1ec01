"""Counting tokens as Gemini does it: `:countTokens` with contents alone, or with a whole generateContentRequest.

With contents alone the server counts neither tools nor the system instruction, so the long form is sent. Facts:
reference/translation.md 9.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.gemini.embeddings import full_name
from proxyapp.errors import BadRequest, UpstreamBroken

_FORMS = ("generateContentRequest", "generate_content_request")


class GeminiCounting:
    """POST `:countTokens`, in both roles."""

    operation = "countTokens"

    def generation(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Raises BadRequest when both forms are there, or the long one is no object."""
        given = [name for name in _FORMS if name in body]
        if not given:
            return dict(body)
        if "contents" in body:
            raise BadRequest("Give contents or generateContentRequest, not both.", param="contents")
        inner = jsonio.decode_top(bytes(body[given[0]]))
        return {name: value for name, value in inner.items() if name != "model"}

    def answer(self, tokens: int) -> dict[str, Any]:
        return {"totalTokens": tokens}

    def question(self, body: Mapping[str, Any], model: str) -> dict[str, Any]:
        return {"generateContentRequest": {**body, "model": full_name(model)}}

    def tokens(self, answer: dict[str, Any]) -> int:
        tokens = answer.get("totalTokens")
        if type(tokens) is not int or tokens < 0:
            raise UpstreamBroken("The upstream's answer holds no count of tokens.")
        return tokens


COUNTING = GeminiCounting()
