"""Who is asking: keys in four places, two that differ, expiry, addresses, and what is never taken for a key of ours."""

from __future__ import annotations

import pytest

from proxyapp.engine.identify import digest, identify
from proxyapp.engine.snapshot import Key, Snapshot
from proxyapp.errors import Forbidden, NotAuthenticated

ALICE, BOB, IMPORTED = "sk-dg-alice-aaaaaaaa", "sk-dg-bob-bbbbbbbb", "an-old-key-taken-over"


def snapshot(**changes) -> Snapshot:
    keys = {
        digest(ALICE): Key(id=1, name="a", client_id=1, client="alice"),
        digest(BOB): Key(id=2, name="b", client_id=2, client="bob", expires=1000.0, allowed_ips=("10.0.0.0/8", "::1")),
        digest(IMPORTED): Key(id=3, name="c", client_id=3, client="carol"),
    }
    return Snapshot(keys=keys, **changes)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {ALICE}"},
        {"authorization": f"bearer  {ALICE} "},
        {"x-api-key": ALICE},
        {"x-goog-api-key": ALICE},
        {"authorization": f"Bearer {ALICE}", "x-api-key": ALICE},
        {"authorization": f"Bearer {ALICE}", "x-api-key": "sk-ant-someone-elses"},
    ],
)
def test_a_key_is_found_wherever_clients_put_it(headers):
    assert identify(snapshot(), headers).key.client == "alice"


def test_the_query_string_is_a_place_too():
    assert identify(snapshot(), {}, query_key=ALICE).key.client == "alice"


def test_an_imported_key_of_any_form_is_known_by_its_digest():
    assert identify(snapshot(), {"authorization": f"Bearer {IMPORTED}"}).key.client == "carol"


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Basic abc"}, {"authorization": "Bearer sk-ant-x"}, {"authorization": "Bearer "}],
)
def test_no_gateway_key_is_no_entry(headers):
    with pytest.raises(NotAuthenticated):
        identify(snapshot(), headers)


@pytest.mark.parametrize("anonymous", [False, True])
@pytest.mark.parametrize(
    "headers",
    [
        {"x-factory-api-key": ALICE},
        {"x-factory-api-key": IMPORTED},
        {"x-factory-api-key": "sk-dg-unknown"},
        {"x-factory-api-key": BOB, "authorization": f"Bearer {ALICE}"},
    ],
)
def test_the_header_of_upstream_keys_opens_no_door(headers, anonymous):
    with pytest.raises(NotAuthenticated):
        identify(snapshot(anonymous=anonymous), headers, now=0, address="10.1.1.1")


def test_the_header_of_upstream_keys_may_repeat_the_gateways_which_goes_no_further():
    caller = identify(snapshot(), {"x-factory-api-key": ALICE, "x-api-key": ALICE})
    assert (caller.key.client, caller.own_key, caller.own_authorization) == ("alice", None, None)


@pytest.mark.parametrize("anonymous", [False, True])
@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer sk-own,Bearer {ALICE}"},
        {"authorization": f"Bearer {ALICE},Bearer {ALICE}"},
        {"authorization": f"Bearer sk-own {IMPORTED}"},
        {"x-api-key": f"sk-own, {IMPORTED}"},
        {"x-goog-api-key": f"sk-own,{ALICE}"},
        {"x-api-key": "sk-own,sk-dg-unknown"},
    ],
)
def test_a_header_that_came_twice_with_a_key_of_ours_in_it_goes_nowhere(headers, anonymous):
    with pytest.raises(NotAuthenticated):
        identify(snapshot(anonymous=anonymous), headers)


def test_a_query_that_came_twice_with_a_key_of_ours_in_it_goes_nowhere():
    with pytest.raises(NotAuthenticated):
        identify(snapshot(anonymous=True), {}, query_key=f"AIza-own,{ALICE}")


def test_a_revoked_key_is_still_ours_whatever_it_looks_like():
    revoked = Snapshot(
        keys={digest(IMPORTED): Key(id=3, name="c", client_id=3, client="carol", revoked=True)}, anonymous=True
    )
    for headers in ({"x-api-key": IMPORTED}, {"authorization": f"Bearer {IMPORTED}"}):
        with pytest.raises(NotAuthenticated, match="revoked"):
            identify(revoked, headers)


