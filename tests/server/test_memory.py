"""Thinking over turns with real workers: another worker, and a server that was killed in between."""

from __future__ import annotations

import json
import signal

import pytest

from tests.engine.test_memory import THINKING, asked, calling, history, stripped_turn
from tests.fakes.upstream import answer_json
from tests.server.conftest import a_document
from tests.server.test_process import post

pytestmark = pytest.mark.slow


def ask(gateway, messages):
    status, _, raw = post(gateway, "/v1/chat/completions", {**asked(messages), "model": "to-messages"})
    assert status == 200, raw
    return raw


def test_thinking_outlives_a_killed_server(gateways, upstream):
    gateway = gateways()
    gateway.manage("bootstrap")
    gateway.apply(a_document(upstream.url))
    gateway.start(bootstrap=False)
    upstream.default = answer_json(calling(THINKING))
    turn = stripped_turn(ask(gateway, [{"role": "user", "content": "Where?"}]))
    gateway.stop(signal.SIGKILL)
    gateway.start(bootstrap=False)
    ask(gateway, history(turn))
    assert THINKING in upstream.last.body["messages"][1]["content"]


def test_any_worker_knows_what_another_was_told(gateways, upstream):
    gateway = gateways(WEB_CONCURRENCY="2")
    gateway.manage("bootstrap")
    gateway.apply(a_document(upstream.url))
    gateway.start(bootstrap=False)
    for number in range(12):
        upstream.default = answer_json(calling(THINKING, ids=(f"toolu_{number}",)))
        turn = stripped_turn(ask(gateway, [{"role": "user", "content": "Where?"}]))
        ask(gateway, history(turn))
        assert THINKING in upstream.last.body["messages"][1]["content"], number


def test_an_operator_who_keeps_no_bodies_keeps_no_thinking_in_the_database(gateways, upstream):
    gateway = gateways(HISTORY_BODIES="none")
    gateway.manage("bootstrap")
    gateway.apply(a_document(upstream.url))
    gateway.start(bootstrap=False)
    upstream.default = answer_json(calling(THINKING))
    turn = stripped_turn(ask(gateway, [{"role": "user", "content": "Where?"}]))
    ask(gateway, history(turn))
    assert json.dumps(THINKING["signature"]) in upstream.last.raw.decode(), "the worker's memory still helps"
    gateway.stop(signal.SIGKILL)
    gateway.start(bootstrap=False)
    ask(gateway, history(turn))
    assert THINKING["signature"] not in upstream.last.raw.decode()
