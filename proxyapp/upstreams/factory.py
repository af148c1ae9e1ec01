"""Factory (factory.ai): Claude, GPT, Gemini and open models of one account, each in its maker's dialect.

There is no public contract for this API; the facts are reference/upstreams.md 1, as its users found them. Only what the
protocol needs is sent, and the gateway says that it is the gateway:
docs/decisions/2026-11-21-no-disguise-towards-factory.md.
"""

from __future__ import annotations

import functools
import hashlib
import re
import uuid
from collections.abc import Mapping

import msgspec
from msgspec import Raw

from proxyapp.ir.profile import Profile
from proxyapp.upstreams import profiles
from proxyapp.upstreams.anthropic import COUNT_TOKENS, DEFAULT_VERSION
from proxyapp.upstreams.contract import Sending, Upstream

MESSAGES, RESPONSES, CHAT, GEMINI = "anthropic-messages", "openai-responses", "openai-chat", "gemini"
_APIS = {"messages": MESSAGES, "responses": RESPONSES, "chat": CHAT, "generate_content": GEMINI}
"""Words of `api` -> dialect."""
PATHS = {
    MESSAGES: "/api/llm/a/v1/messages",
    RESPONSES: "/api/llm/o/v1/responses",
    CHAT: "/api/llm/o/v1/chat/completions",
    GEMINI: "/api/llm/g/v1/generate",
}
"""Dialect -> its path (1.1)."""
_NAMES = (
    (re.compile(r"^claude|^minimax"), MESSAGES),
    (re.compile(r"^(gpt|o\d|codex)"), RESPONSES),
    (re.compile(r"^gemini"), GEMINI),
)
"""What is spoken about a model by its name; Chat about all others (1.3, 1.10)."""
_FIREWORKS = re.compile(r"^(glm|kimi|minimax)")
_PROVIDERS = {MESSAGES: "anthropic", RESPONSES: "openai", CHAT: "baseten", GEMINI: "google"}
"""Who runs a model unless its profile says otherwise, by dialect (1.3)."""

FAST_BETA = "fast-mode-2026-02-01"
_SESSIONS = ("x-session-id", "x-claude-code-session-id")
_MESSAGE = "x-assistant-message-id"
_ID = re.compile(r"[!-~]{1,200}")
"""What a caller's own id may look like to be passed on."""

_OURS = re.compile(r"^(?P<root>.*)/api/llm(?:/.*)?$")
_TAILS = tuple(f"/{path.partition('/v1/')[2]}" for path in PATHS.values())
"""Ends of whole endpoints at relays that have paths of their own: `/messages`, `/responses` …"""
_fields = msgspec.json.Decoder(dict[str, Raw])


class Factory:
    """Speaks four dialects, by the model. The key or token goes out as a bearer token."""

    name = "factory"
    default_base_url = "https://api.factory.ai"

    def dialect(self, upstream: Upstream, model: str, caller: str) -> str:
        """As `api` says, else by the model's name: a model is served in its maker's dialect alone."""
        return _APIS.get(upstream.api or "") or _named(model)

    def url(self, upstream: Upstream, model: str, *, dialect: str, stream: bool) -> str:
        return _address(upstream.base_url or self.default_base_url, dialect)

    def operation_url(self, upstream: Upstream, model: str, operation: str) -> str | None:
        if operation != COUNT_TOKENS or self.dialect(upstream, model, "") != MESSAGES:
            return None
        url, mark, query = self.url(upstream, model, dialect=MESSAGES, stream=False).partition("?")
        return f"{url}/count_tokens{mark}{query}"

    def headers(self, upstream: Upstream, secret: str | None, sending: Sending) -> dict[str, str]:
        caller = sending.caller
        headers = {
            "x-api-provider": sending.profile.provider,
            "x-factory-client": _own(caller, "x-factory-client") or "cli",
            "x-session-id": _own(caller, *_SESSIONS) or _uuid(sending.request_id, "session"),
            _MESSAGE: _own(caller, _MESSAGE) or _uuid(sending.request_id, "message"),
        }
        if sending.dialect == MESSAGES:
            headers["anthropic-version"] = caller.get("anthropic-version", DEFAULT_VERSION)
            if betas := _betas(caller.get("anthropic-beta", ""), fast=sending.profile.fast):
                headers["anthropic-beta"] = betas
        if secret:
            headers["authorization"] = f"Bearer {secret}"
        return headers

    def enclosed(self, upstream: Upstream, sending: Sending, body: bytes) -> bytes:
        """Google's models are asked at one address: what theirs would tell goes into the body."""
        if sending.dialect != GEMINI:
            return body
        told = {"model": sending.model, "stream": sending.stream}
        return msgspec.json.encode({**told, **_fields.decode(body), **told})

    def profile(self, upstream: Upstream, model: str) -> Profile:
        """What is known of the model at its maker; Claude with one of the two sampling settings (1.11)."""
        dialect = self.dialect(upstream, model, "")
        name = model.lower()
        provider = "fireworks" if _FIREWORKS.match(name) else _PROVIDERS[dialect]
        if dialect == MESSAGES:
            known = profiles.look_up(profiles.CLAUDE, name, profiles.CLAUDE_DEFAULT)
            return msgspec.structs.replace(known, temperature_and_top_p=False, provider=provider)
        if dialect == RESPONSES:
            known = profiles.look_up(profiles.OPENAI, name, profiles.OPENAI_DEFAULT)
        elif dialect == GEMINI:
            known = profiles.look_up(profiles.GEMINI, name, profiles.GEMINI_DEFAULT)
        else:
            known = profiles.look_up(profiles.COMPATIBLE, name, profiles.COMPATIBLE_DEFAULT)
        return msgspec.structs.replace(known, provider=provider)


def _named(model: str) -> str:
    name = model.lower()
    return next((dialect for pattern, dialect in _NAMES if pattern.match(name)), CHAT)


@functools.lru_cache(maxsize=256)
def _address(base_url: str, dialect: str) -> str:
    """The base URL as people write it: the host, with or without `/v1`; whatever of Factory's own paths stands behind
    it; a relay's address with another one in its path, whose `//` stays as it is; or a relay's own whole endpoint."""
    base, mark, query = base_url.partition("?")
    base = base.rstrip("/")
    if found := _OURS.match(base):
        return f"{found['root']}{PATHS[dialect]}{mark}{query}"
    for tail in _TAILS:
        if base.endswith(tail):
            own = f"/{PATHS[dialect].partition('/v1/')[2]}"
            return f"{base.removesuffix(tail)}{own}{mark}{query}"
    return f"{base.removesuffix('/v1')}{PATHS[dialect]}{mark}{query}"


def _betas(given: str, *, fast: bool) -> str:
    """The caller's betas in their order, and the one that the model's profile asks for (1.4)."""
    betas = [word.strip() for word in given.split(",") if word.strip()]
    if fast and FAST_BETA not in betas:
        betas.append(FAST_BETA)
    return ", ".join(betas)


def _own(caller: Mapping[str, str], *names: str) -> str:
    """The first of the caller's headers that is fit to be passed on, "" without one."""
    return next((caller[name] for name in names if _ID.fullmatch(caller.get(name, ""))), "")


def _uuid(request_id: str, purpose: str) -> str:
    """A UUID in the form of version 4 that is the same in every attempt of one request, and tells nothing of ours."""
    digest = hashlib.sha256(f"{purpose} {request_id}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))
