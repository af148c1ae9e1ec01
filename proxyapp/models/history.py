"""What a request left behind: a narrow row, one row per attempt, and its contents apart.

Rows outlive clients, keys and upstreams: names and numbers are copied, nothing refers to them. Only `history.writer`
writes here, only `history.prune` deletes.
"""

from __future__ import annotations

from datetime import datetime

import zstandard
from django.db import models
from django.db.models import Q

LARGEST_LAYER = 256 * 2**20
"""Bytes a stored layer may inflate to; what we wrote ourselves is far below."""


class Outcome(models.TextChoices):
    OK = "ok", "ok"
    ERROR = "error", "error"
    PARTIAL = "partial", "partial"
    CLIENT_CLOSED = "client_closed", "client closed"
    INTERRUPTED = "interrupted", "interrupted"


class CostState(models.TextChoices):
    PRICED = "priced"
    ESTIMATED = "estimated"
    UNPRICED = "unpriced"


class RequestLogQuerySet(models.QuerySet["RequestLog"]):
    """Questions with names. The first five each have an index that also gives the order of `newest_first`."""

    def by_client(self, name: str) -> RequestLogQuerySet:
        return self.filter(client=name)

    def by_model(self, name: str) -> RequestLogQuerySet:
        """The model as it was asked for."""
        return self.filter(model=name)

    def by_upstream(self, name: str) -> RequestLogQuerySet:
        return self.filter(upstream=name)

    def by_dialect(self, name: str) -> RequestLogQuerySet:
        return self.filter(dialect=name)

    def by_outcome(self, outcome: str) -> RequestLogQuerySet:
        return self.filter(outcome=outcome)

    def failed(self) -> RequestLogQuerySet:
        """Whatever was not answered in full, save where the caller left."""
        return self.filter(outcome__in=[Outcome.ERROR, Outcome.PARTIAL, Outcome.INTERRUPTED])

    def since(self, moment: datetime) -> RequestLogQuerySet:
        return self.filter(created_at__gte=moment)

    def until(self, moment: datetime) -> RequestLogQuerySet:
        """Before `moment`, which itself is not in."""
        return self.filter(created_at__lt=moment)

    def with_id_prefix(self, prefix: str) -> RequestLogQuerySet:
        """Our id or its beginning, in lower-case hex; a range, so that the unique index serves it."""
        return self.filter(request_id__gte=prefix, request_id__lt=prefix + "g")

    def with_caller_id(self, caller_request_id: str) -> RequestLogQuerySet:
        """The id the caller gave, exactly."""
        return self.filter(caller_request_id=caller_request_id)

    def newest_first(self) -> RequestLogQuerySet:
        return self.order_by("-created_at", "-id")

    def before(self, created_at: datetime, pk: int) -> RequestLogQuerySet:
        """Older than the row that a page ended with. The first condition alone bounds the range in the index."""
        return self.filter(Q(created_at__lt=created_at) | Q(id__lt=pk), created_at__lte=created_at)

    def after(self, created_at: datetime, pk: int) -> RequestLogQuerySet:
        """Newer than the row that a page began with."""
        return self.filter(Q(created_at__gt=created_at) | Q(id__gt=pk), created_at__gte=created_at)


