"""The google-genai SDK: its error classes, streams that end badly."""

from __future__ import annotations

from typing import Any

from google.genai import errors

from tests.sdk.scenarios import MESSAGES, Kit, expect, scenario
from tests.sdk.scenarios.genai_talk import ask, chunks, words
from tests.sdk.scenarios.openai_faults import raised


@scenario("genai")
def a_wrong_key_is_refused(kit: Kit) -> None:
    client = kit.genai(api_key="sk-dg-nobody")
    error = raised(errors.ClientError, lambda: client.models.generate_content(model=kit.model, contents="hello"))
    assert (error.code, error.status) in ((401, "UNAUTHENTICATED"), (400, "INVALID_ARGUMENT")), error
    raised(errors.ClientError, lambda: list(client.models.list()))


@scenario("genai")
def an_unknown_model_is_not_found(kit: Kit) -> None:
    for play in (ask, chunks):
        error = raised(errors.ClientError, lambda p=play: p(kit, "hello", "no-such-model"))
        expect((error.code, error.status), (404, "NOT_FOUND"))


@scenario("genai")
def a_malformed_request_is_an_invalid_argument(kit: Kit) -> None:
    wrong: Any = {"extra_body": {"contents": [{"role": "user", "parts": [{"text": 7}]}]}}
    error = raised(errors.ClientError, lambda: ask(kit, "hello", http_options=wrong))
    expect((error.code, error.status), (400, "INVALID_ARGUMENT"))


@scenario("genai")
def the_upstreams_no_keeps_its_words(kit: Kit) -> None:
    for play in (ask, chunks):
        error = raised(errors.ClientError, lambda p=play: p(kit, "always:400:x"))
        expect((error.code, error.status, "scripted 400" in error.message), (400, "INVALID_ARGUMENT", True))


@scenario("genai")
def a_limit_says_when_to_come_back(kit: Kit) -> None:
    error = raised(errors.ClientError, lambda: ask(kit, "always:429:x"))
    expect((error.code, error.status), (429, "RESOURCE_EXHAUSTED"))
    delays = [info["retryDelay"] for info in error.details["error"]["details"] if "retryDelay" in info]
    expect(len(delays), 1)
    assert delays[0].endswith("s"), delays


@scenario("genai")
def a_server_error_is_a_server_error(kit: Kit) -> None:
    error = raised(errors.ServerError, lambda: ask(kit, "always:500:x"))
    expect((error.code, error.status), (500, "INTERNAL"))


@scenario("genai", MESSAGES)
def overloaded_becomes_a_status_that_this_sdk_knows(kit: Kit) -> None:
    error = raised(errors.ServerError, lambda: ask(kit, "always:529:x"))
    expect((error.code, error.status), (503, "UNAVAILABLE"))


@scenario("genai")
def a_stream_that_breaks_raises(kit: Kit) -> None:
    for cue in ("break", "cut"):
        said: list[Any] = []

        def read(c: str = cue, s: list[Any] = said) -> None:
            s.extend(kit.genai().models.generate_content_stream(model=kit.model, contents=c))

        error = raised(errors.APIError, read)
        expect(words(said), "So far so ")
        assert cue == "cut" or "the machine is on fire" in str(error), error
