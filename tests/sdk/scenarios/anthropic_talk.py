"""The anthropic SDK: asking, streaming, looking, listing."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import anthropic

from tests.fakes.mind import GREETING
from tests.sdk.scenarios import CHAT, GEMINI, MESSAGES, RESPONSES, Kit, expect, fresh, scenario
from tests.sdk.scenarios.things import CAT, PDF_BASE64, PNG_BASE64, roles

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
SAID = "".join(GREETING)


def ask(kit: Kit, content: Any, **settings: Any) -> Any:
    settings = {"model": kit.model, "max_tokens": 500, **settings}
    return kit.anthropic().messages.create(messages=[{"role": "user", "content": content}], **settings)


def words(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def mirrored(message: Any) -> dict[str, Any]:
    value = json.loads(words(message))
    assert isinstance(value, dict)
    return value


@scenario("anthropic")
def an_answer_is_a_message(kit: Kit) -> None:
    message = ask(kit, "hello")
    expect((message.type, message.role, message.stop_reason), ("message", "assistant", "end_turn"))
    expect([(block.type, block.text) for block in message.content], [("text", SAID)])
    expect((message.usage.input_tokens, message.usage.output_tokens, message.stop_sequence), (12, 7, None))
    assert message.id.startswith("msg_"), message.id
    assert message.model
    assert message._request_id


@scenario("anthropic")
def the_async_client_asks_and_streams(kit: Kit) -> None:
    async def both() -> None:
        async with kit.async_anthropic() as client:
            asked = {"model": kit.model, "max_tokens": 500, "messages": HELLO}
            expect(words(await client.messages.create(**asked)), SAID)
            async with client.messages.stream(**asked) as stream:
                expect("".join([text async for text in stream.text_stream]), SAID)
                expect(words(await stream.get_final_message()), SAID)

    asyncio.run(both())


@scenario("anthropic")
def many_streams_at_once_do_not_mix(kit: Kit) -> None:
    async def one(client: Any, word: str) -> None:
        asked = [{"role": "user", "content": f"mirror {word}"}]
        async with client.messages.stream(model=kit.model, max_tokens=500, messages=asked) as stream:
            said = await stream.get_final_message()
        assert word in json.dumps(mirrored(said)["body"])

    async def all_of_them() -> None:
        async with kit.async_anthropic() as client:
            await asyncio.gather(*[one(client, fresh()) for _ in range(12)])

    asyncio.run(all_of_them())


@scenario("anthropic")
def a_stream_may_be_left_early(kit: Kit) -> None:
    client = kit.anthropic()
    with client.messages.stream(model=kit.model, max_tokens=500, messages=HELLO) as stream:
        next(iter(stream.text_stream))
    expect(words(ask(kit, "hello")), SAID)


@scenario("anthropic")
def a_stream_keeps_the_order_of_its_events(kit: Kit) -> None:
    events = list(ask(kit, "hello", stream=True))
    kinds = [event.type for event in events]
    expect(kinds[:2], ["message_start", "content_block_start"])
    expect(kinds[-3:], ["content_block_stop", "message_delta", "message_stop"])
    expect(set(kinds[2:-3]), {"content_block_delta"})
    expect("".join(event.delta.text for event in events[2:-3]), SAID)
    start, end = events[0].message, events[-2]
    assert start.id.startswith("msg_"), start.id
    expect((start.content, start.stop_reason, start.role), ([], None, "assistant"))
    assert start.usage.input_tokens > 0
    expect((end.delta.stop_reason, end.usage.output_tokens), ("end_turn", 7))


@scenario("anthropic")
def the_stream_helper_collects_the_answer(kit: Kit) -> None:
    asked = {"model": kit.model, "max_tokens": 500, "messages": HELLO}
    with kit.anthropic().messages.stream(**asked) as stream:
        pieces = list(stream.text_stream)
        message = stream.get_final_message()
    expect("".join(pieces), SAID)
    assert len(pieces) >= len(GREETING), "the words came at once"
    expect((message.stop_reason, message.usage.input_tokens, message.usage.output_tokens), ("end_turn", 12, 7))
    with kit.anthropic().messages.stream(**asked) as stream:
        expect(stream.get_final_text(), SAID)
        assert stream.request_id


@scenario("anthropic")
def system_prompts_lead(kit: Kit) -> None:
    expect(mirrored(ask(kit, "mirror", system="Be brief."))["system"], "Be brief.")
    blocks = [
        {"type": "text", "text": "Be brief."},
        {"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}},
    ]
    expect(mirrored(ask(kit, "mirror", system=blocks))["system"], "Be brief.\n\nBe kind.")


@scenario("anthropic")
def a_conversation_keeps_its_turns(kit: Kit) -> None:
    first = ask(kit, "hello")
    messages = [*HELLO, {"role": "assistant", "content": first.content}, {"role": "user", "content": "mirror"}]
    second = kit.anthropic().messages.create(model=kit.model, max_tokens=500, messages=messages)
    seen = mirrored(second)["body"]
    expect(roles(seen), ["user", "assistant", "user"])
    assert SAID in json.dumps(seen, ensure_ascii=False)


@scenario("anthropic", CHAT, MESSAGES, GEMINI)
def a_stop_sequence_ends_the_answer(kit: Kit) -> None:
    message = ask(kit, "stop", stop_sequences=["three", "four"])
    expect(words(message), "One, two, ")
    told = ("stop_sequence", "three") if kit.over == MESSAGES else ("end_turn", None)  # the others do not say which
    expect((message.stop_reason, message.stop_sequence), told)


@scenario("anthropic")
def an_output_limit_is_told_by_its_stop_reason(kit: Kit) -> None:
    expect(ask(kit, "long", max_tokens=5).stop_reason, "max_tokens")
    *_, end, _ = ask(kit, "long", max_tokens=5, stream=True)
    expect(end.delta.stop_reason, "max_tokens")


@scenario("anthropic")
def cache_reads_are_counted_apart(kit: Kit) -> None:
    usage = ask(kit, "cached").usage
    expect((usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens), (20, 100, 3))
    with kit.anthropic().messages.stream(
        model=kit.model, max_tokens=50, messages=[{"role": "user", "content": "cached"}]
    ) as stream:
        usage = stream.get_final_message().usage
    expect((usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens), (20, 100, 3))


@scenario("anthropic")
def images_and_pdfs_arrive(kit: Kit) -> None:
    png = {"type": "base64", "media_type": "image/png", "data": PNG_BASE64}
    pdf = {"type": "base64", "media_type": "application/pdf", "data": PDF_BASE64}
    content = [
        {"type": "text", "text": "look"},
        {"type": "image", "source": png},
        {"type": "document", "source": pdf, "title": "a.pdf"},
    ]
    said = words(ask(kit, content))
    expect(said, "I see image base64 image/png and document base64 application/pdf.")


@scenario("anthropic", CHAT, MESSAGES, RESPONSES)
def addresses_of_images_arrive(kit: Kit) -> None:
    content = [{"type": "text", "text": "look"}, {"type": "image", "source": {"type": "url", "url": CAT}}]
    expect(words(ask(kit, content)), f"I see image url {CAT}.")


@scenario("anthropic")
def a_text_document_is_read(kit: Kit) -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "The moon is made of basalt."}
    content = [{"type": "document", "source": source, "title": "Moon"}, {"type": "text", "text": "mirror"}]
    body = json.dumps(mirrored(ask(kit, content))["body"])
    told = "made of basalt" in body or base64.b64encode(source["data"].encode()).decode() in body
    assert told, body


@scenario("anthropic")
def a_refusal_is_a_stop_reason(kit: Kit) -> None:
    message = ask(kit, "refuse")
    told = message.stop_details.explanation if kit.over == GEMINI else words(message)
    expect((message.stop_reason, told), ("refusal", "I will not."))


@scenario("anthropic", CHAT, MESSAGES, RESPONSES)
def the_user_id_reaches_the_upstream(kit: Kit) -> None:
    body = mirrored(ask(kit, "mirror", metadata={"user_id": "alice"}))["body"]
    assert "alice" in (body.get("user"), body.get("safety_identifier"), body.get("metadata", {}).get("user_id"))


@scenario("anthropic", MESSAGES)
def version_and_betas_pass(kit: Kit) -> None:
    message = kit.anthropic().beta.messages.create(
        model=kit.model,
        max_tokens=500,
        messages=[{"role": "user", "content": "mirror"}],
        betas=["context-management-2025-06-27", "never-heard-of-2031-01-01"],
        context_management={"edits": [{"type": "clear_tool_uses_20250919"}]},
    )
    seen = mirrored(message)
    expect(seen["headers"]["anthropic-beta"], "context-management-2025-06-27,never-heard-of-2031-01-01")
    expect(seen["headers"]["anthropic-version"], "2026-10-21" if kit.is_newest else "2023-06-01")
    expect(seen["body"]["context_management"], {"edits": [{"type": "clear_tool_uses_20250919"}]})


@scenario("anthropic", CHAT, RESPONSES, GEMINI)
def parameters_without_a_counterpart_are_named(kit: Kit) -> None:
    raw = kit.anthropic().messages.with_raw_response.create(
        model=kit.model, max_tokens=500, messages=HELLO, extra_body={"experiment": 1}
    )
    expect(words(raw.parse()), SAID)
    expect(raw.headers["x-dragoman-dropped"], "experiment")
    assert raw.headers["request-id"]


@scenario("anthropic", CHAT)
def models_are_listed_page_by_page_and_retrieved(kit: Kit) -> None:
    client = kit.anthropic()
    names = [model.id for model in client.models.list(limit=3)]
    assert {"gpt-4o", "claude-opus-4-7"} <= set(names), names
    expect(len(names), len(set(names)))
    model = client.models.retrieve("claude-opus-4-7")
    expect((model.id, model.type), ("claude-opus-4-7", "model"))
    assert model.created_at.year >= 1970
    try:
        client.models.retrieve("no-such-model")
    except anthropic.NotFoundError as error:
        expect(error.body["error"]["type"], "not_found_error")
    else:
        raise AssertionError("a model that is not there was retrieved")
