"""The operator's reasoning levels: six levels, each caller's dialect, each sort of model, with and without the caller's
own wish; both roads, on the request that goes out."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from proxyapp.engine.snapshot import Model
from proxyapp.upstreams.contract import Outbound, Upstream
from tests.engine import levels_table as table
from tests.engine.going_out import KEY, going_out
from tests.engine.levels_table import ASKED, CALLERS, INTERLEAVED, LEVELS, OWN, SORTS, Cell, Sort

OTHER_BETA = "context-1m-2025-08-07"


def a_body(caller: str, **more: Any) -> dict[str, Any]:
    """A short question with room for `ASKED` tokens."""
    says = "How many primes are below 100?"
    if caller == "gemini":
        plain = {
            "contents": [{"role": "user", "parts": [{"text": says}]}],
            "generationConfig": {"maxOutputTokens": ASKED},
        }
        return {**plain, **more}
    if caller == "openai-responses":
        return {"model": "m", "input": says, "max_output_tokens": ASKED, "store": False, **more}
    return {"model": "m", "messages": [{"role": "user", "content": says}], "max_tokens": ASKED, **more}


def prepared(sort: Sort, level: str, caller: str, body: dict[str, Any], **headers: str) -> tuple[Outbound, Any]:
    """(the request that goes out, its road)"""
    model = Model(name="m", reasoning=level, profile=sort.profile)
    up = Upstream(name="up", kind=sort.kind, api=sort.api, base_url=sort.base_url, credentials=(KEY,))
    return going_out(caller, body, up, sort.model, model, **headers)


def told(sort: Sort, body: dict[str, Any]) -> Cell:
    """All that a body says of thinking, but for whether it is shown."""
    words = ("thinking", "output_config", "reasoning_effort", "reasoning", "chat_template_kwargs")
    found = {word: body[word] for word in words if word in body}
    config = body.get("generationConfig", {})
    if "thinkingConfig" in config:
        found["thinkingConfig"] = {k: v for k, v in config["thinkingConfig"].items() if k != "includeThoughts"}
    if isinstance(found.get("reasoning"), dict):
        found["reasoning"] = {k: v for k, v in found["reasoning"].items() if k != "exclude"}
    if sort.kind == "anthropic" and found.get("thinking", {}).get("type") == "enabled":
        found["max_tokens"] = body["max_tokens"]
    elif "thinking" in found:
        found["thinking"] = {k: v for k, v in found["thinking"].items() if k != "display"}
    return found


def limit_in(body: dict[str, Any]) -> Any:
    limits = ("max_tokens", "max_completion_tokens", "max_output_tokens")
    given = [body[name] for name in limits if name in body]
    return [*given, body.get("generationConfig", {}).get("maxOutputTokens")][0]


SHOWN: dict[str, dict[str, Any]] = {"openai-responses": {"summary": "detailed"}, "gemini": {}}
"""What callers say of that in `OWN`: Gemini's, who do not ask for thoughts, get none."""


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("sort", SORTS, ids=[sort.name for sort in SORTS])
def test_every_level_reaches_every_sort_of_model_in_its_own_words(sort: Sort, caller: str) -> None:
    for level, own in itertools.product(LEVELS, (False, True)):
        outbound, _ = prepared(sort, level, caller, a_body(caller, **(OWN[caller] if own else {})))
        wanted = sort.fixed[level] if level != "auto" else sort.own[caller] if own else {}
        if own and level in LEVELS[2:] and sort.api == "responses" and wanted:
            # Whether the thinking is shown stays the caller's choice.
            wanted = {"reasoning": {"effort": wanted["reasoning"]["effort"], **SHOWN.get(caller, {"summary": "auto"})}}
        body = json.loads(outbound.body)
        assert told(sort, body) == wanted, f"{level}, {'own' if own else 'no'} wish"
        if sort.kind != "coze" and "max_tokens" not in wanted:
            assert limit_in(body) == ASKED, level
        assert (INTERLEAVED in outbound.headers.get("anthropic-beta", "")) == (sort.betas and level in LEVELS[2:])


