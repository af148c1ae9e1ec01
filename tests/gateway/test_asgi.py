"""The door for people: what comes in there is bounded as well."""

from __future__ import annotations

import tempfile

import pytest

from gateway.asgi import application
from tests.asgi import Exchange, ask

PIECE = b"x" * 2**20


@pytest.mark.parametrize("path", ["/admin/login/", "/", "/no/such/page"])
async def test_a_body_over_the_bound_is_refused_before_it_fills_the_disk(path, monkeypatch):
    """Django writes a body to a temporary file, however long it is, for anybody who sends one."""
    written = []
    real = tempfile.SpooledTemporaryFile.write
    monkeypatch.setattr(
        tempfile.SpooledTemporaryFile, "write", lambda file, data: written.append(len(data)) or real(file, data)
    )
    got = await ask(application, "POST", path, [PIECE] * 80)
    assert got.status == 413
    assert got.complete
    assert sum(written) <= 64 * 2**20


async def test_a_declared_length_over_the_bound_is_refused_at_once():
    exchange = Exchange(application, "POST", "/admin/login/", [PIECE] * 2, {"content-length": str(10**12)})
    got = await exchange.run()
    assert got.status == 413
    assert exchange._incoming.qsize() == 2  # nothing of it was read


@pytest.mark.django_db
async def test_a_body_within_the_bound_reaches_the_console():
    got = await ask(application, "POST", "/admin/login/", [b"username=a", b"&password=b"], host="localhost")
    assert got.status == 403  # no CSRF token
