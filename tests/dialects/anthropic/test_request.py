"""A caller's body as IR: what is taken, where it goes, and how a malformed one is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.contract import Body, ClientSide
from proxyapp.errors import BadRequest, BodyUnreadable
from proxyapp.ir import parts as p
from proxyapp.ir.request import Request

NAME = "anthropic-messages"
Parse = Callable[..., Request]


def test_the_scalars_find_their_places(parse: Parse) -> None:
    request = parse(
        model="claude",
        stream=True,
        temperature=0.5,
        top_p=0.9,
        top_k=5,
        stop_sequences=["END"],
        service_tier="auto",
        metadata={"user_id": "u1", "other": "x"},
        cache_control={"type": "ephemeral", "ttl": "1h"},
    )
    assert (request.model, request.stream, request.max_output) == ("claude", True, 4096)
    assert (request.temperature, request.top_p, request.top_k, request.stop) == (0.5, 0.9, 5, ["END"])
    assert (request.service_tier, request.end_user, request.cache_auto) == ("auto", "u1", "1h")
    assert request.extras == {"metadata": {"other": "x"}}


def test_a_zero_limit_is_a_prewarm_and_no_limit(parse: Parse) -> None:
    request = parse(max_tokens=0)
    assert request.max_output is None
    assert request.extras == {"max_tokens": 0}


def test_unknown_top_level_fields_are_kept_by_name(parse: Parse) -> None:
    request = parse(container="c1", context_management={"edits": []}, user_profile_id="u", speed="fast")
    assert set(request.extras) == {"container", "context_management", "user_profile_id", "speed"}


def test_system_may_be_a_string_or_blocks(parse: Parse) -> None:
    assert [text.text for text in parse(system="be brief").system] == ["be brief"]
    block = {"type": "text", "text": "one", "cache_control": {"type": "ephemeral"}}
    (text,) = parse(system=[block]).system
    assert (text.text, text.cache) == ("one", "5m")


def test_system_messages_that_stand_first_are_the_system_prompt(parse: Parse) -> None:
    request = parse(messages=[{"role": "system", "content": "s"}, {"role": "user", "content": "u"}])
    assert [text.text for text in request.system] == ["s"]
    assert [turn.role for turn in request.turns] == ["user"]


def test_a_system_message_in_the_middle_keeps_its_place_and_its_own_settings(parse: Parse) -> None:
    late = {"role": "system", "content": "now", "output_config": {"later": "low"}}
    turn = parse(messages=[{"role": "user", "content": "u"}, late]).turns[1]
    assert (turn.role, turn.author, turn.path) == ("system", "system", "messages.1")
    assert turn.meta == {NAME: {"output_config": {"later": "low"}}}
    assert turn.parts == [p.Text(text="now")]


def test_a_system_message_may_hold_settings_alone(parse: Parse) -> None:
    late = {"role": "system", "output_config": {"later": "low"}}
    assert parse(messages=[{"role": "user", "content": "u"}, late]).turns[1].parts == []


def one(parse: Parse, block: dict[str, Any], role: str = "user") -> p.Part:
    (part,) = parse(messages=[{"role": role, "content": [block]}]).turns[0].parts
    return part


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            {"type": "base64", "media_type": "image/png", "data": "iV\nBO-_"},
            p.Source(kind="base64", data="iVBO+/", mime="image/png"),
        ),
        ({"type": "url", "url": "https://x.example/a.png"}, p.Source(kind="url", data="https://x.example/a.png")),
        ({"type": "file", "file_id": "file_1"}, p.Source(kind="file", data="file_1")),
    ],
)
def test_images_have_three_kinds_of_source(parse: Parse, source: dict[str, Any], expected: p.Source) -> None:
    part = one(parse, {"type": "image", "source": source, "transformations": {"oversized_image": "error"}})
    assert isinstance(part, p.Image)
    assert part.source == expected
    assert part.meta == {NAME: {"transformations": {"oversized_image": "error"}}}


def test_documents_keep_title_context_and_citations(parse: Parse) -> None:
    part = one(
        parse,
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "words"},
            "title": "T",
            "context": "C",
            "citations": {"enabled": True},
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
        },
    )
    source = p.Source(kind="text", data="words", mime="text/plain")
    assert part == p.Document(source=source, title="T", context="C", citations=True, cache="1h")


def test_a_document_of_blocks_has_its_text_and_keeps_its_source(parse: Parse) -> None:
    source = {"type": "content", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    part = one(parse, {"type": "document", "source": source})
    assert isinstance(part, p.Document)
    assert part.source.data == "a\n\nb"
    assert part.meta[NAME]["source"] == source


def test_calls_and_results_are_joined_by_name(parse: Parse) -> None:
    use = {"type": "tool_use", "id": "t1", "name": "f", "input": {"b": 1, "a": "é"}, "caller": {"type": "direct"}}
    image = {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}}
    done = {
        "type": "tool_result",
        "tool_use_id": "t1",
        "content": [{"type": "text", "text": "ok"}, image],
        "is_error": True,
    }
    request = parse(messages=[{"role": "assistant", "content": [use]}, {"role": "user", "content": [done]}])
    call, result = request.turns[0].parts[0], request.turns[1].parts[0]
    assert call == p.ToolCall(
        id="t1", name="f", arguments='{"b":1,"a":"é"}', meta={NAME: {"caller": {"type": "direct"}}}
    )
    assert isinstance(result, p.ToolResult)
    assert (result.call_id, result.name, result.is_error) == ("t1", "f", True)
    assert [type(part) for part in result.parts] == [p.Text, p.Image]


def test_an_empty_input_says_no_arguments(parse: Parse) -> None:
    part = one(parse, {"type": "tool_use", "id": "t1", "name": "f", "input": {}}, "assistant")
    assert part == p.ToolCall(id="t1", name="f", arguments="")


def test_a_result_may_refer_to_tools_and_search_hits(parse: Parse) -> None:
    found = {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "x"}]}
    reference = {"type": "tool_reference", "tool_name": "f"}
    part = one(parse, {"type": "tool_result", "tool_use_id": "t1", "content": [found, reference]})
    assert isinstance(part, p.ToolResult)
    assert part.parts == [
        p.SearchResult(source="s", title="t", texts=["x"]),
        p.Opaque(dialect=NAME, raw=reference),
    ]


def test_hosted_tools_calls_and_results_keep_their_kind(parse: Parse) -> None:
    use = {"type": "mcp_tool_use", "id": "m1", "name": "echo", "input": {"a": 1}, "server_name": "srv"}
    done = {
        "type": "web_search_tool_result",
        "tool_use_id": "s1",
        "content": [],
        "cache_control": {"type": "ephemeral"},
    }
    call, result = parse(messages=[{"role": "assistant", "content": [use, done]}]).turns[0].parts
    meta = {NAME: {"type": "mcp_tool_use", "server_name": "srv"}}
    assert call == p.ServerCall(id="m1", name="echo", arguments='{"a":1}', dialect=NAME, meta=meta)
    raw = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}
    assert result == p.ServerResult(call_id="s1", dialect=NAME, raw=raw, cache="5m")


def test_a_block_of_an_unknown_kind_is_kept_whole(parse: Parse) -> None:
    block = {"type": "compaction", "content": "summary"}
    assert one(parse, block, "assistant") == p.Opaque(dialect=NAME, raw=block)


def test_citations_of_history_are_kept_raw(parse: Parse) -> None:
    cited = {"type": "web_search_result_location", "url": "u", "title": "t", "cited_text": "c", "encrypted_index": "e"}
    part = one(parse, {"type": "text", "text": "x", "citations": [cited]}, "assistant")
    assert isinstance(part, p.Text)
    assert part.citations == [p.Citation(url="u", title="t", cited_text="c", dialect=NAME, raw=cited)]


def test_signatures_are_opened_or_taken_as_anthropics(parse: Parse, caller: ClientSide) -> None:
    sealed = caller.sealer.seal("gAAAA", family="openai", group="g", account="a")
    nobody = caller.sealer.seal("", family="none")
    blocks = [
        {"type": "thinking", "thinking": "1", "signature": "ErU"},
        {"type": "thinking", "thinking": "2", "signature": sealed},
        {"type": "thinking", "thinking": "3", "signature": nobody},
        {"type": "thinking", "thinking": "4", "signature": sealed[:-2] + "zz"},
        {"type": "redacted_thinking", "data": "Zm9v"},
    ]
    parts = parse(messages=[{"role": "assistant", "content": blocks}]).turns[0].parts
    assert [(part.text, part.signature, part.family, part.redacted) for part in parts] == [  # type: ignore[attr-defined]
        ("1", "ErU", "anthropic", False),
        ("2", "gAAAA", "openai", False),
        ("3", None, "", False),
        ("", "Zm9v", "anthropic", True),
    ]
    assert parts[1].meta["proof"]["group"] == "g"


def test_thinking_that_was_hidden_from_the_caller_comes_back_out_of_its_envelope(
    parse: Parse, caller: ClientSide
) -> None:
    sealed = caller.sealer.seal("the hidden text", family="none")
    part = one(parse, {"type": "thinking", "thinking": "", "signature": sealed}, "assistant")
    assert part == p.Reasoning(text="the hidden text")


def test_tools_are_the_callers_own_unless_they_bear_a_version(parse: Parse) -> None:
    request = parse(
        tools=[
            {
                "name": "f",
                "description": "d",
                "input_schema": {"type": "object"},
                "strict": True,
                "defer_loading": True,
            },
            {"type": "custom", "name": "g", "input_schema": {"type": "object"}, "input_examples": [{}]},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
            {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"},
            {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"},
            {"type": "mcp_toolset", "mcp_server_name": "s"},
            {"type": "advisor_20260301", "name": "advisor"},
        ]
    )
    assert [(tool.name, tool.strict, tool.meta) for tool in request.tools] == [
        ("f", True, {NAME: {"defer_loading": True}}),
        ("g", None, {NAME: {"input_examples": [{}]}}),
    ]
    assert [(tool.kind, tool.path) for tool in request.server_tools] == [
        ("web_search", "tools.2"),
        ("tool_search", "tools.3"),
        ("text_editor", "tools.4"),
        ("mcp", "tools.5"),
        ("advisor_20260301", "tools.6"),
    ]


@pytest.mark.parametrize(
    ("choice", "mode", "names", "parallel"),
    [
        ({"type": "auto"}, "auto", [], None),
        ({"type": "any", "disable_parallel_tool_use": True}, "any", [], False),
        ({"type": "auto", "disable_parallel_tool_use": False}, "auto", [], True),
        ({"type": "tool", "name": "f"}, "named", ["f"], None),
        ({"type": "none"}, "none", [], None),
    ],
)
def test_tool_choice_and_parallel_calls_are_told_apart(
    parse: Parse, choice: dict[str, Any], mode: str, names: list[str], parallel: bool | None
) -> None:
    request = parse(tools=[{"name": "f"}], tool_choice=choice)
    assert request.tool_choice is not None
    assert (request.tool_choice.mode, request.tool_choice.names, request.parallel_tools) == (mode, names, parallel)


@pytest.mark.parametrize(
    ("body", "mode", "effort", "budget", "show"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, "budget", None, 2000, None),
        (
            {"thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "max"}},
            "adaptive",
            "max",
            None,
            False,
        ),
        ({"thinking": {"type": "adaptive", "display": "summarized"}}, "adaptive", None, None, True),
        ({"thinking": {"type": "disabled"}}, "off", None, None, None),
        ({"thinking": {"type": "between_tools"}}, "between_tools", None, None, None),
        ({"output_config": {"effort": "low"}}, "effort", "low", None, None),
    ],
)
def test_thinking_keeps_the_form_it_was_asked_in(
    parse: Parse, body: dict[str, Any], mode: str, effort: str | None, budget: int | None, show: bool | None
) -> None:
    settings = parse(**body).reasoning
    assert settings is not None
    assert (settings.mode, settings.effort, settings.budget, settings.show) == (mode, effort, budget, show)


def test_a_newer_kind_of_thinking_is_kept_for_its_own_dialect(parse: Parse) -> None:
    request = parse(thinking={"type": "deep"})
    assert request.reasoning is None
    assert request.extras == {"thinking": {"type": "deep"}}


@pytest.mark.parametrize("place", ["output_config", "output_format"])
def test_the_answer_schema_has_a_new_and_an_old_place(parse: Parse, place: str) -> None:
    shape = {"type": "json_schema", "schema": {"type": "object"}}
    request = parse(**{place: {"format": shape, "task_budget": 5} if place == "output_config" else shape})
    assert request.format is not None
    assert (request.format.kind, request.format.schema) == ("json_schema", {"type": "object"})
    assert request.extras == ({"output_config": {"task_budget": 5}} if place == "output_config" else {})


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"max_tokens": ...}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"model": ...}, "model"),
        ({"model": 5}, "model"),
        ({"messages": ...}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["hi"]}, "messages.0"),
        ({"messages": [{"content": "hi"}]}, "messages.0.role"),
        ({"messages": [{"role": "bard", "content": "hi"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages.0.content.0.type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0.text"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64"}}]}]},
            "messages.0.content.0.source.data",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]}]},
            "messages.0.content.0",
        ),
        ({"messages": [{"role": "assistant", "content": [{"type": "tool_result"}]}]}, "messages.0.content.0"),
        ({"system": [{"type": "image"}]}, "system.0.type"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"input_schema": {}}]}, "tools.0.name"),
        ({"tools": [{"name": "f", "input_schema": []}]}, "tools.0.input_schema"),
        ({"tool_choice": {"type": "maybe"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"temperature": "warm"}, "temperature"),
        ({"stop_sequences": [5]}, "stop_sequences.0"),
        ({"stream": "yes"}, "stream"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
        ({"metadata": {"user_id": 5}}, "metadata.user_id"),
    ],
)
def test_a_malformed_field_is_named(parse: Parse, change: dict[str, Any], path: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(**change)
    assert caught.value.param == path
    assert caught.value.message.startswith(f"{path}: ")


def test_a_missing_limit_is_told_in_the_services_own_words(parse: Parse) -> None:
    with pytest.raises(BadRequest, match=r"^max_tokens: Field required$"):
        parse(max_tokens=...)


def test_peek_reads_model_and_stream_alone() -> None:
    peek = ANTHROPIC.peek(Body(b'{"model":"m","stream":true,"messages":[{]}'.replace(b"[{]", b"[]")))
    assert (peek.model, peek.stream) == ("m", True)
    assert ANTHROPIC.peek(Body(b'{"model":"m"}')).stream is False


@pytest.mark.parametrize("raw", [b"{}", b'{"model":""}', b'{"model":1}', b'{"model":"m","stream":1}'])
def test_peek_names_what_is_missing(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        ANTHROPIC.peek(Body(raw))


def test_a_body_that_is_no_object_is_unreadable() -> None:
    with pytest.raises(BodyUnreadable):
        Body(b"[]")