def in_the_page(cell: Cell) -> str:
    """A cell as docs/reasoning.md has it."""
    thinking, config = cell.get("thinking", {}), cell.get("thinkingConfig", {})
    if "budget_tokens" in thinking or "thinkingBudget" in config:
        return str(thinking.get("budget_tokens", config.get("thinkingBudget")))
    words = (
        cell.get("reasoning_effort"), cell.get("reasoning", {}).get("effort"), config.get("thinkingLevel"),
        cell.get("output_config", {}).get("effort"), thinking.get("type"),
        json.dumps(cell.get("chat_template_kwargs", {}).get("enable_thinking")),
    )  # fmt: skip
    word = next(word for word in words if word)
    return "—" if word == "null" else f"`{word}`"


def test_the_page_says_what_is_sent() -> None:
    page = (Path(__file__).parents[2] / "docs/reasoning.md").read_text()
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")][2:]
    said = {cells[0].partition(":")[0]: cells[1:] for cells in lines}
    assert said == {sort.name: [in_the_page(sort.fixed[level]) for level in LEVELS[1:]] for sort in SORTS}


ROOM = {"maxOutputTokens": ASKED}
ESCAPES: dict[str, list[dict[str, Any]]] = {
    "openai-chat": [
        {"reasoning_effort": "high", "thinking": {"type": "enabled", "budget_tokens": 9000}},
        {"reasoning": {"effort": "high", "max_tokens": 9000, "enabled": True}},
        {"chat_template_kwargs": {"enable_thinking": True, "thinking": True, "thinking_budget": 5}},
        {"enable_thinking": True, "thinking_budget": 9000, "think": "high"},
        {"extra_body": {"google": {"thinking_config": {"thinking_budget": 9000}}, "reasoning_effort": "high"}},
        {"output_config": {"effort": "max"}},
    ],
    "openai-responses": [
        {"reasoning": {"effort": "high", "mode": "pro", "max_tokens": 9000}},
        {"reasoning_effort": "high", "thinking": {"type": "enabled"}},
        {"input": [
            {"type": "configuration_update", "reasoning": {"effort": "high"}},
            {"role": "user", "content": "hi"},
        ]},
    ],
    "anthropic-messages": [
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}},
        {"output_config": {"effort": "max"}},
        {"thinking": {"type": "between_tools"}},
        {"thinking": {"type": "of_tomorrow", "much": True}},
        {"reasoning_effort": "high", "reasoning": {"effort": "high"}},
        {"messages": [
            {"role": "user", "content": "hi"},
            {"role": "system", "output_config": {"effort": "max"}},
        ]},
    ],
    "gemini": [
        {"generationConfig": {**ROOM, "thinkingConfig": {"thinkingBudget": 9000, "thinkingLevel": "HIGH"}}},
        {"generation_config": {"thinking_config": {"thinking_budget": 9}, "thinkingConfig": {"thinkingLevel": "HIGH"}}},
        {"generationConfig": ROOM, "generation_config": {"thinkingConfig": {"thinking_level": "HIGH"}}},
    ],
}  # fmt: skip
SPEAKERS = {
    "openai-chat": ("GPT-5.2", "a server that nobody knows", "DeepSeek", "OpenRouter", "vLLM by the template"),
    "openai-responses": ("GPT-5.2 by Responses",),
    "anthropic-messages": ("Claude by budget", "Claude Opus 5", "others' models behind Messages"),
    "gemini": ("Gemini 3", "Gemini 2.5 Flash"),
}
"""Models that are reached without translation."""
BY_NAME = {sort.name: sort for sort in SORTS}
MARKS = ("effort", "budget", "thinking", "think", "reasoning", "Level")


