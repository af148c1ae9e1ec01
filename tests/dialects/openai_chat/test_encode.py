"""Events as the bytes of a Chat stream, read by the official SDK."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk, ParsedChatCompletion

from proxyapp.dialects.contract import ClientSide
from proxyapp.dialects.openai_chat import OPENAI_CHAT
from proxyapp.errors import UpstreamBroken, UpstreamRefused
from proxyapp.ir import events as ev
from proxyapp.ir import parts as p
from proxyapp.ir.fold import unfold
from proxyapp.ir.request import Request, Tool
from proxyapp.ir.response import Finish, FinishKind, Response
from proxyapp.ir.usage import Usage

END = Finish(kind=FinishKind.END, raw="stop")


def whole(part: p.Part, *deltas: ev.Event) -> list[ev.Event]:
    return [ev.PartStarted(part), *deltas, ev.PartEnded()]


def text(*pieces: str) -> list[ev.Event]:
    return whole(p.Text(text=""), *map(ev.TextDelta, pieces))


def call(call_id: str, *pieces: str, **more: Any) -> list[ev.Event]:
    return whole(p.ToolCall(id=call_id, name="f", **more), *map(ev.ArgumentsDelta, pieces))


def stream(*parts: list[ev.Event], finish: Finish = END, usage: Usage | None = None) -> list[ev.Event]:
    inner = [event for part in parts for event in part]
    counts = [] if usage is None else [ev.UsageGiven(usage)]
    return [ev.Started("msg_1", "claude", 5), *inner, *counts, ev.Finished(finish)]


def asked(**fields: Any) -> Request:
    return Request(client_dialect="openai-chat", model="asked", stream=True, **fields)


@pytest.fixture
def sdk(chunks_of: Any) -> Any:
    """Our bytes through the official SDK's accumulator; chunks are held to its types."""

    def run(data: bytes) -> ParsedChatCompletion[Any]:
        state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
        for chunk in chunks_of(data):
            if isinstance(chunk, dict) and "error" not in chunk:
                list(state.handle_chunk(ChatCompletionChunk.model_validate(chunk)))
        return state.current_completion_snapshot

    return run


def test_a_text_stream_chunk_by_chunk(encode: Any, chunks_of: Any) -> None:
    chunks = chunks_of(encode(stream(text("He", "llo é\n"))))
    assert chunks[-1] == "[DONE]"
    for chunk in chunks[:-1]:
        assert (chunk["id"], chunk["object"], chunk["created"], chunk["model"]) == (
            "msg_1",
            "chat.completion.chunk",
            5,
            "claude",
        )
        assert "usage" not in chunk
    choices = [chunk["choices"][0] for chunk in chunks[:-1]]
    assert [choice["delta"] for choice in choices] == [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": "He"},
        {"content": "llo é\n"},
        {},
    ]
    assert [choice["finish_reason"] for choice in choices] == [None, None, None, "stop"]
    assert all(choice["logprobs"] is None and choice["index"] == 0 for choice in choices)


def test_usage_comes_last_and_only_when_asked_for(encode: Any, chunks_of: Any, sdk: Any) -> None:
    events = stream(text("a"), usage=Usage(fresh_input=10, cache_read=90, output=7, reasoning=3))
    data = encode(events, asked(include_usage=True))
    *chunks, usage, done = chunks_of(data)
    assert done == "[DONE]"
    assert all(chunk["usage"] is None for chunk in chunks)
    assert usage["choices"] == []
    assert usage["usage"]["prompt_tokens"] == 100
    assert usage["usage"]["prompt_tokens_details"] == {"cached_tokens": 90}
    assert sdk(data).usage.total_tokens == 107
    assert all("usage" not in chunk for chunk in chunks_of(encode(events))[:-1])


def test_no_usage_chunk_is_made_up(encode: Any, chunks_of: Any) -> None:
    chunks = chunks_of(encode(stream(text("a")), asked(include_usage=True)))
    assert all(chunk["choices"] for chunk in chunks[:-1])


def test_parallel_calls_are_numbered_in_order(encode: Any, sdk: Any) -> None:
    finish = Finish(kind=FinishKind.TOOL_CALLS)
    data = encode(stream(text("a"), call("c0", '{"a"', ":1}"), text("b"), call("c1"), finish=finish))
    choice = sdk(data).choices[0]
    assert choice.message.content == "ab"
    assert [(each.id, each.function.name, each.function.arguments) for each in choice.message.tool_calls] == [
        ("c0", "f", '{"a":1}'),
        ("c1", "f", "{}"),
    ]
    assert choice.finish_reason == "tool_calls"


def test_an_answer_of_calls_alone_has_null_content(encode: Any, sdk: Any) -> None:
    assert sdk(encode(stream(call("c0", "{}"), finish=Finish(kind=FinishKind.END)))).choices[0].message.content is None


