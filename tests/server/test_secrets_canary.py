"""Marked secrets in every place where a secret can stand; after a run full of errors nothing of them is to be found.

One server process is put through the run, then everything that it has left behind or shows is searched.
"""

from __future__ import annotations

import html
import json
import re
import secrets
import sqlite3
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import zstandard

from tests.fakes import answers
from tests.fakes.gateway import RunningGateway
from tests.fakes.upstream import ScriptedUpstream, Seen, answer_json, answer_sse, answer_text, free_port, reset

pytestmark = pytest.mark.slow

VISIBLE = "zqvisible0123456789"
"""No secret: it stands in a prompt and must be found where prompts are kept, so that a search that finds nothing has
looked."""
PASSWORD = "admin-pass-zq5f1c9e0b7a"


class Marks(dict[str, str]):
    """Place -> secret. No form that a rule would know, unless one is asked for."""

    def new(self, place: str, form: str = "zq{}") -> str:
        value = self[place] = form.format(secrets.token_hex(12))
        return value

    def found_in(self, text: str) -> list[str]:
        """Places of which something can be read in `text`: fourteen characters of it are enough."""
        return sorted(place for place, value in self.items() if re.sub(r"^.*?zq", "zq", value)[:14] in text)


class Run:
    """What was done and what it left."""

    def __init__(self, data: Path) -> None:
        self.marks = Marks()
        self.upstream = ScriptedUpstream()
        self.log_file = data / "gateway.log"
        self.output: list[str] = []
        """What commands printed."""
        self.errors: list[str] = []
        """Error answers as callers got them."""
        new = self.marks.new
        self.gateway = RunningGateway(
            data,
            SECRET_KEY=new("SECRET_KEY", "zq{}-and-long-enough-AB12"),
            DRAGOMAN_ENCRYPTION_KEYS=(key := _fernet()),
            ADMIN_PASSWORD=PASSWORD,
            LOG_FILE_PATH=str(self.log_file),
            LOG_LEVEL="DEBUG",
            DRAGOMAN_REFRESH_TOKENS="false",
        )
        self.marks["DRAGOMAN_ENCRYPTION_KEYS"] = key
        self.marks["ADMIN_PASSWORD"] = PASSWORD.removeprefix("admin-pass-")

    def manage(self, *arguments: str, stdin: str = "") -> None:
        done = self.gateway.manage(*arguments, stdin=stdin, check=False)
        self.output.append(f"$ {arguments}\n{done.stdout}\n{done.stderr}")


def _fernet() -> str:
    import base64

    return base64.urlsafe_b64encode(b"zqzqzq" + secrets.token_bytes(26)).decode()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    run = Run(tmp_path_factory.mktemp("canary"))
    try:
        run.manage("bootstrap")
        run.manage("apply_config", "-", stdin=json.dumps(_document(run)))
        _failing_commands(run)
        run.gateway.start(bootstrap=False)
        _inference(run)
        _management(run)
        run.manage("export_config")
        run.manage("refresh_tokens", "--force")
        run.manage("check_proxies")
        run.manage("check_upstreams")
        yield run
    finally:
        run.gateway.kill()
        run.upstream.close()


def _document(run: Run) -> dict[str, Any]:
    new, url = run.marks.new, run.upstream.url
    dead = f"http://user:{new('proxy password')}@127.0.0.1:{free_port()}"
    return {
        "proxy_pools": [{"name": "dead", "on_exhausted": "fail", "proxies": [{"name": "p", "url": dead}]}],
        "upstreams": [
            {
                "name": "chatty",
                "kind": "openai_compatible",
                "base_url": url,
                "retries": 0,
                "headers": {"x-tenant": new("upstream header")},
                "keys": [
                    {"name": "one", "value": new("upstream key")},
                    {"name": "two", "value": new("usual upstream key", "sk-zq{}")},
                ],
            },
            {
                "name": "claude",
                "kind": "anthropic",
                "base_url": url,
                "retries": 0,
                "allow_caller_keys": True,
                "keys": [{"name": "one", "value": new("second upstream key")}],
            },
            {
                "name": "oauthed",
                "kind": "openai_compatible",
                "base_url": url,
                "oauth": {
                    "refresh_token": new("refresh token"),
                    "token_url": f"{url}/token",
                    "client_id": "client-1",
                },
            },
            {
                "name": "behind",
                "kind": "openai_compatible",
                "base_url": url,
                "proxy_pool": "dead",
                "keys": [{"name": "one", "value": new("key behind a proxy")}],
            },
        ],
        "models": [
            {"name": name, "routes": [{"upstream": upstream, "model": "up"}]}
            for name, upstream in (
                ("to-chat", "chatty"),
                ("to-messages", "claude"),
                ("to-oauth", "oauthed"),
                ("to-proxy", "behind"),
            )
        ],
        "clients": [
            {
                "name": "alice",
                "keys": [
                    {"name": "laptop", "value": new("gateway key", "imported-zq{}")},
                    {"name": "ops", "value": new("admin key", "sk-dg-zq{}"), "scope": "admin"},
                ],
            }
        ],
    }