def words_in(value: Any) -> list[str]:
    """Every key of a body, at any depth, that sounds of thinking."""
    if isinstance(value, list):
        return [word for each in value for word in words_in(each)]
    if not isinstance(value, dict):
        return []
    own = [name for name in value if any(mark in name for mark in MARKS)]
    return own + [word for each in value.values() for word in words_in(each)]


def amount(sort: Sort, outbound: Outbound) -> Cell:
    found = told(sort, json.loads(outbound.body))
    if isinstance(found.get("reasoning"), dict):
        found["reasoning"].pop("summary", None)
    return found


@pytest.mark.parametrize(
    ("caller", "escape"), [(caller, escape) for caller, found in ESCAPES.items() for escape in found]
)
@pytest.mark.parametrize("level", ["off", "low"])
def test_no_other_field_leads_around_a_fixed_level(caller: str, escape: dict[str, Any], level: str) -> None:
    for sort in (BY_NAME[name] for name in SPEAKERS[caller]):
        plain, _ = prepared(sort, level, caller, a_body(caller))
        tried, _ = prepared(sort, level, caller, a_body(caller, **escape))
        assert told(sort, json.loads(tried.body)) == told(sort, json.loads(plain.body))
        assert sorted(words_in(json.loads(tried.body))) == sorted(words_in(json.loads(plain.body)))
    for sort in SORTS:  # translated too
        if sort.kind != "coze" and "of_tomorrow" not in str(escape):
            plain, _ = prepared(sort, level, caller, a_body(caller))
            tried, _ = prepared(sort, level, caller, a_body(caller, **escape))
            assert amount(sort, tried) == amount(sort, plain), sort.name


def test_an_escaped_name_is_the_same_name() -> None:
    """What stands between a caller and its wish is no search for letters."""
    caller, sort = "anthropic-messages", BY_NAME["Claude Opus 5"]
    body = a_body(caller, thinking={"type": "enabled", "budget_tokens": 2000})
    body["messages"].append({"role": "system", "output_config": {"effort": "max"}})
    raw = json.dumps(body).replace('"thinking"', '"think\\u0069ng"').replace('"output_config"', '"\\u006futput_config"')
    sent, _ = prepared(sort, "low", caller, json.loads(raw))
    assert told(sort, json.loads(sent.body)) == table.adaptive("low")
    assert len(json.loads(sent.body)["messages"]) == 1


# --- what else stands in the body


BUDGET, ADAPTIVE = BY_NAME["Claude by budget"], BY_NAME["Claude 4.6"]
TOOL = {"name": "look", "description": "Looks.", "input_schema": {"type": "object"}}
M = "anthropic-messages"


def messages(
    sort: Sort = BUDGET, level: str = "high", **more: Any
) -> tuple[dict[str, Any], list[tuple[str, str]], Any]:
    """(body, notes, road) for a Messages caller at a Messages upstream."""
    outbound, road = prepared(sort, level, M, a_body(M, **more))
    return json.loads(outbound.body), [(note.path, note.sentence) for note in road.notes.items], road


@pytest.mark.parametrize(
    ("asked", "cap", "level", "budget", "limit"),
    [
        (4096, None, "low", 4096, 8096),
        (4097, None, "low", 4096, 4097),
        (1, None, "low", 4096, 8096),
        (64_000, None, "xhigh", 40960, 64_000),
        (99_999, None, "low", 4096, 64_000),
        (4096, 4096, "low", 1024, 4096),
        (1000, 2000, "high", 1024, 2000),
        (1000, 6000, "high", 2000, 6000),
        (9000, 30_000, "high", 24576, 28576),
    ],
)
def test_the_limit_makes_room_for_the_budget_or_the_budget_gives_way(asked, cap, level, budget, limit) -> None:
    profile = {} if cap is None else {"max_output": cap}
    for caller in ("anthropic-messages", "openai-chat"):
        sort = BUDGET._replace(profile=profile)
        body = json.loads(prepared(sort, level, caller, a_body(caller, max_tokens=asked))[0].body)
        if caller == M and cap is None and asked > 64_000:
            limit = asked  # a caller's own limit is the upstream's to judge, where nothing is translated
        assert (body["thinking"]["budget_tokens"], body["max_tokens"]) == (budget, limit)
        assert 1024 <= budget < limit
        limit = min(limit, 64_000)


