"""The servers that requests go to, and the keys that are shown to them."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from accounts.models import WatchedModel, validate_name
from proxyapp.fields import EncryptedJSONField, EncryptedTextField, Secret
from proxyapp.models.proxies import ProxyPool

KINDS = (
    ("openai", "OpenAI"),
    ("azure", "Azure OpenAI"),
    ("openai_compatible", "OpenAI-compatible (vLLM, Ollama, OpenRouter, a relay …)"),
    ("anthropic", "Anthropic"),
    ("gemini", "Google Gemini"),
    ("coze", "Coze (bots)"),
    ("factory", "Factory (your own account, undocumented API: ask whether your contract allows it)"),
    ("demo", "demo (answers from this process)"),
)
"""Kinds in force: one line each, as in proxyapp/upstreams."""

APIS = (
    ("chat", "Chat Completions"),
    ("responses", "Responses"),
    ("messages", "Messages"),
    ("generate_content", "generateContent"),
)
NEEDS_BASE_URL = ("openai_compatible", "azure")

API_VERSION = re.compile(r"^api-version=(?P<version>[A-Za-z0-9.-]+)\Z")
"""The only query that a base URL may have."""
HEADER_NAME = re.compile(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
SECONDS = {"validators": [MinValueValidator(0.1), MaxValueValidator(604_800)]}


def kind_choices() -> tuple[tuple[str, str], ...]:
    """A function, so that a new kind needs no migration."""
    return KINDS


def api_choices() -> tuple[tuple[str, str], ...]:
    return APIS


def check_base_url(url: str) -> None:
    """Raises ValidationError unless it is http(s) with a host, without name and password, query or fragment. An
    `api-version`, as in the addresses that Azure's portal shows, is looked at in `Upstream.clean`."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValidationError("The base URL cannot be read.")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValidationError("A base URL begins with http:// or https:// and a host.")
    if "@" in parts.netloc:
        raise ValidationError("A base URL holds no name and password; put the key under keys.")
    has_query = parts.query and not API_VERSION.match(parts.query)
    if has_query or parts.fragment or any(char.isspace() for char in url):
        raise ValidationError("A base URL has no query, no fragment and no spaces.")


def check_headers(headers: Any) -> None:
    """Raises ValidationError for names and values that cannot travel; values are not repeated."""
    for name, value in headers.items() if isinstance(headers, dict) else ():
        if not HEADER_NAME.match(name):
            raise ValidationError(f"{name!r} is no header name.")
        if not isinstance(value, str) or any(char in value for char in "\r\n\0"):
            raise ValidationError(f"The value of the header {name!r} must be one line of text.")


class Upstream(WatchedModel):
    name = models.CharField(
        max_length=100,
        unique=True,
        validators=[RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z", "Use letters, digits, dot, dash and underscore.")],
        help_text="Short name, shown to callers in x-dragoman-upstream.",
    )
    kind = models.CharField(max_length=32, choices=kind_choices, help_text="What sort of server it is.")
    api = models.CharField(
        max_length=32,
        choices=api_choices,
        null=True,
        blank=True,
        verbose_name="API",
        help_text="Which API to speak to it where its kind has several. Empty: the caller's own, if it is one of them.",
    )
    base_url = models.CharField(
        max_length=500,
        blank=True,
        default="",
        validators=[check_base_url],
        verbose_name="base URL",
        help_text="With or without /v1, or the full endpoint. Empty: the kind's own address.",
    )
    allow_caller_keys = models.BooleanField(
        default=False, help_text="Callers may bring their own key of this server; it is then used instead of ours."
    )
    proxy_pool = models.ForeignKey(
        ProxyPool,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="upstreams",
        help_text="Go out through these proxies. Empty: directly.",
    )
    timeout_connect = models.FloatField(default=10.0, help_text="Seconds to connect.", **SECONDS)
    timeout_first_byte = models.FloatField(default=300.0, help_text="Seconds until the answer begins.", **SECONDS)
    timeout_idle = models.FloatField(default=300.0, help_text="Most seconds of silence in an answer.", **SECONDS)
    timeout_total = models.FloatField(default=3600.0, help_text="Most seconds for the whole answer.", **SECONDS)
    headers = EncryptedJSONField(
        blank=True,
        default=dict,
        validators=[check_headers],
        help_text='Added to every request, as a JSON object of texts: {"x-team": "blue"}. Kept like a secret.',
    )
    system_prompt = models.TextField(blank=True, default="", help_text="Put before the caller's own system prompt.")
    retries = models.PositiveSmallIntegerField(
        default=2,
        validators=[MaxValueValidator(100)],
        help_text="Further attempts on one route after a fault that may pass.",
    )
    api_version = models.CharField(
        max_length=50,
        null=True,
        blank=True,
        verbose_name="API version",
        validators=[RegexValidator(r"^[A-Za-z0-9.-]+\Z", "Use letters, digits, dot and dash.")],
        help_text="For Azure: a date such as 2024-10-21. Empty: as the base URL says, else a default.",
    )
    enabled = models.BooleanField(default=True, help_text="Off: no route leads here.")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.kind in NEEDS_BASE_URL and not self.base_url:
            raise ValidationError({"base_url": "This kind of upstream has no address of its own; give one."})
        try:
            found = API_VERSION.match(urlsplit(self.base_url).query)
        except ValueError:  # `check_base_url` says so
            return
        if found and self.kind != "azure":
            raise ValidationError({"base_url": "Only an address of Azure has an api-version; leave out the query."})
        if found and self.api_version and self.api_version != found["version"]:
            raise ValidationError({"api_version": "The base URL names another version; say it once."})


class UpstreamKey(WatchedModel):
    upstream = models.ForeignKey(Upstream, on_delete=models.CASCADE, related_name="keys")
    name = models.CharField(
        max_length=100, validators=[validate_name], help_text="Shown in the history instead of the key."
    )
    value = EncryptedTextField(help_text="The key itself. Encrypted, never shown again.")
    weight = models.PositiveIntegerField(default=1, help_text="Share of the requests among this upstream's keys.")
    proxy_pool = models.ForeignKey(
        ProxyPool,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="upstream_keys",
        help_text="Go out through these proxies with this key. Empty: as the model or the upstream says.",
    )
    enabled = models.BooleanField(default=True, help_text="Off: not used.")

    class Meta:
        ordering = ["id"]
        verbose_name = "upstream key"
        constraints = [models.UniqueConstraint(fields=["upstream", "name"], name="upstreamkey_name_once_per_upstream")]

    def __str__(self) -> str:
        return f"{self.upstream.name}/{self.name}"

    def clean(self) -> None:
        is_new = isinstance(self.value, Secret) and self.value.is_fresh
        if is_new and not self.value.reveal().isprintable():  # two keys, or a key with what stood below it
            raise ValidationError({"value": "A key is one line of text; no header can carry this one."})
