"""The variables and files that four earlier gateways started from, typed: what `bootstrap` makes upstreams of.

Read by `settings.py` alone. A program's variables count only together, when enough of them is there to say where
requests go: OPENAI_API_KEY, API_KEY or TYPE alone is in many a shell that means something else. What does not count is
not checked either; what counts and cannot be right stops the start with a sentence that names the variable.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.environment import Environment, bad

TYPES = ("openai", "anthropic", "google", "azure_openai", "cohere", "coze", "custom")
PLAIN = (
    "TYPE", "ACTUAL_NAME", "ENABLED", "MAX_TOKENS", "SUPPORTS_STREAMING", "SUPPORTS_FUNCTION_CALLING", "TIMEOUT",
    "COST_PER_1K_INPUT_TOKENS", "COST_PER_1K_OUTPUT_TOKENS", "BOT_ID", "BASE_URL", "OPENAI_BASE_URL",
    "HAIKU_MODEL_NAME", "HAIKU_BASE_URL", "ANTHROPIC_TARGET_URL",
)  # fmt: skip
SECRET = (
    "FACTORY_API_KEY", "PROXY_API_KEY", "DROID_REFRESH_KEY", "API_KEY", "DEFAULT_HEADERS", "OPENAI_API_KEY",
    "HAIKU_API_KEY",
)  # fmt: skip
"""May be given as files: NAME_FILE."""
LARGEST_FILE = 2**20
"""Bytes of a config.json that is looked at."""


@dataclass(frozen=True, repr=False, kw_only=True)
class Factory:
    """The Factory proxy's and droid2api's."""

    api_key: str = ""
    refresh_tokens: tuple[str, ...] = ()
    target_url: str = ""
    """ANTHROPIC_TARGET_URL; it may carry another address in its path."""


@dataclass(frozen=True, repr=False, kw_only=True)
class Unified:
    """The unified proxy's: one server and one model behind every name."""

    type: str = "openai"
    api_key: str = ""
    base_url: str = ""
    actual_name: str = "gpt-3.5-turbo"
    enabled: bool = True
    max_tokens: int | None = None
    streaming: bool = True
    tools: bool = True
    headers: dict[str, str] | None = None
    timeout: float | None = None
    """Seconds."""
    cost_input: float | None = None
    """USD per thousand tokens."""
    cost_output: float | None = None


@dataclass(frozen=True, repr=False, kw_only=True)
class Relay:
    """The Claude-to-OpenAI proxy's."""

    base_url: str = ""
    api_key: str = ""
    haiku_model: str = ""
    haiku_base_url: str = ""
    haiku_api_key: str = ""


@dataclass(frozen=True, repr=False, kw_only=True, slots=True)
class Seeds:
    """What is there of the four. Holds secrets."""

    factory: Factory | None = None
    unified: Unified | None = None
    relay: Relay | None = None
    proxy_key: str = ""
    """PROXY_API_KEY: a client's key."""
    auth_file: Path | None = None
    """Where Factory's own programs keep their tokens; read by `bootstrap`, never written."""
    droid_config: dict[str, Any] | None = None
    """droid2api's config.json, as it is there."""
    remarks: tuple[str, ...] = ()
    """Sentences about what is there and was left out."""

    def __repr__(self) -> str:
        return f"Seeds({', '.join(name for name in self.__slots__ if getattr(self, name))})"


def read(env: Environment, directory: Path) -> Seeds:
    """Everything that counts; `directory` may hold a config.json. Raises ImproperlyConfigured."""
    said = {name: env.text(name) for name in PLAIN} | {name: env.secret(name) for name in SECRET}
    if not env.boolean("DRAGOMAN_DROP_IN", True):
        return Seeds()
    for name, value in said.items():
        if not _is_text(value):
            raise bad(name, "must be text in UTF-8")
    config, remark = droid_config(directory / "config.json")
    return Seeds(
        factory=_factory(said),
        unified=_unified(env, said),
        relay=_relay(said),
        proxy_key=said["PROXY_API_KEY"],
        auth_file=_auth_file(),
        droid_config=config,
        remarks=(remark,) if remark else (),
    )


# --- the programs ----------------------------------------------------------------------------------------------------


def _factory(said: dict[str, str]) -> Factory | None:
    target = _url(said, "ANTHROPIC_TARGET_URL")
    tokens = tuple(token.strip() for token in said["DROID_REFRESH_KEY"].split(",") if token.strip())
    if not (said["FACTORY_API_KEY"] or tokens or target):
        return None
    return Factory(api_key=said["FACTORY_API_KEY"], refresh_tokens=tokens, target_url=target)


