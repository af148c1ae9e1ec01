"""Records, journals and writers for the tests of the history."""

import pytest

from proxyapp.engine.journal import Journal
from proxyapp.engine.record import AttemptRecord, Begun, Content, Ended
from proxyapp.history.redaction import redact


def _begun(number=1, **changes):
    standard = {
        "request_id": f"{number:032x}",
        "started": 1_790_000_000.5 + number,
        "client_id": 1,
        "client": "alice",
        "key_id": 2,
        "key": "laptop",
        "dialect": "anthropic-messages",
        "model": "claude-sonnet-4-5",
        "path": "/v1/messages",
        "address": "127.0.0.1",
        "user_agent": "tests",
    }
    return Begun(**(standard | changes))


def _ended(number=1, begun=None, **changes):
    standard = {
        "status": 200,
        "upstream": "anthropic",
        "upstream_model": "claude-sonnet-4-5-20250929",
        "finish": "stop",
        "duration_ms": 1234.5678,
        "first_byte_ms": 321.0,
        "overhead_ms": 0.4,
        "fresh_input": 10,
        "cache_read": 5,
        "output": 7,
        "attempts": [AttemptRecord(upstream="anthropic", key="main", status=200, ms=1200.0)],
        "content": Content(client_request=b'{"model": "x"}', upstream_answer=b'{"ok": true}'),
    }
    return Ended(begun=_begun(number, **(begun or {})), **(standard | changes))


@pytest.fixture
def a_beginning():
    """(number, **changes) -> Begun"""
    return _begun


@pytest.fixture
def an_exchange():
    """(number, begun={...}, **changes) -> Ended, finished well unless changed."""
    return _ended


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path, redact)
    yield made
    made.close()
