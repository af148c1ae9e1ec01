"""`/auth/keys`: what may be sent, what comes back, what is refused and how it is said."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import keys
from accounts.issuing import issue
from accounts.models import ApiKey, Client
from proxyapp.config.build import build_snapshot
from proxyapp.engine.identify import identify
from proxyapp.errors import NotAuthenticated
from tests.api.management.conftest import signed_in

LISTED = {"id", "client", "name", "prefix", "scope", "models", "allowed_ips", "expires", "enabled", "state",
          "created_at", "last_used_at", "overlap_until"}  # fmt: skip


def error(answer) -> tuple[int, str, str | None]:
    told = answer.json()["error"]
    assert set(told) == {"message", "type", "param", "code"}
    return answer.status_code, told["code"], told["param"]


def caller_with(key: str):
    """Who that is by the configuration in force from now on."""
    return identify(build_snapshot(), {"authorization": f"Bearer {key}"})


# --- made ------------------------------------------------------------------------------------------------------------


def test_a_key_is_made_shown_once_and_works(ask, admin_key, alice):
    body = {"client": "alice", "name": "phone", "scope": "inference", "models": ["claude-*"],
            "expires": "2099-01-31", "allowed_ips": ["10.0.0.0/8"]}  # fmt: skip
    answer = ask("POST", "/auth/keys", body, key=admin_key)
    assert (answer.status_code, answer["cache-control"]) == (201, "no-store")
    made = answer.json()
    assert set(made) == LISTED | {"key", "client_created"}
    assert made["key"].startswith("sk-dg-")
    assert (made["expires"], made["state"], made["client_created"]) == ("2099-01-31T00:00:00Z", "active", False)
    row = ApiKey.objects.get(pk=made["id"])
    assert (row.digest, row.models, row.allowed_ips) == (keys.digest(made["key"]), ["claude-*"], ["10.0.0.0/8"])
    later = ask("GET", f"/auth/keys/{made['id']}", key=admin_key)
    assert set(later.json()) == LISTED
    assert made["key"] not in later.content.decode() + ask("GET", "/auth/keys", key=admin_key).content.decode()


def test_the_least_that_can_be_said_is_enough(ask, admin_key, alice):
    made = ask("POST", "/auth/keys", {"client": "alice", "name": "k"}, key=admin_key).json()
    assert (made["scope"], made["models"], made["expires"], made["allowed_ips"]) == ("inference", [], None, [])
    assert caller_with(made["key"]).key.client == "alice"


def test_a_client_that_is_not_there_is_made_and_told(ask, admin_key):
    made = ask("POST", "/auth/keys", {"client": "dora", "name": "k"}, key=admin_key).json()
    assert made["client_created"] is True
    assert Client.objects.get(name="dora").keys.count() == 1


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"name": "k"}, "client"),
        ({"client": "alice"}, "name"),
        ({"client": "alice", "name": ""}, "name"),
        ({"client": "alice", "name": "a\nb"}, "name"),
        ({"client": "alice", "name": "a\0b"}, "name"),
        ({"client": "a\0b", "name": "k"}, "client"),
        ({"client": " dora", "name": "k"}, "client"),
        ({"client": "alice", "name": 7}, "name"),
        ({"client": "alice", "name": "x" * 101}, "name"),
        ({"client": "alice", "name": "k", "scope": "root"}, "scope"),
        ({"client": "alice", "name": "k", "models": "claude-*"}, "models"),
        ({"client": "alice", "name": "k", "models": ["a*b*"]}, "models"),
        ({"client": "alice", "name": "k", "models": ["\0"]}, "models"),
        ({"client": "alice", "name": "k", "models": ["m"] * 1001}, "models"),
        ({"client": "alice", "name": "k", "allowed_ips": ["home"]}, "allowed_ips"),
        ({"client": "alice", "name": "k", "expires": "tomorrow"}, "expires"),
        ({"client": "alice", "name": "k", "expires": "2020-01-01"}, "expires"),
        ({"client": "alice", "name": "k", "expires": "9999-12-31T23:59:59-01:00"}, "expires"),
        ({"client": "alice", "name": "k", "expires": 1893456000}, "expires"),
        ({"client": "alice", "name": "k", "enabled": False}, "enabled"),
        ({"client": "alice", "name": "k", "key": "sk-dg-mine"}, "key"),
    ],
)
def test_what_cannot_be_made_is_refused_by_its_field(ask, admin_key, alice, body, param):
    before = ApiKey.objects.count(), Client.objects.count()
    assert error(ask("POST", "/auth/keys", body, key=admin_key)) == (400, None, param)
    assert (ApiKey.objects.count(), Client.objects.count()) == before


@pytest.mark.parametrize(
    "body", ["", "{", "[]", '"text"', "null", '{"client": "alice", "name": "k"', "\xff", "[" * 5000]
)
def test_what_is_no_json_object_is_refused(ask, admin_key, body):
    answer = ask("POST", "/auth/keys", body.encode("latin-1"), key=admin_key)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_a_name_that_is_taken_is_a_conflict(ask, admin_key, alice, inference_key):
    assert error(ask("POST", "/auth/keys", {"client": "alice", "name": "laptop"}, key=admin_key)) == (
        409, "conflict", "name",
    )  # fmt: skip
    made = ask("POST", "/auth/keys", {"client": "alice", "name": "phone"}, key=admin_key).json()
    assert error(ask("PATCH", f"/auth/keys/{made['id']}", {"name": "laptop"}, key=admin_key))[:2] == (409, "conflict")


def test_the_media_type_of_a_body_does_not_matter(ask, admin_key, alice):
    for media_type in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"):
        body = json.dumps({"client": "alice", "name": media_type[:9]}).encode()
        answer = ask("POST", "/auth/keys", body, key=admin_key, **{"content-type": media_type})
        assert answer.status_code == 201, answer.content


# --- listed ----------------------------------------------------------------------------------------------------------


def test_the_list_comes_in_pages_with_a_total(ask, admin_key, alice):
    for number in range(5):
        issue(alice, f"k{number}")
    first = ask("GET", "/auth/keys?client=alice&limit=2", key=admin_key).json()
    assert (first["total"], [row["name"] for row in first["results"]]) == (5, ["k0", "k1"])
    names, following = [], first["next"]
    while following:
        page = ask("GET", following, key=admin_key).json()
        names += [row["name"] for row in page["results"]]
        following = page["next"]
    assert names == ["k2", "k3", "k4"]
    assert ask("GET", "/auth/keys?offset=1000000000", key=admin_key).json()["results"] == []


def test_revoked_and_expired_keys_are_listed_with_their_state(ask, admin_key, alice):
    issue(alice, "revoked", enabled=False)
    row, _ = issue(alice, "expired")
    ApiKey.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    issue(Client.objects.create(name="off", enabled=False), "of-a-client-that-is-off")
    rows = ask("GET", "/auth/keys", key=admin_key).json()["results"]
    states = {row["name"]: row["state"] for row in rows}
    assert states == {"terminal": "active", "revoked": "revoked", "expired": "expired",
                      "of-a-client-that-is-off": "revoked"}  # fmt: skip
    for state in ("active", "expired", "revoked"):
        found = ask("GET", f"/auth/keys?state={state}", key=admin_key).json()["results"]
        assert {row["name"] for row in found} == {name for name, one in states.items() if one == state}
    assert [row["name"] for row in ask("GET", "/auth/keys?scope=admin", key=admin_key).json()["results"]] == [
        "terminal"
    ]
    assert ask("GET", "/auth/keys?client=nobody", key=admin_key).json() == {"total": 0, "next": None, "results": []}


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=x", "limit=-1", "offset=-1", "offset=99999999999", "page=2", "state=gone",
     "scope=root", "client=a&client=b", "client=%00", "limit=²"],
)  # fmt: skip
def test_a_wrong_query_is_refused_by_its_name(ask, admin_key, query):
    assert error(ask("GET", f"/auth/keys?{query}", key=admin_key)) == (400, None, query.partition("=")[0])


# --- changed, deleted ------------------------------------------------------------------------------------------------


def test_changes_are_in_force_with_the_next_snapshot(ask, admin_key, alice):
    row, key = issue(alice, "laptop")
    path = f"/auth/keys/{row.pk}"
    changed = ask("PATCH", path, {"models": ["gpt-*"], "expires": "30d", "name": "desk"}, key=admin_key).json()
    assert (changed["name"], changed["models"]) == ("desk", ["gpt-*"])
    assert caller_with(key).key.models == ("gpt-*",)
    assert ask("PATCH", path, {"expires": None}, key=admin_key).json()["expires"] is None
    assert ask("PATCH", path, {}, key=admin_key).status_code == 200
    assert ask("PATCH", path, {"enabled": False}, key=admin_key).json()["state"] == "revoked"
    with pytest.raises(NotAuthenticated, match="revoked"):
        caller_with(key)
    assert ask("PATCH", path, {"enabled": True}, key=admin_key).json()["state"] == "active"
    assert ask("DELETE", path, key=admin_key).status_code == 204
    with pytest.raises(NotAuthenticated):
        caller_with(key)
    assert error(ask("DELETE", path, key=admin_key)) == (404, "key_not_found", None)


@pytest.mark.parametrize(
    ("body", "param"),
    [({"client": "carol"}, "client"), ({"prefix": "sk-"}, "prefix"), ({"name": None}, "name"),
     ({"enabled": "no"}, "enabled"), ({"expires": "2020-01-01"}, "expires"), ({"models": [1]}, "models")],
)  # fmt: skip
def test_a_wrong_change_changes_nothing(ask, admin_key, alice, body, param):
    row, _ = issue(alice, "laptop")
    assert error(ask("PATCH", f"/auth/keys/{row.pk}", {"name": "new", **body}, key=admin_key)) == (
        400, None, param,
    )  # fmt: skip
    row.refresh_from_db()
    assert row.name == "laptop"


@pytest.mark.parametrize("key_id", ["0", "-1", "abc", "9" * 18, "9" * 40, "1.0", "²", "%00", "1;2"])
def test_an_id_that_is_none_is_not_found(ask, admin_key, key_id):
    for method in ("GET", "PATCH", "DELETE"):
        answer = ask(method, f"/auth/keys/{key_id}", {}, key=admin_key)
        assert error(answer) == (404, "key_not_found", None)
    assert ask("POST", f"/auth/keys/{key_id}/rotate", {}, key=admin_key).status_code == 404


@pytest.mark.parametrize("body", [{"enabled": False}, {"scope": "inference"}, {"allowed_ips": ["10.0.0.0/8"]}])
def test_nobody_shuts_out_the_key_that_they_are_using(ask, admin_key, body):
    own = ApiKey.objects.get(name="terminal")
    assert error(ask("PATCH", f"/auth/keys/{own.pk}", body, key=admin_key))[:2] == (409, "conflict")
    assert error(ask("DELETE", f"/auth/keys/{own.pk}", key=admin_key))[:2] == (409, "conflict")
    assert ask("PATCH", f"/auth/keys/{own.pk}", {"allowed_ips": ["127.0.0.1"]}, key=admin_key).status_code == 200
    _, other = issue(own.client, "another", scope="admin")
    assert ask("PATCH", f"/auth/keys/{own.pk}", body, key=other).status_code == 200


# --- renewed ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("overlap", "seconds"), [("24h", 86400), (90, 90), ("90", 90), (0.5, 0.5), ("2w", 1209600)])
def test_both_keys_work_until_the_overlap_is_over(ask, admin_key, alice, overlap, seconds):
    row, old = issue(alice, "laptop", models=["claude-*"])
    renewed = ask("POST", f"/auth/keys/{row.pk}/rotate", {"overlap": overlap}, key=admin_key).json()
    assert (renewed["id"], renewed["name"], renewed["models"]) == (row.pk, "laptop", ["claude-*"])
    row.refresh_from_db()
    left = (row.previous_until - timezone.now()).total_seconds()
    assert seconds - 60 < left <= seconds
    snapshot, until = build_snapshot(), row.previous_until.timestamp()
    for key, now in ((renewed["key"], until + 1), (old, until - 0.1)):
        assert identify(snapshot, {"x-api-key": key}, now=now).key.id == row.pk
    with pytest.raises(NotAuthenticated, match="replaced"):
        identify(snapshot, {"x-api-key": old}, now=until)
    with pytest.raises(NotAuthenticated, match="two different"):
        identify(snapshot, {"x-api-key": old, "authorization": f"Bearer {renewed['key']}"}, now=until - 1)


@pytest.mark.parametrize("body", [None, {}, {"overlap": 0}, {"overlap": None}])
def test_without_overlap_the_old_key_ends_at_once_and_stays_ours(ask, admin_key, alice, body):
    row = ApiKey(client=alice, name="imported")
    row.take("an-old-key-of-another-system")
    row.save()
    renewed = ask("POST", f"/auth/keys/{row.pk}/rotate", body, key=admin_key).json()
    assert (renewed["overlap_until"], renewed["key"][:6]) == (None, "sk-dg-")
    with pytest.raises(NotAuthenticated, match="replaced"):
        caller_with("an-old-key-of-another-system")
    assert caller_with(renewed["key"]).own_authorization is None


def test_of_two_rotations_the_last_old_key_goes_on(ask, admin_key, alice):
    row, first = issue(alice, "laptop")
    path = f"/auth/keys/{row.pk}/rotate"
    second = ask("POST", path, {"overlap": "24h"}, key=admin_key).json()["key"]
    third = ask("POST", path, {"overlap": "1h"}, key=admin_key).json()["key"]
    assert {caller_with(key).key.id for key in (second, third)} == {row.pk}
    with pytest.raises(NotAuthenticated):
        caller_with(first)


@pytest.mark.parametrize("overlap", ["soon", -1, "-1", 10**9, "60w", True, [], "1e3", "", 1e400])
def test_a_wrong_overlap_is_refused_and_renews_nothing(ask, admin_key, alice, overlap):
    row, key = issue(alice, "laptop")
    answer = ask("POST", f"/auth/keys/{row.pk}/rotate", {"overlap": overlap}, key=admin_key)
    assert answer.status_code == 400
    assert caller_with(key).key.id == row.pk


def test_an_admin_key_renews_itself_and_the_old_one_goes_on_to_manage(ask, admin_key):
    own = ApiKey.objects.get(name="terminal")
    new = ask("POST", f"/auth/keys/{own.pk}/rotate", {"overlap": "1h"}, key=admin_key).json()["key"]
    for key in (admin_key, new):
        assert ask("GET", "/auth/keys", key=key).status_code == 200
    assert error(ask("DELETE", f"/auth/keys/{own.pk}", key=admin_key))[:2] == (409, "conflict")
    newest = ask("POST", f"/auth/keys/{own.pk}/rotate", key=new).json()["key"]
    assert [ask("GET", "/auth/keys", key=key).status_code for key in (admin_key, new, newest)] == [401, 401, 200]


# --- who may ---------------------------------------------------------------------------------------------------------


def test_a_key_opens_nothing_from_the_moment_it_is_revoked(ask, admin_key):
    ApiKey.objects.filter(name="terminal").update(enabled=False)
    assert error(ask("GET", "/auth/keys", key=admin_key)) == (401, "invalid_api_key", None)


def test_the_use_of_an_admin_key_is_written_down_without_a_new_configuration(ask, admin_key):
    version = build_snapshot().version
    ask("GET", "/auth/keys", key=admin_key)
    first = ApiKey.objects.get(name="terminal").last_used_at
    ask("GET", "/auth/keys", key=admin_key)
    assert first is not None
    assert ApiKey.objects.get(name="terminal").last_used_at == first
    assert build_snapshot().version == version


def test_staff_does_what_its_rights_say_and_sends_the_csrf_token(ask, alice, inference_key):
    row = ApiKey.objects.get(name="laptop")
    looks, makes = signed_in("sam", codes=["view_apikey"]), signed_in("olga", codes=["view_apikey", "add_apikey"])
    for browser in (looks, makes):
        assert ask("GET", "/auth/keys", browser=browser).status_code == 200
        browser.get("/admin/password_change/")  # a form, which brings the token
    body = {"client": "alice", "name": "phone"}

    def post(browser, token=True, **body):
        headers = {"x-csrftoken": browser.cookies["dragoman_csrf"].value} if token else {}
        return ask("POST", "/auth/keys", body, browser=browser, **headers)

    assert error(post(makes, token=False, **body)) == (403, "forbidden", None)
    assert post(looks, **body).status_code == 403
    assert post(makes, **body).status_code == 201
    assert post(makes, **{**body, "client": "new"}).status_code == 403  # may not make clients
    for method in ("PATCH", "DELETE"):
        token = makes.cookies["dragoman_csrf"].value
        answer = ask(method, f"/auth/keys/{row.pk}", {}, browser=makes, **{"x-csrftoken": token})
        assert answer.status_code == 403


def test_what_is_nowhere_is_said_in_the_same_shape(ask, admin_key):
    assert error(ask("GET", "/auth/nothing", key=admin_key)) == (404, "not_found", None)
    assert ask("GET", "/auth/nothing").status_code == 401
    answer = ask("PUT", "/auth/keys", {}, key=admin_key)
    assert (answer.status_code, answer["allow"]) == (405, "GET, POST, HEAD, OPTIONS")
    assert ask("GET", "/auth/keys/", key=admin_key).status_code == 200


def test_a_host_that_is_not_allowed_is_told_in_the_same_shape(ask, admin_key):
    answer = ask("GET", "/auth/keys", key=admin_key, host="evil.example")
    assert error(answer) == (400, None, None)
    assert "ALLOWED_HOSTS" in answer.json()["error"]["message"]
    assert ask("GET", "/admin/login/", host="evil.example")["content-type"].startswith("text/html")
