"""Google's Gemini API (Google AI Studio). Facts: reference/upstreams.md 5.4.

The version in `base_url` is the operator's choice and stays; without one it is `v1beta`, which has every field.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from proxyapp.ir.profile import Profile
from proxyapp.upstreams import profiles
from proxyapp.upstreams.contract import Sending, Upstream
from proxyapp.upstreams.urls import endpoint

OPERATIONS = frozenset({"countTokens", "embedContent", "batchEmbedContents"})
"""Verbs beside those of inference."""
_PASTED = re.compile(r"/openai$|/(?:models|tunedModels)/[^/]+:\w+$")
"""The ends of addresses that people copy: the layer for OpenAI's clients, and a whole endpoint."""
_COLLECTIONS = ("models/", "tunedModels/")


class Gemini:
    """Speaks generateContent; the model and the verb are in the address. The key goes out as `x-goog-api-key`, never
    in the query, which servers log."""

    name = "gemini"
    default_base_url = "https://generativelanguage.googleapis.com/v1beta"

    def dialect(self, upstream: Upstream, model: str, caller: str) -> str:
        return "gemini"

    def url(self, upstream: Upstream, model: str, *, dialect: str, stream: bool) -> str:
        if not stream:
            return self._address(upstream, model, "generateContent")
        url = self._address(upstream, model, "streamGenerateContent")
        return f"{url}{'&' if '?' in url else '?'}alt=sse"

    def operation_url(self, upstream: Upstream, model: str, operation: str) -> str | None:
        return self._address(upstream, model, operation) if operation in OPERATIONS else None

    def headers(self, upstream: Upstream, secret: str | None, sending: Sending) -> dict[str, str]:
        return {"x-goog-api-key": secret} if secret else {}

    def profile(self, upstream: Upstream, model: str) -> Profile:
        return profiles.look_up(profiles.GEMINI, model, profiles.GEMINI_DEFAULT)

    def _address(self, upstream: Upstream, model: str, verb: str) -> str:
        base = _PASTED.sub("", (upstream.base_url or self.default_base_url).rstrip("/"))
        name = model if model.startswith(_COLLECTIONS) else f"models/{model}"
        safe = "" if ".." in name.split("/") else "/:@"
        return endpoint(base, f"/{quote(name, safe=safe)}:{verb}", version="v1beta")
