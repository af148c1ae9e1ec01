"""The anthropic SDK: tools, the tool runner, structured output, thinking."""

from __future__ import annotations

import json
from typing import Any

import anthropic
from pydantic import BaseModel

from tests.fakes.mind import CITIES, CONCLUSION, PERSON, THOUGHT
from tests.sdk.scenarios import CHAT, GEMINI, RESPONSES, Kit, expect, scenario
from tests.sdk.scenarios.anthropic_talk import mirrored, words
from tests.sdk.scenarios.things import FOUND, NOTHING, PNG_BASE64, WEATHER, run_tool

TOOLS: list[Any] = [
    {"name": "get_weather", "description": "Now.", "input_schema": WEATHER},
    {"name": "get_time", "input_schema": NOTHING},
]
BOTH = [("get_weather", {"city": "Paris", "unit": "celsius"}), ("get_weather", {"city": "Zürich", "unit": "celsius"})]


class Person(BaseModel):
    name: str
    age: int


def called(message: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(block.name, block.input) for block in message.content if block.type == "tool_use"]


def results(message: Any) -> dict[str, Any]:
    return {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": block.id, "content": run_tool(block.name, block.input)}
            for block in message.content
            if block.type == "tool_use"
        ],
    }


def said_by(message: Any) -> dict[str, Any]:
    """The answer as it goes into the history: its blocks, untouched."""
    return {"role": "assistant", "content": message.content}


def whole(kit: Kit, messages: list[Any], **settings: Any) -> Any:
    settings = {"model": kit.model, "max_tokens": 4000, "tools": TOOLS, **settings}
    return kit.anthropic().messages.create(messages=messages, **settings)


def streamed(kit: Kit, messages: list[Any], **settings: Any) -> Any:
    settings = {"model": kit.model, "max_tokens": 4000, "tools": TOOLS, **settings}
    with kit.anthropic().messages.stream(messages=messages, **settings) as stream:
        return stream.get_final_message()


def loop(kit: Kit, ask: Any, cue: str) -> None:
    """Two questions, each of them two calls and an answer."""
    messages: list[Any] = []
    for _ in range(2):
        messages.append({"role": "user", "content": f"{cue} in two cities"})
        message = ask(kit, messages)
        expect((message.stop_reason, words(message)), ("tool_use", "Let me look."))
        expect(called(message), BOTH)
        messages += [said_by(message), results(message)]
        message = ask(kit, messages)
        expect((message.stop_reason, words(message)), ("end_turn", FOUND))
        messages.append(said_by(message))


@scenario("anthropic")
def parallel_calls_are_answered_turn_after_turn(kit: Kit) -> None:
    loop(kit, whole, "weather")


@scenario("anthropic")
def streamed_parallel_calls_are_answered_turn_after_turn(kit: Kit) -> None:
    loop(kit, streamed, "weather")


@scenario("anthropic")
def interleaved_arguments_find_their_calls(kit: Kit) -> None:
    loop(kit, streamed, "interleaved")


@scenario("anthropic")
def a_call_without_arguments_comes_and_goes(kit: Kit) -> None:
    for ask in (whole, streamed):
        messages: list[Any] = [{"role": "user", "content": "clock"}]
        message = ask(kit, messages)
        expect(called(message), [("get_time", {})])
        expect(words(ask(kit, [*messages, said_by(message), results(message)])), "It is 12:30")


@scenario("anthropic")
def results_may_fail_show_pictures_and_be_followed_by_words(kit: Kit) -> None:
    messages: list[Any] = [{"role": "user", "content": "weather"}]
    message = whole(kit, messages)
    answers = results(message)
    answers["content"][0] |= {"is_error": True, "content": "no thermometer"}
    picture = {"type": "base64", "media_type": "image/png", "data": PNG_BASE64}
    answers["content"][1]["content"] = [{"type": "text", "text": "cold"}, {"type": "image", "source": picture}]
    answers["content"].append({"type": "text", "text": "weather, as I said"})
    said = words(whole(kit, [*messages, said_by(message), answers]))
    expect(said, f"Then: {'Error: ' if kit.over in (CHAT, RESPONSES) else ''}no thermometer; cold.")
    answers["content"][-1]["text"] = "look"
    expect(words(whole(kit, [*messages, said_by(message), answers])), "I see image base64 image/png.")


@scenario("anthropic", CHAT, RESPONSES, GEMINI)
def a_history_that_chat_would_refuse_is_taken(kit: Kit) -> None:
    """Ids too long for it, results with blocks or nothing, words beside results, an answer that was begun."""
    first, second = "toolu_" + "a" * 90, "toolu_" + "a" * 89 + "b"
    call = {"type": "tool_use", "name": "get_weather", "input": {"city": "Paris", "unit": "celsius"}}
    messages: list[Any] = [
        {"role": "user", "content": [{"type": "text", "text": "weather"}, {"type": "text", "text": "please"}]},
        {"role": "assistant", "content": [{**call, "id": first}, {**call, "id": second}]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": second, "content": [{"type": "text", "text": "b"}]},
                {"type": "tool_result", "tool_use_id": first},
                {"type": "text", "text": "weather, quickly"},
            ],
        },
    ]
    for model in (kit.model, *kit.thinkers):
        said = words(whole(kit, messages, model=model))
        assert said in ("Then: b; .", "Then: ; b."), said
        begun = [*messages, {"role": "assistant", "content": "So it"}]
        if kit.over != GEMINI:  # which takes no answer that was begun
            expect(words(whole(kit, begun, model=model)), "Let me look.")


