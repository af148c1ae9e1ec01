"""Every page of the console: who may open it, what it carries, and that no secret is on it."""

import re

import pytest

from proxyapp.models import Upstream, UpstreamKey

SECRETS = ("sk-ant-secret-main", "blue-secret", "pass-word", "sk-dg-known-to-alice-only", "gAAAA")


def test_the_operator_opens_every_page(olga, pages):
    for page in [page for group in pages for page in group]:
        assert olga.get(page).status_code == 200, page


def test_no_page_holds_a_secret(olga, sam, pages):
    lists, _, changes = pages
    for person in (olga, sam):
        for page in [*lists, *changes, "/admin/"]:
            html = person.get(page).content.decode()
            assert not [secret for secret in SECRETS if secret in html], page


def test_who_may_look_sees_everything_and_changes_nothing(sam, pages):
    lists, adds, changes = pages
    for page in [*lists, *changes]:
        assert sam.get(page).status_code == 200, page
    for page in adds:
        assert sam.get(page).status_code == 403, page
    for page in changes:
        html = sam.get(page).content.decode()
        assert 'type="password"' not in html, page
        assert 'name="_save"' not in html, page
        assert sam.post(page, {"name": "stolen"}).status_code == 403, page


def test_who_may_look_sees_that_a_secret_is_there(sam, rows):
    html = sam.get(f"/admin/proxyapp/upstream/{rows['upstream'].pk}/change/").content.decode()
    assert "(set)" in html


def test_who_is_not_signed_in_sees_the_sign_in_page_only(nobody, pages):
    for page in [page for group in pages for page in group]:
        response = nobody.get(page)
        assert response.status_code == 302
        assert response["location"].startswith("/admin/login/")


def test_pages_refer_to_no_other_host(olga, pages):
    for page in [page for group in pages for page in group] + ["/admin/", "/admin/login/"]:
        html = olga.get(page).content.decode()
        loaded = re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="([^"]+)"', html)
        assert not [url for url in loaded if url.startswith(("http:", "https:", "//"))], page
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>\s*\S", html), page
        assert not re.search(r"<[^>]+\son[a-z]+=", html), page


def test_everything_that_a_page_loads_is_served(olga, pages):
    html = olga.get("/admin/proxyapp/upstream/add/").content.decode() + olga.get("/admin/").content.decode()
    for url in set(re.findall(r'(?:src|href)="(/static/[^"?]+)', html)):
        assert olga.get(url).status_code == 200, url


def test_the_sidebar_leads_to_the_pages(olga):
    html = olga.get("/admin/").content.decode()
    for page in (
        "proxyapp/modelconfig",
        "proxyapp/upstream",
        "proxyapp/upstreamkey",
        "proxyapp/proxypool",
        "accounts/client",
        "accounts/apikey",
    ):
        assert f'href="/admin/{page}/"' in html
    assert "Dragoman" in html


def test_search_works_on_every_list(olga, pages):
    lists, _, _ = pages
    for page in lists:
        assert olga.get(page, {"q": "a"}).status_code == 200, page


def an_upstream_form(upstream=None, **changes):
    keys = list(upstream.keys.all()) if upstream else []
    form = {
        "name": "anthropic", "kind": "anthropic", "api": "", "base_url": "", "enabled": "on", "headers": "",
        "system_prompt": "", "api_version": "", "retries": "2", "timeout_connect": "10", "timeout_first_byte": "300",
        "timeout_idle": "300", "timeout_total": "3600", "proxy_pool": "",
        "keys-TOTAL_FORMS": str(len(keys)), "keys-INITIAL_FORMS": str(len(keys)),
    }  # fmt: skip
    for number, key in enumerate(keys):
        row = {
            "id": key.pk,
            "upstream": upstream.pk,
            "name": key.name,
            "value": "",
            "weight": key.weight,
            "enabled": "on",
        }
        form |= {f"keys-{number}-{name}": value for name, value in row.items()}
    return {**form, **changes}


def a_model_form(**changes):
    form = {"name": "new", "aliases": "", "enabled": "on", "reasoning": "auto", "profile": "{}", "prices": "",
            "routes-TOTAL_FORMS": "0", "routes-INITIAL_FORMS": "0"}  # fmt: skip
    return {**form, **changes}


def saved(client, page, form):
    response = client.post(page, form)
    assert response.status_code == 302, re.findall(r"errorlist.*?</ul>", response.content.decode(), re.DOTALL)


def test_an_upstream_is_added_with_its_key(olga):
    form = an_upstream_form(headers='{"x-team": "red"}')
    form |= {"keys-TOTAL_FORMS": "1", "keys-0-name": "main", "keys-0-value": "sk-new", "keys-0-weight": "1",
             "keys-0-enabled": "on"}  # fmt: skip
    saved(olga, "/admin/proxyapp/upstream/add/", form)
    upstream = Upstream.objects.get()
    assert upstream.headers.reveal() == {"x-team": "red"}
    assert upstream.keys.get().value.reveal() == "sk-new"