@pytest.mark.parametrize("caller", ["anthropic-messages", "openai-chat"])
def test_below_the_least_budget_thinking_is_left_out(caller: str) -> None:
    sort = BUDGET._replace(profile={"max_output": 1024})
    outbound, road = prepared(sort, "low", caller, a_body(caller, max_tokens=900))
    body = json.loads(outbound.body)
    assert "thinking" not in body
    assert body["max_tokens"] == 900
    assert any("above 1024" in note.sentence for note in road.notes.items)


def test_a_warming_of_the_cache_stays_one() -> None:
    body, _, _ = messages(max_tokens=0)
    assert body["max_tokens"] == 0
    assert "thinking" not in body
    assert messages(ADAPTIVE, max_tokens=0)[0]["thinking"] == {"type": "adaptive"}


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "look"}])
def test_thinking_gives_way_to_a_forced_call(choice: dict[str, Any]) -> None:
    body, notes, _ = messages(tools=[TOOL], tool_choice=choice)
    assert "thinking" not in body
    assert (body["tool_choice"], body["max_tokens"]) == (choice, ASKED)
    assert any("forces a call" in sentence for _, sentence in notes)
    body, _, _ = messages(ADAPTIVE, tools=[TOOL], tool_choice=choice)
    assert (body["thinking"], body["tool_choice"]) == ({"type": "adaptive"}, choice)


CALLED = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {}}]}
ANSWERED = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "7"}]}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "abc"}


def test_a_tool_loop_without_its_thinking_goes_on_without() -> None:
    asked = [{"role": "user", "content": "look"}]
    body, notes, _ = messages(tools=[TOOL], messages=[*asked, CALLED, ANSWERED])
    assert ("thinking" in body, body["max_tokens"]) == (False, ASKED)
    assert any("before the last tool calls" in sentence for _, sentence in notes)
    with_thinking = {**CALLED, "content": [THOUGHT, *CALLED["content"]]}
    body, _, _ = messages(tools=[TOOL], messages=[*asked, with_thinking, ANSWERED])
    assert body["thinking"]["budget_tokens"] == 24576
    body, _, _ = messages(ADAPTIVE, tools=[TOOL], messages=[*asked, CALLED, ANSWERED])
    assert body["thinking"] == {"type": "adaptive"}
    body, _, _ = messages(
        tools=[TOOL], messages=[*asked, CALLED, ANSWERED, {"role": "assistant", "content": "7."}, *asked]
    )
    assert body["thinking"]["budget_tokens"] == 24576


def test_the_same_holds_of_a_translated_tool_loop() -> None:
    call = {"id": "t1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    said = [
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "t1", "content": "7"},
    ]
    outbound, _ = prepared(BUDGET, "high", "openai-chat", a_body("openai-chat", messages=said))
    body = json.loads(outbound.body)
    assert ("thinking" in body, body["max_tokens"]) == (False, ASKED)


@pytest.mark.parametrize("caller", ["anthropic-messages", "openai-chat"])
def test_an_answer_that_was_begun_goes_on_as_begun(caller: str) -> None:
    said = [{"role": "user", "content": "Name a prime."}, {"role": "assistant", "content": "Seven"}]
    body = json.loads(prepared(BUDGET, "high", caller, a_body(caller, messages=said))[0].body)
    assert "thinking" not in body
    assert body["messages"][-1]["role"] == "assistant"


def test_a_paused_turn_goes_on_thinking() -> None:
    paused = [THOUGHT, {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}]
    said = [{"role": "user", "content": "look"}, {"role": "assistant", "content": paused}]
    assert messages(messages=said)[0]["thinking"]["budget_tokens"] == 24576


