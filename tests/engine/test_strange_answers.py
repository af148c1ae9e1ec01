"""Answers that no honest server gives: the caller gets an error in words or what was meant, the books stay true."""

from __future__ import annotations

import msgspec
import pytest

from tests.engine.conftest import a_body, a_call, a_snapshot, an_upstream, ask
from tests.fakes import answers
from tests.fakes.upstream import answer_json

callers = pytest.mark.parametrize("dialect", ["openai-chat", "anthropic-messages"])
both_sides = pytest.mark.parametrize("upstream_dialect", ["openai-chat", "anthropic-messages"])
both_forms = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@callers
@both_sides
async def test_counts_of_tokens_that_cannot_be_do_not_cost_the_row(make_engine, upstream, dialect, upstream_dialect):
    """The journal could not write them, and the exchange was lost."""
    answer = answers.whole(upstream_dialect)
    answer["usage"] = {name: 10**30 for name in answer["usage"]}
    upstream.then(answer_json(answer))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, upstream_dialect)))
    outcome = await ask(engine, a_call(dialect, a_body()))
    assert outcome.status == 200
    assert (outcome.row.fresh_input, outcome.row.output) == (None, None)
    assert msgspec.msgpack.encode(outcome.row)
