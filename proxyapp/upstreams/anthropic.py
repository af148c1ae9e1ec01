"""Anthropic's own API, and servers that copy it. Facts: reference/upstreams.md 5.3."""

from __future__ import annotations

from proxyapp.ir.profile import Profile
from proxyapp.upstreams import profiles
from proxyapp.upstreams.contract import Sending, Upstream
from proxyapp.upstreams.urls import endpoint

DEFAULT_VERSION = "2023-06-01"
"""Sent when the request was translated: its sampling fields are still legal under it (reference/clients.md 1)."""
COUNT_TOKENS = "messages/count_tokens"


class Anthropic:
    """Speaks Messages. The key goes out as `x-api-key`."""

    name = "anthropic"
    default_base_url = "https://api.anthropic.com"

    def dialect(self, upstream: Upstream, model: str, caller: str) -> str:
        return "anthropic-messages"

    def url(self, upstream: Upstream, model: str, *, dialect: str, stream: bool) -> str:
        return endpoint(upstream.base_url or self.default_base_url, "/messages")

    def operation_url(self, upstream: Upstream, model: str, operation: str) -> str | None:
        if operation != COUNT_TOKENS:
            return None
        return endpoint(upstream.base_url or self.default_base_url, f"/{operation}")

    def headers(self, upstream: Upstream, secret: str | None, sending: Sending) -> dict[str, str]:
        caller = sending.caller
        headers = {"anthropic-version": caller.get("anthropic-version", DEFAULT_VERSION)}
        if "anthropic-beta" in caller:
            headers["anthropic-beta"] = caller["anthropic-beta"]
        if secret:
            headers["x-api-key"] = secret
        return headers

    def profile(self, upstream: Upstream, model: str) -> Profile:
        return profiles.look_up(profiles.CLAUDE, model, profiles.CLAUDE_DEFAULT)
