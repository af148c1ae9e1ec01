"""What a caller gets, streamed and whole: the same answer, valid by Google's specification, readable by its SDK."""

from __future__ import annotations

import base64
import json

import pytest
from google.genai import types
from msgspec.structs import replace

from proxyapp.dialects import jsonio
from proxyapp.dialects.gemini import GEMINI
from proxyapp.errors import LimitReached, UpstreamBroken
from proxyapp.ir import parts as p
from proxyapp.ir.fold import unfold
from proxyapp.ir.response import Finish, FinishKind, Response
from proxyapp.ir.usage import Usage
from tests.corpus.schemas import validator
from tests.dialects.gemini.conftest import SIGNATURE, frames_of

SHOWS = {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}
COUNTS = Usage(fresh_input=40, cache_read=60, output=25, reasoning=20)
WEB = p.Citation(url="https://a.example/ü", title="A", start=4, end=10)
ANSWER = [
    p.Reasoning(text="hm", signature="proof", family="anthropic"),
    p.Text(text="Aus Zürich 🌍", citations=[WEB]),
    p.ToolCall(id="c1", name="look", arguments='{"a": {"b": [1, 2.5, "ü"]}}'),
    p.ToolCall(id="c1", name="look"),
]


def response(*parts, kind=FinishKind.END, **more) -> Response:
    return Response(parts=list(parts), finish=Finish(kind=kind), id="r1", model="up", usage=COUNTS, **more)


def streamed(answer, request, caller) -> list:
    encoder = GEMINI.encoder(request, caller)
    return frames_of(b"".join(encoder.encode(event) for event in unfold(answer)))


def whole(answer, request, caller) -> dict:
    return json.loads(jsonio.encode(GEMINI.render_response(answer, request, caller)))


def parts_of(*bodies) -> list:
    """All parts of an answer; texts of a kind that follow each other are one, as a reader of the stream has them."""
    found: list = []
    for part in (part for body in bodies for part in body["candidates"][0]["content"]["parts"]):
        before = found[-1] if found else {}
        if set(part) == set(before) == {"text"} or (set(part) == set(before) == {"text", "thought"}):
            found[-1] = {**before, "text": before["text"] + part["text"]}
        elif part != {"text": ""}:
            found.append(part)
    return found


def held(*bodies) -> None:
    """To the specification and to the SDK's types."""
    for body in bodies:
        assert list(validator("gemini", "GenerateContentResponse").iter_errors(body)) == []
        types.GenerateContentResponse.model_validate(body)


@pytest.mark.parametrize("settings", [{}, SHOWS], ids=["hidden", "shown"])
def test_stream_and_whole_are_the_same_answer(settings, parse, caller):
    request = parse(**settings)
    one, pieces = whole(response(*ANSWER), request, caller), streamed(response(*ANSWER), request, caller)
    held(one, *pieces)
    told = [{**part, "thoughtSignature": "s"} if "thoughtSignature" in part else part for part in parts_of(one)]
    flowed = [{**part, "thoughtSignature": "s"} if "thoughtSignature" in part else part for part in parts_of(*pieces)]
    if settings:  # the text of a thought flows, its proof follows
        told[:1] = [{"text": "hm", "thought": True}, {"text": "", "thought": True, "thoughtSignature": "s"}]
    ids = {part["functionCall"].pop("id") for part in told if "functionCall" in part}
    assert len(ids) == 2
    for part in flowed:
        part.get("functionCall", {}).pop("id", None)
    assert flowed == told
    last = pieces[-1]
    assert last["usageMetadata"] == one["usageMetadata"]
    assert last["candidates"][0]["finishReason"] == "STOP"
    assert not any("finishReason" in piece["candidates"][0] for piece in pieces[:-1])
    assert {(piece["modelVersion"], piece["responseId"]) for piece in [one, *pieces]} == {("up", "r1")}


def test_counts_follow_googles_sums(parse, caller):
    counts = whole(response(p.Text(text="x")), parse(), caller)["usageMetadata"]
    assert counts == {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 60,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 20,
        "totalTokenCount": 125,
    }
    assert "usageMetadata" not in whole(replace(response(p.Text(text="x")), usage=None), parse(), caller)


