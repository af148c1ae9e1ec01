"""Keys in the console: shown once, in the answer itself, and kept nowhere."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.core import serializers

from accounts.keys import digest
from accounts.models import ApiKey

ADD = "/admin/accounts/apikey/add/"


@pytest.fixture
def form(rows):
    return {"client": rows["client"].pk, "name": "phone", "scope": "inference", "models": "claude-*", "allowed_ips": "",
            "expires_at_0": "", "expires_at_1": "", "existing": ""}  # fmt: skip


def the_key(response):
    return re.search(r"sk-dg-[A-Za-z0-9_-]{40,}", response.content.decode())[0]


def test_a_new_key_is_shown_in_the_answer_and_works(olga, form):
    response = olga.post(ADD, form)
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    key = the_key(response)
    row = ApiKey.objects.get(name="phone")
    assert (row.digest, row.prefix, row.models) == (digest(key), key[:12], ["claude-*"])


def test_a_new_key_is_kept_nowhere(olga, form, caplog):
    response = olga.post(ADD, form)
    key = the_key(response)
    assert key not in str(response.cookies)
    assert key not in str([session.get_decoded() for session in Session.objects.all()])
    everything = serializers.serialize("json", [*ApiKey.objects.all(), *LogEntry.objects.all()])
    assert key not in everything
    assert key not in caplog.text
    for page in ("/admin/accounts/apikey/", f"/admin/accounts/apikey/{ApiKey.objects.get(name='phone').pk}/change/"):
        assert key not in olga.get(page).content.decode()


@pytest.mark.parametrize("button", ["_save", "_addanother", "_continue"])
def test_the_key_is_shown_whatever_button_was_used(olga, form, button):
    assert the_key(olga.post(ADD, {**form, button: "1"}))


def test_a_key_of_another_system_is_taken_over_and_not_shown(olga, form):
    response = olga.post(ADD, {**form, "existing": "hunter2-hunter2"})
    assert response.status_code == 302
    assert ApiKey.objects.get(name="phone").digest == digest("hunter2-hunter2")
    assert ApiKey.objects.get(name="phone").prefix == "hunte"


@pytest.mark.parametrize(
    ("existing", "sentence"),
    [("short", "at least 8"), ("with some spaces", "without spaces"), ("sk-dg-known-to-alice-only", "known already")],
)
def test_a_key_that_cannot_be_taken_over_is_refused_and_not_repeated(olga, form, existing, sentence):
    response = olga.post(ADD, {**form, "existing": existing})
    html = response.content.decode()
    assert response.status_code == 200
    assert sentence in html
    assert f'value="{existing}"' not in html


def test_a_name_is_used_once_per_client(olga, form):
    html = olga.post(ADD, {**form, "name": "laptop"}).content.decode()
    assert "already exists" in html
    assert ApiKey.objects.count() == 1


def test_keys_are_revoked_and_enabled_from_the_list(olga, rows):
    for action, state in (("revoke", False), ("enable", True)):
        olga.post("/admin/accounts/apikey/", {"action": action, "_selected_action": [rows["key"].pk]})
        rows["key"].refresh_from_db()
        assert rows["key"].enabled is state


def test_a_change_keeps_the_digest(olga, rows, form):
    before = rows["key"].digest
    page = f"/admin/accounts/apikey/{rows['key'].pk}/change/"
    assert "existing" not in olga.get(page).content.decode()
    olga.post(page, {**form, "name": "renamed", "enabled": "on", "existing": "sk-dg-smuggled-in-here"})
    rows["key"].refresh_from_db()
    assert (rows["key"].name, rows["key"].digest) == ("renamed", before)


def test_the_clients_page_leads_to_a_new_key(olga, rows):
    page = f"/admin/accounts/client/{rows['client'].pk}/change/"
    assert "laptop" in olga.get(page).content.decode()
    response = olga.get(f"/admin/accounts/client/{rows['client'].pk}/add-key/")
    assert response["location"] == f"{ADD}?client={rows['client'].pk}"


def test_who_may_look_makes_and_revokes_no_key(sam, rows, form):
    assert sam.get(ADD).status_code == 403
    assert sam.post(ADD, form).status_code == 403
    sam.post("/admin/accounts/apikey/", {"action": "revoke", "_selected_action": [rows["key"].pk]})
    rows["key"].refresh_from_db()
    assert rows["key"].enabled


def test_a_key_is_rotated_on_its_page_and_the_new_one_shown_once(olga, rows):
    row = rows["key"]
    page = f"/admin/accounts/apikey/{row.pk}/rotate/"
    assert page in olga.get(f"/admin/accounts/apikey/{row.pk}/change/").content.decode()
    assert 'value="24h"' in olga.get(page).content.decode()
    response = olga.post(page, {"overlap": "7d"})
    assert "no-store" in response["Cache-Control"]
    key, before = the_key(response), row.digest
    row.refresh_from_db()
    assert (row.digest, row.previous_digest) == (digest(key), before)
    html = olga.get(f"/admin/accounts/apikey/{row.pk}/change/").content.decode()
    assert key not in html
    assert "old key goes on until" in html.lower()
    assert "UTC UTC" not in olga.get(page).content.decode()
    olga.post(page, {"overlap": ""})
    row.refresh_from_db()
    assert (row.previous_digest, row.overlap_until) == (digest(key), None)


def test_a_wrong_overlap_rotates_nothing(olga, rows):
    html = olga.post(f"/admin/accounts/apikey/{rows['key'].pk}/rotate/", {"overlap": "soon"}).content.decode()
    assert "Give a time up to 366 days" in html
    rows["key"].refresh_from_db()
    assert rows["key"].previous_digest is None


def test_who_may_look_rotates_no_key(sam, rows):
    page = f"/admin/accounts/apikey/{rows['key'].pk}/rotate/"
    assert sam.post(page, {"overlap": "1h"}).status_code == 403
    assert page not in sam.get(f"/admin/accounts/apikey/{rows['key'].pk}/change/").content.decode()
    rows["key"].refresh_from_db()
    assert rows["key"].previous_digest is None
