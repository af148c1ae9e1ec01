"""The openai SDK's Responses: tools, structured output, reasoning."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from tests.fakes.mind import CONCLUSION, PATCH, PERSON, THOUGHT
from tests.sdk.scenarios import GEMINI, MESSAGES, RESPONSES, Kit, expect, scenario
from tests.sdk.scenarios.responses_talk import ask, mirrored, streamed
from tests.sdk.scenarios.things import FOUND, NOTHING, PNG_BASE64, WEATHER, parsed, run_tool

TOOLS: list[Any] = [
    {"type": "function", "name": "get_weather", "description": "Now.", "parameters": WEATHER, "strict": False},
    {"type": "function", "name": "get_time", "parameters": NOTHING, "strict": False},
]
PATCHER: Any = {"type": "custom", "name": "apply_patch", "description": "Edits files."}
GRAMMAR: Any = {**PATCHER, "format": {"type": "grammar", "syntax": "lark", "definition": 'start: "x"'}}
BOTH = [("get_weather", {"city": "Paris", "unit": "celsius"}), ("get_weather", {"city": "Zürich", "unit": "celsius"})]
STATELESS: dict[str, Any] = {"store": False, "include": ["reasoning.encrypted_content"]}
THINKING: dict[str, Any] = {"reasoning": {"effort": "medium", "summary": "auto"}}


class Person(BaseModel):
    name: str
    age: int


def calls_of(response: Any) -> list[Any]:
    return [item for item in response.output if item.type == "function_call"]


def called(response: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(call.name, parsed(call.arguments)) for call in calls_of(response)]


def results(response: Any) -> list[dict[str, Any]]:
    return [
        {
            "type": "function_call_output",
            "call_id": call.call_id,
            "output": run_tool(call.name, parsed(call.arguments)),
        }
        for call in calls_of(response)
    ]


def helped(kit: Kit, given: Any, model: str = "", **settings: Any) -> Any:
    """By the SDK's own helper."""
    with kit.openai().responses.stream(model=model or kit.model, input=given, **settings) as stream:
        for event in stream:
            assert event.type != "error", event
        return stream.get_final_response()


def plays(kit: Kit) -> tuple[Any, ...]:
    """The helper of the generation before puts `parsed` into its items, which the service does not take back."""
    return (ask, streamed, helped) if kit.is_newest else (ask, streamed)


def loop(kit: Kit, play: Any, cue: str, **settings: Any) -> None:
    """Two questions, each of them two calls and an answer; the caller keeps the history."""
    said: list[Any] = []
    for _ in range(2):
        said.append({"role": "user", "content": f"{cue} in two cities"})
        response = play(kit, said, tools=TOOLS, **settings)
        expect((response.status, response.output_text), ("completed", "Let me look."))
        expect(called(response), BOTH)
        expect(len({call.call_id for call in calls_of(response)}), 2)
        said += [*response.output, *results(response)]
        response = play(kit, said, tools=TOOLS, **settings)
        expect((response.status, response.output_text), ("completed", FOUND))
        said += response.output


@scenario("responses")
def parallel_calls_are_answered_turn_after_turn(kit: Kit) -> None:
    loop(kit, ask, "weather")


@scenario("responses")
def streamed_parallel_calls_are_answered_turn_after_turn(kit: Kit) -> None:
    for play in plays(kit)[1:]:
        loop(kit, play, "weather", store=False)


@scenario("responses")
def interleaved_arguments_find_their_calls(kit: Kit) -> None:
    loop(kit, streamed, "interleaved")


@scenario("responses")
def calls_are_answered_by_the_last_answers_id(kit: Kit) -> None:
    for play in (ask, streamed):
        last = None
        for _ in range(2):
            asked = {"previous_response_id": last} if last else {}
            response = play(kit, "weather in two cities", tools=TOOLS, **asked)
            expect(called(response), BOTH)
            response = play(kit, results(response), tools=TOOLS, previous_response_id=response.id)
            expect(response.output_text, FOUND)
            last = response.id


