"""Events as a caller's stream."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.contract import ClientSide
from proxyapp.errors import UpstreamBroken, UpstreamRefused, UpstreamTimeout
from proxyapp.ir import events as ev
from proxyapp.ir import parts as p
from proxyapp.ir.request import Request
from proxyapp.ir.response import Finish, FinishKind
from proxyapp.ir.usage import Usage

Json = dict[str, Any]
Encode = Callable[..., bytes]
Read = Callable[[bytes], list[Json]]
NAME = "anthropic-messages"
USAGE = Usage(fresh_input=4, output=6)


def whole(*inner: ev.Event, kind: FinishKind = FinishKind.END, **finish: Any) -> list[ev.Event]:
    end = ev.Finished(Finish(kind=kind, **finish))
    return [ev.Started(id="msg_1", model="claude"), *inner, ev.UsageGiven(USAGE), end]


def part(started: p.Part, *deltas: ev.Event) -> list[ev.Event]:
    return [ev.PartStarted(started), *deltas, ev.PartEnded()]


def text(words: str) -> list[ev.Event]:
    return part(p.Text(text=""), ev.TextDelta(words))


def starts(events: list[Json]) -> list[Json]:
    return [event["content_block"] for event in events if event["type"] == "content_block_start"]


def deltas(events: list[Json]) -> list[Json]:
    return [event["delta"] for event in events if event["type"] == "content_block_delta"]


def test_the_frames_are_exactly_these(encode: Encode) -> None:
    raw = encode([ev.Started(id="msg_1", model="claude"), *text("hé"), ev.Finished(Finish(kind=FinishKind.END))])
    lines = raw.decode().split("\n\n")
    assert [line.split("\n")[0] for line in lines] == [
        "event: message_start",
        "event: ping",
        "event: content_block_start",
        "event: content_block_delta",
        "event: content_block_stop",
        "event: message_delta",
        "event: message_stop",
        "",
    ]
    assert lines[3].split("\n")[1] == (
        'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hé"}}'
    )


def test_the_start_bears_all_keys_the_sdk_wants(encode: Encode, read: Read) -> None:
    (start,) = read(encode([ev.Started(id="chatcmpl-1", model="")]))
    message = start["message"]
    assert message["id"].startswith("msg_")
    assert message["id"] != "msg_"
    assert message["model"] == "asked"
    assert (message["type"], message["role"], message["content"]) == ("message", "assistant", [])
    assert {"stop_reason", "stop_sequence", "stop_details", "container", "usage"} <= set(message)


def test_an_upstreams_own_message_id_is_kept(encode: Encode, read: Read) -> None:
    assert read(encode([ev.Started(id="msg_bdrk_1")]))[0]["message"]["id"] == "msg_bdrk_1"


def test_every_kind_of_part_gets_the_next_index(encode: Encode, read: Read) -> None:
    events = read(
        encode(
            whole(
                *part(p.Reasoning(), ev.ReasoningDelta("hm"), ev.SignatureDelta("ErU", "anthropic")),
                *part(p.Reasoning(redacted=True, signature="Zm9v", family="anthropic")),
                *part(p.Text(text="")),
                *text("a"),
                *part(p.ToolCall(id="c:1", name="f"), ev.ArgumentsDelta('{"a":1}')),
                *part(p.ServerCall(id="s1", name="web_search", dialect=NAME), ev.ArgumentsDelta('{"q":1}')),
                *part(p.ServerResult(call_id="s1", dialect=NAME, raw={"type": "web_search_tool_result"})),
                *part(p.Opaque(dialect=NAME, raw={"type": "fallback"})),
                kind=FinishKind.TOOL_CALLS,
            )
        )
    )
    assert [block["type"] for block in starts(events)] == [
        "thinking",
        "redacted_thinking",
        "text",
        "tool_use",
        "server_tool_use",
        "web_search_tool_result",
        "fallback",
    ]
    indexes = [event["index"] for event in events if event["type"] in ("content_block_start", "content_block_stop")]
    assert indexes == sorted(indexes)
    assert len(indexes) == 14
    assert starts(events)[1]["data"] == "Zm9v"
    assert starts(events)[3]["id"] != "c:1"


def test_a_call_without_arguments_has_no_delta(encode: Encode, read: Read) -> None:
    events = read(encode(whole(*part(p.ToolCall(id="c1", name="f")))))
    assert starts(events)[0]["input"] == {}
    assert deltas(events) == []


@pytest.mark.parametrize(
    ("fragments", "sent", "noted"),
    [
        (['{"a"', ":1}"], ['{"a"', ":1}"], False),
        ([" ", '{"a":1}'], ['{"a":1}'], False),
        (["[1,", "2]"], ['{"value":[1,2]}'], False),
        (["plain ", "words"], ['{"_raw":"plain words"}'], True),
        ([" "], [], False),
    ],
)
def test_arguments_flow_as_soon_as_they_look_like_an_object(
    encode: Encode, read: Read, caller: ClientSide, fragments: list[str], sent: list[str], noted: bool
) -> None:
    call = part(p.ToolCall(id="c1", name="f"), *(ev.ArgumentsDelta(fragment) for fragment in fragments))
    assert [delta["partial_json"] for delta in deltas(read(encode(whole(*call))))] == sent
    assert bool(caller.notes.items) is noted


def test_free_text_of_a_custom_tool_is_wrapped_as_it_flows(encode: Encode, read: Read) -> None:
    call = part(p.ToolCall(id="c1", name="patch", kind="custom"), ev.ArgumentsDelta('a"\n'), ev.ArgumentsDelta("é\\"))
    pieces = [delta["partial_json"] for delta in deltas(read(encode(whole(*call))))]
    assert len(pieces) == 4
    assert json.loads("".join(pieces)) == {"input": 'a"\né\\'}
    empty = part(p.ToolCall(id="c1", name="patch", kind="custom"))
    assert json.loads("".join(d["partial_json"] for d in deltas(read(encode(whole(*empty)))))) == {"input": ""}


def test_calls_with_one_id_are_told_apart(encode: Encode, read: Read) -> None:
    call = part(p.ToolCall(id="call_0", name="f"))
    ids = [block["id"] for block in starts(read(encode(whole(*call, *call, *part(p.ToolCall(id="", name="g"))))))]
    assert ids[0] == "call_0"
    assert len(set(ids)) == 3


def test_hosted_tools_of_other_vendors_are_left_out_with_a_note(encode: Encode, read: Read, caller: ClientSide) -> None:
    foreign = [
        *part(p.ServerCall(id="w", name="web", dialect="openai-responses"), ev.ArgumentsDelta("{}")),
        *part(p.ServerResult(call_id="w", dialect="openai-responses", raw={})),
        *part(p.Image(source=p.Source(kind="url", data="x"))),
    ]
    events = read(encode(whole(*foreign, *text("a"))))
    assert starts(events) == [{"type": "text", "text": ""}]
    assert [event["index"] for event in events if "index" in event] == [0, 0, 0]
    assert len(caller.notes.items) == 3


def test_audio_is_told_by_its_transcript(encode: Encode, read: Read) -> None:
    audio = p.Audio(source=p.Source(kind="base64", data="AAAA"), transcript="I said so.")
    assert starts(read(encode(whole(*part(audio))))) == [{"type": "text", "text": "I said so."}]


def test_thinking_of_nobody_gets_an_envelope_and_comes_back_unsigned(
    encode: Encode, read: Read, caller: ClientSide
) -> None:
    events = read(encode(whole(*part(p.Reasoning(), ev.ReasoningDelta("hm")))))
    signature = deltas(events)[-1]["signature"]
    proof = caller.sealer.open(signature)
    assert proof is not None
    assert (proof.family, proof.payload) == ("none", "")
    assert starts(events) == [{"type": "thinking", "thinking": "", "signature": ""}]


def test_a_foreign_proof_is_sealed_for_its_owner(encode: Encode, read: Read, caller: ClientSide) -> None:
    meta = {"proof": {"group": "gpt", "account": "acme"}}
    events = read(encode(whole(*part(p.Reasoning(meta=meta), ev.SignatureDelta("gAAAA", "openai")))))
    sealed = deltas(events)[-1]["signature"]
    assert caller.sealer.unwrap(sealed, family="openai", group="gpt", account="acme") == "gAAAA"
    redacted = p.Reasoning(redacted=True, signature="gAAAA", family="openai", meta=meta)
    (block,) = starts(read(encode(whole(*part(redacted)))))
    assert caller.sealer.unwrap(block["data"], family="openai", group="gpt", account="acme") == "gAAAA"


def test_thinking_with_neither_text_nor_proof_makes_no_block(encode: Encode, read: Read) -> None:
    assert starts(read(encode(whole(*part(p.Reasoning()), *text("a"))))) == [{"type": "text", "text": ""}]


def test_omitted_thinking_travels_in_the_envelope(encode: Encode, read: Read, caller: ClientSide) -> None:
    thinking = {"type": "adaptive", "display": "omitted"}
    thought = part(p.Reasoning(), ev.ReasoningDelta("se"), ev.ReasoningDelta("cret"))
    events = read(encode(whole(*thought), thinking=thinking))
    assert [delta["type"] for delta in deltas(events)] == ["signature_delta"]
    proof = caller.sealer.open(deltas(events)[0]["signature"])
    assert proof is not None
    assert (proof.family, proof.payload) == ("none", "secret")
    signed = part(p.Reasoning(), ev.ReasoningDelta("secret"), ev.SignatureDelta("ErU", "anthropic"))
    assert deltas(read(encode(whole(*signed), thinking=thinking))) == [{"type": "signature_delta", "signature": "ErU"}]


def test_callers_that_switched_thinking_off_see_only_what_is_proved(encode: Encode, read: Read) -> None:
    off = {"type": "disabled"}
    assert starts(read(encode(whole(*part(p.Reasoning(), ev.ReasoningDelta("x"))), thinking=off))) == []
    signed = part(p.Reasoning(), ev.ReasoningDelta("x"), ev.SignatureDelta("ErU", "anthropic"))
    assert len(starts(read(encode(whole(*signed), thinking=off)))) == 1


def test_citations_of_this_dialect_go_back_raw_and_others_in_its_form(encode: Encode, read: Read) -> None:
    own = p.Citation(dialect=NAME, raw={"type": "char_location", "cited_text": "x"})
    other = p.Citation(url="https://x.example", title="X", dialect="openai-chat", raw={"url_citation": {}})
    cited = part(p.Text(text=""), ev.CitationGiven(own), ev.TextDelta("a"), ev.CitationGiven(other))
    assert [delta.get("citation") for delta in deltas(read(encode(whole(*cited))))] == [
        {"type": "char_location", "cited_text": "x"},
        None,
        {
            "type": "web_search_result_location",
            "url": "https://x.example",
            "title": "X",
            "cited_text": "",
            "encrypted_index": "",
        },
    ]


def test_log_probabilities_are_not_said_here(encode: Encode, read: Read) -> None:
    events = read(encode(whole(*part(p.Text(text=""), ev.TextDelta("a"), ev.LogprobsGiven([{"token": "a"}])))))
    assert len(deltas(events)) == 1


def test_a_refusal_is_text_and_a_refused_end(encode: Encode, read: Read) -> None:
    events = read(encode(whole(*part(p.Refusal(text=""), ev.TextDelta("No.")))))
    assert deltas(events) == [{"type": "text_delta", "text": "No."}]
    assert events[-2]["delta"]["stop_reason"] == "refusal"
    assert events[-2]["delta"]["stop_details"] == {"type": "refusal", "category": None, "explanation": None}


def test_the_matched_stop_sequence_is_told(encode: Encode, read: Read) -> None:
    events = read(encode(whole(*text("a"), kind=FinishKind.STOP_SEQUENCE, sequence="END")))
    assert events[-2]["delta"]["stop_sequence"] == "END"
    plain = read(encode(whole(*text("a"), sequence="END")))
    assert plain[-2]["delta"]["stop_sequence"] is None


def test_the_last_counts_are_told_whole(encode: Encode, read: Read) -> None:
    late = Usage(fresh_input=1, cache_read=2, cache_write_5m=3, output=9, reasoning=4)
    events = read(encode([*whole(*text("a"))[:-1], ev.UsageGiven(late), ev.Finished(Finish(kind=FinishKind.END))]))
    usage = events[-2]["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]) == (1, 2, 3)
    assert (usage["output_tokens"], usage["output_tokens_details"]) == (9, {"thinking_tokens": 4})


@pytest.mark.parametrize("kind", [FinishKind.MALFORMED, FinishKind.OTHER])
def test_an_end_that_is_none_is_no_end(encode: Encode, kind: FinishKind) -> None:
    with pytest.raises(UpstreamBroken, match="odd"):
        encode([ev.Started(), ev.Finished(Finish(kind=kind, raw="odd"))])


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (UpstreamBroken("cut"), {"type": "api_error", "message": "cut"}),
        (UpstreamTimeout("slow"), {"type": "timeout_error", "message": "slow"}),
        (
            UpstreamRefused("busy", status=529, kind="overloaded_error", dialect=NAME, details={"x": 1}),
            {"type": "overloaded_error", "message": "busy", "details": {"x": 1}},
        ),
        (UpstreamRefused("busy", status=503, dialect="other"), {"type": "overloaded_error", "message": "busy"}),
    ],
)
def test_a_fault_ends_the_stream_with_its_own_event(
    encode: Encode, read: Read, error: Any, told: Json, caller: ClientSide
) -> None:
    assert read(encode([ev.Started(), ev.Failed(error)]))[-1] == {"type": "error", "error": told}
    encoder = ANTHROPIC.encoder(Request(client_dialect=NAME, model="m"), caller)
    assert read(encoder.fail(error)) == [{"type": "error", "error": told}]


def test_a_sign_of_life_is_a_ping(encode: Encode) -> None:
    assert encode([ev.Alive()]) == ANTHROPIC.keepalive == b'event: ping\ndata: {"type":"ping"}\n\n'
