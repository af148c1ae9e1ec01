"""The operator's system prompt stands before the caller's, once, whatever form the caller's has, on both roads."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from proxyapp.engine.counting import count
from proxyapp.engine.serve import serve
from proxyapp.engine.snapshot import Model, Route
from proxyapp.upstreams.contract import Upstream
from tests.engine.conftest import a_call, a_snapshot, an_upstream, collect
from tests.engine.going_out import KEY, going_out
from tests.fakes import answers
from tests.fakes.upstream import answer_json

PROMPT = "You are Droid, made by the operator."
LINED = f"{PROMPT}\n\n"
CALLERS = ("openai-chat", "openai-responses", "anthropic-messages", "gemini")
UPSTREAMS = {
    "openai-chat": ("openai", "chat", "gpt-5.2"),
    "openai-responses": ("openai", "responses", "gpt-5.2"),
    "anthropic-messages": ("anthropic", None, "claude-opus-4-8"),
    "gemini": ("gemini", None, "gemini-3-flash"),
    "coze": ("coze", None, "bot-7"),
}


def sent(caller: str, body: dict[str, Any], dialect: str, prompt: str = PROMPT, **model: Any) -> dict[str, Any]:
    kind, api, name = UPSTREAMS[dialect]
    up = Upstream(name="up", kind=kind, api=api, credentials=(KEY,), system_prompt=prompt)
    outbound, _ = going_out(caller, body, up, name, Model(name="m", **model))
    return json.loads(outbound.body)


def texts(value: Any) -> list[str]:
    """A string, parts or blocks as the texts they hold."""
    if isinstance(value, str):
        return [value]
    return [part["text"] for part in value or ()]


def system_of(dialect: str, body: dict[str, Any]) -> list[str]:
    """The system texts of a body, block by block."""
    if dialect == "anthropic-messages":
        return texts(body.get("system"))
    if dialect == "gemini":
        return texts((body.get("systemInstruction") or body.get("system_instruction") or {}).get("parts"))
    if dialect == "coze":
        return [body["additional_messages"][0]["content"]]
    told = [] if "instructions" not in body else [body["instructions"]]
    items = body.get("input" if dialect == "openai-responses" else "messages")
    for item in items if isinstance(items, list) else ():
        if item.get("role") in ("system", "developer"):
            told += texts(item["content"])
    return told


def asked(caller: str, system: list[str], *, listed: bool = False) -> dict[str, Any]:
    """A caller's body with system texts, as a string each or as blocks."""
    blocks = [{"type": "text", "text": text} for text in system]
    if caller == "anthropic-messages":
        given = blocks if listed else "\n\n".join(system)
        return {"model": "m", "max_tokens": 99, "messages": USER, **({"system": given} if system else {})}
    if caller == "gemini":
        body = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
        parts = [{"text": text} for text in system]
        return {**body, **({"systemInstruction": {"parts": parts}} if system else {})}
    if caller == "openai-responses":
        body = {"model": "m", "input": USER, "store": False}
        return {**body, **({"instructions": "\n\n".join(system)} if system else {})}
    first = [{"role": "system", "content": blocks if listed else "\n\n".join(system)}] if system else []
    return {"model": "m", "messages": [*first, *USER]}


USER = [{"role": "user", "content": "hi"}]
both = pytest.mark.parametrize("caller", CALLERS)
everywhere = pytest.mark.parametrize("dialect", UPSTREAMS)


FORMS = [(prompt, listed) for prompt in (PROMPT, LINED) for listed in (False, True)]
HELD = ([PROMPT], [LINED], [f"{PROMPT}\n\nBe brief."], [PROMPT, "Be brief."], [f"{PROMPT} Be brief."])


@both
@everywhere
def test_it_comes_first_and_the_callers_own_stays(caller: str, dialect: str) -> None:
    for prompt, listed in FORMS:
        body = asked(caller, ["Be brief.", "Be kind."], listed=listed)
        told = system_of(dialect, sent(caller, body, dialect, prompt))
        words = " ".join("\n".join(told).split())
        assert words.removesuffix(" hi") == f"{PROMPT} Be brief. Be kind."
        assert told[0].startswith(PROMPT)
        assert "\n\n\n" not in "".join(told)
        bare = system_of(dialect, sent(caller, asked(caller, []), dialect, prompt))
        assert bare[0].removesuffix("hi").strip() == PROMPT


@both
@everywhere
def test_it_is_put_there_once(caller: str, dialect: str) -> None:
    for (prompt, listed), own in itertools.product(FORMS, HELD):
        told = system_of(dialect, sent(caller, asked(caller, own, listed=listed), dialect, prompt))
        assert "".join(told).count(PROMPT) == 1, own
        assert told[0].startswith(PROMPT)