def test_a_callers_own_key_may_look_a_little_like_ours():
    caller = identify(snapshot(anonymous=True), {"x-api-key": "task-dg-own"})
    assert (caller.key.client, caller.own_key) == ("anonymous", "task-dg-own")


def test_of_several_own_keys_the_one_in_its_own_header_counts():
    headers = {"authorization": f"Bearer {ALICE}", "x-api-key": "sk-ant-own", "x-factory-api-key": "fk-own"}
    assert identify(snapshot(), headers).own_key == "fk-own"


@pytest.mark.parametrize("key", [ALICE, IMPORTED])
@pytest.mark.parametrize("doors", [{}, {"anonymous": True}, {"auth_required": False}])
def test_the_same_key_in_every_place_is_one_key_and_never_goes_upstream(key, doors):
    headers = {"authorization": f"Bearer {key}", "x-api-key": key, "x-goog-api-key": key}
    caller = identify(snapshot(**doors), headers, query_key=key)
    assert caller.key.client in ("alice", "carol")
    assert (caller.own_key, caller.own_authorization) == (None, None)


@pytest.mark.parametrize("doors", [{"anonymous": True}, {"auth_required": False}])
def test_behind_an_open_door_an_own_key_is_the_callers_and_a_wrong_one_of_ours_is_refused(doors):
    caller = identify(snapshot(**doors), {"authorization": "Bearer sk-own"})
    assert (caller.key.client, caller.own_authorization) == ("anonymous", "Bearer sk-own")
    for headers in ({"authorization": "Bearer sk-dg-unknown"}, {"x-goog-api-key": "sk-dg-unknown"}):
        with pytest.raises(NotAuthenticated):
            identify(snapshot(**doors), headers)
    with pytest.raises(NotAuthenticated, match="expired"):
        identify(snapshot(**doors), {"x-api-key": BOB}, now=1000.0, address="10.1.1.1")


def test_an_unknown_key_of_our_form_is_refused_even_with_anonymous_access():
    with pytest.raises(NotAuthenticated):
        identify(snapshot(anonymous=True), {"x-api-key": "sk-dg-unknown"})


def test_two_different_gateway_keys_are_refused():
    with pytest.raises(NotAuthenticated, match="two different"):
        identify(snapshot(), {"authorization": f"Bearer {ALICE}", "x-api-key": BOB}, now=0, address="10.1.1.1")


def test_an_expired_key_is_refused():
    with pytest.raises(NotAuthenticated, match="expired"):
        identify(snapshot(), {"x-api-key": BOB}, now=1000.0, address="10.1.1.1")


@pytest.mark.parametrize("address", ["10.2.3.4", "::1", "::ffff:10.2.3.4"])
def test_an_allowed_address_passes(address):
    assert identify(snapshot(), {"x-api-key": BOB}, now=0, address=address).key.client == "bob"


@pytest.mark.parametrize("address", ["11.0.0.1", "", "not an address", "::2"])
def test_any_other_address_does_not(address):
    with pytest.raises(Forbidden):
        identify(snapshot(), {"x-api-key": BOB}, now=0, address=address)


def test_the_open_door_is_anonymous():
    assert identify(snapshot(anonymous=True), {}).key.client == "anonymous"
    assert identify(snapshot(auth_required=False), {}).key.client == "anonymous"


def test_what_is_no_key_of_ours_is_the_callers_own():
    caller = identify(snapshot(), {"authorization": f"Bearer {ALICE}", "x-api-key": "sk-ant-own"})
    assert (caller.own_key, caller.own_authorization) == ("sk-ant-own", None)
    caller = identify(snapshot(), {"authorization": "Bearer sk-own", "x-api-key": ALICE})
    assert (caller.own_key, caller.own_authorization) == (None, "Bearer sk-own")


def test_a_key_never_shows_in_a_refusal():
    with pytest.raises(NotAuthenticated) as caught:
        identify(snapshot(), {"x-api-key": "sk-dg-typo-of-somebody"})
    assert "typo" not in str(caught.value)
