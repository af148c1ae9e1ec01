"""The list of models a key may use, in the shape its caller knows (reference/translation.md 9.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from proxyapp import wiring
from proxyapp.api.base import AsyncAPIView, json_response
from proxyapp.api.inference import address_of, query_key
from proxyapp.api.model_shapes import Listed, anthropic_item, gemini_item, listed, openai_item
from proxyapp.engine.identify import identify
from proxyapp.engine.routing import find, may_use, no_model
from proxyapp.engine.snapshot import Model, Snapshot
from proxyapp.errors import BadRequest

_MOST = 1000
Shape = Callable[[Listed], dict[str, Any]]


class ModelsView(AsyncAPIView):
    """GET the list, or one model."""

    async def get(self, request: HttpRequest, name: str = "") -> HttpResponseBase:
        snapshot = (await wiring.start()).engine.snapshot
        key_in_query = query_key(request)
        caller = identify(
            snapshot,
            self.incoming,
            query_key=key_in_query,
            address=address_of(request, self.incoming.get("x-forwarded-for", "")),
        )
        shape = self._shape(request, key_in_query)
        if name:
            model, matched = find(snapshot, name)
            if not may_use(caller.key, name, model):
                raise no_model(name)
            return json_response(shape(listed(snapshot, name, model, matched)), request_id=self.request_id)
        usable = {n: m for n, m in sorted(_with_routes(snapshot).items()) if may_use(caller.key, n, m)}
        return json_response(_PAGES[shape](snapshot, usable, request), request_id=self.request_id)

    def _shape(self, request: HttpRequest, key_in_query: str | None) -> Shape:
        """Whose words: the path or the key's place tells Gemini's callers, the version Anthropic's."""
        if request.path.startswith("/v1beta/"):
            return gemini_item
        if "anthropic-version" in self.incoming:
            return anthropic_item
        return gemini_item if "x-goog-api-key" in self.incoming or key_in_query else openai_item


def _with_routes(snapshot: Snapshot) -> dict[str, Model]:
    return {name: model for name, model in snapshot.models.items() if model.routes}


def _openai_list(snapshot: Snapshot, models: dict[str, Model], request: HttpRequest) -> dict[str, Any]:
    return {"object": "list", "data": [openai_item(listed(snapshot, name, model)) for name, model in models.items()]}


def _anthropic_page(snapshot: Snapshot, models: dict[str, Model], request: HttpRequest) -> dict[str, Any]:
    """A page as Anthropic cuts it: `limit` (default 20, at most 1000), `after_id`, `before_id`, `lifecycle`."""
    stages = request.GET.getlist("lifecycle[]") + request.GET.getlist("lifecycle")
    names = list(models) if not stages or "active" in stages else []  # all that is served is active
    limit = _number(request, "limit", 20)
    after, before = request.GET.get("after_id"), request.GET.get("before_id")
    if before in names:
        end = names.index(before)
        page, more = names[max(0, end - limit) : end], end > limit
    else:
        start = names.index(after) + 1 if after in names else 0
        page, more = names[start : start + limit], start + limit < len(names)
    return {
        "data": [anthropic_item(listed(snapshot, name, models[name])) for name in page],
        "has_more": more,
        "first_id": page[0] if page else None,
        "last_id": page[-1] if page else None,
    }


def _gemini_page(snapshot: Snapshot, models: dict[str, Model], request: HttpRequest) -> dict[str, Any]:
    """A page as Google cuts it: `pageSize` (default 50, at most 1000), `pageToken` (the last page's last name)."""
    names = list(models)
    size = _number(request, "pageSize", 50)
    token = request.GET.get("pageToken")
    if token and token not in models:
        raise BadRequest("pageToken is not one that was given here.", param="pageToken")
    start = names.index(token) + 1 if token else 0
    page = names[start : start + size]
    body: dict[str, Any] = {"models": [gemini_item(listed(snapshot, name, models[name])) for name in page]}
    if start + size < len(names):
        body["nextPageToken"] = page[-1]
    return body


_PAGES: dict[Shape, Callable[[Snapshot, dict[str, Model], HttpRequest], dict[str, Any]]] = {
    openai_item: _openai_list,
    anthropic_item: _anthropic_page,
    gemini_item: _gemini_page,
}


def _number(request: HttpRequest, name: str, default: int) -> int:
    said = request.GET.get(name)
    if said is None:
        return default
    if not (said.isascii() and said.isdigit() and len(said) <= len(str(_MOST)) and 1 <= int(said) <= _MOST):
        raise BadRequest(f"{name} must be a number from 1 to {_MOST}.", param=name)
    return int(said)