def test_reasoning_with_proofs_goes_through_the_sdk(encode: Any, sdk: Any, caller: ClientSide) -> None:
    meta = {"proof": {"group": "claude", "account": "acme"}}
    thoughts = [
        whole(
            p.Reasoning(meta=meta),
            ev.ReasoningDelta("h"),
            ev.ReasoningDelta(text_),
            ev.SignatureDelta("s" + text_, "anthropic"),
        )
        for text_ in ("1", "2")
    ]
    hidden = whole(p.Reasoning(redacted=True, signature="data", family="anthropic", meta=meta))
    message = sdk(encode(stream(thoughts[0], hidden, text("a"), thoughts[1], text("b")))).choices[0].message
    assert (message.content, message.reasoning_content) == ("ab", "h1h2")
    first, second, third = message.reasoning_details
    assert [entry["type"] for entry in (first, second, third)] == [
        "reasoning.text",
        "reasoning.encrypted",
        "reasoning.text",
    ]
    assert (first["text"], third["text"]) == ("h1", "h2")
    opened = [caller.sealer.open(entry.get("signature") or entry.get("data")) for entry in (first, second, third)]
    assert [proof.payload for proof in opened if proof] == ["s1", "data", "s2"]


def test_reasoning_can_be_switched_off(encode: Any, chunks_of: Any, caller: ClientSide) -> None:
    hushed = ClientSide(sealer=caller.sealer, show_reasoning=False)
    thought = whole(p.Reasoning(), ev.ReasoningDelta("h"), ev.SignatureDelta("s", "anthropic"))
    deltas = [
        chunk["choices"][0]["delta"] for chunk in chunks_of(encode(stream(thought, text("a")), None, hushed))[:-1]
    ]
    assert deltas == [{"role": "assistant", "content": "", "refusal": None}, {"content": "a"}, {}]


def test_annotations_come_once_before_the_end(encode: Any, chunks_of: Any, sdk: Any) -> None:
    def cited(url: str, *pieces: str) -> list[ev.Event]:
        return whole(p.Text(text=""), *map(ev.TextDelta, pieces), ev.CitationGiven(p.Citation(url=url, title="T")))

    data = encode(stream(text("abc"), cited("u", "de"), cited("v", "f")))
    found = [chunk["choices"][0]["delta"].get("annotations") for chunk in chunks_of(data)[:-1]]
    (annotations,) = [each for each in found if each]
    assert [(each["url_citation"]["start_index"], each["url_citation"]["end_index"]) for each in annotations] == [
        (3, 5),
        (5, 6),
    ]
    assert sdk(data).choices[0].message.content == "abcdef"


def test_log_probabilities_travel_with_their_text(encode: Any, sdk: Any) -> None:
    tokens = [{"token": word, "logprob": -1.0, "bytes": None, "top_logprobs": []} for word in "ab"]
    part = whole(
        p.Text(text=""),
        ev.LogprobsGiven(tokens[:1]),
        ev.TextDelta("a"),
        ev.TextDelta("b"),
        ev.LogprobsGiven(tokens[1:]),
    )
    choice = sdk(encode(stream(part))).choices[0]
    assert choice.message.content == "ab"
    assert [each.token for each in choice.logprobs.content] == ["a", "b"]


def test_log_probabilities_of_a_refusal(encode: Any, sdk: Any) -> None:
    tokens = [{"token": "n", "logprob": -1.0, "bytes": None, "top_logprobs": []}]
    part = whole(p.Refusal(text=""), ev.LogprobsGiven(tokens), ev.TextDelta("no"))
    choice = sdk(encode(stream(part, finish=Finish(kind=FinishKind.REFUSAL)))).choices[0]
    assert (choice.message.refusal, choice.finish_reason) == ("no", "stop")
    assert [each.token for each in choice.logprobs.refusal] == ["n"]


def test_a_filtered_answer_gives_its_reason(encode: Any, sdk: Any) -> None:
    finish = Finish(kind=FinishKind.REFUSAL, explanation="policy")
    choice = sdk(encode(stream(finish=finish))).choices[0]
    assert (choice.message.refusal, choice.finish_reason) == ("policy", "content_filter")


def test_custom_calls_are_wrapped_whole(encode: Any, sdk: Any, caller: ClientSide) -> None:
    request = asked(tools=[Tool(name="f", kind="custom")])
    data = encode(stream(call("c0", 'x"', "\ny", kind="custom"), finish=Finish(kind=FinishKind.TOOL_CALLS)), request)
    (shown,) = sdk(data).choices[0].message.tool_calls
    assert (shown.type, json.loads(shown.function.arguments)) == ("function", {"input": 'x"\ny'})
    assert [note.path for note in caller.notes.items] == ["tools"]


def test_old_functions_get_the_old_deltas(encode: Any, chunks_of: Any, caller: ClientSide) -> None:
    events = stream(call("c0", '{"a"', ":1}"), call("c1", "{}"), finish=Finish(kind=FinishKind.TOOL_CALLS))
    chunks = chunks_of(encode(events, asked(legacy_functions=True)))[:-1]
    pieces = [chunk["choices"][0]["delta"].get("function_call") for chunk in chunks]
    assert [piece for piece in pieces if piece] == [
        {"name": "f", "arguments": ""},
        {"arguments": '{"a"'},
        {"arguments": ":1}"},
    ]
    assert chunks[-1]["choices"][0]["finish_reason"] == "function_call"
    assert [note.path for note in caller.notes.items] == ["functions"]


