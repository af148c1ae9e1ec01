"""The house of the corpus tests: the real engine with one scripted upstream that plays the recordings."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.corpus.house import House
from tests.fakes.upstream import ScriptedUpstream


@pytest.fixture(scope="session")
def house() -> Iterator[House]:
    upstream = ScriptedUpstream()
    yield House(upstream)
    upstream.close()
