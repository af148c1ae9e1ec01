"""The inference endpoints: each is a dialect; the engine does the rest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.addresses import client_address
from proxyapp import wiring
from proxyapp.api.base import AsyncAPIView, reply_response
from proxyapp.dialects.registry import DIALECTS
from proxyapp.engine.call import Call
from proxyapp.engine.serve import Story, serve


class InferenceView(AsyncAPIView):
    """POST in one dialect: inference, or another story of the engine."""

    dialect = ""
    """The caller's, by name; set in `urls`."""
    story: Story | None = None
    """What is asked for where it is not inference; set in `urls`."""

    async def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        worker = await wiring.start()
        call = Call(
            dialect=DIALECTS[self.dialect],
            request_id=self.request_id,
            headers=self.incoming,
            read_body=body_reader(request),
            query_key=query_key(request),
            address=address_of(request, self.incoming.get("x-forwarded-for", "")),
            path=request.path,
        )
        return reply_response(await serve(worker.engine, call, self.story))


def body_reader(request: HttpRequest) -> Callable[[], Awaitable[bytes]]:
    """How to read this request's body: off the wire behind the lean handler, else what Django has read."""
    reader = getattr(request, "read_body", None)
    if reader is not None:
        return cast("Callable[[], Awaitable[bytes]]", reader)

    async def read() -> bytes:
        return request.body

    return read


def query_key(request: HttpRequest) -> str | None:
    """`?key=`, as Gemini clients send it; two that differ are one that nobody has, as in a header sent twice."""
    values = request.GET.getlist("key") if request.META.get("QUERY_STRING") else []
    return ",".join(dict.fromkeys(values)) or None


def address_of(request: HttpRequest, forwarded: str) -> str:
    """The caller's address; the forwarded one only from a trusted proxy."""
    peer = request.META.get("REMOTE_ADDR") or ""
    return client_address(peer, forwarded, settings.TRUSTED_PROXIES) if settings.TRUSTED_PROXIES else peer
