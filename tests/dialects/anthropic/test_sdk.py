"""What we give to callers, read by the official SDK: its stream accumulator raises on gaps, order and bad arguments."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.types import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxyapp.dialects import jsonio
from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.contract import ClientSide
from proxyapp.dialects.signatures import Sealer
from proxyapp.errors import LimitReached, UpstreamBroken
from proxyapp.ir import events as ev
from proxyapp.ir import parts as p
from proxyapp.ir.fold import fold, unfold
from proxyapp.ir.request import Request
from proxyapp.ir.response import Finish, FinishKind, Response
from proxyapp.ir.usage import Usage

NAME = "anthropic-messages"
SEALER = Sealer(b"k" * 32)
ASKED: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}


def a_client(answer: Callable[[httpx2.Request], httpx2.Response]) -> anthropic.Anthropic:
    transport = httpx2.MockTransport(answer)
    return anthropic.Anthropic(
        api_key="x", base_url="http://gateway.test", max_retries=0, http_client=httpx2.Client(transport=transport)
    )


def streamed(raw: bytes) -> anthropic.Anthropic:
    return a_client(lambda _: httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=raw))


def a_side() -> ClientSide:
    return ClientSide(sealer=SEALER, new_id=lambda: "A" * 24)


def encoded(events: list[ev.Event]) -> bytes:
    encoder = ANTHROPIC.encoder(Request(client_dialect=NAME, model="m", stream=True), a_side())
    return b"".join(encoder.encode(event) for event in events)


WHOLE = Response(
    id="msg_1",
    model="claude",
    parts=[
        p.Reasoning(text="hm", signature="gAAAA", family="openai"),
        p.Reasoning(text="bare"),
        p.Text(text="hello "),
        p.ToolCall(id="call:1", name="f", arguments='{"a":[1,2],"b":"é"}'),
        p.ToolCall(id="call:1", name="patch", arguments='raw "text"', kind="custom"),
        p.ToolCall(id="c3", name="g"),
        p.ToolCall(id="c4", name="h", arguments="no json"),
        p.Text(text="world"),
    ],
    finish=Finish(kind=FinishKind.TOOL_CALLS),
    usage=Usage(fresh_input=5, cache_read=7, output=11, reasoning=3, web_searches=1),
)


def test_xl_180a_the_sdk_reads_every_kind_of_part_from_a_stream() -> None:
    with streamed(encoded(list(unfold(WHOLE)))).messages.stream(**ASKED) as stream:
        message = stream.get_final_message()
    assert [block.type for block in message.content] == [
        "thinking",
        "thinking",
        "text",
        "tool_use",
        "tool_use",
        "tool_use",
        "tool_use",
        "text",
    ]
    inputs = [block.input for block in message.content if block.type == "tool_use"]
    assert inputs == [{"a": [1, 2], "b": "é"}, {"input": 'raw "text"'}, {}, {"_raw": "no json"}]
    assert message.stop_reason == "tool_use"
    assert (message.usage.input_tokens, message.usage.cache_read_input_tokens, message.usage.output_tokens) == (
        5,
        7,
        11,
    )


def test_the_sdk_reads_the_same_from_a_whole_answer() -> None:
    body = ANTHROPIC.render_response(WHOLE, Request(client_dialect=NAME, model="m"), a_side())
    Message.model_validate(body)
    client = a_client(lambda _: httpx2.Response(200, json=body))
    message = client.messages.create(**ASKED)
    with streamed(encoded(list(unfold(WHOLE)))).messages.stream(**ASKED) as stream:
        other = stream.get_final_message()
    assert [block.to_dict() for block in message.content] == [
        {key: value for key, value in block.to_dict().items() if key != "parsed_output"} for block in other.content
    ]
    assert message.usage == other.usage
    assert (message.stop_reason, message.stop_details) == (other.stop_reason, other.stop_details)


@pytest.mark.parametrize("kind", [kind for kind in FinishKind if kind is not FinishKind.MALFORMED])
def test_the_sdk_knows_every_stop_reason_we_give(kind: FinishKind) -> None:
    response = Response(parts=[p.Text(text="a")], finish=Finish(kind=kind, explanation="why"))
    Message.model_validate(ANTHROPIC.render_response(response, Request(client_dialect=NAME, model="m"), a_side()))


def test_an_empty_answer_is_still_one() -> None:
    events: list[ev.Event] = [ev.Started(), ev.Finished(Finish(kind=FinishKind.END))]
    with streamed(encoded(events)).messages.stream(**ASKED) as stream:
        message = stream.get_final_message()
    assert (message.content, message.stop_reason) == ([], "end_turn")


def test_the_sdk_raises_on_our_error_event() -> None:
    events = [ev.Started(), ev.PartStarted(p.Text(text="")), ev.TextDelta("a"), ev.Failed(UpstreamBroken("cut off"))]
    with (
        pytest.raises(anthropic.APIStatusError, match="cut off"),
        streamed(encoded(events)).messages.stream(**ASKED) as stream,
    ):
        stream.get_final_message()


def test_the_sdk_knows_our_error_body() -> None:
    status, body = ANTHROPIC.render_error(LimitReached("slow down"), "req_1")
    client = a_client(lambda _: httpx2.Response(status, json=body))
    with pytest.raises(anthropic.RateLimitError) as caught:
        client.messages.create(**ASKED)
    assert caught.value.type == "rate_limit_error"


def test_the_sdks_own_requests_are_understood() -> None:
    seen: list[dict[str, Any]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(json.loads(request.content))
        body = ANTHROPIC.render_response(WHOLE, Request(client_dialect=NAME, model="m"), a_side())
        return httpx2.Response(200, json=body)

    client = a_client(answer)
    first = client.messages.create(**ASKED)
    history = [*ASKED["messages"], {"role": "assistant", "content": first.content}]
    client.messages.create(**{**ASKED, "messages": history})
    request = ANTHROPIC.parse_request(seen[1], a_side())
    kinds = [type(part) for part in request.turns[1].parts]
    assert kinds == [p.Reasoning, p.Reasoning, p.Text, p.ToolCall, p.ToolCall, p.ToolCall, p.ToolCall, p.Text]
    assert request.turns[1].parts[0] == p.Reasoning(
        text="hm",
        signature="gAAAA",
        family="openai",
        meta={"proof": {"group": "", "account": "e3b0c442"}},
    )


# --- properties

WORDS = st.text(st.characters(codec="utf-8"), max_size=8)
OBJECTS = st.dictionaries(WORDS, WORDS | st.integers(-(2**53), 2**53) | st.booleans(), max_size=3)
PARTS = st.lists(
    st.one_of(
        st.builds(p.Text, text=WORDS),
        st.builds(p.Refusal, text=WORDS),
        st.builds(p.Reasoning, text=WORDS),
        st.builds(p.Reasoning, text=WORDS, signature=st.text("abc", min_size=1), family=st.just("anthropic")),
        st.builds(
            p.ToolCall,
            id=st.text(max_size=4),
            name=st.text("abc", min_size=1, max_size=3),
            arguments=OBJECTS.map(jsonio.text) | st.just(""),
        ),
        st.builds(p.ToolCall, id=st.text(max_size=4), name=st.just("p"), arguments=WORDS, kind=st.just("custom")),
        st.builds(
            p.Opaque, dialect=st.sampled_from([NAME, "x"]), raw=st.just({"type": "container_upload", "file_id": "f"})
        ),
    ),
    max_size=5,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(PARTS)
def test_whatever_is_answered_the_sdk_reads_the_same_from_stream_and_body(parts: list[p.Part]) -> None:
    response = Response(id="msg_1", model="m", parts=parts, finish=Finish(kind=FinishKind.END))
    numbers = iter(range(10_000))

    def side() -> ClientSide:
        return ClientSide(sealer=SEALER, new_id=lambda: f"{next(numbers):024d}")

    body = ANTHROPIC.render_response(response, Request(client_dialect=NAME, model="m"), side())
    encoder = ANTHROPIC.encoder(Request(client_dialect=NAME, model="m"), side())
    raw = b"".join(encoder.encode(event) for event in unfold(response))
    with streamed(raw).messages.stream(**ASKED) as stream:
        message = stream.get_final_message()
    got = [block.to_dict() for block in message.content]
    for one, other in zip(got, body["content"], strict=True):
        one.pop("parsed_output", None)
        if one["type"] == "tool_use" and one["id"].startswith("toolu_"):
            one["id"] = other["id"] = "minted"
        assert one == other
    assert message.stop_reason == body["stop_reason"]


@settings(deadline=None, max_examples=60)
@given(PARTS)
def test_an_answer_survives_the_way_over_this_wire(parts: list[p.Part]) -> None:
    """Encode for a caller, decode as an upstream's: the same text, thinking and arguments come out."""
    from proxyapp.dialects.contract import Profile, UpstreamSide
    from proxyapp.dialects.sse import FrameReader

    response = Response(id="msg_1", model="m", parts=parts, finish=Finish(kind=FinishKind.END))
    encoder = ANTHROPIC.encoder(Request(client_dialect=NAME, model="m"), a_side())
    decoder = ANTHROPIC.decoder(UpstreamSide(profile=Profile(), sealer=SEALER, wrapped_tools={"p"}))
    events = [
        event
        for frame in FrameReader().feed(b"".join(encoder.encode(event) for event in unfold(response)))
        for event in decoder.feed(frame)
    ]
    back = fold([*events, *decoder.close()])

    def said(found: list[p.Part]) -> list[Any]:
        return [
            (part.name, part.arguments) if isinstance(part, p.ToolCall) else part.text  # type: ignore[attr-defined]
            for part in found
            if isinstance(part, p.ToolCall) or getattr(part, "text", "")
        ]

    assert said(back.parts) == said(parts)
