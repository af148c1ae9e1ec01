"""A client: a person, team or program that calls, with its limits and budget."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models as db
from django.utils import timezone

from accounts.models.lists import validate_patterns
from accounts.models.names import validate_name
from accounts.models.watched import WatchedModel


class BudgetPer(db.TextChoices):
    DAY = "day", "day"
    WEEK = "week", "week"
    MONTH = "month", "month"
    TOTAL = "total", "total (never starts anew)"


class Bodies(db.TextChoices):
    """Whose bodies the history keeps."""

    DEFAULT = "default", "as HISTORY_BODIES says"
    ALL = "all", "of all requests"
    ERRORS = "errors", "of failed requests"
    NONE = "none", "none"


class Client(WatchedModel):
    name = db.CharField(
        max_length=100, unique=True, validators=[validate_name], help_text="What the history and the reports call it."
    )
    note = db.TextField(blank=True, default="", help_text="For people; the gateway does not read it.")
    enabled = db.BooleanField(default=True, help_text="Off: all of its keys are refused within a second.")
    models = db.JSONField(
        default=list,
        blank=True,
        validators=[validate_patterns],
        help_text="Models it may use, one per line, * allowed. Empty: all.",
    )
    rpm = db.PositiveIntegerField(
        null=True,
        blank=True,
        verbose_name="requests per minute",
        validators=[MinValueValidator(1)],
        help_text="Most requests accepted in any 60 seconds. Empty: no limit.",
    )
    tpm = db.PositiveIntegerField(
        null=True,
        blank=True,
        verbose_name="tokens per minute",
        validators=[MinValueValidator(1)],
        help_text="Kept, not in force in this version. Empty: no limit.",
    )
    concurrency = db.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Most requests running at once. Empty: no limit.",
    )
    budget_usd = db.DecimalField(
        null=True,
        blank=True,
        max_digits=14,
        decimal_places=4,
        verbose_name="budget (USD)",
        validators=[MinValueValidator(0)],
        help_text="Kept, not in force in this version. Empty: no budget.",
    )
    budget_per = db.CharField(
        max_length=8, choices=BudgetPer, default=BudgetPer.MONTH, help_text="When the budget starts anew."
    )
    history_bodies = db.CharField(
        max_length=8, choices=Bodies, default=Bodies.DEFAULT, help_text="Whose bodies the history keeps."
    )
    created_at = db.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
