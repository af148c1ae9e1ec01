"""Managing a real server of two workers: what is changed by one holds in both, and either tells of both."""

from __future__ import annotations

import json
import os
import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import answers
from tests.fakes.gateway import ADMIN_KEY, RunningGateway
from tests.fakes.upstream import ScriptedUpstream, answer_json
from tests.server.conftest import a_document

pytestmark = pytest.mark.slow
WORKERS = 2
ENOUGH = 12
"""New connections, after which each worker had one."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    upstream = ScriptedUpstream()
    upstream.default = answer_json(answers.whole("openai-chat", "Hi"))
    running = RunningGateway(tmp_path_factory.mktemp("management"))
    running.manage("bootstrap")
    running.apply(a_document(upstream.url))
    running.start("--workers", str(WORKERS), bootstrap=False)
    yield running
    running.kill()
    upstream.close()


def ask(server: RunningGateway, path: str, key: str, body: dict | None = None, method: str | None = None):
    headers = {"authorization": f"Bearer {key}", "connection": "close"}
    raw = None if body is None else json.dumps(body).encode()
    try:
        asked = urllib.request.Request(f"{server.url}{path}", raw, headers, method=method)
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def statuses(server: RunningGateway, key: str) -> set[int]:
    return {ask(server, "/v1/models", key)[0] for _ in range(ENOUGH)}


def until(claim, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_one_worker_is_told_holds_in_all(server: RunningGateway):
    status, raw = ask(server, "/auth/keys", ADMIN_KEY, {"client": "alice", "name": "phone"})
    made = json.loads(raw)
    assert status == 201
    until(lambda: statuses(server, made["key"]) == {200})
    renewed = json.loads(ask(server, f"/auth/keys/{made['id']}/rotate", ADMIN_KEY, {"overlap": "1h"})[1])
    until(lambda: statuses(server, renewed["key"]) == {200})
    assert statuses(server, made["key"]) == {200}
    ask(server, f"/auth/keys/{made['id']}", ADMIN_KEY, method="DELETE")
    until(lambda: statuses(server, made["key"]) == statuses(server, renewed["key"]) == {401})
    assert made["key"] not in server.log()


def counted(server: RunningGateway) -> tuple[float, float]:
    """Requests that went well and workers that live, as any of them says."""
    text = ask(server, "/metrics", ADMIN_KEY)[1].decode()
    requests = re.search(r'^dragoman_requests_total\{.*outcome="ok".*\} (\S+)$', text, re.MULTILINE)
    workers = re.search(r"^dragoman_workers (\S+)$", text, re.MULTILINE)
    return float(requests[1]) if requests else 0.0, float(workers[1]) if workers else 0.0


def test_any_worker_counts_for_all_and_a_killed_ones_counts_stay(server: RunningGateway):
    before, _ = counted(server)
    body = {"model": "to-chat", "messages": [{"role": "user", "content": "Hi"}]}
    for _ in range(ENOUGH):
        assert ask(server, "/v1/chat/completions", ADMIN_KEY, body)[0] == 200
    until(lambda: [counted(server) for _ in range(ENOUGH)] == [(before + ENOUGH, WORKERS)] * ENOUGH)
    assert server.process is not None
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    until(
        lambda: len({*Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()}) == 2
    )
    until(lambda: {counted(server) for _ in range(ENOUGH)} == {(before + ENOUGH, WORKERS)})
