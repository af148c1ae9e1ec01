"""The roads without sockets: what a caller gets does not depend on where the network cut the bytes."""

from __future__ import annotations

import json

import pytest

from proxyapp.dialects.contract import Body, UpstreamSide
from proxyapp.dialects.registry import DIALECTS
from proxyapp.dialects.signatures import Sealer
from proxyapp.engine.roads import PassThrough
from proxyapp.ir.profile import Profile
from tests.fakes import answers


def a_pass_through(dialect: str) -> PassThrough:
    side = UpstreamSide(profile=Profile(), sealer=Sealer(b"k" * 32))
    asked = {"model": "m", "stream": True, "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
    asked["stream_options"] = {"include_usage": True}
    return PassThrough(DIALECTS[dialect], Body(json.dumps(asked).encode()), "m", side, 2**20)


@pytest.mark.parametrize("dialect", ["openai-chat", "anthropic-messages"])
@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_nothing_after_the_proper_end_is_relayed(dialect, size):
    stream = b"".join(answers.stream(dialect))
    sent = stream + b": a comment\n\n" + stream
    road = a_pass_through(dialect)
    given = b""
    for start in range(0, len(sent), size):
        given += road.feed(sent[start : start + size])
    assert road.is_done
    assert given == stream