def test_sources_are_placed_in_bytes(parse, caller):
    body = whole(response(p.Text(text="Vor. "), *ANSWER[1:2]), parse(), caller)
    grounding = body["candidates"][0]["groundingMetadata"]
    assert grounding["groundingChunks"] == [{"web": {"uri": "https://a.example/ü", "title": "A"}}]
    (support,) = grounding["groundingSupports"]
    part = body["candidates"][0]["content"]["parts"][support["segment"]["partIndex"]]
    cut = part["text"].encode()[support["segment"]["startIndex"] : support["segment"]["endIndex"]]
    assert cut.decode() == support["segment"]["text"] == "Zürich"


def test_googles_own_proof_stands_bare_on_its_part(parse, caller):
    own = p.Reasoning(signature=SIGNATURE, family="gemini")
    call = p.ToolCall(id="c1", name="look")
    for body in (
        whole(response(own, call), parse(), caller),
        *streamed(response(own, call), parse(), caller)[:1],
    ):
        (part,) = body["candidates"][0]["content"]["parts"]
        assert part["thoughtSignature"] == SIGNATURE
        assert part["functionCall"]["name"] == "look"
    text = parts_of(*streamed(response(own, p.Text(text="Hi")), parse(), caller))
    assert text == [{"text": "Hi", "thoughtSignature": SIGNATURE}]
    late = parts_of(*streamed(response(p.Text(text="Hi"), own), parse(), caller))
    assert late == [{"text": "Hi"}, {"text": "", "thoughtSignature": SIGNATURE}]


@pytest.mark.parametrize("settings", [{}, SHOWS], ids=["hidden", "shown"])
@pytest.mark.parametrize("redacted", [False, True])
@pytest.mark.parametrize("form", [whole, streamed])
def test_the_proof_of_another_goes_out_and_comes_back(form, redacted, settings, parse, caller):
    origin = {"proof": {"group": "claude", "account": "up/main"}}
    text = "" if redacted else "hm"
    thought = p.Reasoning(text=text, signature="pro.of", family="anthropic", redacted=redacted, meta=origin)
    given = form(response(thought, p.ToolCall(id="c1", name="look")), parse(**settings), caller)
    bodies = given if isinstance(given, list) else [given]
    for part in parts_of(*bodies):
        base64.b64decode(part.get("thoughtSignature", ""), validate=True)
    history = [body["candidates"][0]["content"] for body in bodies]
    # The SDK reads bytes and writes them back in the other alphabet.
    again = [types.Content.model_validate(content).model_dump(mode="json", exclude_none=True) for content in history]
    for sent in (history, again):
        turn = parse(contents=[{"parts": [{"text": "hi"}]}, *sent]).turns[1]
        back, call, *rest = turn.parts
        assert rest in ([], [p.Text(text="")])
        assert (back.signature, back.family, back.redacted) == ("pro.of", "anthropic", redacted)
        assert back.text == text, "who made the proof wants the text with it, shown or not"
        assert back.meta["proof"]["group"] == "claude"
        assert call.id == "c1"


def test_thinking_that_nobody_proved_is_shown_or_carried_to_the_call(parse, caller):
    thought, call = p.Reasoning(text="hm"), p.ToolCall(id="c1", name="look")
    shown = parts_of(whole(response(thought, p.Text(text="Hi")), parse(**SHOWS), caller))
    assert shown == [{"text": "hm", "thought": True}, {"text": "Hi"}]
    assert parts_of(whole(response(thought, p.Text(text="Hi")), parse(), caller)) == [{"text": "Hi"}]
    answer = response(thought, call)
    for bodies in ([whole(answer, parse(), caller)], streamed(answer, parse(), caller)):
        carrier, _ = parts_of(*bodies)
        assert carrier["text"] == ""
        content = {"role": "model", "parts": parts_of(*bodies)}
        assert parse(contents=[{"parts": [{"text": "hi"}]}, content]).turns[1].parts[0] == thought


def test_an_altered_envelope_is_nothing(parse, caller):
    sealed = caller.sealer.seal("x", family="anthropic")[:-2] + "zz"
    part = {"text": "hm", "thought": True, "thoughtSignature": base64.b64encode(sealed.encode()).decode()}
    request = parse(contents=[{"role": "user", "parts": [{"text": "hi"}]}, {"role": "model", "parts": [part]}])
    assert request.turns[1].parts == []


