"""Responses in, Responses out: what is changed on the way, and what the books learn."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import Body, ClientSide, UpstreamSide
from proxyapp.dialects.openai_responses import OPENAI_RESPONSES
from proxyapp.dialects.signatures import Sealer
from proxyapp.dialects.sse import FrameReader
from proxyapp.engine.roads import PassThrough
from proxyapp.errors import UpstreamBroken, UpstreamRefused

Upstream = Callable[..., UpstreamSide]
Json = dict[str, Any]
MESSAGE = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hm."}]}


def patched(body: Json, side: UpstreamSide) -> Json:
    return json.loads(OPENAI_RESPONSES.patch(Body(jsonio.encode({"model": "m", **body})), "up", side))


def test_a_body_passes_byte_for_byte_but_for_the_model(upstream: Upstream) -> None:
    raw = b'{"model": "m", "input": [ {"role":"user", "content":"h\\u00e9"} ], "novelty": {"b": 1.0e2},  "tools": []}'
    out = OPENAI_RESPONSES.patch(Body(raw), "up", upstream())
    assert b'[ {"role":"user", "content":"h\\u00e9"} ]' in out
    assert b'{"b": 1.0e2}' in out
    assert json.loads(out) == {**json.loads(raw), "model": "up"}


@pytest.mark.parametrize(
    ("given", "sent"),
    [(None, "Own."), ("", "Own."), ("Be.", "Own.\n\nBe."), ("Own.", "Own."), ("Own.\n\nBe.", "Own.\n\nBe.")],
)
def test_the_operators_prompt_goes_before_the_instructions_once(upstream: Upstream, given: Any, sent: str) -> None:
    side = upstream()
    side.system_prompt = "Own."
    assert patched({} if given is None else {"instructions": given}, side)["instructions"] == sent


@pytest.mark.parametrize(("asked", "sent", "noted"), [({}, 100, 0), ({"max_output_tokens": 900}, 100, 1)])
def test_the_operators_cap_is_held_to(upstream: Upstream, asked: Json, sent: int, noted: int) -> None:
    side = upstream()
    side.max_output = 100
    assert patched(asked, side)["max_output_tokens"] == sent
    assert patched({"max_output_tokens": 50}, side)["max_output_tokens"] == 50
    assert len(side.notes.items) == noted


def test_our_envelopes_are_opened_for_their_owner_and_taken_out_for_others(upstream: Upstream, sealer: Sealer) -> None:
    def item(family: str, account: str) -> Json:
        seal = sealer.seal("gAAAA", family=family, group="", account=account)
        return {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": seal}

    items = [item("openai", "acme"), MESSAGE, item("openai", "other"), MESSAGE, item("anthropic", "acme"), MESSAGE]
    sent = patched({"input": items, "store": False}, upstream())["input"]
    assert [each["type"] for each in sent] == ["reasoning", "message", "message", "message"]
    assert sent[0]["encrypted_content"] == "gAAAA"


def test_all_reasoning_goes_once_the_upstream_could_not_read_it(upstream: Upstream) -> None:
    side = upstream()
    side.without_proofs = True
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"}
    assert patched({"input": [item, MESSAGE]}, side)["input"] == [MESSAGE]
    assert [note.path for note in side.notes.items] == ["input"]


@pytest.mark.parametrize("given", ["hi", None, 5, {"a": 1}, [5, "x"]])
def test_an_input_that_is_no_list_of_items_is_the_upstreams_to_refuse(upstream: Upstream, given: Any) -> None:
    assert patched({"input": given}, upstream())["input"] == given


# --- reading along

BEGUN = {"id": "resp_1", "object": "response", "model": "up", "status": "in_progress", "output": []}
USAGE = {
    "input_tokens": 9, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 14,
}  # fmt: skip


def stream(*events: Json) -> bytes:
    told = ({**event, "sequence_number": number} for number, event in enumerate(events))
    return b"".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in told)


HEAD: list[Json] = [
    {"type": "response.created", "response": BEGUN},
    {"type": "response.output_text.delta", "delta": "So"},
]


def a_road(upstream: Upstream) -> PassThrough:
    body = Body(b'{"model": "m", "input": "hi", "stream": true}')
    return PassThrough(OPENAI_RESPONSES, body, "up", upstream(), 2**20)


def test_a_stream_is_relayed_and_read_along(upstream: Upstream) -> None:
    road = a_road(upstream)
    last = {"type": "response.completed", "response": {**BEGUN, "status": "completed", "usage": USAGE}}
    raw = stream(*HEAD, last)
    assert road.feed(raw) + road.close() == raw
    assert road.is_done
    assert road.has_content
    assert (road.glimpse.id, road.glimpse.model) == ("resp_1", "up")
    assert road.glimpse.usage is not None
    assert (road.glimpse.usage.fresh_input, road.glimpse.usage.output, road.glimpse.usage.reasoning) == (5, 5, 2)


@pytest.mark.parametrize(
    "last",
    [
        {"type": "response.failed", "response": {**BEGUN, "error": {"code": "server_error", "message": "Boom"}}},
        {"type": "error", "code": "server_error", "message": "Boom", "param": None},
        None,
    ],
    ids=["failed", "error", "cut"],
)
def test_a_relayed_stream_that_breaks_goes_on_with_its_numbers(upstream: Upstream, last: Json | None) -> None:
    road = a_road(upstream)
    sent = road.feed(stream(*HEAD, *([last] if last else []))) + road.close()
    assert road.error is not None
    assert isinstance(road.error, UpstreamRefused if last else UpstreamBroken)
    reader = FrameReader()
    events = [json.loads(frame.data) for frame in reader.feed(sent + road.fail(road.error))]
    assert [event["sequence_number"] for event in events] == [0, 1, 2]
    assert events[-1]["type"] == "response.failed"
    assert events[-1]["response"]["id"] == "resp_1"


def test_an_error_before_anything_was_relayed_is_a_whole_little_stream(upstream: Upstream, caller: ClientSide) -> None:
    road = a_road(upstream)
    assert road.fail(UpstreamBroken("No.")).startswith(b"event: response.created\n")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({**BEGUN, "status": "completed", "usage": USAGE}, None),
        ({**BEGUN, "status": "queued"}, None),
        ({**BEGUN, "status": "failed", "error": {"code": "server_error", "message": "Boom"}}, UpstreamRefused),
        ({"error": {"message": "Boom"}}, UpstreamRefused),
        ({"object": "chat.completion"}, UpstreamBroken),
        ([1], UpstreamBroken),
    ],
)
def test_a_whole_answer_tells_the_books(answer: Any, error: type[Exception] | None) -> None:
    seen = OPENAI_RESPONSES.glimpse(json.dumps(answer).encode())
    assert (seen.error is None) if error is None else isinstance(seen.error, error)


def test_what_is_no_json_is_no_answer() -> None:
    assert isinstance(OPENAI_RESPONSES.glimpse(b"<html>").error, UpstreamBroken)
