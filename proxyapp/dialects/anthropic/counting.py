"""Counting tokens as Messages does it: the body of a generation without what shapes the answer alone.

Facts: reference/translation.md 9.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.errors import UpstreamBroken

_ROOM = 32_000
_ANSWERS_ONLY = frozenset(
    {
        "container", "diagnostics", "fallback_credit_token", "fallbacks", "inference_geo", "max_tokens", "metadata",
        "service_tier", "stop_sequences", "stream", "temperature", "thread", "top_k", "top_p",
    }
)  # fmt: skip
"""Fields of a generation that the counter refuses ("Extra inputs are not permitted"): those the official SDK's
parameters for counting lack."""


class MessagesCounting:
    """POST /v1/messages/count_tokens, in both roles."""

    operation = "messages/count_tokens"

    def generation(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """`max_tokens` is required there and unknown here: room for an answer beside any thinking."""
        thinking = jsonio.try_object(bytes(body.get("thinking", b""))) or {}
        budget = thinking.get("budget_tokens")
        return {**body, "max_tokens": _ROOM + (budget if isinstance(budget, int) else 0), "stream": False}

    def answer(self, tokens: int) -> dict[str, Any]:
        return {"input_tokens": tokens}

    def question(self, body: Mapping[str, Any], model: str) -> dict[str, Any]:
        return {name: value for name, value in body.items() if name not in _ANSWERS_ONLY}

    def tokens(self, answer: dict[str, Any]) -> int:
        tokens = answer.get("input_tokens")
        if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 0:
            raise UpstreamBroken("The upstream's answer holds no count of tokens.")
        return tokens


COUNTING = MessagesCounting()
