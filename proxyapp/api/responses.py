"""Kept Responses: read, listed, deleted by the client whose they are (`engine.conversation` keeps them).

These views ask the database, in threads of its own: they are not on the way of an inference.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from proxyapp import wiring
from proxyapp.api.base import AsyncAPIView, json_response
from proxyapp.api.inference import address_of, query_key
from proxyapp.conversations.responses import ResponseStore
from proxyapp.engine.identify import identify
from proxyapp.errors import BadRequest, ResponseNotFound

_MOST_ITEMS, _USUAL_ITEMS = 100, 20
Json = dict[str, Any]


class KeptView(AsyncAPIView):
    """What all of them do first: who asks, and of which answer."""

    async def _asked(self, request: HttpRequest, response_id: str) -> tuple[ResponseStore, int]:
        """The store and the client. Raises NotAuthenticated, Forbidden, ResponseNotFound."""
        worker = await wiring.start()
        caller = identify(
            worker.engine.snapshot,
            self.incoming,
            query_key=query_key(request),
            address=address_of(request, self.incoming.get("x-forwarded-for", "")),
        )
        store = worker.engine.store
        if not isinstance(store, ResponseStore):  # the operator has none kept
            raise not_kept(response_id)
        return store, caller.key.client_id


class ResponseView(KeptView):
    """GET and DELETE `/v1/responses/{id}`."""

    async def get(self, request: HttpRequest, response_id: str) -> HttpResponseBase:
        if request.GET.get("stream", "").lower() == "true":
            raise BadRequest("A kept response is given whole; leave 'stream' out.", param="stream")
        store, client = await self._asked(request, response_id)
        kept = await store.get(client, response_id)
        if kept is None:
            raise not_kept(response_id)
        return json_response(kept, request_id=self.request_id)

    async def delete(self, request: HttpRequest, response_id: str) -> HttpResponseBase:
        store, client = await self._asked(request, response_id)
        if not await store.delete(client, response_id):
            raise not_kept(response_id)
        gone = {"id": response_id, "object": "response", "deleted": True}
        return json_response(gone, request_id=self.request_id)


class InputItemsView(KeptView):
    """GET `/v1/responses/{id}/input_items`: all that the model was given, earlier turns included."""

    async def get(self, request: HttpRequest, response_id: str) -> HttpResponseBase:
        limit, order = _limit(request), request.GET.get("order", "desc")
        if order not in ("asc", "desc"):
            raise BadRequest("'order' must be 'asc' or 'desc'.", param="order")
        store, client = await self._asked(request, response_id)
        items = await store.inputs(client, response_id)
        if items is None:
            raise not_kept(response_id)
        if order == "desc":
            items.reverse()
        return json_response(_page(items, limit, request.GET.get("after")), request_id=self.request_id)


class CancelView(KeptView):
    """POST `/v1/responses/{id}/cancel`: there is nothing to cancel, since no answer is made in the background."""

    async def post(self, request: HttpRequest, response_id: str) -> HttpResponseBase:
        store, client = await self._asked(request, response_id)
        if await store.get(client, response_id) is None:
            raise not_kept(response_id)
        raise BadRequest("Cannot cancel a synchronous response.")


def not_kept(response_id: str) -> ResponseNotFound:
    return ResponseNotFound(f"Response with id '{response_id}' not found.", param="response_id")


def _page(items: list[Json], limit: int, after: str | None) -> Json:
    """Raises BadRequest for an `after` that is not among the items."""
    start = 0
    if after:
        places = [place for place, item in enumerate(items) if item.get("id") == after]
        if not places:
            raise BadRequest(f"'after' names no input item of this response: '{after}'.", param="after")
        start = places[0] + 1
    page = items[start : start + limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0].get("id") if page else None,
        "last_id": page[-1].get("id") if page else None,
        "has_more": start + limit < len(items),
    }


def _limit(request: HttpRequest) -> int:
    said = request.GET.get("limit")
    if said is None:
        return _USUAL_ITEMS
    if not (said.isascii() and said.isdigit() and len(said) <= 3 and 1 <= int(said) <= _MOST_ITEMS):
        raise BadRequest(f"'limit' must be a number from 1 to {_MOST_ITEMS}.", param="limit")
    return int(said)
