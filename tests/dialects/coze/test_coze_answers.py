"""What a bot says: whole answers, streams cut anywhere, and errors in all the places where Coze puts them."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyapp.dialects.contract import Profile, UpstreamSide
from proxyapp.dialects.coze import COZE
from proxyapp.dialects.signatures import Sealer
from proxyapp.dialects.sse import Frame, FrameReader
from proxyapp.errors import UpstreamBroken, UpstreamRefused
from proxyapp.ir import events as ev
from proxyapp.ir.fold import fold
from proxyapp.ir.grammar import Grammar, check_all
from proxyapp.ir.parts import Reasoning, Text
from proxyapp.ir.response import FinishKind
from proxyapp.ir.usage import Usage

Json = dict[str, Any]
CHAT = {"id": "9", "conversation_id": "5", "created_at": 1760000000, "status": "completed",
        "usage": {"token_count": 19, "input_count": 12, "output_count": 7}}  # fmt: skip


def a_side() -> UpstreamSide:
    return UpstreamSide(profile=Profile(), sealer=Sealer(b"k" * 32), model="bot-1")


def a_message(words: str, kind: str = "answer", message_id: str = "m1", **more: Any) -> Json:
    return {"id": message_id, "conversation_id": "5", "chat_id": "9", "role": "assistant", "type": kind,
            "content": words, "content_type": "text", **more}  # fmt: skip


def collected(*messages: Json, chat: Json = CHAT) -> Json:
    return {"create": {"code": 0, "data": {**chat, "status": "in_progress"}}, "retrieve": {"code": 0, "data": chat},
            "messages": {"code": 0, "data": list(messages)}}  # fmt: skip


def parsed(body: Json) -> Any:
    return COZE.parse_response(body, a_side())


def frame(event: str, data: Any) -> bytes:
    words = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return f"event:{event}\ndata:{words}\n\n".encode()


def delta(words: str, thought: str = "", message_id: str = "m1") -> bytes:
    return frame("conversation.message.delta", a_message(words, message_id=message_id, reasoning_content=thought))


BEGIN = frame("conversation.chat.created", {**CHAT, "status": "created", "usage": {}})
END = frame("conversation.chat.completed", CHAT)
DONE = frame("done", '"[DONE]"')


def decoded(data: bytes, cut: int = 1 << 30) -> list[ev.Event]:
    reader, decoder = FrameReader(), COZE.decoder(a_side())
    events: list[ev.Event] = []
    for start in range(0, len(data), cut):
        for each in reader.feed(data[start : start + cut]):
            events += decoder.feed(each)
    for each in reader.close():
        events += decoder.feed(each)
    events += decoder.close()
    check_all(events)
    return events


def failure(events: list[ev.Event]) -> Any:
    assert isinstance(events[-1], ev.Failed)
    return events[-1].error


# --- whole answers


def test_answers_are_put_together_and_all_other_messages_are_left_out():
    body = collected(
        a_message('{"name":"search"}', "function_call"), a_message("hit", "knowledge"),
        a_message("Hello ", reasoning_content="Hm."), a_message("there.", message_id="m2"),
        a_message('{"msg_type":"generate_answer_finish"}', "verbose"), a_message("More?", "follow_up"),
        a_message("hi", "question", role="user"),
    )  # fmt: skip
    response = parsed(body)
    assert response.parts == [Reasoning(text="Hm."), Text(text="Hello "), Text(text="there.")]
    assert (response.id, response.model, response.created) == ("coze-5-9", "bot-1", 1760000000)
    assert response.finish.kind is FinishKind.END
    assert response.usage == Usage(fresh_input=12, output=7, raw=CHAT["usage"])


def test_an_object_string_is_read_as_its_texts_and_addresses():
    items = [{"type": "text", "text": "See"}, {"type": "image", "file_url": "https://h/p.png"}]
    response = parsed(collected(a_message(json.dumps(items), content_type="object_string")))
    assert response.parts == [Text(text="See\nhttps://h/p.png")]
    assert parsed(collected(a_message("no json", content_type="object_string"))).parts == [Text(text="no json")]


@pytest.mark.parametrize("usage", [None, {}, {"input_count": "x", "output_count": 1}, [1], {"input_count": True}])
def test_counts_that_are_none_are_not_zero(usage):
    assert parsed(collected(a_message("x"), chat={**CHAT, "usage": usage})).usage is None


@pytest.mark.parametrize(
    ("code", "status"),
    [(4016, 409), (4013, 429), (4100, 401), (700012006, 401), (4101, 403), (5000, 502), (4000, 502), (1, 502)],
)
def test_a_code_in_any_envelope_is_an_error_with_its_status(code, status):
    envelope = {"code": code, "msg": "no", "detail": {"logid": "L"}}
    for body in (envelope, *({**collected(), name: envelope} for name in ("create", "retrieve", "messages"))):
        with pytest.raises(UpstreamRefused, match=rf"no \(Coze code {code}\)") as caught:
            parsed(body)
        assert (caught.value.status, caught.value.upstream_code) == (status, str(code))


def test_a_bad_parameter_is_not_sent_again():
    with pytest.raises(UpstreamRefused) as caught:
        parsed({"code": 4000, "msg": "bad"})
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("status", "said"),
    [("failed", "gave up"), ("canceled", "cancelled"), ("requires_action", "runs outside of it")],
)
def test_a_chat_without_an_answer_is_an_error(status, said):
    chat = {**CHAT, "status": status, "last_error": {"code": 5000, "msg": "gave up"}}
    with pytest.raises(UpstreamRefused, match=said):
        parsed(collected(chat=chat))


@pytest.mark.parametrize(
    "body", [{}, {"code": 0}, {"code": 0, "data": CHAT}, {"create": 1}, {**collected(), "messages": {"data": 1}}]
)
def test_what_is_no_finished_chat_is_broken(body):
    with pytest.raises(UpstreamBroken):
        parsed(body)


# --- streams


STREAM = (
    BEGIN
    + frame("conversation.chat.in_progress", {**CHAT, "status": "in_progress"})
    + b'data:{"debug_url":"https://d"}\n\n'
    + frame("conversation.message.completed", a_message("{}", "function_call", "m0"))
    + delta("", "Hm, ")
    + delta("", "wörld.")
    + delta("Hällo 🌍")
    + delta(" there.")
    + frame("conversation.audio.delta", a_message("QUJD", content_type="audio"))
    + frame("conversation.message.completed", a_message("Hällo 🌍 there."))
    + delta("Second.", message_id="m2")
    + frame("conversation.message.completed", a_message("Second.", message_id="m2"))
    + frame("conversation.message.completed", a_message("{}", "verbose", "m3"))
    + frame("conversation.message.completed", a_message("More?", "follow_up", "m4"))
    + END
    + DONE
)


def test_a_stream_says_each_answer_once_and_nothing_else():
    response = fold(decoded(STREAM))
    assert response.parts == [Reasoning(text="Hm, wörld."), Text(text="Hällo 🌍 there."), Text(text="Second.")]
    assert response.id == "coze-5-9"
    assert response.usage == Usage(fresh_input=12, output=7, raw=CHAT["usage"])


def test_cutting_the_bytes_anywhere_changes_nothing():
    whole = decoded(STREAM)
    for size in (1, 2, 3, 5, 7, 11, 64, 1000):
        assert decoded(STREAM, size) == whole


@pytest.mark.parametrize("form", ["spaces", "crlf", "no last blank line"])
def test_other_framings_mean_the_same(form):
    if form == "spaces":
        data = STREAM.replace(b"event:", b"event: ").replace(b"data:", b"data: ")
    elif form == "crlf":
        data = STREAM.replace(b"\n", b"\r\n")
    else:
        data = STREAM.rstrip()
    assert decoded(data) == decoded(STREAM)


def test_a_stream_cut_anywhere_before_its_end_is_never_a_finished_answer():
    end = STREAM.index(END) + len(END) - 2
    for size in range(0, end, 7):
        assert isinstance(decoded(STREAM[:size])[-1], ev.Failed)


def test_a_message_without_deltas_is_said_when_it_is_complete():
    data = BEGIN + frame("conversation.message.completed", a_message("All.", reasoning_content="Hm.")) + END
    assert fold(decoded(data)).parts == [Reasoning(text="Hm."), Text(text="All.")]


@pytest.mark.parametrize("mark", [DONE, frame("done", "[DONE]"), b"data: [DONE]\n\n", frame("done", "")])
def test_the_end_mark_ends_an_answer_whose_chat_said_nothing(mark):
    response = fold(decoded(BEGIN + delta("Hi.") + mark))
    assert response.parts == [Text(text="Hi.")]
    assert isinstance(failure(decoded(mark)), UpstreamBroken)


@pytest.mark.parametrize(
    ("event", "status", "said"),
    [
        ("conversation.chat.failed", 502, "gave up"),
        ("conversation.chat.canceled", 502, "cancelled"),
        ("conversation.chat.requires_action", 502, "runs outside of it"),
    ],
)
def test_a_chat_that_ends_badly_is_a_failure(event, status, said):
    chat = {**CHAT, "status": "", "last_error": {"code": 5000, "msg": "gave up"}}
    error = failure(decoded(BEGIN + delta("So ") + frame(event, chat) + DONE))
    assert error.status == status
    assert said in error.message


def test_an_error_event_has_its_codes_status_also_without_a_name():
    assert failure(decoded(BEGIN + frame("error", {"code": 4013, "msg": "slow down"}))).status == 429
    assert failure(decoded(b'data:{"code":4016,"msg":"busy"}\n\n')).status == 409
    assert isinstance(failure(decoded(BEGIN + frame("conversation.message.delta", "{no json"))), UpstreamBroken)


def test_a_delta_before_the_chat_began_is_begun_by_it():
    assert fold(decoded(delta("Hi.") + END)).id == "coze-5-9"


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_names = st.sampled_from(["id", "conversation_id", "chat_id", "role", "type", "content", "content_type", "status",
                          "reasoning_content", "last_error", "usage", "code", "msg", "created_at"])  # fmt: skip
_events = st.sampled_from([
    "", "done", "error", "conversation.chat.created", "conversation.chat.in_progress", "conversation.message.delta",
    "conversation.message.completed", "conversation.chat.completed", "conversation.chat.failed",
    "conversation.chat.canceled", "conversation.chat.requires_action", "conversation.audio.delta", "x",
])  # fmt: skip


@given(st.lists(st.tuples(_events, st.dictionaries(_names, _values, max_size=6)), max_size=8))
def test_no_stream_makes_the_decoder_raise_or_break_the_grammar(frames):
    decoder, grammar = COZE.decoder(a_side()), Grammar()
    for event, body in frames:
        data = json.dumps(body).encode()
        for each in decoder.feed(Frame(event, data, data)):
            grammar.check(each)
    for each in decoder.close():
        grammar.check(each)
    assert grammar.ended


@given(st.dictionaries(st.sampled_from(["create", "retrieve", "messages", "code", "data"]), _values, max_size=5))
def test_no_body_makes_the_reader_raise_anything_but_our_errors(body):
    with contextlib.suppress(UpstreamRefused, UpstreamBroken):
        parsed(body)


# --- errors by status


@pytest.mark.parametrize(
    ("status", "body", "expected", "said"),
    [
        (400, b'{"code":400,"msg":"bind body failed"}', 400, "bind body failed"),
        (401, b'{"code":4100,"msg":"authentication is invalid"}', 401, "authentication is invalid"),
        (200, b'{"code":"4013","msg":"slow"}', 429, "slow"),
        (503, b"<html>", 503, "no readable error"),
        (429, b"", 429, "no readable error"),
        (404, b"nothing here", 502, "no readable error"),
        (500, b"{}", 500, "gave no reason"),
    ],
)
def test_an_answer_of_400_and_more_is_an_error_in_its_own_words(status, body, expected, said):
    error = COZE.parse_error(status, {"retry-after": "7"}, body)
    assert error.status == expected
    assert said in error.message
    assert error.retry_after == 7


def test_an_end_mark_without_an_answer_is_a_broken_stream():
    """A bot that failed before its first word looked as if it had nothing to say."""
    assert isinstance(failure(decoded(BEGIN + DONE)), UpstreamBroken)
    assert isinstance(failure(decoded(delta("") + DONE)), UpstreamBroken)


def test_an_empty_delta_does_not_stand_for_its_message():
    said = fold(decoded(BEGIN + delta("") + frame("conversation.message.completed", a_message("Hi")) + END + DONE))
    assert [part.text for part in said.parts] == ["Hi"]
