"""The Response object of an answer at any moment: who it is, what the request said, what has been made so far.

All keys that the official types require are always there (reference/translation.md 3.1).
"""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.contract import ClientSide
from proxyapp.dialects.openai.tables import TIER_OF, TIERS
from proxyapp.dialects.openai_responses.usage import render_usage
from proxyapp.ir.request import Request
from proxyapp.ir.usage import Usage

_TIERS = TIERS | {"ultrafast"}
_PREFIX = "resp_"


class Snapshot:
    """Makes the objects of one answer. `name` it before the first is made."""

    def __init__(self, request: Request, side: ClientSide) -> None:
        self._request = request
        self._side = side
        self._fixed: dict[str, Any] = {}

    def name(self, upstream_id: str, model: str, created: int | None, tier: str | None) -> None:
        """An id of this dialect is kept; any other kind gets one of ours."""
        echo = self._request.echo
        self._fixed = {
            "id": upstream_id if upstream_id.startswith(_PREFIX) else f"{_PREFIX}{self._side.new_id()}",
            "object": "response",
            "created_at": created or self._side.now,
            "model": model or self._request.model,
            "background": False,
            "instructions": echo.get("instructions"),
            "max_output_tokens": echo.get("max_output_tokens"),
            "max_tool_calls": echo.get("max_tool_calls"),
            "metadata": echo.get("metadata", {}),
            "parallel_tool_calls": echo.get("parallel_tool_calls", True),
            "previous_response_id": None,
            "prompt_cache_key": echo.get("prompt_cache_key"),
            "reasoning": {"effort": None, "summary": None, **echo.get("reasoning", {})},
            "safety_identifier": echo.get("safety_identifier"),
            "service_tier": _tier(tier) or _tier(echo.get("service_tier")) or "default",
            "store": echo.get("store", True),
            "temperature": echo.get("temperature"),
            "text": {"format": {"type": "text"}, **echo.get("text", {})},
            "tool_choice": echo.get("tool_choice", "auto"),
            "tools": [_tool(tool) for tool in echo.get("tools", [])],
            "top_logprobs": echo.get("top_logprobs", 0),
            "top_p": echo.get("top_p"),
            "truncation": echo.get("truncation", "disabled"),
        }
        if "user" in echo:
            self._fixed["user"] = echo["user"]

    @property
    def is_named(self) -> bool:
        return bool(self._fixed)

    def at(
        self,
        status: str,
        *,
        output: list[dict[str, Any]] | None = None,
        usage: Usage | None = None,
        error: dict[str, str] | None = None,
        reason: str | None = None,
    ) -> dict[str, Any]:
        """The object as it stands. Unknown counts are left out: the specification has no null for them."""
        head = {name: self._fixed[name] for name in ("id", "object", "created_at")}
        return {
            **head,
            "status": status,
            "error": error,
            "incomplete_details": {"reason": reason} if reason else None,
            "output": list(output or ()),
            **self._fixed,
            **({} if usage is None else {"usage": render_usage(usage)}),
        }


def _tier(word: Any) -> str | None:
    """A tier word that the official types know."""
    word = TIER_OF.get(word, word)
    return word if word in _TIERS and word != "auto" else None


def _tool(tool: Any) -> Any:
    """A function is repeated with the keys that an answer must have."""
    if not isinstance(tool, dict) or tool.get("type", "function") != "function":
        return tool
    return {"type": "function", "parameters": None, "strict": False, **tool}
