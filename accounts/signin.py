"""What somebody sees who is locked out of the console."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def locked_out(request: HttpRequest, response: Any = None, credentials: Any = None) -> HttpResponse:
    """Called by axes in place of the sign-in page. A sentence, without any answer to other origins."""
    answer = render(request, "locked.html", {"sentence": settings.AXES_COOLOFF_MESSAGE}, status=429)
    answer["Retry-After"] = str(int(settings.AXES_COOLOFF_TIME.total_seconds()))
    return answer
