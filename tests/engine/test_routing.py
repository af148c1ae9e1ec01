"""Names, wildcards, order of routes, and who may use what."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from proxyapp.engine.identify import Caller
from proxyapp.engine.routing import may_use, plan
from proxyapp.engine.snapshot import Credential, Key, Model, Route, Snapshot, Upstream
from proxyapp.errors import Forbidden, ModelNotFound, NoHealthyUpstream

UPSTREAMS = {name: Upstream(name=name, kind="openai", credentials=(Credential("k", "s"),)) for name in "abc"}


def key(**changes) -> Key:
    return Key(**{"id": 1, "name": "k", "client_id": 1, "client": "alice", **changes})


def a_model(name: str, *routes: Route, aliases: tuple[str, ...] = ()) -> Model:
    return Model(name=name, aliases=aliases, routes=routes or (Route("a", "up"),))


def snapshot(*models: Model) -> Snapshot:
    exact = {n: m for m in models for n in (m.name, *m.aliases) if "*" not in n}
    wild = tuple(m for m in models if any("*" in n for n in (m.name, *m.aliases)))
    return Snapshot(models=exact, wildcards=wild, upstreams=UPSTREAMS)


def targets(found: Snapshot, asked: str, seed: int = 1, **rights) -> list[tuple[str, str]]:
    made = plan(found, Caller(key(**rights)), asked, random.Random(seed))
    return [(target.upstream.name, target.model) for target in made.targets]


def test_a_name_and_its_alias_lead_to_the_same_route():
    found = snapshot(a_model("fast", Route("a", "gpt-4o-mini"), aliases=("cheap",)))
    assert targets(found, "fast") == targets(found, "cheap") == [("a", "gpt-4o-mini")]


def test_a_wildcard_carries_over_what_it_matched():
    found = snapshot(a_model("claude-*", Route("a", "anthropic/claude-*")), a_model("claude-x", Route("b", "x")))
    assert targets(found, "claude-opus-5") == [("a", "anthropic/claude-opus-5")]
    assert targets(found, "claude-x") == [("b", "x")], "an exact name wins"


@pytest.mark.parametrize("asked", ["claude-3-5-haiku-20241022", "Claude-HAIKU", "haiku"])
def test_a_word_between_two_stars_serves_every_name_that_holds_it(asked):
    found = snapshot(a_model("*haiku*", Route("a", "*")), a_model("*", Route("b", "other")))
    assert targets(found, asked) == [("a", asked)]
    assert targets(found, "claude-sonnet-4-5") == [("b", "other")]


def test_an_unknown_model_is_not_found():
    with pytest.raises(ModelNotFound) as caught:
        targets(snapshot(a_model("m")), "nope")
    assert caught.value.param == "model"


def test_low_priority_goes_first_and_weight_shares_one_priority():
    found = snapshot(a_model("m", Route("c", "last", priority=9), Route("a", "x", weight=3), Route("b", "y", weight=1)))
    firsts = Counter()
    for seed in range(400):
        order = targets(found, "m", seed)
        assert order[-1] == ("c", "last")
        firsts[order[0][0]] += 1
    assert 240 < firsts["a"] < 360


def test_a_route_to_an_upstream_that_is_off_is_left_out():
    assert targets(snapshot(a_model("m", Route("gone", "x"), Route("b", "y", priority=1))), "m") == [("b", "y")]
    with pytest.raises(NoHealthyUpstream):
        targets(snapshot(a_model("m", Route("gone", "x"))), "m")


def test_lists_of_models_are_checked_on_both_names():
    model = a_model("gpt-5", aliases=("fast",))
    assert may_use(key(models=("gpt-*", "fast")), "fast", model)
    assert not may_use(key(models=("fast",)), "fast", model), "an alias is no way around the list"
    assert not may_use(key(models=("gpt-*",), client_models=("claude-*",)), "gpt-5", model)
    assert may_use(key(), "fast", model)


def test_a_list_holds_for_names_behind_a_wildcard():
    model = a_model("*")
    assert may_use(key(models=("gpt-*",)), "gpt-4o", model)
    assert not may_use(key(models=("gpt-*",)), "o3", model)


def test_a_forbidden_model_is_a_403():
    with pytest.raises(Forbidden):
        targets(snapshot(a_model("m")), "m", models=("other",))


def test_weighted_keys_are_all_tried_once():
    keys = tuple(Credential(n, n, weight) for n, weight in (("one", 5), ("two", 1), ("off", 0)))
    many = {"a": Upstream(name="a", kind="openai", credentials=keys)}
    found = Snapshot(models={"m": a_model("m")}, upstreams=many)
    firsts = Counter()
    for seed in range(300):
        made = plan(found, Caller(key()), "m", random.Random(seed)).targets[0].credentials
        assert {k.name for k in made} == {"one", "two", "off"}
        firsts[made[0].name] += 1
    assert firsts["one"] > firsts["two"] > firsts["off"]


def test_the_callers_own_key_counts_only_where_allowed():
    mine = Caller(key(), own_key="sk-own")
    open_door = {"a": Upstream(name="a", kind="openai", allow_caller_keys=True)}
    found = Snapshot(models={"m": a_model("m")}, upstreams=open_door)
    assert plan(found, mine, "m", random.Random(1)).targets[0].credentials[0].secret == "sk-own"
    closed = Snapshot(models={"m": a_model("m")}, upstreams=UPSTREAMS)
    assert plan(closed, mine, "m", random.Random(1)).targets[0].credentials[0].secret == "s"


@pytest.mark.parametrize(
    ("pattern", "name", "allowed"),
    [
        ("claude-opus-4-6[1m]", "claude-opus-4-6[1m]", True),
        ("claude-opus-4-6[1m]", "claude-opus-4-61", False),
        ("claude-*[1m]", "claude-opus-4-6[1m]", True),
        ("what?", "what?", True),
        ("what?", "whats", False),
        ("*", "anything/at:all", True),
    ],
)
def test_only_the_star_means_more_than_itself_in_a_list_of_models(pattern, name, allowed):
    """Agents ask for names with brackets. Read as a class of characters, an entry allowed another name, not its own."""
    assert may_use(key(models=(pattern,)), name, a_model(name)) is allowed
