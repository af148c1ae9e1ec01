"""The openai SDK's Responses: its error classes, its retries, streams that end badly."""

from __future__ import annotations

from typing import Any

import openai

from tests.sdk.scenarios import CHAT, GEMINI, MESSAGES, RESPONSES, Kit, expect, fresh, scenario
from tests.sdk.scenarios.openai_faults import raised


def ask(kit: Kit, given: Any, client: Any = None, **settings: Any) -> Any:
    client = client or kit.openai()
    settings = {"model": kit.model, **settings}
    return client.responses.create(input=given, **settings)


@scenario("responses")
def a_wrong_key_is_an_authentication_error(kit: Kit) -> None:
    error = raised(openai.AuthenticationError, lambda: ask(kit, "hello", kit.openai(api_key="sk-dg-nobody")))
    expect((error.status_code, error.code), (401, "invalid_api_key"))
    assert error.request_id


@scenario("responses")
def an_unknown_model_is_not_found(kit: Kit) -> None:
    for stream in (False, True):
        error = raised(openai.NotFoundError, lambda s=stream: ask(kit, "hello", model="no-such-model", stream=s))
        expect((error.code, error.param, error.type), ("model_not_found", "model", "invalid_request_error"))


@scenario("responses")
def a_malformed_request_names_its_field(kit: Kit) -> None:
    wrong: list[Any] = [{"role": "user", "content": [{"type": "input_image", "image_url": "no address"}]}]
    expect(raised(openai.BadRequestError, lambda: ask(kit, wrong)).type, "invalid_request_error")
    error = raised(openai.BadRequestError, lambda: ask(kit, "hello", tools=[{"type": "function"}]))
    expect(error.type, "invalid_request_error")


@scenario("responses")
def an_unknown_earlier_answer_is_told_as_such(kit: Kit) -> None:
    for stream in (False, True):
        asked = {"previous_response_id": "resp_unknown", "stream": stream}
        error = raised(openai.BadRequestError, lambda a=asked: ask(kit, "hello", **a))
        expect((error.code, error.param), ("previous_response_not_found", "previous_response_id"))


@scenario("responses")
def the_upstreams_no_keeps_its_words(kit: Kit) -> None:
    for stream in (False, True):
        error = raised(openai.BadRequestError, lambda s=stream: ask(kit, "always:400:x", stream=s))
        assert "scripted 400" in error.message


@scenario("responses")
def a_limit_is_waited_for_and_the_retry_succeeds(kit: Kit) -> None:
    client = kit.openai(max_retries=1)
    expect(ask(kit, f"once:429:{fresh()}", client).output_text, "Recovered.")
    *_, last = ask(kit, f"once:429:{fresh()}", client, stream=True)
    expect(last.type, "response.completed")


@scenario("responses")
def a_limit_says_when_to_come_back(kit: Kit) -> None:
    error = raised(openai.RateLimitError, lambda: ask(kit, "always:429:x"))
    expect(error.code, "rate_limit_exceeded")
    expect((error.response.headers["retry-after"], error.response.headers["retry-after-ms"]), ("1", "50"))


@scenario("responses")
def a_server_error_is_retried(kit: Kit) -> None:
    client = kit.openai(max_retries=1)
    expect(ask(kit, f"once:500:{fresh()}", client).output_text, "Recovered.")
    expect(raised(openai.InternalServerError, lambda: ask(kit, "always:500:x")).status_code, 500)


@scenario("responses", MESSAGES)
def overloaded_becomes_a_status_that_this_sdk_knows(kit: Kit) -> None:
    expect(raised(openai.InternalServerError, lambda: ask(kit, "always:529:x")).status_code, 503)


@scenario("responses", CHAT, MESSAGES, RESPONSES, GEMINI)
def a_stream_that_breaks_ends_as_failed(kit: Kit) -> None:
    """clients.md 6: a bare `error` event is passed over by Codex."""
    for cue in ("break", "cut"):
        events = list(ask(kit, cue, stream=True))
        said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        expect((said, events[-1].type), ("So far so ", "response.failed"))
        end = events[-1].response
        expect((end.status, bool(end.error.code), bool(end.error.message)), ("failed", True, True))
        if cue == "break":
            assert "the machine is on fire" in end.error.message, end.error
        expect([event.sequence_number for event in events], list(range(len(events))))
