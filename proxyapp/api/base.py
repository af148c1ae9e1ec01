"""The base of the async DRF views on the inference paths, and the one place where a stray exception becomes an answer.

A view here checks its caller itself, through the engine's snapshot; there is no session, no cookie, no ORM.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.views import APIView

from proxyapp.api import cors
from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import Dialect
from proxyapp.dialects.registry import DIALECTS
from proxyapp.engine.call import Reply
from proxyapp.engine.identity import new_request_id
from proxyapp.errors import BadRequest, GatewayError, InternalError, MethodNotAllowed, PathNotFound, WebSocketRefused

logger = logging.getLogger("dragoman.api")
Handler = Callable[..., Coroutine[Any, Any, HttpResponseBase]]
_VERB = re.compile(r"^/v1/(models|tunedModels)/.*:[a-zA-Z]+$")


class AsyncAPIView(APIView):
    """A DRF view whose `dispatch` is async all the way. Handlers are coroutines and return plain HttpResponses."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []
    schema = None

    async def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]
        self.args, self.kwargs = args, kwargs
        self.request = request  # Django's: DRF's wrapper reads bodies and users, which are not to be read here
        self.headers: dict[str, str] = {}
        self.request_id = new_request_id()
        self.incoming = lower_headers(request)
        try:
            response = await self._handler(request)(request, *args, **kwargs)
        except asyncio.CancelledError:
            raise
        except GatewayError as error:
            response = error_response(dialect_for(request.path, self.incoming), error, self.request_id)
        except SuspiciousOperation:  # Django's word for a query of over a thousand parameters
            error = BadRequest("The query of the address has too many parameters.")
            response = error_response(dialect_for(request.path, self.incoming), error, self.request_id)
        except Exception:
            logger.exception("Unexpected fault in request %s", self.request_id)
            error = InternalError(f"Internal error; the log has it under {self.request_id}.")
            response = error_response(dialect_for(request.path, self.incoming), error, self.request_id)
        return cors.allow(response, self.incoming)

    def _handler(self, request: HttpRequest) -> Handler:
        name = (request.method or "").lower()
        known = name in self.http_method_names  # a caller may write any word there
        return getattr(self, name, self.http_method_not_allowed) if known else self.http_method_not_allowed

    async def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]
        """A browser's preflight."""
        return cors.preflight(self.incoming)

    async def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]
        error: GatewayError = MethodNotAllowed(f"{request.method} is not offered at {request.path}.")
        if "sec-websocket-key" in self.incoming:
            error = WebSocketRefused("WebSockets are not offered; send the request by POST.")
        response = error_response(dialect_for(request.path, self.incoming), error, self.request_id)
        response["allow"] = ", ".join(self.allowed_methods)
        return response


def lower_headers(request: HttpRequest) -> Mapping[str, str]:
    """Request headers, names in lower case."""
    found = getattr(request, "lower_headers", None)
    if found is None:
        found = {name.lower(): value for name, value in request.headers.items()}
    return found


def dialect_for(path: str, headers: Mapping[str, str]) -> Dialect:
    """The dialect in which to speak of faults at `path`; where several are served (models), the caller's version or
    the place of its key tells."""
    if path.startswith(("/v1beta", "/v1/generate")) or _VERB.search(path):
        return DIALECTS["gemini"]
    if "/responses" in path:
        return DIALECTS["openai-responses"]
    if "/messages" in path or ("anthropic-version" in headers and "/chat/" not in path):
        return DIALECTS["anthropic-messages"]
    return DIALECTS["gemini" if "/models" in path and "x-goog-api-key" in headers else "openai-chat"]


def no_such_path(request: HttpRequest) -> HttpResponse:
    """404 in the dialect that fits the path."""
    error = PathNotFound(f"There is nothing at {request.method} {request.path}.")
    headers = lower_headers(request)
    return cors.allow(error_response(dialect_for(request.path, headers), error, new_request_id()), headers)


def error_response(dialect: Dialect, error: GatewayError, request_id: str) -> HttpResponse:
    """An error outside an exchange."""
    status, body = dialect.render_error(error, request_id)
    return json_response(body, status=status, request_id=request_id)


def json_response(body: Any, *, status: int = 200, request_id: str = "") -> HttpResponse:
    # Anthropic's SDKs read `request-id`, all others `x-request-id`.
    headers = {"x-request-id": request_id, "request-id": request_id} if request_id else {}
    return HttpResponse(jsonio.encode(body), status=status, content_type="application/json", headers=headers)


def reply_response(reply: Reply) -> HttpResponseBase:
    """The engine's reply as Django's response."""
    if isinstance(reply.body, bytes):
        return HttpResponse(reply.body, status=reply.status, content_type=reply.media_type, headers=reply.headers)
    return StreamingHttpResponse(reply.body, status=reply.status, content_type=reply.media_type, headers=reply.headers)
