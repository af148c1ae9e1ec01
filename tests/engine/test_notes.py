"""What a translation could not carry over reaches the caller's header and the books, wherever it was noticed."""

from __future__ import annotations

from tests.engine.conftest import a_body, a_call, a_snapshot, an_upstream, ask
from tests.fakes import answers
from tests.fakes.upstream import answer_json


async def dropped(make_engine, upstream, **more):
    """The header for a Messages caller at a Chat upstream, as field paths."""
    upstream.then(answer_json(answers.whole("openai-chat")))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url)))
    outcome = await ask(engine, a_call("anthropic-messages", a_body(**more)))
    assert outcome.status == 200
    told = outcome.reply.headers.get("x-dragoman-dropped", "")
    assert told == ",".join(dict.fromkeys(path for path, _, _ in outcome.row.notes))
    return told.split(",")


async def test_what_was_left_out_while_the_request_was_read_is_said(make_engine, upstream):
    paths = await dropped(make_engine, upstream, thinking={"type": "adaptive", "brand_new": 1})
    assert "thinking.brand_new" in paths


async def test_fields_beside_a_messages_content_are_said(make_engine, upstream):
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "system", "content": "Be quick.", "output_config": {"later": "low"}},
    ]
    paths = await dropped(make_engine, upstream, messages=turns)
    assert "messages.1.output_config" in paths
