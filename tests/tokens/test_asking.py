"""The request itself: its way out, its bounds, and which failures leave a doubt behind."""

from __future__ import annotations

import pytest

from proxyapp.models import Proxy, ProxyPool, Upstream
from proxyapp.tokens import asking
from proxyapp.tokens.refreshing import Result
from proxyapp.upstreams.oauth import RefreshFailed
from tests.fakes.proxies import TINY_PASSWORD, tinyproxy
from tests.fakes.upstream import ScriptedUpstream, answer_json, free_port, garbage, reset
from tests.tokens.conftest import go, pair

pytestmark = pytest.mark.django_db


@pytest.fixture
def scripted():
    made = ScriptedUpstream()
    yield made
    made.close()


def through(token, *urls: str, on_exhausted: str = "fail") -> None:
    pool = ProxyPool.objects.create(name="eu", on_exhausted=on_exhausted)
    for number, url in enumerate(urls):
        Proxy.objects.create(pool=pool, name=f"p{number}", url=url, position=number)
    Upstream.objects.filter(pk=token.upstream_id).update(proxy_pool=pool)


def test_it_goes_out_through_the_pool_of_the_upstream(server, make_token, tmp_path):
    token = make_token()
    with tinyproxy(tmp_path) as proxy:
        through(token, f"http://127.0.0.1:{free_port()}", proxy.url(password=TINY_PASSWORD))
        assert go(token).result is Result.REFRESHED
    server.account().refreshes = 0
    assert go(token, force=True).is_failure
    assert "proxy" in token.error_message
    assert server.account().refreshes == 0, "not around the proxies that were asked for"
    assert token.error == "unreachable"
    assert token.doubt == ""


def test_a_pool_that_allows_it_is_gone_around(server, make_token):
    token = make_token()
    through(token, f"http://127.0.0.1:{free_port()}", on_exhausted="direct")
    assert go(token).result is Result.REFRESHED


@pytest.mark.parametrize(
    ("script", "code", "is_unsure"),
    [
        (reset(), "unanswered", True),
        (garbage(), "unanswered", True),
        (answer_json({"access_token": "x" * 2**21}), "unreadable", True),
        (answer_json(b"", 302, location="http://127.0.0.1:9/elsewhere"), "refused", False),
    ],
    ids=["cut off", "no HTTP", "too large", "a redirect"],
)
def test_strange_answers_fail_and_what_may_have_spent_the_token_is_remembered(
    make_token, scripted, script, code, is_unsure
):
    token = make_token(token_url=f"{scripted.url}/token")
    scripted.default = script
    assert go(token, waits=False).is_failure
    assert token.error == code
    assert bool(token.doubt) is is_unsure
    assert pair(token) == ("", "")
    assert len(scripted.seen) == 1


def test_a_server_that_does_not_answer_is_given_up(server, make_token, monkeypatch):
    monkeypatch.setattr(asking, "SECONDS", 0.2)
    token = make_token()
    server.hold("arrived")
    assert go(token, waits=False).is_failure
    server.release()
    assert token.error == "unanswered"
    assert "did not finish its answer" in token.error_message


def test_an_upstream_that_cannot_be_used_has_no_way_out(make_token, server):
    token = make_token()
    Upstream.objects.filter(pk=token.upstream_id).update(enabled=False)
    with pytest.raises(RefreshFailed, match="switched off"):
        asking.ask(asking.Asking(server.url, "c", "rt"), "accounts")
    assert server.seen == []
