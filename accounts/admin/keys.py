"""Console pages of keys. A key is shown once, in the answer to the form that made it, and nowhere is it kept:
not in a cookie, a session, a log or the database."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from accounts import keys
from accounts.admin.lines import LinesMixin
from accounts.issuing import owner_of, parse_overlap, rotate
from accounts.models import ApiKey


class NewKeyForm(forms.ModelForm):
    """A key is made unless an existing one is brought along."""

    existing = forms.CharField(
        required=False,
        label="Existing key",
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        help_text="Only to take over a key of another system. Leave empty to have one made.",
    )

    def clean_existing(self) -> str:
        key = self.cleaned_data["existing"].strip()
        problem = keys.problem_with(key) if key else ""
        if problem:
            raise ValidationError(problem)
        if key and owner_of(keys.digest(key)) is not None:
            raise ValidationError("This key is known already.")
        return key


class RotateForm(forms.Form):
    """How long the old key goes on."""

    overlap = forms.CharField(
        required=False,
        label="Overlap",
        initial="24h",
        widget=UnfoldAdminTextInputWidget,
        help_text="How long the old value is taken too: 90m, 24h, 7d, 2w. Empty: it ends within a second.",
    )

    def clean_overlap(self) -> timedelta:
        try:
            return parse_overlap(self.cleaned_data["overlap"] or 0)
        except (ValueError, OverflowError):
            raise ValidationError("Give a time up to 366 days, such as 90m, 24h, 7d or 2w.")


@admin.register(ApiKey)
class ApiKeyAdmin(LinesMixin, ModelAdmin):
    list_display = ["name", "client", "shown_prefix", "scope", "state", "expires_at", "last_used_at"]
    list_filter = ["enabled", "scope", ("client", admin.RelatedOnlyFieldListFilter)]
    search_fields = ["name", "client__name", "prefix"]
    list_select_related = ["client"]
    autocomplete_fields = ["client"]
    readonly_fields = ["shown_prefix", "overlap", "created_at", "last_used_at"]
    actions = ["revoke", "enable"]
    actions_detail = ["rotate"]
    fields = ["client", "name", "shown_prefix", "scope", "models", "allowed_ips", "expires_at", "enabled",
              "overlap", "created_at", "last_used_at"]  # fmt: skip
    new_fields = ["client", "name", "scope", "models", "allowed_ips", "expires_at", "existing"]

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return self.fields if obj else self.new_fields

    def get_form(self, request: HttpRequest, obj: ApiKey | None = None, **more: Any) -> Any:
        return super().get_form(request, obj, **({**more, "form": NewKeyForm} if obj is None else more))

    @method_decorator(sensitive_post_parameters("existing"))
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return super().add_view(request, form_url, extra_context)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if not change:
            existing = form.cleaned_data["existing"]
            key = existing or keys.make_key()
            obj.take(key)
            request._made_key = None if existing else key  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        """The one time that the key is shown: in the body of this very answer, which no cache may keep."""
        key = getattr(request, "_made_key", None)
        if key is None:
            return super().response_add(request, obj, post_url_continue)
        return self._page(request, obj, "made", f"Key {obj.name} of {obj.client.name}", made=key)

    @action(description="Rotate", permissions=["change"], url_path="rotate")
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A form that asks for the overlap; its answer is the page on which the new key is shown."""
        row = self.get_object(request, object_id)
        if row is None or not self.has_change_permission(request, row):
            raise Http404
        form = RotateForm(request.POST or None)
        if request.method != "POST" or not form.is_valid():
            return self._page(request, row, "rotate", f"Rotate {row.name} of {row.client.name}", form=form)
        key = rotate(row, timezone.now(), form.cleaned_data["overlap"])
        self.log_change(request, row, "Rotated.")
        return self._page(request, row, "made", f"Key {row.name} of {row.client.name}", made=key)

    def _page(self, request: HttpRequest, row: ApiKey, name: str, title: str, **more: Any) -> HttpResponse:
        """A page of ours, which no cache may keep: it may show a key."""
        context = {**self.admin_site.each_context(request), "title": title, "opts": self.opts, "row": row, **more}
        response = render(request, f"admin/accounts/apikey/{name}.html", context)
        response["Cache-Control"] = "no-store"
        return response

    @display(description="begins with")
    def shown_prefix(self, key: ApiKey) -> SafeString:
        return format_html('<span class="whitespace-nowrap">{}…</span>', key.prefix)

    @display(description="old key goes on until", empty_value="–")
    def overlap(self, key: ApiKey) -> datetime | None:
        return key.overlap_until

    @display(description="state", label={"in force": "success", "revoked": "danger", "expired": "warning"})
    def state(self, key: ApiKey) -> str:
        return "in force" if key.state == "active" else key.state

    @admin.action(description="Revoke: refuse from now on", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        self.message_user(request, f"{queryset.update(enabled=False)} revoked; refused within a second.")

    @admin.action(description="Enable again", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        self.message_user(request, f"{queryset.update(enabled=True)} enabled; in force within a second.")
