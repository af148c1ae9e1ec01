"""Paths of managing. Served by Django's own handler (see `gateway.asgi`): sessions count here."""

from django.urls import path

from proxyapp.api.management.metrics import MetricsView

urlpatterns = [
    path("metrics", MetricsView.as_view()),
]
