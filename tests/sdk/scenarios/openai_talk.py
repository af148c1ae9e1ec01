"""The openai SDK: asking, streaming, looking, listing."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai

from tests.fakes.mind import GREETING
from tests.sdk.scenarios import CHAT, GEMINI, MESSAGES, RESPONSES, Kit, expect, fresh, scenario
from tests.sdk.scenarios.things import CAT, PDF_BASE64, PNG_BASE64, roles, settings_of

HELLO = [{"role": "user", "content": "hello"}]
SAID = "".join(GREETING)


def ask(kit: Kit, text: Any, model: str = "", **settings: Any) -> Any:
    messages = [{"role": "user", "content": text}]
    return kit.openai().chat.completions.create(model=model or kit.model, messages=messages, **settings)


@scenario("openai")
def an_answer_has_text_usage_and_ids(kit: Kit) -> None:
    answer = kit.openai().chat.completions.create(model=kit.model, messages=HELLO)
    expect((answer.object, len(answer.choices)), ("chat.completion", 1))
    choice = answer.choices[0]
    expect((choice.index, choice.finish_reason, choice.message.role), (0, "stop", "assistant"))
    expect((choice.message.content, choice.message.tool_calls, choice.message.refusal), (SAID, None, None))
    usage = answer.usage
    expect((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens), (12, 7, 19))
    assert answer.id
    assert answer.created > 0
    assert answer.model
    assert answer._request_id


@scenario("openai")
def the_async_client_asks_and_streams(kit: Kit) -> None:
    async def both() -> None:
        async with kit.async_openai() as client:
            answer = await client.chat.completions.create(model=kit.model, messages=HELLO)
            expect(answer.choices[0].message.content, SAID)
            stream = await client.chat.completions.create(model=kit.model, messages=HELLO, stream=True)
            pieces = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
            expect("".join(pieces), SAID)
            async with client.chat.completions.stream(model=kit.model, messages=HELLO) as helper:
                expect((await helper.get_final_completion()).choices[0].message.content, SAID)

    asyncio.run(both())


@scenario("openai")
def many_streams_at_once_do_not_mix(kit: Kit) -> None:
    async def one(client: Any, word: str) -> None:
        messages = [{"role": "user", "content": f"mirror {word}"}]
        stream = await client.chat.completions.create(model=kit.model, messages=messages, stream=True)
        pieces = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        assert word in json.dumps(json.loads("".join(pieces))["body"])

    async def all_of_them() -> None:
        async with kit.async_openai() as client:
            await asyncio.gather(*[one(client, fresh()) for _ in range(12)])

    asyncio.run(all_of_them())


@scenario("openai")
def a_stream_may_be_left_early(kit: Kit) -> None:
    client = kit.openai()
    with client.chat.completions.create(model=kit.model, messages=HELLO, stream=True) as stream:
        next(iter(stream))
    expect(ask(kit, "hello").choices[0].message.content, SAID)


@scenario("openai")
def a_stream_is_a_sequence_of_equal_chunks(kit: Kit) -> None:
    chunks = list(kit.openai().chat.completions.create(model=kit.model, messages=HELLO, stream=True))
    expect(chunks[0].choices[0].delta.role, "assistant")
    expect("".join(chunk.choices[0].delta.content or "" for chunk in chunks), SAID)
    expect([c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason], ["stop"])
    expect(chunks[-1].choices[0].finish_reason, "stop")
    expect(len({(chunk.id, chunk.created, chunk.model, chunk.object) for chunk in chunks}), 1)
    assert len(chunks) > len(GREETING), "the words came at once"


@scenario("openai")
def usage_comes_last_in_a_stream_that_asks_for_it(kit: Kit) -> None:
    settings = {"stream": True, "stream_options": {"include_usage": True}}
    *chunks, last = kit.openai().chat.completions.create(model=kit.model, messages=HELLO, **settings)
    expect((last.choices, last.usage.prompt_tokens, last.usage.completion_tokens), ([], 12, 7))
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)


@scenario("openai")
def the_stream_helper_collects_the_answer(kit: Kit) -> None:
    with kit.openai().chat.completions.stream(model=kit.model, messages=HELLO) as stream:
        events = list(stream)
        final = stream.get_final_completion()
    expect("".join(event.delta for event in events if event.type == "content.delta"), SAID)
    expect([event.content for event in events if event.type == "content.done"], [SAID])
    expect((final.choices[0].message.content, final.choices[0].finish_reason), (SAID, "stop"))


@scenario("openai")
def system_and_developer_messages_lead(kit: Kit) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": "mirror"},
    ]
    answer = kit.openai().chat.completions.create(model=kit.model, messages=messages)
    seen = json.loads(answer.choices[0].message.content)
    expect(seen["system"], "Be brief.\n\nBe kind.")


@scenario("openai")
def a_conversation_keeps_its_turns(kit: Kit) -> None:
    client = kit.openai()
    first = client.chat.completions.create(model=kit.model, messages=HELLO)
    again = {"role": "user", "content": "mirror"}
    second = client.chat.completions.create(model=kit.model, messages=[*HELLO, first.choices[0].message, again])
    seen = json.loads(second.choices[0].message.content)["body"]
    expect(roles(seen), ["user", "assistant", "user"])
    assert SAID in json.dumps(seen, ensure_ascii=False)


@scenario("openai", CHAT, MESSAGES, GEMINI)
def a_stop_sequence_ends_the_answer(kit: Kit) -> None:
    for stop in (["three", "four"], "three"):
        choice = ask(kit, "stop", stop=stop).choices[0]
        expect((choice.message.content, choice.finish_reason), ("One, two, ", "stop"))


@scenario("openai", RESPONSES)
def a_stop_sequence_that_cannot_be_kept_is_refused(kit: Kit) -> None:
    try:
        ask(kit, "stop", stop=["three"])
    except openai.BadRequestError as error:
        expect(error.param, "stop")
    else:
        raise AssertionError("the answer did not stop where it should")


@scenario("openai")
def an_output_limit_is_told_by_its_finish_reason(kit: Kit) -> None:
    expect(ask(kit, "long", max_tokens=5).choices[0].finish_reason, "length")
    *_, last = ask(kit, "long", max_completion_tokens=5, stream=True)
    expect(last.choices[0].finish_reason, "length")


@scenario("openai")
def cache_reads_are_a_part_of_the_prompt(kit: Kit) -> None:
    usage = ask(kit, "cached").usage
    expect((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens), (120, 3, 123))
    expect(usage.prompt_tokens_details.cached_tokens, 100)
    *_, last = ask(kit, "cached", stream=True, stream_options={"include_usage": True})
    expect((last.usage.prompt_tokens, last.usage.prompt_tokens_details.cached_tokens), (120, 100))


@scenario("openai")
def images_and_pdfs_arrive(kit: Kit) -> None:
    content = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG_BASE64}", "detail": "low"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF_BASE64}"}},
    ]
    said = ask(kit, content).choices[0].message.content
    expect(said, "I see image base64 image/png and document base64 application/pdf.")


@scenario("openai", CHAT, MESSAGES, RESPONSES)
def addresses_of_images_arrive(kit: Kit) -> None:
    content = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": CAT}}]
    expect(ask(kit, content).choices[0].message.content, f"I see image url {CAT}.")


@scenario("openai", CHAT, RESPONSES, GEMINI)
def a_filtered_answer_says_so(kit: Kit) -> None:
    choice = ask(kit, "filter").choices[0]
    expect((choice.message.content, choice.finish_reason), ("Half of ", "content_filter"))
    *_, last = ask(kit, "filter", stream=True)
    expect(last.choices[0].finish_reason, "content_filter")


@scenario("openai", GEMINI)
def a_blocked_question_is_a_filtered_answer(kit: Kit) -> None:
    expect(ask(kit, "blocked").choices[0].finish_reason, "content_filter")
    *_, last = ask(kit, "blocked", stream=True)
    expect(last.choices[0].finish_reason, "content_filter")


@scenario("openai")
def a_refusal_is_not_an_answer(kit: Kit) -> None:
    choice = ask(kit, "refuse").choices[0]
    said = choice.message.refusal or choice.message.content
    expect(said, "I will not.")
    assert choice.message.refusal or choice.finish_reason == "content_filter"


@scenario("openai")
def common_settings_reach_the_upstream(kit: Kit) -> None:
    answer = ask(kit, "mirror", temperature=0.5, max_completion_tokens=50, user="alice", seed=7)
    body = json.loads(answer.choices[0].message.content)["body"]
    expect(settings_of(body), (0.5, 50))
    if kit.over != GEMINI:
        assert "alice" in (body.get("user"), body.get("safety_identifier"), body.get("metadata", {}).get("user_id"))


@scenario("openai", CHAT)
def unknown_parameters_and_beta_headers_pass(kit: Kit) -> None:
    extra = {"extra_headers": {"openai-beta": "things=v2"}, "extra_body": {"experiment": {"x": [1.0, "ü"]}}}
    seen = json.loads(ask(kit, "mirror", "deepseek-chat", **extra).choices[0].message.content)
    expect(seen["body"]["experiment"], {"x": [1.0, "ü"]})
    expect(seen["headers"]["openai-beta"], "things=v2")


@scenario("openai", MESSAGES, RESPONSES, GEMINI)
def parameters_without_a_counterpart_are_named(kit: Kit) -> None:
    raw = kit.openai().chat.completions.with_raw_response.create(
        model=kit.model, messages=HELLO, seed=7, extra_body={"experiment": 1}
    )
    expect(raw.parse().choices[0].message.content, SAID)
    dropped = {"experiment"} if kit.over == GEMINI else {"seed", "experiment"}
    expect(set(raw.headers["x-dragoman-dropped"].replace(" ", "").split(",")), dropped)
    assert raw.headers["x-request-id"]


@scenario("openai", CHAT)
def models_are_listed_and_retrieved(kit: Kit) -> None:
    client = kit.openai()
    names = [model.id for model in client.models.list()]
    assert {"gpt-4o", "claude-opus-4-7"} <= set(names), names
    model = client.models.retrieve("gpt-4o")
    expect((model.id, model.object), ("gpt-4o", "model"))
    try:
        client.models.retrieve("no-such-model")
    except openai.NotFoundError as error:
        expect(error.code, "model_not_found")
    else:
        raise AssertionError("a model that is not there was retrieved")
