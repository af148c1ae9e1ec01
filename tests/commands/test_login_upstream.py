"""`login_upstream`: a person confirms a code, and the token of the upstream starts anew."""

from __future__ import annotations

import pytest
from django.core.management import CommandError

from proxyapp.models import OAuthToken, Upstream
from proxyapp.tokens import login
from tests.fakes.token_server import CLIENT, TokenServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def server():
    made = TokenServer()
    yield made
    made.close()
    assert made.complaints == []


@pytest.fixture
def pauses(monkeypatch):
    """Nobody waits, and each pause takes its time of the clock."""
    taken = []
    real = login.Manner
    monkeypatch.setattr(
        "proxyapp.management.commands.login_upstream.Manner",
        lambda tell: real(tell, taken.append, lambda: sum(taken)),
    )
    return taken


@pytest.fixture
def words(server):
    Upstream.objects.create(name="accounts", kind="openai_compatible", base_url=server.url)
    device = server.url.replace("/authenticate", "/authorize/device")
    return ["accounts", "--token-url", server.url, "--client-id", CLIENT, "--device-url", device]


def test_a_login_makes_the_token(run, server, words, pauses):
    server.logins.extend(["authorization_pending", "slow_down", "authorization_pending"])
    out, _ = run("login_upstream", *words)
    assert out.splitlines()[0] == "Open https://auth.example.org/device and confirm the code ABCD-EFGH."
    assert "Logged in." in out
    assert "secret" not in out
    assert pauses == [5.0, 5.0, 10.0, 10.0]
    token = OAuthToken.objects.get()
    assert (token.name, token.client_id, token.seed.reveal()) == ("oauth", CLIENT, "rt-olga-0-secret")
    assert token.is_untried


def test_a_login_wakes_a_dead_token(run, server, words, pauses):
    run("login_upstream", *words)
    token = OAuthToken.objects.get()
    OAuthToken.objects.update(tried_digest=token.config_digest, error="invalid_grant", seed_digest="x")
    run("login_upstream", words[0], *words[5:])
    token.refresh_from_db()
    assert (token.is_dead, token.error, token.seed_digest) == (False, "", "")


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (["access_denied"], "The token server answered 400: access_denied"),
        (["expired_token"], "The token server answered 400: expired_token"),
        (["authorization_pending"] * 100, "Nobody confirmed the login in time"),
    ],
)
def test_a_login_that_comes_to_nothing_is_told(run, server, words, pauses, answers, said):
    server.logins.extend(answers)
    with pytest.raises(CommandError, match=said):
        run("login_upstream", *words)
    assert not OAuthToken.objects.exists()


def test_what_is_missing_or_wrong_is_told(run, server, words, pauses):
    with pytest.raises(CommandError, match="There is no upstream named 'nowhere'"):
        run("login_upstream", "nowhere")
    with pytest.raises(CommandError, match="openai_compatible has no token URL of its own"):
        run("login_upstream", "accounts")
    with pytest.raises(CommandError, match="invalid_client"):
        run("login_upstream", *words[:3], "--client-id", "wrong", *words[5:])
    with pytest.raises(CommandError):
        run("login_upstream", *words[:2], "ftp://nowhere", *words[3:])
