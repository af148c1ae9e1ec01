"""The pass-through road: what it relays, byte for byte, and what it holds back."""

from __future__ import annotations

import json

import pytest

from proxyapp.dialects.contract import Body, UpstreamSide
from proxyapp.dialects.registry import DIALECTS as REGISTRY
from proxyapp.dialects.signatures import Sealer
from proxyapp.engine.roads import PassThrough
from proxyapp.ir.profile import Profile
from tests.engine.conftest import a_body, a_call, a_snapshot, an_upstream, ask
from tests.fakes import answers
from tests.fakes.upstream import answer_json, answer_sse

DIALECTS = ("openai-chat", "anthropic-messages")


@pytest.mark.parametrize("pause", [0, 0.02], ids=["at once", "piece by piece"])
async def test_a_stream_ends_with_its_own_end_also_when_its_usage_is_held_back(make_engine, upstream, pause):
    pieces = answers.stream("openai-chat")
    upstream.then(answer_sse(pieces, pause=pause))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url)))
    outcome = await ask(engine, a_call("openai-chat", a_body(True)))
    assert outcome.raw == b"".join(pieces[:-2] + pieces[-1:]), "all but the usage chunk nobody asked for"
    assert upstream.last.body["stream_options"] == {"include_usage": True}
    assert (outcome.row.fresh_input, outcome.row.output) == (9, 4)


@pytest.mark.parametrize("pause", [0, 0.02], ids=["at once", "piece by piece"])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_every_byte_of_a_stream_goes_through(make_engine, upstream, dialect, pause):
    pieces = answers.stream(dialect)
    upstream.then(answer_sse(pieces, pause=pause))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, dialect)))
    more = {"stream_options": {"include_usage": True}} if dialect == "openai-chat" else {}
    outcome = await ask(engine, a_call(dialect, a_body(True, **more)))
    assert outcome.raw == b"".join(pieces)
    assert (outcome.row.fresh_input, outcome.row.output) == (9, 4)


@pytest.mark.parametrize("stream", [False, True])
async def test_claude_code_is_told_the_model_by_the_name_it_asked_for(make_engine, upstream, stream):
    dialect = "anthropic-messages"
    upstream.then(answer_sse(answers.stream(dialect)) if stream else answer_json(answers.whole(dialect)))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, dialect)))
    outcome = await ask(engine, a_call(dialect, a_body(stream), user_agent="claude-cli/2.1.329 (external, sdk-cli)"))
    untouched = b"".join(answers.stream(dialect)) if stream else json.dumps(answers.whole(dialect)).encode()
    assert b'"up-model"' in untouched
    assert b'"up-model"' not in outcome.raw
    told = outcome.raw if stream else json.dumps(outcome.json).encode()
    assert told == untouched.replace(b'"up-model"', b'"m"')


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_what_nobody_here_has_heard_of_goes_through(make_engine, upstream, dialect):
    answer = {**answers.whole(dialect), "brand_new": {"deep": [1.0, 10**20, 'a "b" é']}}
    upstream.then(answer_json(answer))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, dialect)))
    raw = (
        b'{"model":"m","max_tokens":50,"new_field":{"n":1.50,"big":123456789012345678901,"s":"\\u00e9"},"messages":[]}'
    )
    outcome = await ask(engine, a_call(dialect, raw))
    assert outcome.json == answer
    assert b'"new_field":{"n":1.50,"big":123456789012345678901,"s":"\\u00e9"}' in upstream.last.raw
    assert upstream.last.body["model"] == "m-at-up"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_nothing_after_the_proper_end_is_relayed_wherever_the_bytes_are_cut(dialect, size):
    side = UpstreamSide(profile=Profile(), sealer=Sealer(b"k" * 32))
    asked = json.dumps(a_body(True, stream_options={"include_usage": True})).encode()
    road = PassThrough(REGISTRY[dialect], Body(asked), "m", side, 2**20)
    stream = b"".join(answers.stream(dialect))
    sent = stream + b": a comment\n\n" + stream
    given = b"".join(road.feed(sent[start : start + size]) for start in range(0, len(sent), size))
    assert road.is_done
    assert given == stream


async def test_a_stream_without_its_end_mark_is_complete_when_it_gave_a_reason(make_engine, upstream):
    pieces = answers.stream("openai-chat")[:-1]
    upstream.then(answer_sse(pieces))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url)))
    outcome = await ask(engine, a_call("openai-chat", a_body(True, stream_options={"include_usage": True})))
    assert outcome.row.outcome == "ok"
    assert outcome.raw == b"".join(pieces)


@pytest.mark.parametrize("upstream_dialect", DIALECTS)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_server_that_does_not_stream_still_serves_a_stream(make_engine, upstream, dialect, upstream_dialect):
    upstream.then(answer_json(answers.whole(upstream_dialect)))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, upstream_dialect)))
    outcome = await ask(engine, a_call(dialect, a_body(True)))
    assert outcome.reply.media_type.startswith("text/event-stream")
    assert answers.text_of(dialect, outcome.raw) == "Hello there."
    assert outcome.row.outcome == "ok"
    for line in outcome.raw.splitlines():
        if line.startswith(b"data: {"):
            json.loads(line[6:])


async def test_a_stream_made_of_a_whole_answer_keeps_to_what_the_caller_asked_for(make_engine, upstream):
    called = {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": "{}"}}
    answer = {**answers.whole("openai-chat"), "choices": [{"index": 0, "message": called, "finish_reason": "stop"}]}
    upstream.then(answer_json(answer))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url)))
    outcome = await ask(engine, a_call("openai-chat", a_body(True, functions=[{"name": "look", "parameters": {}}])))
    assert b'"function_call":{"name":"look"' in outcome.raw
    assert b"tool_calls" not in outcome.raw
    assert b"usage" not in outcome.raw, "nobody asked for it"
    assert outcome.row.output == 4
