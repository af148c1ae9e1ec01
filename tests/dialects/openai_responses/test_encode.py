"""Answers for Responses callers, whole and as streams, held to the specification and the official SDK."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import httpx
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxyapp.dialects.contract import ClientSide
from proxyapp.dialects.openai_responses import OPENAI_RESPONSES
from proxyapp.dialects.signatures import Sealer
from proxyapp.errors import InternalError, LimitReached, UpstreamRefused
from proxyapp.ir import events as ev
from proxyapp.ir import parts as p
from proxyapp.ir.fold import unfold
from proxyapp.ir.request import Request
from proxyapp.ir.response import Finish, FinishKind
from proxyapp.ir.response import Response as Answer
from proxyapp.ir.usage import Usage
from tests.corpus import schemas

NAME = "openai-responses"
Json = dict[str, Any]
END = Finish(kind=FinishKind.END)


def sdk(raw: bytes) -> Any:
    """The SDK's own accumulation of a stream."""
    transport = httpx.MockTransport(
        lambda request: httpx.Response(200, headers={"content-type": "text/event-stream"}, content=raw)
    )
    client = openai.OpenAI(api_key="k", http_client=httpx.Client(transport=transport))
    with client.responses.stream(model="m", input="hi") as events:
        return list(events)[-1].response


def whole(answer: Answer, caller: ClientSide, **fields: Any) -> Json:
    request = Request(client_dialect=NAME, model="asked", **fields)
    return OPENAI_RESPONSES.render_response(answer, request, caller)


def an_answer(*parts: p.Part, finish: Finish = END, **more: Any) -> Answer:
    return Answer(id="msg_up", model="up", created=7, parts=list(parts), finish=finish, **more)


PARTS: list[p.Part] = [
    p.Reasoning(text="Hm.", signature="EqQB", family="anthropic"),
    p.Text(text="Look: "),
    p.Text(text="here", citations=[p.Citation(url="https://a.example", title="A")]),
    p.ServerCall(id="srv_1", name="web_search", arguments='{"query":"x"}', dialect="anthropic-messages"),
    p.ServerResult(call_id="srv_1", dialect="anthropic-messages", raw={}),
    p.Refusal(text="No."),
    p.ToolCall(id="call_1", name="f", arguments='{"a":1}'),
    p.ToolCall(id="call_1", name="f"),
    p.Image(source=p.Source(kind="base64", data="QUJD", mime="image/png")),
]


def test_whole_answer_and_stream_say_the_same_and_the_sdk_reads_both(
    caller: ClientSide, encode: Callable[..., bytes], told: Callable[[bytes], list[Json]], sealer: Sealer
) -> None:
    answer = an_answer(*PARTS, usage=Usage(fresh_input=3, output=4))
    raw = encode(unfold(answer))
    for event in told(raw):
        assert schemas.fault(NAME, schemas.event(NAME, event), event) is None
    last = told(raw)[-1]["response"]
    assert [item["type"] for item in last["output"]] == [
        "reasoning", "message", "web_search_call", "message", "function_call", "function_call",
        "image_generation_call",
    ]  # fmt: skip
    assert [part["text"] for part in last["output"][1]["content"]] == ["Look: ", "here"]
    assert last["output"][1]["content"][1]["annotations"][0]["end_index"] == 4
    assert last["output"][2]["action"] == {"type": "search", "query": "x", "queries": ["x"]}
    assert len({item["call_id"] for item in last["output"][4:6]}) == 2
    assert last["output"][5]["arguments"] == "{}"
    proof = sealer.open(last["output"][0]["encrypted_content"])
    assert proof is not None
    assert (proof.family, proof.payload) == ("anthropic", "EqQB")
    read = sdk(raw)
    assert read.output_text == "Look: here"
    again = whole(answer, caller)
    strip = {"id", "call_id"}
    assert [{k: v for k, v in item.items() if k not in strip} for item in again["output"]] == [
        {k: v for k, v in item.items() if k not in strip} for item in last["output"]
    ]


pieces = st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["text", "refusal", "reasoning", "call", "custom"]), pieces), max_size=6))
def test_the_text_of_every_done_event_is_that_of_its_deltas(made: list[tuple[str, list[str]]]) -> None:
    numbers = count(1)
    side = ClientSide(sealer=Sealer(b"k" * 32), new_id=lambda: f"{next(numbers):024}")
    tool = {"type": "custom", "name": "free"}
    request = OPENAI_RESPONSES.parse_request({"model": "m", "input": "hi", "tools": [tool]}, side)
    encoder = OPENAI_RESPONSES.encoder(request, side)
    events: list[ev.Event] = [ev.Started()]
    for kind, texts in made:
        part, delta = _PARTS[kind]
        events += [ev.PartStarted(part()), *(delta(text) for text in texts), ev.PartEnded()]
    raw = b"".join(encoder.encode(event) for event in [*events, ev.Finished(END)])
    so_far: dict[tuple[Any, Any], str] = {}
    for line in raw.decode().split("\n"):
        event = json.loads(line[6:]) if line.startswith("data: ") else {}
        kind, key = event.get("type", ""), (event.get("output_index"), event.get("content_index"))
        if kind.endswith(".delta"):
            so_far[key] = so_far.get(key, "") + event["delta"]
        for field in ("text", "refusal", "arguments", "input"):
            if kind.endswith(".done") and field in event:
                assert event[field] == so_far[key]
    assert sdk(raw).status == "completed"


