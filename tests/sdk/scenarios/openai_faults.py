"""The openai SDK: its error classes, its retries, streams that end badly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai

from tests.sdk.scenarios import MESSAGES, Kit, expect, fresh, scenario


def ask(kit: Kit, text: str, client: Any = None, **settings: Any) -> Any:
    client = client or kit.openai()
    settings = {"model": kit.model, **settings}
    return client.chat.completions.create(messages=[{"role": "user", "content": text}], **settings)


def raised(kind: type[Exception], action: Callable[[], Any]) -> Any:
    try:
        answer = action()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}, but {answer!r}")


@scenario("openai")
def a_wrong_key_is_an_authentication_error(kit: Kit) -> None:
    client = kit.openai(api_key="sk-dg-nobody")
    error = raised(openai.AuthenticationError, lambda: ask(kit, "hello", client))
    expect((error.status_code, error.code), (401, "invalid_api_key"))
    assert error.request_id
    raised(openai.AuthenticationError, client.models.list)


@scenario("openai")
def an_unknown_model_is_not_found(kit: Kit) -> None:
    for stream in (False, True):
        error = raised(openai.NotFoundError, lambda s=stream: ask(kit, "hello", model="no-such-model", stream=s))
        expect((error.code, error.param, error.type), ("model_not_found", "model", "invalid_request_error"))
        assert error.request_id


@scenario("openai")
def a_malformed_request_names_its_field(kit: Kit) -> None:
    wrong = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "no address"}}]}]
    create = kit.openai().chat.completions.create
    error = raised(openai.BadRequestError, lambda: create(model=kit.model, messages=wrong))
    expect(error.type, "invalid_request_error")
    assert error.request_id


@scenario("openai")
def the_upstreams_no_keeps_its_words(kit: Kit) -> None:
    for stream in (False, True):
        error = raised(openai.BadRequestError, lambda s=stream: ask(kit, "always:400:x", stream=s))
        assert "scripted 400" in error.message


@scenario("openai")
def a_limit_is_waited_for_and_the_retry_succeeds(kit: Kit) -> None:
    client = kit.openai(max_retries=1)
    expect(ask(kit, f"once:429:{fresh()}", client).choices[0].message.content, "Recovered.")
    *_, last = ask(kit, f"once:429:{fresh()}", client, stream=True)
    expect(last.choices[0].finish_reason, "stop")


@scenario("openai")
def a_limit_says_when_to_come_back(kit: Kit) -> None:
    error = raised(openai.RateLimitError, lambda: ask(kit, "always:429:x"))
    expect(error.code, "rate_limit_exceeded")
    expect((error.response.headers["retry-after"], error.response.headers["retry-after-ms"]), ("1", "50"))


@scenario("openai")
def a_server_error_is_retried(kit: Kit) -> None:
    client = kit.openai(max_retries=1)
    expect(ask(kit, f"once:500:{fresh()}", client).choices[0].message.content, "Recovered.")
    error = raised(openai.InternalServerError, lambda: ask(kit, "always:500:x"))
    expect(error.status_code, 500)


@scenario("openai", MESSAGES)
def overloaded_becomes_a_status_that_this_sdk_knows(kit: Kit) -> None:
    error = raised(openai.InternalServerError, lambda: ask(kit, "always:529:x"))
    expect(error.status_code, 503)


@scenario("openai")
def an_error_inside_a_stream_raises(kit: Kit) -> None:
    said: list[str] = []

    def read() -> None:
        for chunk in ask(kit, "break", stream=True):
            said.append(chunk.choices[0].delta.content or "")

    error = raised(openai.APIError, read)
    expect("".join(said), "So far so ")
    assert "the machine is on fire" in error.message

    def read_with_helper() -> None:
        messages = [{"role": "user", "content": "break"}]
        with kit.openai().chat.completions.stream(model=kit.model, messages=messages) as stream:
            stream.get_final_completion()

    raised(openai.APIError, read_with_helper)


@scenario("openai")
def a_cut_stream_raises(kit: Kit) -> None:
    said: list[str] = []

    def read() -> None:
        for chunk in ask(kit, "cut", stream=True):
            said.append(chunk.choices[0].delta.content or "")

    raised(openai.APIError, read)
    expect("".join(said), "So far so ")


@scenario("openai")
def an_answer_of_a_wrong_path_is_an_error_too(kit: Kit) -> None:
    raised(openai.NotFoundError, lambda: kit.openai().get("/no/such/path", cast_to=object))
