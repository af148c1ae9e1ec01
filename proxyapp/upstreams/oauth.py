"""What is said on the wire when an access token is renewed with a refresh token: RFC 6749 section 6, and the values of
the kinds that have a token server of their own. Pure: no I/O, no clock."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode

import msgspec
from msgspec import Struct

from proxyapp.upstreams.contract import Outbound


class TokenServer(Struct, frozen=True):
    """Where a kind's tokens are renewed, and as whom."""

    url: str
    client_id: str
    """A public constant of the program whose login the tokens come from; no secret."""
    device_url: str = ""
    """Where a login without a browser of its own begins (RFC 8628)."""


TOKEN_SERVERS: Mapping[str, TokenServer] = {
    # reference/upstreams.md 2.1, 2.3: WorkOS, with the client id of Factory's own command line.
    "factory": TokenServer(
        "https://api.workos.com/user_management/authenticate",
        "client_01HNM792M5G5G1A2THWPXKFMXB",
        "https://api.workos.com/user_management/authorize/device",
    ),
}
"""Kinds that need no `token_url`. For all others the operator gives one."""

LONGEST_LIFE = 366 * 86_400.0
USUAL_LIFE = 8 * 3600.0
"""When neither the answer nor the token says how long it lives (reference/upstreams.md 2.2)."""

_HEADER_VALUE = re.compile(r"[\x21-\x7e]+\Z")
_ERROR_CODE = re.compile(r"[A-Za-z0-9_.-]{1,60}\Z")
_LONGEST_DESCRIPTION = 200


class Asking(Struct, frozen=True):
    """One refresh, complete."""

    url: str
    client_id: str
    refresh_token: str
    organization_id: str = ""

    def __repr__(self) -> str:
        return f"Asking({self.url!r})"


class Grant(Struct, frozen=True):
    """What the token server gave."""

    access_token: str
    """"" when only a new refresh token came, which must not be lost all the same."""
    refresh_token: str
    """"" when none came: the old one stays."""
    lifetime: float
    """Seconds from the answer on."""

    def __repr__(self) -> str:
        return "Grant(…)"


class RefreshFailed(Exception):
    """No new access token. `code` is a word of ours, the message a sentence without secrets.

    invalid_grant: the refresh token is dead. invalid_client, refused: the server will say the same again until the
    configuration changes. busy, unreachable, unanswered, unreadable: may pass.
    """

    def __init__(
        self, code: str, message: str, *, error: str = "", retry_after: float | None = None, is_unsure: bool = False
    ) -> None:
        super().__init__(message)
        self.code = code
        self.error = error
        """The server's own word."""
        self.message = message
        self.retry_after = retry_after
        """Seconds, when the server asked for them."""
        self.is_unsure = is_unsure
        """The request may have been taken although no answer could be read: the old refresh token may be spent."""


class Device(Struct, frozen=True):
    """A login that a person has to confirm elsewhere (RFC 8628 section 3.2)."""

    code: str
    """Ours to show with each question; a secret."""
    user_code: str
    address: str
    """Where the person goes."""
    lifetime: float
    """Seconds."""
    interval: float
    """Seconds between two questions."""

    def __repr__(self) -> str:
        return f"Device({self.user_code!r})"


def outbound(asking: Asking) -> Outbound:
    """The request: a form, as RFC 6749 wants it."""
    form = {
        "grant_type": "refresh_token",
        "refresh_token": asking.refresh_token,
        "client_id": asking.client_id,
        "organization_id": asking.organization_id,
    }
    return _form(asking.url, form)


def device_outbound(url: str, client_id: str) -> Outbound:
    """Begins a login."""
    return _form(url, {"client_id": client_id})


def login_outbound(asking: Asking, device: Device) -> Outbound:
    """Asks whether the person has confirmed."""
    kind = "urn:ietf:params:oauth:grant-type:device_code"
    return _form(asking.url, {"grant_type": kind, "device_code": device.code, "client_id": asking.client_id})


