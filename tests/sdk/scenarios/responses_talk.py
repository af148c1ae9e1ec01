"""The openai SDK's Responses: asking, streaming, looking, keeping."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai

from tests.fakes.mind import GREETING
from tests.sdk.scenarios import CHAT, GEMINI, MESSAGES, RESPONSES, Kit, expect, fresh, scenario
from tests.sdk.scenarios.things import CAT, PDF_BASE64, PNG_BASE64, roles, settings_of

SAID = "".join(GREETING)


def ask(kit: Kit, given: Any, model: str = "", **settings: Any) -> Any:
    return kit.openai().responses.create(model=model or kit.model, input=given, **settings)


def streamed(kit: Kit, given: Any, model: str = "", **settings: Any) -> Any:
    """What the last event holds, whatever the end is."""
    *_, last = ask(kit, given, model, stream=True, **settings)
    return last.response


def mirrored(response: Any) -> dict[str, Any]:
    value = json.loads(response.output_text)
    assert isinstance(value, dict)
    return value


@scenario("responses")
def an_answer_has_text_usage_and_ids(kit: Kit) -> None:
    response = ask(kit, "hello")
    expect((response.object, response.status, response.output_text), ("response", "completed", SAID))
    expect([item.type for item in response.output], ["message"])
    item = response.output[0]
    expect((item.role, item.status, item.content[0].annotations), ("assistant", "completed", []))
    usage = response.usage
    expect((usage.input_tokens, usage.output_tokens, usage.total_tokens), (12, 7, 19))
    expect((usage.input_tokens_details.cached_tokens, usage.output_tokens_details.reasoning_tokens), (0, 0))
    expect((response.error, response.incomplete_details), (None, None))
    assert response.id.startswith("resp_"), response.id
    assert item.id.startswith("msg_"), item.id
    assert response.created_at > 0
    assert response.model
    assert response._request_id


@scenario("responses")
def the_async_client_asks_and_streams(kit: Kit) -> None:
    async def both() -> None:
        async with kit.async_openai() as client:
            asked = {"model": kit.model, "input": "hello"}
            expect((await client.responses.create(**asked)).output_text, SAID)
            stream = await client.responses.create(**asked, stream=True)
            pieces = [event.delta async for event in stream if event.type == "response.output_text.delta"]
            expect("".join(pieces), SAID)
            async with client.responses.stream(**asked) as helper:
                expect((await helper.get_final_response()).output_text, SAID)

    asyncio.run(both())


@scenario("responses")
def many_streams_at_once_do_not_mix(kit: Kit) -> None:
    async def one(client: Any, word: str) -> None:
        stream = await client.responses.create(model=kit.model, input=f"mirror {word}", stream=True)
        pieces = [event.delta async for event in stream if event.type == "response.output_text.delta"]
        assert word in json.dumps(json.loads("".join(pieces))["body"])

    async def all_of_them() -> None:
        async with kit.async_openai() as client:
            await asyncio.gather(*[one(client, fresh()) for _ in range(12)])

    asyncio.run(all_of_them())


@scenario("responses")
def a_stream_tells_the_whole_life_of_its_items(kit: Kit) -> None:
    events = list(ask(kit, "hello", stream=True))
    kinds = [event.type.removeprefix("response.") for event in events]
    expect(kinds[:4], ["created", "in_progress", "output_item.added", "content_part.added"])
    expect(kinds[-4:], ["output_text.done", "content_part.done", "output_item.done", "completed"])
    expect(set(kinds[4:-4]), {"output_text.delta"})
    expect([event.sequence_number for event in events], list(range(len(events))))
    expect("".join(event.delta for event in events[4:-4]), SAID)
    assert len(events[4:-4]) >= len(GREETING), "the words came at once"
    created, item, end = events[0].response, events[-2].item, events[-1].response
    expect((created.status, created.output, created.usage), ("in_progress", [], None))
    expect(events[-4].text, SAID)
    expect({event.item_id for event in events[3:-2]}, {item.id})
    expect((end.id, end.output), (created.id, [item]))
    expect((end.usage.input_tokens, end.usage.output_tokens), (12, 7))


@scenario("responses")
def a_stream_may_be_left_early(kit: Kit) -> None:
    with ask(kit, "hello", stream=True) as stream:
        next(iter(stream))
    expect(ask(kit, "hello").output_text, SAID)


@scenario("responses")
def instructions_and_developers_lead(kit: Kit) -> None:
    given = [{"role": "developer", "content": "Be kind."}, {"role": "user", "content": "mirror"}]
    expect(mirrored(ask(kit, given, instructions="Be brief."))["system"], "Be brief.\n\nBe kind.")
    expect(mirrored(ask(kit, [{"role": "system", "content": "Be odd."}, *given[1:]]))["system"], "Be odd.")


@scenario("responses")
def a_conversation_keeps_its_turns(kit: Kit) -> None:
    first = ask(kit, "hello")
    given = [{"role": "user", "content": "hello"}, *first.output, {"role": "user", "content": "mirror"}]
    body = mirrored(ask(kit, given))["body"]
    assert SAID in json.dumps(body, ensure_ascii=False)
    expect(roles(body), ["user", "assistant", "user"])


@scenario("responses", CHAT, MESSAGES, GEMINI)
def a_conversation_is_held_by_its_last_answer(kit: Kit) -> None:
    first = ask(kit, "hello", instructions="Be brief.")
    second = ask(kit, "hello again", previous_response_id=first.id)
    third = streamed(kit, "mirror", previous_response_id=second.id)
    seen = mirrored(third)
    expect(roles(seen["body"]), ["user", "assistant"] * 2 + ["user"])
    expect((seen["system"], third.previous_response_id), ("", second.id))  # instructions are not inherited


@scenario("responses")
def what_is_not_stored_is_not_kept(kit: Kit) -> None:
    response = ask(kit, "hello", store=False)
    try:
        ask(kit, "hello", previous_response_id=response.id)
    except openai.BadRequestError as error:
        expect((error.code, error.param), ("previous_response_not_found", "previous_response_id"))
    else:
        raise AssertionError("an answer that was not to be stored was found")


@scenario("responses")
def an_output_limit_makes_it_incomplete(kit: Kit) -> None:
    for response in (ask(kit, "long", max_output_tokens=16), streamed(kit, "long", max_output_tokens=16)):
        expect((response.status, response.incomplete_details.reason), ("incomplete", "max_output_tokens"))
        expect((response.output_text, response.output[0].status), ("And so on and ", "incomplete"))


@scenario("responses", CHAT, RESPONSES, GEMINI)
def a_filtered_answer_is_incomplete(kit: Kit) -> None:
    for response in (ask(kit, "filter"), streamed(kit, "filter")):
        expect((response.status, response.incomplete_details.reason), ("incomplete", "content_filter"))
        expect(response.output_text, "Half of ")


@scenario("responses", GEMINI)
def a_blocked_question_is_a_filtered_answer(kit: Kit) -> None:
    for response in (ask(kit, "blocked"), streamed(kit, "blocked")):
        expect((response.status, response.incomplete_details.reason), ("incomplete", "content_filter"))


@scenario("responses")
def cache_reads_are_a_part_of_the_input(kit: Kit) -> None:
    for response in (ask(kit, "cached"), streamed(kit, "cached")):
        usage = response.usage
        expect((usage.input_tokens, usage.output_tokens, usage.total_tokens), (120, 3, 123))
        expect(usage.input_tokens_details.cached_tokens, 100)


@scenario("responses")
def images_and_pdfs_arrive(kit: Kit) -> None:
    content = [
        {"type": "input_text", "text": "look"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG_BASE64}", "detail": "low"},
        {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF_BASE64}"},
    ]
    said = ask(kit, [{"role": "user", "content": content}]).output_text
    expect(said, "I see image base64 image/png and document base64 application/pdf.")


@scenario("responses", CHAT, MESSAGES, RESPONSES)
def addresses_of_images_arrive(kit: Kit) -> None:
    content = [{"type": "input_text", "text": "look"}, {"type": "input_image", "image_url": CAT, "detail": "auto"}]
    expect(ask(kit, [{"role": "user", "content": content}]).output_text, f"I see image url {CAT}.")


@scenario("responses", CHAT, RESPONSES)
def a_refusal_is_not_an_answer(kit: Kit) -> None:
    for response in (ask(kit, "refuse"), streamed(kit, "refuse")):
        part = response.output[0].content[0]
        expect((response.status, part.type, part.refusal), ("completed", "refusal", "I will not."))


@scenario("responses", MESSAGES)
def an_answer_that_ends_in_a_refusal_is_not_complete(kit: Kit) -> None:
    for response in (ask(kit, "refuse"), streamed(kit, "refuse")):
        expect((response.status, response.incomplete_details.reason), ("incomplete", "content_filter"))
        expect(response.output_text, "I will not.")


@scenario("responses")
def common_settings_reach_the_upstream(kit: Kit) -> None:
    response = ask(kit, "mirror", temperature=0.5, max_output_tokens=50, safety_identifier="alice")
    body = mirrored(response)["body"]
    expect(settings_of(body), (0.5, 50))
    if kit.over != GEMINI:
        assert "alice" in (body.get("safety_identifier"), body.get("metadata", {}).get("user_id"))
    expect((response.temperature, response.max_output_tokens), (0.5, 50))


@scenario("responses", CHAT, MESSAGES, GEMINI)
def parameters_without_a_counterpart_are_named(kit: Kit) -> None:
    raw = kit.openai().responses.with_raw_response.create(model=kit.model, input="hello", extra_body={"experiment": 1})
    expect(raw.parse().output_text, SAID)
    assert "experiment" in raw.headers["x-dragoman-dropped"]
    assert raw.headers["x-request-id"]


@scenario("responses")
def input_is_counted(kit: Kit) -> None:
    counted = kit.openai().responses.input_tokens.count(model=kit.model, input="hello " * 50)
    expect(counted.object, "response.input_tokens")
    assert counted.input_tokens > 20, counted
