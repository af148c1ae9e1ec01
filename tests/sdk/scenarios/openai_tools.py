"""The openai SDK: tools, structured output, thinking."""

from __future__ import annotations

import json
from typing import Any

import openai
from pydantic import BaseModel

from tests.fakes.mind import CONCLUSION, PERSON, THOUGHT
from tests.sdk.scenarios import CHAT, GEMINI, MESSAGES, RESPONSES, Kit, expect, scenario
from tests.sdk.scenarios.things import FOUND, NOTHING, WEATHER, parsed, run_tool

TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "description": "Now.", "parameters": WEATHER}},
    {"type": "function", "function": {"name": "get_time", "parameters": NOTHING}},
]
BOTH = [("get_weather", {"city": "Paris", "unit": "celsius"}), ("get_weather", {"city": "Zürich", "unit": "celsius"})]


class Person(BaseModel):
    name: str
    age: int


def called(message: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(call.function.name, parsed(call.function.arguments)) for call in message.tool_calls]


def results(message: Any) -> list[dict[str, Any]]:
    return [
        {
            "role": "tool",
            "tool_call_id": call.id,
            "content": run_tool(call.function.name, parsed(call.function.arguments)),
        }
        for call in message.tool_calls
    ]


def whole(kit: Kit, messages: list[Any], **settings: Any) -> Any:
    return kit.openai().chat.completions.create(model=kit.model, messages=messages, tools=TOOLS, **settings).choices[0]


def streamed(kit: Kit, messages: list[Any], **settings: Any) -> Any:
    """By the SDK's own helper."""
    settings = {"model": kit.model, "tools": TOOLS, **settings}
    with kit.openai().chat.completions.stream(messages=messages, **settings) as stream:
        return stream.get_final_completion().choices[0]


def by_hand(chunks: Any) -> dict[str, Any]:
    """As programs without the helper collect a stream: fragments by their index."""
    message: dict[str, Any] = {"role": "assistant", "content": ""}
    calls: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            message["content"] += choice.delta.content or ""
            for piece in choice.delta.tool_calls or []:
                if piece.id:
                    assert piece.index not in calls, "a call began twice"
                    calls[piece.index] = {"id": piece.id, "type": "function", "function": {"arguments": ""}}
                    calls[piece.index]["function"]["name"] = piece.function.name
                calls[piece.index]["function"]["arguments"] += piece.function.arguments or ""
    message["tool_calls"] = [calls[index] for index in range(len(calls))]
    return message


def loop(kit: Kit, ask: Any, cue: str) -> None:
    """Two questions, each of them two calls and an answer."""
    messages: list[Any] = []
    for _ in range(2):
        messages.append({"role": "user", "content": f"{cue} in two cities"})
        choice = ask(kit, messages)
        expect((choice.finish_reason, choice.message.content), ("tool_calls", "Let me look."))
        expect(called(choice.message), BOTH)
        messages += [choice.message, *results(choice.message)]
        choice = ask(kit, messages)
        expect((choice.finish_reason, choice.message.content), ("stop", FOUND))
        messages.append(choice.message)


@scenario("openai")
def parallel_calls_are_answered_turn_after_turn(kit: Kit) -> None:
    loop(kit, whole, "weather")


@scenario("openai")
def streamed_parallel_calls_are_answered_turn_after_turn(kit: Kit) -> None:
    loop(kit, streamed, "weather")


@scenario("openai")
def interleaved_arguments_find_their_calls(kit: Kit) -> None:
    loop(kit, streamed, "interleaved")


@scenario("openai")
def fragments_collected_by_hand_make_the_calls(kit: Kit) -> None:
    for cue in ("weather", "interleaved"):
        messages: list[Any] = [{"role": "user", "content": cue}]
        settings = {"model": kit.model, "tools": TOOLS, "stream": True}
        message = by_hand(kit.openai().chat.completions.create(messages=messages, **settings))
        calls = [(c["function"]["name"], json.loads(c["function"]["arguments"])) for c in message["tool_calls"]]
        expect((calls, message["content"]), (BOTH, "Let me look."))
        told = [run_tool(name, arguments) for name, arguments in calls]
        ids = [call["id"] for call in message["tool_calls"]]
        answers = [{"role": "tool", "tool_call_id": i, "content": t} for i, t in zip(ids, told, strict=True)]
        expect(whole(kit, [*messages, message, *answers]).message.content, FOUND)


