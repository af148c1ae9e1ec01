"""Console pages of models and their routes."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from accounts.admin.lines import FirstPartMixin, LinesMixin
from proxyapp.config.profile import typed_overrides
from proxyapp.models import ModelConfig, Route
from proxyapp.models.routes import check_object


class RouteFormSet(BaseInlineFormSet):
    """Lets a route look at its model while both are new and neither is stored."""

    def _construct_form(self, number: int, **more: Any) -> Any:
        form = super()._construct_form(number, **more)
        form.instance.model = self.instance
        return form


class RouteInline(FirstPartMixin, TabularInline):
    model = Route
    formset = RouteFormSet
    hide_title = True
    fields = ["upstream", "upstream_model", "priority", "weight", "enabled"]
    autocomplete_fields = ["upstream"]


class ShallowJSON(json.JSONDecoder):
    """What is nested too deeply to be read is no JSON: Django's field knows of no other fault."""

    def decode(self, text: str, *more: Any) -> Any:
        try:
            return super().decode(text, *more)
        except RecursionError as exc:
            raise json.JSONDecodeError("nested too deeply", text, 0) from exc


class ModelConfigForm(forms.ModelForm):
    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        for name in {"profile", "prices"} & set(self.fields):
            self.fields[name].decoder = ShallowJSON

    def clean_profile(self) -> dict:
        profile = self.cleaned_data["profile"] or {}
        check_object(profile)
        try:
            typed_overrides(profile)
        except ValueError as exc:
            raise ValidationError(f"{exc}.")
        return profile


@admin.register(ModelConfig)
class ModelConfigAdmin(LinesMixin, ModelAdmin):
    form = ModelConfigForm
    list_display = ["name", "also_known_as", "served_by", "reasoning", "lenient", "enabled"]
    list_filter = ["enabled", "reasoning", "lenient", ("routes__upstream", admin.RelatedOnlyFieldListFilter)]
    search_fields = ["name", "aliases", "routes__upstream_model"]
    inlines = [RouteInline]
    actions = ["enable", "disable"]
    fieldsets = [
        (None, {"fields": [("name", "enabled"), "aliases"]}),
        ("Requests", {"fields": ["system_prompt", ("max_output_tokens", "reasoning"), ("lenient", "proxy_pool")]}),
        ("What the model can do", {"fields": ["profile", "prices"], "classes": ["collapse"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelConfig]:
        return super().get_queryset(request).prefetch_related("routes__upstream")

    @display(description="aliases")
    def also_known_as(self, model: ModelConfig) -> str:
        return ", ".join(model.aliases) or "-"

    @display(description="served by")
    def served_by(self, model: ModelConfig) -> str:
        routes = [route for route in model.routes.all() if route.enabled]
        return ", ".join(f"{route.upstream.name}/{route.upstream_model}" for route in routes) or "nothing"

    @admin.action(description="Enable", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[ModelConfig]) -> None:
        self.message_user(request, f"{queryset.update(enabled=True)} enabled; in force within a second.")

    @admin.action(description="Disable: unknown to callers", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[ModelConfig]) -> None:
        self.message_user(request, f"{queryset.update(enabled=False)} disabled; in force within a second.")
