"""Every recorded request, of exchanges and of agents: forwarded as it is, translated with its meaning."""

from __future__ import annotations

import pytest

from tests.corpus.groups import FORWARDED, TRANSLATED, TRANSLATED_OLDER


@pytest.mark.parametrize("case", FORWARDED.cases(), ids=str)
def test_a_request_of_the_same_dialect_is_forwarded_unchanged(case):
    case.run(None)


@pytest.mark.parametrize("case", TRANSLATED.cases(), ids=str)
def test_a_request_for_a_current_model_means_the_same(case):
    case.run(None)


@pytest.mark.parametrize("case", TRANSLATED_OLDER.cases(), ids=str)
def test_a_request_for_an_older_model_means_the_same(case):
    case.run(None)
