"""What an upstream's error repeats of the gateway's own: taken out before anybody reads it."""

from __future__ import annotations

from collections.abc import Callable

from proxyapp.dialects import jsonio
from proxyapp.engine import credentials
from proxyapp.engine.routing import Target
from proxyapp.engine.scrub import hiding
from proxyapp.errors import GatewayError, UpstreamRefused
from proxyapp.upstreams.contract import Credential


def take_out(error: GatewayError, target: Target, credential: Credential | None) -> None:
    """Errors reach the caller, as words or as the bytes that came."""
    own = [credential.secret] if credential is not None and credentials.is_ours(credential) else []
    said = target.upstream.headers.values()
    hide = hiding([*own, *said, *(value.rpartition(" ")[2] for value in said)])  # a token also without its `Bearer`
    if hide is None:
        return
    error.message = _text(hide, error.message)
    if isinstance(error, UpstreamRefused):
        error.body = hide(error.body)
        error.param, error.kind, error.upstream_code = (
            word if word is None else _text(hide, word) for word in (error.param, error.kind, error.upstream_code)
        )
        if error.details is not None:
            error.details = jsonio.decode(hide(jsonio.encode(error.details)))


def _text(hide: Callable[[bytes], bytes], text: str) -> str:
    return hide(text.encode("utf-8", "replace")).decode("utf-8", "replace")
