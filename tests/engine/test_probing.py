"""Looks at proxies: what is asked for, what counts as up, and how one that failed is found to be back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxyapp.engine.probing import addresses, probe
from proxyapp.engine.rounds import Rounds
from proxyapp.engine.snapshot import Credential, Model, Proxy, ProxyPool, Route, Snapshot
from proxyapp.engine.transport import Transport
from tests.engine.conftest import a_snapshot, an_upstream
from tests.engine.test_exits import SocksServer
from tests.fakes.upstream import Script, answer_json, free_port


@pytest.fixture
async def transport():
    made = Transport()
    yield made
    await made.close()


def a_way(url: str) -> Proxy:
    return Proxy("p1", url, "proxy:1")


async def test_any_answer_counts_and_nothing_of_ours_goes_along(transport, upstream):
    upstream.default = answer_json({"error": "who are you"}, 401)
    verdict = await probe(transport, a_way(upstream.url), ["http://api.test/"])
    assert (verdict.is_up, verdict.words) == (True, "carried an answer (401) of api.test")
    assert (upstream.last.method, upstream.last.path) == ("GET", "http://api.test/")
    assert set(upstream.last.headers) == {"host", "accept", "user-agent"}


async def test_one_address_that_answers_is_enough(transport, upstream):
    upstream.then(Script(503, {"x-squid-error": "ERR_DNS_FAIL 0"}), answer_json({}))
    verdict = await probe(transport, a_way(upstream.url), ["http://gone.test/", "http://api.test/"])
    assert (verdict.is_up, verdict.words) == (True, "carried an answer (200) of api.test")


async def test_what_reaches_nothing_is_down_but_may_not_be_at_fault(transport, upstream):
    upstream.default = Script(503, {"x-squid-error": "ERR_DNS_FAIL 0"})
    verdict = await probe(transport, a_way(upstream.url), ["http://gone.test/", "http://api.test/"])
    assert (verdict.is_up, verdict.is_certain, verdict.words) == (False, False, "refused to connect (503)")


async def test_an_upstream_that_does_not_answer_in_time_is_no_answer(transport, upstream):
    upstream.default = Script(raw_head=b"", end="hang")
    verdict = await probe(transport, a_way(upstream.url), ["http://api.test/"], seconds=0.6)
    assert (verdict.is_up, verdict.is_certain, verdict.words) == (False, False, "brought no answer of api.test")


async def test_a_wrong_password_is_the_proxys_fault(transport, upstream):
    upstream.default = Script(407, {}, [b""])
    verdict = await probe(transport, a_way(upstream.url), ["http://gone.test/", "http://api.test/"])
    assert (verdict.is_up, verdict.is_certain, len(upstream.seen)) == (False, True, 1)


async def test_a_pool_that_nobody_uses_is_looked_at_without_a_request(transport, upstream):
    verdict = await probe(transport, a_way(upstream.url), [])
    assert verdict.is_up
    assert "nothing was sent" in verdict.words
    assert not upstream.seen
    verdict = await probe(transport, a_way(f"http://127.0.0.1:{free_port()}"), [])
    assert (verdict.is_up, verdict.is_certain, verdict.words) == (False, True, "cannot be connected to")


GREETINGS = {
    "open": (b"\5\0", "socks5h://", True),
    "with a password": (b"\5\2\1\0", "socks5h://u:p@", True),
    "wants a password": (b"\5\xff", "socks5h://", False),
    "another password": (b"\5\2\1\1", "socks5h://u:p@", False),
    "no SOCKS": (b"HTTP/1.1 400 Bad Request", "socks5h://", False),
    "cut": (b"\5", "socks5h://", False),
}


@pytest.mark.parametrize(("greeting", "scheme", "is_up"), GREETINGS.values(), ids=GREETINGS)
async def test_of_a_socks_proxy_the_login_is_tried_too(transport, greeting, scheme, is_up):
    is_cut = len(greeting) < 2
    async with SocksServer(b"", greeting) as url:
        verdict = await probe(transport, a_way(url.replace("socks5h://", scheme)), [], seconds=0.5 if is_cut else 20)
    assert verdict.is_up == is_up


def test_what_is_asked_for_is_the_pools_own_address_else_who_is_reached_through_it():
    upstreams = (
        an_upstream("by upstream", "https://one.test/v1", proxy_pool="eu"),
        an_upstream("by key", "http://two.test:81", credentials=(Credential("k", "sk", pool="eu"),)),
        an_upstream("by model", "https://relay.test/https://api.three.test", "anthropic-messages"),
        an_upstream("again", "https://one.test/other/v1", proxy_pool="eu"),
        an_upstream("of its own", None, "anthropic-messages", proxy_pool="eu"),
        an_upstream("elsewhere", "https://four.test", proxy_pool="us"),
        an_upstream("directly", "https://five.test"),
        an_upstream("without an address", "https://six.test", proxy_pool="eu", kind="nobody knows"),
    )
    models = {"m": Model(name="m", routes=(Route("by model", "x"),), proxy_pool="eu")}
    snapshot = a_snapshot(*upstreams, models=models)
    assert addresses(snapshot, ProxyPool(name="eu")) == [
        *("https://one.test/", "http://two.test:81/", "https://relay.test/", "https://api.anthropic.com/"),
    ]
    assert addresses(snapshot, ProxyPool(name="eu", check_url="http://ping.test/x")) == ["http://ping.test/x"]
    assert addresses(snapshot, ProxyPool(name="unused")) == []


def going_round(make_engine: Any, snapshot: Snapshot, every: float) -> tuple[Any, Rounds]:
    engine = make_engine(snapshot)
    return engine, Rounds(engine.exits, lambda: engine.snapshot, every, tidy=0.02)


def a_world(*urls: str) -> Snapshot:
    ways = tuple(Proxy(f"p{number}", url, f"proxy:{number}") for number, url in enumerate(urls, 1))
    pool = ProxyPool(name="eu", proxies=ways)
    return a_snapshot(an_upstream("up", "http://api.test", proxy_pool="eu"), pools={"eu": pool})


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_proxy_that_failed_is_looked_at_and_put_back_and_the_others_are_left_in_peace(make_engine, upstream):
    upstream.default = answer_json({})
    dead = f"http://127.0.0.1:{free_port()}"
    engine, rounds = going_round(make_engine, a_world(upstream.url, upstream.url, dead), 0.02)
    engine.health.failed("proxy:2", "It was gone.", 3600)
    engine.health.failed("proxy:3", "It was gone.", 3600)
    going = asyncio.ensure_future(rounds.run())
    await until(lambda: engine.health.state("proxy:2") is None)
    assert engine.health.is_out("proxy:3")
    count = len(upstream.seen)
    engine.health.failed("proxy:2", "It was gone again.", 3600)
    await until(lambda: engine.health.state("proxy:2") is None)
    going.cancel()
    assert len(upstream.seen) == count + 1


async def test_with_no_rounds_asked_for_only_requests_find_out(make_engine, upstream):
    engine, rounds = going_round(make_engine, a_world(upstream.url), 0)
    engine.health.failed("proxy:1", "It was gone.", 3600)
    going = asyncio.ensure_future(rounds.run())
    await asyncio.sleep(0.1)
    going.cancel()
    assert engine.health.is_out("proxy:1")
    assert not upstream.seen


async def test_a_round_that_breaks_off_does_not_end_the_rounds(make_engine, upstream, caplog):
    upstream.default = answer_json({})
    engine, rounds = going_round(make_engine, a_world(upstream.url), 0.02)
    whole, engine.snapshot = engine.snapshot, None
    going = asyncio.ensure_future(rounds.run())
    await until(lambda: "broke off" in caplog.text)
    engine.health.failed("proxy:1", "It was gone.", 3600)
    engine.snapshot = whole
    await until(lambda: engine.health.state("proxy:1") is None)
    going.cancel()
