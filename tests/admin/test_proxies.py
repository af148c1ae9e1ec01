"""Proxy pools in the console: how each proxy does, putting one back, and looking through them now."""

from collections.abc import Iterator

import pytest
from django.contrib.admin.models import LogEntry

from proxyapp.engine.health import Health
from proxyapp.health import shelf
from proxyapp.models import HealthState, ModelConfig, Proxy, ProxyPool, Upstream
from tests.admin.conftest import ADD_MODEL, MODEL, UPSTREAM
from tests.fakes.upstream import ScriptedUpstream, answer_json, free_port

LIST = "/admin/proxyapp/proxypool/"


@pytest.fixture(scope="module")
def near() -> Iterator[ScriptedUpstream]:
    server = ScriptedUpstream()
    server.default = answer_json({}, 404)
    yield server
    server.close()


@pytest.fixture
def pool(rows):
    return rows["pool"]


@pytest.fixture
def page(pool):
    return f"{LIST}{pool.pk}/change/"


def out(proxy, seconds=3600):
    health = Health()
    health.failed(f"proxy:{proxy.pk}", "It cannot be connected to.", seconds)
    shelf.write(health.changes())


def text(response):
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_a_proxy_that_is_left_alone_says_why_and_until_when(olga, pool, page):
    out(pool.proxies.get())
    shown = text(olga.get(page))
    assert "It cannot be connected to." in shown
    assert "cooling" in shown
    assert f"{HealthState.objects.get().until:%H:%M}" in shown
    assert "all left alone" in text(olga.get(LIST))
    Proxy.objects.create(pool=pool, name="p2", url="http://127.0.0.1:2")
    assert "1 left alone" in text(olga.get(LIST))


def test_a_proxy_that_worked_says_when(olga, pool, page):
    health = Health()
    health.succeeded(f"proxy:{pool.proxies.get().pk}")
    shelf.write_uses(health.used())
    assert "Last worked" in text(olga.get(page))
    assert "> well <" in text(olga.get(LIST))


def test_a_proxy_is_put_back(olga, sam, pool, page):
    proxy = pool.proxies.get()
    out(proxy)
    back = f"{LIST}put-back/proxy/{proxy.pk}/"
    assert back in text(olga.get(page))
    assert back not in text(sam.get(page))
    assert sam.post(back).status_code == 403
    assert olga.post(back).status_code == 302
    assert HealthState.objects.get().kind == ""
    assert "Put back p1." in LogEntry.objects.get().get_change_message()


def test_who_uses_a_pool_is_said(olga, rows, page):
    rows["model"].proxy_pool = rows["pool"]
    rows["model"].save()
    key = rows["upstream"].keys.get()
    key.proxy_pool = rows["pool"]
    key.save()
    assert "anthropic, model claude, key main of anthropic" in text(olga.get(page))


def test_models_and_keys_are_given_pools_of_their_own(olga, rows):
    upstream, pool = rows["upstream"], rows["pool"]
    key = upstream.keys.get()
    form = {**UPSTREAM, "name": "anthropic", "kind": "anthropic", "keys-TOTAL_FORMS": "1", "keys-INITIAL_FORMS": "1",
            "keys-0-id": key.pk, "keys-0-upstream": upstream.pk, "keys-0-name": "main", "keys-0-value": "",
            "keys-0-weight": "1", "keys-0-enabled": "on", "keys-0-proxy_pool": pool.pk}  # fmt: skip
    assert olga.post(f"/admin/proxyapp/upstream/{upstream.pk}/change/", form).status_code == 302
    key.refresh_from_db()
    assert key.proxy_pool == pool
    assert olga.post(ADD_MODEL, {**MODEL, "proxy_pool": pool.pk}).status_code == 302
    assert ModelConfig.objects.get(name="new").proxy_pool == pool


@pytest.fixture
def check(pool, near) -> str:
    """The address of the button; p1 works, p2 does not."""
    pool.proxies.update(url=near.url.replace("://", "://user:pass-word@"))
    Proxy.objects.create(pool=pool, name="p2", url=f"http://user:pass-word@127.0.0.1:{free_port()}")
    Upstream.objects.update(base_url="http://api.test")
    return f"{LIST}{pool.pk}/check/"


def test_a_check_says_how_each_proxy_does_and_tells_the_workers(olga, pool, page, check):
    out(pool.proxies.get(name="p1"))
    assert check in text(olga.get(page))
    shown = text(olga.post(check, follow=True))
    assert "eu, p1: carried an answer (404) of api.test (" in shown
    assert "eu, p2: cannot be connected to (" in shown
    assert "pass-word" not in shown
    states = {row.subject: row.kind for row in HealthState.objects.all()}
    assert states == {
        f"proxy:{proxy.pk}": kind for proxy, kind in zip(pool.proxies.all(), ("", "unreachable"), strict=True)
    }


def test_several_pools_are_checked_from_the_list(olga, pool, check):
    form = {"action": "check_now", "_selected_action": [str(pool.pk)]}
    assert "eu, p1: carried an answer" in text(olga.post(LIST, form, follow=True))


def test_a_check_is_for_those_who_may_change_and_by_post_alone(olga, sam, nobody, page, check, near):
    near.clear()
    assert check not in text(sam.get(page))
    assert sam.post(check).status_code == 403
    assert nobody.post(check).status_code == 302
    assert olga.get(check).status_code == 405
    assert olga.post(f"{LIST}12345/check/").status_code == 404
    assert not near.seen


def test_a_check_without_proxies_says_so(olga, pool):
    pool.proxies.all().delete()
    assert "There is no proxy" in text(olga.post(f"{LIST}{pool.pk}/check/", follow=True))


def test_a_pool_is_made_with_its_proxies(olga, db):
    form = {
        "name": "us", "strategy": "random", "sticky": "on", "on_exhausted": "fail", "cooldown_seconds": "7",
        "check_url": "", "proxies-TOTAL_FORMS": "1", "proxies-INITIAL_FORMS": "0", "proxies-0-position": "0",
        "proxies-0-name": "p1", "proxies-0-url": "socks5://u:p@127.0.0.1:1080", "proxies-0-enabled": "on",
    }  # fmt: skip
    assert olga.post(f"{LIST}add/", form).status_code == 302
    made = ProxyPool.objects.get()
    assert (made.sticky, made.cooldown_seconds, made.proxies.get().url.reveal()) == (
        True,
        7,
        "socks5://u:p@127.0.0.1:1080",
    )
    form |= {"name": "eu", "proxies-0-name": "direct"}
    assert "where no proxy was used" in text(olga.post(f"{LIST}add/", form))
