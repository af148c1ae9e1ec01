"""Two small middlewares for the console: whom to believe about the caller's address, and Secure cookies."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.addresses import client_address, is_within

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def believe_trusted_proxies(get_response: GetResponse) -> GetResponse:
    """REMOTE_ADDR becomes the caller's own address behind TRUSTED_PROXIES; from others the headers are dropped."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        peer = request.META.get("REMOTE_ADDR") or ""
        if is_within(peer, settings.TRUSTED_PROXIES):
            forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
            request.META["REMOTE_ADDR"] = client_address(peer, forwarded, settings.TRUSTED_PROXIES)
        else:
            request.META.pop("HTTP_X_FORWARDED_PROTO", None)
        request.META.pop("HTTP_X_FORWARDED_FOR", None)
        return get_response(request)

    return middleware


def secure_cookies(get_response: GetResponse) -> GetResponse:
    """Cookies set on an https request are Secure, so that one configuration serves http on loopback and https."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if request.is_secure():
            for cookie in response.cookies.values():
                cookie["secure"] = True
        return response

    return middleware
