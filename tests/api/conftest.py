"""The ASGI application over an engine whose snapshot the test chooses. The database is blocked: a query fails."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from gateway.asgi import application
from proxyapp import wiring
from proxyapp.engine.core import Engine
from proxyapp.engine.snapshot import Snapshot
from tests.engine.conftest import BooksInAList, make_engine, scripted, scripted_too, second_upstream, upstream

__all__ = ["BooksInAList", "make_engine", "scripted", "scripted_too", "second_upstream", "upstream"]


@pytest.fixture
def serve_snapshot(make_engine, monkeypatch) -> Callable[..., Engine]:
    def put(snapshot: Snapshot, **settings) -> Engine:
        engine = make_engine(snapshot, **settings)
        worker = SimpleNamespace(
            pid=os.getpid(), engine=engine, watcher=SimpleNamespace(healthy=True), started=time.time()
        )
        monkeypatch.setattr(wiring, "_worker", worker)
        return engine

    return put


@pytest.fixture
def app():
    return application