def test_sampling_that_a_thinking_model_refuses_is_dropped_and_said() -> None:
    body, notes, road = messages(temperature=0.2, top_k=4, top_p=0.5)
    assert not {"temperature", "top_k", "top_p"} & body.keys()
    assert {"temperature", "top_k", "top_p"} <= {path for path, _ in notes}
    assert set(road.notes.header().split(",")) == {"temperature", "top_k", "top_p"}
    assert messages(temperature=1)[0]["temperature"] == 1
    assert messages(top_p=0.97)[0]["top_p"] == 0.97
    body, _, _ = messages(level="off", temperature=0.2, top_k=4)
    assert (body["temperature"], body["top_k"]) == (0.2, 4)


@pytest.mark.parametrize(("caller", "name"), [("openai-chat", "GPT-5.2"), ("openai-responses", "GPT-5.2 by Responses")])
def test_openais_thinkers_lose_their_sampling_too(caller: str, name: str) -> None:
    asked = a_body(caller, temperature=0.2, top_p=1)
    body = json.loads(prepared(BY_NAME[name], "high", caller, asked)[0].body)
    assert ("temperature" in body, body["top_p"]) == (False, 1)
    body = json.loads(prepared(BY_NAME[name], "off", caller, asked)[0].body)
    assert body["temperature"] == 0.2


def test_a_level_is_told_in_the_history_and_not_as_a_loss() -> None:
    for sort, caller in itertools.product(SORTS, CALLERS):
        _, road = prepared(sort, "xhigh", caller, a_body(caller))
        assert any("the operator's reasoning level, `xhigh`" in note.sentence for note in road.notes.items)
        lost = {path for path in road.notes.header().split(",") if path and "max" not in path.lower()}
        assert not lost, f"{caller} at {sort.name}: {lost}"
    _, road = prepared(BUDGET, "auto", M, a_body(M, **OWN[M]))
    assert road.notes.items == []


def test_what_is_shown_of_the_thinking_stays_the_callers_choice() -> None:
    body, _, _ = messages(ADAPTIVE, thinking={"type": "adaptive", "display": "omitted"})
    assert body["thinking"] == {"type": "adaptive", "display": "omitted"}
    shown = {"generationConfig": {"maxOutputTokens": 9, "thinkingConfig": {"includeThoughts": True}}}
    outbound, _ = prepared(BY_NAME["Gemini 3"], "low", "gemini", a_body("gemini", **shown))
    config = json.loads(outbound.body)["generationConfig"]
    assert config == {"maxOutputTokens": 9, "thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": True}}
    outbound, _ = prepared(
        BY_NAME["OpenRouter"], "low", "openai-chat", a_body("openai-chat", reasoning={"exclude": True})
    )
    assert json.loads(outbound.body)["reasoning"] == {"effort": "low", "exclude": True}
    kept = {"context": "all_turns", "summary": None}
    outbound, _ = prepared(
        BY_NAME["GPT-5.2 by Responses"], "low", "openai-responses", a_body("openai-responses", reasoning=kept)
    )
    assert json.loads(outbound.body)["reasoning"] == {**kept, "effort": "low"}


def test_the_operator_can_say_what_a_model_takes() -> None:
    sort = BY_NAME["GPT-5.2 by Responses"]._replace(profile={"summaries": False})
    for caller in CALLERS:
        body = json.loads(prepared(sort, "low", caller, a_body(caller))[0].body)
        assert body["reasoning"] == {"effort": "low"}
    unknown = BY_NAME["a server that nobody knows"]
    for profile, sent in (({}, {}), ({"efforts": ["none", "low"]}, {"reasoning_effort": "none"})):
        for caller, level in itertools.product(CALLERS, ("off", "auto")):
            own = {"thinking": {"type": "disabled"}} if caller == M and level == "auto" else {}
            body = json.loads(prepared(unknown._replace(profile=profile), level, caller, a_body(caller, **own))[0].body)
            assert told(unknown, body) == (sent if level == "off" or own else {})


