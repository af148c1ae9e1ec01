"""Exit proxies and the pools that upstreams go out through."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from accounts.models import WatchedModel, validate_name
from proxyapp.fields import EncryptedTextField

DIRECT = "direct"
SCHEMES = ("http", "https", "socks5", "socks5h")


def check_proxy_url(url: str) -> None:
    """Raises ValidationError with a sentence that never holds the URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
        user = unquote(parts.username or "", errors="strict")
        password = unquote(parts.password or "", errors="strict")
    except ValueError:
        raise ValidationError("The proxy URL cannot be read.")
    if any(char.isspace() for char in url):
        raise ValidationError("A proxy URL has no spaces; in name and password they are written %20.")
    if parts.scheme not in SCHEMES:
        raise ValidationError("A proxy URL begins with http://, https://, socks5:// or socks5h://.")
    if not parts.hostname or port == 0 or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValidationError(
            "A proxy URL is scheme://[name:password@]host[:port], and nothing after it. "
            "Signs such as / ? # @ : % in name and password are written percent-encoded."
        )
    check = _check_socks_login if parts.scheme.startswith("socks") else _check_http_login
    check(user, password)


def _check_http_login(user: str, password: str) -> None:
    if ":" in user:  # RFC 7617, 2: there it would end
        raise ValidationError("The name for an HTTP proxy cannot hold a colon.")
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in user + password):
        raise ValidationError("Name and password for a proxy cannot hold control signs.")


def _check_socks_login(user: str, password: str) -> None:
    if bool(user) != bool(password):
        raise ValidationError("A SOCKS5 proxy wants a name and a password, or neither.")
    if not (user + password).isascii() or max(len(user), len(password)) > 255:
        raise ValidationError("Name and password for a SOCKS5 proxy are at most 255 ASCII signs each.")


def check_checked_url(url: str) -> None:
    """Raises ValidationError unless it is http(s) with a host and holds no name and password."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValidationError("This URL cannot be read.")
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValidationError("This URL must begin with http:// or https:// and a host, without name and password.")


class ProxyPool(WatchedModel):
    class Strategy(models.TextChoices):
        ROUND_ROBIN = "round_robin", "in turn"
        RANDOM = "random", "at random"
        LEAST_USED = "least_used", "the least busy"

    class OnExhausted(models.TextChoices):
        DIRECT = "direct", "go out directly"
        FAIL = "fail", "fail the request"

    name = models.CharField(
        max_length=100, unique=True, validators=[validate_name], help_text="What upstreams call this pool."
    )
    strategy = models.CharField(
        max_length=12,
        choices=Strategy,
        default=Strategy.ROUND_ROBIN,
        help_text="How the proxy of a request is chosen.",
    )
    on_exhausted = models.CharField(
        max_length=8,
        choices=OnExhausted,
        default=OnExhausted.DIRECT,
        help_text="What happens when no proxy of the pool can be connected to.",
    )

    sticky = models.BooleanField(
        default=False, help_text="A caller's conversation keeps its proxy while that one works."
    )
    cooldown_seconds = models.PositiveIntegerField(
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(86_400)],
        help_text="How long a proxy that failed is left alone; longer each time it fails again.",
    )
    check_url = models.CharField(
        max_length=500,
        blank=True,
        default="",
        validators=[check_checked_url],
        verbose_name="check URL",
        help_text="What a check asks for through each proxy. Empty: the upstreams that use the pool.",
    )

    class Meta:
        ordering = ["name"]
        verbose_name = "proxy pool"

    def __str__(self) -> str:
        return self.name


class Proxy(WatchedModel):
    pool = models.ForeignKey(ProxyPool, on_delete=models.CASCADE, related_name="proxies")
    name = models.CharField(
        max_length=100, validators=[validate_name], help_text="Shown in the history instead of the address."
    )
    url = EncryptedTextField(
        verbose_name="URL",
        validators=[check_proxy_url],
        help_text="http, https or socks5, with name and password if it wants them. Never shown.",
    )
    position = models.PositiveIntegerField(default=0, help_text="Order in the pool, low first.")
    enabled = models.BooleanField(default=True, help_text="Off: not used.")

    class Meta:
        ordering = ["position", "id"]
        verbose_name_plural = "proxies"
        constraints = [models.UniqueConstraint(fields=["pool", "name"], name="proxy_name_once_per_pool")]

    def __str__(self) -> str:
        return f"{self.pool.name}/{self.name}"

    def clean(self) -> None:
        if self.name == DIRECT:
            raise ValidationError({"name": f"{DIRECT} is what the history says where no proxy was used."})
