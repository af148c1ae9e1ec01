"""Who may manage: a gateway key of scope `admin`, or somebody of staff who is signed in to the console.

A request that bears a key is judged by that key alone, under the same rules as inference (`engine.identify`), but by
the database of this moment: a key that was revoked opens nothing, not even for the second until the snapshot knows.
"""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

from django.db import DatabaseError
from django.db.models import Q
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.models import ApiKey
from proxyapp import wiring
from proxyapp.api.base import lower_headers
from proxyapp.api.inference import query_key
from proxyapp.config.build import known_keys
from proxyapp.engine.identify import FACTORY, digest, identify, presented
from proxyapp.engine.snapshot import Key, Snapshot
from proxyapp.errors import Forbidden, NotAuthenticated

NO_KEY = "Send a key of scope admin as `Authorization: Bearer …`, or sign in to the console."
MARK_EVERY = timedelta(minutes=1)
"""How often, at most, the use of a key is written down."""


class KeyHolder:
    """In the place of a user: whoever holds this key."""

    is_authenticated = True
    is_active = True
    is_staff = False

    def __init__(self, key: Key) -> None:
        self.key = key

    def __str__(self) -> str:
        return f"key {self.key.client}/{self.key.name}"


class AdminKey(BaseAuthentication):
    """A gateway key in any of its places. Raises NotAuthenticated, Forbidden; None when the request bears none."""

    def authenticate(self, request: Request) -> tuple[KeyHolder, None] | None:
        headers, in_query = lower_headers(request), query_key(request._request)
        values = presented(headers, in_query)
        snapshot = Snapshot(keys=_known(set(values.values())) if values else {})
        if not values.keys() - {FACTORY} and not snapshot.keys:
            return None
        caller = identify(snapshot, headers, query_key=in_query, address=request.META.get("REMOTE_ADDR") or "")
        if caller.key.scope != "admin":
            raise Forbidden("This key is for inference; managing needs one of scope admin.")
        _mark_used(caller.key)
        return KeyHolder(caller.key), None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _known(values: set[str]) -> dict[str, Key]:
    """Those among the values that are keys. With the database away what this worker knows must do, and at once:
    `/metrics` is wanted most when something is away, and whoever asks for it does not wait long."""
    digests = {digest(value) for value in values}
    worker = wiring.current()
    if not wiring.is_database_away():
        try:
            return known_keys(Q(digest__in=digests) | Q(previous_digest__in=digests))
        except DatabaseError:
            if worker is None:
                raise
    assert worker is not None  # else nobody knew that the database is away
    return {d: worker.engine.snapshot.keys[d] for d in digests if d in worker.engine.snapshot.keys}


def _mark_used(key: Key) -> None:
    if wiring.is_database_away():
        return
    now = timezone.now()
    due = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - MARK_EVERY)
    with contextlib.suppress(DatabaseError):
        ApiKey.objects.filter(due, pk=key.id).update(last_used_at=now)


class ConsoleSession(SessionAuthentication):
    """Whoever is signed in to the console; what changes something needs the CSRF token as well."""

    def enforce_csrf(self, request: Request) -> None:
        """On Django's request: DRF's would read the body first, before anybody is known."""
        super().enforce_csrf(request._request)  # type: ignore[arg-type]


class MayManage(BasePermission):
    """An admin key may do all; staff what the view's `rights` name for the method, and only that."""

    def has_permission(self, request: Request, view: Any) -> bool:
        user: Any = request.user
        if isinstance(user, KeyHolder):
            return True
        if user is None or not user.is_authenticated:
            raise NotAuthenticated(NO_KEY)
        if not (user.is_active and user.is_staff):
            return False
        method = "GET" if request.method == "HEAD" else str(request.method)
        right = view.rights.get(method)
        if right is None:  # where nothing is done there is nothing to guard: that is a 405
            return method == "OPTIONS" or not hasattr(view, method.lower())
        return not right or bool(user.has_perm(right))
