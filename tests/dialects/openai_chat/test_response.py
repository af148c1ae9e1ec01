"""Whole answers: an upstream's as IR, and IR for a caller."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from proxyapp.dialects.contract import ClientSide
from proxyapp.dialects.openai_chat import OPENAI_CHAT
from proxyapp.errors import UpstreamBroken, UpstreamRefused
from proxyapp.ir import parts as p
from proxyapp.ir.request import ReasoningSettings, Request, Tool
from proxyapp.ir.response import Finish, FinishKind, Response
from proxyapp.ir.usage import Usage

END = Finish(kind=FinishKind.END)


def body(message: Any, finish: Any = "stop", **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt", "choices": [choice], **more}


def answer(*parts: p.Part, finish: Finish = END, **more: Any) -> Response:
    return Response(id="msg_1", model="claude", parts=list(parts), finish=finish, **more)


@pytest.fixture
def read(upstream: Any) -> Any:
    return lambda value, side=None: OPENAI_CHAT.parse_response(value, side or upstream())


@pytest.fixture
def show(caller: ClientSide) -> Any:
    """A Response as the caller's body, held to the official types."""

    def run(response: Response, request: Request | None = None, side: ClientSide | None = None) -> dict[str, Any]:
        request = request or Request(client_dialect="openai-chat", model="asked")
        shown = OPENAI_CHAT.render_response(response, request, side or caller)
        ChatCompletion.model_validate(shown)
        return shown

    return run


# --- parse


def test_an_answer_with_everything(read: Any) -> None:
    message = {
        "role": "assistant",
        "content": "a",
        "reasoning_content": "hm",
        "annotations": [{"type": "url_citation", "url_citation": {"url": "u", "title": "t"}}],
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }
    value = body(message, "tool_calls", usage={"prompt_tokens": 1}, service_tier="flex", system_fingerprint="fp")
    value["choices"][0]["logprobs"] = {"content": [{"token": "a"}]}
    response = read(value)
    assert [type(part) for part in response.parts] == [p.Reasoning, p.Text, p.ToolCall]
    assert response.parts[1].citations[0].url == "u"
    assert (response.id, response.model, response.created, response.service_tier) == ("chatcmpl-1", "gpt", 1, "flex")
    assert response.finish == Finish(kind=FinishKind.TOOL_CALLS, raw="tool_calls")
    assert response.logprobs == [{"token": "a"}]
    assert response.usage.fresh_input == 1
    assert response.extras == {"openai-chat": {"system_fingerprint": "fp"}}


def test_nothing_at_all_with_a_stop_is_a_legal_empty_answer(read: Any) -> None:
    response = read(body({"role": "assistant", "content": None}))
    assert (response.parts, response.finish.kind) == ([], FinishKind.END)


def test_a_choice_without_a_message_is_legal_when_it_was_filtered(read: Any) -> None:
    value = body(None, "content_filter")
    del value["choices"][0]["message"]
    assert read(value).finish.kind is FinishKind.CONTENT_FILTER


def test_calls_of_a_whole_answer_are_never_merged(read: Any) -> None:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": {"a": 1}}}
    response = read(body({"content": None, "tool_calls": [call, call, {"function": {"name": "f"}}]}))
    assert [part.arguments for part in response.parts] == ['{"a":1}', '{"a":1}', ""]
    assert len({part.id for part in response.parts}) == 3
    assert response.finish.kind is FinishKind.TOOL_CALLS


def test_content_without_a_finish_word_ended_for_an_unknown_reason(read: Any) -> None:
    assert read(body({"content": "a"}, None)).finish == Finish(kind=FinishKind.OTHER, raw=None)


def test_several_choices_are_noted(read: Any, upstream: Any) -> None:
    side = upstream()
    value = body({"content": "a"})
    value["choices"].append({"index": 1, "message": {"content": "b"}, "finish_reason": "stop"})
    assert read(value, side).parts == [p.Text(text="a")]
    assert [note.path for note in side.notes.items] == ["n"]


