"""The cheapest honest question to a server of each kind: is it there, and does it take this key? Costs no tokens.

Most have a list of models. Facts: reference/upstreams.md 1.1 (Factory has none, so tokens are counted), 5.1.1, 5.2,
5.3.1, 5.4.1 and 5.4.5, 5.7 (OpenRouter lists its models to everybody), 6.1 and 6.6.
"""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec
from msgspec import Struct, structs

from proxyapp.upstreams.azure import Style, place_of
from proxyapp.upstreams.contract import Kind, Upstream
from proxyapp.upstreams.urls import endpoint

_MESSAGES = "anthropic-messages"
_COUNTED_MODEL = "claude-sonnet-4-5-20250929"
"""Of the question how many tokens a word has; known to Factory for long."""
_QUESTION = {"messages": [{"role": "user", "content": "Hi"}]}
_REFUSED = (401, 403)
_COZE_REFUSED = (4100, 4101, 700012006)
_SAID = {
    402: (False, "The account has no money left (402)."),
    429: (True, "It answers, and limits this key at the moment (429)."),
}


class Inquiry(Struct, frozen=True):
    """One request, without its headers."""

    method: str
    url: str
    body: bytes = b""
    dialect: str = ""
    model: str = ""


class Finding(Struct, frozen=True):
    """What an answer says."""

    is_up: bool
    sentence: str
    """Without anything of the answer's body, which may repeat a key."""


def inquiry(kind: Kind, upstream: Upstream) -> Inquiry:
    """What to ask. The upstream has an address, its own or its kind's."""
    if upstream.kind == "azure":
        return Inquiry("GET", _azure(upstream))
    if upstream.kind in ("demo", "factory"):
        return _by_a_word(kind, upstream)
    base = upstream.base_url or str(getattr(kind, "default_base_url", ""))
    if upstream.kind == "coze":
        return Inquiry(
            "GET", kind.url(upstream, "", dialect="coze", stream=False).removesuffix("v3/chat") + "v1/users/me"
        )
    if upstream.kind == "gemini":
        address = kind.url(upstream, "x", dialect="gemini", stream=False).partition("/models/x:")[0]
        return Inquiry("GET", f"{address}/models?pageSize=1")
    return Inquiry("GET", endpoint(base, "/key" if "openrouter.ai" in base.rsplit("://", 1)[-1] else "/models"))


def _azure(upstream: Upstream) -> str:
    """The resource's models; an inference address has no list, and says so."""
    place = place_of(upstream.base_url or "", upstream.api_version)
    if place.style is Style.V1:
        return f"{place.root}/v1/models"
    dated = urlencode({"api-version": place.version})
    return f"{place.root}/info?{dated}" if place.style is Style.INFERENCE else f"{place.root}/models?{dated}"


def _by_a_word(kind: Kind, upstream: Upstream) -> Inquiry:
    """Where nothing is listed: Factory counts the tokens of a word, the demo answers one."""
    if upstream.kind == "demo":
        model, extra = "demo", {"max_tokens": 1}
        url: str | None = kind.url(upstream, model, dialect=_MESSAGES, stream=False)
    else:
        model, extra = _COUNTED_MODEL, {}
        url = kind.operation_url(structs.replace(upstream, api="messages"), model, "messages/count_tokens")
    return Inquiry("POST", url or "", msgspec.json.encode({"model": model, **extra, **_QUESTION}), _MESSAGES, model)


def finding(upstream: Upstream, status: int, body: bytes, *, with_key: bool) -> Finding:
    """What an answer to the inquiry means."""
    if _is_refusal(upstream, status, body):
        return _refusal(upstream, status, with_key=with_key)
    if status in _SAID:
        return Finding(*_SAID[status])
    if status >= 500:
        return Finding(False, f"It fails ({status}).")
    if status >= 400:
        return Finding(True, f"It answers, but not to this question ({status}): the key was not looked at.")
    if status >= 300:
        return Finding(False, f"It leads elsewhere ({status}), and redirects are not followed: correct the base URL.")
    return Finding(True, "It answers and takes the key." if with_key else "It answers.")


def _refusal(upstream: Upstream, status: int, *, with_key: bool) -> Finding:
    if with_key:
        return Finding(False, f"The key is refused ({status}).")
    if upstream.allow_caller_keys:
        return Finding(True, "It answers. It has no key of ours; callers bring their own.")
    return Finding(False, f"It wants a key ({status}).")


def _is_refusal(upstream: Upstream, status: int, body: bytes) -> bool:
    if upstream.kind == "gemini" and status == 400:
        return b"API_KEY_INVALID" in body or b"API key not valid" in body
    if upstream.kind == "coze" and _code(body) in _COZE_REFUSED:
        return True
    return status in _REFUSED


class _Envelope(Struct):
    code: int = 0


def _code(body: bytes) -> int:
    """Coze says errors with status 200 too."""
    try:
        return msgspec.json.decode(body, type=_Envelope).code
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0
