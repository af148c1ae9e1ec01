"""Misconfiguration as Django system checks, each a sentence. Every command that runs the checks stops at an Error."""

from __future__ import annotations

import ipaddress
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import Error as DatabaseError

TAG = "dragoman"
LEAST_SECRET = 32
LEAST_DIFFERENT = 10
PLACEHOLDERS = (
    "django-insecure-",
    "changeme",
    "change-me",
    "change_me",
    "your-secret",
    "your_secret",
    "replace",
    "example",
)


def is_public(host: str) -> bool:
    """True unless the address is reachable from this machine alone. A name other than localhost may be anything."""
    if host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return True


def is_weak(secret: str) -> bool:
    lower = secret.lower()
    return len(secret) < LEAST_SECRET or len(set(secret)) < LEAST_DIFFERENT or any(p in lower for p in PLACEHOLDERS)


@register(TAG)
def check_secret_key(**_: Any) -> list[CheckMessage]:
    if not is_weak(settings.SECRET_KEY):
        return []
    return [
        Error(
            f"SECRET_KEY is a default, or shorter than {LEAST_SECRET} characters.",
            hint="Leave SECRET_KEY out to have one made (SQLite), or set a long random value and keep it.",
            id="dragoman.E001",
        )
    ]


@register(TAG)
def check_open_door(**_: Any) -> list[CheckMessage]:
    if settings.ENABLE_CLIENT_AUTH and not settings.ALLOW_ANONYMOUS_ACCESS:
        return []
    if not is_public(settings.HOST):
        return []
    if not settings.ALLOW_ANONYMOUS_ACCESS:
        return [
            Error(
                f"ENABLE_CLIENT_AUTH is false and HOST is {settings.HOST}: anybody on the network could use your keys.",
                hint="Set ENABLE_CLIENT_AUTH=true or HOST=127.0.0.1; if it is meant, say ALLOW_ANONYMOUS_ACCESS=true.",
                id="dragoman.E002",
            )
        ]
    return [
        Warning(
            f"ALLOW_ANONYMOUS_ACCESS is true and HOST is {settings.HOST}: anybody who reaches it can use your keys.",
            id="dragoman.W001",
        )
    ]


@register(TAG)
def check_limits_hold(**_: Any) -> list[CheckMessage]:
    if settings.WEB_CONCURRENCY == 1:
        return []
    more = " REDIS_URL is kept, but not used in this version." if settings.REDIS_URL else ""
    return [
        Warning(
            f"WEB_CONCURRENCY is {settings.WEB_CONCURRENCY}: limits hold per process, so a client may get up to "
            f"{settings.WEB_CONCURRENCY} times its limit.{more}",
            hint="Run one process where limits must be exact.",
            id="dragoman.W002",
        )
    ]


@register(TAG)
def check_hosts(**_: Any) -> list[CheckMessage]:
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    return [
        Warning(
            "ALLOWED_HOSTS is *: any Host header is believed, also one from a page that points its name here.",
            hint="List the names under which people open the console.",
            id="dragoman.W003",
        )
    ]


@register(TAG)
def check_debug(**_: Any) -> list[CheckMessage]:
    if not (settings.DEBUG and is_public(settings.HOST)):
        return []
    return [
        Warning(
            f"DRAGOMAN_DEBUG is true and HOST is {settings.HOST}: error pages show source code and settings.",
            id="dragoman.W004",
        )
    ]


@register(TAG)
def check_admin_password(**_: Any) -> list[CheckMessage]:
    if settings.ADMIN_PASSWORD is None or len(settings.ADMIN_PASSWORD) >= 10:
        return []
    return [
        Warning(
            "ADMIN_PASSWORD is shorter than 10 characters.", hint="Leave it out to have one made.", id="dragoman.W005"
        )
    ]


@register(Tags.database)
def check_stored_secrets(databases: Any = None, **_: Any) -> list[CheckMessage]:
    """Run by `check --database default` and by `migrate`: other commands do not ask the database for it."""
    from proxyapp.config.rekeying import unreadable

    try:
        found = unreadable() if databases else []
    except DatabaseError:
        return []  # no tables yet, or older ones
    if not found:
        return []
    named = ", ".join(str(item) for item in found[:20])
    more = f" and {len(found) - 20} more" if len(found) > 20 else ""
    return [
        Warning(
            f"None of DRAGOMAN_ENCRYPTION_KEYS opens {named}{more}.",
            hint="Add the key they were stored with, or enter them again.",
            id="dragoman.W006",
        )
    ]
