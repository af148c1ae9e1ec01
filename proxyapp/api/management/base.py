"""The base of the management views: closed unless `access` opens it, JSON in and out, errors in OpenAI's shape."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.core.exceptions import DisallowedHost, SuspiciousOperation
from django.db import DatabaseError, DataError, IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import RawPostDataException
from django.http.response import HttpResponseBase
from django.views import defaults
from rest_framework import exceptions
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from proxyapp.api.base import error_response
from proxyapp.api.management.access import NO_KEY, AdminKey, ConsoleSession, MayManage
from proxyapp.dialects import jsonio
from proxyapp.dialects.registry import DIALECTS
from proxyapp.engine.identity import new_request_id
from proxyapp.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    GatewayError,
    InternalError,
    MethodNotAllowed,
    NotAuthenticated,
    PathNotFound,
    StoreAway,
)

logger = logging.getLogger("dragoman.api")
PATHS = ("/auth/", "/metrics", "/schema")
"""Where programs are, at Django's own door."""


class AnyJson(BaseParser):
    """The body as a JSON object, whatever its media type says: a caller of curl forgets it. An empty one is none."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        return jsonio.decode_object(stream.read())


class Json(BaseRenderer):
    media_type, format, charset = "application/json", "json", None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else jsonio.encode(data)


class OneForm(BaseContentNegotiation):
    """Answers have one form, whatever `Accept` says."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class ManagementView(APIView):
    """Handlers are plain functions; they raise what `proxyapp.errors` holds."""

    authentication_classes = [AdminKey, ConsoleSession]
    permission_classes = [MayManage]
    parser_classes = [AnyJson]
    renderer_classes = [Json]
    content_negotiation_class = OneForm
    metadata_class = None
    request_id = ""
    rights: ClassVar[Mapping[str, str]] = {}
    """Method -> the right that staff need, "" for none beside being staff. A method that is not here is closed to
    them."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.request_id = new_request_id()
        super().initial(request, *args, **kwargs)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(response, Response):
            response["x-request-id"] = self.request_id
            response["cache-control"] = "no-store"
        return super().finalize_response(request, response, *args, **kwargs)

    def handle_exception(self, exc: Exception) -> HttpResponse:
        error = as_ours(exc, self.request)
        if isinstance(error, InternalError):
            logger.error("Unexpected fault in request %s", self.request_id, exc_info=exc)
            error = InternalError(f"Internal error; the log has it under {self.request_id}.")
        return told(error, self.request_id, self.allowed_methods)


class NothingHere(ManagementView):
    """The rest of a management path: 404 in the API's own shape, to those who may know."""

    rights = dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"), "")
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise no_path(request)


def as_ours(exc: Exception, request: Request) -> GatewayError:
    """A fault in a view as one of our errors; InternalError for what nobody expected."""
    if isinstance(exc, GatewayError):
        return exc
    return next((say(exc, request) for kinds, say in _SAID if isinstance(exc, kinds)), InternalError("Internal error."))


_SAID: list[tuple[type[Exception] | tuple[type[Exception], ...], Callable[[Any, Request], GatewayError]]] = [
    (
        (exceptions.NotAuthenticated, exceptions.AuthenticationFailed),
        lambda exc, request: NotAuthenticated(NO_KEY),
    ),
    (exceptions.PermissionDenied, lambda exc, request: Forbidden(_denied(exc))),
    (exceptions.MethodNotAllowed, lambda exc, request: _no_method(request)),
    (
        (SuspiciousOperation, RawPostDataException, exceptions.ParseError),
        lambda exc, request: BadRequest("The request cannot be read."),
    ),
    (Http404, lambda exc, request: no_path(request)),
    (IntegrityError, lambda exc, request: Conflict("Another change came first; look and try again.")),
    (DataError, lambda exc, request: BadRequest("A value cannot be stored.")),
    (DatabaseError, lambda exc, request: StoreAway("The database cannot be reached; please try again.")),
]
"""The first that fits."""


def _denied(exc: exceptions.PermissionDenied) -> str:
    said = str(exc.detail)
    return said if said.startswith("CSRF") else "You are signed in, but may not do this."


def _no_method(request: Request) -> MethodNotAllowed:
    return MethodNotAllowed(f"{request.method} is not offered at {request.path}.")


def no_path(request: Request) -> PathNotFound:
    return PathNotFound(f"There is nothing at {request.method} {request.path}.")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's 400, before any view: to programs in their shape. A host that is not allowed, most of all."""
    if not request.path.startswith(PATHS):
        return defaults.bad_request(request, exception)
    sentence = "The request cannot be read."
    if isinstance(exception, DisallowedHost):
        sentence = "The Host of this request is not among ALLOWED_HOSTS."
    return told(BadRequest(sentence), new_request_id(), [])


def told(error: GatewayError, request_id: str, methods: list[str]) -> HttpResponse:
    response = error_response(DIALECTS["openai-chat"], error, request_id)
    response["cache-control"] = "no-store"
    if error.status == 401:
        response["www-authenticate"] = "Bearer"
    if isinstance(error, MethodNotAllowed):
        response["allow"] = ", ".join(methods)
    return response
