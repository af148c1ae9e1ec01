"""Secrets in forms: inputs that are never filled in. Empty keeps what is stored."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminExpandableTextareaWidget, UnfoldAdminPasswordWidget

from proxyapp.config.rekeying import encrypted_fields, unreadable
from proxyapp.fields import EncryptedJSONField, EncryptedTextField, Secret, SecretUnreadable

KEEP = "set; leave empty to keep"
LOST = "It cannot be read: none of DRAGOMAN_ENCRYPTION_KEYS fits. Add the key it was stored with, or enter it again."
MOST_TOLD = 20
"""Unreadable secrets that a list names."""


class SecretsForm(forms.ModelForm):
    """Gives every encrypted field of its model a write-only input."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        for field in self._meta.model._meta.concrete_fields:
            if isinstance(field, EncryptedTextField) and field.name in self.fields:
                self._write_only(field)

    def _write_only(self, field: EncryptedTextField) -> None:
        is_set = bool(getattr(self.instance, field.name))
        shown = self.fields[field.name]
        shown.required = not (field.blank or is_set)
        if isinstance(field, EncryptedJSONField):
            shown.initial = ""
            placeholder = f"{KEEP}, {{}} to remove" if is_set else '{"name": "value"}'
            shown.widget = UnfoldAdminExpandableTextareaWidget(
                attrs={"placeholder": placeholder, "autocomplete": "off"}
            )
        else:
            placeholder = {"placeholder": KEEP} if is_set else {}
            shown.widget = UnfoldAdminPasswordWidget(attrs={**placeholder, "autocomplete": "new-password"})
        shown.widget.is_required = shown.required
        if _is_lost(getattr(self.instance, field.name)):
            shown.widget = Lost(shown.widget)


def _is_lost(value: Any) -> bool:
    try:
        if isinstance(value, Secret) and not value.is_fresh:
            value.reveal()
    except SecretUnreadable:
        return True
    return False


class Lost(forms.Widget):
    """The input of a secret that no key opens: the same, and a red sentence below it."""

    def __init__(self, widget: forms.Widget) -> None:
        super().__init__(widget.attrs)
        self.widget = widget

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> Any:
        shown = self.widget.render(name, value, attrs, renderer)
        return format_html('{}<p role="alert" class="mt-1 text-red-600 dark:text-red-500">{}</p>', shown, LOST)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        return self.widget.value_from_datadict(data, files, name)

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return self.widget.value_omitted_from_data(data, files, name)


class LostSecretsMixin:
    """For a console page: its list says in red which secrets of its rows and their parts no key opens."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        inlines = [inline.model for inline in self.inlines]  # type: ignore[attr-defined]
        models = [model for model in (self.model, *inlines) if encrypted_fields(model)]  # type: ignore[attr-defined]
        found = unreadable(*models) if models else []
        if found:
            more = f" and {len(found) - MOST_TOLD} more" if len(found) > MOST_TOLD else ""
            named = ", ".join(str(item) for item in found[:MOST_TOLD])
            messages.error(request, f"No key opens {named}{more}. Add the encryption key, or enter them again.")
        return super().changelist_view(request, extra_context)  # type: ignore[misc, no-any-return]