class RequestLog(models.Model):
    """One exchange. Under 400 bytes; None = not known, 0 = known to be none."""

    # The widest numbers stand first and the texts last: PostgreSQL aligns numbers, which costs 30 bytes otherwise.
    created_at = models.DateTimeField("time")
    """When it was admitted."""
    client_id = models.BigIntegerField(null=True, blank=True)
    key_id = models.BigIntegerField(null=True, blank=True)
    cost_nanos = models.BigIntegerField(null=True, blank=True)
    """Nano-dollars; None as long as `cost_state` is unpriced."""
    duration_ms = models.FloatField(null=True, blank=True)
    first_byte_ms = models.FloatField(null=True, blank=True)
    overhead_ms = models.FloatField(null=True, blank=True)
    """Of `duration_ms`, what was spent in the gateway itself."""

    fresh_input = models.IntegerField(null=True, blank=True)
    cache_read = models.IntegerField(null=True, blank=True)
    cache_write_5m = models.IntegerField(null=True, blank=True)
    cache_write_1h = models.IntegerField(null=True, blank=True)
    output = models.IntegerField(null=True, blank=True)
    reasoning = models.IntegerField(null=True, blank=True)
    """Part of `output`."""

    status = models.SmallIntegerField(null=True, blank=True)
    """HTTP status given to the caller; None = none was."""
    stream = models.BooleanField(default=False)
    usage_estimated = models.BooleanField(default=False)

    request_id = models.CharField("request id", max_length=32)
    """Ours: 32 hex digits, time-ordered; also in `x-request-id`."""
    caller_request_id = models.CharField("caller's id", max_length=200, default="", blank=True)
    client = models.CharField(max_length=100, default="", blank=True)
    key = models.CharField(max_length=100, default="", blank=True)
    dialect = models.CharField(max_length=32, default="", blank=True)
    model = models.CharField(max_length=200, default="", blank=True)
    """As asked for."""
    upstream = models.CharField(max_length=100, default="", blank=True)
    upstream_model = models.CharField(max_length=200, default="", blank=True)
    outcome = models.CharField(max_length=16, choices=Outcome)
    error = models.CharField(max_length=64, default="", blank=True)
    """Our error code, "" when it went well."""
    cost_state = models.CharField(max_length=9, choices=CostState, default=CostState.UNPRICED)
    proxy = models.CharField(max_length=200, default="", blank=True)
    session = models.CharField(max_length=200, default="", blank=True)

    objects = RequestLogQuerySet.as_manager()

    class Meta:
        verbose_name = "request"
        verbose_name_plural = "requests"
        default_permissions = ("view",)
        # A constraint and not unique=True: that would add a second index on PostgreSQL, for LIKE.
        constraints = [models.UniqueConstraint(fields=["request_id"], name="requestlog_once")]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="requestlog_time"),
            models.Index(fields=["client", "-created_at", "-id"], name="requestlog_client"),
            models.Index(fields=["model", "-created_at", "-id"], name="requestlog_model"),
            models.Index(fields=["upstream", "-created_at", "-id"], name="requestlog_upstream"),
            models.Index(fields=["outcome", "-created_at", "-id"], name="requestlog_outcome"),
            models.Index(fields=["dialect", "-created_at", "-id"], name="requestlog_dialect"),
            models.Index(fields=["caller_request_id"], name="requestlog_caller"),
        ]

    def __str__(self) -> str:
        return self.request_id

    @property
    def cache_write(self) -> int | None:
        """Tokens written to the cache, of either lifetime."""
        known = [count for count in (self.cache_write_5m, self.cache_write_1h) if count is not None]
        return sum(known) if known else None

    @property
    def total_input(self) -> int | None:
        """Tokens in, cached or not; None when nothing was said."""
        known = [count for count in (self.fresh_input, self.cache_read, self.cache_write) if count is not None]
        return sum(known) if known else None


class RequestAttempt(models.Model):
    """One try at one target."""

    log = models.ForeignKey(
        RequestLog, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="attempts"
    )
    position = models.SmallIntegerField()
    """From 0, in the order they were made."""
    upstream = models.CharField(max_length=100, default="", blank=True)
    key = models.CharField(max_length=100, default="", blank=True)
    """Name of the credential."""
    model = models.CharField(max_length=200, default="", blank=True)
    status = models.SmallIntegerField(null=True, blank=True)
    """None = no answer."""
    error = models.CharField(max_length=64, default="", blank=True)
    message = models.CharField(max_length=1000, default="", blank=True)
    ms = models.FloatField(null=True, blank=True)
    proxy = models.CharField(max_length=200, default="", blank=True)

    class Meta:
        default_permissions = ()
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["log", "position"], name="requestattempt_once")]

    def __str__(self) -> str:
        return f"{self.position}: {self.upstream}"


class RequestContent(models.Model):
    """What is too wide for the row: the layers, compressed, and what is only read on one request's own page.

    Has a clock of its own: `prune_history` may delete it long before its row. Layers: None = not kept, or the same as
    the one before.
    """

    LAYERS = ("client_request", "upstream_request", "upstream_answer", "client_answer")

    log = models.OneToOneField(
        RequestLog, primary_key=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="content"
    )
    created_at = models.DateTimeField()
    client_request = models.BinaryField(null=True)
    upstream_request = models.BinaryField(null=True)
    upstream_answer = models.BinaryField(null=True)
    client_answer = models.BinaryField(null=True)
    sizes = models.JSONField(default=dict)
    """Layer -> bytes before compression."""
    truncated = models.BooleanField(default=False)
    """A layer was cut at DRAGOMAN_HISTORY_BODY_KB."""

    notes = models.JSONField(default=list)
    """[path, sentence, dropped] of each loss in translation."""
    message = models.TextField(default="", blank=True)
    """The error's sentence, as the caller got it."""
    finish = models.CharField(max_length=32, default="", blank=True)
    upstream_request_id = models.CharField(max_length=200, default="", blank=True)
    path = models.CharField(max_length=200, default="", blank=True)
    address = models.CharField("caller's address", max_length=64, default="", blank=True)
    user_agent = models.CharField(max_length=200, default="", blank=True)
    extra = models.JSONField(default=dict)
    """Whatever else the engine gave."""

    class Meta:
        verbose_name = "request's content"
        verbose_name_plural = "requests' contents"
        default_permissions = ("view",)
        indexes = [models.Index(fields=["created_at"], name="requestcontent_time")]

    def __str__(self) -> str:
        return str(self.pk)

    def layer(self, name: str) -> bytes | None:
        """The bytes of a layer. Raises zstandard.ZstdError when the stored form is damaged."""
        packed = getattr(self, name)
        if packed is None:
            return None
        return zstandard.ZstdDecompressor().decompress(bytes(packed), max_output_size=LARGEST_LAYER)
