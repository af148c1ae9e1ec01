"""Console pages of clients."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display

from accounts.admin.lines import LinesMixin
from accounts.models import ApiKey, Client


class KeyInline(TabularInline):
    """The client's keys, to look at and follow; a new one is made on its own page, where it is shown once."""

    model = ApiKey
    fields = ["name", "prefix", "scope", "enabled", "expires_at", "last_used_at"]
    readonly_fields = fields
    show_change_link = True
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Client | None = None) -> bool:
        return False


@admin.register(Client)
class ClientAdmin(LinesMixin, ModelAdmin):
    list_display = ["name", "enabled", "key_count", "rpm", "concurrency", "history_bodies", "created_at"]
    list_filter = ["enabled", "history_bodies"]
    search_fields = ["name", "note"]
    inlines = [KeyInline]
    actions_detail = ["add_key"]
    actions = ["enable", "disable"]
    fieldsets = [
        (None, {"fields": ["name", "note", "enabled", "models"]}),
        ("Limits", {"fields": ["rpm", "concurrency", "tpm", "budget_usd", "budget_per"]}),
        ("History", {"fields": ["history_bodies"]}),
    ]

    def get_inlines(self, request: HttpRequest, obj: Client | None) -> list[type[KeyInline]]:
        return self.inlines if obj else []  # a new client has no keys to look at

    def get_queryset(self, request: HttpRequest) -> QuerySet[Client]:
        return super().get_queryset(request).annotate(keys_enabled=Count("keys", filter=Q(keys__enabled=True)))

    @display(description="keys", ordering="keys_enabled")
    def key_count(self, client: Any) -> int:
        return client.keys_enabled

    def has_add_key_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("accounts.add_apikey")  # type: ignore[union-attr]

    @action(description="New key", permissions=["add_key"], url_path="add-key")
    def add_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect(reverse("admin:accounts_apikey_add") + f"?client={int(object_id)}")

    @admin.action(description="Enable", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Client]) -> None:
        self.message_user(request, f"{queryset.update(enabled=True)} enabled; in force within a second.")

    @admin.action(description="Disable: refuse all keys", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Client]) -> None:
        self.message_user(request, f"{queryset.update(enabled=False)} disabled; in force within a second.")
