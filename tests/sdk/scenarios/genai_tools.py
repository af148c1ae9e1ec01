"""The google-genai SDK: functions called by hand and by itself, structured output, thinking."""

from __future__ import annotations

from typing import Any

from google.genai import types
from pydantic import BaseModel

from tests.fakes.mind import CITIES, CONCLUSION, PERSON, THOUGHT
from tests.sdk.scenarios import CHAT, GEMINI, MESSAGES, RESPONSES, Kit, expect, scenario
from tests.sdk.scenarios.genai_talk import ask, chunks, mirrored, parts_of, words
from tests.sdk.scenarios.things import FOUND, run_tool

BOTH = [("get_weather", {"city": "Paris", "unit": "celsius"}), ("get_weather", {"city": "Zürich", "unit": "celsius"})]
SCHEMA = types.Schema(
    type=types.Type.OBJECT,
    properties={
        "city": types.Schema(type=types.Type.STRING),
        "unit": types.Schema(type=types.Type.STRING, enum=["celsius", "fahrenheit"]),
    },
    required=["city", "unit"],
)
TOOLS = [
    types.Tool(
        function_declarations=[
            types.FunctionDeclaration(name="get_weather", description="Now.", parameters=SCHEMA),
            types.FunctionDeclaration(name="get_time", description="Now, too."),
        ]
    )
]
BY_HAND = types.AutomaticFunctionCallingConfig(disable=True)
THOUGHTS = types.ThinkingConfig(include_thoughts=True)


class Person(BaseModel):
    name: str
    age: int


def get_weather(city: str, unit: str) -> str:
    """The weather now."""
    expect(unit, "celsius")
    return f"{city}: {CITIES[city]}"