def _failing_commands(run: Run) -> None:
    """Files that are wrong in each place where a secret stands."""
    new = run.marks.new
    wrong = {
        "proxy_pools": [{"name": "w", "proxies": [{"name": "p", "url": f"ftp://u:{new('wrong proxy')}@h"}]}],
        "upstreams": [
            {
                "name": "w",
                "kind": "openai",
                "base_url": f"http://u:{new('password in a base URL')}@h",
                "headers": {"bad name": new("value of a wrong header")},
                "keys": [{"name": "k", "value": [new("value of a wrong type")]}],
            }
        ],
        "clients": [{"name": "w", "keys": [{"name": "k", "value": f"{new('wrong gateway key')} with a space"}]}],
    }
    run.manage("apply_config", "-", "--traceback", stdin=json.dumps(wrong))
    for section, items in wrong.items():
        run.manage("apply_config", "-", "--traceback", stdin=json.dumps({section: items}))
    run.manage("apply_config", "-", stdin=f"upstreams: [{{name: w, kind: openai, keys: [{new('cut file')}")


ASK = {"messages": [{"role": "user", "content": VISIBLE}], "max_tokens": 50}


def _echo(seen: Seen) -> str:
    """What an upstream that repeats everything says."""
    return f"You sent {json.dumps(seen.headers)} to {seen.path}"


def _misbehaving(seen: Seen) -> Iterator[Any]:
    error = {"error": {"message": _echo(seen), "type": "e", "code": "c", "param": _echo(seen)}}
    for status in (400, 401, 402, 403, 404, 422, 429, 500, 503):
        yield answer_json(error, status, x_echo=seen.headers.get("authorization", ""))
    yield answer_text(f"<html>{_echo(seen)}</html>", 500)
    yield answer_text(_echo(seen), 200, "text/plain")
    yield answer_json({"choices": [{"message": {"role": "assistant", "content": _echo(seen)}}]})
    yield answer_json(answers.whole("openai-chat", _echo(seen)))
    yield answer_json(answers.whole("anthropic-messages", _echo(seen)))
    yield answer_sse([b"data: " + json.dumps(error).encode() + b"\n\n"])
    yield answer_sse([answers.chunk({"role": "assistant", "content": "a"}), b"data: " + json.dumps(error).encode()])
    yield answer_json({"x": 1}, 302, location=f"http://127.0.0.1:1/?key={seen.headers.get('authorization', '')}")
    yield reset()


def _inference(run: Run) -> None:
    url, marks = run.gateway.url, run.marks
    known = {"authorization": f"Bearer {marks['gateway key']}"}
    foreign = marks.new("caller's own key")
    headers: list[dict[str, str]] = [
        known,
        {"x-api-key": marks["gateway key"]},
        {**known, "x-factory-api-key": foreign},
        {**known, "x-api-key": marks.new("caller's own key in x-api-key", "sk-ant-zq{}")},
        {"x-api-key": marks["gateway key"], "authorization": f"Bearer {marks.new('foreign bearer')}"},
        {**known, "cookie": f"session={marks.new('cookie')}", "proxy-authorization": marks.new("proxy authorization")},
    ]
    count = len(list(_misbehaving(Seen("POST", "/", {}, b""))))
    with httpx.Client(base_url=url, timeout=30) as client:
        for number in range(count * 2):
            run.upstream.default = lambda seen, which=number % count: list(_misbehaving(seen))[which]
            sent = headers[number % len(headers)]
            for path, model in (("/v1/chat/completions", "to-chat"), ("/v1/messages", "to-messages")):
                body = {**ASK, "model": model, "stream": number % 2 == 1}
                answer = client.post(path, json=body, headers=sent)
                if answer.status_code >= 400:
                    run.errors.append(answer.text)
        _keys_out_of_place(run, client, known)


