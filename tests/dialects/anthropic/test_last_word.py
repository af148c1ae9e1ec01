"""A message does not end with thinking that shows nothing: `claude -p` would print an empty answer."""

from __future__ import annotations

import json

from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.contract import ClientSide
from proxyapp.dialects.signatures import Sealer
from proxyapp.ir import parts as p
from proxyapp.ir.fold import unfold
from proxyapp.ir.request import Request
from proxyapp.ir.response import Finish, Response
from proxyapp.ir.usage import Usage

SIGNED = p.Reasoning(text="", signature="proof", family="gemini")
CALL = p.ToolCall(id="toolu_1", name="f", arguments="{}")


def kinds(*parts: p.Part) -> tuple[list[str], list[str]]:
    """Of the blocks of a whole answer, and of a stream."""
    side = ClientSide(sealer=Sealer(b"k" * 32))
    request = Request(client_dialect="anthropic-messages", model="m")
    finish = Finish(kind="tool_calls" if CALL in parts else "end")
    response = Response(id="msg_1", model="m", parts=list(parts), finish=finish, usage=Usage())
    whole = ANTHROPIC.render_response(response, request, side)
    encoder = ANTHROPIC.encoder(request, side)
    frames = b"".join(encoder.encode(event) for event in unfold(response)).split(b"\n")
    events = [json.loads(line[6:]) for line in frames if line.startswith(b"data: ")]
    starts = [event for event in events if event["type"] == "content_block_start"]
    assert [event["index"] for event in starts] == list(range(len(starts)))
    return [block["type"] for block in whole["content"]], [event["content_block"]["type"] for event in starts]


def test_a_proof_after_the_last_word_is_left_out() -> None:
    assert kinds(p.Text(text="Done."), SIGNED) == (["text"], ["text"])
    assert kinds(p.Reasoning(text="Hm."), p.Text(text="Done."), SIGNED) == (["thinking", "text"],) * 2


def test_a_proof_before_a_call_or_more_words_stays() -> None:
    assert kinds(p.Text(text="So."), SIGNED, CALL) == (["text", "thinking", "tool_use"],) * 2
    assert kinds(SIGNED, p.Text(text="So.")) == (["thinking", "text"],) * 2


def test_an_answer_of_nothing_but_a_proof_keeps_it() -> None:
    assert kinds(SIGNED) == (["thinking"],) * 2