@pytest.mark.parametrize("caller", ["anthropic-messages", "gemini", "openai-chat"])
@everywhere
def test_a_later_block_that_equals_it_is_it(caller: str, dialect: str) -> None:
    told = system_of(dialect, sent(caller, asked(caller, ["Be brief.", PROMPT], listed=True), dialect))
    assert "".join(told).count(PROMPT) == 1


@both
@everywhere
def test_words_that_only_begin_alike_are_not_it(caller: str, dialect: str) -> None:
    own = "You are Droidberg, a robot."
    told = system_of(dialect, sent(caller, asked(caller, [own]), dialect, "You are Droid"))
    assert " ".join("\n".join(told).split()).removesuffix(" hi") == f"You are Droid {own}"


@both
@everywhere
def test_the_upstreams_comes_before_the_models(caller: str, dialect: str) -> None:
    told = system_of(dialect, sent(caller, asked(caller, ["Be brief."]), dialect, LINED, system_prompt="Model rules."))
    assert " ".join("\n".join(told).split()).removesuffix(" hi") == f"{PROMPT} Model rules. Be brief."
    assert "\n\n\n" not in "".join(told)


@both
@everywhere
def test_a_blank_one_is_none(caller: str, dialect: str) -> None:
    body = asked(caller, ["Be brief."])
    assert sent(caller, body, dialect, " \n") == sent(caller, body, dialect, "")


@both
@everywhere
def test_the_same_request_gives_the_same_bytes(caller: str, dialect: str) -> None:
    assert sent(caller, asked(caller, ["a"]), dialect) == sent(caller, asked(caller, ["a"]), dialect)


# --- forms of each dialect


def test_cache_points_of_the_callers_blocks_survive() -> None:
    point = {"cache_control": {"type": "ephemeral"}}
    own = [{"type": "text", "text": f"part {number}", **point} for number in range(4)]
    body = sent("anthropic-messages", {**asked("anthropic-messages", []), "system": own}, "anthropic-messages")
    assert body["system"] == [{"type": "text", "text": PROMPT}, *own]
    body = sent("anthropic-messages", {**asked("anthropic-messages", []), "system": [own[0]]}, "openai-chat")
    assert body["messages"][0]["content"] == f"{PROMPT}\n\npart 0"


def test_a_block_of_the_callers_that_equals_it_keeps_its_cache_point() -> None:
    own = [{"type": "text", "text": PROMPT, "cache_control": {"type": "ephemeral"}}]
    assert sent("anthropic-messages", {**asked("anthropic-messages", []), "system": own}, "anthropic-messages")[
        "system"
    ] == own  # fmt: skip


def test_a_chat_upstream_gets_one_system_message() -> None:
    """Many templates refuse a second one."""
    body = sent("openai-chat", asked("openai-chat", ["Be brief."]), "openai-chat")
    assert body["messages"] == [{"role": "system", "content": f"{PROMPT}\n\nBe brief."}, *USER]
    developer = {"role": "developer", "content": "Be brief.", "name": "ops"}
    body = sent("openai-chat", {"model": "m", "messages": [developer, *USER]}, "openai-chat")
    assert body["messages"] == [{**developer, "content": f"{PROMPT}\n\nBe brief."}, *USER]
    parts = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    body = sent("openai-chat", {"model": "m", "messages": [{"role": "system", "content": parts}, *USER]}, "openai-chat")
    assert body["messages"][0]["content"] == [{"type": "text", "text": PROMPT}, *parts]
    late = [*USER, {"role": "system", "content": "Be brief."}]
    body = sent("openai-chat", {"model": "m", "messages": late}, "openai-chat")
    assert body["messages"] == [{"role": "system", "content": PROMPT}, *late]


def test_a_second_system_message_of_the_callers_stays() -> None:
    messages = [{"role": "system", "content": "One."}, {"role": "system", "content": "Two."}, *USER]
    body = sent("openai-chat", {"model": "m", "messages": messages}, "openai-chat")
    assert [m["content"] for m in body["messages"]] == [f"{PROMPT}\n\nOne.", "Two.", "hi"]
    body = sent("openai-chat", {"model": "m", "messages": messages}, "openai-responses")
    assert body["instructions"] == f"{PROMPT}\n\nOne.\n\nTwo."


