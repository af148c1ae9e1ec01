"""An upstream with an account of the strict token server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from proxyapp.models import OAuthToken, Upstream
from proxyapp.tokens import rows
from proxyapp.tokens.refreshing import Manner, Outcome, refresh
from tests.fakes.token_server import CLIENT, TokenServer


@pytest.fixture
def server() -> Iterator[TokenServer]:
    made = TokenServer()
    yield made
    made.close()
    assert made.complaints == []


@pytest.fixture(autouse=True)
def data(settings: Any, tmp_path: Path) -> Path:
    """Where the spool is; every test has its own."""
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def make_token(server: TokenServer) -> Callable[..., OAuthToken]:
    """A token of the account that has its name."""

    def make(name: str = "olga", **changes: Any) -> OAuthToken:
        upstream, _ = Upstream.objects.get_or_create(name="accounts", kind="openai_compatible", base_url=server.url)
        facts = {"token_url": server.url, "client_id": CLIENT, "seed": server.account(name).refresh_token}
        return OAuthToken.objects.create(upstream=upstream, name=name, **{**facts, **changes})

    return make


def go(token: OAuthToken, **changes: Any) -> Outcome:
    """One refresh as a command does it, without pauses."""
    facts = {"began": rows.database_now(), "pause": lambda seconds: None}
    outcome = refresh(token.pk, Manner(**{**facts, **changes}))
    token.refresh_from_db()
    assert outcome is not None
    return outcome


def pair(token: OAuthToken) -> tuple[str, str]:
    """Access and refresh token, as they are stored."""
    token.refresh_from_db()
    found = rows.opened(token)
    return found.access_token, found.refresh_token
