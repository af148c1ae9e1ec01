"""Any server that copies OpenAI's Chat Completions: vLLM, Ollama, LM Studio, DeepSeek, OpenRouter, Groq, Mistral ...

Facts: reference/upstreams.md 5.5-5.7. A server without a key is legal.
"""

from __future__ import annotations

import msgspec

from proxyapp.errors import NoHealthyUpstream
from proxyapp.ir.profile import Profile
from proxyapp.upstreams import profiles, servers
from proxyapp.upstreams.contract import Upstream
from proxyapp.upstreams.openai import OPERATIONS, OpenAI
from proxyapp.upstreams.urls import without_endpoint


class OpenAICompatible(OpenAI):
    """As OpenAI, at the operator's address, with cautious assumptions about what the model takes."""

    name = "openai_compatible"
    operations = OPERATIONS | {"rerank"}

    def dialect(self, upstream: Upstream, model: str, caller: str) -> str:
        """Chat, unless `api` says Responses: few servers have it, and those not in full."""
        return super().dialect(upstream, model, "")

    def url(self, upstream: Upstream, model: str, *, dialect: str, stream: bool) -> str:
        return super().url(_addressed(upstream), model, dialect=dialect, stream=stream)

    def operation_url(self, upstream: Upstream, model: str, operation: str) -> str | None:
        return super().operation_url(_addressed(upstream), model, operation)

    def profile(self, upstream: Upstream, model: str) -> Profile:
        """By the server, where its address tells which it is, and by the model's name."""
        server = servers.known(upstream.base_url or "")
        if server is not None:
            return servers.profile(server, model)
        return profiles.look_up(profiles.COMPATIBLE, model.lower(), profiles.COMPATIBLE_DEFAULT)


def _addressed(upstream: Upstream) -> Upstream:
    """The upstream with an address that can be gone on with. Raises NoHealthyUpstream when it has none."""
    base = upstream.base_url
    if not base:
        raise NoHealthyUpstream(f"The upstream {upstream.name} has no base_url.", upstream=upstream.name)
    server = servers.known(base)
    if server is None or server.versioned or without_endpoint(base.rstrip("/")) != base.rstrip("/"):
        return upstream
    # As a whole endpoint, so that no version is put in.
    return msgspec.structs.replace(upstream, base_url=f"{base.rstrip('/')}/chat/completions")