def test_empty_secret_inputs_keep_what_is_stored(olga, rows):
    upstream = rows["upstream"]
    page = f"/admin/proxyapp/upstream/{upstream.pk}/change/"
    assert "set; leave empty to keep" in olga.get(page).content.decode()
    saved(olga, page, an_upstream_form(upstream, retries="7"))
    upstream = Upstream.objects.get()
    assert upstream.retries == 7
    assert upstream.headers.reveal() == {"x-team": "blue-secret"}
    assert upstream.keys.get().value.reveal() == "sk-ant-secret-main"


def test_secret_inputs_replace_and_remove(olga, rows):
    upstream = rows["upstream"]
    form = an_upstream_form(upstream, headers="{}", **{"keys-0-value": "sk-replaced"})
    saved(olga, f"/admin/proxyapp/upstream/{upstream.pk}/change/", form)
    assert Upstream.objects.get().headers == {}
    assert UpstreamKey.objects.get().value.reveal() == "sk-replaced"


def test_an_upstream_whose_secrets_are_unreadable_can_be_repaired(olga, rows, settings):
    settings.DRAGOMAN_ENCRYPTION_KEYS = ["b3RoZXIta2V5LTMyLWJ5dGVzLWxvbmctYW5kLW1vcmU="]
    upstream = rows["upstream"]
    page = f"/admin/proxyapp/upstream/{upstream.pk}/change/"
    assert olga.get(page).status_code == 200
    assert olga.get("/admin/proxyapp/upstream/").status_code == 200
    form = an_upstream_form(upstream, headers='{"x-team": "new"}', **{"keys-0-value": "sk-repaired"})
    saved(olga, page, form)
    assert Upstream.objects.get().headers.reveal() == {"x-team": "new"}
    assert UpstreamKey.objects.get().value.reveal() == "sk-repaired"


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("headers", "not json", "Give a JSON object"),
        ("headers", '{"a b": "c"}', "is no header name"),
        ("base_url", "ftp://h", "begins with http"),
        ("base_url", "https://u:p@h", "no name and password"),
        ("name", "a b", "Use letters, digits"),
    ],
)
def test_wrong_input_is_answered_with_a_sentence(olga, field, value, sentence):
    response = olga.post("/admin/proxyapp/upstream/add/", an_upstream_form(**{field: value}))
    assert response.status_code == 200
    assert sentence in response.content.decode()


def test_an_upstream_says_who_uses_it_and_stays_while_it_is_used(olga, rows):
    upstream = rows["upstream"]
    html = olga.get(f"/admin/proxyapp/upstream/{upstream.pk}/change/").content.decode()
    assert f'<a href="/admin/proxyapp/modelconfig/{rows["model"].pk}/change/" class="underline">claude</a>' in html
    olga.post(f"/admin/proxyapp/upstream/{upstream.pk}/delete/", {"post": "yes"})
    assert Upstream.objects.exists()


def test_lists_are_edited_one_per_line(olga, rows):
    model = rows["model"]
    page = f"/admin/proxyapp/modelconfig/{model.pk}/change/"
    assert "sonnet\nopus</textarea>" in olga.get(page).content.decode()
    saved(olga, page, a_model_form(name="claude", aliases=" haiku \n\nsonnet\n", profile='{"sampling": false}'))
    model.refresh_from_db()
    assert model.aliases == ["haiku", "sonnet"]
    assert model.profile == {"sampling": False}


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("profile", '{"samplin": false}', "profile has no field"),
        ("profile", "[1]", "Give a JSON object"),
        ("prices", '{"input": -1}', "A price is a number"),
        ("aliases", "a*b*", "more than one"),
        ("aliases", "claude", "already belongs to the model"),
    ],
)
def test_a_wrong_model_is_answered_with_a_sentence(olga, rows, field, value, sentence):
    response = olga.post("/admin/proxyapp/modelconfig/add/", a_model_form(**{field: value}))
    assert response.status_code == 200
    assert sentence in response.content.decode()


@pytest.mark.parametrize("page", ["proxyapp/upstream", "proxyapp/modelconfig", "accounts/client"])
def test_rows_are_switched_off_and_on_from_the_list(olga, rows, page):
    row = rows[{"proxyapp/upstream": "upstream", "proxyapp/modelconfig": "model", "accounts/client": "client"}[page]]
    for action, state in (("disable", False), ("enable", True)):
        olga.post(f"/admin/{page}/", {"action": action, "_selected_action": [row.pk]})
        row.refresh_from_db()
        assert row.enabled is state


def test_who_may_look_cannot_switch(sam, rows):
    sam.post("/admin/proxyapp/upstream/", {"action": "disable", "_selected_action": [rows["upstream"].pk]})
    rows["upstream"].refresh_from_db()
    assert rows["upstream"].enabled