@scenario("anthropic")
def tool_choice_is_kept(kit: Kit) -> None:
    asked = [{"role": "user", "content": "hello"}]
    expect(called(whole(kit, asked, tool_choice={"type": "tool", "name": "get_time"})), [("get_time", {})])
    expect(called(whole(kit, asked, tool_choice={"type": "any"})), BOTH[:1])
    expect(called(whole(kit, asked, tool_choice={"type": "none"})), [])
    one = {"type": "auto", "disable_parallel_tool_use": True}
    if kit.over != GEMINI:  # it has no such switch
        expect(called(whole(kit, [{"role": "user", "content": "weather"}], tool_choice=one)), BOTH[:1])


@scenario("anthropic")
def an_answer_is_parsed_into_a_model(kit: Kit) -> None:
    asked: dict[str, Any] = {"model": kit.model, "max_tokens": 500, "output_format": Person}
    asked["messages"] = [{"role": "user", "content": "person"}]
    expect(kit.anthropic().messages.parse(**asked).parsed_output, Person(**PERSON))
    with kit.anthropic().messages.stream(**asked) as stream:
        expect(stream.get_final_message().parsed_output, Person(**PERSON))


@scenario("anthropic")
def an_output_config_holds_the_answer_to_its_schema(kit: Kit) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    message = kit.anthropic().messages.create(
        model=kit.model,
        max_tokens=500,
        messages=[{"role": "user", "content": "person"}],
        output_config={"format": {"type": "json_schema", "schema": schema}},
    )
    expect(json.loads(words(message)), PERSON)


# --- the tool runner


@anthropic.beta_tool
def get_weather(city: str, unit: str) -> str:
    """The weather now.

    Args:
        city: Where.
        unit: celsius or fahrenheit.
    """
    return f"{city}: {CITIES[city]}"


@scenario("anthropic")
def the_tool_runner_runs_to_the_end(kit: Kit) -> None:
    """The newest SDK begins a thread first; a gateway that cannot hold it says so, and the runner goes on."""
    for model in (kit.model, *kit.thinkers):
        runner = kit.anthropic().beta.messages.tool_runner(
            model=model,
            max_tokens=4000,
            tools=[get_weather],
            messages=[{"role": "user", "content": "weather"}],
        )
        expect(words(runner.until_done()), FOUND)


@scenario("anthropic")
def the_tool_runner_streams_and_thinks(kit: Kit) -> None:
    for model in kit.thinkers:
        runner = kit.anthropic().beta.messages.tool_runner(
            model=model,
            max_tokens=4000,
            tools=[get_weather],
            messages=[{"role": "user", "content": "ponder"}],
            thinking=thinking(model),
            stream=True,
        )
        message = None
        for stream in runner:
            message = stream.get_final_message()
        expect(words(message), FOUND)


# --- thinking


def thinking(model: str) -> dict[str, Any]:
    if model == "claude-opus-4-7":
        return {"type": "adaptive", "display": "summarized"}
    return {"type": "enabled", "budget_tokens": 2000}


def thoughts(message: Any) -> list[str]:
    """Those that only bear a proof left out: over Gemini a signature belongs to a call and not to the words."""
    blocks = [block for block in message.content if block.type == "thinking"]
    return [block.thinking for number, block in enumerate(blocks) if block.thinking or not number]


def ponder(kit: Kit, ask: Any, settings: dict[str, Any], *, shown: bool = True) -> None:
    """A tool loop whose upstream wants its thinking back as it gave it."""
    messages: list[Any] = [{"role": "user", "content": "ponder"}]
    message = ask(kit, messages, **settings)
    kinds = [block.type for block in message.content]
    if kit.over == GEMINI:
        kinds = [kind for number, kind in enumerate(kinds) if kind != "thinking" or not number]
    expect(kinds, ["thinking", "text", "tool_use", "tool_use"])
    expect(thoughts(message), ["".join(THOUGHT) if shown else ""])
    assert message.content[0].signature
    messages += [said_by(message), results(message)]
    message = ask(kit, messages, **settings)
    expect((words(message), thoughts(message)), (FOUND, ["".join(CONCLUSION) if shown else ""]))
    messages += [said_by(message), {"role": "user", "content": "mirror"}]
    assert mirrored(ask(kit, messages, **settings))["body"]


@scenario("anthropic")
def thinking_comes_back_unmodified(kit: Kit) -> None:
    for model in kit.thinkers:
        for ask in (whole, streamed):
            ponder(kit, ask, {"model": model, "thinking": thinking(model)})


@scenario("anthropic", "anthropic-messages")
def thinking_that_is_not_shown_comes_back_too(kit: Kit) -> None:
    settings = {"model": "claude-opus-4-7", "thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}
    for ask in (whole, streamed):
        ponder(kit, ask, settings, shown=False)


@scenario("anthropic", "anthropic-messages")
def redacted_thinking_comes_back_too(kit: Kit) -> None:
    for model in kit.thinkers:
        for ask in (whole, streamed):
            messages: list[Any] = [{"role": "user", "content": "hidden"}]
            message = ask(kit, messages, model=model, thinking=thinking(model))
            expect(message.content[0].type, "redacted_thinking")
            messages += [said_by(message), results(message)]
            expect(words(ask(kit, messages, model=model, thinking=thinking(model))), FOUND)


@scenario("anthropic")
def a_conversation_can_change_its_model(kit: Kit) -> None:
    """Thinking made elsewhere is not shown to an upstream that would refuse it."""
    here = kit.thinkers[-1]
    for there in ("deepseek-chat", "claude-haiku-4-5", "gpt-5.2", "gemini-3-pro-preview"):
        messages: list[Any] = [{"role": "user", "content": "ponder"}]
        message = whole(kit, messages, model=there, thinking=thinking(there))
        assert thoughts(message)
        messages += [said_by(message), results(message)]
        expect(words(whole(kit, messages, model=here, thinking=thinking(here))), FOUND)
