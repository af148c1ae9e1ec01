"""Secrets in forms: inputs that are never filled in. Empty keeps what is stored."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminExpandableTextareaWidget, UnfoldAdminPasswordWidget

from proxyapp.fields import EncryptedJSONField, EncryptedTextField

KEEP = "set; leave empty to keep"


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
