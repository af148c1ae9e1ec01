"""Streams of Responses upstreams as events: the recorded ones, cut anywhere, and those of servers that differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proxyapp.errors import UpstreamBroken, UpstreamRefused
from proxyapp.ir import events as ev
from proxyapp.ir import parts as p
from proxyapp.ir.fold import fold
from proxyapp.ir.response import FinishKind

CORPUS = Path(__file__).resolve().parents[2] / "fixtures" / "corpus"
STREAMS = sorted(path.stem for path in CORPUS.glob("openai-responses.sse.*.json"))
SHORT = [name for name in STREAMS if (CORPUS / f"{name}.json").stat().st_size < 20_000]
BEGUN = {"type": "response.created", "response": {"id": "resp_1", "model": "gpt", "created_at": 7, "output": []}}
Json = dict[str, Any]
Decode = Callable[..., list[ev.Event]]


def recorded(name: str) -> bytes:
    return str(json.loads((CORPUS / f"{name}.json").read_text())["response"]["sse"]).encode()


def done(*output: Json, status: str = "completed", **more: Any) -> Json:
    response = {"id": "resp_1", "object": "response", "status": status, "output": list(output), **more}
    return {"type": f"response.{status}", "response": response}


def added(index: int, **item: Any) -> Json:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def ended(index: int, **item: Any) -> Json:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def piece(kind: str, index: int, delta: str, **more: Any) -> Json:
    return {"type": f"response.{kind}.delta", "output_index": index, "delta": delta, **more}


MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant"}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f"}


def said(text: str, **item: Any) -> Json:
    return {**MESSAGE, **item, "content": [{"type": "output_text", "text": text, "annotations": []}]}


# --- recordings


@pytest.mark.parametrize("name", STREAMS)
def test_a_recorded_stream_keeps_to_the_grammar_and_is_complete(decode: Decode, name: str) -> None:
    events = decode(recorded(name))
    assert isinstance(events[-1], ev.Failed if "openai-error" in name else ev.Finished)


@pytest.mark.parametrize("name", SHORT)
def test_a_stream_means_the_same_wherever_its_bytes_are_cut(decode: Decode, name: str) -> None:
    raw = recorded(name)
    whole = [repr(event) for event in decode(raw)]
    step = max(1, len(raw) // 400)
    for place in range(0, len(raw), step):
        assert [repr(event) for event in decode([raw[:place], raw[place:]])] == whole
    assert [repr(event) for event in decode(raw[place : place + 1] for place in range(len(raw)))] == whole


def test_ids_that_change_in_every_event_name_one_item_each(decode: Decode) -> None:
    name = next(name for name in STREAMS if "id-rotation" in name)
    kinds = [type(event.part) for event in decode(recorded(name)) if isinstance(event, ev.PartStarted)]
    assert kinds == [p.Reasoning, p.Text]


def test_the_numbers_of_items_may_have_gaps_that_the_last_event_has_not(decode: Decode) -> None:
    name = next(name for name in STREAMS if "openai-phase" in name)
    texts = [part for part in fold(decode(recorded(name))).parts if isinstance(part, p.Text)]
    assert [part.meta["openai-responses"]["phase"] for part in texts] == ["commentary", "final_answer"]


# --- servers that differ


def test_what_comes_without_deltas_is_told_at_once(decode: Decode, sse: Callable[..., bytes]) -> None:
    call = {**CALL, "arguments": '{"a":1}'}
    answer = fold(decode(sse(BEGUN, added(0, **MESSAGE, content=[]), ended(0, **said("Hi")), ended(1, **call), done())))
    text, called = answer.parts
    assert isinstance(text, p.Text)
    assert isinstance(called, p.ToolCall)
    assert (text.text, called.arguments, answer.finish.kind) == ("Hi", '{"a":1}', FinishKind.TOOL_CALLS)


def test_items_that_stand_in_the_last_event_alone_are_told_then(decode: Decode, sse: Callable[..., bytes]) -> None:
    answer = fold(decode(sse(BEGUN, done(said("Hi")))))
    assert [part.text for part in answer.parts if isinstance(part, p.Text)] == ["Hi"]


def test_deltas_that_stop_early_are_completed_by_the_end(decode: Decode, sse: Callable[..., bytes]) -> None:
    raw = sse(
        BEGUN,
        added(0, **CALL, arguments=""),
        piece("function_call_arguments", 0, '{"a"'),
        {"type": "response.function_call_arguments.done", "output_index": 0, "arguments": '{"a":1}'},
        done({**CALL, "arguments": '{"a":1}'}),
    )
    deltas = [event.text for event in decode(raw) if isinstance(event, ev.ArgumentsDelta)]
    assert deltas == ['{"a"', ":1}"]


def test_items_that_are_open_at_once_are_told_one_after_the_other(decode: Decode, sse: Callable[..., bytes]) -> None:
    second = {**CALL, "id": "fc_2", "call_id": "call_2"}
    raw = sse(
        BEGUN,
        added(0, **CALL, arguments=""),
        added(1, **second, arguments=""),
        piece("function_call_arguments", 1, "{}"),
        piece("function_call_arguments", 0, '{"a":1}'),
        ended(1, **second, arguments="{}"),
        ended(0, **CALL, arguments='{"a":1}'),
        done(),
    )
    calls = [part for part in fold(decode(raw)).parts if isinstance(part, p.ToolCall)]
    assert [(call.id, call.arguments) for call in calls] == [("call_1", '{"a":1}'), ("call_2", "{}")]


def test_two_calls_with_one_id_get_two(decode: Decode, sse: Callable[..., bytes]) -> None:
    calls = fold(decode(sse(BEGUN, done({**CALL, "arguments": ""}, {**CALL, "arguments": ""})))).parts
    assert len({part.id for part in calls if isinstance(part, p.ToolCall)}) == 2


def test_an_upstream_that_waits_in_a_queue_is_alive(decode: Decode, sse: Callable[..., bytes]) -> None:
    queued = {"type": "response.queued", "response": BEGUN["response"]}
    kinds = [type(event) for event in decode(sse(BEGUN, queued, done(said("Hi"))))]
    assert kinds[:2] == [ev.Started, ev.Alive]


def test_the_full_text_of_open_models_is_read_as_reasoning(decode: Decode, sse: Callable[..., bytes]) -> None:
    raw = sse(
        BEGUN,
        added(0, type="reasoning", id="rs_1", summary=[]),
        piece("reasoning_text", 0, "Hm", content_index=0),
        ended(0, type="reasoning", id="rs_1", summary=[], content=[{"type": "reasoning_text", "text": "Hm"}]),
        done(said("Hi")),
    )
    part = fold(decode(raw)).parts[0]
    assert isinstance(part, p.Reasoning)
    assert (part.text, part.signature) == ("Hm", None)


def test_an_image_that_the_model_made_is_an_image(decode: Decode, sse: Callable[..., bytes]) -> None:
    item = {
        "type": "image_generation_call",
        "id": "ig_1",
        "status": "completed",
        "result": "QUJD",
        "output_format": "webp",
    }
    (part,) = fold(decode(sse(BEGUN, ended(0, **item), done(item)))).parts
    assert isinstance(part, p.Image)
    assert (part.source.data, part.source.mime) == ("QUJD", "image/webp")


# --- ends


@pytest.mark.parametrize(
    ("status", "more", "kind"),
    [
        ("incomplete", {"incomplete_details": {"reason": "max_output_tokens"}}, FinishKind.LENGTH),
        ("incomplete", {"incomplete_details": {"reason": "content_filter"}}, FinishKind.CONTENT_FILTER),
        ("incomplete", {"incomplete_details": {"reason": "steered"}}, FinishKind.STEERED),
        ("incomplete", {}, FinishKind.OTHER),
        ("cancelled", {}, FinishKind.OTHER),
    ],
)
def test_why_it_ended(decode: Decode, sse: Callable[..., bytes], status: str, more: Json, kind: FinishKind) -> None:
    assert fold(decode(sse(BEGUN, done(said("Hi"), status=status, **more)))).finish.kind is kind


@pytest.mark.parametrize(
    "last",
    [
        {"type": "error", "code": "server_error", "message": "Boom", "param": None},
        {"type": "error", "error": {"code": "server_error", "message": "Boom"}},
        {"type": "response.failed", "response": {"status": "failed", "error": {"code": "x", "message": "Boom"}}},
        done(status="failed", error={"code": "server_error", "message": "Boom"}) | {"type": "response.completed"},
    ],
)
def test_an_error_in_the_stream_is_the_upstreams_no(decode: Decode, sse: Callable[..., bytes], last: Json) -> None:
    failed = decode(sse(BEGUN, piece("output_text", 0, "x"), last, piece("output_text", 0, "after")))[-1]
    assert isinstance(failed, ev.Failed)
    assert isinstance(failed.error, UpstreamRefused)
    assert failed.error.message == "Boom"


@pytest.mark.parametrize("tail", [b"", b"data: [DONE]\n\n", b"data: {\n\n", b"data: []\n\n"])
def test_a_stream_without_its_end_is_broken(decode: Decode, sse: Callable[..., bytes], tail: bytes) -> None:
    raw = sse(BEGUN, added(0, **MESSAGE, content=[]), piece("output_text", 0, "So", content_index=0)) + tail
    failed = decode(raw)[-1]
    assert isinstance(failed, ev.Failed)
    assert isinstance(failed.error, UpstreamBroken)


@pytest.mark.parametrize(
    "strange",
    [
        {"type": "response.output_item.added", "output_index": "x", "item": 5},
        {"type": "response.output_item.done", "item": {"type": "message", "content": [5, {"text": 5}]}},
        {"type": "response.output_text.delta", "output_index": 9, "delta": {}},
        {"type": "response.made_up", "delta": "x"},
        {"type": "keepalive"},
    ],
)
def test_events_of_no_sense_hurt_nobody(decode: Decode, sse: Callable[..., bytes], strange: Json) -> None:
    raw = sse(BEGUN, strange, done(said("Hi")))
    assert isinstance(decode(raw)[-1], ev.Finished)


def test_what_a_relay_says_before_the_answer_is_not_the_answer(decode: Decode, sse: Callable[..., bytes]) -> None:
    events = decode(sse({"type": "codex.rate_limits", "limits": {}}, BEGUN, done(said("Hi"))))
    assert isinstance(events[0], ev.Started)
    assert events[0].id == "resp_1"


@pytest.mark.parametrize(
    ("frame", "error"),
    [({"error": {"message": "Boom"}}, UpstreamRefused), ({"choices": []}, UpstreamBroken), ({}, UpstreamBroken)],
)
def test_a_frame_that_names_no_kind_is_an_error(decode: Decode, frame: Json, error: type[Exception]) -> None:
    (failed,) = decode(b"data: " + json.dumps(frame).encode() + b"\n\n")
    assert isinstance(failed, ev.Failed)
    assert isinstance(failed.error, error)
