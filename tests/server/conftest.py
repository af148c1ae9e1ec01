"""The real server as a process, in front of a scripted upstream."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.gateway import ADMIN_KEY, KEY, RunningGateway
from tests.fakes.upstream import ScriptedUpstream


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    server = ScriptedUpstream()
    yield server
    server.close()


@pytest.fixture
def gateways(tmp_path: Path) -> Iterator[Callable[..., RunningGateway]]:
    made: list[RunningGateway] = []

    def make(**environment: str) -> RunningGateway:
        gateway = RunningGateway(tmp_path / f"gateway{len(made)}", **environment)
        gateway.data.mkdir()
        made.append(gateway)
        return gateway

    yield make
    for gateway in made:
        gateway.kill()


def a_document(url: str, **changes: Any) -> dict[str, Any]:
    """Two upstreams at one address, a model on each, one client with one key."""
    keys = [{"name": "main", "value": "sk-upstream-secret-1234567890"}]
    return {
        "upstreams": [
            {"name": "chatty", "kind": "openai_compatible", "base_url": url, "keys": keys, "retries": 0},
            {"name": "claude", "kind": "anthropic", "base_url": url, "keys": keys, "retries": 0},
        ],
        "models": [
            {"name": "to-chat", "routes": [{"upstream": "chatty", "model": "up"}]},
            {"name": "to-messages", "routes": [{"upstream": "claude", "model": "up"}]},
        ],
        "clients": [
            {
                "name": "alice",
                "keys": [{"name": "laptop", "value": KEY}, {"name": "ops", "value": ADMIN_KEY, "scope": "admin"}],
            }
        ],
        **changes,
    }


def rows(gateway: RunningGateway) -> list[dict[str, Any]]:
    """The request history as it lies in the database."""
    with sqlite3.connect(f"file:{gateway.data / 'dragoman.sqlite3'}?mode=ro", uri=True) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("select * from proxyapp_requestlog order by id")]
