"""Browsers on the inference paths (contract.md "CORS"): a key must come with the request, so `*` is safe while keys
are required; never with credentials. With anonymous access only the origins that were named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase

R = TypeVar("R", bound=HttpResponseBase)


def allow(response: R, headers: Mapping[str, str]) -> R:
    """Adds the header that lets the asking page read the answer, if it may."""
    origin = headers.get("origin")
    if origin is None:
        return response
    if settings.CORS_ALLOW_ALL_ORIGINS:
        response["access-control-allow-origin"] = "*"
    elif origin in settings.CORS_ALLOWED_ORIGINS:
        response["access-control-allow-origin"] = origin
        response["vary"] = "origin"
    else:
        return response
    response["access-control-expose-headers"] = "*"
    return response


def preflight(headers: Mapping[str, str]) -> HttpResponse:
    """The answer to OPTIONS."""
    response = HttpResponse(status=204)
    response["access-control-allow-methods"] = "GET, POST, DELETE, OPTIONS"
    response["access-control-allow-headers"] = headers.get("access-control-request-headers", "*")
    response["access-control-max-age"] = "600"
    return response
