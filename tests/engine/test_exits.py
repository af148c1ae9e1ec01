"""Which way a request goes out: the pool's rule, what is left alone and for how long, and whose fault a fault was."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
from typing import Any

import msgspec
import pytest

from proxyapp.engine.counting import count
from proxyapp.engine.embedding import embed
from proxyapp.engine.exits import MOST_IN_DOUBT, Exits
from proxyapp.engine.forwarding import forward
from proxyapp.engine.health import Health
from proxyapp.engine.record import AttemptRecord
from proxyapp.engine.routing import Target
from proxyapp.engine.serve import serve
from proxyapp.engine.snapshot import Credential, Model, Proxy, ProxyPool, Route
from proxyapp.upstreams.contract import Outbound
from tests.engine.conftest import a_body, a_call, a_snapshot, an_upstream, ask, collect
from tests.fakes import answers, strict_coze
from tests.fakes.strict_coze import StrictCoze
from tests.fakes.upstream import Script, ScriptedUpstream, answer_json, answer_sse, free_port, reset

WHOLE = json.dumps(answers.whole("openai-chat", "hello")).encode()
FAR = "http://far.test"
"""Nobody looks this name up here: requests in absolute form go to the proxy, which plays the upstream too."""


@pytest.fixture
def near(upstream: ScriptedUpstream) -> ScriptedUpstream:
    """A proxy that answers every request itself."""
    upstream.default = answer_json(WHOLE)
    return upstream


def dead() -> str:
    return f"http://127.0.0.1:{free_port()}"


def a_pool(*urls: str, name: str = "eu", **changes: Any) -> ProxyPool:
    ways = tuple(Proxy(f"p{number}", url, f"proxy:{number}") for number, url in enumerate(urls, 1))
    return ProxyPool(name=name, proxies=ways, **{"on_exhausted": "fail", "cooldown": 30} | changes)


def through(pool: ProxyPool, base_url: str = FAR, **changes: Any) -> Any:
    return a_snapshot(an_upstream("up", base_url, proxy_pool=pool.name, **changes), pools={pool.name: pool})


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(make_engine, clock):
    def made(snapshot: Any) -> Any:
        engine = make_engine(snapshot)
        engine.health = Health(clock)
        engine.exits = Exits(engine.transport, engine.health, random.Random(7))
        return engine

    return made


async def used(engine: Any, times: int = 1, **headers: str) -> list[str]:
    """The proxies of so many requests, one after the other."""
    found = []
    for _ in range(times):
        engine.books.ended.clear()
        found.append((await ask(engine, a_call("openai-chat", a_body(), **headers))).row.proxy)
    return found


async def test_proxies_take_turns_and_the_first_is_first(make, near):
    engine = make(through(a_pool(near.url, near.url, near.url)))
    assert await used(engine, 5) == ["p1", "p2", "p3", "p1", "p2"]
    assert near.last.path == f"{FAR}/v1/chat/completions"


async def test_a_changed_list_starts_at_its_first_entry_and_an_unchanged_one_goes_on(make, near):
    pool = a_pool(near.url, near.url, near.url)
    engine = make(through(pool))
    await used(engine)
    engine.snapshot = through(a_pool(near.url, near.url, near.url, sticky=True))
    assert await used(engine) == ["p2"]
    engine.snapshot = through(msgspec.structs.replace(pool, proxies=pool.proxies[::-1]))
    assert await used(engine, 2) == ["p3", "p2"]


async def test_at_random_is_all_of_them(make, near):
    engine = make(through(a_pool(near.url, near.url, near.url, strategy="random")))
    found = await used(engine, 20)
    assert set(found) == {"p1", "p2", "p3"}
    assert found != ["p1", "p2", "p3"] * 6 + ["p1", "p2"]


async def test_the_least_busy_is_the_one_with_the_fewest_requests_under_way(make, near, second_upstream):
    second_upstream.default = answer_json(WHOLE)
    near.then(Script(end="hang", raw_head=b""))
    engine = make(through(a_pool(near.url, second_upstream.url, strategy="least_used")))
    waiting = asyncio.ensure_future(ask(engine, a_call("openai-chat", a_body())))
    async with asyncio.timeout(10):
        while not near.open_requests:
            await asyncio.sleep(0.01)
    assert await used(engine, 2) == ["p2", "p2"]
    waiting.cancel()
    await asyncio.wait({waiting})
    assert await used(engine, 3) == ["p1", "p1", "p2"], "nobody is busy: by the fewest in all"


async def test_a_conversation_keeps_its_proxy_while_that_one_works(make, near):
    engine = make(through(a_pool(near.url, near.url, near.url, sticky=True)))
    homes = {}
    for number in range(12):
        first, again = await used(engine, 2, x_session_id=f"talk {number}")
        assert first == again
        homes[f"talk {number}"] = first
    assert set(homes.values()) == {"p1", "p2", "p3"}
    engine.health.failed("proxy:1", "It is gone.", 60)
    for session, home in homes.items():
        (now,) = await used(engine, x_session_id=session)
        assert now == home if home != "p1" else now in ("p2", "p3")


async def test_the_keys_pool_comes_before_the_models_and_that_before_the_upstreams(make, near):
    pools = {
        name: ProxyPool(name=name, proxies=(Proxy(name, near.url, name),)) for name in ("key", "model", "upstream")
    }
    upstream = an_upstream("up", FAR, proxy_pool="upstream", credentials=(Credential("main", "sk-1", pool="key"),))
    plain = an_upstream("plain", FAR, proxy_pool="upstream")
    models = {
        "m": Model(name="m", routes=(Route("up", "x"),), proxy_pool="model"),
        "n": Model(name="n", routes=(Route("plain", "x"),), proxy_pool="model"),
        "o": Model(name="o", routes=(Route("plain", "x"),)),
    }
    engine = make(a_snapshot(upstream, plain, models=models, pools=pools))
    for model, proxy in (("m", "key"), ("n", "model"), ("o", "upstream")):
        engine.books.ended.clear()
        assert (await ask(engine, a_call("openai-chat", a_body(model=model)))).row.proxy == proxy


async def test_a_dead_proxy_is_passed_over_and_then_left_alone(make, near, clock, caplog):
    engine = make(through(a_pool(dead(), near.url)))
    assert await used(engine, 3) == ["p2", "p2", "p2"]
    state = engine.health.state("proxy:1")
    assert (state.reason, state.until) == ("It cannot be connected to.", clock.now + 30)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == ["The proxy p1 of the pool eu cannot be connected to; it is left alone for 30 s"]
    clock.now += 31
    assert await used(engine, 2) == ["p2", "p2"], "it was tried again, and once only"
    assert engine.health.state("proxy:1").until == clock.now + 60, "longer each time"


async def test_a_proxy_that_is_back_is_tried_by_one_request_and_then_by_all(make, near, second_upstream, clock):
    second_upstream.default = answer_json(WHOLE)
    engine = make(through(a_pool(near.url, second_upstream.url)))
    engine.health.failed("proxy:1", "It was gone.", 30)
    clock.now += 31
    near.then(Script(200, {"content-type": "application/json"}, [WHOLE], before_head=0.3))
    outcomes = [asyncio.ensure_future(ask(engine, a_call("openai-chat", a_body()))) for _ in range(6)]
    async with asyncio.timeout(10):
        while not near.open_requests:
            await asyncio.sleep(0.01)
        await asyncio.wait(outcomes)
    assert [row.proxy for row in engine.books.ended].count("p1") == 1
    assert engine.health.state("proxy:1") is None
    assert set(await used(engine, 2)) == {"p1", "p2"}


async def test_when_all_are_cooling_the_one_back_first_is_tried_all_the_same(make, near, clock):
    engine = make(through(a_pool(dead(), near.url, dead())))
    for number, seconds in ((1, 30), (2, 10), (3, 20)):
        engine.health.failed(f"proxy:{number}", "It was gone.", seconds)
    clock.now += 1
    assert await used(engine) == ["p2"]
    assert not engine.health.is_out("proxy:2")


async def test_an_exhausted_pool_fails_where_it_must_not_be_gone_around(make, near):
    engine = make(through(a_pool(dead(), dead()), near.url))
    outcome = await ask(engine, a_call("openai-chat", a_body()))
    assert (outcome.status, outcome.json["error"]["code"]) == (502, "upstream_unreachable")
    assert outcome.json["error"]["message"] == "No proxy of the pool eu brought a connection to the upstream up."
    assert not near.seen


async def test_an_exhausted_pool_goes_out_directly_where_it_may_and_says_so(make, near, caplog):
    engine = make(through(a_pool(dead(), dead(), on_exhausted="direct"), near.url))
    outcome = await ask(engine, a_call("openai-chat", a_body()))
    assert (outcome.status, outcome.row.proxy, outcome.row.attempts[0].proxy) == (200, "direct", "direct")
    await used(engine, 2)
    told = [r.levelname for r in caplog.records if "goes out directly" in r.getMessage()]
    assert told[0] == "WARNING"
    assert "WARNING" not in told[1:], "once, until a proxy works again"
    assert "No proxy of the pool eu can be used: the request to upstream up goes out directly" in caplog.text


@pytest.mark.parametrize(("rule", "status", "proxy"), [("direct", 200, "direct"), ("fail", 503, "")])
async def test_a_pool_without_proxies(make, near, rule, status, proxy):
    engine = make(through(a_pool(on_exhausted=rule), near.url))
    outcome = await ask(engine, a_call("openai-chat", a_body()))
    assert (outcome.status, outcome.row.proxy) == (status, proxy)
    assert len(near.seen) == (1 if status == 200 else 0)


@pytest.mark.parametrize("broken", [a_pool(name="us"), a_pool(dead(), name="us"), None], ids=["empty", "dead", "gone"])
async def test_a_key_whose_pool_has_no_way_out_gives_way_to_one_with_another_pool(make, near, broken):
    keys = (Credential("one", "sk-1", subject="key:1", pool="us"), Credential("two", "sk-2", pool="eu"))
    pools = {"eu": a_pool(near.url)} | ({"us": broken} if broken else {})
    engine = make(a_snapshot(an_upstream("up", FAR, credentials=keys, retries=5), pools=pools))
    for _ in range(8):  # whichever key is the first
        outcome = await ask(engine, a_call("openai-chat", a_body()))
        assert (outcome.status, outcome.row.attempts[-1].key, outcome.row.proxy) == (200, "two", "p1")
        assert len(outcome.row.attempts) <= 2
        engine.books.ended.clear()
    assert engine.health.state("key:1") is None


def refusing(status: int, **headers: str) -> Script:
    return Script(status, {name.replace("_", "-"): value for name, value in headers.items()}, [b"<html>no</html>"])


PAGES = {
    "squid": refusing(503, x_squid_error="ERR_CONNECT_FAIL 111"),
    "squid's name service": refusing(503, x_squid_error="ERR_DNS_FAIL 0"),
    "RFC 9209": refusing(502, proxy_status="ExampleProxy; error=connection_refused"),
    "tinyproxy": refusing(500, server="tinyproxy/1.11.1"),
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
async def test_a_proxys_own_page_is_no_answer_and_only_a_better_proxy_blames_it(make, near, page):
    near.then(page)
    engine = make(through(a_pool(near.url, near.url)))
    assert await used(engine) == ["p2"]
    assert "refused to connect" in engine.health.state("proxy:1").reason
    near.then(page, page)
    engine = make(through(a_pool(near.url, near.url)))
    outcome = await ask(engine, a_call("openai-chat", a_body()))
    assert (outcome.status, outcome.row.error) == (502, "upstream_unreachable")
    assert engine.health.state("proxy:1") is engine.health.state("proxy:2") is None


async def test_a_page_that_says_the_request_was_sent_moves_on_to_no_other_proxy(make, near):
    near.then(refusing(502, x_squid_error="ERR_ZERO_SIZE_OBJECT 0"))
    engine = make(through(a_pool(near.url, near.url)))
    outcome = await ask(engine, a_call("openai-chat", a_body()))
    assert (outcome.status, outcome.row.proxy, len(near.seen)) == (502, "p1", 1)


async def test_an_upstreams_own_error_is_its_answer(make, near):
    near.then(answer_json({"error": {"message": "busy"}}, 503))
    engine = make(through(a_pool(near.url, near.url)))
    outcome = await ask(engine, a_call("openai-chat", a_body()))
    assert (outcome.status, outcome.row.proxy, len(near.seen)) == (503, "p1", 1)


async def test_a_connection_lost_after_the_request_was_sent_moves_on_to_no_other_proxy(make, near):
    near.then(reset())
    engine = make(through(a_pool(near.url, near.url)))
    outcome = await ask(engine, a_call("openai-chat", a_body()))
    assert (outcome.status, outcome.row.error, len(near.seen)) == (502, "upstream_unreachable", 1)


CONNECTS = {
    "503": b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
    "403": b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
    "nothing": b"",
    "no HTTP": b"\x00\x01nonsense\r\n\r\n",
    "no TLS behind it": b"HTTP/1.1 200 OK\r\n\r\nnonsense that is no TLS at all",
}


@pytest.mark.parametrize("said", CONNECTS.values(), ids=CONNECTS)
async def test_a_tunnel_that_is_not_made_is_in_doubt(make, near, said):
    near.default = Script(raw_head=said, end="cut")
    engine = make(through(a_pool(*[near.url] * 8), "https://far.test"))
    outcome = await ask(engine, a_call("openai-chat", a_body()))
    assert (outcome.status, outcome.row.error) == (502, "upstream_unreachable")
    assert {seen.method for seen in near.seen} == {"CONNECT"}
    assert len(near.seen) == MOST_IN_DOUBT, "then it is the upstream that cannot be reached"
    assert not any(engine.health.state(f"proxy:{number}") for number in range(1, 9))


async def test_a_tunnel_that_does_not_come_in_time_is_in_doubt(make, near):
    near.default = Script(raw_head=b"", end="hang")
    snapshot = through(a_pool(near.url), "https://far.test")
    hasty = msgspec.structs.replace(
        snapshot.upstreams["up"], timeouts=msgspec.structs.replace(snapshot.upstreams["up"].timeouts, connect=1.0)
    )
    engine = make(msgspec.structs.replace(snapshot, upstreams={"up": hasty}))
    outcome = await ask(engine, a_call("openai-chat", a_body()))
    assert (outcome.status, outcome.row.error) == (502, "upstream_unreachable")
    assert engine.health.state("proxy:1") is None


class SocksServer:
    """Answers every greeting, and the request to connect with `reply`."""

    def __init__(self, reply: bytes, greeting: bytes = b"\5\0") -> None:
        self._reply, self._greeting = reply, greeting

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"socks5h://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(self._greeting)
        if await reader.read(100):
            writer.write(self._reply)
        writer.close()


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 6, 7, 8, 99])
async def test_what_a_socks_proxy_cannot_reach_may_be_the_upstreams_fault(make, near, code):
    async with SocksServer(bytes([5, code, 0, 1, 0, 0, 0, 0, 0, 0])) as url:
        engine = make(through(a_pool(url)))
        outcome = await ask(engine, a_call("openai-chat", a_body()))
        assert (outcome.status, outcome.row.error) == (502, "upstream_unreachable")
        assert (engine.health.state("proxy:1") is None) == (code != 99)
        engine = make(through(a_pool(url, near.url)))
        assert await used(engine) == ["p2"]
        assert engine.health.is_out("proxy:1")


async def test_a_server_that_speaks_no_socks_is_at_fault(make):
    async with SocksServer(b"", b"HTTP/1.1 400 Bad Request\r\n\r\n") as url:
        engine = make(through(a_pool(url)))
        await used(engine)
    assert engine.health.state("proxy:1").reason == "It does not answer as a SOCKS5 proxy does."


async def test_a_name_that_socks5_looks_up_here_and_does_not_find_is_no_proxys_fault(make):
    async with SocksServer(b"") as url:
        engine = make(through(a_pool(url.replace("socks5h", "socks5")), "http://nowhere.invalid"))
        outcome = await ask(engine, a_call("openai-chat", a_body()))
    assert (outcome.status, outcome.row.error) == (502, "upstream_unreachable")
    assert engine.health.state("proxy:1") is None


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
async def test_a_forbidden_address_is_not_asked_of_a_proxy(make, near, scheme):
    engine = make(through(a_pool(near.url.replace("http", scheme)), "http://169.254.169.254/latest"))
    outcome = await ask(engine, a_call("openai-chat", a_body()))
    assert (outcome.status, near.seen) == (502, [])
    assert "not allowed" in outcome.json["error"]["message"]


async def test_a_proxy_may_not_stand_at_a_forbidden_address(make):
    engine = make(through(a_pool("http://169.254.169.254:3128")))
    outcome = await ask(engine, a_call("openai-chat", a_body()))
    assert outcome.status == 502
    assert engine.health.state("proxy:1").reason == "It has an address that is not allowed."


async def test_the_log_and_the_row_name_the_proxy_and_never_its_address_or_password(make, near, caplog):
    caplog.set_level("DEBUG")
    url = near.url.replace("://", "://operator:s3cret-word@")
    engine = make(through(a_pool(url, dead().replace("://", "://operator:s3cret-word@"))))
    assert await used(engine, 2) == ["p1", "p1"]
    assert "Using proxy p1 for request to upstream up" in caplog.text
    assert not any(word in caplog.text for word in ("s3cret-word", "operator", "127.0.0.1"))
    assert "s3cret-word" not in repr(engine.books.ended)
    assert near.last.headers["proxy-authorization"].startswith("Basic ")


async def test_a_fault_of_the_proxy_is_never_the_credentials(make, near):
    key = Credential("main", "sk-1", subject="key:1")
    engine = make(through(a_pool(dead(), near.url), credentials=(key,)))
    near.then(Script(407, {}, [b""]))
    await used(engine)
    assert engine.health.is_out("proxy:1")
    assert engine.health.is_out("proxy:2")
    assert engine.health.state("key:1") is None


async def test_further_requests_of_an_attempt_leave_the_same_way(make, near):
    engine = make(through(a_pool(near.url, near.url, near.url)))
    target = Target(engine.snapshot.upstreams["up"], "x", (), pools=engine.snapshot.pools)
    record = AttemptRecord(upstream="up")
    for _ in range(3):
        (await engine.exits.open(Outbound("GET", FAR, {}, b""), target, None, record)).close()
        assert record.proxy == "p1"


async def test_connections_of_a_removed_proxy_are_closed_once_nobody_uses_them(make, near):
    engine = make(through(a_pool(near.url)))
    near.then(answer_sse([b"data: {}\n\n"], end="hang"))
    target = Target(engine.snapshot.upstreams["up"], "x", (), pools=engine.snapshot.pools)
    running = await engine.exits.open(Outbound("GET", FAR, {}, b""), target, None)
    await used(engine)
    assert near.connections == 2
    await engine.exits.keep({})
    assert near.connections == 2, "one of them carries an answer"
    running.close()
    await engine.exits.keep({})
    async with asyncio.timeout(10):
        while near.connections:
            await asyncio.sleep(0.01)


async def test_the_environments_proxies_are_ignored(make, near, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, dead())
    engine = make(a_snapshot(an_upstream("up", near.url)))
    assert await used(engine) == [""]


STORIES = {
    "counting": ("anthropic-messages", count, a_body(), {"input_tokens": 3}),
    "embedding": ("openai-chat", embed, {"model": "m", "input": "x"}, {"data": [{"embedding": [0.5]}]}),
    "forwarding": ("openai-chat", forward("moderations"), {"model": "m", "input": "x"}, {"results": []}),
}


@pytest.mark.parametrize(("dialect", "story", "asked", "said"), STORIES.values(), ids=STORIES)
async def test_what_is_not_inference_leaves_through_the_pool_too(make, near, dialect, story, asked, said):
    near.default = answer_json(said)
    pool = a_pool(near.url, near.url)
    engine = make(a_snapshot(an_upstream("up", FAR, dialect, proxy_pool="eu"), pools={"eu": pool}))
    for name in ("p1", "p2"):
        reply = await serve(engine, a_call(dialect, asked), story)
        assert reply.status == 200
        await collect(reply)
        assert engine.books.ended[-1].proxy == name
    assert {seen.path.startswith(f"{FAR}/") for seen in near.seen} == {True}


async def test_an_answer_in_several_requests_comes_through_one_proxy(make, upstream, second_upstream):
    coze = StrictCoze()
    for proxy in (upstream, second_upstream):
        proxy.default = lambda seen: coze(dataclasses.replace(seen, path=seen.path.removeprefix(FAR)))
    key = Credential("main", strict_coze.KEY)
    bot = an_upstream("up", FAR, kind="coze", credentials=(key,), proxy_pool="eu")
    models = {"m": Model(name="m", routes=(Route("up", f"bot-{strict_coze.BOT}"),))}
    pool = a_pool(upstream.url, second_upstream.url)
    engine = make(a_snapshot(bot, models=models, pools={"eu": pool}))
    outcome = await ask(engine, a_call("openai-chat", a_body(messages=[{"role": "user", "content": "hello"}])))
    assert (outcome.status, outcome.row.proxy) == (200, "p1")
    assert (len(upstream.seen), len(second_upstream.seen)) == (2, 0)


async def test_a_caller_who_leaves_while_a_tunnel_is_awaited_leaves_no_trace(make, near):
    near.default = Script(raw_head=b"", end="hang")
    engine = make(through(a_pool(near.url, strategy="least_used"), "https://far.test"))
    call = asyncio.ensure_future(ask(engine, a_call("openai-chat", a_body())))
    async with asyncio.timeout(10):
        while not near.open_requests:
            await asyncio.sleep(0.01)
        call.cancel()
        await asyncio.wait({call})
        while near.connections:
            await asyncio.sleep(0.01)
    assert engine.health.state("proxy:1") is None
    await engine.exits.keep({})
    assert engine.exits.transport._pools == {}, "nobody is counted as under way"