_PARTS: dict[str, tuple[Callable[[], p.Part], Callable[[str], ev.Event]]] = {
    "text": (lambda: p.Text(text=""), ev.TextDelta),
    "refusal": (lambda: p.Refusal(text=""), ev.TextDelta),
    "reasoning": (lambda: p.Reasoning(), ev.ReasoningDelta),
    "call": (lambda: p.ToolCall(id="c", name="f"), ev.ArgumentsDelta),
    "custom": (lambda: p.ToolCall(id="c", name="free", kind="custom"), ev.ArgumentsDelta),
}


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        (FinishKind.STOP_SEQUENCE, "completed", None),
        (FinishKind.TOOL_CALLS, "completed", None),
        (FinishKind.COMPACTION, "completed", None),
        (FinishKind.LENGTH, "incomplete", "max_output_tokens"),
        (FinishKind.CONTEXT_WINDOW, "incomplete", "max_output_tokens"),
        (FinishKind.PAUSE, "incomplete", "max_output_tokens"),
        (FinishKind.CONTENT_FILTER, "incomplete", "content_filter"),
        (FinishKind.RECITATION, "incomplete", "content_filter"),
        (FinishKind.REFUSAL, "incomplete", "content_filter"),
        (FinishKind.STEERED, "incomplete", "steered"),
        (FinishKind.OTHER, "completed", None),
    ],
)
def test_why_an_answer_ended(caller: ClientSide, kind: FinishKind, status: str, reason: str | None) -> None:
    answer = whole(an_answer(p.Text(text="Hi"), finish=Finish(kind=kind)), caller)
    assert answer["status"] == status
    assert (answer["incomplete_details"] or {}).get("reason") == reason


def test_a_refusal_in_words_is_shown_as_one(caller: ClientSide) -> None:
    finish = Finish(kind=FinishKind.REFUSAL, explanation="Not this.")
    answer = whole(an_answer(p.Text(text="Well, "), finish=finish), caller)
    assert answer["status"] == "completed"
    assert answer["output"][-1]["content"] == [{"type": "refusal", "refusal": "Not this."}]


def test_a_call_that_the_limit_may_have_cut_is_incomplete(caller: ClientSide) -> None:
    cut = an_answer(p.ToolCall(id="c", name="f", arguments='{"a'), finish=Finish(kind=FinishKind.LENGTH))
    assert whole(cut, caller)["output"][0]["status"] == "incomplete"


def test_redacted_thinking_comes_back_as_what_it_was(caller: ClientSide, parse: Callable[..., Request]) -> None:
    part = p.Reasoning(redacted=True, signature="enc", family="anthropic")
    (item,) = whole(an_answer(part), caller)["output"]
    assert item["summary"] == []
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    back = parse(input=[item, call]).turns[0].parts[0]
    assert isinstance(back, p.Reasoning)
    assert (back.redacted, back.signature, back.family) == (True, "enc", "anthropic")


def test_openais_own_proof_is_given_bare(caller: ClientSide) -> None:
    part = p.Reasoning(signature="rs_abc:gAAAA", family="openai", item_id="rs_abc")
    (item,) = whole(an_answer(part), caller)["output"]
    assert (item["id"], item["encrypted_content"]) == ("rs_abc", "gAAAA")


def test_log_probabilities_travel_with_their_text(
    encode: Callable[..., bytes], told: Callable[..., list[Json]]
) -> None:
    token = {"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": []}
    events = [ev.Started(), ev.PartStarted(p.Text(text="")), ev.LogprobsGiven([token]), ev.TextDelta("Hi")]
    made = told(encode([*events, ev.PartEnded(), ev.Finished(END)]))
    delta = next(event for event in made if event["type"].endswith("output_text.delta"))
    assert delta["logprobs"] == [{"token": "Hi", "logprob": -0.1, "top_logprobs": []}]
    assert made[-1]["response"]["output"][0]["content"][0]["logprobs"] == [token]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InternalError("No."), "server_error"),
        (LimitReached("No."), "rate_limit_exceeded"),
        (UpstreamRefused("No.", status=429, upstream_code="insufficient_quota", dialect="x"), "insufficient_quota"),
        (UpstreamRefused("Your prompt is too long", status=400, dialect="x"), "context_length_exceeded"),
    ],
)
def test_a_stream_that_never_began_fails_as_a_stream(
    caller: ClientSide, told: Callable[..., list[Json]], error: Any, code: str
) -> None:
    encoder = OPENAI_RESPONSES.encoder(Request(client_dialect=NAME, model="m", stream=True), caller)
    made = told(encoder.fail(error))
    assert [event["type"] for event in made] == ["response.created", "response.in_progress", "response.failed"]
    assert made[-1]["response"]["error"]["code"] == code
    assert encoder.encode(ev.Finished(END)) == b""
