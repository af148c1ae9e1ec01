"""Per-turn control (a beta that Claude Code uses): the effort of a turn, where the upstream is of another dialect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.contract import ClientSide
from proxyapp.dialects.registry import DIALECTS
from proxyapp.dialects.signatures import Sealer
from proxyapp.errors import BadRequest
from tests.dialects.corners.test_corners_to_chat import an_upstream

RECORDED = Path(__file__).parent.parent / "fixtures/corpus/clients"
USER = {"role": "user", "content": "hi"}
OTHERS = sorted(set(DIALECTS) - {"anthropic-messages"})


def parsed(*messages: dict[str, Any], **more: Any):
    body = {"model": "m", "max_tokens": 100, "messages": list(messages), **more}
    return ANTHROPIC.parse_request(body, ClientSide(sealer=Sealer(b"k" * 32)))


def control(effort: Any, **more: Any) -> dict[str, Any]:
    return {"role": "system", "output_config": {"effort": effort, **more}}


def test_the_latest_effort_is_in_force() -> None:
    request = parsed(USER, control("low"), {"role": "assistant", "content": "a"}, USER, control("high"))
    assert request.reasoning.effort == "high"


def test_it_wins_over_that_of_the_whole_request() -> None:
    request = parsed(USER, control("low"), output_config={"effort": "max"}, thinking={"type": "adaptive"})
    assert (request.reasoning.mode, request.reasoning.effort) == ("adaptive", "low")


def test_without_any_the_requests_own_stays() -> None:
    request = parsed(USER, {"role": "system", "content": "be brief"}, output_config={"effort": "max"})
    assert request.reasoning.effort == "max"


def test_a_message_with_nothing_else_leaves_nothing_behind() -> None:
    assert [turn.role for turn in parsed(USER, control("low"), {"role": "assistant", "content": "a"}).turns] == [
        "user",
        "assistant",
    ]


def test_what_else_it_says_stays_with_the_message() -> None:
    request = parsed(USER, control("low", later="x"))
    assert request.turns[1].meta == {"anthropic-messages": {"output_config": {"later": "x"}}}


@pytest.mark.parametrize("wrong", [{"role": "system", "output_config": 5}, control(5)])
def test_a_malformed_one_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match=r"messages\.1\.output_config"):
        parsed(USER, wrong)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("recording", ["claude-code-06-v1_messages.json", "claude-code-07-v1_messages.json"])
def test_claude_codes_own_requests_lose_nothing_by_it(name: str, recording: str) -> None:
    body = json.loads((RECORDED / recording).read_text())["body"]
    side = an_upstream(lenient=True, efforts=("low", "medium", "high"), metadata=True)
    request = ANTHROPIC.parse_request(body, ClientSide(sealer=Sealer(b"k" * 32)))
    DIALECTS[name].render_request(request, side)
    assert not [note for note in side.notes.items if "output_config" in note.path]
    assert request.reasoning.effort == "medium"


def test_the_effort_reaches_a_chat_upstream() -> None:
    side = an_upstream(efforts=("low", "medium", "high"))
    made = DIALECTS["openai-chat"].render_request(parsed(USER, control("low"), thinking={"type": "adaptive"}), side)
    assert made["reasoning_effort"] == "low"
    assert [message["role"] for message in made["messages"]] == ["user"]
