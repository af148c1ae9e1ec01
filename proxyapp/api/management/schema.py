"""`/schema`, `/docs` and `/redoc`: the description of all paths, for programs and for people. Open: it holds no secret.

Everything that the pages load comes from here.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from csp.decorators import csp_replace, csp_update
from django.contrib.staticfiles import finders
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2, OpenApiYamlRenderer
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

# The console's theme needs 'unsafe-eval'; these pages do not.
_no_eval = method_decorator(csp_replace({"script-src": ["'self'"]}), name="dispatch")


class SchemaView(APIView):
    """GET the description: JSON, or YAML by `Accept` or `?format=yaml`."""

    schema = None
    http_method_names = ["get", "head"]
    authentication_classes = []
    permission_classes = [AllowAny]
    renderer_classes: list[type[BaseRenderer]] = [OpenApiJsonRenderer2, OpenApiJsonRenderer, OpenApiYamlRenderer]

    def get(self, request: Request) -> Response:
        return Response(description())


@functools.cache
def description() -> dict[str, Any]:
    """It changes with the code alone."""
    return SchemaGenerator(urlconf="proxyapp.api.management.urls").get_schema(request=None, public=True)


@_no_eval
class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI, where requests can be tried."""

    schema = None
    http_method_names = ["get", "head"]
    authentication_classes = []
    permission_classes = [AllowAny]


@_no_eval
@method_decorator(csp_update({"worker-src": ["'self'", "blob:"]}), name="dispatch")
class RedocView(SpectacularRedocView):
    """Redoc, for reading. Its search runs in a worker of its own making. `?script=` gives the program itself."""

    schema = None
    http_method_names = ["get", "head"]
    authentication_classes = []
    permission_classes = [AllowAny]

    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "script" in request.GET:
            headers = {"cache-control": "max-age=3600"}
            return HttpResponse(redoc_alone(), content_type="text/javascript", headers=headers)
        return super().get(request, *args, **kwargs)

    @staticmethod
    def _redoc_standalone() -> str:
        return "?script="


@functools.cache
def redoc_alone() -> bytes:
    """The program without the picture that it gets from its maker's host, for whoever reads our documents."""
    found = finders.find("drf_spectacular_sidecar/redoc/bundles/redoc.standalone.js")
    return Path(str(found)).read_bytes().replace(_PICTURE, b"data:,")


_PICTURE = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
