"""`check_proxies` from the shell: one look through each proxy, and a status that scripts can go by."""

from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command

from proxyapp.models import Proxy, ProxyPool, Upstream
from tests.fakes.upstream import ScriptedUpstream, answer_json, free_port

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def near() -> Iterator[ScriptedUpstream]:
    server = ScriptedUpstream()
    server.default = answer_json({}, 404)
    yield server
    server.close()


@pytest.fixture
def eu(near) -> ProxyPool:
    pool = ProxyPool.objects.create(name="eu")
    Proxy.objects.create(pool=pool, name="p1", url=near.url.replace("://", "://user:pass-word@"))
    Upstream.objects.create(name="up", kind="openai", base_url="http://api.test", proxy_pool=pool)
    return pool


def test_all_up_is_a_table_and_status_0(run, eu, near):
    out, err = run("check_proxies")
    head, row = out.splitlines()
    assert head.split() == ["POOL", "PROXY", "STATE", "TIME", "WHAT"]
    assert row.split()[:3] == ["eu", "p1", "up"]
    assert row.endswith("carried an answer (404) of api.test")
    assert err == ""
    assert "authorization" not in near.last.headers


def test_one_down_is_status_1(run, eu):
    Proxy.objects.create(pool=eu, name="p2", url=f"http://user:pass-word@127.0.0.1:{free_port()}")
    Proxy.objects.create(pool=eu, name="off", url="http://127.0.0.1:1", enabled=False)
    with pytest.raises(SystemExit) as caught:
        run("check_proxies", "eu")
    assert caught.value.code == 1


def test_what_is_down_says_why_and_never_where(eu, capsys):
    Proxy.objects.create(pool=eu, name="p2", url="http://user:pass-word@127.0.0.1:1")
    with pytest.raises(SystemExit):
        call_command("check_proxies")
    out = capsys.readouterr().out
    assert "DOWN" in out
    assert "cannot be connected to" in out
    assert "pass-word" not in out
    assert "127.0.0.1" not in out


def test_an_unreadable_proxy_is_down(run, eu, settings):
    settings.DRAGOMAN_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(SystemExit) as caught:
        run("check_proxies")
    assert caught.value.code == 1


def test_nothing_to_look_at_is_said(run, db):
    ProxyPool.objects.create(name="empty")
    assert run("check_proxies")[0] == "There is no proxy that is switched on.\n"


@pytest.mark.parametrize("words", [["nowhere"], ["--seconds", "0"]])
def test_a_wrong_call_is_status_2(run, eu, words):
    with pytest.raises(SystemExit) as caught:
        run("check_proxies", *words)
    assert caught.value.code == 2
