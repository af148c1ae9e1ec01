"""Same dialect on both sides: the patched body, the tap and the glimpse."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.contract import Body, Tap, UpstreamSide
from proxyapp.dialects.signatures import Sealer
from proxyapp.dialects.sse import FrameReader, parse_frame
from proxyapp.errors import UpstreamBroken, UpstreamRefused
from proxyapp.ir.response import FinishKind

Json = dict[str, Any]
Upstream = Callable[..., UpstreamSide]
TEXT: Json = {"type": "text", "text": ""}


def patched(body: Json, side: UpstreamSide) -> Json:
    return json.loads(ANTHROPIC.patch(Body(json.dumps(body).encode()), "up-model", side))


def thinking(signature: str) -> Json:
    return {"type": "thinking", "thinking": "hm", "signature": signature, "new_key": [1.0]}


def test_only_the_model_changes(upstream: Upstream) -> None:
    messages = b'[ {"role":"user", "content":"\\u00e9 gwr1. x"} ]'
    raw = b'{\n "model": "asked", "max_tokens":1e2, "messages": ' + messages + b',"x":{"y": 1.0}}'
    out = ANTHROPIC.patch(Body(raw), "up-model", upstream())
    assert out == (
        b'{"model":"up-model","max_tokens":1e2,'
        b'"messages":[{"role":"user", "content":"\\u00e9 gwr1. x"}],"x":{"y": 1.0}}'
    )


def test_a_body_without_envelopes_keeps_its_messages_byte_for_byte(upstream: Upstream) -> None:
    raw = b'{"model":"m","messages":[ {"role":"user",  "content":"a"} ]}'
    assert b'[ {"role":"user",  "content":"a"} ]' in ANTHROPIC.patch(Body(raw), "n", upstream())


def test_an_own_proof_is_put_back_for_its_owner(upstream: Upstream, sealer: Sealer) -> None:
    sealed = sealer.seal("ErU", family="anthropic", group="claude.5", account="acme")
    redacted = sealer.seal("Zm9v", family="anthropic", group="claude.5", account="acme")
    content = [thinking(sealed), {"type": "redacted_thinking", "data": redacted}, {"type": "text", "text": "gwr1. too"}]
    body = patched(
        {"model": "m", "messages": [{"role": "assistant", "content": content}]}, upstream(model_group="claude.5")
    )
    assert body["messages"][0]["content"] == [
        thinking("ErU"),
        {"type": "redacted_thinking", "data": "Zm9v"},
        {"type": "text", "text": "gwr1. too"},
    ]


def test_a_proof_of_anybody_else_goes_with_its_block(upstream: Upstream, sealer: Sealer) -> None:
    foreign = [
        sealer.seal("gAAAA", family="openai"),
        sealer.seal("", family="none"),
        sealer.seal("ErU", family="anthropic", account="other"),
        sealer.seal("ErU", family="anthropic", account="acme") + "x",
    ]
    content = [*(thinking(sealed) for sealed in foreign), {"type": "text", "text": "a"}]
    body = patched({"model": "m", "messages": [{"role": "assistant", "content": content}]}, upstream())
    assert body["messages"][0]["content"] == [{"type": "text", "text": "a"}]


def test_a_message_of_foreign_thinking_alone_goes_whole(upstream: Upstream, sealer: Sealer) -> None:
    sealed = sealer.seal("gAAAA", family="openai")
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": [thinking(sealed)]}]
    assert patched({"model": "m", "messages": messages}, upstream())["messages"] == messages[:1]


@pytest.mark.parametrize(("kind", "kept"), [("enabled", False), ("adaptive", True)])
def test_a_tool_loop_that_lost_its_thinking_goes_on_without(
    upstream: Upstream, sealer: Sealer, kind: str, kept: bool
) -> None:
    use = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
    done = {"type": "tool_result", "tool_use_id": "t1", "content": "x"}
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [thinking(sealer.seal("", family="none")), use]},
        {"role": "user", "content": [done]},
    ]
    side = upstream()
    settings_ = {"type": kind, "budget_tokens": 2000}
    body = patched({"model": "m", "thinking": settings_, "messages": messages}, side)
    assert ("thinking" in body) is kept
    assert bool(side.notes.items) is not kept


@pytest.mark.parametrize(
    "messages",
    [
        '"gwr1."',
        '["gwr1."]',
        '[{"role":"user","content":"gwr1."}]',
        '[{"role":"user","content":["gwr1."]}]',
        '[{"role":"user","content":[{"type":5,"x":"gwr1."}]}]',
        '[{"role":"user","content":[{"type":"thinking","signature":["gwr1."]}]}]',
    ],
)
def test_odd_messages_are_the_upstreams_to_refuse(upstream: Upstream, messages: str) -> None:
    raw = f'{{"model":"m","messages":{messages}}}'.encode()
    assert json.loads(ANTHROPIC.patch(Body(raw), "m", upstream()))["messages"] == json.loads(messages)


# --- the operator's rules


@pytest.mark.parametrize(("cap", "budget"), [(3000, 2999), (6000, 5000), (1024, None)])
def test_a_lowered_limit_keeps_the_budget_under_it(upstream: Upstream, cap: int, budget: int | None) -> None:
    side = upstream()
    side.max_output = cap
    thinking_ = {"type": "enabled", "budget_tokens": 5000, "display": "omitted"}
    body = patched({"model": "m", "max_tokens": 8000, "messages": [], "thinking": thinking_}, side)
    assert body["max_tokens"] == cap
    assert body.get("thinking", {}).get("budget_tokens") == budget
    assert [note.path for note in side.notes.items] == ["max_tokens"] + ["thinking"] * (budget != 5000)


@pytest.mark.parametrize("asked", [500, "many", None])
def test_a_limit_under_the_cap_stays(upstream: Upstream, asked: Any) -> None:
    side = upstream()
    side.max_output = 1000
    assert patched({"model": "m", "max_tokens": asked, "messages": []}, side)["max_tokens"] == asked


@pytest.mark.parametrize(
    ("given_", "after"),
    [
        (None, ["House rules."]),
        ("", ["House rules."]),
        ("Be brief.", ["House rules.", "Be brief."]),
        ([{"type": "text", "text": "Be brief."}], ["House rules.", "Be brief."]),
        ([{"type": "text", "text": "House rules."}], ["House rules."]),
    ],
)
def test_the_operators_prompt_comes_first_and_once(upstream: Upstream, given_: Any, after: list[str]) -> None:
    side = upstream()
    side.system_prompt = "House rules."
    body = {"model": "m", "messages": [], **({"system": given_} if given_ is not None else {})}
    assert [block["text"] for block in patched(body, side)["system"]] == after


# --- the tap


def tapped(raw: bytes) -> Tap:
    tap = ANTHROPIC.tap(Body(b'{"model":"m"}'))
    reader = FrameReader()
    assert all(tap.feed(frame) for frame in [*reader.feed(raw), *reader.close()])
    return tap


def test_the_tap_learns_what_the_books_need(a_stream: Callable[..., bytes]) -> None:
    tap = tapped(a_stream((TEXT, {"type": "text_delta", "text": "x"}), cache_read_input_tokens=5))
    assert (tap.glimpse.id, tap.glimpse.model) == ("msg_1", "claude")
    assert tap.glimpse.usage is not None
    assert (tap.glimpse.usage.fresh_input, tap.glimpse.usage.cache_read, tap.glimpse.usage.output) == (3, 5, 9)
    assert tap.glimpse.finish is not None
    assert tap.glimpse.finish.kind is FinishKind.END
    assert (tap.has_content, tap.is_done) == (True, True)


def test_the_tap_reads_frames_without_names_too(a_stream: Callable[..., bytes]) -> None:
    raw = a_stream((TEXT, {"type": "text_delta", "text": "x"}))
    bare = b"\n".join(line for line in raw.split(b"\n") if not line.startswith(b"event:"))
    tap = tapped(bare)
    assert (tap.has_content, tap.is_done) == (True, True)


@pytest.mark.parametrize(
    ("block", "content"),
    [
        (TEXT, False),
        ({"type": "thinking", "thinking": ""}, False),
        ({"type": "text", "text": "x"}, True),
        ({"type": "tool_use", "id": "t1", "name": "f", "input": {}}, True),
        ({"type": "redacted_thinking", "data": "x"}, True),
    ],
)
def test_content_begins_with_the_first_thing_said(stream: Callable[..., bytes], block: Json, content: bool) -> None:
    tap = tapped(
        stream(
            {"type": "message_start", "message": {"id": "msg_1"}},
            {"type": "ping"},
            {"type": "content_block_start", "index": 0, "content_block": block},
        )
    )
    assert (tap.has_content, tap.is_done) == (content, False)


def test_an_error_in_the_stream_is_seen(stream: Callable[..., bytes]) -> None:
    tap = tapped(stream({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}))
    assert isinstance(tap.glimpse.error, UpstreamRefused)
    assert tap.glimpse.error.status == 529


def test_what_follows_the_end_is_not_read(a_stream: Callable[..., bytes]) -> None:
    raw = a_stream((TEXT, {"type": "text_delta", "text": "x"}))
    second = a_stream(stop_reason="max_tokens").replace(b"msg_1", b"msg_2")
    tap = tapped(raw + second)
    assert tap.glimpse.id == "msg_1"
    assert tap.glimpse.finish is not None
    assert tap.glimpse.finish.kind is FinishKind.END


@settings(deadline=None)
@given(st.sampled_from(["message_start", "message_delta", "error", "", "x"]), st.binary(max_size=40))
def test_the_tap_raises_nothing(name: str, data: bytes) -> None:
    tap = ANTHROPIC.tap(Body(b"{}"))
    assert tap.feed(parse_frame(f"event: {name}\ndata: ".encode() + data + b"\n\n"))


# --- the glimpse


def test_a_whole_answer_is_read_as_far_as_needed(a_message: Callable[..., Json]) -> None:
    glimpse = ANTHROPIC.glimpse(json.dumps(a_message(TEXT, stop_reason="max_tokens")).encode())
    assert (glimpse.id, glimpse.model, glimpse.error) == ("msg_1", "claude", None)
    assert glimpse.usage is not None
    assert glimpse.usage.output == 9
    assert glimpse.finish is not None
    assert glimpse.finish.kind is FinishKind.LENGTH


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[]", b"{}", b'{"type":"completion"}', b'{"type":"message","id":5}'])
def test_what_is_no_answer_is_an_error(raw: bytes) -> None:
    assert isinstance(ANTHROPIC.glimpse(raw).error, UpstreamBroken)


def test_an_error_inside_a_200_is_seen() -> None:
    fault = ANTHROPIC.glimpse(b'{"type":"error","error":{"type":"api_error","message":"m"}}').error
    assert isinstance(fault, UpstreamRefused)
    assert (fault.status, fault.message) == (500, "m")