@scenario("responses")
def streamed_calls_come_one_after_the_other(kit: Kit) -> None:
    events = list(ask(kit, "interleaved", tools=TOOLS, stream=True))
    open_items: list[int] = []
    for event in events:
        if event.type == "response.output_item.added":
            assert not open_items, "an item began before the last one ended"
            open_items.append(event.output_index)
        elif event.type == "response.output_item.done":
            expect(open_items.pop(), event.output_index)
    done = [parsed(event.arguments) for event in events if event.type == "response.function_call_arguments.done"]
    expect(done, [arguments for _, arguments in BOTH])
    for index in (1, 2):
        own = [event for event in events if getattr(event, "output_index", None) == index]
        pieces = [event.delta for event in own if event.type == "response.function_call_arguments.delta"]
        expect("".join(pieces), own[-1].item.arguments)


@scenario("responses")
def a_call_without_arguments_comes_and_goes(kit: Kit) -> None:
    for play in (ask, streamed):
        said: list[Any] = [{"role": "user", "content": "clock"}]
        response = play(kit, said, tools=TOOLS)
        expect(called(response), [("get_time", {})])
        expect(play(kit, [*said, *response.output, *results(response)], tools=TOOLS).output_text, "It is 12:30")


@scenario("responses")
def results_may_be_pictures_and_come_in_another_order(kit: Kit) -> None:
    said: list[Any] = [{"role": "user", "content": "weather"}]
    response = ask(kit, said, tools=TOOLS)
    first, second = results(response)
    answer = ask(kit, [*said, *response.output, second, first], tools=TOOLS).output_text
    assert answer in (FOUND, "Then: Zürich: 7; Paris: 21."), answer
    picture = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG_BASE64}", "detail": "auto"}
    second["output"] = [{"type": "input_text", "text": "cold"}, picture]
    looked = {"role": "user", "content": "look"}
    if kit.over != GEMINI:
        answer = ask(kit, [*said, *response.output, first, second, looked], tools=TOOLS).output_text
        assert "image base64 image/png" in answer, answer


@scenario("responses")
def tool_choice_is_kept(kit: Kit) -> None:
    named = {"type": "function", "name": "get_time"}
    expect(called(ask(kit, "hello", tools=TOOLS, tool_choice=named)), [("get_time", {})])
    expect(called(ask(kit, "hello", tools=TOOLS, tool_choice="required")), BOTH[:1])
    expect(called(ask(kit, "hello", tools=TOOLS, tool_choice="none")), [])
    if kit.over != GEMINI:
        expect(called(ask(kit, "weather", tools=TOOLS, parallel_tool_calls=False)), BOTH[:1])


@scenario("responses")
def a_free_form_tool_gets_its_text_as_it_is(kit: Kit) -> None:
    for tool in (PATCHER, GRAMMAR):
        for play in plays(kit):
            said: list[Any] = [{"role": "user", "content": "patch"}]
            response = play(kit, said, tools=[tool])
            call = response.output[-1]
            expect((call.type, call.name, call.input), ("custom_tool_call", "apply_patch", PATCH))
            ran = {"type": "custom_tool_call_output", "call_id": call.call_id, "output": "ok"}
            expect(play(kit, [*said, *response.output, ran], tools=[tool]).output_text, "Done: ok")


@scenario("responses")
def a_streamed_free_form_call_tells_its_text(kit: Kit) -> None:
    events = list(ask(kit, "patch", tools=[PATCHER], stream=True))
    pieces = [event.delta for event in events if event.type == "response.custom_tool_call_input.delta"]
    done = [event.input for event in events if event.type == "response.custom_tool_call_input.done"]
    expect(("".join(pieces), done), (PATCH, [PATCH]))


@scenario("responses")
def tools_of_a_namespace_keep_it(kit: Kit) -> None:
    space = {"type": "namespace", "name": "functions", "description": "Own.", "tools": [{**PATCHER, "name": "exec"}]}
    for play in (ask, streamed):
        said: list[Any] = [{"role": "user", "content": "patch"}]
        response = play(kit, said, tools=[space])
        call = response.output[-1]
        expect((call.type, call.namespace, call.name), ("custom_tool_call", "functions", "exec"))
        expect(call.input, PATCH)
        ran = {"type": "custom_tool_call_output", "call_id": call.call_id, "output": "ok"}
        expect(play(kit, [*said, *response.output, ran], tools=[space]).output_text, "Done: ok")


@scenario("responses")
def an_answer_is_parsed_into_a_model(kit: Kit) -> None:
    client = kit.openai()
    asked = {"model": kit.model, "input": "person", "text_format": Person}
    expect(client.responses.parse(**asked).output_parsed, Person(**PERSON))
    with client.responses.stream(**asked) as stream:
        expect(stream.get_final_response().output_parsed, Person(**PERSON))


