"""GET `/metrics`: the numbers of all workers, for Prometheus."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request

from proxyapp import wiring
from proxyapp.api.management.base import ManagementView
from proxyapp.metrics.exposition import expose
from proxyapp.metrics.meter import Meter


class MetricsView(ManagementView):
    rights = {"GET": ""}
    schema = None

    def get_permissions(self) -> list[object]:
        return [] if settings.METRICS_PUBLIC else super().get_permissions()

    def get_authenticators(self) -> list[object]:
        return [] if settings.METRICS_PUBLIC else super().get_authenticators()

    def get(self, request: Request) -> HttpResponse:
        worker = wiring.current()
        meter = worker.meter if worker is not None else Meter(wiring.metrics_directory())
        body, media_type = expose(meter.gather(), request.headers.get("accept", ""))
        return HttpResponse(body, content_type=media_type, headers={"cache-control": "no-store"})