@scenario("openai")
def a_call_without_arguments_comes_and_goes(kit: Kit) -> None:
    for ask in (whole, streamed):
        messages: list[Any] = [{"role": "user", "content": "clock"}]
        message = ask(kit, messages).message
        expect(called(message), [("get_time", {})])
        answer = ask(kit, [*messages, message, *results(message)])
        expect(answer.message.content, "It is 12:30")


@scenario("openai")
def results_in_another_order_and_as_parts_find_their_calls(kit: Kit) -> None:
    messages: list[Any] = [{"role": "user", "content": "weather"}]
    message = whole(kit, messages).message
    first, second = results(message)
    second["content"] = [{"type": "text", "text": second["content"]}]
    said = whole(kit, [*messages, message, second, first]).message.content
    assert said in (FOUND, "Then: Zürich: 7; Paris: 21."), said


@scenario("openai", MESSAGES, RESPONSES, GEMINI)
def a_history_of_other_servers_is_taken(kit: Kit) -> None:
    """Ids that Messages refuses, used twice; empty texts and results; users and systems wherever they stand."""
    call = {"id": "functions.get_weather:0", "type": "function"}
    arguments = [{"name": "get_weather", "arguments": '{"city": "Paris", "unit": "celsius"}'}, {"name": "get_time"}]
    messages: list[Any] = [
        {"role": "assistant", "content": "Good day."},
        {"role": "user", "content": ""},
        {"role": "user", "content": "weather", "name": "alice"},
        {"role": "assistant", "content": "", "tool_calls": [{**call, "function": arguments[0]}]},
        {"role": "tool", "tool_call_id": call["id"], "content": ""},
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": [{"type": "text", "text": "And now?"}]},
        {"role": "user", "content": "clock"},
        {"role": "assistant", "tool_calls": [{**call, "function": {**arguments[1], "arguments": ""}}]},
        {"role": "tool", "tool_call_id": call["id"], "content": "12:30"},
    ]
    for model in (kit.model, *kit.thinkers):
        expect(whole_from(kit, messages, model=model).message.content, "It is 12:30")
        answer = whole_from(kit, [*messages, {"role": "assistant", "content": "So it is"}], model=model)
        assert answer.message.content or answer.message.tool_calls


@scenario("openai")
def tool_choice_is_kept(kit: Kit) -> None:
    asked = [{"role": "user", "content": "hello"}]
    named = {"type": "function", "function": {"name": "get_time"}}
    expect(called(whole(kit, asked, tool_choice=named).message), [("get_time", {})])
    expect(called(whole(kit, asked, tool_choice="required").message), BOTH[:1])
    expect(whole(kit, asked, tool_choice="none").message.tool_calls, None)
    if kit.over != GEMINI:  # it has no such switch
        one = whole(kit, [{"role": "user", "content": "weather"}], parallel_tool_calls=False).message
        expect(called(one), BOTH[:1])


@scenario("openai")
def strict_tools_are_parsed_by_the_helper(kit: Kit) -> None:
    class GetWeather(BaseModel):
        city: str
        unit: str

    tool = openai.pydantic_function_tool(GetWeather, name="get_weather")
    asked = [{"role": "user", "content": "weather"}]
    answer = kit.openai().chat.completions.parse(model=kit.model, messages=asked, tools=[tool])
    cities = [call.function.parsed_arguments.city for call in answer.choices[0].message.tool_calls]
    expect(cities, ["Paris", "Zürich"])


@scenario("openai")
def an_answer_is_parsed_into_a_model(kit: Kit) -> None:
    asked = {"model": kit.model, "messages": [{"role": "user", "content": "person"}], "response_format": Person}
    client = kit.openai()
    expect(client.chat.completions.parse(**asked).choices[0].message.parsed, Person(**PERSON))
    with client.chat.completions.stream(**asked) as stream:
        expect(stream.get_final_completion().choices[0].message.parsed, Person(**PERSON))


