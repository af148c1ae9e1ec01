"""OpenAI's own API. Facts: reference/upstreams.md 5.1."""

from __future__ import annotations

from collections.abc import Mapping

from proxyapp.ir.profile import Profile
from proxyapp.upstreams import profiles
from proxyapp.upstreams.contract import Upstream
from proxyapp.upstreams.urls import endpoint


class OpenAI:
    """Speaks Chat Completions. The key goes out as a bearer token."""

    name = "openai"
    default_base_url = "https://api.openai.com"

    def dialect(self, upstream: Upstream) -> str:
        return "openai-chat"

    def url(self, upstream: Upstream, model: str, *, stream: bool) -> str:
        return endpoint(upstream.base_url or self.default_base_url, "/chat/completions")

    def headers(self, upstream: Upstream, secret: str | None, caller: Mapping[str, str]) -> dict[str, str]:
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        for name in ("openai-beta", "idempotency-key"):
            if name in caller:
                headers[name] = caller[name]
        return headers

    def profile(self, upstream: Upstream, model: str) -> Profile:
        return profiles.look_up(profiles.OPENAI, model, profiles.OPENAI_DEFAULT)
