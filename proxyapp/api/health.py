"""Is it alive, can it serve. Open to everybody; says nothing that helps a stranger."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from proxyapp import wiring
from proxyapp.api.base import AsyncAPIView, json_response


class HealthView(AsyncAPIView):
    """The process answers."""

    async def get(self, request: HttpRequest) -> HttpResponseBase:
        worker = await wiring.start()
        body = {
            "status": "healthy",
            "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "uptime": round(time.time() - worker.started, 3),
        }
        return json_response(body)


class ReadyView(AsyncAPIView):
    """The process can serve with a configuration that is up to date."""

    async def get(self, request: HttpRequest) -> HttpResponseBase:
        worker = await wiring.start()
        failing = [] if worker.watcher.healthy else ["database"]
        if failing:
            return json_response({"status": "unready", "failing": failing}, status=503)
        return json_response({"status": "ready"})
