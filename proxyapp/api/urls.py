"""Paths that programs call."""

urlpatterns: list = []
