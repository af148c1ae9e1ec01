"""Anthropic's message threads with upstreams that hold them: each client its own, at the account that holds it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxyapp.engine.serve import serve
from proxyapp.engine.snapshot import Credential
from tests.engine.conftest import a_call, a_key, a_snapshot, an_upstream, collect
from tests.fakes import answers
from tests.fakes.upstream import Script, Seen, answer_json, answer_sse

MESSAGES = "anthropic-messages"
streams = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


class Holder:
    """Holds threads by account, as the real ones do."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}

    def __call__(self, seen: Seen) -> Script:
        thread, key = seen.body["thread"], seen.headers["x-api-key"]
        if thread["type"] == "continue" and self.held.get(thread["previous_message_id"]) != key:
            error = {"type": "not_found_error", "message": "lost", "details": {"error_code": "thread_not_found"}}
            return answer_json({"type": "error", "error": error}, 404)
        message = {**answers.whole(MESSAGES), "id": f"msg_{len(self.held)}"}
        self.held[message["id"]] = key
        if not seen.body.get("stream"):
            return answer_json(message)
        frames = b"".join(answers.stream(MESSAGES)).replace(b"msg_up1", message["id"].encode())
        return answer_sse(frames)


def a_turn(thread: dict[str, Any], stream: bool = False) -> dict[str, Any]:
    return {
        "model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "thread": thread,
        "stream": stream,
    }  # fmt: skip


async def ask(engine, thread: dict[str, Any], stream: bool = False) -> tuple[int, bytes]:
    reply = await serve(engine, a_call(MESSAGES, a_turn(thread, stream)))
    return reply.status, await collect(reply)


def id_of(raw: bytes) -> str:
    if raw.startswith(b"{"):
        return json.loads(raw)["id"]
    return json.loads(raw.split(b"data: ", 1)[1].split(b"\n", 1)[0])["message"]["id"]


def two_keys(url: str):
    return an_upstream("up", url, MESSAGES, credentials=(Credential("red", "sk-red"), Credential("blue", "sk-blue")))


@streams
async def test_a_thread_stays_with_the_account_that_holds_it(make_engine, upstream, stream):
    engine = make_engine(a_snapshot(two_keys(upstream.url)))
    upstream.default = Holder()
    for _ in range(10):
        status, raw = await ask(engine, {"type": "create"}, stream)
        for _ in range(3):
            status, raw = await ask(engine, {"type": "continue", "previous_message_id": id_of(raw)}, stream)
            assert status == 200
    assert len(upstream.seen) == 40, "no attempt was in vain"
    assert {seen.headers["x-api-key"] for seen in upstream.seen} == {"sk-red", "sk-blue"}


async def test_a_client_cannot_go_on_with_another_clients_thread(make_engine, upstream):
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, MESSAGES)))
    upstream.default = Holder()
    _, raw = await ask(engine, {"type": "create"})
    engine.snapshot = a_snapshot(an_upstream("up", upstream.url, MESSAGES), key=a_key(client_id=2, client="bob"))
    status, refused = await ask(engine, {"type": "continue", "previous_message_id": id_of(raw)})
    assert (status, json.loads(refused)["error"]["details"]) == (404, {"error_code": "thread_not_found"})
    assert json.loads(refused)["error"]["type"] == "not_found_error"
    assert len(upstream.seen) == 1, "the upstream was not even asked"


@pytest.mark.parametrize(
    "thread",
    [{"type": "continue"}, {"type": "continue", "previous_message_id": 5}, {"type": "new"}, "yes", [], {"type": None}],
)
async def test_what_is_no_thread_is_for_the_upstream_to_say(make_engine, upstream, thread):
    upstream.default = answer_json({"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}, 400)
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, MESSAGES)))
    status, raw = await ask(engine, thread)
    assert (status, json.loads(raw)["error"]["message"]) == (400, "no")
    assert upstream.last.body["thread"] == thread


async def test_the_words_on_which_claude_code_drops_its_beta_survive(make_engine, upstream):
    """clients.md 4: per-turn control is given up on exactly these words."""
    words = "messages.1.output_config: Extra inputs are not permitted"
    upstream.default = answer_json({"type": "error", "error": {"type": "invalid_request_error", "message": words}}, 400)
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, MESSAGES)))
    turn = {"role": "system", "output_config": {"effort": "medium"}}
    body = {**a_turn({"type": "create"}), "thread": None, "messages": [{"role": "user", "content": "hi"}, turn]}
    call = a_call(MESSAGES, body, anthropic_beta="per-turn-control-2026-07-01")
    reply = await serve(engine, call)
    assert (reply.status, json.loads(await collect(reply))["error"]["message"]) == (400, words)
    assert upstream.last.body["messages"][1] == turn
    assert upstream.last.headers["anthropic-beta"] == "per-turn-control-2026-07-01"
