"""Typed reading of environment variables: a bad value becomes a sentence that names the variable.

Used by `settings.py` alone. An empty variable counts as unset, because `VAR=${VAR:-}` in compose files means that.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

TRUE = ("1", "true", "yes", "on", "y", "t")
FALSE = ("0", "false", "no", "off", "n", "f")


def bad(name: str, must: str, value: str | None = None) -> ImproperlyConfigured:
    """The one sentence for a bad value. `value` is left out for secrets."""
    shown = f", not {value!r}" if value is not None else ""
    return ImproperlyConfigured(f"{name} {must}{shown}. Correct the environment variable {name} and start again.")


class Environment:
    """Reads variables and remembers their names (a test compares them with docs/settings.md)."""

    def __init__(self) -> None:
        self._env = environ.Env()
        self.names: list[str] = []

    def read_file(self, path: Path) -> None:
        """Take `NAME=value` lines of a file as defaults; what is really set wins. A missing file is fine."""
        if path.is_file():
            self._env.read_env(str(path), overwrite=False)

    def is_set(self, name: str) -> bool:
        """True also when the value is empty."""
        return name in self._env.ENVIRON or f"{name}_FILE" in self._env.ENVIRON

    def text(self, name: str, default: str = "") -> str:
        self._remember(name)
        return str(self._env.ENVIRON.get(name, "")).strip() or default

    def secret(self, name: str, default: str = "") -> str:
        """Like `text`, and `NAME_FILE` may give a file that holds the value."""
        direct = self.text(name)
        path = str(self._env.ENVIRON.get(f"{name}_FILE", "")).strip()
        if direct and path:
            raise bad(name, f"and {name}_FILE are both set; give one of them")
        if not path:
            return direct or default
        try:
            return Path(path).read_text(encoding="utf-8").strip() or default
        except (OSError, UnicodeDecodeError):
            raise bad(f"{name}_FILE", "must name a readable text file", path)

    def boolean(self, name: str, default: bool) -> bool:
        value = self.text(name).lower()
        if not value:
            return default
        if value not in TRUE + FALSE:
            raise bad(name, "must be true or false", value)
        return value in TRUE

    def integer(self, name: str, default: int, least: int = 0, most: int = 10**9) -> int:
        value = self.text(name)
        try:
            number = int(value or default)
        except ValueError:
            raise bad(name, "must be a whole number", value)
        if not least <= number <= most:
            raise bad(name, f"must be between {least} and {most}", value)
        return number

    def choice(self, name: str, default: str, choices: Sequence[str], fold: Any = str.lower) -> str:
        value: str = fold(self.text(name, default))
        if value not in choices:
            raise bad(name, f"must be one of {', '.join(choices)}", value)
        return value

    def words(self, name: str) -> list[str]:
        """Values between commas."""
        return [word.strip() for word in self.text(name).split(",") if word.strip()]

    def origins(self, name: str) -> list[str]:
        """Web origins, `https://host[:port]`, or one `*`."""
        origins = [origin.rstrip("/") for origin in self.words(name)]
        for origin in origins:
            scheme, found, host = origin.partition("://")
            if origin != "*" and not (found and scheme and host and "/" not in host):
                raise bad(name, "must list origins such as https://chat.example.org", origin)
        return origins

    def networks(self, name: str) -> tuple[Network, ...]:
        """Addresses or networks."""
        networks = []
        for word in self.words(name):
            try:
                networks.append(ipaddress.ip_network(word, strict=False))
            except ValueError:
                raise bad(name, "must list addresses or networks such as 10.0.0.0/8", word)
        return tuple(networks)

    def _remember(self, name: str) -> None:
        if name not in self.names:
            self.names.append(name)
