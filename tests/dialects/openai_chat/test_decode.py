"""An upstream's Chat stream as events, however servers cut, number and repeat."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxyapp.errors import UpstreamBroken, UpstreamRefused
from proxyapp.ir import events as ev
from proxyapp.ir import parts as p
from proxyapp.ir.fold import fold
from proxyapp.ir.response import Finish, FinishKind
from proxyapp.ir.usage import Usage

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def fragment(arguments: Any = None, *, index: Any = 0, call_id: Any = None, name: Any = None) -> dict[str, Any]:
    """One `tool_calls` entry; index None = no index at all."""
    entry: dict[str, Any] = {} if index is None else {"index": index}
    if call_id is not None:
        entry |= {"id": call_id, "type": "function"}
    function = {"name": name, "arguments": arguments}
    entry["function"] = {key: value for key, value in function.items() if value is not None}
    return entry


def calls(*fragments: dict[str, Any]) -> dict[str, Any]:
    return {"tool_calls": list(fragments)}


# --- text


def test_text_with_usage_in_a_last_chunk(decode: Any, sse: Any, chunk: Any) -> None:
    data = sse(
        chunk({"role": "assistant", "content": ""}, service_tier="default"),
        chunk({"content": "Hel"}),
        chunk({"content": "lo"}),
        chunk({}, finish="stop"),
        {"id": "chatcmpl-1", "choices": [], "usage": USAGE},
        "[DONE]",
    )
    assert decode(data) == [
        ev.Started(id="chatcmpl-1", model="gpt", created=1, service_tier="default"),
        ev.PartStarted(p.Text(text="")),
        ev.TextDelta("Hel"),
        ev.TextDelta("lo"),
        ev.PartEnded(),
        ev.UsageGiven(Usage(fresh_input=10, output=5, raw=USAGE)),
        ev.Finished(Finish(kind=FinishKind.END, raw="stop")),
    ]


@pytest.mark.parametrize("place", ["finish", "each", "groq"])
def test_usage_is_found_wherever_it_stands(decode: Any, sse: Any, chunk: Any, place: str) -> None:
    more = {"x_groq": {"usage": USAGE}} if place == "groq" else {"usage": USAGE}
    early = {"usage": {**USAGE, "completion_tokens": 1}} if place == "each" else {}
    data = sse(chunk({"content": "a"}, **early), chunk({}, finish="stop", **more), "[DONE]")
    response = fold(decode(data))
    assert response.usage is not None
    assert response.usage.output == 5


def test_empty_deltas_open_nothing(play: Any) -> None:
    events = play({"content": ""}, {"content": None}, {"role": "assistant"}, {"reasoning_content": ""})
    assert [type(event) for event in events] == [ev.Started, ev.Finished]


def test_content_as_a_list_of_parts(play: Any) -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    events = play({"content": [thinking]}, {"content": [{"type": "text", "text": "a"}, {"type": "odd"}, "x"]})
    assert [(type(part), part.text) for part in fold(events).parts] == [(p.Reasoning, "hm"), (p.Text, "a")]


def test_azures_filter_chunk_and_comments_are_no_content(decode: Any, sse: Any, chunk: Any) -> None:
    data = b": wait\n\n" + sse({"id": "", "model": "", "choices": [], "prompt_filter_results": []})
    data += sse(chunk({"content": "a"})) + b": wait\n\n" + sse(chunk({}, finish="stop"), "[DONE]")
    events = decode(data)
    assert events[0] == ev.Started(id="chatcmpl-1", model="gpt", created=1)
    assert [type(event) for event in events].count(ev.Alive) == 1


def test_what_comes_after_the_finish_is_dropped(decode: Any, sse: Any, chunk: Any) -> None:
    data = sse(chunk({"content": "a"}, finish="stop"), chunk({"content": "b"}, finish="length"), "[DONE]", chunk({}))
    response = fold(decode(data))
    assert response.parts == [p.Text(text="a")]
    assert response.finish.raw == "stop"


def test_only_the_first_choice_is_used(decode: Any, sse: Any, chunk: Any, upstream: Any) -> None:
    other = {"id": "x", "choices": [{"index": 1, "delta": {"content": "b"}, "finish_reason": "stop"}]}
    side = upstream()
    events = decode(sse(chunk({"content": "a"}), other, chunk({}, finish="stop"), other, "[DONE]"), side)
    assert fold(events).parts == [p.Text(text="a")]
    assert [note.path for note in side.notes.items] == ["n"]


def test_a_whole_answer_in_one_frame(decode: Any, sse: Any) -> None:
    body = {"id": "x", "choices": [{"message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}]}
    assert fold(decode(sse(body))).parts == [p.Text(text="a")]


def test_refusals_are_parts_of_their_own(play: Any) -> None:
    response = fold(play({"refusal": "I "}, {"refusal": "won't"}))
    assert response.parts == [p.Refusal(text="I won't")]
    assert response.finish.kind is FinishKind.REFUSAL


def test_log_probabilities_stand_inside_their_text(decode: Any, sse: Any, chunk: Any) -> None:
    first, second = chunk({"content": "a"}), chunk({"content": "b"})
    for item, token in ((first, "a"), (second, "b")):
        item["choices"][0]["logprobs"] = {"content": [{"token": token, "logprob": -1}]}
    response = fold(decode(sse(first, second, chunk({}, finish="stop"))))
    assert response.logprobs == [{"token": "a", "logprob": -1}, {"token": "b", "logprob": -1}]


def test_annotations_and_bare_addresses_become_citations(play: Any, decode: Any, sse: Any, chunk: Any) -> None:
    raw = {"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 1}}
    (text,) = fold(play({"content": "a"}, {"annotations": [raw, {"type": "odd"}]})).parts
    assert [(each.url, each.title, each.start, each.end) for each in text.citations] == [("u", "t", 0, 1)]
    data = sse(chunk({"content": "a"}, citations=["https://x"]), chunk({}, finish="stop", citations=["https://x"]))
    (text,) = fold(decode(data)).parts
    assert [each.url for each in text.citations] == ["https://x"]


def test_audio_pieces_and_images_come_whole(play: Any) -> None:
    events = play(
        {"audio": {"id": "audio_1", "transcript": "Hi"}},
        {"audio": {"data": "aGk=", "transcript": "!"}},
        {"audio": {"data": "aG8=", "expires_at": 9}},
        {"images": [{"image_url": {"url": "https://x/i.png"}}, {"image_url": {}}]},
    )
    image, audio = fold(events).parts
    assert image == p.Image(source=p.Source(kind="url", data="https://x/i.png"))
    assert (audio.source.data, audio.transcript) == ("aGlobw==", "Hi!")
    assert audio.meta["openai-chat"] == {"id": "audio_1", "expires_at": 9}


# --- ends


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("stop", FinishKind.END),
        ("eos", FinishKind.END),
        ("length", FinishKind.LENGTH),
        ("content_filter", FinishKind.CONTENT_FILTER),
        ("tool_calls", FinishKind.END),
        ("brand_new", FinishKind.OTHER),
    ],
)
def test_finish_words(play: Any, word: str, kind: FinishKind) -> None:
    assert fold(play({"content": "a"}, finish=word)).finish == Finish(kind=kind, raw=word)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("stop", FinishKind.TOOL_CALLS),
        ("brand_new", FinishKind.TOOL_CALLS),
        ("length", FinishKind.LENGTH),
        ("content_filter", FinishKind.CONTENT_FILTER),
    ],
)
def test_calls_win_over_a_stop_and_a_cut_wins_over_calls(play: Any, word: str, kind: FinishKind) -> None:
    assert fold(play(calls(fragment("{}", call_id="c", name="f")), finish=word)).finish.kind is kind


def test_an_empty_finish_word_is_none_and_the_first_counts(decode: Any, sse: Any, chunk: Any) -> None:
    data = sse(chunk({"content": "a"}, finish=""), chunk({"content": "b"}, finish="length"), chunk({}, finish="stop"))
    response = fold(decode(data))
    assert (response.parts[0].text, response.finish.raw) == ("ab", "length")


def test_a_matched_stop_string_is_kept_where_the_server_tells_it(decode: Any, sse: Any, chunk: Any) -> None:
    last = chunk({}, finish="stop")
    last["choices"][0]["stop_reason"] = "END"
    assert fold(decode(sse(last))).finish == Finish(kind=FinishKind.STOP_SEQUENCE, raw="stop", sequence="END")


def test_the_bytes_may_end_without_done_after_a_finish(decode: Any, sse: Any, chunk: Any) -> None:
    assert isinstance(decode(sse(chunk({"content": "a"}, finish="stop")))[-1], ev.Finished)


@pytest.mark.parametrize("end", [(), ("[DONE]",)])
def test_an_end_without_a_finish_is_a_cut(decode: Any, sse: Any, chunk: Any, end: Any) -> None:
    failed = decode(sse(chunk({"content": "a"}, usage=USAGE), *end))[-1]
    assert isinstance(failed, ev.Failed)
    assert isinstance(failed.error, UpstreamBroken)


def test_nothing_at_all_is_a_cut(decode: Any) -> None:
    assert [type(event) for event in decode(b"")] == [ev.Failed]


@pytest.mark.parametrize(
    "frame",
    [
        'data: {"error":{"message":"busy","type":"server_error","code":503}}\n\n',
        'data: {"choices":[],"error":{"message":"busy","code":"server_is_overloaded"}}\n\n',
        'data: {"choices":[{"index":0,"delta":{},"finish_reason":"error"}],"error":{"message":"busy","code":503}}\n\n',
        'data: {"choices":[{"delta":{},"finish_reason":"error","error":{"message":"busy","code":503}}]}\n\n',
        'event: error\ndata: {"message":"busy","code":503}\n\n',
        'event: error\ndata: {"error":{"message":"busy","code":503}}\n\n',
    ],
)
def test_an_error_in_the_stream_is_the_upstreams_own(decode: Any, sse: Any, chunk: Any, frame: str) -> None:
    events = decode(sse(chunk({"content": "a"})) + frame.encode() + sse(chunk({}, finish="stop"), "[DONE]"))
    error = events[-1].error
    assert isinstance(error, UpstreamRefused)
    assert (error.message, error.status, error.dialect) == ("busy", 503, "openai-chat")


@pytest.mark.parametrize("frame", ["{", "7", '{"choices":7}', '{"choices":[{"delta":7}]}', "<html>"])
def test_an_unreadable_frame_is_a_broken_upstream(decode: Any, sse: Any, chunk: Any, frame: str) -> None:
    events = decode(sse(chunk({"content": "a"}), frame, chunk({"content": "b"})))
    assert isinstance(events[-1].error, UpstreamBroken)


# --- reasoning


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
        {"reasoning": "hm", "reasoning_content": "hm"},
        {"thinking_blocks": [{"type": "thinking", "thinking": "hm"}]},
    ],
)
def test_reasoning_under_every_name(play: Any, delta: dict[str, Any]) -> None:
    thought, text = fold(play({**delta, "content": ""}, {"content": "a"})).parts
    assert (thought.text, thought.signature, text) == ("hm", None, p.Text(text="a"))


def test_reasoning_details_keep_all_of_an_entry(play: Any) -> None:
    entry = {"type": "reasoning.text", "index": 0, "format": "anthropic-claude-v1"}
    hidden = {"type": "reasoning.encrypted", "index": 1, "data": "abc"}
    events = play(
        {"reasoning": "h", "reasoning_details": [{**entry, "text": "h"}]},
        {"reasoning": "m", "reasoning_details": [{**entry, "text": "m", "signature": None}]},
        {"reasoning_details": [{**entry, "signature": "sig"}]},
        {"reasoning_details": [hidden]},
        {"content": "a"},
    )
    thought, redacted, text = fold(events).parts
    assert (thought.text, thought.family) == ("hm", "openrouter")
    assert json.loads(thought.signature) == {**entry, "signature": "sig"}
    assert (redacted.redacted, json.loads(redacted.signature)) == (True, hidden)
    assert thought.meta["proof"]["account"] == "acme"
    assert text == p.Text(text="a")


def test_summaries_of_two_entries_are_two_parts(play: Any) -> None:
    entries = [{"type": "reasoning.summary", "index": n, "summary": f"s{n}"} for n in range(2)]
    parts = fold(play({"reasoning_details": entries}, {"content": "a"})).parts
    assert [part.text for part in parts] == ["s0", "s1", "a"]


def test_a_proof_after_a_call_waits_for_the_call(play: Any) -> None:
    hidden = {"type": "reasoning.encrypted", "data": "abc"}
    events = play(
        calls(fragment('{"a":', call_id="c", name="f")),
        {"reasoning_details": [hidden]},
        calls(fragment("1}")),
    )
    call, redacted = fold(events).parts
    assert (call.arguments, redacted.redacted) == ('{"a":1}', True)


# --- properties

DELTAS = st.one_of(
    st.builds(lambda text: {"content": text}, st.text(max_size=5)),
    st.builds(lambda text: {"reasoning_content": text}, st.text(max_size=5)),
    st.builds(lambda text: {"refusal": text}, st.text(max_size=5)),
    st.builds(
        lambda index, call_id, name, text: calls(fragment(text, index=index, call_id=call_id, name=name)),
        st.none() | st.integers(0, 2),
        st.none() | st.sampled_from(["c0", "c1", ""]),
        st.none() | st.sampled_from(["f", "g", ""]),
        st.none() | st.sampled_from(["", "{", '{"a"', ":1}", "{}", "é"]),
    ),
    st.just({"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}),
    st.just({"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "t"}, {"signature": "s"}]}),
    st.just({"images": [{"image_url": {"url": "https://x"}}]}),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(deltas=st.lists(DELTAS, max_size=8), cut=st.integers(1, 40), finish=st.sampled_from(["stop", "length", None]))
def test_any_order_of_deltas_keeps_the_grammar_and_the_cut_changes_nothing(
    decode: Any, sse: Any, chunk: Any, deltas: list[dict[str, Any]], cut: int, finish: str | None
) -> None:
    data = sse(*(chunk(delta) for delta in deltas), chunk({}, finish=finish), "[DONE]")
    whole, pieces = decode(data), decode(data, cut=cut)
    assert [repr(event) for event in pieces if not isinstance(event, ev.Failed)] == [
        repr(event) for event in whole if not isinstance(event, ev.Failed)
    ]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["index", "id", "function", "name", "arguments", "type", "text", "custom", "audio", "data"]
            ),
            inner,
        )
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "content",
        "refusal",
        "reasoning",
        "reasoning_details",
        "tool_calls",
        "function_call",
        "annotations",
        "audio",
        "images",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(
    delta=st.dictionaries(FIELDS, JUNK), more=st.dictionaries(st.sampled_from(["usage", "error", "x_groq", "id"]), JUNK)
)
def test_whatever_a_server_sends_nothing_is_raised(
    decode: Any, sse: Any, chunk: Any, delta: dict[str, Any], more: dict[str, Any]
) -> None:
    decode(sse(chunk(delta, **more), chunk({}, finish="stop"), "[DONE]"))
