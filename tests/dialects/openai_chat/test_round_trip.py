"""There and back: what is rendered and parsed again means the same."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxyapp.dialects.openai_chat import OPENAI_CHAT
from proxyapp.ir import parts as p
from proxyapp.ir.fold import fold
from proxyapp.ir.request import Request, Tool, ToolChoice, Turn

QUIET = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
TEXT = st.builds(p.Text, text=WORDS)
IMAGE = st.builds(
    p.Image,
    source=st.sampled_from(
        [p.Source(kind="url", data="https://x/i.png"), p.Source(kind="base64", data="iVBORw==", mime="image/png")]
    ),
    detail=st.none() | st.just("low"),
)


@st.composite
def conversations(draw: st.DrawFn) -> list[Turn]:
    """User turns, each answered; calls are answered by results before the next user turn."""
    turns = []
    for number in range(draw(st.integers(1, 4))):
        turns.append(Turn(role="user", parts=draw(st.lists(TEXT | IMAGE, min_size=1, max_size=3))))
        calls = [
            p.ToolCall(id=f"call_{number}_{index}", name=draw(WORDS), arguments=json.dumps({"a": draw(WORDS)}))
            for index in range(draw(st.integers(0, 2)))
        ]
        turns.append(Turn(role="assistant", parts=[draw(TEXT), *calls]))
        if calls:
            results: list[p.Part] = [p.ToolResult(call_id=call.id, parts=[draw(TEXT)]) for call in calls]
            turns.append(Turn(role="user", parts=results))
    return turns


def bare(turns: list[Turn], names: dict[str, str]) -> list[tuple[str, list[p.Part]]]:
    """Turns without paths, tool names as the caller wrote them."""
    for turn in turns:
        for part in turn.parts:
            if isinstance(part, p.ToolCall):
                part.name = names.get(part.name, part.name)
    return [(turn.role, turn.parts) for turn in turns]


@QUIET
@given(turns=conversations(), system=st.lists(TEXT, max_size=1), tools=st.lists(WORDS, max_size=3, unique=True))
def test_a_conversation_survives_being_rendered(
    parse: Any, upstream: Any, turns: list[Turn], system: list[p.Text], tools: list[str]
) -> None:
    request = Request(
        client_dialect="openai-chat",
        model="m",
        system=system,
        turns=turns,
        tools=[Tool(name=name, schema={"type": "object", "properties": {}}) for name in tools],
        tool_choice=ToolChoice(mode="named", names=tools[:1]) if tools else None,
        temperature=0.5,
        stop=["x"],
        max_output=9,
    )
    side = upstream()
    body = json.loads(json.dumps(OPENAI_CHAT.render_request(request, side)))
    again = parse(**body)
    assert bare(again.turns, side.wire_names) == bare(turns, {})
    assert [text.text for text in again.system] == [text.text for text in system]
    assert [side.wire_names.get(tool.name, tool.name) for tool in again.tools] == tools
    assert (again.temperature, again.stop, again.max_output) == (0.5, ["x"], 9)
    if tools:
        assert [side.wire_names.get(name, name) for name in again.tool_choice.names] == tools[:1]


@QUIET
@given(
    reasoning=st.none() | WORDS,
    text=st.none() | WORDS,
    calls=st.lists(st.tuples(WORDS, WORDS), max_size=3),
    cut=st.integers(1, 60),
)
def test_an_answer_survives_a_chat_caller_and_a_chat_upstream(
    decode: Any, encode: Any, reasoning: str | None, text: str | None, calls: list[tuple[str, str]], cut: int
) -> None:
    message: dict[str, Any] = {"content": text, "reasoning_content": reasoning}
    message["tool_calls"] = [
        {"index": index, "id": f"c{index}", "function": {"name": name, "arguments": json.dumps({"a": value})}}
        for index, (name, value) in enumerate(calls)
    ]
    chunks = [
        {"id": "x", "model": "m", "choices": [{"index": 0, "delta": message, "finish_reason": None}]},
        {"id": "x", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ]
    data = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
    first = decode(data, cut=cut)
    again = decode(encode(first), cut=cut)
    assert fold(again).parts == fold(first).parts
    assert fold(again).finish.kind == fold(first).finish.kind
