"""The google-genai SDK: asking, streaming, chatting, looking, counting, listing."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from typing import Any

from google.genai import types

from tests.fakes.mind import GREETING
from tests.sdk.scenarios import CHAT, GEMINI, MESSAGES, RESPONSES, Kit, expect, fresh, scenario
from tests.sdk.scenarios.things import CAT, PDF_BASE64, PNG_BASE64, roles, settings_of

SAID = "".join(GREETING)


def ask(kit: Kit, contents: Any, model: str = "", **config: Any) -> Any:
    asked = {"config": types.GenerateContentConfig(**config)} if config else {}
    return kit.genai().models.generate_content(model=model or kit.model, contents=contents, **asked)


def chunks(kit: Kit, contents: Any, model: str = "", **config: Any) -> list[Any]:
    asked = {"config": types.GenerateContentConfig(**config)} if config else {}
    return list(kit.genai().models.generate_content_stream(model=model or kit.model, contents=contents, **asked))


def words(answers: list[Any]) -> str:
    parts = [part for answer in answers for part in parts_of(answer)]
    return "".join(part.text or "" for part in parts if not part.thought)


def parts_of(answer: Any) -> list[Any]:
    candidate = (answer.candidates or [None])[0]
    return list(candidate.content.parts or []) if candidate and candidate.content else []


def mirrored(answer: Any) -> dict[str, Any]:
    value = json.loads(answer.text)
    assert isinstance(value, dict)
    return value


@scenario("genai")
def an_answer_has_text_and_usage(kit: Kit) -> None:
    for version in ("v1", "v1beta"):
        answer = kit.genai(version).models.generate_content(model=kit.model, contents="hello")
        candidate = answer.candidates[0]
        expect((answer.text, candidate.finish_reason, candidate.content.role), (SAID, "STOP", "model"))
        usage = answer.usage_metadata
        told = (usage.prompt_token_count, usage.candidates_token_count, usage.total_token_count)
        expect((*told, usage.thoughts_token_count or 0), (12, 7, 19, 0))
        assert answer.response_id
        assert answer.model_version


@scenario("genai")
def a_stream_comes_in_pieces(kit: Kit) -> None:
    answers = chunks(kit, "hello")
    expect(words(answers), SAID)
    assert len([answer for answer in answers if words([answer])]) >= len(GREETING), "the words came at once"
    ends = [answer.candidates[0].finish_reason for answer in answers if answer.candidates]
    expect([end for end in ends if end], ["STOP"])
    expect(ends[-1], "STOP")
    usage = answers[-1].usage_metadata
    expect((usage.prompt_token_count, usage.candidates_token_count, usage.total_token_count), (12, 7, 19))
    expect(len({answer.response_id for answer in answers}), 1)


@scenario("genai")
def the_async_client_asks_and_streams(kit: Kit) -> None:
    async def both() -> None:
        client = kit.genai(shared=False).aio
        answer = await client.models.generate_content(model=kit.model, contents="hello")
        expect(answer.text, SAID)
        stream = await client.models.generate_content_stream(model=kit.model, contents="hello")
        expect(words([chunk async for chunk in stream]), SAID)
        await client.aclose()

    asyncio.run(both())


@scenario("genai")
def many_streams_at_once_do_not_mix(kit: Kit) -> None:
    async def one(client: Any, word: str) -> None:
        stream = await client.models.generate_content_stream(model=kit.model, contents=f"mirror {word}")
        assert word in json.dumps(json.loads(words([chunk async for chunk in stream]))["body"])

    async def all_of_them() -> None:
        client = kit.genai(shared=False).aio
        await asyncio.gather(*[one(client, fresh()) for _ in range(8)])
        await client.aclose()

    asyncio.run(all_of_them())


@scenario("genai")
def a_stream_may_be_left_early(kit: Kit) -> None:
    stream = kit.genai().models.generate_content_stream(model=kit.model, contents="hello")
    next(stream)
    stream.close()
    expect(ask(kit, "hello").text, SAID)


@scenario("genai")
def a_stream_without_sse_is_a_list(kit: Kit) -> None:
    body = {"contents": [{"parts": [{"text": "hello"}]}]}
    request = urllib.request.Request(
        f"{kit.base_url}/v1beta/models/{kit.model}:streamGenerateContent",
        json.dumps(body).encode(),
        {"content-type": "application/json", "x-goog-api-key": kit.key},
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
        found = json.loads(answer.read())
    parts = [part for chunk in found for part in chunk["candidates"][0]["content"].get("parts", [])]
    expect("".join(part["text"] for part in parts), SAID)
    expect(found[-1]["candidates"][0]["finishReason"], "STOP")


@scenario("genai")
def a_system_instruction_leads(kit: Kit) -> None:
    expect(mirrored(ask(kit, "mirror", system_instruction="Be brief."))["system"], "Be brief.")


@scenario("genai")
def a_chat_keeps_its_turns(kit: Kit) -> None:
    chat = kit.genai().chats.create(model=kit.model)
    expect(chat.send_message("hello").text, SAID)
    expect(words(list(chat.send_message_stream("hello again"))), SAID)
    body = mirrored(chat.send_message("mirror"))["body"]
    assert json.dumps(body, ensure_ascii=False).count("Hel") >= 2
    expect(roles(body), ["user", "assistant"] * 2 + ["user"])


@scenario("genai", CHAT, MESSAGES, GEMINI)
def a_stop_sequence_ends_the_answer(kit: Kit) -> None:
    answer = ask(kit, "stop", stop_sequences=["three", "four"])
    expect((answer.text, answer.candidates[0].finish_reason), ("One, two, ", "STOP"))


@scenario("genai")
def an_output_limit_is_told_by_its_finish_reason(kit: Kit) -> None:
    expect(ask(kit, "long", max_output_tokens=16).candidates[0].finish_reason, "MAX_TOKENS")
    expect(chunks(kit, "long", max_output_tokens=16)[-1].candidates[0].finish_reason, "MAX_TOKENS")


@scenario("genai")
def cache_reads_are_a_part_of_the_prompt(kit: Kit) -> None:
    for answer in (ask(kit, "cached"), chunks(kit, "cached")[-1]):
        usage = answer.usage_metadata
        told = (usage.prompt_token_count, usage.cached_content_token_count, usage.candidates_token_count)
        expect((*told, usage.total_token_count), (120, 100, 3, 123))


@scenario("genai")
def images_and_pdfs_arrive(kit: Kit) -> None:
    import base64

    png = types.Part.from_bytes(data=base64.b64decode(PNG_BASE64), mime_type="image/png")
    pdf = types.Part.from_bytes(data=base64.b64decode(PDF_BASE64), mime_type="application/pdf")
    expect(ask(kit, ["look", png, pdf]).text, "I see image base64 image/png and document base64 application/pdf.")


@scenario("genai", CHAT, MESSAGES, RESPONSES)
def addresses_of_images_arrive(kit: Kit) -> None:
    cat = types.Part.from_uri(file_uri=CAT, mime_type="image/png")
    expect(ask(kit, ["look", cat]).text, f"I see image url {CAT}.")


@scenario("genai", CHAT, RESPONSES, GEMINI)
def a_filtered_answer_says_so(kit: Kit) -> None:
    for answers in ([ask(kit, "filter")], chunks(kit, "filter")):
        expect((words(answers), answers[-1].candidates[0].finish_reason), ("Half of ", "SAFETY"))


@scenario("genai", GEMINI)
def a_blocked_question_says_so(kit: Kit) -> None:
    assert ask(kit, "blocked").prompt_feedback.block_reason


@scenario("genai")
def a_refusal_is_not_an_answer(kit: Kit) -> None:
    for answers in ([ask(kit, "refuse")], chunks(kit, "refuse")):
        candidate = answers[-1].candidates[0]
        assert candidate.finish_reason in ("SAFETY", "PROHIBITED_CONTENT"), candidate  # the SDK drops the message


@scenario("genai")
def common_settings_reach_the_upstream(kit: Kit) -> None:
    body = mirrored(ask(kit, "mirror", temperature=0.5, max_output_tokens=50, top_k=None))["body"]
    expect(settings_of(body), (0.5, 50))


@scenario("genai")
def tokens_are_counted(kit: Kit) -> None:
    assert kit.genai().models.count_tokens(model=kit.model, contents="hello " * 50).total_tokens > 20


@scenario("genai", GEMINI)
def models_are_listed_and_retrieved(kit: Kit) -> None:
    for version in ("v1", "v1beta"):
        client = kit.genai(version)
        names = [model.name for model in client.models.list()]
        assert {"models/gpt-4o", "models/gemini-2.5-flash"} <= set(names), names
        model = client.models.get(model="gemini-2.5-flash")
        expect(model.name, "models/gemini-2.5-flash")
        assert "generateContent" in model.supported_actions
