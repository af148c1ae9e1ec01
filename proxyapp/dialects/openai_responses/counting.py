"""Counting tokens as Responses does it: POST /v1/responses/input_tokens. Facts: reference/translation.md 9.1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxyapp.errors import UpstreamBroken

_ANSWERS_ONLY = frozenset(
    {
        "access_programs", "background", "background_options", "client_metadata", "context_management", "image",
        "include", "max_output_tokens", "max_tool_calls", "metadata", "moderation", "prompt_cache_key",
        "prompt_cache_options", "prompt_cache_retention", "safety_identifier", "service_tier", "store", "stream",
        "stream_options", "temperature", "top_logprobs", "top_p", "user",
    }
)  # fmt: skip
"""Fields of a generation that shape or keep the answer."""


class ResponsesCounting:
    """In both roles."""

    operation = "responses/input_tokens"

    def generation(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Nothing of a count is kept."""
        return {**body, "stream": False, "store": False}

    def answer(self, tokens: int) -> dict[str, Any]:
        return {"object": "response.input_tokens", "input_tokens": tokens}

    def question(self, body: Mapping[str, Any], model: str) -> dict[str, Any]:
        return {name: value for name, value in body.items() if name not in _ANSWERS_ONLY}

    def tokens(self, answer: dict[str, Any]) -> int:
        tokens = answer.get("input_tokens")
        if type(tokens) is not int or tokens < 0:
            raise UpstreamBroken("The upstream's answer holds no count of tokens.")
        return tokens


COUNTING = ResponsesCounting()
