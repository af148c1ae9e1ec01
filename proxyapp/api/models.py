"""The list of models a key may use, in the shape its caller knows (reference/translation.md 9.2)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from proxyapp import wiring
from proxyapp.api.base import AsyncAPIView, json_response
from proxyapp.api.inference import address_of, query_key
from proxyapp.engine.identify import identify
from proxyapp.engine.routing import find, may_use, no_model
from proxyapp.engine.snapshot import Model, Snapshot
from proxyapp.errors import BadRequest

_MOST = 1000


class ModelsView(AsyncAPIView):
    """GET the list, or one model."""

    async def get(self, request: HttpRequest, name: str = "") -> HttpResponseBase:
        snapshot = (await wiring.start()).engine.snapshot
        caller = identify(
            snapshot,
            self.incoming,
            query_key=query_key(request),
            address=address_of(request, self.incoming.get("x-forwarded-for", "")),
        )
        anthropic = "anthropic-version" in self.incoming
        if name:
            model = find(snapshot, name)[0]
            if not may_use(caller.key, name, model):
                raise no_model(name)
            return json_response(_item(name, model, anthropic), request_id=self.request_id)
        usable = {n: m for n, m in sorted(_listed(snapshot).items()) if may_use(caller.key, n, m)}
        body = _anthropic_page(usable, request) if anthropic else _openai_list(usable)
        return json_response(body, request_id=self.request_id)


def _listed(snapshot: Snapshot) -> dict[str, Model]:
    return {name: model for name, model in snapshot.models.items() if model.routes}


def _item(name: str, model: Model, anthropic: bool) -> dict[str, Any]:
    if not anthropic:
        return {"id": name, "object": "model", "created": model.created, "owned_by": "dragoman"}
    created = datetime.fromtimestamp(model.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"type": "model", "id": name, "display_name": name, "created_at": created}


def _openai_list(models: dict[str, Model]) -> dict[str, Any]:
    return {"object": "list", "data": [_item(name, model, False) for name, model in models.items()]}


def _anthropic_page(models: dict[str, Model], request: HttpRequest) -> dict[str, Any]:
    """A page as Anthropic cuts it: `limit` (default 20, at most 1000), `after_id`, `before_id`."""
    names = list(models)
    limit = _limit(request.GET.get("limit", "20"))
    after, before = request.GET.get("after_id"), request.GET.get("before_id")
    if before in names:
        end = names.index(before)
        page, more = names[max(0, end - limit) : end], end > limit
    else:
        start = names.index(after) + 1 if after in names else 0
        page, more = names[start : start + limit], start + limit < len(names)
    return {
        "data": [_item(name, models[name], True) for name in page],
        "has_more": more,
        "first_id": page[0] if page else None,
        "last_id": page[-1] if page else None,
    }


def _limit(said: str) -> int:
    if not (said.isascii() and said.isdigit() and len(said) <= len(str(_MOST)) and 1 <= int(said) <= _MOST):
        raise BadRequest(f"limit must be a number from 1 to {_MOST}.", param="limit")
    return int(said)