def _keys_out_of_place(run: Run, client: httpx.Client, known: dict[str, str]) -> None:
    """In addresses, models, prompts and bodies that cannot be read."""
    marks = run.marks
    unknown = marks.new("unknown gateway key", "sk-dg-zq{}")
    run.upstream.default = lambda seen: answer_json(answers.whole("openai-chat", "ok"))
    gemini = {"contents": [{"role": "user", "parts": [{"text": VISIBLE}]}]}
    told = " ".join(marks[place] for place in ("admin key", "usual upstream key", "upstream key"))
    telling = {"role": "user", "content": f"my keys: {told} {VISIBLE}"}
    asked = [
        client.post(f"/v1beta/models/to-chat:generateContent?key={marks['gateway key']}", json=gemini),
        client.post(f"/v1beta/models/to-chat:generateContent?key={unknown}", json=gemini),
        client.post("/v1/chat/completions", json={**ASK, "model": "to-chat"}, headers={"x-api-key": unknown}),
        client.post("/v1/chat/completions", json={**ASK, "model": marks["admin key"]}, headers=known),
        client.get(f"/v1/models/{marks['admin key']}", headers=known),
        client.post("/v1/chat/completions", content=f'{{"model": "{marks["admin key"]}', headers=known),
        client.post("/v1/chat/completions", json={**ASK, "model": "to-proxy"}, headers=known),
        client.post("/v1/chat/completions", json={**ASK, "model": "to-oauth"}, headers=known),
        client.post(
            "/v1/chat/completions",
            json={**ASK, "model": "to-chat", "user": marks["admin key"], "messages": [telling]},
            headers=known,
        ),
    ]
    run.errors += [answer.text for answer in asked if answer.status_code >= 400]


def _management(run: Run) -> None:
    """The management interface and the console, with right and wrong credentials."""
    marks = run.marks
    ops = {"authorization": f"Bearer {marks['admin key']}"}
    # The upstream answers as a token server that repeats what it was sent.
    run.upstream.default = lambda seen: answer_json(
        {"error": "invalid_grant", "error_description": f"no such token {seen.raw.decode()}"}, 400
    )
    with httpx.Client(base_url=run.gateway.url, timeout=30) as client:
        made = client.post("/auth/keys", json={"client": "alice", "name": "made"}, headers=ops)
        marks["key made by the interface"] = made.json()["key"].removeprefix("sk-dg-")
        turned = client.post(f"/auth/keys/{made.json()['id']}/rotate", json={}, headers=ops)
        marks["rotated key"] = turned.json()["key"].removeprefix("sk-dg-")
        for sent in ({}, {"x-api-key": marks.new("unknown management key", "sk-dg-zq{}")}):
            run.errors.append(client.get("/auth/keys", headers=sent).text)
        wrong = marks.new("wrong console password")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get("/admin/login/").text)
        assert token
        form = {"username": "admin", "password": wrong, "csrfmiddlewaretoken": token[1], "next": "/admin/"}
        client.post("/admin/login/", data=form, headers={"referer": f"{run.gateway.url}/admin/login/"})


# --- the search ------------------------------------------------------------------------------------------------------


def _sign_in(client: httpx.Client) -> None:
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get("/admin/login/").text)
    assert token
    form = {"username": "admin", "password": PASSWORD, "csrfmiddlewaretoken": token[1], "next": "/admin/"}
    answer = client.post("/admin/login/", data=form, headers={"referer": f"{client.base_url}/admin/login/"})
    assert answer.status_code == 302, answer.text[:500]


