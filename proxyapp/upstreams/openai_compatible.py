"""Any server that copies OpenAI's Chat Completions: vLLM, Ollama, LM Studio, DeepSeek, OpenRouter, Groq, Mistral ...

Facts: reference/upstreams.md 5.5-5.7. A server without a key is legal.
"""

from __future__ import annotations

from proxyapp.errors import NoHealthyUpstream
from proxyapp.ir.profile import Profile
from proxyapp.upstreams import profiles
from proxyapp.upstreams.contract import Upstream
from proxyapp.upstreams.openai import OPERATIONS, OpenAI


class OpenAICompatible(OpenAI):
    """As OpenAI, at the operator's address, with cautious assumptions about what the model takes."""

    name = "openai_compatible"
    operations = OPERATIONS | {"rerank"}

    def dialect(self, upstream: Upstream, caller: str) -> str:
        """Chat, unless `api` says Responses: few servers have it, and those not in full."""
        return super().dialect(upstream, "")

    def url(self, upstream: Upstream, model: str, *, dialect: str, stream: bool) -> str:
        _check_address(upstream)
        return super().url(upstream, model, dialect=dialect, stream=stream)

    def operation_url(self, upstream: Upstream, model: str, operation: str) -> str | None:
        _check_address(upstream)
        return super().operation_url(upstream, model, operation)

    def profile(self, upstream: Upstream, model: str) -> Profile:
        return profiles.look_up(profiles.COMPATIBLE, model, profiles.COMPATIBLE_DEFAULT)


def _check_address(upstream: Upstream) -> None:
    if not upstream.base_url:
        raise NoHealthyUpstream(f"The upstream {upstream.name} has no base_url.", upstream=upstream.name)