@scenario("openai")
def a_cut_answer_is_not_parsed(kit: Kit) -> None:
    asked = {"model": kit.model, "messages": [{"role": "user", "content": "long"}], "response_format": Person}
    try:
        kit.openai().chat.completions.parse(**asked)
    except openai.LengthFinishReasonError as error:
        expect(error.completion.usage.completion_tokens, 7)
    else:
        raise AssertionError("half an object was parsed")


# --- thinking


def ponder(kit: Kit, ask: Any, model: str, again: Any) -> None:
    """A tool loop whose upstream holds the second turn to its thinking rules. What the caller drops is remembered."""
    messages: list[Any] = [{"role": "user", "content": "ponder"}]
    choice = ask(kit, messages, model=model, reasoning_effort="medium")
    expect(called(choice.message), BOTH)
    shown = kit.over != RESPONSES  # as with OpenAI itself, where a caller of Chat sees no reasoning
    expect(getattr(choice.message, "reasoning_content", None), "".join(THOUGHT) if shown else None)
    messages += [again(choice.message), *results(choice.message)]
    choice = ask(kit, messages, model=model, reasoning_effort="medium")
    expect(choice.message.content, FOUND)
    expect(getattr(choice.message, "reasoning_content", None), "".join(CONCLUSION) if shown else None)
    messages += [again(choice.message), {"role": "user", "content": "mirror"}]
    choice = ask(kit, messages, model=model, reasoning_effort="medium")
    assert json.loads(choice.message.content)["body"]


def whole_from(kit: Kit, messages: list[Any], **settings: Any) -> Any:
    return kit.openai().chat.completions.create(messages=messages, tools=TOOLS, **settings).choices[0]


def echoed(message: Any) -> Any:
    """All of it, what the SDK has no field for included."""
    return message.model_dump(exclude_none=True, exclude={"parsed"})


def bare(message: Any) -> Any:
    """What many programs keep of a message."""
    kept = {"role": "assistant", "content": message.content}
    if message.tool_calls:
        kept["tool_calls"] = [call.model_dump(include={"id", "type", "function"}) for call in message.tool_calls]
    return kept


@scenario("openai")
def thinking_goes_on_when_its_details_are_echoed(kit: Kit) -> None:
    for model in kit.thinkers:
        ponder(kit, whole_from, model, echoed)


@scenario("openai")
def thinking_goes_on_in_streams_when_its_details_are_echoed(kit: Kit) -> None:
    for model in kit.thinkers:
        ponder(kit, streamed, model, echoed)


@scenario("openai", MESSAGES, RESPONSES, GEMINI)
def thinking_goes_on_for_a_caller_who_drops_it(kit: Kit) -> None:
    for model in kit.thinkers:
        ponder(kit, whole_from, model, bare)
        ponder(kit, streamed, model, bare)


@scenario("openai", MESSAGES)
def redacted_thinking_goes_on_when_its_details_are_echoed(kit: Kit) -> None:
    for model in kit.thinkers:
        for ask in (whole_from, streamed):
            messages: list[Any] = [{"role": "user", "content": "hidden"}]
            choice = ask(kit, messages, model=model, reasoning_effort="low")
            expect(called(choice.message), BOTH)
            assert not getattr(choice.message, "reasoning_content", None)
            messages += [echoed(choice.message), *results(choice.message)]
            answer = ask(kit, messages, model=model, reasoning_effort="low").message
            expect(answer.content, FOUND)
            expect(len(answer.reasoning_details), 1)


@scenario("openai", CHAT)
def a_thinker_may_be_asked_not_to_think(kit: Kit) -> None:
    messages = [{"role": "user", "content": "ponder"}]
    choice = whole_from(kit, messages, model="deepseek-chat", reasoning_effort="none")
    assert not getattr(choice.message, "reasoning_content", None)
