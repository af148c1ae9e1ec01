"""A gateway process whose requests leave through real proxies, with an authority of the operator's own."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes import answers, proxies
from tests.fakes.authority import Authority
from tests.fakes.gateway import ADMIN_KEY, KEY, RunningGateway
from tests.fakes.proxies import RunningProxy
from tests.fakes.upstream import ScriptedUpstream, answer_json, answer_sse, free_port
from tests.server.conftest import a_document, rows

pytestmark = pytest.mark.slow
DEAD = f"http://someone:dead-secret@127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def authority(place: Path) -> Authority:
    return Authority(place)


@pytest.fixture(scope="module")
def squid(place: Path, authority: Authority) -> Iterator[RunningProxy]:
    with proxies.squid(place, authority.certificate("localhost")) as running:
        yield running


@pytest.fixture(scope="module")
def microsocks() -> Iterator[RunningProxy]:
    with proxies.microsocks() as running:
        yield running


@pytest.fixture(scope="module")
def secure(authority: Authority) -> Iterator[ScriptedUpstream]:
    server = ScriptedUpstream(authority.server("localhost"))
    server.default = answer_json(answers.whole("openai-chat", "hello"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def gateway(place: Path, authority: Authority, secure, squid, microsocks) -> Iterator[RunningGateway]:
    running = RunningGateway(
        place / "data",
        DRAGOMAN_CA_FILE=str(authority.file),
        DRAGOMAN_PROXY_CHECK_SECONDS="0",
        HTTP_PROXY=DEAD,
        HTTPS_PROXY=DEAD,
    )
    running.data.mkdir()
    running.bootstrap()
    running.apply(through(secure, squid.url(scheme="https"), microsocks.url(), DEAD))
    running.start(bootstrap=False)
    yield running
    running.kill()


def through(secure: ScriptedUpstream, *urls: str) -> dict[str, Any]:
    document = a_document(secure.url)
    document["upstreams"] = [{**upstream, "proxy_pool": "eu"} for upstream in document["upstreams"]]
    ways = [{"name": f"p{number}", "url": url} for number, url in enumerate(urls, 1)]
    return {**document, "proxy_pools": [{"name": "eu", "on_exhausted": "fail", "proxies": ways}]}


def ask(gateway: RunningGateway, stream: bool = False) -> str:
    body = {"model": "to-chat", "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
    answer = httpx.post(
        f"{gateway.url}/v1/chat/completions",
        json=body,
        headers={"authorization": f"Bearer {KEY}"},
        timeout=30,
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    return answers.text_of("openai-chat", answer.content)


def written(gateway: RunningGateway, count: int) -> list[str]:
    """The proxies of so many requests, once they are in the database."""
    end = time.monotonic() + 30
    while len(found := rows(gateway)) < count and time.monotonic() < end:
        time.sleep(0.05)
    return [row["proxy"] for row in found]


def test_requests_leave_through_tls_in_tls_and_socks_and_past_a_dead_proxy(gateway, secure):
    assert [ask(gateway) for _ in range(3)] == ["hello"] * 3
    secure.then(answer_sse(answers.stream("openai-chat", "in pieces")))
    assert ask(gateway, stream=True) == "in pieces"
    assert written(gateway, 4) == ["p1", "p2", "p1", "p2"]
    metrics = httpx.get(
        f"{gateway.url}/metrics", headers={"authorization": f"Bearer {ADMIN_KEY}"}, trust_env=False
    ).text
    found = {name: f'dragoman_proxy_up{{pool="eu",proxy="{name}"}}' for name in ("p1", "p2", "p3")}
    assert f"{found['p1']} 1.0" in metrics
    assert f"{found['p3']} 0.0" in metrics


def test_a_changed_list_is_in_force_and_what_is_gone_is_closed(gateway, secure, squid, microsocks):
    ask(gateway)
    assert secure.connections
    gateway.apply(through(secure, squid.url(), DEAD))
    count = len(rows(gateway))

    async def until_it_is_in_force() -> None:
        while "p2" in {row["proxy"] for row in rows(gateway)[-2:]} or len(rows(gateway)) < count + 3:
            await asyncio.to_thread(ask, gateway)
            await asyncio.sleep(0.1)
        while secure.connections > 1:  # the one through the new proxy
            await asyncio.sleep(0.1)

    asyncio.run(asyncio.wait_for(until_it_is_in_force(), 30))


def test_no_password_and_no_address_of_a_proxy_is_written_anywhere(gateway):
    for _ in range(4):  # once around the pool, whatever was asked before
        ask(gateway)
    log = gateway.log()
    assert "Using proxy p1 for request to upstream chatty" in log
    assert "The proxy p3 of the pool eu cannot be connected to" in log
    everything = log + json.dumps(rows(gateway), default=str)
    for secret in (proxies.PASSWORD, "pr0xy", "dead-secret", DEAD.rpartition("@")[2]):
        assert secret not in everything
