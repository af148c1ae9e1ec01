"""Whatever an upstream answers: each caller reads the same from it, whole or streamed; no token is counted twice."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings

from proxyapp.dialects import jsonio
from proxyapp.dialects.registry import DIALECTS
from proxyapp.dialects.sse import FrameReader
from proxyapp.ir.fold import fold, unfold
from proxyapp.ir.grammar import check_all
from proxyapp.ir.parts import Text
from proxyapp.ir.request import ReasoningSettings, Request, Turn
from proxyapp.ir.response import Response
from tests.corpus import crossing, responses, schemas, sdk
from tests.corpus.exchanges import RESPONSES, SPOKEN
from tests.corpus.folding import payloads
from tests.corpus.meaning import Counts, Meaning, parsed
from tests.corpus.readers import FOLD, READ
from tests.properties import strategies
from tests.properties.sides import client_side, upstream_side


def wanted(dialect: str, *, stream: bool) -> Request:
    """A caller's request that wants all there is to see."""
    turns = [Turn(role="user", parts=[Text(text="hi")])]
    shown = ReasoningSettings(mode="adaptive", show=True)
    return Request(client_dialect=dialect, model="m", stream=stream, include_usage=True, turns=turns, reasoning=shown)


def whole(caller: str, answer: Response) -> Any:
    told = DIALECTS[caller].render_response(answer, wanted(caller, stream=False), client_side())
    return json.loads(jsonio.encode(told))


def streamed(caller: str, answer: Response) -> bytes:
    encoder = DIALECTS[caller].encoder(wanted(caller, stream=True), client_side(stream=True))
    return b"".join(encoder.encode(event) for event in unfold(answer))


def meaning(answer: Response) -> Meaning:
    """What was made, in the plain readers' words."""
    told = Meaning(stop=answer.finish.kind.value)
    for part in answer.parts:
        match type(part).__name__:
            case "Text":
                told.text += part.text
            case "Reasoning":
                told.reasoning += part.text
            case "ToolCall":
                told.calls.append((part.name, parsed(part.arguments)))
                told.call_ids.append(part.id)
    usage = answer.usage
    assert usage is not None
    told.counts = Counts(usage.total_input, usage.cache_read, usage.cache_write, usage.output, usage.reasoning)
    return told


@pytest.mark.parametrize("caller", SPOKEN)
@given(answer=strategies.answers())
def test_a_whole_answer_and_a_stream_tell_what_was_made(caller, answer):
    want = crossing.expected(meaning(answer), caller, "")
    assert crossing.differences(want, READ[caller](whole(caller, answer))) == []
    assert crossing.differences(want, READ[caller](FOLD[caller](streamed(caller, answer)))) == []


@pytest.mark.parametrize("caller", SPOKEN)
@given(answer=strategies.answers())
def test_both_forms_keep_to_the_specification(caller, answer):
    fault = schemas.fault(caller, schemas.ANSWER[caller], whole(caller, answer))
    assert fault is None, fault
    raw = streamed(caller, answer)
    for event in payloads(raw):
        if event.get("type") != "ping":
            fault = schemas.fault(caller, schemas.event(caller, event), event)
            assert fault is None, fault
    if caller == RESPONSES:
        responses.check_lifecycle(raw)


@pytest.mark.parametrize("caller", SPOKEN)
@settings(max_examples=15)
@given(answer=strategies.answers())
def test_the_official_sdk_reads_the_same_from_both_forms(caller, answer):
    want = crossing.expected(meaning(answer), caller, "")
    for stream in (False, True):
        raw = streamed(caller, answer) if stream else jsonio.encode(whole(caller, answer))
        try:
            got = READ[caller](sdk.read(caller, raw, stream=stream))
        except (sdk.Filtered, sdk.AtTheLimit):
            assert want.stop in ("content_filter", "length")
        else:
            assert crossing.differences(want, got) == []


@pytest.mark.parametrize("dialect", SPOKEN)
@given(answer=strategies.answers())
def test_what_we_write_as_an_upstream_we_read_as_a_caller(dialect, answer):
    """Both forms come back as the events they were made of, within the grammar."""
    side = upstream_side(dialect)
    decoder, events = DIALECTS[dialect].decoder(side), []
    for frame in FrameReader().feed(streamed(dialect, answer)):
        events += decoder.feed(frame)
    events += decoder.close()
    check_all(events)
    want = crossing.expected(meaning(answer), dialect, "")
    for back in (fold(events), DIALECTS[dialect].parse_response(whole(dialect, answer), upstream_side(dialect))):
        got = crossing.expected(meaning(back), dialect, "")
        assert crossing.differences(want, got) == []
