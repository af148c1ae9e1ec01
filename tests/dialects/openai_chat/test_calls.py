"""Tool calls in a Chat stream: fragments that are cut, numbered, repeated and interleaved in many ways."""

from __future__ import annotations

from typing import Any

import pytest

from proxyapp.ir import events as ev
from proxyapp.ir import parts as p
from proxyapp.ir.fold import fold
from proxyapp.ir.response import FinishKind


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


def shown(events: list[ev.Event]) -> list[tuple[str, str, str]]:
    """(id, name, arguments) of every call."""
    return [(part.id, part.name, part.arguments) for part in fold(events).parts if isinstance(part, p.ToolCall)]


def test_a_call_in_fragments(play: Any) -> None:
    events = play(
        {"role": "assistant", "content": None, **calls(fragment("", call_id="c1", name="f"))},
        calls(fragment('{"a"')),
        calls(fragment(":1}")),
        finish="tool_calls",
    )
    assert shown(events) == [("c1", "f", '{"a":1}')]
    assert [type(event) for event in events].count(ev.ArgumentsDelta) == 2


def test_interleaved_fragments_are_held_until_the_first_call_is_whole(play: Any) -> None:
    events = play(
        calls(fragment('{"a"', index=0, call_id="c0", name="f")),
        calls(fragment('{"b"', index=1, call_id="c1", name="g")),
        calls(fragment(":0}", index=0)),
        calls(fragment(":1}", index=1)),
        finish="tool_calls",
    )
    assert shown(events) == [("c0", "f", '{"a":0}'), ("c1", "g", '{"b":1}')]


def test_the_second_call_streams_as_soon_as_the_first_is_whole(
    decode: Any, sse: Any, chunk: Any, upstream: Any
) -> None:
    from proxyapp.dialects.openai_chat import OPENAI_CHAT
    from proxyapp.dialects.sse import parse_frame

    decoder = OPENAI_CHAT.decoder(upstream())
    for delta in (
        calls(fragment('{"a":0}', index=0, call_id="c0", name="f")),
        calls(fragment('{"b"', index=1, call_id="c1", name="g")),
    ):
        events = decoder.feed(parse_frame(sse(chunk(delta))))
    assert [type(event) for event in events] == [ev.PartEnded, ev.PartStarted, ev.ArgumentsDelta]


def test_all_calls_at_index_zero_with_new_ids(play: Any) -> None:
    events = play(
        calls(fragment('{"a":0}', call_id="c0", name="f")),
        calls(fragment('{"a":1}', call_id="c1", name="f")),
        calls(fragment('{"a"', call_id="c2", name="g")),
        calls(fragment(":2}")),
    )
    assert shown(events) == [("c0", "f", '{"a":0}'), ("c1", "f", '{"a":1}'), ("c2", "g", '{"a":2}')]


def test_all_calls_at_index_zero_without_ids(play: Any) -> None:
    events = play(calls(fragment('{"a":0}', name="f"), fragment('{"a":1}', name="f")), calls(fragment("{}", name="f")))
    assert [arguments for _, _, arguments in shown(events)] == ['{"a":0}', '{"a":1}', "{}"]
    assert len({call_id for call_id, _, _ in shown(events)}) == 3


def test_fragments_without_an_index_go_by_id_then_to_the_last_call(play: Any) -> None:
    events = play(
        calls(fragment('{"a"', index=None, call_id="c0", name="f")),
        calls(fragment(":0}", index=None, call_id="c0")),
        calls(fragment('{"b"', index=None, call_id="c1", name="g")),
        calls(fragment(":1}", index=None)),
    )
    assert shown(events) == [("c0", "f", '{"a":0}'), ("c1", "g", '{"b":1}')]


def test_a_missing_id_is_minted_and_a_repeated_one_again(play: Any) -> None:
    events = play(calls(fragment("{}", index=0, name="f")), calls(fragment("{}", index=1, name="f")))
    assert [call_id[:5] for call_id, _, _ in shown(events)] == ["call_"] * 2
    events = play(
        calls(fragment("{}", index=0, call_id="same", name="f")),
        calls(fragment("{}", index=1, call_id="same", name="f")),
    )
    ids = [call_id for call_id, _, _ in shown(events)]
    assert ids[0] == "same" != ids[1]


def test_a_late_id_does_not_make_a_second_call(play: Any) -> None:
    events = play(calls(fragment('{"a"', name="f")), calls(fragment(":1}", call_id="late")))
    assert [arguments for _, _, arguments in shown(events)] == ['{"a":1}']


def test_a_name_repeated_in_every_fragment_is_one_call(play: Any) -> None:
    events = play(*(calls(fragment(text, call_id="c0", name="f")) for text in ('{"a"', ":", "1}")))
    assert shown(events) == [("c0", "f", '{"a":1}')]


def test_a_changing_id_without_a_name_goes_on_with_the_call(play: Any) -> None:
    events = play(calls(fragment('{"a"', call_id="c0", name="f")), calls(fragment(":1}", call_id="other")))
    assert shown(events) == [("c0", "f", '{"a":1}')]


def test_a_call_sent_again_whole_is_not_doubled(play: Any) -> None:
    events = play(
        calls(fragment('{"a"', call_id="c0", name="f")),
        calls(fragment(":1}")),
        calls(fragment('{"a":1}', call_id="c0", name="f")),
    )
    assert shown(events) == [("c0", "f", '{"a":1}')]


