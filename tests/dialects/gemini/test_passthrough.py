"""Gemini in, Gemini out: the body keeps its bytes but for what the gateway must change; a reader listens in."""

from __future__ import annotations

import base64
import json

import pytest
from msgspec.structs import replace

from proxyapp.dialects.contract import Body
from proxyapp.dialects.gemini import GEMINI
from proxyapp.dialects.gemini.tables import SENTINEL
from proxyapp.dialects.sse import FrameReader
from proxyapp.errors import UpstreamBroken, UpstreamRefused
from proxyapp.ir.response import FinishKind
from tests.dialects.gemini.conftest import NEW, OLD, chunks, said

USAGE = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}


def patched(body, side) -> dict:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return json.loads(GEMINI.patch(Body(raw), side.model, side))


def test_every_value_keeps_its_bytes(upstream):
    raw = b'{"contents":[{"parts":[{"text":"\\u00e9 \\/"}]}],"seed":1.0,"unheard_of":{"a":  [1e3]},"model":"models/x"}'
    sent = GEMINI.patch(Body(raw), "up", upstream())
    assert sent == raw.replace(b',"model":"models/x"', b"")


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ({}, {"systemInstruction": {"parts": [{"text": "Obey."}]}}),
        ({"systemInstruction": {"role": "user", "parts": [{"text": "Hi"}]}},
         {"systemInstruction": {"role": "user", "parts": [{"text": "Obey."}, {"text": "Hi"}]}}),
        ({"system_instruction": {"parts": {"text": "Hi"}}},
         {"system_instruction": {"parts": [{"text": "Obey."}, {"text": "Hi"}]}}),
        ({"systemInstruction": {"parts": [{"text": "Obey."}, {"text": "Hi"}]}},
         {"systemInstruction": {"parts": [{"text": "Obey."}, {"text": "Hi"}]}}),
    ],
)  # fmt: skip
def test_the_operators_prompt_stands_first_once(given, want, upstream):
    side = replace(upstream(), system_prompt="Obey.")
    assert patched({"contents": [], **given}, side) == {"contents": [], **want}


@pytest.mark.parametrize(
    ("given", "want", "noted"),
    [
        ({}, {"generationConfig": {"maxOutputTokens": 100}}, False),
        (
            {"generationConfig": {"maxOutputTokens": 50, "topK": 3}},
            {"generationConfig": {"maxOutputTokens": 50, "topK": 3}},
            False,
        ),
        ({"generationConfig": {"maxOutputTokens": 500}}, {"generationConfig": {"maxOutputTokens": 100}}, True),
        ({"generation_config": {"max_output_tokens": 500}}, {"generation_config": {"max_output_tokens": 100}}, True),
        ({"generationConfig": 7}, {"generationConfig": 7}, False),
    ],
)
def test_the_operators_cap_holds(given, want, noted, upstream):
    side = replace(upstream(), max_output=100)
    assert patched({"contents": [], **given}, side) == {"contents": [], **want}
    assert bool(side.notes.items) is noted


def history(envelope: str, key: str = "thoughtSignature", *, on_thought: bool) -> dict:
    sealed = base64.urlsafe_b64encode(envelope.encode()).decode()  # as the SDK writes bytes back
    call: dict = {"functionCall": {"name": "f", "args": {"n": 1.0}}}
    thought: dict = {"text": "hm", "thought": True}
    (thought if on_thought else call)[key] = sealed
    answer = {"functionResponse": {"name": "f", "response": {}}}
    contents = [[{"text": "go"}], [thought, call, dict(call, thoughtSignature="own")], [answer, answer]]
    roles = ("user", "model", "user")
    return {"contents": [{"role": role, "parts": parts} for role, parts in zip(roles, contents, strict=True)]}


@pytest.mark.parametrize("key", ["thoughtSignature", "thought_signature"])
def test_an_envelope_is_opened_for_its_owner(key, upstream, sealer):
    side = upstream()
    sealed = sealer.seal("c2ln", family="gemini", group=side.profile.model_group, account=side.account)
    thought, first, second = patched(history(sealed, key, on_thought=False), side)["contents"][1]["parts"]
    assert first[key] == "c2ln"
    assert second["thoughtSignature"] == "own"
    assert thought == {"text": "hm", "thought": True}


@pytest.mark.parametrize(("model", "stand_in"), [(NEW, SENTINEL), (OLD, None)])
@pytest.mark.parametrize("on_thought", [True, False])
def test_an_envelope_of_another_goes_and_its_thought_with_it(on_thought, model, stand_in, upstream, sealer):
    sealed = sealer.seal("sig", family="anthropic", group="claude", account="x")
    *rest, first, second = patched(history(sealed, on_thought=on_thought), upstream(model))["contents"][1]["parts"]
    assert bool(rest) is not on_thought
    assert first.get("thoughtSignature") == stand_in
    assert second["thoughtSignature"] == "own"


