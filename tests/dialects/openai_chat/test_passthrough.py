"""Chat to Chat: the caller's bytes with the fewest changes, and what is read from the answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxyapp.dialects.contract import Body, Tap
from proxyapp.dialects.openai_chat import OPENAI_CHAT
from proxyapp.dialects.sse import FrameReader
from proxyapp.errors import UpstreamBroken, UpstreamRefused
from proxyapp.ir.response import FinishKind

MESSAGES = b'[ {"role":"user",  "content":"\\u00e9 1.0"} ]'


@pytest.fixture
def patch(upstream: Any) -> Any:
    def run(raw: bytes, side: Any = None, **profile: Any) -> bytes:
        return OPENAI_CHAT.patch(Body(raw), "up-model", side or upstream(**profile))

    return run


def test_only_the_model_changes(patch: Any) -> None:
    raw = b'{"model": "asked", "messages": ' + MESSAGES + b', "temperature": 1.0, "unknown": {"b":1,"a": [ ]}}'
    assert patch(raw) == (
        b'{"model":"up-model","messages":' + MESSAGES + b',"temperature":1.0,"unknown":{"b":1,"a": [ ]}}'
    )


def test_schemas_are_cleaned_for_a_strict_server_alone(patch: Any) -> None:
    schema = {"type": "object", "additionalProperties": False, "properties": {"format": {"type": "string"}}}
    function = {"name": "f", "parameters": schema, "strict": True}
    answer = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": True}}
    body = {"model": "m", "tools": [{"type": "function", "function": function}], "response_format": answer}
    raw = json.dumps(body).encode()
    assert json.loads(patch(raw)) == {**body, "model": "up-model"}
    cleaned = json.loads(patch(raw, plain_schemas=True))
    plain = {"type": "object", "properties": {"format": {"type": "string"}}}
    assert cleaned["tools"][0]["function"] == {"name": "f", "parameters": plain}
    assert cleaned["response_format"]["json_schema"] == {"name": "a", "schema": plain}


@pytest.mark.parametrize("tools", ["x", [1, {}, {"function": 2}, {"function": {"parameters": []}}, {"function": {}}]])
def test_tools_that_are_none_are_left_to_a_strict_server_too(patch: Any, tools: Any) -> None:
    raw = json.dumps({"model": "m", "tools": tools, "response_format": None}).encode()
    assert json.loads(patch(raw, plain_schemas=True)) == {"model": "up-model", "tools": tools, "response_format": None}


def test_usage_is_asked_for_in_a_stream_beside_other_options(patch: Any) -> None:
    patched = patch(b'{"model":"m","stream":true,"stream_options":{"include_obfuscation": false}}')
    assert patched.endswith(b'"stream_options":{"include_obfuscation":false,"include_usage":true}}')
    asked = b'"stream_options":{"include_usage": true}}'
    assert patch(b'{"model":"m","stream":true,' + asked).endswith(asked)
    assert b"include_usage" in patch(b'{"model":"m","stream":true,"stream_options":null}')
    assert b"stream_options" not in patch(b'{"model":"m","stream":true}', usage_in_stream=False)


def test_stream_options_without_a_stream_are_taken_away(patch: Any) -> None:
    for stream in (b"false", b"null"):
        raw = b'{"model":"m","stream":' + stream + b',"stream_options":{"include_usage":true}}'
        assert b"stream_options" not in patch(raw)


def test_empty_tools_go_and_what_needs_them(patch: Any) -> None:
    assert (
        patch(b'{"model":"m","tools":[ ],"tool_choice":"auto","parallel_tool_calls":true}') == b'{"model":"up-model"}'
    )
    assert b'"tool_choice"' in patch(b'{"model":"m","tools":[{}],"tool_choice":"auto"}')


def test_the_limit_gets_the_name_that_the_upstream_takes(patch: Any) -> None:
    newer = {"max_tokens_field": "max_completion_tokens"}
    assert (
        patch(b'{"model":"m","max_tokens":5,"n":1}', **newer) == b'{"model":"up-model","max_completion_tokens":5,"n":1}'
    )
    assert patch(b'{"model":"m","max_completion_tokens":5}') == b'{"model":"up-model","max_tokens":5}'
    both = b'{"model":"m","max_tokens":5,"max_completion_tokens":7}'
    assert patch(both, **newer) == b'{"model":"up-model","max_completion_tokens":7}'
    assert patch(both) == b'{"model":"up-model","max_tokens":7}'
    assert patch(b'{"model":"m","max_tokens":5}') == b'{"model":"up-model","max_tokens":5}'


def test_our_envelopes_never_go_upstream(patch: Any, upstream: Any) -> None:
    side = upstream()
    own = json.dumps({"type": "reasoning.text", "signature": "s", "index": 0})
    details = [
        {
            "type": "reasoning.text",
            "text": "hm",
            "signature": side.sealer.seal(own, family="openrouter", account="acme"),
        },
        {"type": "reasoning.text", "text": "x", "signature": side.sealer.seal("sig", family="anthropic")},
        {"type": "reasoning.text", "text": "y", "signature": "the caller's own"},
    ]
    foreign = {"role": "assistant", "content": "b", "reasoning_details": details[1:2]}
    messages = [
        {"role": "assistant", "content": "a", "reasoning_details": details},
        foreign,
        {"role": "user", "content": "é"},
    ]
    patched = json.loads(patch(json.dumps({"model": "m", "messages": messages}).encode(), side))
    assert b"gwr1." not in json.dumps(patched).encode()
    assert patched["messages"][0]["reasoning_details"] == [
        {"type": "reasoning.text", "signature": "s", "index": 0, "text": "hm"},
        details[2],
    ]
    assert patched["messages"][1] == {"role": "assistant", "content": "b"}
    assert patched["messages"][2] == messages[2]


def test_the_operators_prompt_comes_first_and_once(patch: Any, upstream: Any) -> None:
    side = upstream()
    side.system_prompt = "Be brief."
    patched = patch(b'{"model":"m","messages":' + MESSAGES + b"}", side)
    assert patched.endswith(b'{"role":"user",  "content":"\\u00e9 1.0"}]}')
    assert json.loads(patched)["messages"][0] == {"role": "system", "content": "Be brief."}
    assert patch(patched, side) == patched


def test_the_operators_cap_holds(patch: Any, upstream: Any) -> None:
    side = upstream()
    side.max_output = 10
    assert json.loads(patch(b'{"model":"m","max_tokens":99}', side))["max_tokens"] == 10
    assert [note.path for note in side.notes.items] == ["max_tokens"]
    assert json.loads(patch(b'{"model":"m","max_tokens":9}', side))["max_tokens"] == 9
    assert json.loads(patch(b'{"model":"m"}', side))["max_tokens"] == 10


# --- tap


def listen(data: bytes, body: bytes = b'{"stream":true}') -> tuple[Tap, bytes]:
    """The tap after a stream, and what was relayed."""
    tap, reader = OPENAI_CHAT.tap(Body(body)), FrameReader()
    frames = [*reader.feed(data), *reader.close()]
    return tap, b"".join(frame.raw for frame in frames if tap.feed(frame))


@pytest.fixture
def stream(sse: Any, chunk: Any) -> bytes:
    usage = {"id": "chatcmpl-1", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    return sse(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "a"}),
        chunk({}, finish="length"),
        usage,
        "[DONE]",
    )


def test_the_usage_chunk_is_kept_from_callers_who_did_not_ask(stream: bytes) -> None:
    tap, relayed = listen(stream)
    assert b'"usage"' not in relayed
    assert relayed.endswith(b"data: [DONE]\n\n")
    for options in (b'{"include_usage":true}', b'{"include_usage": true,"x":1}'):
        assert listen(stream, b'{"stream_options":' + options + b"}")[1] == stream
    for options in (b"null", b"7", b"{}", b'{"include_usage":false}'):
        assert listen(stream, b'{"stream_options":' + options + b"}")[1] == relayed
    assert tap.glimpse.usage is not None
    assert (tap.glimpse.usage.fresh_input, tap.glimpse.usage.output) == (3, 2)


def test_what_the_books_need(stream: bytes) -> None:
    tap, _ = listen(stream)
    assert (tap.glimpse.id, tap.glimpse.model, tap.glimpse.error) == ("chatcmpl-1", "gpt", None)
    assert tap.glimpse.finish is not None
    assert (tap.glimpse.finish.kind, tap.glimpse.finish.raw) == (FinishKind.LENGTH, "length")
    assert tap.is_done


def test_usage_in_a_chunk_with_content_is_relayed(sse: Any, chunk: Any) -> None:
    data = sse(chunk({"content": "a"}, usage={"prompt_tokens": 1}))
    tap, relayed = listen(data)
    assert relayed == data
    assert not tap.is_done


@pytest.mark.parametrize(
    ("delta", "is_content"),
    [
        ({"role": "assistant", "content": ""}, False),
        ({"content": "a"}, True),
        ({"reasoning_content": "a"}, True),
        ({"reasoning": "a"}, True),
        ({"refusal": "a"}, True),
        ({"tool_calls": [{}]}, True),
        ({"function_call": {"name": "f"}}, True),
        ({"content": [{"type": "text"}]}, True),
        (None, False),
    ],
)
def test_content_is_told_from_preliminaries(sse: Any, chunk: Any, delta: Any, is_content: bool) -> None:
    assert listen(sse(chunk(delta)))[0].has_content is is_content


def test_errors_in_the_stream_are_seen(sse: Any, chunk: Any) -> None:
    for data in (sse({"error": {"message": "busy", "code": 503}}), sse(chunk({}, finish="error"))):
        tap, relayed = listen(data)
        assert isinstance(tap.glimpse.error, UpstreamRefused)
        assert relayed == data
    named = b'event: error\ndata: {"message":"busy"}\n\n'
    tap, relayed = listen(named)
    assert tap.glimpse.error is not None
    assert (tap.glimpse.error.message, relayed) == ("busy", named)


def test_the_tap_raises_nothing_and_relays_what_it_cannot_read() -> None:
    data = b'data: {\n\ndata: 7\n\n: note\n\ndata: {"choices":[{"delta":7}]}\n\ndata: {"usage":"x","id":7}\n\n'
    assert listen(data)[1] == data


# --- glimpse


def glimpse(value: Any) -> Any:
    return OPENAI_CHAT.glimpse(value if isinstance(value, bytes) else json.dumps(value).encode())


def test_a_whole_answer_at_a_glimpse() -> None:
    choice = {"index": 0, "message": {"content": "a"}, "finish_reason": "stop"}
    seen = glimpse({"id": "x", "model": "m", "choices": [choice], "usage": {"prompt_tokens": 3}})
    assert (seen.id, seen.model, seen.usage.fresh_input, seen.finish.raw, seen.error) == ("x", "m", 3, "stop", None)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"error": {"message": "no"}}, UpstreamRefused),
        ({"error": {"message": "no"}, "choices": 7}, UpstreamRefused),
        ({"choices": [{"message": {}, "finish_reason": "error"}]}, UpstreamRefused),
        ({"choices": []}, UpstreamBroken),
        ({}, UpstreamBroken),
        ([], UpstreamBroken),
        (b"<html>", UpstreamBroken),
    ],
)
def test_what_is_no_answer_is_an_error(answer: Any, kind: type) -> None:
    assert isinstance(glimpse(answer).error, kind)
