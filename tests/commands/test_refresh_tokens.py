"""`refresh_tokens` from the shell: lines, exit status, options."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.management import CommandError

from proxyapp.models import OAuthToken, Upstream
from tests.fakes.token_server import CLIENT, TokenServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    made = TokenServer()
    yield made
    made.close()


@pytest.fixture
def tokens(server):
    made = {}
    for name in ("olga", "sam"):
        upstream = Upstream.objects.create(name=f"of-{name}", kind="openai_compatible", base_url=server.url)
        made[name] = OAuthToken.objects.create(
            upstream=upstream, name="oauth", token_url=server.url, client_id=CLIENT,
            seed=server.account(name).refresh_token,
        )  # fmt: skip
    return made


def test_it_prints_one_line_a_token_and_never_a_secret(run, tokens):
    out, err = run("refresh_tokens")
    lines = out.splitlines()
    assert lines[0].startswith("of-olga/oauth: Token refreshed successfully, expires at ")
    assert lines[1].startswith("of-sam/oauth: Token refreshed successfully, expires at ")
    until = datetime.strptime(lines[0].split("expires at ")[1], "%Y-%m-%d %H:%M:%S UTC.").replace(tzinfo=UTC)
    tokens["olga"].refresh_from_db()
    assert until == tokens["olga"].expires_at.replace(microsecond=0)
    assert err == ""
    assert "secret" not in out
    out, _ = run("refresh_tokens")
    assert out.count("Not due before") == 2


def test_with_no_token_it_says_so(run, db):
    assert run("refresh_tokens")[0] == "There is no token to refresh.\n"


def test_one_failure_is_exit_status_1_and_does_not_hold_up_the_others(tokens, server, capsys):
    from django.core.management import call_command

    OAuthToken.objects.filter(pk=tokens["olga"].pk).delete()
    bad = OAuthToken.objects.create(
        upstream=tokens["olga"].upstream, name="oauth", token_url=server.url, client_id=CLIENT, seed="rt-of-nobody"
    )
    for _ in range(2):
        with pytest.raises(SystemExit) as caught:
            call_command("refresh_tokens")
        assert caught.value.code == 1
    said = capsys.readouterr()
    assert "of-sam/oauth: Token refreshed successfully" in said.out
    assert said.err.count("of-olga/oauth: The token server answered 400: invalid_grant") == 2
    bad.refresh_from_db()
    assert bad.is_dead


def test_one_upstream_can_be_named(run, tokens, server):
    out, _ = run("refresh_tokens", "--upstream", "of-sam", "--force")
    assert out.startswith("of-sam/oauth: Token refreshed")
    assert len(server.seen) == 1


def test_an_upstream_that_is_not_there_is_an_error(run, tokens):
    with pytest.raises(CommandError, match="There is no upstream named 'nowhere'") as caught:
        run("refresh_tokens", "--upstream", "nowhere")
    assert caught.value.returncode == 2


def test_cron_does_not_keep_to_the_pauses_between_failures(run, tokens, server):
    OAuthToken.objects.filter(pk=tokens["olga"].pk).delete()
    server.next_answers.append((400, {}, b'{"error": "server_says_no"}'))
    with pytest.raises(SystemExit):
        run("refresh_tokens")
    assert run("refresh_tokens")[0].startswith("of-sam/oauth: Token refreshed")
