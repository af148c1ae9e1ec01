"""Reasoning between tags at the beginning of the text, cut anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyapp.dialects.openai_chat.thinktags import ThinkTags
from proxyapp.ir.fold import fold
from proxyapp.ir.parts import Reasoning, Text, ToolCall

CASES = [
    ("<think>Hm.</think>Hello.", "Hm.", "Hello."),
    ("\n<think>\nHm,\nwell.\n</think>\n\nHello.\n", "Hm,\nwell.", "Hello.\n"),
    ("<think>\n\n</think>\n\nHello.", "", "Hello."),
    ("<think>never closed", "never closed", ""),
    ("<think>a < b </thin", "a < b </thin", ""),
    ("Hello <think>no</think>", "", "Hello <think>no</think>"),
    ("<thinker>", "", "<thinker>"),
    ("<thi", "", "<thi"),
    ("  Hello", "", "  Hello"),
    ("", "", ""),
    ("<think>a</think>b</think><think>c", "a", "b</think><think>c"),
]


def split(pieces: list[str]) -> tuple[str, str]:
    tags = ThinkTags()
    pairs = [pair for piece in pieces for pair in tags.feed(piece)] + tags.close()
    assert all(text for _, text in pairs)
    return "".join(t for thought, t in pairs if thought), "".join(t for thought, t in pairs if not thought)


@pytest.mark.parametrize(("text", "thought", "said"), CASES)
def test_what_stands_between_the_tags_is_reasoning(text, thought, said):
    assert split([text]) == (thought, said)
    assert split(list(text)) == (thought, said)


@given(st.sampled_from([text for text, *_ in CASES]), st.lists(st.integers(1, 9), max_size=20))
def test_cutting_the_text_anywhere_changes_nothing(text, sizes):
    pieces, at = [], 0
    for size in sizes:
        pieces.append(text[at : at + size])
        at += size
    assert split([*pieces, text[at:]]) == split([text])


@given(st.text(alphabet="<>/think \na", max_size=40), st.integers(1, 5))
def test_any_text_is_read_alike_whole_and_in_pieces(text, size):
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert split(pieces) == split([text])


def test_a_stream_with_tags_has_reasoning_text_and_calls(upstream, decode, sse, chunk):
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    data = sse(chunk({"role": "assistant", "content": ""}), chunk({"content": "<thi"}), chunk({"content": "nk>Hm"}),
               chunk({"content": ".</th"}), chunk({"content": "ink>\n\nHello."}), chunk({"tool_calls": [call]}),
               chunk({}, finish="tool_calls"), "[DONE]")  # fmt: skip
    for cut in (1, 7, 1 << 20):
        parts = fold(decode(data, upstream(think_tags=True), cut)).parts
        assert [type(part) for part in parts] == [Reasoning, Text, ToolCall]
        assert [part.text for part in parts[:2]] == ["Hm.", "Hello."]
    assert fold(decode(data, upstream())).parts[0].text == "<think>Hm.</think>\n\nHello."


def test_a_reasoning_field_beside_the_text_does_no_harm(upstream, decode, sse, chunk):
    data = sse(chunk({"reasoning": "Hm."}), chunk({"content": "<"}), chunk({"content": "b>"}), chunk({}, finish="stop"))
    parts = fold(decode(data, upstream(think_tags=True))).parts
    assert [part.text for part in parts] == ["Hm.", "<b>"]


def test_a_text_that_was_held_back_comes_before_the_end(upstream, decode, sse, chunk):
    data = sse(chunk({"content": "<thi"}), chunk({}, finish="length"))
    assert [part.text for part in fold(decode(data, upstream(think_tags=True))).parts] == ["<thi"]
