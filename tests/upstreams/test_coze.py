"""Coze's addresses, and the steps from a created chat to its messages, played without a network."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxyapp.errors import UpstreamBroken, UpstreamRefused
from proxyapp.upstreams.contract import Abandoned, Outbound, Pause, Sending, Stepwise, Upstream
from proxyapp.upstreams.registry import KINDS

COZE = KINDS["coze"]
UP = Upstream(name="c", kind="coze", base_url="https://h")
OUT = Outbound("POST", "https://h/v3/chat", {"authorization": "Bearer pat", "content-type": "application/json"}, b"{}")
IDS = "conversation_id=5&chat_id=9"


def envelope(status: str = "in_progress", **more: Any) -> bytes:
    return json.dumps({"code": 0, "data": {"id": "9", "conversation_id": "5", "status": status}, **more}).encode()


LISTED = b'{"code":0,"data":[]}'


def begin(answer: bytes) -> Any:
    assert isinstance(COZE, Stepwise)
    return COZE.steps(UP, OUT, answer)


def result(steps: Any, came: bytes) -> bytes:
    with pytest.raises(StopIteration) as done:
        steps.send(came)
    return done.value.value


@pytest.mark.parametrize(
    ("base", "root"),
    [
        (None, "https://api.coze.com"),
        ("https://api.coze.cn", "https://api.coze.cn"),
        ("https://api.coze.cn/", "https://api.coze.cn"),
        ("https://api.coze.cn/v3", "https://api.coze.cn"),
        ("https://api.coze.cn/v3/chat", "https://api.coze.cn"),
        ("https://api.coze.cn/v3/chat/message/list", "https://api.coze.cn"),
        ("https://api.coze.cn/open_api/v2/chat", "https://api.coze.cn"),
        ("http://studio:8888/coze", "http://studio:8888/coze"),
    ],
)
def test_a_base_url_is_taken_as_people_write_it(base, root):
    upstream = Upstream(name="c", kind="coze", base_url=base)
    assert COZE.url(upstream, "bot-1", dialect="coze", stream=True) == f"{root}/v3/chat"


def test_the_token_goes_out_as_a_bearer_token():
    assert COZE.headers(UP, "pat_x", Sending()) == {"authorization": "Bearer pat_x"}


def test_a_chat_is_asked_for_once_a_second_until_it_is_over_and_then_for_its_messages():
    steps = begin(envelope("created"))
    assert next(steps) == Pause(1.0)
    asked = steps.send(b"")
    assert (asked.method, asked.url, asked.body) == ("GET", f"https://h/v3/chat/retrieve?{IDS}", b"")
    assert asked.headers == {"authorization": "Bearer pat", "accept": "application/json"}
    assert steps.send(envelope()) == Pause(1.0)
    assert steps.send(b"") == asked
    assert steps.send(envelope("completed")).url == f"https://h/v3/chat/message/list?{IDS}"
    out = json.loads(result(steps, LISTED))
    assert out["create"]["data"]["status"] == "created"
    assert out["retrieve"]["data"]["status"] == "completed"
    assert out["messages"] == {"code": 0, "data": []}


@pytest.mark.parametrize("status", ["failed", "canceled", "requires_action", "anything"])
def test_a_chat_that_ended_otherwise_has_no_messages_to_ask_for(status):
    steps = begin(envelope())
    next(steps)
    steps.send(b"")
    assert json.loads(result(steps, envelope(status)))["messages"] is None


@pytest.mark.parametrize(
    "answer", [b'{"code":4016,"msg":"busy"}', b"no json", b"[]", b'{"code":0}', b'{"data":{"id":1}}']
)
def test_what_is_no_created_chat_is_left_to_the_dialect(answer):
    with pytest.raises(StopIteration) as done:
        next(begin(answer))
    assert done.value.value == answer


def asked_once(answer: bytes) -> Any:
    steps = begin(answer)
    next(steps)
    steps.send(b"")
    return steps


def test_passing_faults_of_a_question_are_borne_twice():
    steps = asked_once(envelope())
    fault = UpstreamRefused("busy", status=503)
    assert steps.throw(fault) == Pause(1.0)
    assert "/retrieve" in steps.send(b"").url
    assert steps.send(b'{"code":5000,"msg":"x"}') == Pause(1.0)
    assert "/retrieve" in steps.send(b"").url
    assert "/message/list" in steps.send(envelope("completed")).url


def test_a_question_that_fails_for_good_calls_the_chat_off_and_is_the_error():
    for fault in ([UpstreamRefused("no", status=403)], [UpstreamBroken("cut")] * 3):
        steps = asked_once(envelope())
        for error in fault[:-1]:
            assert steps.throw(error) == Pause(1.0)
            steps.send(b"")
        last = steps.throw(fault[-1])
        assert (last.method, last.url) == ("POST", "https://h/v3/chat/cancel")
        assert json.loads(last.body) == {"conversation_id": "5", "chat_id": "9"}
        with pytest.raises(type(fault[-1])):
            steps.throw(UpstreamBroken("and that failed too"))


def test_a_chat_that_nobody_waits_for_is_called_off():
    steps = begin(envelope())
    next(steps)
    assert steps.throw(Abandoned()).url == "https://h/v3/chat/cancel"
    with pytest.raises(Abandoned):
        steps.send(b"")


def test_a_chat_that_is_over_is_not_called_off():
    steps = asked_once(envelope())
    steps.send(envelope("completed"))
    with pytest.raises(Abandoned):
        steps.throw(Abandoned())


def test_an_unreadable_answer_to_a_question_is_borne_as_a_fault():
    steps = asked_once(envelope())
    assert steps.send(b"<html>") == Pause(1.0)


CREATED = b'event:conversation.chat.created\ndata:{"id":"9","conversation_id":"5","status":"created"}\n\n'


@pytest.mark.parametrize(
    ("head", "tail"),
    [
        (CREATED, b""),
        (b": hi\n\n" + CREATED.replace(b"data:", b"data: "), b'"content":"Hel'),
        (CREATED + b"event:conversation.mess", b"event:conversation.message.completed"),
    ],
)
def test_a_stream_that_is_cut_is_called_off_by_the_ids_it_began_with(head, tail):
    assert isinstance(COZE, Stepwise)
    last = COZE.call_off(UP, OUT, head, tail)
    assert last is not None
    assert (last.method, last.url) == ("POST", "https://h/v3/chat/cancel")
    assert json.loads(last.body) == {"conversation_id": "5", "chat_id": "9"}


@pytest.mark.parametrize(
    ("head", "tail"),
    [
        (b"", b""),
        (b'event:conversation.chat.created\ndata:{"id":"9', b""),
        (b"data:[1]\n\n", b""),
        (b'data:{"code":4016}\n\n', b""),
        (CREATED, b"event:conversation.chat.completed\ndata:{}\n\n"),
        (CREATED, b'event:done\ndata:"[DONE]"\n\n'),
        (CREATED, b"event:conversation.chat.failed"),
    ],
)
def test_what_is_over_or_has_no_ids_is_not_called_off(head, tail):
    assert isinstance(COZE, Stepwise)
    assert COZE.call_off(UP, OUT, head, tail) is None