ENDS = {
    FinishKind.END: "STOP",
    FinishKind.STOP_SEQUENCE: "STOP",
    FinishKind.TOOL_CALLS: "STOP",
    FinishKind.LENGTH: "MAX_TOKENS",
    FinishKind.CONTEXT_WINDOW: "MAX_TOKENS",
    FinishKind.CONTENT_FILTER: "SAFETY",
    FinishKind.REFUSAL: "SAFETY",
    FinishKind.RECITATION: "RECITATION",
    FinishKind.PAUSE: "OTHER",
    FinishKind.STEERED: "STOP",
    FinishKind.OTHER: "OTHER",
}


@pytest.mark.parametrize("kind", ENDS)
def test_every_end_has_its_word(kind, parse, caller):
    answer = response(p.Text(text="x"), kind=kind)
    for body in (whole(answer, parse(), caller), streamed(answer, parse(), caller)[-1]):
        held(body)
        assert body["candidates"][0]["finishReason"] == ENDS[kind]


def test_the_words_of_a_refusal_are_the_message_of_the_end(parse, caller):
    answer = response(p.Refusal(text="I will not."))
    for bodies in ([whole(answer, parse(), caller)], streamed(answer, parse(), caller)):
        assert parts_of(*bodies) == []
        assert bodies[-1]["candidates"][0]["finishReason"] == "SAFETY"
        assert bodies[-1]["candidates"][0]["finishMessage"] == "I will not."


@pytest.mark.parametrize("kind", [FinishKind.MALFORMED, FinishKind.OTHER])
def test_what_is_no_answer_is_an_error_and_no_end(kind, parse, caller):
    with pytest.raises(UpstreamBroken):
        whole(response(kind=kind), parse(), caller)
    with pytest.raises(UpstreamBroken):
        streamed(response(kind=kind), parse(), caller)


def test_arguments_that_are_no_object_are_wrapped(parse, caller):
    calls = [
        p.ToolCall(id="1", name="a", arguments='{"x": [1, 2'),
        p.ToolCall(id="2", name="b", arguments="oops"),
        p.ToolCall(id="3", name="c", arguments="[1]"),
        p.ToolCall(id="4", name="d", arguments="*** raw", kind="custom"),
    ]
    told = [part["functionCall"]["args"] for part in parts_of(whole(response(*calls), parse(), caller))]
    assert told == [{"x": [1, 2]}, {"_raw": "oops"}, {"value": [1]}, {"input": "*** raw"}]
    assert [note.path for note in caller.notes.items] == ["content.a", "content.b"]


def test_media_log_probabilities_and_hosted_tools(parse, caller):
    tokens = [{"token": "Hi", "logprob": -0.5, "bytes": [72], "top_logprobs": [{"token": "Yo", "logprob": -2.0}]}]
    image = p.Image(source=p.Source(kind="base64", data="AAAA", mime="image/png"))
    search = p.ServerCall(id="s", name="web_search", arguments='{"query": "zürich"}', dialect="anthropic-messages")
    answer = response(p.Text(text="Hi"), image, search, logprobs=tokens)
    body, *pieces = whole(answer, parse(), caller), *streamed(answer, parse(), caller)
    held(body, *pieces)
    for candidate in (body["candidates"][0], pieces[-1]["candidates"][0]):
        assert candidate["logprobsResult"]["chosenCandidates"] == [{"token": "Hi", "logProbability": -0.5}]
        assert candidate["groundingMetadata"] == {"webSearchQueries": ["zürich"]}
    assert {"inlineData": {"mimeType": "image/png", "data": "AAAA"}} in parts_of(*pieces)


def test_a_stream_that_fails_ends_with_googles_error(parse, caller):
    (frame,) = frames_of(GEMINI.encoder(parse(), caller).fail(LimitReached("Slow down.", retry_after=2.2)))
    assert frame["error"]["code"] == 429
    assert frame["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert frame["error"]["details"][0]["retryDelay"] == "3s"


def test_nothing_at_all_is_still_an_answer(parse, caller):
    body = whole(response(), parse(), caller)
    held(body, *streamed(response(), parse(), caller))
    assert body["candidates"][0]["content"]["parts"] == []
