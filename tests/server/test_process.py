"""The server as an operator meets it: first start, stop, crash, change."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes import answers
from tests.fakes.gateway import KEY, RunningGateway
from tests.fakes.upstream import Seen, answer_json, answer_sse
from tests.server.conftest import a_document, rows

pytestmark = pytest.mark.slow


def post(gateway: RunningGateway, path: str, body: dict[str, Any], key: str = KEY) -> tuple[int, dict[str, str], bytes]:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    try:
        connection.request("POST", path, json.dumps(body), {"authorization": f"Bearer {key}"})
        response = connection.getresponse()
        return response.status, {n.lower(): v for n, v in response.getheaders()}, response.read()
    finally:
        connection.close()


def a_body(model: str = "to-chat", stream: bool = False) -> dict[str, Any]:
    return {"model": model, "max_tokens": 20, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}


def answer(seen: Seen):
    dialect = "anthropic-messages" if "/messages" in seen.path else "openai-chat"
    if seen.body.get("stream"):
        return answer_sse(answers.stream(dialect))
    return answer_json(answers.whole(dialect))


def until(holds: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return False


def test_the_first_start_prints_what_is_needed_and_the_curl_works_as_pasted(gateways):
    gateway = gateways()
    printed = gateway.manage("bootstrap").stdout
    assert re.search(r"User\s+admin", printed)
    assert re.search(r"Password\s+\S{12,}", printed)
    key = re.search(r"sk-dg-\S+", printed).group()
    line = next(line for line in printed.splitlines() if line.startswith("curl "))
    gateway.start(bootstrap=False)
    answered = json.loads(subprocess.run(["bash", "-c", f"{line} -sS"], capture_output=True, check=True).stdout)
    assert answered["object"] == "chat.completion"
    assert "translated" in answered["choices"][0]["message"]["content"]
    streamed = line.replace('{"model"', '{"stream": true, "model"')
    raw = subprocess.run(["bash", "-c", f"{streamed} -sSN"], capture_output=True, check=True).stdout
    assert raw.endswith(b"data: [DONE]\n\n")
    assert "translated" in answers.text_of("openai-chat", raw)
    again = gateway.manage("bootstrap")
    assert "sk-dg-" not in again.stdout + again.stderr
    assert "Password" not in again.stdout + again.stderr
    for secret in (key, re.search(r"Password\s+(\S+)", printed).group(1)):
        assert secret not in gateway.log()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_a_stop_lets_running_streams_end_and_keeps_their_rows(gateways, upstream, how):
    upstream.default = answer_sse(answers.stream("openai-chat", *[f"w{i} " for i in range(20)]), pause=0.05)
    gateway = gateways()
    gateway.manage("bootstrap")
    gateway.apply(a_document(upstream.url))
    gateway.start(bootstrap=False)
    got: list[tuple[int, dict[str, str], bytes]] = []
    callers = [
        threading.Thread(target=lambda p=path: got.append(post(gateway, p, a_body(stream=True))))
        for path in ("/v1/chat/completions", "/v1/messages")
        for _ in range(3)
    ]
    for caller in callers:
        caller.start()
    assert until(lambda: upstream.open_requests == 6)
    assert gateway.stop(how) == 0
    for caller in callers:
        caller.join(10)
    assert [status for status, _, _ in got] == [200] * 6
    for _, headers, raw in got:
        assert b"w19 " in raw
        assert raw.endswith((b"data: [DONE]\n\n", b'{"type":"message_stop"}\n\n')), headers
    assert [row["outcome"] for row in rows(gateway)] == ["ok"] * 6


def test_what_outlives_the_shutdown_time_ends_in_words(gateways, upstream):
    upstream.default = answer_sse(answers.stream("openai-chat")[:2], end="hang")
    gateway = gateways(DRAGOMAN_SHUTDOWN_SECONDS="1")
    gateway.manage("bootstrap")
    gateway.apply(a_document(upstream.url))
    gateway.start(bootstrap=False)
    got: list[tuple[int, dict[str, str], bytes]] = []
    caller = threading.Thread(target=lambda: got.append(post(gateway, "/v1/messages", a_body(stream=True))))
    caller.start()
    assert until(lambda: upstream.open_requests == 1)
    time.sleep(0.3)
    assert gateway.stop() == 0
    caller.join(10)
    assert b"event: error" in got[0][2]
    assert b"stopping" in got[0][2]
    assert [(row["outcome"], row["error"]) for row in rows(gateway)] == [("partial", "shutting_down")]


def test_a_caller_who_never_reads_does_not_hold_up_a_stop(gateways, upstream):
    """The worker waited for it until it was killed, and its last rows with it."""
    upstream.default = answer_sse(answers.stream("openai-chat", *["word " * 2000] * 3000)[:-3], end="hang")
    gateway = gateways(DRAGOMAN_SHUTDOWN_SECONDS="1")
    gateway.manage("bootstrap")
    gateway.apply(a_document(upstream.url))
    gateway.start(bootstrap=False)
    body = json.dumps(a_body(stream=True)).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {len(body)}"
    )
    with socket.socket() as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.connect(("127.0.0.1", gateway.port))
        caller.sendall(f"{head}\r\n\r\n".encode() + body)
        assert until(lambda: upstream.open_requests == 1)
        time.sleep(0.5)
        assert gateway.stop() == 0
    assert "SIGKILL" not in gateway.log()
    assert not list((gateway.data / "journal").iterdir())
    assert len(rows(gateway)) == 1


def test_after_kill_9_under_load_every_complete_answer_is_in_the_history(gateways, upstream):
    upstream.default = answer
    gateway = gateways()
    gateway.manage("bootstrap")
    gateway.apply(a_document(upstream.url))
    gateway.start("--workers", "2", bootstrap=False)
    answered: list[str] = []
    stop = threading.Event()

    def load(number: int) -> None:
        while not stop.is_set():
            path = ("/v1/chat/completions", "/v1/messages")[number % 2]
            try:
                status, headers, raw = post(
                    gateway, path, a_body(("to-chat", "to-messages")[number // 2 % 2], number % 3 == 0)
                )
            except (OSError, http.client.HTTPException):
                return
            if status == 200 and raw:
                answered.append(headers["x-request-id"])

    callers = [threading.Thread(target=load, args=(number,)) for number in range(8)]
    for caller in callers:
        caller.start()
    assert until(lambda: len(answered) > 300)
    gateway.stop(signal.SIGKILL)
    stop.set()
    for caller in callers:
        caller.join(30)
    complete = set(answered)
    gateway.start()
    assert until(lambda: complete <= {row["request_id"] for row in rows(gateway)}), "an answered request is not kept"
    kept = {row["request_id"]: row["outcome"] for row in rows(gateway)}
    assert {kept[request_id] for request_id in complete} == {"ok"}
    assert set(kept.values()) <= {"ok", "interrupted", "client_closed"}
    assert len(kept) == len(rows(gateway)), "no row twice"


def test_a_change_is_in_force_in_every_worker(gateways, upstream):
    upstream.default = answer
    gateway = gateways()
    gateway.manage("bootstrap")
    gateway.apply(a_document(upstream.url))
    gateway.start("--workers", "2", bootstrap=False)
    for _ in range(12):
        assert post(gateway, "/v1/chat/completions", a_body())[1]["x-dragoman-upstream"] == "chatty"

    moved = a_document(upstream.url)
    moved["models"][0]["routes"][0]["upstream"] = "claude"
    gateway.apply(moved)
    assert until(lambda: all(upstream_of(gateway) == "claude" for _ in range(12)))

    gateway.manage(
        "shell",
        "-v0",
        "-c",
        "from accounts.models import ApiKey; k = ApiKey.objects.get(name='laptop'); k.enabled = False; k.save()",
    )
    assert until(lambda: all(post(gateway, "/v1/chat/completions", a_body())[0] == 401 for _ in range(12)))


def upstream_of(gateway: RunningGateway) -> str:
    return post(gateway, "/v1/chat/completions", a_body())[1]["x-dragoman-upstream"]


def test_the_gateway_serves_on_while_its_database_is_locked_and_catches_up(gateways, upstream):
    import sqlite3

    upstream.default = answer
    gateway = gateways()
    gateway.manage("bootstrap")
    gateway.apply(a_document(upstream.url))
    gateway.start(bootstrap=False)
    assert post(gateway, "/v1/chat/completions", a_body())[0] == 200
    lock = sqlite3.connect(gateway.data / "dragoman.sqlite3", isolation_level=None)
    lock.execute("begin immediate")
    asked = [post(gateway, "/v1/chat/completions", a_body())[1]["x-request-id"] for _ in range(20)]
    lock.execute("rollback")
    lock.close()
    assert until(lambda: set(asked) <= {row["request_id"] for row in rows(gateway)}, 60)


@pytest.mark.parametrize("secret", ["", "changeme", "django-insecure-abc"])
def test_the_server_refuses_a_secret_that_is_none(gateways, secret):
    gateway = gateways()
    gateway.manage("bootstrap")
    gateway.environment["SECRET_KEY"] = secret
    done = gateway.manage("serve", check=False)
    assert done.returncode != 0
    assert "SECRET_KEY" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_console_is_served_with_its_styles_and_without_foreign_hosts(gateways):
    gateway = gateways(ADMIN_PASSWORD="a-long-password-for-tests")
    gateway.start()
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    connection.request("GET", "/admin/login/")
    response = connection.getresponse()
    page = response.read().decode()
    assert response.status == 200
    assert "script-src 'self'" in response.getheader("content-security-policy")
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page)
    for asset in sorted(set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page))):
        connection.request("GET", asset)
        answered = connection.getresponse()
        answered.read()
        assert answered.status == 200, asset
    connection.request("GET", "/")
    moved = connection.getresponse()
    assert moved.getheader("location") == "/admin/"
