"""A caller's Chat body as IR."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from proxyapp.dialects.contract import Body, ClientSide, Peek
from proxyapp.dialects.openai_chat import OPENAI_CHAT
from proxyapp.errors import BadRequest
from proxyapp.ir import parts as p

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 40).decode()
PDF = base64.b64encode(b"%PDF-1.7 and so on").decode()


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def part(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, **fields}


# --- envelope


def test_peek_reads_model_and_stream() -> None:
    assert OPENAI_CHAT.peek(Body(b'{"model":"m","stream":true}')) == Peek(model="m", stream=True)
    assert OPENAI_CHAT.peek(Body(b'{"model":"m"}')) == Peek(model="m", stream=False)
    assert OPENAI_CHAT.peek(Body(b'{"model":"m","stream":null}')).stream is False


@pytest.mark.parametrize("raw", [b"{}", b'{"model":""}', b'{"model":7}', b'{"model":"m","stream":"yes"}'])
def test_peek_refuses_in_words(raw: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        OPENAI_CHAT.peek(Body(raw))
    assert caught.value.param in ("model", "stream")


def test_unknown_fields_are_kept_as_extras(parse: Any) -> None:
    request = parse(logit_magic=1, prediction={"type": "content"}, seed=3, nothing=None)
    assert request.extras == {"logit_magic": 1, "prediction": {"type": "content"}}
    assert request.seed == 3


# --- messages


def test_leading_instructions_are_system_texts_and_later_ones_stay_in_place(parse: Any) -> None:
    request = parse(
        messages=[
            {"role": "system", "content": "one"},
            {"role": "developer", "content": [part("text", text="two"), part("text", text="three")]},
            user("hi"),
            {"role": "system", "content": "late"},
        ]
    )
    assert [(text.text, text.meta["author"]) for text in request.system] == [
        ("one", "system"),
        ("two", "developer"),
        ("three", "developer"),
    ]
    assert [(turn.role, turn.author, turn.path) for turn in request.turns] == [
        ("user", None, "messages.2"),
        ("system", "system", "messages.3"),
    ]


def test_tool_messages_that_follow_each_other_are_one_user_turn(parse: Any) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    request = parse(
        messages=[
            user("hi"),
            {"role": "assistant", "content": None, "tool_calls": [call, {**call, "id": "c2"}]},
            {"role": "tool", "tool_call_id": "c1", "content": "one"},
            {"role": "tool", "tool_call_id": "c2", "content": [part("text", text="two")], "name": "f"},
            user("and?"),
        ]
    )
    results, said = request.turns[2:]
    assert results.parts == [
        p.ToolResult(call_id="c1", parts=[p.Text(text="one")]),
        p.ToolResult(call_id="c2", parts=[p.Text(text="two")], name="f"),
    ]
    assert (results.role, said.parts) == ("user", [p.Text(text="and?")])


def test_old_function_messages_find_their_call_by_name(parse: Any) -> None:
    request = parse(
        messages=[
            user("hi"),
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "done"},
        ]
    )
    call, result = request.turns[1].parts[0], request.turns[2].parts[0]
    assert (call.name, result.call_id, result.name) == ("f", call.id, "f")


def test_an_assistant_message_is_reasoning_then_text_then_calls(parse: Any) -> None:
    request = parse(
        messages=[
            user("hi"),
            {
                "role": "assistant",
                "content": [part("text", text="a"), part("refusal", refusal="no")],
                "reasoning_content": "hm",
                "name": "bo",
                "audio": {"id": "audio_1"},
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}},
                    {"id": "c2", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}},
                ],
            },
        ]
    )
    turn = request.turns[1]
    assert turn.name == "bo"
    assert turn.parts == [
        p.Reasoning(text="hm"),
        p.Text(text="a"),
        p.Refusal(text="no"),
        p.Audio(source=p.Source(kind="file", data="audio_1")),
        p.ToolCall(id="c1", name="f", arguments='{"a":1}'),
        p.ToolCall(id="c2", name="patch", arguments="*** Begin", kind="custom"),
    ]


def test_sealed_proofs_come_back_as_the_vendors_own(parse: Any, caller: ClientSide) -> None:
    sealed = caller.sealer.seal("sig", family="anthropic", group="claude", account="acme")
    hidden = caller.sealer.seal("data", family="anthropic", group="claude", account="acme")
    details = [
        {"type": "reasoning.text", "index": 0, "text": "hm", "signature": sealed},
        {"type": "reasoning.encrypted", "index": 1, "data": hidden},
    ]
    message = {"role": "assistant", "content": "a", "reasoning_content": "hm", "reasoning_details": details}
    thought, redacted, said = parse(messages=[user("hi"), message]).turns[1].parts
    assert (thought.text, thought.signature, thought.family) == ("hm", "sig", "anthropic")
    assert thought.meta["proof"]["group"] == "claude"
    assert (redacted.redacted, redacted.signature) == (True, "data")
    assert said == p.Text(text="a")


def test_an_altered_envelope_leaves_only_the_text(parse: Any, caller: ClientSide) -> None:
    sealed = caller.sealer.seal("sig", family="anthropic")[:-2] + "xx"
    details = [
        {"type": "reasoning.text", "text": "hm", "signature": sealed},
        {"type": "reasoning.encrypted", "data": sealed},
        "nonsense",
    ]
    message = {"role": "assistant", "content": "a", "reasoning_details": details}
    assert parse(messages=[user("hi"), message]).turns[1].parts == [p.Reasoning(text="hm"), p.Text(text="a")]


def test_media_of_all_kinds(parse: Any) -> None:
    content = [
        part("image_url", image_url={"url": f"data:image/jpeg;base64,{PNG}", "detail": "low"}),
        part("image_url", image_url="https://example.com/a.png"),
        part("input_audio", input_audio={"data": "AAAA", "format": "mp3"}),
        part("file", file={"file_data": PDF, "filename": "a.pdf"}),
        part("file", file={"file_id": "file-1"}),
        part("file", file={"file_data": "data:text/plain;base64,aGk=", "filename": "a.txt"}),
        part("video_url", video_url={"url": "https://example.com/v.mp4"}),
    ]
    parts = parse(messages=[user(content)]).turns[0].parts
    assert parts == [
        p.Image(source=p.Source(kind="base64", data=PNG, mime="image/png"), detail="low"),
        p.Image(source=p.Source(kind="url", data="https://example.com/a.png")),
        p.Audio(source=p.Source(kind="base64", data="AAAA", mime="audio/mpeg")),
        p.Document(source=p.Source(kind="base64", data=PDF, mime="application/pdf"), title="a.pdf"),
        p.Document(source=p.Source(kind="file", data="file-1")),
        p.Document(source=p.Source(kind="text", data="hi", mime="text/plain"), title="a.txt"),
        p.Opaque(dialect="openai-chat", raw=content[6]),
    ]


@pytest.mark.parametrize(
    "url",
    [
        f"DATA:image/png;charset=x;BASE64,{PNG}",
        f"data:image/jpg;base64,{PNG[:20]}\n{PNG[20:]}",
        f"data:;base64,{PNG.rstrip('=')}",
    ],
)
def test_data_urls_are_read_as_people_write_them(parse: Any, url: str) -> None:
    (image,) = parse(messages=[user([part("image_url", image_url={"url": url})])]).turns[0].parts
    assert image.source == p.Source(kind="base64", data=PNG, mime="image/png")


def test_url_safe_base64_becomes_standard(parse: Any) -> None:
    (image,) = (
        parse(messages=[user([part("image_url", image_url={"url": "data:image/bmp;base64,_-8"})])]).turns[0].parts
    )
    assert image.source == p.Source(kind="base64", data="/+8=", mime="image/bmp")


def test_a_jpg_is_a_jpeg(parse: Any) -> None:
    (image,) = (
        parse(messages=[user([part("image_url", image_url={"url": "data:image/jpg;base64,AAAA"})])]).turns[0].parts
    )
    assert image.source.mime == "image/jpeg"


def test_cache_points_are_read_in_both_spellings(parse: Any) -> None:
    content = [
        part("text", text="a", prompt_cache_breakpoint={"mode": "explicit", "ttl": "12h"}),
        part("text", text="b", prompt_cache_breakpoint={"mode": "explicit"}),
        part("text", text="c", cache_control={"type": "ephemeral", "ttl": "1h"}),
        part("text", text="d", cache_control={"type": "ephemeral"}),
        part("text", text="e"),
    ]
    request = parse(messages=[user(content), {**user("f"), "cache_control": {"type": "ephemeral"}}])
    assert [each.cache for each in request.turns[0].parts] == ["12h", "30m", "1h", "5m", None]
    assert request.turns[1].parts[0].cache == "5m"


@pytest.mark.parametrize(
    ("messages", "path"),
    [
        (None, "messages"),
        ([], "messages"),
        ("hi", "messages"),
        (["hi"], "messages.0"),
        ([{"content": "hi"}], "messages.0.role"),
        ([{"role": "wizard", "content": "hi"}], "messages.0.role"),
        ([user(7)], "messages.0.content"),
        ([user(None)], "messages.0.content"),
        ([user([7])], "messages.0.content.0"),
        ([user([{}])], "messages.0.content.0.type"),
        ([user([part("text")])], "messages.0.content.0.text"),
        ([user([part("image_url")])], "messages.0.content.0.image_url.url"),
        ([user([part("image_url", image_url={"url": "ftp://x"})])], "messages.0.content.0.image_url.url"),
        (
            [user([part("image_url", image_url={"url": "data:image/png;base64,!!"})])],
            "messages.0.content.0.image_url.url",
        ),
        ([user([part("image_url", image_url={"url": "data:;base64,AAAA"})])], "messages.0.content.0.image_url.url"),
        ([user([part("file", file={})])], "messages.0.content.0.file"),
        ([user([part("input_audio", input_audio={})])], "messages.0.content.0.input_audio.data"),
        ([{"role": "system", "content": [part("image_url", image_url="https://x")]}], "messages.0.content.0"),
        ([{"role": "tool", "content": "x"}], "messages.0.tool_call_id"),
        ([{"role": "function", "content": "x"}], "messages.0.name"),
        ([{"role": "assistant", "tool_calls": {}}], "messages.0.tool_calls"),
        ([{"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}], "messages.0.tool_calls.0.id"),
        ([{"role": "assistant", "tool_calls": [{"id": "c"}]}], "messages.0.tool_calls.0.function"),
        ([{"role": "assistant", "tool_calls": [{"id": "c", "function": {}}]}], "messages.0.tool_calls.0.function.name"),
    ],
)
def test_a_malformed_message_is_named_by_its_path(parse: Any, messages: Any, path: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(messages=messages)
    assert caught.value.param == path
    assert caught.value.message.endswith(".")


def test_pdfs_and_pictures_are_taken_wherever_they_are_put(parse: Any) -> None:
    content = [
        part("image_url", image_url={"url": f"data:application/pdf;base64,{PDF}"}),
        part("file", file={"file_data": f"data:application/octet-stream;base64,{PNG}"}),
        part("file", file={"file_data": "data:text/plain;base64,//8="}),
        part("thinking", thinking="hm"),
        "bare",
    ]
    assert parse(messages=[user(content)]).turns[0].parts == [
        p.Document(source=p.Source(kind="base64", data=PDF, mime="application/pdf")),
        p.Image(source=p.Source(kind="base64", data=PNG, mime="image/png")),
        p.Document(source=p.Source(kind="base64", data="//8=", mime="text/plain")),
        p.Reasoning(text="hm"),
        p.Text(text="bare"),
    ]


def test_a_refusal_and_a_cache_point_on_a_result(parse: Any) -> None:
    said = part("text", text="x", cache_control={"type": "ephemeral"})
    turns = parse(
        messages=[
            {"role": "assistant", "content": None, "refusal": "no"},
            {"role": "tool", "tool_call_id": "c", "content": [said]},
        ]
    ).turns
    assert turns[0].parts == [p.Refusal(text="no")]
    assert (turns[1].parts[0].cache, turns[1].parts[0].parts[0].cache) == ("5m", None)
