"""Paths of managing. Served by Django's own handler (see `gateway.asgi`): sessions count here."""

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path

from proxyapp.api.management.base import NothingHere
from proxyapp.api.management.keys import KeysView, KeyView, RotateView
from proxyapp.api.management.metrics import MetricsView
from proxyapp.api.management.schema import DocsView, RedocView, SchemaView


def either(route: str, view: Callable[..., Any]) -> list[URLPattern]:
    """The path with and without a slash at its end: people write both."""
    return [path(route, view), path(f"{route}/", view)]


urlpatterns = [
    *either("auth/keys", KeysView.as_view()),
    *either("auth/keys/<str:key_id>", KeyView.as_view()),
    *either("auth/keys/<str:key_id>/rotate", RotateView.as_view()),
    path("auth/<path:rest>", NothingHere.as_view()),
    path("metrics", MetricsView.as_view()),
    path("schema", SchemaView.as_view(), name="schema"),
    path("docs", DocsView.as_view()),
    path("redoc", RedocView.as_view()),
]