def test_each_step_gets_one_stand_in_in_either_spelling(upstream, sealer):
    foreign = base64.b64encode(sealer.seal("s", family="anthropic").encode()).decode()
    call, answer = {"function_call": {"name": "f"}}, {"function_response": {"name": "f", "response": {}}}
    parts = [
        ("user", {"text": "before"}), ("model", call), ("user", answer), ("model", {"text": "ok"}),
        ("user", {"text": "go"}), ("model", {"thought": True, "text": "hm", "thought_signature": foreign}),
        ("model", call), ("model", call), ("user", answer), ("model", {**call, "thought_signature": "own"}),
        ("user", answer), ("model", call),
    ]  # fmt: skip
    contents = [{"role": role, "parts": [dict(part)]} for role, part in parts]
    sent = patched({"contents": contents}, upstream())["contents"]
    signed = [content["parts"][0].get("thoughtSignature") for content in sent if "function_call" in content["parts"][0]]
    assert signed == [None, SENTINEL, None, None, SENTINEL]


def test_what_only_looks_like_an_envelope_stays(upstream):
    body = {"contents": [{"parts": [{"text": "Z3dyMS"}, {"text": "x", "thoughtSignature": "Z3dyMS5hYWFh"}, 7]}, "odd"]}
    assert patched(body, upstream()) == body
    body["contents"].pop()
    assert patched(body, upstream()) == body


def read(raw: bytes):
    tap, frames = GEMINI.tap(Body(b"{}")), FrameReader()
    relayed = [frame.raw for frame in [*frames.feed(raw), *frames.close()] if tap.feed(frame)]
    return tap, b"".join(relayed)


def test_the_tap_reads_what_the_books_want():
    raw = chunks(
        {**said({"text": ""}), "modelVersion": "m1"},
        said({"functionCall": {"name": "f"}}),
        {**said({"text": ""}, finish="STOP"), "usageMetadata": USAGE},
    )
    tap, relayed = read(raw)
    assert relayed == raw
    assert (tap.glimpse.id, tap.glimpse.model) == ("r1", "m1")
    assert tap.glimpse.finish.kind is FinishKind.TOOL_CALLS
    assert (tap.glimpse.usage.total_input, tap.glimpse.usage.output) == (10, 5)
    assert tap.has_content
    assert not tap.is_done, "counts may follow; the end of the bytes is the end"


def test_content_is_what_was_said_and_no_proof():
    assert not read(chunks(said({"text": "", "thoughtSignature": "x"}), said({"thought": True})))[0].has_content
    assert read(chunks(said({"text": "a"})))[0].has_content
    assert read(chunks(said({"inlineData": {"data": "AA"}})))[0].has_content


def test_comments_are_not_relayed_and_errors_are_seen():
    raw = b": hello\n\n" + chunks(said({"text": "a"})) + b"\r\n"
    assert read(raw)[1].strip() == chunks(said({"text": "a"})).strip()
    fault = {"error": {"code": 503, "message": "no", "status": "UNAVAILABLE"}}
    for tail in (chunks(fault), json.dumps(fault).encode(), json.dumps([fault]).encode()):
        tap, _ = read(raw + tail)
        assert isinstance(tap.glimpse.error, UpstreamRefused)
    assert read(chunks(said({"text": 'an "error" in words'})))[0].glimpse.error is None
    assert read(b"data: {bad\n\ndata: 7\n\n")[0].glimpse.error is None


def test_a_whole_answer_is_glimpsed():
    body = {**said({"text": "a"}, finish="MAX_TOKENS"), "usageMetadata": USAGE}
    seen = GEMINI.glimpse(json.dumps(body).encode())
    assert (seen.id, seen.finish.kind, seen.error) == ("r1", FinishKind.LENGTH, None)
    blocked = GEMINI.glimpse(b'{"promptFeedback": {"blockReason": "OTHER"}}')
    assert blocked.finish.kind is FinishKind.CONTENT_FILTER
    refused = GEMINI.glimpse(b'[{"error": {"code": 500, "message": "x", "status": "INTERNAL"}}]')
    assert isinstance(refused.error, UpstreamRefused)
    for nothing in (b"", b"{}", b"[]", b"<html>", b'{"usageMetadata": {}}'):
        assert isinstance(GEMINI.glimpse(nothing).error, UpstreamBroken)
