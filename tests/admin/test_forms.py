"""What an operator meets on the way: the first page, and forms that help."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from proxyapp.models import ModelConfig, Upstream
from tests.admin.conftest import ADD_MODEL, ADD_UPSTREAM, MODEL, UPSTREAM, signed_in

# --- pages -----------------------------------------------------------------------------------------------------------


def test_the_first_page_leads_where_one_may_go_and_says_what_is_there(db, olga):
    html = olga.get("/admin/").content.decode()
    assert "The servers that requests go to" in html
    assert 'id="first-steps"' in html
    rita = get_user_model().objects.create_user("rita", is_staff=True)
    rita.user_permissions.set(Permission.objects.filter(codename="view_requestlog"))
    html = signed_in(rita).get("/admin/").content.decode()
    assert "What was asked, where it went" in html
    assert "The servers that requests go to" not in html
    assert "Routing" not in html.split('id="content"')[1]


def test_who_has_no_rights_is_told_so(db):
    nina = signed_in(get_user_model().objects.create_user("nina", is_staff=True))
    assert "Your account has no rights here" in nina.get("/admin/").content.decode()
    refused = nina.get("/admin/proxyapp/upstream/")
    assert refused.status_code == 403
    assert 'href="/admin/"' in refused.content.decode()


def test_what_is_not_there_leads_back_to_the_console(olga):
    lost = olga.get("/admin/nothing/here/")
    assert lost.status_code == 404
    assert 'href="/admin/"' in lost.content.decode()


def test_signing_out_says_so(olga):
    assert "You are signed out." in olga.post("/admin/logout/").content.decode()


def test_names_are_shown_as_they_are(olga, rows):
    html = olga.get(f"/admin/proxyapp/modelconfig/{rows['model'].pk}/change/").content.decode()
    header = html.split("chevron_right")[2]
    assert "claude" in header
    assert "Claude" not in header


def test_times_are_iso_with_their_zone(olga, rows):
    created = f"{rows['client'].created_at:%Y-%m-%d %H:%M} UTC"
    assert created in olga.get("/admin/accounts/client/").content.decode()


# --- forms -----------------------------------------------------------------------------------------------------------


def test_nothing_is_an_empty_input(olga):
    html = olga.get(ADD_MODEL).content.decode() + olga.get(ADD_UPSTREAM).content.decode()
    for name in ("profile", "prices", "headers"):
        box = html.split(f'<textarea name="{name}"')[1].split("</textarea>")[0]
        assert box.split(">", 1)[1].strip() == ""
    assert olga.post(ADD_MODEL, MODEL).status_code == 302
    assert olga.post(ADD_UPSTREAM, UPSTREAM).status_code == 302
    model, upstream = ModelConfig.objects.get(), Upstream.objects.get()
    assert (model.profile, model.prices, upstream.headers) == ({}, None, {})


@pytest.mark.parametrize(
    ("page", "part"),
    [(ADD_MODEL, "routes"), (ADD_UPSTREAM, "keys"), ("/admin/proxyapp/proxypool/add/", "proxies")],
)
def test_a_new_object_offers_its_first_part(olga, page, part):
    assert f'name="{part}-0-enabled"' in olga.get(page).content.decode()


def test_a_first_part_that_is_left_alone_is_none(olga, rows):
    untouched = {"keys-TOTAL_FORMS": "1", "keys-0-name": "", "keys-0-value": "", "keys-0-weight": "1",
                 "keys-0-enabled": "on"}  # fmt: skip
    assert olga.post(ADD_UPSTREAM, {**UPSTREAM, **untouched}).status_code == 302
    assert Upstream.objects.get(name="new").keys.count() == 0
    html = olga.get(f"/admin/proxyapp/upstream/{rows['upstream'].pk}/change/").content.decode()
    assert 'name="keys-1-name"' not in html


def test_a_new_client_has_no_table_of_keys(olga, rows):
    assert "keys-TOTAL_FORMS" not in olga.get("/admin/accounts/client/add/").content.decode()
    assert "keys-TOTAL_FORMS" in olga.get(f"/admin/accounts/client/{rows['client'].pk}/change/").content.decode()


def test_the_page_of_a_new_key_names_it_and_copies(olga, rows):
    form = {"client": rows["client"].pk, "name": "phone", "scope": "inference", "models": "", "allowed_ips": "",
            "expires_at_0": "2099-01-31", "expires_at_1": "12:00", "existing": ""}  # fmt: skip
    html = olga.post("/admin/accounts/apikey/add/", form).content.decode()
    assert "Key phone of client alice, scope inference, until 2099-01-31 12:00 UTC." in html
    assert 'id="copy-key"' in html
