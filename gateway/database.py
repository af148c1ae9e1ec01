"""DATABASE_URL as Django's DATABASES entry, with the options that SQLite and PostgreSQL need here."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import environ

from gateway.environment import bad

SQLITE = "django.db.backends.sqlite3"
POSTGRES = "django.db.backends.postgresql"

# One PRAGMA line per connection: readers do not block the writer (WAL), a commit survives a crash of the process
# (NORMAL), and sorting stays in memory.
PRAGMAS = (
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=20000; PRAGMA foreign_keys=ON; "
    "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-16000; PRAGMA mmap_size=134217728;"
)
SQLITE_OPTIONS = {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": PRAGMAS}

# A pool per process; workers times max_size must stay below the server's max_connections. Django wants
# CONN_MAX_AGE 0 with a pool.
POSTGRES_OPTIONS = {"pool": {"min_size": 1, "max_size": 4, "timeout": 5}, "connect_timeout": 5}


def parse(url: str, base_dir: Path) -> dict[str, Any]:
    """One DATABASES entry. A relative SQLite path is taken from the project's directory, not from the shell's."""
    # SQLAlchemy-style drivers (`sqlite+aiosqlite`, `postgresql+asyncpg`) name the same databases.
    plain = re.sub(r"^(\w+)\+\w+://", r"\1://", url)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            config = environ.Env.db_url_config(plain)
    except Exception as exc:  # whatever the parser trips over, the sentence is the same
        raise bad("DATABASE_URL", "must be a database address such as postgres://user:password@host:5432/name") from exc
    if config.get("ENGINE") == SQLITE:
        return _sqlite(config, base_dir)
    if config.get("ENGINE") == POSTGRES:
        options = {**POSTGRES_OPTIONS, **config.get("OPTIONS", {})}
        # The check costs a round trip and spares the first request after a restart of the server its error.
        return {**config, "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True, "OPTIONS": options}
    raise bad("DATABASE_URL", "must begin with sqlite:/// or postgres://")


def _sqlite(config: dict[str, Any], base_dir: Path) -> dict[str, Any]:
    if config["NAME"] in ("", ":memory:"):
        raise bad("DATABASE_URL", "must name a file when it is SQLite; a database in memory is not shared by threads")
    path = base_dir / config["NAME"]
    return {
        "ENGINE": SQLITE,
        "NAME": str(path),
        "OPTIONS": SQLITE_OPTIONS,
        # A file, because threads of their own (watcher, history) must see what a test wrote.
        "TEST": {"NAME": str(path.with_name(f"test-{path.name}"))},
    }
