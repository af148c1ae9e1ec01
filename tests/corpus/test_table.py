"""Every recording in every direction, once; docs/corpus.md says what that run says, and no allowance stands in a table
that nothing needs. One case with its traceback: `python -m tests.corpus.table PART-OF-ITS-NAME`."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.corpus import endpoints, schemas, table
from tests.corpus.exchanges import FOLDER, SPOKEN, exchanges

pytestmark = pytest.mark.slow


def test_every_recording_in_every_direction():
    """One test, since one run of all of them tells everything: what fails, what the page must say, what is needed."""
    results = table.measured()
    assert [failure for counts in results.lines.values() for failure in counts.failed] == []
    assert {reason for _, reason in results.reasons} == table.reasons_in_tables(), "a named loss that nothing needs"
    assert schemas.used == set(table.lenient()), "a place where no specification is too strict"
    assert table.PAGE.read_text() == table.page(results), "run `make corpus`"


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
