"""Console pages of OAuth tokens."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from proxyapp.models import OAuthToken, Upstream, UpstreamKey
from proxyapp.models.config import current_version

LIST = "/admin/proxyapp/oauthtoken/"
SEED = "rt-secret-seed"
REFRESH = "proxyapp_oauthtoken_refresh_this"


@pytest.fixture
def token(db):
    upstream = Upstream.objects.create(name="accounts", kind="openai_compatible", base_url="http://127.0.0.1:9")
    return OAuthToken.objects.create(upstream=upstream, name="olga", token_url="http://127.0.0.1:9/t", seed=SEED)


def put(token, **values):
    OAuthToken.objects.filter(pk=token.pk).update(**values)
    token.refresh_from_db()


def form(token, **changes):
    values = {"upstream": token.upstream_id, "name": token.name, "seed": "", "weight": 1, "enabled": "on",
              "token_url": token.token_url, "client_id": "", "organization_id": ""}  # fmt: skip
    return {**values, **changes}


def page(token):
    return f"{LIST}{token.pk}/change/"


def test_the_list_tells_how_each_token_does_and_shows_none(olga, token):
    assert "due" in olga.get(LIST).content.decode()
    now = timezone.now()
    put(token, tried_digest=token.config_digest, access_token="at-secret", refresh_token="rt-secret-2",
        expires_at=now + timedelta(hours=7, minutes=30, seconds=5), refreshed_at=now - timedelta(minutes=30),
        due_at=now + timedelta(hours=5, minutes=30, seconds=5))  # fmt: skip
    html = olga.get(LIST).content.decode()
    assert "(in 7 h 30 min)" in html
    assert "(30 min ago)" in html
    assert "(in 5 h 30 min)" in html
    assert "fresh" in html
    for address in (LIST, page(token)):
        html = olga.get(address).content.decode()
        assert not [secret for secret in (SEED, "at-secret", "rt-secret-2", "gAAAA") if secret in html]


def test_the_page_of_its_upstream_leads_to_it(olga, token):
    html = olga.get(f"/admin/proxyapp/upstream/{token.upstream_id}/change/").content.decode()
    assert f'href="{page(token)}" class="underline">olga</a> (due)' in html
    assert SEED not in html


def test_what_went_wrong_is_shown(olga, token):
    put(token, tried_digest=token.config_digest, error="invalid_grant", error_message="The server <says> no.")
    for address in (LIST, page(token)):
        html = olga.get(address).content.decode()
        assert "dead: log in anew" in html
        assert "The server &lt;says&gt; no." in html


def test_a_new_refresh_token_starts_anew_also_when_it_is_the_same(olga, token):
    put(token, tried_digest=token.config_digest, error="invalid_grant", error_message="no", seed_digest="x")
    before = current_version()
    assert olga.post(page(token), form(token, seed=SEED)).status_code == 302
    token.refresh_from_db()
    assert (token.error, token.seed_digest, token.is_dead) == ("", "", False)
    assert current_version() > before


def test_saving_without_a_new_token_keeps_all(olga, token):
    put(token, tried_digest=token.config_digest, access_token="at", refresh_token="rt-2", seed_digest="x", generation=3)
    assert olga.post(page(token), form(token, weight=4)).status_code == 302
    token.refresh_from_db()
    assert (token.weight, token.generation, token.seed_digest) == (4, 3, "x")
    assert token.seed.reveal() == SEED
    assert token.refresh_token.reveal() == "rt-2"
    assert not token.is_untried


def test_a_token_that_cannot_be_is_refused_in_words(olga, token):
    html = olga.post(page(token), form(token, token_url="")).content.decode()
    assert "This kind of upstream has no token server of its own" in html
    html = olga.post(page(token), form(token, seed="two words")).content.decode()
    assert "A refresh token has no spaces" in html
    assert "two words" not in html


def test_refresh_now_makes_it_due(olga, token):
    put(token, tried_digest=token.config_digest, due_at=timezone.now() + timedelta(hours=5))
    assert f'name="{REFRESH}"' in olga.get(page(token)).content.decode()
    answer = olga.post(page(token), form(token, **{REFRESH: "1"}), follow=True)
    assert "1 will be refreshed in a moment" in answer.content.decode()
    token.refresh_from_db()
    assert token.due_at is None


def test_refresh_now_says_why_not(olga, token, settings):
    settings.DRAGOMAN_REFRESH_TOKENS = False
    asked = {"action": "refresh_now", "_selected_action": [token.pk]}
    assert "by the next run of refresh_tokens" in olga.post(LIST, asked, follow=True).content.decode()
    UpstreamKey.objects.create(upstream=token.upstream, name="k", value="sk")
    assert "has a static key" in olga.post(LIST, asked, follow=True).content.decode()
    put(token, tried_digest=token.config_digest, error="invalid_grant")
    assert "refresh token is dead" in olga.post(LIST, asked, follow=True).content.decode()
    put(token, enabled=False)
    assert "switched off" in olga.post(LIST, asked, follow=True).content.decode()


def test_who_may_only_look_refreshes_nothing(sam, token):
    put(token, tried_digest=token.config_digest, due_at=timezone.now() + timedelta(hours=5))
    assert sam.get(page(token)).status_code == 200
    assert sam.post(page(token), form(token, **{REFRESH: "1"})).status_code == 403
    sam.post(LIST, {"action": "refresh_now", "_selected_action": [token.pk]})
    token.refresh_from_db()
    assert token.due_at is not None
