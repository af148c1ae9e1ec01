"""What holds for every recorded stream besides: the grammar, the same bytes each time, proofs that come back."""

from __future__ import annotations

import json

import pytest

from proxyapp.ir.grammar import check_all
from tests.corpus import checks, roads
from tests.corpus.exchanges import CHAT, MESSAGES, SPOKEN, exchanges
from tests.corpus.readers import FOLD

STREAMS = [each for each in exchanges() if each.stream]
SIGNED = [each for each in exchanges(MESSAGES) if b'"signature":"E' in each.raw.replace(b'": "', b'":"')]


def name(exchange):
    return exchange.id


@pytest.mark.parametrize("exchange", STREAMS, ids=name)
def test_every_decoder_keeps_the_grammar(exchange):
    check_all(checks.decoded(exchange))


@pytest.mark.parametrize("exchange", STREAMS, ids=name)
def test_encoding_the_same_events_twice_gives_the_same_bytes(exchange):
    for caller in SPOKEN:
        assert roads.drive(exchange, caller).raw == roads.drive(exchange, caller).raw


@pytest.mark.parametrize("exchange", SIGNED, ids=name)
def test_a_proof_that_went_through_a_chat_caller_comes_back_to_its_owner_alone(exchange):
    given = roads.drive(exchange, CHAT)
    message = given.json["choices"][0]["message"] if not exchange.stream else _joined(given.raw)
    asked = {"model": "m", "max_tokens": 9000, "messages": [{"role": "user", "content": "hi"}, message]}
    asked["messages"].append({"role": "user", "content": "and then?"})
    sent = json.loads(roads.road(CHAT, MESSAGES, asked, stream=False).body)
    thinking = [block for block in sent["messages"][1]["content"] if block["type"] == "thinking"]
    assert thinking
    assert all(block["signature"] in exchange.raw.decode() for block in thinking)
    assert "gwr1." in json.dumps(message)
    assert "gwr1." not in json.dumps(sent)


def _joined(raw: bytes) -> dict:
    message = FOLD[CHAT](raw)["choices"][0]["message"]
    text = "".join(part["text"] for part in message.pop("content"))
    return {**message, "role": "assistant", "content": text}
