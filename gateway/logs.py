"""Logging for all of the gateway, standard library loggers included: structlog, as console lines or JSON.

The file is always JSON lines. Everything passes `redact` last, tracebacks too. What is bound with
`structlog.contextvars` (the request id) is on every line.
"""

from __future__ import annotations

import logging
import logging.config
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog
from django.core.exceptions import ImproperlyConfigured

from gateway.redaction import redact, redact_text

Event = MutableMapping[str, Any]

# Their lines repeat ours or show whole URLs; access lines are in the history.
QUIET = {
    "asyncio": "WARNING",
    "aiohttp": "WARNING",
    "httpx": "WARNING",
    "httpx2": "WARNING",
    "httpcore": "WARNING",
    "axes": "WARNING",
    "psycopg": "WARNING",
    "PIL": "WARNING",
    "uvicorn.asgi": "WARNING",
}
SILENT = ("uvicorn.access", "gunicorn.access", "django.security.DisallowedHost")
"""Access is in the history; a foreign Host header is answered with 400 and is nobody's fault here."""
OURS = ("django", "django.server", "django.request", "uvicorn", "uvicorn.error", "gunicorn", "gunicorn.error")


def redact_event(logger: Any, method: str, event: Event) -> Event:
    """The last processor before a renderer. Names that begin with `_` are structlog's own."""
    shown = redact({name: value for name, value in event.items() if not name.startswith("_")})
    return {**{name: value for name, value in event.items() if name.startswith("_")}, **shown}


SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(allow=()),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
    structlog.processors.UnicodeDecoder(),
]


def configure(options: dict[str, Any]) -> None:
    """Called by Django with settings.LOGGING: `level`, `format` (console|json), `file` (a path or None)."""
    logging.config.dictConfig(dictionary(options))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def dictionary(options: dict[str, Any]) -> dict[str, Any]:
    """The standard library's configuration. Raises ImproperlyConfigured when the file cannot be written."""
    handlers: dict[str, dict[str, Any]] = {
        "console": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": options["format"]}
    }
    if options["file"]:
        handlers["file"] = {
            # Opens anew when the file was moved away, so logrotate needs no signal.
            "class": "logging.handlers.WatchedFileHandler",
            "filename": _writable(options["file"]),
            "formatter": "json",
            "encoding": "utf-8",
            "delay": True,
        }
    loggers = {name: {"handlers": [], "propagate": True} for name in OURS}
    loggers |= {name: {"level": level} for name, level in QUIET.items()}
    loggers |= {name: {"handlers": [], "propagate": False, "level": logging.CRITICAL + 1} for name in SILENT}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"console": _formatter(_console()), "json": _formatter(_json())},
        "handlers": handlers,
        "loggers": loggers,
        "root": {"level": options["level"], "handlers": list(handlers)},
    }


def _formatter(renderer: Any) -> dict[str, Any]:
    return {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": SHARED,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact_event, renderer],
    }


def _console() -> Any:
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
    )


def _json() -> Any:
    return structlog.processors.JSONRenderer(ensure_ascii=False, default=lambda value: redact_text(str(value)))


def _writable(path: str) -> str:
    file = Path(path)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8"):
            return str(file)
    except OSError as exc:
        raise ImproperlyConfigured(f"LOG_FILE_PATH: {path} cannot be written ({exc.strerror}).")