def test_hosted_calls_and_unknown_parts_are_not_shown(encode: Any, chunks_of: Any) -> None:
    hosted = whole(p.ServerCall(id="s", name="web_search"), ev.ArgumentsDelta('{"q":1}'))
    result = whole(p.ServerResult(call_id="s", dialect="x", raw={}))
    chunks = chunks_of(encode(stream(hosted, result, whole(p.Opaque(dialect="x", raw={})), text("a"))))
    assert len(chunks) == 4 + 0
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"


def test_audio_and_images(encode: Any, sdk: Any) -> None:
    audio = whole(p.Audio(source=p.Source(kind="base64", data="AAAA"), transcript="hi"))
    image = whole(p.Image(source=p.Source(kind="url", data="https://x/i.png")))
    message = sdk(encode(stream(audio, image, image))).choices[0].message
    assert (message.audio.data, message.audio.transcript) == ("AAAA", "hi")
    assert [entry["image_url"]["url"] for entry in message.images] == ["https://x/i.png"] * 2


def test_an_empty_answer_is_a_whole_stream(encode: Any, sdk: Any) -> None:
    choice = sdk(encode(stream())).choices[0]
    assert (choice.message.content, choice.finish_reason) == ("", "stop")


def test_a_failure_is_an_error_frame_and_no_end(encode: Any, chunks_of: Any) -> None:
    error = UpstreamRefused("overloaded", status=529, kind="overloaded_error", dialect="anthropic-messages")
    events = [ev.Started("a", "m"), ev.PartStarted(p.Text(text="")), ev.TextDelta("x"), ev.Failed(error), ev.Alive()]
    chunks = chunks_of(encode(events))
    assert chunks[-1] == {
        "error": {"message": "overloaded", "type": "server_error", "param": None, "code": "server_is_overloaded"}
    }


def test_fail_works_before_and_after_a_beginning(caller: ClientSide, chunks_of: Any) -> None:
    encoder = OPENAI_CHAT.encoder(asked(), caller)
    (frame,) = chunks_of(encoder.fail(UpstreamBroken("cut")))
    assert frame["error"].keys() == {"message", "type", "param", "code"}
    assert encoder.encode(ev.Started("a", "m")) == b""


@pytest.mark.parametrize("kind", [FinishKind.MALFORMED, FinishKind.OTHER])
def test_an_end_that_is_no_answer_is_no_end(encode: Any, kind: FinishKind) -> None:
    with pytest.raises(UpstreamBroken, match="ODD"):
        encode(stream(finish=Finish(kind=kind, raw="ODD")))


def test_nothing_follows_the_finish(encode: Any, chunks_of: Any) -> None:
    chunks = chunks_of(encode([*stream(text("a")), *text("late"), ev.Finished(END)]))
    assert chunks[-1] == "[DONE]"
    assert chunks.count("[DONE]") == 1


def test_events_before_started_still_make_whole_chunks(encode: Any, chunks_of: Any) -> None:
    chunk = chunks_of(encode(text("a")))[0]
    assert (chunk["id"], chunk["created"], chunk["model"]) == (
        "chatcmpl-000000000000000000000001",
        1_700_000_000,
        "asked",
    )


WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
PARTS = st.one_of(
    st.builds(p.Text, text=WORDS),
    st.builds(p.Reasoning, text=WORDS, signature=st.none() | WORDS, family=st.just("anthropic")),
    st.builds(p.Reasoning, redacted=st.just(True), signature=WORDS, family=st.just("anthropic")),
    st.builds(p.ToolCall, id=st.just("c"), name=WORDS, arguments=WORDS),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(parts=st.lists(PARTS, max_size=6))
def test_stream_and_whole_answer_say_the_same(
    encode: Any, sdk: Any, caller: ClientSide, parts: Iterable[p.Part]
) -> None:
    response = Response(id="x", model="m", created=1, parts=list(parts), finish=END)
    streamed = sdk(encode(unfold(response))).choices[0]
    body = OPENAI_CHAT.render_response(response, asked(), caller)["choices"][0]
    message = body["message"]
    assert (streamed.message.content or "") == (message["content"] or "")
    assert getattr(streamed.message, "reasoning_content", None) == message.get("reasoning_content")
    assert getattr(streamed.message, "reasoning_details", None) == message.get("reasoning_details")
    assert streamed.finish_reason == body["finish_reason"]
    calls = [(each.id, each.function.name, each.function.arguments) for each in streamed.message.tool_calls or []]
    assert calls == [
        (each["id"], each["function"]["name"], each["function"]["arguments"]) for each in message.get("tool_calls", [])
    ]
