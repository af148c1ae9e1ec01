"""Claude Code leaves out the thinking of a model that has another name than the one it asked for."""

from __future__ import annotations

import json

import pytest

from proxyapp.dialects.anthropic import naming
from proxyapp.dialects.sse import Frame, FrameReader

START = b'event: message_start\ndata: {"type": "message_start", "message": {"id":"m", "model" : "up", "x":1.0}}\n\n'
DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"model":"up"}}\n\n'


def frame(raw: bytes) -> Frame:
    (found,) = FrameReader().feed(raw)
    return found


def test_the_start_of_a_stream_tells_the_asked_model_and_keeps_its_other_bytes() -> None:
    assert naming.renamed_frame(frame(START), "mine-\u00fc") == START.replace(b'"up"', '"mine-\u00fc"'.encode())
    assert naming.renamed_frame(frame(START), "up") == START
    assert naming.renamed_frame(frame(DELTA), "mine") == DELTA


def test_a_whole_answer_tells_the_asked_model() -> None:
    answer = {"id": "m", "model": "up", "content": [{"type": "text", "text": '"model":"up"'}], "usage": {"model": "up"}}
    raw = json.dumps(answer).encode()
    assert json.loads(naming.renamed(raw, "mine")) == {**answer, "model": "mine"}


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"model": 7', b'{"id": 1}', b"\xff"])
def test_what_cannot_be_read_stays(raw: bytes) -> None:
    assert naming.renamed(raw, "mine") == raw
    whole = b"event: message_start\ndata: message_start " + raw + b"\n\n"
    assert naming.renamed_frame(frame(whole), "mine") == whole