def test_a_prompt_given_as_the_first_item_is_not_repeated_in_the_instructions() -> None:
    item = {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": f"{PROMPT}\nBe brief."}]}
    body = sent("openai-responses", {"model": "m", "input": [item, *USER]}, "openai-responses")
    assert "instructions" not in body
    assert body["input"] == [item, *USER]


def test_a_threads_continuation_bears_no_system_prompt() -> None:
    """The thread has it from its first request; the server refuses another."""
    thread = {"thread": {"type": "continue", "previous_message_id": "msg_1"}}
    body = sent("anthropic-messages", {**asked("anthropic-messages", []), **thread}, "anthropic-messages")
    assert "system" not in body
    fresh = {"thread": {"type": "new"}}
    body = sent("anthropic-messages", {**asked("anthropic-messages", []), **fresh}, "anthropic-messages")
    assert texts(body["system"]) == [PROMPT]


@pytest.mark.parametrize(
    ("dialect", "name", "odd"),
    [
        ("anthropic-messages", "system", 7),
        ("anthropic-messages", "system", {"text": "x"}),
        ("gemini", "systemInstruction", 7),
        ("gemini", "systemInstruction", {"parts": 7}),
        ("openai-responses", "instructions", ["x"]),
        ("openai-chat", "messages", "hello"),
        ("openai-chat", "messages", [{"role": "system", "content": 7}]),
    ],
)
def test_what_is_malformed_is_left_for_the_upstream_to_name(dialect: str, name: str, odd: Any) -> None:
    assert sent(dialect, {**asked(dialect, []), name: odd}, dialect)[name] == odd


@pytest.mark.parametrize("odd", [None, ""])
@pytest.mark.parametrize(
    ("dialect", "name"),
    [("anthropic-messages", "system"), ("openai-responses", "instructions"), ("gemini", "systemInstruction")],
)
def test_an_empty_one_of_the_callers_is_none(dialect: str, name: str, odd: Any) -> None:
    assert system_of(dialect, sent(dialect, {**asked(dialect, []), name: odd}, dialect)) == [PROMPT]


# --- counting


def with_prompt(upstream: Any, dialect: str, prompt: str, **model: Any) -> Any:
    up = an_upstream("up", upstream.url, dialect, system_prompt=prompt)
    routes = (Route("up", "claude-sonnet-4-5"),)
    return a_snapshot(up, models={"m": Model(name="m", routes=routes, **model)})


async def counted(engine: Any, body: dict[str, Any]) -> dict[str, Any]:
    return json.loads(await collect(await serve(engine, a_call("anthropic-messages", body), count)))


async def test_an_estimate_counts_it_once(make_engine, upstream):
    long = "Mind the gap. " * 100
    bare = {"model": "m", "messages": USER}
    engine = make_engine(with_prompt(upstream, "openai-chat", long))
    alone = await counted(engine, bare)
    assert await counted(engine, {**bare, "system": long}) == alone
    assert (await counted(engine, {**bare, "system": "Mind it. " * 100}))["input_tokens"] > alone["input_tokens"] + 200


async def test_a_forwarded_count_has_the_prompt_and_the_level(make_engine, upstream):
    upstream.default = answer_json({"input_tokens": 7})
    engine = make_engine(with_prompt(upstream, "anthropic-messages", PROMPT, reasoning="xhigh"))
    assert await counted(engine, {"model": "m", "messages": USER, "system": "Be brief."}) == {"input_tokens": 7}
    asked_for = upstream.last.body
    assert texts(asked_for["system"]) == [PROMPT, "Be brief."]
    assert asked_for["thinking"] == {"type": "enabled", "budget_tokens": 40960}
    assert "max_tokens" not in asked_for
    assert upstream.last.headers["anthropic-beta"] == "interleaved-thinking-2025-05-14"


def test_the_callers_own_texts_are_put_together_as_they_always_were() -> None:
    """What they end in is theirs; only the operator's prompt brings its own line breaks."""
    messages = [{"role": "system", "content": "One.\n"}, {"role": "system", "content": "Two."}, *USER]
    for prompt, before in (("", ""), (LINED, LINED), (PROMPT, LINED)):
        body = sent("openai-chat", {"model": "m", "messages": messages}, "openai-responses", prompt)
        assert body["instructions"] == f"{before}One.\n\n\nTwo."


@pytest.mark.parametrize("dialect", ["openai-chat", "anthropic-messages"])
async def test_an_answer_that_passes_gets_no_field_of_another_dialect(make_engine, upstream, dialect):
    """Only answers of the Responses API repeat their request's instructions."""
    whole = answers.whole(dialect)
    upstream.default = answer_json(whole)
    engine = make_engine(with_prompt(upstream, dialect, PROMPT))
    reply = await serve(engine, a_call(dialect, asked(dialect, ["Mine."])))
    assert json.loads(await collect(reply)).keys() == whole.keys()
