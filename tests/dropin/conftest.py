"""An environment's gateway in this process: read, followed and served as `bootstrap` and a worker would, without
starting either. The servers of the four programs themselves are real processes, see their files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway import seeds
from gateway.environment import Environment
from proxyapp.config.build import build_snapshot
from proxyapp.config.dropin.follow import Followed, follow
from tests.api.conftest import (
    app,
    make_engine,
    scripted,
    scripted_too,
    second_upstream,
    serve_snapshot,
    upstream,
)

__all__ = ["app", "make_engine", "scripted", "scripted_too", "second_upstream", "serve_snapshot", "upstream"]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Callable[..., seeds.Seeds]:
    """`said(NAME="value")` -> Seeds, from a home and a directory that are otherwise empty (`tmp_path`)."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DRAGOMAN_DROP_IN")

    def read(**variables: str) -> seeds.Seeds:
        for name in (*seeds.PLAIN, *seeds.SECRET):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return seeds.read(Environment(), tmp_path)

    return read


@pytest.fixture
def environment(
    request: pytest.FixtureRequest, db: None, said: Any, serve_snapshot: Any, upstream: Any, settings: Any
) -> Followed:
    """For `parametrize(..., indirect=True)`: variables whose `{url}` becomes the scripted upstream's. Anybody may
    call."""
    settings.ALLOW_ANONYMOUS_ACCESS = True
    found = said(**{name: value.format(url=upstream.url) for name, value in request.param.items()})
    followed = follow(found, "http://127.0.0.1:8000")
    serve_snapshot(build_snapshot())
    return followed