def _unified(env: Environment, said: dict[str, str]) -> Unified | None:
    """Counts when ACTUAL_NAME is set, or two of TYPE, API_KEY and BASE_URL."""
    if not said["ACTUAL_NAME"] and sum(bool(said[name]) for name in ("TYPE", "API_KEY", "BASE_URL")) < 2:
        return None
    kind = env.choice("TYPE", "openai", TYPES)
    bot = said["BOT_ID"] if kind == "coze" else ""
    base_url = _url(said, "BASE_URL")
    if kind in ("custom", "azure_openai") and not base_url:
        raise bad("BASE_URL", f"must be set when TYPE is {kind}: it has no address of its own")
    return Unified(
        type=kind,
        api_key=said["API_KEY"],
        base_url=base_url,
        actual_name=said["ACTUAL_NAME"] or (f"bot-{bot}" if bot else "gpt-3.5-turbo"),
        enabled=env.boolean("ENABLED", True),
        max_tokens=env.integer("MAX_TOKENS", 0, 1, 2**31 - 1) if said["MAX_TOKENS"] else None,
        streaming=env.boolean("SUPPORTS_STREAMING", True),
        tools=env.boolean("SUPPORTS_FUNCTION_CALLING", True),
        headers=_headers(said["DEFAULT_HEADERS"]),
        timeout=_number(said, "TIMEOUT", least=0.1, most=604_800),
        cost_input=_number(said, "COST_PER_1K_INPUT_TOKENS", most=1e6),
        cost_output=_number(said, "COST_PER_1K_OUTPUT_TOKENS", most=1e6),
    )


def _relay(said: dict[str, str]) -> Relay | None:
    """Counts when it is said where requests go: OPENAI_BASE_URL or HAIKU_BASE_URL."""
    if not (said["OPENAI_BASE_URL"] or said["HAIKU_BASE_URL"]):
        return None
    return Relay(
        base_url=_url(said, "OPENAI_BASE_URL"),
        api_key=said["OPENAI_API_KEY"],
        haiku_model=said["HAIKU_MODEL_NAME"],
        haiku_base_url=_url(said, "HAIKU_BASE_URL"),
        haiku_api_key=said["HAIKU_API_KEY"],
    )


# --- files -----------------------------------------------------------------------------------------------------------


def droid_config(path: Path) -> tuple[dict[str, Any] | None, str]:
    """The content of a config.json that is droid2api's: an object that lists models with `id` and `type`, or endpoints
    with `base_url`. None for every other file of that common name; with a remark where nobody can tell whose it is."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            return None, ""
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return None, ""
    except (OSError, ValueError, RecursionError) as exc:
        why = f"line {exc.lineno}: {exc.msg}" if isinstance(exc, json.JSONDecodeError) else type(exc).__name__
        return None, f"config.json in the working directory cannot be read ({why}); it is left out."
    if not isinstance(found, dict):
        return None, ""
    is_its = _lists(found.get("models"), "id", "type") or _lists(found.get("endpoint"), "name", "base_url")
    return (found if is_its else None), ""


def _auth_file() -> Path | None:
    try:
        return Path.home() / ".factory" / "auth.json"
    except RuntimeError:  # a user without a home
        return None


def port(env: Environment, config: dict[str, Any] | None) -> int:
    """PORT, else the one in droid2api's config.json, else 8000."""
    said = (config or {}).get("port")
    usable = isinstance(said, int) and not isinstance(said, bool) and 1 <= said <= 65535
    return env.integer("PORT", said if usable else 8000, 1, 65535)  # type: ignore[arg-type]


def _lists(value: Any, *fields: str) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(entry, dict) and all(isinstance(entry.get(f), str) for f in fields) for entry in value)
    )


def _is_text(value: str) -> bool:
    """False for what came as bytes that are no UTF-8 (Python hands them on as halves of surrogate pairs)."""
    return not any("\ud800" <= char <= "\udfff" for char in value)


# --- single values ---------------------------------------------------------------------------------------------------


def _url(said: dict[str, str], name: str) -> str:
    value = said[name]
    try:
        parts = urlsplit(value)
        readable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        readable = False
    if value and (not readable or any(char.isspace() for char in value)):
        raise bad(name, "must be an address that begins with http:// or https:// and a host")
    if value and "@" in parts.netloc:
        raise bad(name, "must hold no name and password")
    return value


def _number(said: dict[str, str], name: str, least: float = 0, most: float = math.inf) -> float | None:
    if not said[name]:
        return None
    try:
        number = float(said[name])
    except ValueError:
        raise bad(name, "must be a number", said[name])
    if not least <= number <= most:
        raise bad(name, f"must be between {least:g} and {most:g}", said[name])
    return number


def _headers(text: str) -> dict[str, str] | None:
    """A JSON object of texts; other values, such as numbers, are written as JSON writes them."""
    if not text:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise bad("DEFAULT_HEADERS", 'must be a JSON object of texts such as {"x-team": "blue"}')
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in found.items()}