def test_what_a_server_holds_beside_such_words_stays() -> None:
    kwargs = {"chat_template_kwargs": {"enable_thinking": False, "custom": 1}}
    body = json.loads(
        prepared(BY_NAME["vLLM by the template"], "low", "openai-chat", a_body("openai-chat", **kwargs))[0].body
    )
    assert body["chat_template_kwargs"] == {"custom": 1, "enable_thinking": True, "thinking": True}
    shape = {"format": {"type": "json_schema", "schema": {"type": "object"}}, "effort": "max"}
    body, _, _ = messages(BY_NAME["Claude Opus 5"], "low", output_config=shape)
    assert body["output_config"] == {"format": shape["format"], "effort": "low"}
    body, _, _ = messages(level="low", output_config=shape)
    assert body["output_config"] == {"format": shape["format"]}


def test_fields_that_nobody_knows_keep_their_bytes() -> None:
    raw = a_body(M, of_tomorrow={"a": 1.50, "b": "\u00fc"})
    outbound, _ = prepared(ADAPTIVE, "low", M, raw)
    assert json.loads(outbound.body)["of_tomorrow"] == raw["of_tomorrow"]


@pytest.mark.parametrize(
    "odd",
    [
        {"thinking": "much"}, {"output_config": 5}, {"messages": "hello"}, {"messages": [5, None]},
        {"messages": [{"role": "assistant", "content": 7}]}, {"max_tokens": "many"}, {"max_tokens": None},
        {"tool_choice": "any"}, {"temperature": "hot"}, {"messages": []},
    ],
)  # fmt: skip
def test_what_is_malformed_is_left_for_the_upstream_to_name(odd: dict[str, Any]) -> None:
    body, _, _ = messages(**odd)
    assert body["thinking"]["type"] == "enabled"
    for name in odd.keys() - {"thinking"}:
        assert body.get(name) == odd[name]


# --- the header


@pytest.mark.parametrize(
    ("given", "level", "sent"),
    [
        (OTHER_BETA, "auto", OTHER_BETA),
        (f"{INTERLEAVED},{OTHER_BETA}", "auto", f"{INTERLEAVED},{OTHER_BETA}"),
        (OTHER_BETA, "low", f"{OTHER_BETA}, {INTERLEAVED}"),
        (f" {INTERLEAVED} ,, {OTHER_BETA}", "high", f"{INTERLEAVED}, {OTHER_BETA}"),
        (None, "xhigh", INTERLEAVED),
        (f"{OTHER_BETA},{INTERLEAVED}", "off", OTHER_BETA),
        (f"{INTERLEAVED}-x", "off", f"{INTERLEAVED}-x"),
        (INTERLEAVED, "off", None),
        (None, "off", None),
        (None, "auto", None),
    ],
)
def test_the_beta_of_interleaved_thinking_follows_the_level(given: str | None, level: str, sent: str | None) -> None:
    headers = {} if given is None else {"anthropic_beta": given}
    outbound, _ = prepared(BUDGET, level, M, a_body(M), **headers)
    assert outbound.headers.get("anthropic-beta") == sent


def test_models_that_need_no_beta_get_the_callers_alone() -> None:
    """The newest refuse it."""
    for name in ("Claude 4.6", "Claude Opus 5", "Claude that does not think"):
        outbound, _ = prepared(BY_NAME[name], "high", M, a_body(M), anthropic_beta=OTHER_BETA)
        assert outbound.headers["anthropic-beta"] == OTHER_BETA
    outbound, _ = prepared(BUDGET, "high", "openai-chat", a_body("openai-chat"), anthropic_beta=OTHER_BETA)
    assert outbound.headers["anthropic-beta"] == INTERLEAVED  # a translated request takes no headers along