def _pages(run: Run, most: int = 120) -> dict[str, str]:
    """Every page of the console that a link leads to, at most a few of each sort."""
    found: dict[str, str] = {}
    sorts: dict[str, int] = {}
    with httpx.Client(base_url=run.gateway.url, timeout=30) as client:
        _sign_in(client)
        waiting, known = deque(["/admin/"]), {"/admin/"}
        while waiting and len(found) < most:
            path = waiting.popleft()
            answer = client.get(path, follow_redirects=True)
            assert answer.status_code == 200, path
            found[path] = answer.text
            for link in re.findall(r'href="(/admin/[^"#]*|\?[^"#]*)"', answer.text):
                link = html.unescape(link if link.startswith("/") else path.partition("?")[0] + link)
                sort = re.sub(r"[0-9a-f]{8,}|\d+", "N", link)
                if link in known or "logout" in link or sorts.get(sort, 0) >= 5:
                    continue
                known.add(link)
                sorts[sort] = sorts.get(sort, 0) + 1
                waiting.append(link)
    return found


def _database(run: Run) -> dict[str, str]:
    """Every value of every table, what is compressed also as it was."""
    found: dict[str, str] = {}
    with sqlite3.connect(f"file:{run.gateway.data / 'dragoman.sqlite3'}?mode=ro", uri=True) as connection:
        names = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
        for name in names:
            rows = connection.execute(f'select * from "{name}"').fetchall()
            found[name] = "\n".join(_readable(value) for row in rows for value in row)
    return found


def _readable(value: Any) -> str:
    if not isinstance(value, bytes):
        return str(value)
    text = value.decode("latin-1")
    if value.startswith(b"\x28\xb5\x2f\xfd"):
        text += zstandard.ZstdDecompressor().decompressobj().decompress(value).decode("utf-8", "replace")
    return text


def _files(run: Run) -> dict[str, str]:
    """Every file below the data directory; what is compressed in the database is looked at as rows."""
    return {
        str(path.relative_to(run.gateway.data)): path.read_bytes().decode("latin-1")
        for path in run.gateway.data.rglob("*")
        if path.is_file()
    }


def _hits(run: Run, texts: dict[str, str]) -> dict[str, list[str]]:
    return {name: places for name, text in texts.items() if (places := run.marks.found_in(text))}


def test_the_run_had_what_it_is_about(run):
    assert len(run.marks) >= 24
    assert len(run.errors) > 30
    assert {"gateway key", "refresh token", "proxy password", "foreign bearer"} <= set(run.marks)
    assert run.marks.found_in(f"x{run.marks['upstream key'][:16]}y") == ["upstream key"]


def test_no_secret_is_in_the_database(run):
    tables = _database(run)
    assert VISIBLE in tables["proxyapp_requestcontent"]
    assert _hits(run, tables) == {}


def test_no_secret_is_in_a_file_of_the_data_directory(run):
    files = _files(run)
    assert "server.log" in files
    assert _hits(run, files) == {}


def test_no_secret_is_in_the_logs(run):
    logs = {"file": run.log_file.read_text(), "output": run.gateway.log()}
    assert "POST" in logs["file"] or len(logs["file"]) > 100
    assert _hits(run, logs) == {}


def test_no_secret_is_in_what_commands_print(run):
    assert any("export_config" in text and "chatty" in text for text in run.output)
    assert _hits(run, dict(enumerate(run.output))) == {}


def test_no_secret_is_on_a_page_of_the_console(run):
    pages = _pages(run)
    assert any("requestlog" in path for path in pages)
    assert any(VISIBLE in text for text in pages.values())
    assert _hits(run, pages) == {}


def test_no_secret_is_in_metrics_and_management_answers(run):
    texts = {}
    with httpx.Client(base_url=run.gateway.url, timeout=30) as client:
        for path in ("/metrics", "/auth/keys", "/schema", "/v1/models", "/health", "/health/ready"):
            answer = client.get(path, headers={"authorization": f"Bearer {run.marks['admin key']}"})
            assert answer.status_code == 200, path
            texts[path] = answer.text
    assert "dragoman_" in texts["/metrics"]
    assert _hits(run, texts) == {}


def test_no_error_tells_a_caller_a_secret_of_the_gateways(run):
    # What a caller named as a model is repeated to that caller.
    callers_own = {"caller's own key", "caller's own key in x-api-key", "foreign bearer", "gateway key", "admin key"}
    told = {place for text in run.errors for place in run.marks.found_in(text)} - callers_own
    assert told == set()