def test_two_equal_parallel_calls_stay_two(play: Any) -> None:
    same = [fragment('{"a":1}', index=n, call_id=f"c{n}", name="f") for n in range(2)]
    assert shown(play(calls(*same))) == [("c0", "f", '{"a":1}'), ("c1", "f", '{"a":1}')]


def test_a_name_that_comes_late_is_waited_for(play: Any) -> None:
    events = play(calls(fragment('{"a"', call_id="c0")), calls(fragment(":1}", name="f")))
    assert shown(events) == [("c0", "f", '{"a":1}')]


def test_a_later_call_may_go_first_when_the_first_has_no_name_yet(play: Any) -> None:
    events = play(
        calls(fragment('{"a":0}', index=0, call_id="c0")),
        calls(fragment('{"b"', index=1, call_id="c1", name="g")),
        calls(fragment("", index=0, name="f")),
        calls(fragment(":1}", index=1)),
    )
    assert sorted(shown(events)) == [("c0", "f", '{"a":0}'), ("c1", "g", '{"b":1}')]


def test_a_call_that_never_gets_a_name_is_noted(play: Any, upstream: Any) -> None:
    side = upstream()
    assert shown(play(calls(fragment("{}", call_id="c0")), side=side)) == []
    assert [note.path for note in side.notes.items] == ["tool_calls"]


def test_arguments_as_an_object_become_text(play: Any) -> None:
    assert shown(play(calls(fragment({"a": [1]}, call_id="c0", name="f")))) == [("c0", "f", '{"a":[1]}')]


def test_text_between_calls_closes_a_whole_call(play: Any) -> None:
    events = play(
        {"content": "a"},
        calls(fragment('{"a":0}', index=0, call_id="c0", name="f")),
        {"content": "b"},
        calls(fragment("{}", index=1, call_id="c1", name="g")),
    )
    assert [type(part) for part in fold(events).parts] == [p.Text, p.ToolCall, p.Text, p.ToolCall]


def test_text_inside_an_unfinished_call_waits(play: Any) -> None:
    events = play(
        calls(fragment('{"a"', call_id="c0", name="f")),
        {"content": "b"},
        {"content": "c"},
        calls(fragment(":0}")),
    )
    call, text = fold(events).parts
    assert (call.arguments, text.text) == ('{"a":0}', "bc")


def test_arguments_after_a_whole_call_are_noted_not_joined(play: Any, upstream: Any) -> None:
    side = upstream()
    events = play(
        calls(fragment("{}", call_id="c0", name="f")), {"content": "b"}, calls(fragment(" "), fragment("{}")), side=side
    )
    assert shown(events) == [("c0", "f", "{}")]
    assert [note.path for note in side.notes.items] == ["tool_calls"]


def test_the_old_function_call(play: Any) -> None:
    events = play(
        {"function_call": {"name": "f", "arguments": '{"a"'}},
        {"function_call": {"arguments": ":1}"}},
        finish="function_call",
    )
    assert [(name, arguments) for _, name, arguments in shown(events)] == [("f", '{"a":1}')]
    assert fold(events).finish.kind is FinishKind.TOOL_CALLS


def test_names_are_mapped_back_and_wrapped_tools_unwrapped(play: Any, upstream: Any) -> None:
    side = upstream()
    side.wire_names, side.wrapped_tools = {"a_b_1": "a.b", "p_1": "patch"}, {"patch"}
    events = play(
        calls(fragment("{}", index=0, call_id="c0", name="a_b_1")),
        calls(fragment('{"in', index=1, call_id="c1", name="p_1")),
        calls(fragment('put":"x\\ny"}', index=1)),
        side=side,
    )
    plain, custom = fold(events).parts
    assert (plain.name, plain.kind) == ("a.b", "function")
    assert (custom.name, custom.kind, custom.arguments) == ("patch", "custom", "x\ny")
    assert sum(isinstance(event, ev.ArgumentsDelta) for event in events) == 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [('{"patch":"x"}', "x"), ('{"a":"x","b":"y"}', '{"a":"x","b":"y"}'), ("raw", "raw"), ('{"input":""}', "")],
)
def test_unwrapping_takes_the_only_string_there_is(play: Any, upstream: Any, arguments: str, text: str) -> None:
    side = upstream()
    side.wrapped_tools = {"patch"}
    ((_, _, unwrapped),) = shown(play(calls(fragment(arguments, call_id="c", name="patch")), side=side))
    assert unwrapped == text


def test_native_custom_calls(play: Any) -> None:
    entry = {"index": 0, "id": "c0", "type": "custom", "custom": {"name": "patch", "input": "x{"}}
    (call,) = fold(play(calls(entry))).parts
    assert (call.kind, call.arguments) == ("custom", "x{")


def test_googles_signature_on_a_call_is_kept_for_its_own_dialect(play: Any) -> None:
    entry = {**fragment("{}", call_id="c0", name="f"), "extra_content": {"google": {"thought_signature": "s"}}}
    (call,) = fold(play(calls(entry))).parts
    assert call.meta == {"openai-chat": {"extra_content": {"google": {"thought_signature": "s"}}}}
