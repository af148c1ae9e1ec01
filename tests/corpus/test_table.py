"""docs/corpus.md says what a run says, and no allowance stands in a table that nothing needs."""

from __future__ import annotations

import asyncio

import pytest

from tests.corpus import schemas, table
from tests.corpus.exchanges import CHAT, MESSAGES, agents, exchanges

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results() -> table.Results:
    return table.measured()


def test_the_page_is_up_to_date(results):
    assert table.PAGE.read_text() == table.page(results), "run `make corpus`"


def test_nothing_fails(results):
    assert [failure for counts in results.lines.values() for failure in counts.failed] == []


def test_every_named_loss_is_needed(results):
    assert {reason for _, reason in results.reasons} == table.reasons_in_tables()


def test_every_place_where_a_specification_is_too_strict_is_needed(results):
    assert schemas.used == set(table.lenient())


def test_the_corpus_is_whole():
    assert (len(exchanges(CHAT)), len(exchanges(MESSAGES)), len(agents())) == (94, 45, 20)


def test_a_failure_is_counted_and_named():
    async def broken(house):
        raise AssertionError("it differs")

    case = table.Case("openai-chat", "openai-chat", "whole", "some-id", broken)
    counts, results = table.Counts(), table.Results()
    asyncio.run(table._count(case, None, counts, results, "a group"))  # type: ignore[arg-type]
    assert counts.failed == ["openai-chat to openai-chat: some-id: it differs"]
