"""A caller's body through the IR and back: for this dialect's own callers the meaning stays, to the byte of a part."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from proxyapp.dialects import jsonio
from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.contract import ClientSide, Profile, UpstreamSide
from proxyapp.dialects.signatures import Sealer

Json = dict[str, Any]
SEALER = Sealer(b"k" * 32)
RICH = Profile(
    thinking="both",
    mid_system=True,
    tool_name_limit=128,
    efforts=("low", "medium", "high", "xhigh", "max"),
    max_output=64000,
)

WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(lambda text: text.strip())
CACHE = st.fixed_dictionaries(
    {}, optional={"cache_control": st.sampled_from([{"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}])}
)


def block(**fields: Any) -> st.SearchStrategy[Json]:
    return st.builds(lambda base, cache: {**base, **cache}, st.fixed_dictionaries(fields), CACHE)


TEXT = block(type=st.just("text"), text=WORDS)
URL_IMAGE = block(
    type=st.just("image"), source=st.fixed_dictionaries({"type": st.just("url"), "url": st.just("https://x.example/a")})
)
DOCUMENT = block(
    type=st.just("document"),
    source=st.fixed_dictionaries({"type": st.just("text"), "media_type": st.just("text/plain"), "data": WORDS}),
    title=WORDS,
)
THINKING = st.fixed_dictionaries(
    {"type": st.just("thinking"), "thinking": st.text(max_size=5), "signature": st.text("abc=", min_size=1)}
)
SERVER = st.fixed_dictionaries(
    {
        "type": st.just("server_tool_use"),
        "id": st.just("s1"),
        "name": st.just("web_search"),
        "input": st.dictionaries(WORDS, WORDS, max_size=2),
    }
)
INPUT = st.dictionaries(WORDS, WORDS | st.integers(-5, 5) | st.none() | st.lists(WORDS, max_size=2), max_size=3)


@st.composite
def conversations(draw: st.DrawFn) -> list[Json]:
    """User and assistant in turn; every call is answered, in order."""
    messages: list[Json] = [
        {"role": "user", "content": draw(st.lists(TEXT | URL_IMAGE | DOCUMENT, min_size=1, max_size=2))}
    ]
    number = 0
    for _ in range(draw(st.integers(0, 3))):
        content = draw(st.lists(THINKING, max_size=1)) + draw(st.lists(TEXT | SERVER, max_size=2))
        results = []
        for _ in range(draw(st.integers(0, 2))):
            number += 1
            name, given_input = draw(st.sampled_from(["f", "g_2"])), draw(INPUT)
            content.append({"type": "tool_use", "id": f"t{number}", "name": name, "input": given_input})
            result: Json = {"type": "tool_result", "tool_use_id": f"t{number}", "content": draw(WORDS)}
            results.append({**result, **({"is_error": True} if draw(st.booleans()) else {})})
        if not content:
            content = [{"type": "text", "text": "ok"}]
        messages.append({"role": "assistant", "content": content})
        messages.append(
            {"role": "user", "content": [*results, *draw(st.lists(TEXT, min_size=0 if results else 1, max_size=2))]}
        )
        if draw(st.booleans()):
            messages.append({"role": "system", "content": [{"type": "text", "text": draw(WORDS)}]})
            messages.append({"role": "assistant", "content": [{"type": "text", "text": draw(WORDS)}]})
            messages.append({"role": "user", "content": [draw(TEXT)]})
    return messages


BODIES = st.builds(
    lambda base, more: {"model": "m", "max_tokens": 4000, **base, **more},
    st.fixed_dictionaries({"messages": conversations()}),
    st.fixed_dictionaries(
        {},
        optional={
            "system": st.lists(TEXT, min_size=1, max_size=2),
            "stream": st.just(True),
            "tools": st.just(
                [
                    {
                        "name": "f",
                        "description": "d",
                        "input_schema": {"type": "object", "oneOf": []},
                        "defer_loading": True,
                    },
                    {"name": "g_2", "input_schema": {"type": "object"}, "strict": True},
                    {"type": "web_search_20250305", "name": "web_search"},
                ]
            ),
            "stop_sequences": st.lists(WORDS, min_size=1, max_size=2),
            "thinking": st.sampled_from([{"type": "disabled"}, {"type": "between_tools"}]),
            "output_config": st.sampled_from(
                [
                    {"effort": "low"},
                    {"format": {"type": "json_schema", "schema": {"type": "object", "minProperties": 1}}},
                ]
            ),
            "metadata": st.just({"user_id": "u"}),
            "service_tier": st.sampled_from(["auto", "standard_only"]),
            "container": st.just("c"),
            "cache_control": st.just({"type": "ephemeral"}),
        },
    ),
)


def there_and_back(body: Json) -> tuple[Json, UpstreamSide]:
    request = ANTHROPIC.parse_request(body, ClientSide(sealer=SEALER))
    side = UpstreamSide(profile=RICH, sealer=SEALER, model="m")
    return json.loads(jsonio.encode(ANTHROPIC.render_request(request, side))), side


def without_points(value: Any) -> Any:
    """Points beyond the fourth are dropped, which is another test's matter."""
    if isinstance(value, list):
        return [without_points(entry) for entry in value]
    if isinstance(value, dict):
        return {key: without_points(entry) for key, entry in value.items() if key != "cache_control"}
    return value


@settings(deadline=None, max_examples=50)
@given(BODIES)
def test_an_own_body_comes_back_as_it_was(body: Json) -> None:
    back, side = there_and_back(body)
    assert without_points(back) == without_points(body)
    assert {note.path for note in side.notes.items} <= {"cache_control"}


@settings(deadline=None, max_examples=50)
@given(BODIES)
def test_a_second_trip_changes_nothing_more(body: Json) -> None:
    once, _ = there_and_back(body)
    assert there_and_back(once)[0] == once
