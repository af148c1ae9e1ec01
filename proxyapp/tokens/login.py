"""How an operator gets a refresh token: a login that is confirmed in a browser anywhere (RFC 8628)."""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec import Struct

from proxyapp.models import OAuthToken
from proxyapp.tokens import asking, rows
from proxyapp.upstreams.oauth import (
    TOKEN_SERVERS,
    Asking,
    Device,
    Grant,
    RefreshFailed,
    device_outbound,
    login_outbound,
    read_answer,
    read_device,
)

SLOWER_SECONDS = 5.0
"""RFC 8628 section 3.5: what `slow_down` adds to the interval."""


class Manner(Struct, frozen=True):
    """How to go about it; `tell` shows the login to the person."""

    tell: Callable[[Device], object]
    pause: Callable[[float], object] = time.sleep
    clock: Callable[[], float] = time.monotonic


def log_in(token: OAuthToken, device_url: str, manner: Manner) -> None:
    """Waits until the person has confirmed, and gives `token` (which may be new) the refresh token of that login.
    Raises RefreshFailed, django.db.Error."""
    question, device_url = _question(token, device_url)
    status, _, body = asking.send(device_outbound(device_url, question.client_id), token.upstream.name)
    device = read_device(question, status, body)
    manner.tell(device)
    grant = _confirmed(question, device, token.upstream.name, manner)
    if not grant.refresh_token:
        raise RefreshFailed("refused", "The login brought no refresh token")
    token.seed = grant.refresh_token
    token.save()
    rows.start_anew(token.pk)


def _question(token: OAuthToken, device_url: str) -> tuple[Asking, str]:
    own = TOKEN_SERVERS.get(token.upstream.kind)
    url = token.token_url or (own.url if own else "")
    client_id = token.client_id or (own.client_id if own else "")
    device_url = device_url or (own.device_url if own else "")
    for name, value in (("token URL", url), ("client id", client_id), ("device URL", device_url)):
        if not value:
            raise RefreshFailed("not_configured", f"The kind {token.upstream.kind} has no {name} of its own; give one")
    return Asking(url, client_id, ""), device_url


def _confirmed(question: Asking, device: Device, upstream: str, manner: Manner) -> Grant:
    interval, end = device.interval, manner.clock() + device.lifetime
    while manner.clock() < end:
        manner.pause(interval)
        try:
            answered = asking.send(login_outbound(question, device), upstream)
            return read_answer(question, *answered, time.time())
        except RefreshFailed as failure:
            if failure.error == "slow_down":
                interval += SLOWER_SECONDS
            elif failure.error != "authorization_pending" and failure.code not in ("busy", "unreachable"):
                raise
    raise RefreshFailed("refused", "Nobody confirmed the login in time")
