"""Anthropic's message threads where nobody holds them: refused in the one way that its SDKs take (clients.md 3)."""

from __future__ import annotations

import pytest

from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.contract import ClientSide
from proxyapp.dialects.signatures import Sealer
from proxyapp.errors import ThreadsUnsupported, Unsupported

BODY = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
SIDE = ClientSide(sealer=Sealer(b"k" * 32))


@pytest.mark.parametrize("thread", [{"type": "create"}, {"type": "continue", "previous_message_id": "msg_1"}])
def test_a_thread_is_refused_with_the_code_on_which_clients_go_on_without(thread: dict[str, str]) -> None:
    with pytest.raises(Unsupported) as caught:
        ANTHROPIC.parse_request({**BODY, "thread": thread}, SIDE)
    status, body = ANTHROPIC.render_error(caught.value, "r1")
    assert status == 400
    assert body["error"]["type"] == "invalid_request_error"
    assert body["error"]["details"] == {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}


def test_other_losses_bear_no_details() -> None:
    assert "details" not in ANTHROPIC.render_error(Unsupported("no"), "r1")[1]["error"]
    assert ThreadsUnsupported("no").code == "thread_unsupported_request"


def test_no_thread_is_nothing_to_refuse() -> None:
    assert ANTHROPIC.parse_request({**BODY, "thread": None}, SIDE).extras == {}
