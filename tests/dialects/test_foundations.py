"""What all dialects stand on: SSE framing, names and ids, envelopes, JSON, and the two forms of an answer."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import Body
from proxyapp.dialects.naming import wire_id, wire_names
from proxyapp.dialects.signatures import Sealer, is_sealed
from proxyapp.dialects.sse import FrameReader, data_frame, named_frame, parse_frame
from proxyapp.errors import BodyUnreadable, UpstreamBroken
from proxyapp.ir import events as ev
from proxyapp.ir import parts as p
from proxyapp.ir.fold import fold, unfold
from proxyapp.ir.grammar import Grammar, GrammarViolation, check_all
from proxyapp.ir.notes import Notes
from proxyapp.ir.response import Finish, FinishKind, Response
from proxyapp.ir.usage import Usage

KEY = b"a key of thirty-two bytes, just so"
END = Finish(kind=FinishKind.END)


def read(data: bytes, cut: int = 1 << 30) -> list[tuple[str, bytes]]:
    reader = FrameReader()
    frames = []
    for start in range(0, len(data), cut):
        frames += reader.feed(data[start : start + cut])
    frames += reader.close()
    return [(frame.event, frame.data) for frame in frames]


# --- frames


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_line_end_of_the_standard_is_taken(line_end: str) -> None:
    text = line_end.join(["event: ping", "data: 1", "", "data: 2", "", ""])
    assert read(text.encode()) == [("ping", b"1"), ("", b"2")]


def test_data_over_several_lines_is_joined_with_a_line_feed() -> None:
    assert read(b"data: a\ndata: b\n\n") == [("", b"a\nb")]


def test_no_space_after_the_colon_is_fine_and_only_one_is_taken_off() -> None:
    assert read(b"data:a\n\ndata:  b\n\n") == [("", b"a"), ("", b" b")]


def test_a_byte_order_mark_is_not_part_of_the_first_line() -> None:
    assert read(b"\xef\xbb\xbfdata: a\n\n", cut=1) == [("", b"a")]


def test_a_comment_is_a_frame_without_data() -> None:
    assert read(b": keep-alive\n\ndata: a\n\n") == [("", b""), ("", b"a")]


def test_a_missing_last_blank_line_loses_nothing() -> None:
    assert read(b"data: a\n\ndata: b") == [("", b"a"), ("", b"b")]


def test_a_frame_over_the_bound_is_the_upstreams_fault() -> None:
    reader = FrameReader(max_bytes=10)
    with pytest.raises(UpstreamBroken):
        reader.feed(b"data: " + b"x" * 20)


@pytest.mark.parametrize(
    "words", [b"event: a\ndata: b", b"event:  a\ndata:  b: c", b"event: a\nid: 1", b"event: a\xff\ndata: "]
)
def test_the_usual_form_of_a_named_frame_reads_as_any_other(words: bytes) -> None:
    usual, other = parse_frame(words + b"\n\n"), parse_frame(words + b"\n: comment\n\n")
    assert (usual.event, usual.data) == (other.event, other.data)


def test_what_is_written_is_read_back() -> None:
    written = data_frame(b'{"a":1}') + named_frame(b"ping", b"{}")
    assert read(written) == [("", b'{"a":1}'), ("ping", b"{}")]


def test_a_frames_raw_bytes_are_its_own() -> None:
    raw = b"event: a\r\ndata: b\r\n\r\n"
    assert parse_frame(raw).raw == raw


LINES = st.lists(
    st.sampled_from(["data: é1", "data:", "data: {}", "event: ping", ": note", "id: 7", "retry: 1", ""]), max_size=12
)


@given(lines=LINES, line_end=st.sampled_from(["\n", "\r\n"]), cut=st.integers(1, 9))
def test_where_the_bytes_are_cut_changes_nothing(lines: list[str], line_end: str, cut: int) -> None:
    data = line_end.join([*lines, "", ""]).encode()
    assert read(data, cut) == read(data)


# --- names and ids


def test_a_legal_name_keeps_its_place_against_one_that_would_become_it() -> None:
    names = wire_names(["a.b", "a_b"], limit=64)
    assert names["a_b"] == "a_b"
    assert names["a.b"] != "a_b"
    assert names["a.b"].startswith("a_b_")


@given(st.lists(st.text(min_size=1, max_size=90), max_size=8))
def test_wire_names_are_legal_different_and_the_same_every_time(names: list[str]) -> None:
    table = wire_names(names, limit=64)
    assert set(table) == set(names)
    assert len(set(table.values())) == len(table)
    assert all(0 < len(wire) <= 64 and set(wire) <= LEGAL for wire in table.values())
    assert wire_names(names, limit=64) == table


LEGAL = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


@given(st.text(min_size=1, max_size=90))
def test_a_wire_id_is_legal_and_a_legal_id_stays(call_id: str) -> None:
    wire = wire_id(call_id, limit=40)
    assert 0 < len(wire) <= 40
    assert set(wire) <= LEGAL
    assert wire_id(wire, limit=40) == wire


# --- envelopes


@given(payload=st.text(max_size=50), group=st.text(alphabet="abc.-9", max_size=8), account=st.text(max_size=8))
def test_an_envelope_opens_for_its_owner(payload: str, group: str, account: str) -> None:
    sealer = Sealer(KEY)
    envelope = sealer.seal(payload, family="anthropic", group=group, account=account)
    assert is_sealed(envelope)
    assert sealer.unwrap(envelope, family="anthropic", group=group, account=account) == payload


def test_an_envelope_stays_shut_for_everybody_else() -> None:
    sealer = Sealer(KEY)
    envelope = sealer.seal("proof", family="anthropic", group="claude", account="a")
    assert sealer.unwrap(envelope, family="openai", group="claude", account="a") is None
    assert sealer.unwrap(envelope, family="anthropic", group="other", account="a") is None
    assert sealer.unwrap(envelope, family="anthropic", group="claude", account="b") is None
    assert Sealer(b"another key, of thirty-two bytes").open(envelope) is None


def test_an_altered_envelope_is_none_of_ours() -> None:
    sealer = Sealer(KEY)
    envelope = sealer.seal("proof", family="anthropic")
    for altered in (envelope[:-1], envelope.replace("anthropic", "openai"), "gwr1.a.b.c.d.é", "gwr1.....", ""):
        assert sealer.open(altered) is None


def test_a_vendors_own_signature_is_not_taken_for_an_envelope() -> None:
    assert not is_sealed("EqQBCkYIARgCKkD")
    assert not is_sealed(None)
    assert Sealer(KEY).unwrap("EqQBCkYIARgCKkD", family="anthropic") is None


# --- JSON


def test_values_of_the_top_level_stay_as_they_were_written() -> None:
    body = Body(b'{"model": "m", "seed": 1.0, "messages": [ 1 ]}')
    assert bytes(body.top["messages"]) == b"[ 1 ]"
    assert bytes(body.top["seed"]) == b"1.0"
    assert body.get("model") == "m"
    assert body.get("absent") is None
    assert body.whole()["messages"] == [1]


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"a":', b"\xff", b'"x"', b"[" * 5000])
def test_a_body_that_is_no_object_is_named_as_such(raw: bytes) -> None:
    with pytest.raises(BodyUnreadable):
        jsonio.decode_object(raw)
    with pytest.raises(BodyUnreadable):
        Body(raw)


def test_try_object_takes_anything() -> None:
    assert jsonio.try_object('{"a":1}') == {"a": 1}
    assert [jsonio.try_object(value) for value in (None, "", "[1]", "{", b"\xff")] == [None] * 5


def test_text_keeps_letters_as_they_are() -> None:
    assert jsonio.text({"ü": [1, None]}) == '{"ü":[1,null]}'


# --- fold, unfold, grammar

TEXTS = st.text(max_size=20)
PARTS = st.one_of(
    st.builds(p.Text, text=TEXTS),
    st.builds(p.Refusal, text=TEXTS),
    st.builds(p.Reasoning, text=TEXTS, signature=st.none() | st.just("sig"), family=st.just("anthropic")),
    st.builds(p.Reasoning, redacted=st.just(True), signature=st.just("data"), family=st.just("anthropic")),
    st.builds(p.ToolCall, id=st.just("call_1"), name=st.just("f"), arguments=TEXTS),
    st.builds(p.ServerCall, id=st.just("s"), name=st.just("web_search"), arguments=TEXTS),
    st.builds(p.Opaque, dialect=st.just("x"), raw=st.just({"a": 1})),
)


@given(parts=st.lists(PARTS, max_size=6), usage=st.none() | st.builds(Usage, output=st.integers(0, 9)))
def test_a_response_survives_being_made_a_stream(parts: list[p.Part], usage: Usage | None) -> None:
    response = Response(id="r", model="m", created=1, parts=parts, finish=END, usage=usage)
    stream = list(unfold(response))
    check_all(stream)
    assert msgspec.structs.asdict(fold(stream)) == msgspec.structs.asdict(response)


def test_fold_joins_deltas_and_keeps_the_last_usage() -> None:
    stream = [
        ev.Started("r", "m", usage=Usage(fresh_input=1)),
        ev.PartStarted(p.ToolCall(id="c", name="f")),
        ev.ArgumentsDelta('{"a":'),
        ev.ArgumentsDelta("1}"),
        ev.PartEnded(),
        ev.UsageGiven(Usage(fresh_input=2)),
        ev.UsageGiven(Usage(fresh_input=3)),
        ev.Finished(END),
    ]
    response = fold(stream)
    assert response.parts == [p.ToolCall(id="c", name="f", arguments='{"a":1}')]
    assert response.usage == Usage(fresh_input=3)


def test_folding_does_not_change_the_events() -> None:
    stream = [ev.Started(), ev.PartStarted(p.Text(text="")), ev.TextDelta("a"), ev.PartEnded(), ev.Finished(END)]
    assert fold(stream).parts == fold(stream).parts == [p.Text(text="a")]


def test_a_stream_without_an_end_is_no_answer() -> None:
    with pytest.raises(UpstreamBroken):
        fold([ev.Started(), ev.PartStarted(p.Text(text="")), ev.TextDelta("a"), ev.PartEnded()])


def test_a_failed_stream_raises_its_own_error() -> None:
    error = UpstreamBroken("cut")
    with pytest.raises(UpstreamBroken, match="cut"):
        fold([ev.Started(), ev.Failed(error)])


@pytest.mark.parametrize(
    "stream",
    [
        [ev.TextDelta("a")],
        [ev.Started(), ev.Started()],
        [ev.Started(), ev.TextDelta("a")],
        [ev.Started(), ev.PartStarted(p.Text(text="")), ev.TextDelta("")],
        [ev.Started(), ev.PartStarted(p.Text(text="")), ev.ArgumentsDelta("a")],
        [ev.Started(), ev.PartStarted(p.Text(text="")), ev.PartStarted(p.Text(text=""))],
        [ev.Started(), ev.PartStarted(p.Text(text="")), ev.Finished(END)],
        [ev.Started(), ev.PartEnded()],
        [ev.Started(), ev.Finished(END), ev.Alive()],
        [ev.Started()],
    ],
)
def test_the_grammar_sees_what_is_out_of_place(stream: list[ev.Event]) -> None:
    with pytest.raises(GrammarViolation):
        check_all(stream)


def test_a_failure_may_come_first() -> None:
    Grammar().check(ev.Failed(UpstreamBroken("x")))


# --- small values


def test_usage_sums_count_no_token_twice() -> None:
    usage = Usage(fresh_input=10, cache_read=90, cache_write_5m=3, cache_write_1h=2, output=7, reasoning=4)
    assert (usage.total_input, usage.cache_write, usage.total) == (105, 5, 112)
    assert Usage().cache_write is None
    assert Usage().total == 0


def test_notes_keep_order_without_repeats() -> None:
    notes = Notes()
    notes.add("seed", "No counterpart.")
    notes.add("seed", "No counterpart.")
    notes.add("top_p", "Weakened.", dropped=False)
    assert len(notes.items) == 2
    assert notes.header() == "seed,top_p"
