"""The anthropic SDK: its error classes, its retries, streams that end badly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anthropic

from tests.sdk.scenarios import CHAT, GEMINI, MESSAGES, RESPONSES, Kit, expect, fresh, scenario
from tests.sdk.scenarios.anthropic_talk import HELLO, words


def ask(kit: Kit, text: str, client: Any = None, **settings: Any) -> Any:
    client = client or kit.anthropic()
    settings = {"model": kit.model, "max_tokens": 50, **settings}
    return client.messages.create(messages=[{"role": "user", "content": text}], **settings)


def raised(kind: type[Exception], action: Callable[[], Any]) -> Any:
    try:
        answer = action()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}, but {answer!r}")


def type_of(error: Any) -> str:
    return str(error.body["error"]["type"])


@scenario("anthropic")
def a_wrong_key_is_an_authentication_error(kit: Kit) -> None:
    client = kit.anthropic(api_key="sk-dg-nobody")
    error = raised(anthropic.AuthenticationError, lambda: ask(kit, "hello", client))
    expect(type_of(error), "authentication_error")
    assert error.request_id
    raised(anthropic.AuthenticationError, client.models.list)


@scenario("anthropic")
def an_unknown_model_is_not_found(kit: Kit) -> None:
    for stream in (False, True):
        error = raised(anthropic.NotFoundError, lambda s=stream: ask(kit, "hello", model="no-such-model", stream=s))
        expect((type_of(error), error.status_code), ("not_found_error", 404))
        assert error.request_id


@scenario("anthropic")
def a_malformed_request_names_its_field(kit: Kit) -> None:
    wrong: list[Any] = [{"role": "user", "content": [{"type": "image", "source": {"type": "base64"}}]}]
    create = kit.anthropic().messages.create
    error = raised(anthropic.BadRequestError, lambda: create(model=kit.model, max_tokens=5, messages=wrong))
    expect(type_of(error), "invalid_request_error")
    assert "messages.0.content.0" in str(error)
    assert error.request_id


@scenario("anthropic")
def the_upstreams_no_keeps_its_words(kit: Kit) -> None:
    for stream in (False, True):
        error = raised(anthropic.BadRequestError, lambda s=stream: ask(kit, "always:400:x", stream=s))
        expect((type_of(error), error.body["error"]["message"]), ("invalid_request_error", "scripted 400"))


@scenario("anthropic")
def a_limit_is_waited_for_and_the_retry_succeeds(kit: Kit) -> None:
    client = kit.anthropic(max_retries=1)
    with client.messages.stream(
        model=kit.model, max_tokens=50, messages=[{"role": "user", "content": f"once:429:{fresh()}"}]
    ) as stream:
        expect(stream.get_final_text(), "Recovered.")


@scenario("anthropic")
def a_limit_says_when_to_come_back(kit: Kit) -> None:
    error = raised(anthropic.RateLimitError, lambda: ask(kit, "always:429:x"))
    expect((type_of(error), error.response.headers["retry-after"]), ("rate_limit_error", "1"))


@scenario("anthropic")
def a_server_error_is_retried(kit: Kit) -> None:
    client = kit.anthropic(max_retries=1)
    expect(words(ask(kit, f"once:500:{fresh()}", client)), "Recovered.")
    error = raised(anthropic.InternalServerError, lambda: ask(kit, "always:500:x"))
    expect((type_of(error), error.status_code), ("api_error", 500))


@scenario("anthropic", MESSAGES)
def overloaded_stays_overloaded(kit: Kit) -> None:
    kind = getattr(anthropic, "OverloadedError", anthropic.InternalServerError)
    error = raised(kind, lambda: ask(kit, "always:529:x"))
    expect((type_of(error), error.status_code), ("overloaded_error", 529))


@scenario("anthropic", CHAT, RESPONSES, GEMINI)
def a_busy_upstream_is_overloaded_too(kit: Kit) -> None:
    error = raised(anthropic.InternalServerError, lambda: ask(kit, "always:503:x"))
    expect((type_of(error), error.status_code), ("overloaded_error", 503))


@scenario("anthropic")
def an_error_inside_a_stream_raises(kit: Kit) -> None:
    said: list[str] = []

    def read() -> None:
        asked = [{"role": "user", "content": "break"}]
        with kit.anthropic().messages.stream(model=kit.model, max_tokens=50, messages=asked) as stream:
            said.extend(stream.text_stream)

    error = raised(anthropic.APIStatusError, read)
    expect("".join(said), "So far so ")
    busy = kit.over in (MESSAGES, GEMINI)
    expect(type_of(error), "overloaded_error" if busy else "api_error")
    assert "the machine is on fire" in str(error)


@scenario("anthropic")
def a_cut_stream_raises(kit: Kit) -> None:
    said: list[str] = []

    def read() -> None:
        for event in ask(kit, "cut", stream=True):
            if event.type == "content_block_delta":
                said.append(event.delta.text)

    expect(type_of(raised(anthropic.APIStatusError, read)), "api_error")
    expect("".join(said), "So far so ")


@scenario("anthropic")
def an_answer_of_a_wrong_path_is_an_error_too(kit: Kit) -> None:
    raised(anthropic.NotFoundError, lambda: kit.anthropic().get("/v1/messages/no/such/path", cast_to=object))


@scenario("anthropic", CHAT, RESPONSES, GEMINI)
def a_thread_that_cannot_be_held_is_refused_with_its_code(kit: Kit) -> None:
    """reference/clients.md 3: on this code, and on no other, the SDKs go on without threads."""
    threads: dict[str, Any] = {"extra_headers": {"anthropic-beta": "message-threads-2026-08-12"}}
    for thread in ({"type": "create"}, {"type": "continue", "previous_message_id": "msg_1"}):
        threads["extra_body"] = {"thread": thread}
        error = raised(
            anthropic.BadRequestError,
            lambda t=dict(threads): kit.anthropic().messages.create(
                model=kit.model, max_tokens=50, messages=HELLO, **t
            ),
        )
        details = error.body["error"]["details"]
        expect((details["error_code"], details["unsupported"]), ("thread_unsupported_request", ["thread"]))