def read_device(asking: Asking, status: int, body: bytes) -> Device:
    """The login that was begun. Raises RefreshFailed."""
    data = _object(body)
    code, user_code = _token(data.get("device_code")), _token(data.get("user_code"))
    address = _token(data.get("verification_uri_complete")) or _token(data.get("verification_uri"))
    if not (200 <= status < 300 and code and user_code and address.startswith(("http://", "https://"))):
        raise RefreshFailed("refused", _said(asking, status, _word(data.get("error")), data))
    interval = _seconds(data.get("interval")) or 5.0
    return Device(code, user_code, address, _seconds(data.get("expires_in")) or 300.0, min(interval, 60.0))


def _form(url: str, form: Mapping[str, str]) -> Outbound:
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": "dragoman",
    }
    body = urlencode({name: value for name, value in form.items() if value}).encode()
    return Outbound("POST", url, headers, body)


def read_answer(asking: Asking, status: int, headers: Mapping[str, str], body: bytes, now: float) -> Grant:
    """The grant in an answer. `now`: unix seconds. Raises RefreshFailed."""
    data = _object(body)
    if 200 <= status < 300 and "error" not in data:
        return _grant(data, now)
    error = _word(data.get("error")) or _word(data.get("code"))
    said = _said(asking, status, error, data)
    if 300 <= status < 400:
        raise RefreshFailed("refused", f"{said}. Redirects are not followed; correct the token URL")
    if status in (408, 425, 429) or status >= 500:
        raise RefreshFailed("busy", said, retry_after=_seconds(headers.get("retry-after")), is_unsure=status != 429)
    if error in ("invalid_grant", "invalid_client", "unauthorized_client"):
        code = "invalid_grant" if error == "invalid_grant" else "invalid_client"
        raise RefreshFailed(code, said, error=error)
    raise RefreshFailed("refused", said, error=error)


def _object(body: bytes) -> dict[str, Any]:
    """{} for what is no JSON object: a wrong path answers with HTML."""
    try:
        data = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _word(value: object) -> str:
    return value if isinstance(value, str) and _ERROR_CODE.match(value) else ""


def _said(asking: Asking, status: int, error: str, data: Mapping[str, Any]) -> str:
    """What the server answered, without the full stop. A description may repeat the token; it is taken out."""
    description = data.get("error_description") or data.get("message")
    text = " ".join(description.split()) if isinstance(description, str) else ""
    for secret in filter(None, (asking.refresh_token, quote_plus(asking.refresh_token))):
        text = text.replace(secret, "***")
    if len(text) > _LONGEST_DESCRIPTION:
        text = f"{text[:_LONGEST_DESCRIPTION]}…"
    words = [f"The token server answered {status}", error, text.rstrip(".")]
    return ": ".join(word for word in words if word)


def _grant(data: Mapping[str, Any], now: float) -> Grant:
    access, refresh = _token(data.get("access_token")), _token(data.get("refresh_token"))
    if not access and not refresh:
        # The request was taken, so what came may have been a new token in a form that nobody can read.
        message = "The token server's answer holds no access token that can be read"
        raise RefreshFailed("unreadable", message, is_unsure=True)
    return Grant(access, refresh, _lifetime(data.get("expires_in"), access, now))


def _token(value: object) -> str:
    """A token that can stand in a header, else ""."""
    return value if isinstance(value, str) and _HEADER_VALUE.match(value) else ""


def _lifetime(expires_in: object, access_token: str, now: float) -> float:
    """`expires_in`, else the token's own `exp` less a minute, else eight hours (reference/upstreams.md 2.2)."""
    seconds = _seconds(expires_in)
    if not seconds:
        ends = _expiry_in_token(access_token)
        seconds = ends - 60 - now if ends is not None and ends - 60 > now else USUAL_LIFE
    return min(seconds, LONGEST_LIFE)


def _seconds(value: object) -> float | None:
    """A positive number of seconds, as a number or in digits."""
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        return None
    return float(value)


def _expiry_in_token(token: str) -> float | None:
    """`exp` of a JSON web token, unix seconds. Its signature is for its reader to check."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        return None
    return _seconds(claims.get("exp")) if isinstance(claims, dict) else None
