"""OpenAI's own API. Facts: reference/upstreams.md 5.1."""

from __future__ import annotations

from proxyapp.ir.profile import Profile
from proxyapp.upstreams import profiles
from proxyapp.upstreams.contract import Sending, Upstream
from proxyapp.upstreams.urls import endpoint

_APIS = {"chat": "openai-chat", "responses": "openai-responses"}
PATHS = {"openai-chat": "/chat/completions", "openai-responses": "/responses"}
"""Dialect -> its path."""
OPERATIONS = frozenset(
    {
        "audio/speech",
        "audio/transcriptions",
        "audio/translations",
        "completions",
        "embeddings",
        "images/edits",
        "images/generations",
        "images/variations",
        "moderations",
        "responses/input_tokens",
    }
)
"""What OpenAI's server offers beside inference, by path."""


class OpenAI:
    """Speaks Chat Completions and Responses. The key goes out as a bearer token."""

    name = "openai"
    default_base_url = "https://api.openai.com"
    operations = OPERATIONS

    def dialect(self, upstream: Upstream, model: str, caller: str) -> str:
        """As `api` says; without a word from there as the caller speaks, so that nothing is translated in vain."""
        if upstream.api:
            return _APIS.get(upstream.api, "openai-chat")
        return caller if caller in PATHS else "openai-chat"

    def url(self, upstream: Upstream, model: str, *, dialect: str, stream: bool) -> str:
        return endpoint(upstream.base_url or self.default_base_url, PATHS[dialect])

    def operation_url(self, upstream: Upstream, model: str, operation: str) -> str | None:
        if operation not in self.operations:
            return None
        return endpoint(upstream.base_url or self.default_base_url, f"/{operation}")

    def headers(self, upstream: Upstream, secret: str | None, sending: Sending) -> dict[str, str]:
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        for name in ("openai-beta", "idempotency-key"):
            if name in sending.caller:
                headers[name] = sending.caller[name]
        return headers

    def profile(self, upstream: Upstream, model: str) -> Profile:
        return profiles.look_up(profiles.OPENAI, model, profiles.OPENAI_DEFAULT)
