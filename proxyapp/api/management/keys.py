"""`/auth/keys`: gateway keys listed, made, changed, renewed and deleted. In force in every worker within a second."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import structlog
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from msgspec import UNSET
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.addresses import is_within, parse_networks
from accounts.issuing import issue, parse_overlap, rotate
from accounts.models import ApiKey, Client
from proxyapp.api.management.access import KeyHolder
from proxyapp.api.management.base import ManagementView
from proxyapp.api.management.description import reference
from proxyapp.api.management.key_fields import (
    KeyChanges,
    KeyPage,
    MadeKey,
    NewKey,
    Rotation,
    ShownKey,
    expiry,
    made,
    read,
    refused,
    shown,
)
from proxyapp.api.management.paging import filters, page
from proxyapp.errors import BadRequest, Conflict, Forbidden, KeyNotFound
from proxyapp.models.config import lock_configuration

log = structlog.get_logger(__name__)
JSON = "application/json"
FILTERS = ("client", "name", "scope", "state", "limit", "offset")
LONGEST_ID = 18
"""Digits of an id that every database can hold."""


class KeysView(ManagementView):
    """GET a page of keys, POST a new one."""

    rights = {"GET": "accounts.view_apikey", "POST": "accounts.add_apikey"}

    @extend_schema(
        operation_id="list_keys",
        summary="List keys",
        parameters=[OpenApiParameter(name, int if name in ("limit", "offset") else str) for name in FILTERS],
        responses={200: reference(KeyPage)},
    )
    def get(self, request: Request) -> Response:
        said = filters(request, FILTERS)
        limit, offset = page(said)
        rows = _chosen(said)
        total = rows.count()
        shown_rows = [shown(row) for row in rows[offset : offset + limit]]
        following = {**said, "limit": str(limit), "offset": str(offset + limit)}
        path = f"{request.path}?{urlencode(following)}" if offset + limit < total else None
        return Response(KeyPage(total, path, shown_rows))

    @extend_schema(
        operation_id="make_key",
        summary="Make a key, shown this once",
        request={JSON: reference(NewKey)},
        responses={201: reference(MadeKey)},
    )
    def post(self, request: Request) -> Response:
        asked: NewKey = read(request.data, NewKey)
        expires_at = expiry(asked.expires)
        with transaction.atomic():
            lock_configuration()  # two that make the same client, or name, come one after the other
            name = _plain(asked.client, "client")
            client = Client.objects.filter(name=name).first() or self._new_client(request, name)
            is_new = client._state.adding
            try:
                if is_new:
                    client.full_clean()
                    client.save()
                row, key = issue(
                    client,
                    asked.name,
                    scope=asked.scope,
                    models=asked.models,
                    allowed_ips=asked.allowed_ips,
                    expires_at=expires_at,
                )
            except ValidationError as exc:
                raise refused(exc, client=is_new and client.pk is None) from exc
        _tell("key_made", request, row)
        return Response(made(row, key, client_created=is_new), status=201)

    def _new_client(self, request: Request, name: str) -> Client:
        if not isinstance(request.user, KeyHolder) and not request.user.has_perm("accounts.add_client"):
            raise Forbidden("There is no client of that name, and you may not make one.")
        return Client(name=name, note="Made with its first key by the management API.")


class KeyView(ManagementView):
    """GET, PATCH and DELETE one key."""

    rights = {
        "GET": "accounts.view_apikey",
        "PATCH": "accounts.change_apikey",
        "DELETE": "accounts.delete_apikey",
    }

    @extend_schema(operation_id="get_key", summary="One key", responses={200: reference(ShownKey)})
    def get(self, request: Request, key_id: str) -> Response:
        filters(request, ())
        return Response(shown(_row(key_id)))

    @extend_schema(
        operation_id="change_key",
        summary="Change a key, or revoke it",
        request={JSON: reference(KeyChanges)},
        responses={200: reference(ShownKey)},
    )
    def patch(self, request: Request, key_id: str) -> Response:
        changes = _changes(read(request.data, KeyChanges))
        with transaction.atomic():
            row = _row(key_id, ApiKey.objects.select_for_update(of=("self",)))
            _not_oneself(request, row, changes)
            for name, value in changes.items():
                setattr(row, name, value)
            try:
                row.full_clean()
                row.save(update_fields=list(changes))
            except ValidationError as exc:
                raise refused(exc) from exc
        _tell("key_changed", request, row, changed=sorted(changes))
        return Response(shown(row))

    @extend_schema(operation_id="delete_key", summary="Delete a key", responses={204: None})
    def delete(self, request: Request, key_id: str) -> Response:
        row = _row(key_id)
        if _is_oneself(request, row):
            raise Conflict("This is the key that you are using. Delete it with another one, or in the console.")
        row.delete()
        _tell("key_deleted", request, row, id=int(key_id))
        return Response(status=204)


class RotateView(ManagementView):
    """POST: a new key in the place of the old one, which may go on for a while."""

    rights = {"POST": "accounts.change_apikey"}

    @extend_schema(
        operation_id="rotate_key",
        summary="Renew a key, shown this once; the old one may go on for a while",
        request={JSON: reference(Rotation)},
        responses={200: reference(MadeKey)},
    )
    def post(self, request: Request, key_id: str) -> Response:
        asked: Rotation = read(request.data, Rotation)
        try:
            overlap = parse_overlap(0 if asked.overlap is None else asked.overlap)
        except (ValueError, OverflowError):
            raise BadRequest("overlap: give seconds, or 90m, 24h, 7d, 2w; at most 366 days.", param="overlap") from None
        row = _row(key_id)
        try:
            key = rotate(row, timezone.now(), overlap)
        except ApiKey.DoesNotExist:
            raise _no_key(key_id) from None
        _tell("key_rotated", request, row)
        return Response(made(row, key))


def _chosen(said: dict[str, str]) -> QuerySet[ApiKey]:
    """The keys that the filters choose, in the order in which they were made. Raises BadRequest."""
    rows = ApiKey.objects.select_related("client").order_by("id")
    if "client" in said:
        rows = rows.filter(client__name=_plain(said["client"], "client"))
    if "name" in said:
        rows = rows.filter(name=_plain(said["name"], "name"))
    if "scope" in said:
        if said["scope"] not in ("inference", "admin"):
            raise BadRequest("scope: inference or admin.", param="scope")
        rows = rows.filter(scope=said["scope"])
    if "state" in said:
        revoked, expired = Q(enabled=False) | Q(client__enabled=False), Q(expires_at__lte=timezone.now())
        states = {"revoked": revoked, "expired": ~revoked & expired, "active": ~revoked & ~expired}
        if said["state"] not in states:
            raise BadRequest("state: active, expired or revoked.", param="state")
        rows = rows.filter(states[said["state"]])
    return rows


def _plain(text: str, name: str) -> str:
    if "\0" in text:
        raise BadRequest(f"{name}: no name holds such a character.", param=name)
    return text


def _row(key_id: str, rows: QuerySet[ApiKey] | None = None) -> ApiKey:
    """Raises KeyNotFound."""
    row = None
    if key_id.isascii() and key_id.isdigit() and len(key_id) <= LONGEST_ID:
        row = (ApiKey.objects.all() if rows is None else rows).select_related("client").filter(pk=int(key_id)).first()
    if row is None:
        raise _no_key(key_id)
    return row


def _no_key(key_id: str) -> KeyNotFound:
    return KeyNotFound(f"There is no key with the id {key_id[:50]!r}.")


def _changes(asked: KeyChanges) -> dict[str, Any]:
    """Columns and their new values."""
    said = {name: getattr(asked, name) for name in asked.__struct_fields__ if getattr(asked, name) is not UNSET}
    if "expires" in said:
        said["expires_at"] = expiry(said.pop("expires"))
    return said


def _is_oneself(request: Request, row: ApiKey) -> bool:
    return isinstance(request.user, KeyHolder) and request.user.key.id == row.pk


def _not_oneself(request: Request, row: ApiKey, changes: dict[str, Any]) -> None:
    """Nobody saws off the branch they sit on by accident. Raises Conflict."""
    if not _is_oneself(request, row):
        return
    networks = parse_networks(changes.get("allowed_ips") or [])
    address = request.META.get("REMOTE_ADDR") or ""
    shuts_out = {
        "enabled": changes.get("enabled") is False,
        "scope": changes.get("scope") == "inference",
        "allowed_ips": bool(networks) and not is_within(address, networks),
    }
    for name, does in shuts_out.items():
        if does:
            raise Conflict(
                f"{name}: this would shut out the key that you are using; do it with another one.", param=name
            )


def _tell(event: str, request: Request, row: ApiKey, **more: Any) -> None:
    """Who did it goes to the log: a key has no user for the console's own book."""
    log.info(event, by=str(request.user), client=row.client.name, key=row.name, **{"id": row.pk, **more})
