"""Conversations keep their account: what names one, and how accounts are shared among many."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from proxyapp.dialects.contract import Body
from proxyapp.engine import session
from proxyapp.engine.routing import Plan, Target
from proxyapp.engine.snapshot import Credential, Model, Upstream

USER = {"role": "user", "content": "Why is the sky blue?"}
ANSWER = {"role": "assistant", "content": "Scattering."}


def body(**fields) -> Body:
    return Body(json.dumps({"model": "m", **fields}).encode())


def plan(*weights: int, tokens: int = 0) -> Plan:
    keys = tuple(Credential(f"k{n}", f"s{n}", weight, f"key:{n}") for n, weight in enumerate(weights))
    keys += tuple(Credential(f"t{n}", f"a{n}", 1, f"token:{n}") for n in range(tokens))
    return Plan(Model(name="m"), (Target(Upstream(name="up", kind="openai"), "m", keys),))


def first(made: Plan) -> str:
    return made.targets[0].credentials[0].name


# --- what names a conversation


def test_fields_made_for_it_name_it():
    assert session.word(body(prompt_cache_key="c-1")) == "c-1"
    assert session.word(body(session_id="s-1")) == "s-1"
    claude_code = "user_ab_account_cd_session_ef"
    assert session.word(body(metadata={"user_id": claude_code})) == claude_code


@pytest.mark.parametrize(
    "fields",
    [
        {"user": "everybody"},
        {"metadata": {"user_id": "a-person"}},
        {"prompt_cache_key": 7},
        {"metadata": "x"},
        {"messages": "x"},
        {"messages": [USER]},
        {"messages": [{"role": "system", "content": "s"}, USER]},
        {"messages": [USER, USER]},
        {"messages": [1, None, []]},
        {"input": "one question"},
        {},
    ],
    ids=str,
)
def test_a_first_question_without_a_name_is_no_conversation(fields):
    assert session.word(body(**fields)) == ""


def test_a_conversation_that_goes_on_is_known_by_its_beginning_in_every_dialect():
    later = [USER, ANSWER, {"role": "user", "content": "And at night?"}]
    word = session.word(body(messages=later, system="Be brief."))
    assert word
    assert session.word(body(messages=[*later, ANSWER, USER], system="Be brief.")) == word
    assert session.word(body(messages=later, system="Be long.")) != word
    assert session.word(body(messages=[{**USER, "content": "Else"}, *later[1:]], system="Be brief.")) != word
    assert session.word(body(input=[USER, {"type": "function_call", "name": "f"}]))
    assert session.word(body(contents=[{"role": "user", "parts": [{"text": "hi"}]}, {"role": "model", "parts": []}]))


def test_marks_that_move_with_every_turn_do_not_matter():
    def turns(mark):
        part = {"type": "text", "text": "hi", **({"cache_control": {"type": "ephemeral"}} if mark else {})}
        return [{"role": "user", "content": [part]}, ANSWER]

    assert session.word(body(messages=turns(True))) == session.word(body(messages=turns(False)))


def test_nonsense_is_no_conversation():
    deep = b'{"messages": [{"role": "user", "content": ' + b"[" * 500 + b"]" * 500 + b'}, {"role": "assistant"}]}'
    assert session.word(Body(deep)) == ""


# --- who gets it


def test_a_conversation_keeps_its_key_and_shares_stay_by_weight():
    counted = Counter(first(session.steady(plan(3, 1), f"c{number}")) for number in range(2000))
    assert 1380 < counted["k0"] < 1620
    for number in range(50):
        assert len({first(session.steady(plan(3, 1), f"c{number}")) for _ in range(3)}) == 1


def test_a_key_more_moves_its_share_of_conversations_and_no_other():
    moved = 0
    for number in range(1000):
        before, after = (first(session.steady(made, f"c{number}")) for made in (plan(1, 1, 1), plan(1, 1, 1, 1)))
        assert after in (before, "k3")
        moved += after == "k3"
    assert 180 < moved < 320


def test_tokens_never_come_before_keys():
    for number in range(50):
        names = [key.name[0] for key in session.steady(plan(1, 1, tokens=2), f"c{number}").targets[0].credentials]
        assert names == ["k", "k", "t", "t"]


def test_a_weight_of_zero_is_for_want_of_others():
    assert {first(session.steady(plan(1, 0), f"c{number}")) for number in range(300)} == {"k0"}


def test_routes_of_one_priority_are_shared_and_others_keep_their_place():
    ups = [Upstream(name=name, kind="openai", credentials=()) for name in "abc"]
    targets = tuple(Target(up, "m", (), priority) for up, priority in zip(ups, (0, 0, 1), strict=True))
    firsts = Counter()
    for number in range(200):
        made = session.steady(Plan(Model(name="m"), targets), f"c{number}")
        assert made.targets[2].upstream.name == "c"
        firsts[made.targets[0].upstream.name] += 1
    assert set(firsts) == {"a", "b"}
    assert 60 < firsts["a"] < 140
