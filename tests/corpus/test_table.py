"""Every recording in every direction, once; docs/corpus.md says what that run says, and no allowance stands in a table
that nothing needs. One case with its traceback: `python -m tests.corpus.table PART-OF-ITS-NAME`."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.corpus import endpoints, schemas, table
from tests.corpus.exchanges import FOLDER, SPOKEN, exchanges
from tests.corpus.groups import GROUPS

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("corpus")]


@pytest.fixture(scope="module")
def results() -> table.Results:
    return table.measured()


def test_the_page_is_up_to_date(results):
    assert table.PAGE.read_text() == table.page(results), "run `make corpus`"


@pytest.mark.parametrize("title", [group.title for group in GROUPS])
def test_every_case_holds(results, title):
    lines = [counts for line, counts in results.lines.items() if line[0] == title]
    assert sum(counts.passed + counts.lossy for counts in lines) > 0
    assert [failure for counts in lines for failure in counts.failed] == []


def test_every_named_loss_is_needed(results):
    assert {reason for _, reason in results.reasons} == table.reasons_in_tables()


def test_every_place_where_a_specification_is_too_strict_is_needed(results):
    assert schemas.used == set(table.lenient())


def test_the_corpus_is_whole():
    kinds = Counter(path.name.partition(".")[0] for path in FOLDER.glob("*.json"))
    assert kinds == {
        "openai-chat": 94,
        "openai-responses": 73,
        "anthropic-messages": 45,
        "gemini": 18,
        "openai-completions": 11,
        "openai-embeddings": 8,
        "anthropic-complete": 1,
    }
    assert len(list((FOLDER / "clients").glob("*.json"))) == 29
    assert set(kinds) == {*SPOKEN, *endpoints.STORIES, *endpoints.NOT_HELD}
    assert len(exchanges()) == sum(kinds[name] for name in SPOKEN)


def test_a_failure_is_counted_and_named():
    async def broken(house):
        raise AssertionError("it differs")

    case = table.Case("openai-chat", "openai-chat", "whole", "some-id", broken)
    counts, results = table.Counts(), table.Results()
    asyncio.run(table._count(case, None, counts, results, "a group"))  # type: ignore[arg-type]
    assert counts.failed == ["openai-chat to openai-chat: some-id: AssertionError: it differs"]
