"""Requests and answers in neutral words, as far as every dialect can say them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from proxyapp.ir import parts as p
from proxyapp.ir.request import Format, Request, Tool, ToolChoice, Turn
from proxyapp.ir.response import Finish, FinishKind, Response
from proxyapp.ir.usage import Usage

_LETTERS = st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])
words = st.text(_LETTERS, min_size=1, max_size=30).map(lambda text: f"w{text}w")
"""Text that is not blank at either end: what blanks become is for the corner cases."""
names = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
arguments = st.dictionaries(names, values, max_size=3).map(lambda value: json.dumps(value, separators=(",", ":")))

_KINDS = st.sampled_from(["string", "integer", "number", "boolean"])


@st.composite
def schemas(draw: Any) -> dict[str, Any]:
    """JSON Schemas of plain objects: what every dialect says in the same words."""
    properties = draw(st.dictionaries(names, _KINDS.map(lambda kind: {"type": kind}), min_size=1, max_size=3))
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


@st.composite
def tools(draw: Any) -> list[Tool]:
    chosen = draw(st.lists(names, max_size=3, unique=True))
    return [Tool(name=name, description=draw(words), schema=draw(schemas()), strict=False) for name in chosen]


@st.composite
def turns(draw: Any, tool_names: list[str]) -> list[Turn]:
    """Alternating, beginning and ending with the user's; every call is answered."""
    found = [Turn(role="user", parts=draw(_said))]
    for number in range(draw(st.integers(0, 3))):
        calls = []
        if tool_names:
            chosen = draw(st.lists(st.sampled_from(tool_names), max_size=2))
            calls = [
                p.ToolCall(id=f"call_{number}_{i}", name=name, arguments=draw(arguments))
                for i, name in enumerate(chosen)
            ]
        text = [p.Text(text=draw(words))] if not calls or draw(st.booleans()) else []
        found.append(Turn(role="assistant", parts=[*text, *calls]))
        results: list[p.Part] = [
            p.ToolResult(call_id=call.id, name=call.name, parts=[p.Text(text=draw(words))]) for call in calls
        ]
        more = draw(_said) if not results or draw(st.booleans()) else []
        found.append(Turn(role="user", parts=[*results, *more]))
    return found


_image = st.just(p.Image(source=p.Source(kind="base64", data=_PNG, mime="image/png")))
_said = st.lists(words.map(lambda text: p.Text(text=text)) | _image, min_size=1, max_size=2)


@st.composite
def requests(draw: Any) -> Request:
    """What all dialects can say; each part of it is there or not."""
    known = draw(tools())
    choice = st.none()
    if known:
        any_name = st.sampled_from([tool.name for tool in known])
        choice = st.sampled_from([None, ToolChoice(), ToolChoice(mode="none"), ToolChoice(mode="any")]) | any_name.map(
            lambda name: ToolChoice(mode="named", names=[name])
        )
    return Request(
        client_dialect="properties",
        model="m",
        stream=draw(st.booleans()),
        system=[p.Text(text=text) for text in draw(st.lists(words, max_size=2))],
        turns=draw(turns([tool.name for tool in known])),
        tools=known,
        tool_choice=draw(choice),
        max_output=draw(st.integers(2_000, 9_000)),
        temperature=draw(st.sampled_from([None, 0.25, 1.0])),
        format=draw(st.none() | schemas().map(lambda schema: Format(kind="json_schema", schema=schema, name="it"))),
    )


# --- answers

_counts = st.integers(0, 100_000)


@st.composite
def usages(draw: Any) -> Usage:
    output = draw(_counts)
    return Usage(
        fresh_input=draw(_counts),
        cache_read=draw(_counts),
        cache_write_5m=draw(st.just(0) | _counts),
        output=output,
        reasoning=draw(st.integers(0, output)),
    )


_text = words.map(lambda text: p.Text(text=text))
_thought = words.map(lambda text: p.Reasoning(text=text))


@st.composite
def answers(draw: Any) -> Response:
    """Thinking first, then text, then calls: the order that every dialect can tell."""
    calls = [
        p.ToolCall(id=f"call_{i}", name=name, arguments=draw(arguments))
        for i, name in enumerate(draw(st.lists(names, max_size=3)))
    ]
    thoughts, texts = (
        draw(st.lists(_thought, max_size=1)),
        draw(st.lists(_text, min_size=0 if calls else 1, max_size=2)),
    )
    if calls:
        finish = FinishKind.TOOL_CALLS
    else:
        finish = draw(st.sampled_from([FinishKind.END, FinishKind.LENGTH, FinishKind.CONTENT_FILTER]))
    return Response(
        id="upstream-1",
        model="m",
        created=1_700_000_000,
        parts=[*thoughts, *texts, *calls],
        finish=Finish(kind=finish),
        usage=draw(usages()),
    )
