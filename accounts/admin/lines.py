"""Forms of the console: lists as lines instead of JSON, boxes that grow, objects that may be empty, a first part."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Field, JSONField, Model, TextField
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminExpandableTextareaWidget


class LinesField(forms.CharField):
    """Text with one entry per line <-> a list. Empty lines and outer spaces are dropped."""

    def __init__(self, **more: Any) -> None:
        for name in ("encoder", "decoder", "max_length", "empty_value"):
            more.pop(name, None)
        super().__init__(**more)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        if isinstance(value, list):
            return value
        return [line.strip() for line in (value or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(initial) != self.to_python(data)

    def validate(self, value: Any) -> None:
        if self.required and not value:
            raise forms.ValidationError(self.error_messages["required"], code="required")


class ObjectField(forms.JSONField):
    """A JSON object; nothing is an empty input, not `null` or `{}`."""

    default_error_messages = {"invalid": 'Give a JSON object, such as {"name": 1}.'}

    def prepare_value(self, value: Any) -> Any:
        return "" if value in (None, {}) else super().prepare_value(value)


class FirstPartMixin:
    """For inlines: a new object is offered one part to fill in; left untouched, it is none."""

    extra = 0

    def get_extra(self, request: HttpRequest, obj: Model | None = None, **more: Any) -> int:
        return self.extra if obj else 1


class LinesMixin:
    """For admin classes: JSON columns whose default is a list are edited as lines, and texts in small boxes."""

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **more: Any) -> Any:
        if isinstance(db_field, JSONField) and db_field.default is list:
            return db_field.formfield(form_class=LinesField, widget=UnfoldAdminExpandableTextareaWidget)
        if isinstance(db_field, JSONField):
            more["form_class"] = ObjectField
        if type(db_field) in (TextField, JSONField):
            more["widget"] = UnfoldAdminExpandableTextareaWidget
        return super().formfield_for_dbfield(db_field, request, **more)
