"""An upstream's stream as events: the same wherever its bytes are cut, and the same as a whole answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxyapp.dialects.gemini import GEMINI
from proxyapp.errors import UpstreamBroken, UpstreamRefused
from proxyapp.ir import events as ev
from proxyapp.ir import parts as p
from proxyapp.ir.fold import fold
from proxyapp.ir.response import FinishKind
from tests.dialects.gemini.conftest import SIGNATURE, chunks, decoded, said

CORPUS = Path(__file__).resolve().parents[2] / "fixtures" / "corpus"
STREAMS = sorted(CORPUS.glob("gemini.sse.*.json"))
WHOLE = sorted(CORPUS.glob("gemini.json.*.json"))
USAGE = {"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 20, "totalTokenCount": 35}


def recorded(path: Path) -> dict:
    return json.loads(path.read_text())["response"]


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.name[11:40])
def test_a_recorded_stream_keeps_the_grammar_and_ends_well(path, upstream):
    response = fold(decoded(recorded(path)["sse"].encode(), upstream()))
    assert response.parts
    assert response.finish.kind in (FinishKind.END, FinishKind.TOOL_CALLS)
    assert response.model.startswith("gemini-")


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.name[12:50])
def test_a_recorded_answer_is_read(path, upstream):
    told = recorded(path)
    if told["status"] >= 400:
        error = GEMINI.parse_error(told["status"], {}, json.dumps(told["body"]).encode())
        assert isinstance(error, UpstreamRefused)
        assert error.message == told["body"]["error"]["message"]
        return
    response = GEMINI.parse_response(told["body"], upstream())
    given = told["body"]["candidates"][0]["content"].get("parts", [])
    assert [part.name for part in response.parts if isinstance(part, p.ToolCall)] == [
        part["functionCall"]["name"] for part in given if "functionCall" in part
    ]
    counts = told["body"]["usageMetadata"]
    assert response.usage.total == counts["totalTokenCount"]


STREAM = chunks(
    said({"text": "Ich überlege 🌍", "thought": True}),
    said({"text": "Grü"}),
    said({"text": "ße\n\n"}),
    said({"functionCall": {"name": "look", "args": {"città": "Zürich", "n": 3.0}}, "thoughtSignature": SIGNATURE}),
    {**said({"text": ""}, finish="STOP"), "usageMetadata": USAGE, "modelVersion": "gemini-3"},
)


def test_cutting_the_bytes_anywhere_changes_nothing(upstream):
    whole = decoded(STREAM, upstream())
    for cut in range(1, len(STREAM)):
        assert decoded(STREAM, upstream(), cut) == whole, cut


def test_what_stands_in_a_stream(upstream):
    response = fold(decoded(STREAM, upstream()))
    thought, text, proof, call = response.parts
    assert (thought.text, thought.signature) == ("Ich überlege 🌍", None)
    assert text.text == "Grüße\n\n"
    assert (proof.text, proof.signature, proof.family) == ("", SIGNATURE, "gemini")
    assert (call.name, call.arguments) == ("look", '{"città":"Zürich","n":3}')
    assert response.finish.kind is FinishKind.TOOL_CALLS
    assert (response.usage.fresh_input, response.usage.output, response.usage.reasoning) == (10, 25, 20)
    assert (response.id, response.model) == ("r1", "")


def test_a_whole_answer_is_read_as_a_stream_of_one_chunk(upstream):
    parts = [
        {"text": "hm", "thought": True},
        {"functionCall": {"id": "c1", "name": "a", "args": {}}, "thoughtSignature": SIGNATURE},
        {"functionCall": {"name": "b"}},
    ]
    body = {**said(*parts, finish="STOP"), "usageMetadata": USAGE}
    whole = GEMINI.parse_response(body, upstream())
    assert whole == fold(decoded(chunks(body), upstream()))
    thought, first, second = whole.parts
    assert (thought.text, thought.signature) == ("hm", SIGNATURE)
    assert (first.id, first.arguments) == ("c1", "")
    assert second.id.startswith("call_")


def test_a_proof_of_text_stands_before_it_or_after_what_was_said(upstream):
    signed = fold(decoded(chunks(said({"text": "Hi", "thoughtSignature": SIGNATURE}, finish="STOP")), upstream()))
    assert [type(part).__name__ for part in signed.parts] == ["Reasoning", "Text"]
    late = chunks(said({"text": "Hi"}), said({"text": "", "thoughtSignature": SIGNATURE}, finish="STOP"))
    text, proof = fold(decoded(late, upstream())).parts
    assert (text.text, proof.signature) == ("Hi", SIGNATURE)


def test_arguments_in_pieces_are_put_together(upstream):
    def piece(path, value, key="stringValue", more=False):
        told = {"jsonPath": path, key: value, **({"willContinue": True} if more else {})}
        return said({"functionCall": {"partialArgs": [told], "willContinue": True}})

    stream = chunks(
        said({"functionCall": {"name": "f", "willContinue": True}}),
        piece("$.a.list[0].name", "Zü", more=True),
        piece("$.a.list[0].name", "rich"),
        piece("$.a.list[1]['odd key']", True, "boolValue"),
        piece("$.n", 2.0, "numberValue"),
        piece("$.none", "NULL_VALUE", "nullValue"),
        said({"functionCall": {}}),
        said({"functionCall": {"name": "g", "willContinue": True}}),
        piece("$.x", "y"),
        said({"text": ""}, finish="STOP"),
    )
    first, second = fold(decoded(stream, upstream())).parts
    told = {"a": {"list": [{"name": "Zürich"}, {"odd key": True}]}, "n": 2, "none": None}
    assert json.loads(first.arguments) == told
    assert (second.name, second.arguments) == ("g", '{"x":"y"}')


@pytest.mark.parametrize("path", ["a", "$", "$.a[", "$[0]", "$.a[999999999]", "$" + ".a" * 100])
def test_pieces_at_a_place_that_makes_no_sense_are_an_error(path, upstream):
    stream = chunks(said({"functionCall": {"name": "f", "partialArgs": [{"jsonPath": path, "stringValue": "x"}]}}))
    last = decoded(stream, upstream())[-1]
    assert isinstance(last, ev.Failed)
    assert isinstance(last.error, UpstreamBroken)


ERROR = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}


@pytest.mark.parametrize(
    "tail",
    [
        chunks(ERROR),
        chunks(json.dumps([ERROR]).encode()),
        json.dumps(ERROR).encode(),
        json.dumps(ERROR, indent=2).encode() + b"\n",
        json.dumps([ERROR], indent=1).encode() + b"\n\n",
    ],
    ids=["an event", "an array", "a bare line", "over lines", "an array over lines"],
)
def test_an_error_in_a_stream_is_that_error_in_whatever_form(tail, upstream):
    events = decoded(chunks(said({"text": "So far"})) + tail, upstream())
    assert isinstance(events[-1], ev.Failed)
    assert isinstance(events[-1].error, UpstreamRefused)
    assert (events[-1].error.status, events[-1].error.kind) == (503, "UNAVAILABLE")


@pytest.mark.parametrize("raw", [b"", chunks(said({"text": "cut"})), chunks(b'{"candidates": [{"conte'), chunks(b"7")])
def test_a_stream_without_a_reason_is_no_answer(raw, upstream):
    last = decoded(raw, upstream())[-1]
    assert isinstance(last, ev.Failed)
    assert isinstance(last.error, UpstreamBroken)


def test_counts_may_come_after_the_reason_and_content_may_not(upstream):
    stream = chunks(
        said({"text": "Hi"}, finish="STOP"), said({"text": " more"}), {"usageMetadata": USAGE, "responseId": "r1"}
    )
    response = fold(decoded(stream, upstream()))
    assert [part.text for part in response.parts] == ["Hi"]
    assert response.usage.output == 25


def test_a_blocked_prompt_is_an_answer_that_was_filtered(upstream):
    response = GEMINI.parse_response({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": USAGE}, upstream())
    assert response.finish.kind is FinishKind.CONTENT_FILTER
    assert "SAFETY" in response.finish.explanation
    assert response.parts == []


@pytest.mark.parametrize("body", [{}, {"candidates": []}, {"usageMetadata": USAGE}, {"candidates": "no"}])
def test_what_holds_no_candidate_is_no_answer(body, upstream):
    with pytest.raises(UpstreamBroken):
        GEMINI.parse_response(body, upstream())


def test_sources_are_placed_in_characters(upstream):
    text = "Grüße aus Zürich. Ende."
    cited = "Zürich"
    start = len(text[: text.index(cited)].encode())
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}, {"retrievedContext": {"uri": "b"}}],
        "groundingSupports": [
            {
                "segment": {"startIndex": start, "endIndex": start + len(cited.encode()), "text": cited},
                "groundingChunkIndices": [0, 1, 7],
            },
            {"segment": {"startIndex": 3, "endIndex": 999, "text": "Ende."}, "groundingChunkIndices": [0]},
        ],
    }
    stream = chunks(said({"text": text[:5]}), said({"text": text[5:]}, finish="STOP", groundingMetadata=grounding))
    (part,) = fold(decoded(stream, upstream())).parts
    assert [(c.url, part.text[c.start : c.end]) for c in part.citations] == [
        ("https://a.example", cited),
        ("b", cited),
        ("https://a.example", "Ende."),
    ]
    body = said({"text": "Vorher", "thought": True}, {"text": text}, finish="STOP", groundingMetadata=grounding)
    assert GEMINI.parse_response(body, upstream()).parts[1].citations == part.citations


def test_what_hosted_tools_did_is_kept_apart(upstream):
    parts = [
        {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}},
        {"toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "args": {"query": "x"}, "id": "t1"}},
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
        {"somethingNew": {"a": 1}},
    ]
    response = fold(decoded(chunks(said(*parts, finish="STOP")), upstream()))
    code, result, search, image, opaque = response.parts
    assert (code.name, json.loads(code.arguments)["code"]) == ("code_execution", "print(1)")
    assert result.call_id == code.id
    assert (search.id, search.arguments) == ("t1", '{"query":"x"}')
    assert isinstance(image, p.Image)
    assert isinstance(opaque, p.Opaque)
    assert response.finish.kind is FinishKind.END


def test_log_probabilities_are_read(upstream):
    told = {
        "chosenCandidates": [{"token": "Hi", "logProbability": -0.5}],
        "topCandidates": [{"candidates": [{"token": "Hi", "logProbability": -0.5}, {"token": "Yo"}]}],
    }
    response = GEMINI.parse_response(said({"text": "Hi"}, finish="STOP", logprobsResult=told), upstream())
    (token,) = response.logprobs
    assert (token["token"], token["logprob"], token["bytes"]) == ("Hi", -0.5, [72, 105])
    assert [top["token"] for top in token["top_logprobs"]] == ["Hi", "Yo"]


@pytest.mark.parametrize(
    "strange",
    [
        {"candidates": [{"content": None, "finishReason": "STOP"}]},
        {"candidates": [{"content": {"parts": None}, "finishReason": "STOP"}]},
        {"candidates": [None, 7, {"finishReason": "STOP"}]},
        {"candidates": [{"content": {"parts": [None, {"text": None}, {"functionCall": 3}]}, "finishReason": 1}]},
        {"candidates": [{"finishReason": "STOP", "groundingMetadata": {"groundingSupports": [3, {"segment": 1}]}}]},
        {"candidates": [{"finishReason": "STOP", "logprobsResult": 7}], "usageMetadata": "no"},
    ],
)
def test_strange_shapes_raise_nothing(strange, upstream):
    events = decoded(chunks(strange), upstream())
    assert isinstance(events[-1], ev.Finished)