# --- reasoning


def thoughts(response: Any) -> list[str]:
    items = [item for item in response.output if item.type == "reasoning"]
    said = ["".join(part.text for part in item.summary) for item in items]
    return [words for number, words in enumerate(said) if words or not number]


def ponder(kit: Kit, play: Any, model: str) -> None:
    """A tool loop whose upstream holds the second turn to its rules."""
    settings = {"tools": TOOLS, **STATELESS, **THINKING}
    said: list[Any] = [{"role": "user", "content": "ponder"}]
    response = play(kit, said, model, **settings)
    kinds = [item.type for item in response.output]
    if kit.over == GEMINI and len(kinds) == 5:
        expect(kinds.pop(2), "reasoning")  # a signature belongs to a call and not to the words before it
    expect(kinds, ["reasoning", "message", "function_call", "function_call"])
    expect((thoughts(response), called(response)), (["".join(THOUGHT)], BOTH))
    assert any(item.encrypted_content for item in response.output if item.type == "reasoning")
    assert response.output[0].id.startswith("rs_")
    said += [*response.output, *results(response)]
    response = play(kit, said, model, **settings)
    expect((response.output_text, thoughts(response)), (FOUND, ["".join(CONCLUSION)]))
    said += [*response.output, {"role": "user", "content": "mirror"}]
    assert mirrored(play(kit, said, model, **settings))["body"]


@scenario("responses")
def reasoning_comes_back_to_who_made_it(kit: Kit) -> None:
    for model in kit.thinkers:
        for play in plays(kit):
            ponder(kit, play, model)


@scenario("responses")
def a_caller_who_drops_the_reasoning_is_not_refused(kit: Kit) -> None:
    for model in kit.thinkers:
        for play in (ask, streamed):
            settings = {"tools": TOOLS, "store": False, **THINKING}
            said: list[Any] = [{"role": "user", "content": "ponder"}]
            response = play(kit, said, model, **settings)
            bare = [
                {"type": "function_call", "call_id": c.call_id, "name": c.name, "arguments": c.arguments}
                for c in calls_of(response)
            ]
            expect(play(kit, [*said, *bare, *results(response)], model, **settings).output_text, FOUND)


@scenario("responses")
def reasoning_goes_on_by_the_last_answers_id(kit: Kit) -> None:
    for model in kit.thinkers:
        response = ask(kit, "ponder", model, tools=TOOLS, **THINKING)
        expect(called(response), BOTH)
        settings = {"tools": TOOLS, **THINKING, "previous_response_id": response.id}
        response = ask(kit, results(response), model, **settings)
        expect((response.output_text, thoughts(response)), (FOUND, ["".join(CONCLUSION)]))


@scenario("responses", MESSAGES)
def redacted_reasoning_comes_back_too(kit: Kit) -> None:
    for model in kit.thinkers:
        for play in (ask, streamed):
            settings = {"tools": TOOLS, **STATELESS, **THINKING}
            said: list[Any] = [{"role": "user", "content": "hidden"}]
            response = play(kit, said, model, **settings)
            expect((response.output[0].type, response.output[0].summary), ("reasoning", []))
            assert response.output[0].encrypted_content
            said += [*response.output, *results(response)]
            expect(play(kit, said, model, **settings).output_text, FOUND)


@scenario("responses")
def a_conversation_can_change_its_model(kit: Kit) -> None:
    """Reasoning made elsewhere is not shown to an upstream that would refuse it."""
    for there in ("deepseek-chat", "claude-haiku-4-5", "gpt-5.2", "gemini-3-pro-preview"):
        settings = {"tools": TOOLS, **STATELESS, **THINKING}
        said: list[Any] = [{"role": "user", "content": "ponder"}]
        response = ask(kit, said, there, **settings)
        said += [*response.output, *results(response)]
        expect(ask(kit, said, kit.thinkers[-1], **settings).output_text, FOUND)


@scenario("responses", MESSAGES, RESPONSES)
def a_thinker_may_be_asked_not_to_think(kit: Kit) -> None:
    response = ask(kit, "ponder", kit.thinkers[0], tools=TOOLS, reasoning={"effort": "none"})
    expect((thoughts(response), called(response)), ([], BOTH))
