"""The names callers may ask for, and which upstreams serve them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone

from accounts.models import WatchedModel
from proxyapp.models.proxies import ProxyPool
from proxyapp.models.upstreams import Upstream

PRICES = ("input", "output", "cache_read", "cache_write")
MOST_USD = 1e9
"""Of a price; what is more, infinity too, is a slip."""


def check_model_name(name: Any) -> None:
    """Raises ValidationError unless it is one line of text without outer spaces and with at most one `*`."""
    if not isinstance(name, str) or not name or name != name.strip() or not name.isprintable():
        raise ValidationError("A model name is one line of printable text without spaces around it.")
    if name.count("*") > 1:
        raise ValidationError(f"{name!r} holds more than one *.")


def check_asked_name(name: Any) -> None:
    """As `check_model_name`, and `*word*` may stand for all names that hold the word."""
    is_word = isinstance(name, str) and len(name) > 2 and name[0] == name[-1] == "*"
    check_model_name(name[1:-1] if is_word and "*" not in name[1:-1] else name)


def check_aliases(value: Any) -> None:
    if not isinstance(value, list):
        raise ValidationError("Give a list of names.")
    for name in value:
        check_asked_name(name)
    if len(set(value)) != len(value):
        raise ValidationError("An alias is listed twice.")


def check_prices(value: Any) -> None:
    """None, or USD per million tokens by sort of token."""
    if value is None:
        return
    if not isinstance(value, dict) or not set(value) <= set(PRICES):
        raise ValidationError(f"Prices are an object with the keys {', '.join(PRICES)}.")
    if not all(
        isinstance(price, int | float) and not isinstance(price, bool) and 0 <= price <= MOST_USD
        for price in value.values()
    ):
        raise ValidationError("A price is a number of USD per million tokens.")


def check_object(value: Any) -> None:
    if not isinstance(value, dict):
        raise ValidationError("Give a JSON object.")


class ModelConfig(WatchedModel):
    class Reasoning(models.TextChoices):
        AUTO = "auto", "as the caller says"
        OFF = "off"
        LOW = "low"
        MEDIUM = "medium"
        HIGH = "high"
        XHIGH = "xhigh", "extra high"

    name = models.CharField(
        max_length=200,
        unique=True,
        validators=[check_asked_name],
        help_text="What callers ask for. One * is a wildcard; a * in a route's model stands for what it matched. "
        "*word* means every name with that word in it, in capitals too; a * then stands for the whole name.",
    )
    aliases = models.JSONField(
        default=list,
        blank=True,
        validators=[check_aliases],
        help_text="Further names for the same model, one per line.",
    )
    reasoning = models.CharField(
        max_length=8,
        choices=Reasoning,
        default=Reasoning.AUTO,
        help_text="How much the model thinks before it answers. Other than auto: whatever its callers ask for.",
    )
    system_prompt = models.TextField(blank=True, default="", help_text="Put before the caller's own system prompt.")
    max_output_tokens = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Cap on the answer's length; a caller who asks for more gets this much. Empty: no cap of ours.",
    )
    prices = models.JSONField(
        null=True,
        blank=True,
        validators=[check_prices],
        help_text='USD per million tokens, {"input": 3, "output": 15}. Kept, not in force in this version.',
    )
    proxy_pool = models.ForeignKey(
        ProxyPool,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="models",
        help_text="Go out through these proxies for this model. Empty: as the upstream says.",
    )
    lenient = models.BooleanField(
        default=False,
        help_text="On: what the upstream cannot do is left out with a note. Off: such a request is refused.",
    )
    profile = models.JSONField(
        default=dict,
        blank=True,
        validators=[check_object],
        help_text='What the model can do, where we know it wrong: {"sampling": false}. See docs/upstreams.md.',
    )
    enabled = models.BooleanField(default=True, help_text="Off: not listed, and unknown to callers.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]
        verbose_name = "model"

    def __str__(self) -> str:
        return self.name

    @property
    def names(self) -> list[str]:
        """The name and all aliases."""
        return [self.name, *self.aliases]

    def clean(self) -> None:
        self.check_own_names()
        self.check_names_free()

    def check_own_names(self) -> None:
        """Raises ValidationError when the names contradict each other."""
        if self.name in self.aliases:
            raise ValidationError({"aliases": "An alias repeats the model's own name."})
        # A pattern is looked up by its own length; two patterns with one `*` meaning would make that order ambiguous.
        if "*" in self.name and any("*" in alias for alias in self.aliases):
            raise ValidationError({"aliases": "A model whose name holds a * can have no alias that holds one."})

    def check_names_free(self) -> None:
        """Raises ValidationError when another model has one of the names."""
        others = ModelConfig.objects.exclude(pk=self.pk).values_list("name", "aliases")
        taken = names_taken(self.names, others)
        if taken:
            name, owner = taken
            field = "name" if name == self.name else "aliases"
            raise ValidationError({field: f"{name!r} already belongs to the model {owner!r}."})


def names_taken(names: Iterable[str], others: Iterable[tuple[str, list[str]]]) -> tuple[str, str] | None:
    """The first of `names` that another model has as name or alias, with that model's name."""
    owners = {name: owner for owner, aliases in others for name in (owner, *aliases)}
    return next(((name, owners[name]) for name in names if name in owners), None)


class Route(WatchedModel):
    model = models.ForeignKey(ModelConfig, on_delete=models.CASCADE, related_name="routes")
    upstream = models.ForeignKey(Upstream, on_delete=models.PROTECT, related_name="routes")
    upstream_model = models.CharField(
        max_length=200,
        validators=[check_model_name],
        verbose_name="upstream's model",
        help_text="The name the upstream knows.",
    )
    priority = models.PositiveIntegerField(default=0, help_text="Low first; the next one is tried when this one fails.")
    weight = models.PositiveIntegerField(default=1, help_text="Share of the requests within one priority.")
    enabled = models.BooleanField(default=True, help_text="Off: not used.")

    class Meta:
        ordering = ["priority", "id"]
        constraints = [
            models.UniqueConstraint(fields=["model", "upstream", "upstream_model"], name="route_once_per_model")
        ]

    def __str__(self) -> str:
        return f"{self.model.name} → {self.upstream.name}/{self.upstream_model}"

    def clean(self) -> None:
        model = getattr(self, "model", None)
        plain = next((name for name in model.names if "*" not in name), "") if model else ""
        if plain and "*" in (self.upstream_model or ""):
            words = f"A * stands for what the one in the model's name matched, and {plain!r} has none."
            raise ValidationError({"upstream_model": words})