@pytest.mark.parametrize(
    "value",
    [{}, {"choices": []}, {"choices": None}, {"choices": 7}, {"choices": [7]}, {"object": "list"}, body({}, None)],
)
def test_what_is_no_answer_is_a_broken_upstream(read: Any, value: Any) -> None:
    with pytest.raises(UpstreamBroken):
        read(value)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"message": "no", "code": 402}, 402),
        ({"message": "no", "code": "content_filter", "status": 400}, 400),
        ({"message": "no", "type": "rate_limit_error"}, 429),
        ({"message": "no"}, 502),
        ("no", 502),
    ],
)
def test_an_error_inside_a_200_has_the_status_it_speaks_of(read: Any, error: Any, status: int) -> None:
    with pytest.raises(UpstreamRefused) as caught:
        read({"error": error})
    assert (caught.value.status, caught.value.message) == (status, "no")


def test_an_error_as_finish_word_is_an_error(read: Any) -> None:
    with pytest.raises(UpstreamRefused):
        read(body({"content": "a"}, "error"))


# --- render


def test_the_keys_that_must_be_there(show: Any) -> None:
    shown = show(answer(p.Text(text="a"), p.Text(text="b"), usage=Usage(fresh_input=1, output=2)))
    assert shown == {
        "id": "msg_1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "claude",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "ab", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 1,
            "completion_tokens": 2,
            "total_tokens": 3,
            "prompt_tokens_details": {},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


def test_an_id_is_minted_only_where_there_is_none(show: Any) -> None:
    shown = show(Response(parts=[p.Text(text="a")], finish=END))
    assert shown["id"] == "chatcmpl-000000000000000000000001"
    assert shown["model"] == "asked"


def test_a_call_alone_has_null_content(show: Any) -> None:
    shown = show(answer(p.ToolCall(id="c", name="f"), finish=END))
    choice = shown["choices"][0]
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}
    assert choice["finish_reason"] == "tool_calls"


def test_reasoning_is_shown_with_its_sealed_proof(show: Any, caller: ClientSide) -> None:
    meta = {"proof": {"group": "claude", "account": "acme"}}
    thought = p.Reasoning(text="hm", signature="sig", family="anthropic", meta=meta)
    hidden = p.Reasoning(redacted=True, signature="data", family="anthropic", meta=meta)
    message = show(answer(thought, hidden, p.Text(text="a")))["choices"][0]["message"]
    assert message["reasoning_content"] == "hm"
    first, second = message["reasoning_details"]
    assert (first["type"], first["index"], first["text"], first["format"]) == ("reasoning.text", 0, "hm", "anthropic")
    assert caller.sealer.unwrap(first["signature"], family="anthropic", group="claude", account="acme") == "sig"
    assert (second["type"], second["index"]) == ("reasoning.encrypted", 1)
    assert caller.sealer.unwrap(second["data"], family="anthropic", group="claude", account="acme") == "data"


def test_reasoning_is_hidden_by_the_operator_or_the_caller(show: Any, caller: ClientSide) -> None:
    response = answer(p.Reasoning(text="hm", signature="sig", family="anthropic"), p.Text(text="a"))
    hushed = ClientSide(sealer=caller.sealer, show_reasoning=False)
    asked = Request(client_dialect="openai-chat", model="m", reasoning=ReasoningSettings(mode="effort", show=False))
    for shown in (show(response, side=hushed), show(response, asked)):
        assert shown["choices"][0]["message"].keys() == {"role", "content", "refusal"}


def test_citations_stand_on_their_text(show: Any) -> None:
    raw = {"type": "url_citation", "url_citation": {"url": "r", "title": "r", "start_index": 0, "end_index": 1}}
    cited = p.Text(
        text="cited",
        citations=[
            p.Citation(url="u", title=None),
            p.Citation(url="v", title="V", start=1, end=2),
            p.Citation(cited_text="no address"),
            p.Citation(url="r", dialect="openai-chat", raw=raw),
        ],
    )
    message = show(answer(p.Text(text="abc"), cited))["choices"][0]["message"]
    first, second, third = message["annotations"]
    assert first["url_citation"] == {"start_index": 3, "end_index": 8, "url": "u", "title": "u"}
    assert second["url_citation"] == {"start_index": 4, "end_index": 5, "url": "v", "title": "V"}
    assert third == raw