def called(parts: list[Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(p.function_call.name, dict(p.function_call.args or {})) for p in parts if p.function_call]


def results(parts: list[Any]) -> Any:
    """The answers to all calls, as one turn; with the id, if there is one."""
    answered = []
    for part in parts:
        if call := part.function_call:
            told = {"result": run_tool(call.name, dict(call.args or {}))}
            answered.append(types.Part(function_response={"id": call.id, "name": call.name, "response": told}))
    return types.Content(role="user", parts=answered)


def whole(kit: Kit, contents: Any, model: str = "", **config: Any) -> list[Any]:
    return parts_of(ask(kit, contents, model, automatic_function_calling=BY_HAND, **config))


def streamed(kit: Kit, contents: Any, model: str = "", **config: Any) -> list[Any]:
    answers = chunks(kit, contents, model, automatic_function_calling=BY_HAND, **config)
    return [part for answer in answers for part in parts_of(answer)]


def said_by(parts: list[Any]) -> Any:
    return types.Content(role="model", parts=parts)


def user(text: str) -> Any:
    return types.Content(role="user", parts=[types.Part(text=text)])


def spoken(parts: list[Any]) -> str:
    return "".join(part.text or "" for part in parts if not part.thought)


def thoughts(parts: list[Any]) -> str:
    return "".join(part.text or "" for part in parts if part.thought)


def loop(kit: Kit, play: Any, cue: str) -> None:
    """Two questions, each of them two calls and an answer."""
    contents: list[Any] = []
    for _ in range(2):
        contents.append(user(f"{cue} in two cities"))
        parts = play(kit, contents, tools=TOOLS)
        expect((spoken(parts), called(parts)), ("Let me look.", BOTH))
        contents += [said_by(parts), results(parts)]
        parts = play(kit, contents, tools=TOOLS)
        expect((spoken(parts), called(parts)), (FOUND, []))
        contents.append(said_by(parts))


@scenario("genai")
def parallel_calls_are_answered_turn_after_turn(kit: Kit) -> None:
    loop(kit, whole, "weather")


@scenario("genai")
def streamed_parallel_calls_are_answered_turn_after_turn(kit: Kit) -> None:
    loop(kit, streamed, "weather")


@scenario("genai")
def interleaved_arguments_find_their_calls(kit: Kit) -> None:
    loop(kit, streamed, "interleaved")


@scenario("genai")
def calls_without_ids_are_answered_by_name(kit: Kit) -> None:
    """What programs of older SDKs send."""
    contents: list[Any] = [user("weather")]
    parts = whole(kit, contents, tools=TOOLS)
    answers = results(parts)
    for part in [*parts, *answers.parts]:
        for told in (part.function_call, part.function_response):
            if told:
                told.id = None
    expect(spoken(whole(kit, [*contents, said_by(parts), answers], tools=TOOLS)), FOUND)


@scenario("genai")
def functions_are_called_by_the_sdk_itself(kit: Kit) -> None:
    for model in {kit.model, *kit.thinkers}:
        chat = kit.genai().chats.create(model=model, config=types.GenerateContentConfig(tools=[get_weather]))
        expect(chat.send_message("weather").text, FOUND)
        expect(words(list(chat.send_message_stream("weather, streamed"))), f"Let me look.{FOUND}")
        expect(chat.send_message("weather again").text, FOUND)


@scenario("genai")
def a_call_without_arguments_comes_and_goes(kit: Kit) -> None:
    for play in (whole, streamed):
        contents: list[Any] = [user("clock")]
        parts = play(kit, contents, tools=TOOLS)
        expect(called(parts), [("get_time", {})])
        expect(spoken(play(kit, [*contents, said_by(parts), results(parts)], tools=TOOLS)), "It is 12:30")


@scenario("genai")
def the_calling_mode_is_kept(kit: Kit) -> None:
    def calling(mode: str, *names: str) -> Any:
        config = types.FunctionCallingConfig(mode=mode, allowed_function_names=list(names) or None)
        return types.ToolConfig(function_calling_config=config)

    asked = "hello"
    expect(called(whole(kit, asked, tools=TOOLS, tool_config=calling("ANY", "get_time"))), [("get_time", {})])
    expect(called(whole(kit, asked, tools=TOOLS, tool_config=calling("ANY"))), BOTH[:1])
    expect(called(whole(kit, asked, tools=TOOLS, tool_config=calling("NONE"))), [])


@scenario("genai")
def an_answer_is_parsed_into_a_model(kit: Kit) -> None:
    shape: dict[str, Any] = {"response_mime_type": "application/json", "response_schema": Person}
    expect(ask(kit, "person", **shape).parsed, Person(**PERSON))
    standard = {"response_mime_type": "application/json", "response_json_schema": Person.model_json_schema()}
    expect(Person.model_validate_json(ask(kit, "person", **standard).text), Person(**PERSON))
    expect(Person.model_validate_json(words(chunks(kit, "person", **shape))), Person(**PERSON))


# --- thinking


def ponder(kit: Kit, play: Any, model: str) -> None:
    """A tool loop whose upstream holds the second turn to its rules."""
    contents: list[Any] = [user("ponder")]
    config = {"tools": TOOLS, "thinking_config": THOUGHTS}
    parts = play(kit, contents, model, **config)
    expect((thoughts(parts), spoken(parts), called(parts)), ("".join(THOUGHT), "Let me look.", BOTH))
    contents += [said_by(parts), results(parts)]
    parts = play(kit, contents, model, **config)
    expect((thoughts(parts), spoken(parts)), ("".join(CONCLUSION), FOUND))
    contents += [said_by(parts), user("mirror")]
    assert spoken(play(kit, contents, model, **config)).startswith("{")


@scenario("genai")
def thinking_comes_back_to_who_made_it(kit: Kit) -> None:
    for model in kit.thinkers:
        for play in (whole, streamed):
            ponder(kit, play, model)


@scenario("genai", MESSAGES, RESPONSES, GEMINI)
def thinking_that_is_not_shown_comes_back_too(kit: Kit) -> None:
    for model in kit.thinkers:
        for play in (whole, streamed):
            config = {"tools": TOOLS, "thinking_config": types.ThinkingConfig(thinking_budget=2048)}
            contents: list[Any] = [user("ponder")]
            parts = play(kit, contents, model, **config)
            expect((thoughts(parts), called(parts)), ("", BOTH))
            contents += [said_by(parts), results(parts)]
            expect(spoken(play(kit, contents, model, **config)), FOUND)


@scenario("genai", CHAT, MESSAGES, RESPONSES)
def a_caller_who_drops_the_thinking_is_not_refused(kit: Kit) -> None:
    for model in kit.thinkers:
        for play in (whole, streamed):
            config = {"tools": TOOLS, "thinking_config": THOUGHTS}
            contents: list[Any] = [user("ponder")]
            parts = play(kit, contents, model, **config)
            kept = [types.Part(function_call=part.function_call) for part in parts if part.function_call]
            expect(spoken(play(kit, [*contents, said_by(kept), results(parts)], model, **config)), FOUND)


@scenario("genai")
def a_conversation_can_change_its_model(kit: Kit) -> None:
    others = ("claude-haiku-4-5", "gpt-5.2", "gemini-3-pro-preview")
    for there in others if kit.over == GEMINI else (*others, "deepseek-chat"):
        config = {"tools": TOOLS, "thinking_config": THOUGHTS}
        contents: list[Any] = [user("ponder")]
        parts = whole(kit, contents, there, **config)
        contents += [said_by(parts), results(parts)]
        expect(spoken(whole(kit, contents, kit.thinkers[-1], **config)), FOUND)


@scenario("genai", MESSAGES, RESPONSES, GEMINI)
def thinking_may_be_switched_off(kit: Kit) -> None:
    off = types.ThinkingConfig(thinking_budget=0, include_thoughts=True)
    model = kit.thinkers[0]
    parts = whole(kit, "ponder", model, tools=TOOLS, thinking_config=off)
    expect((thoughts(parts), called(parts)), ("", BOTH))
    assert mirrored(ask(kit, "mirror", model, thinking_config=off))["body"]