def test_custom_calls_in_the_form_that_the_caller_knows(show: Any) -> None:
    response = answer(p.ToolCall(id="c", name="patch", arguments="x", kind="custom"))
    declared = Request(client_dialect="openai-chat", model="m", tools=[Tool(name="patch", kind="custom")])
    assert show(response, declared)["choices"][0]["message"]["tool_calls"][0] == {
        "id": "c",
        "type": "custom",
        "custom": {"name": "patch", "input": "x"},
    }
    call = show(response)["choices"][0]["message"]["tool_calls"][0]
    assert call["function"] == {"name": "patch", "arguments": '{"input":"x"}'}


def test_old_functions_get_the_old_answer(show: Any) -> None:
    request = Request(client_dialect="openai-chat", model="m", legacy_functions=True)
    choice = show(answer(p.ToolCall(id="c", name="f", arguments="{}")), request)["choices"][0]
    assert choice["message"]["function_call"] == {"name": "f", "arguments": "{}"}
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "function_call"


def test_hosted_calls_are_not_shown_as_calls(show: Any) -> None:
    parts = [
        p.ServerCall(id="s", name="web_search", dialect="anthropic-messages"),
        p.ServerResult(call_id="s", dialect="anthropic-messages", raw={}),
        p.Text(text="found"),
    ]
    choice = show(answer(*parts))["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("found", "stop")
    assert "tool_calls" not in choice["message"]


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (FinishKind.STOP_SEQUENCE, "stop"),
        (FinishKind.LENGTH, "length"),
        (FinishKind.CONTEXT_WINDOW, "length"),
        (FinishKind.PAUSE, "length"),
        (FinishKind.COMPACTION, "length"),
        (FinishKind.CONTENT_FILTER, "content_filter"),
        (FinishKind.RECITATION, "content_filter"),
        (FinishKind.STEERED, "stop"),
        (FinishKind.OTHER, "stop"),
        (FinishKind.TOOL_CALLS, "tool_calls"),
    ],
)
def test_finish_words(show: Any, kind: FinishKind, word: str) -> None:
    assert show(answer(p.Text(text="a"), finish=Finish(kind=kind)))["choices"][0]["finish_reason"] == word


def test_refusals_in_words_and_by_the_filter(show: Any) -> None:
    said = show(answer(p.Refusal(text="no"), finish=Finish(kind=FinishKind.REFUSAL)))["choices"][0]
    assert (said["message"]["content"], said["message"]["refusal"], said["finish_reason"]) == (None, "no", "stop")
    stopped = show(answer(finish=Finish(kind=FinishKind.REFUSAL, explanation="policy")))["choices"][0]
    assert (stopped["message"]["refusal"], stopped["finish_reason"]) == ("policy", "content_filter")


def test_ends_that_are_no_answer_are_errors(caller: ClientSide) -> None:
    request = Request(client_dialect="openai-chat", model="m")
    for response in (
        answer(p.Text(text="a"), finish=Finish(kind=FinishKind.MALFORMED, raw="MALFORMED_FUNCTION_CALL")),
        answer(finish=Finish(kind=FinishKind.OTHER)),
    ):
        with pytest.raises(UpstreamBroken):
            OPENAI_CHAT.render_response(response, request, caller)


def test_tiers_that_callers_do_not_know_are_left_out(show: Any) -> None:
    assert show(answer(p.Text(text="a"), service_tier="standard"))["service_tier"] == "default"
    assert "service_tier" not in show(answer(p.Text(text="a"), service_tier="on_demand"))


def test_audio_and_images(show: Any) -> None:
    parts = [
        p.Audio(source=p.Source(kind="base64", data="AAAA"), transcript="hi"),
        p.Image(source=p.Source(kind="base64", data="iVBORw==", mime="image/png")),
    ]
    message = show(answer(*parts))["choices"][0]["message"]
    assert message["content"] is None
    assert (message["audio"]["data"], message["audio"]["transcript"]) == ("AAAA", "hi")
    assert message["images"][0]["image_url"]["url"] == "data:image/png;base64,iVBORw=="


def test_log_probabilities_of_text_and_of_a_refusal(show: Any) -> None:
    tokens = [{"token": "a", "logprob": -1.0, "bytes": None, "top_logprobs": []}]
    shown = show(answer(p.Text(text="a"), logprobs=tokens))["choices"][0]["logprobs"]
    assert shown == {"content": tokens, "refusal": None}
    shown = show(answer(p.Refusal(text="a"), logprobs=tokens))["choices"][0]["logprobs"]
    assert shown == {"content": None, "refusal": tokens}
