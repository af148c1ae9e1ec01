"""How keys do, in the console: why one is out, until when, what is left of its limits, and putting it back."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from proxyapp.engine.health import Health
from proxyapp.health import shelf
from proxyapp.models import HealthState, UpstreamKey

LIST = "/admin/proxyapp/upstreamkey/"


@pytest.fixture
def key(rows):
    return rows["upstream"].keys.get()


@pytest.fixture
def page(rows):
    return f"/admin/proxyapp/upstream/{rows['upstream'].pk}/change/"


@pytest.fixture
def back(key):
    return f"/admin/proxyapp/upstream/put-back/key/{key.pk}/"


def out(key, kind="refused", seconds=None, scope="", status=401):
    health = Health()
    health.failed(f"key:{key.pk}", "It is out.", seconds, status=status, kind=kind, scope=scope)
    shelf.write(health.changes())


def text(response):
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_a_key_that_is_out_says_why_and_until_when(olga, key, page):
    out(key)
    for where in (page, LIST):
        shown = text(olga.get(where))
        assert "401: It is out." in shown
        assert "Until it is put back or changed." in shown
    assert "1 out" in text(olga.get("/admin/proxyapp/upstream/"))


def test_a_key_that_cools_for_one_model_says_so(olga, key, page):
    out(key, "limited", 3600, "gpt-5", 429)
    shown = text(olga.get(page))
    assert "gpt-5: 429: It is out." in shown
    assert "cooling" in shown
    until = HealthState.objects.get(scope="gpt-5").until
    assert f"{until:%H:%M}" in shown
    assert "1 cooling" in text(olga.get("/admin/proxyapp/upstream/"))


def test_a_key_whose_time_is_over_is_tried_next(olga, key, page):
    out(key, "unpaid", 60, status=402)
    HealthState.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert "The next request tries it." in text(olga.get(page))


def test_a_key_without_trouble_is_well_or_was_never_used(olga, key, page):
    assert "not used yet" in text(olga.get(page))
    health = Health()
    health.succeeded(f"key:{key.pk}")
    shelf.write_uses(health.used())
    shown = text(olga.get(page))
    assert ">well<" in shown
    assert "Put back</button>" not in shown


def test_limits_are_shown_with_what_is_left_and_when_they_are_whole_again(olga, key):
    health = Health()
    headers = {
        "x-ratelimit-limit-requests": "5000",
        "x-ratelimit-remaining-requests": "4987",
        "x-ratelimit-reset-requests": "1h",
        "x-ratelimit-limit-tokens": "160000",
        "x-ratelimit-remaining-tokens": "7",
        "x-ratelimit-reset-tokens": "0",
    }
    health.noticed(f"key:{key.pk}", "<b>gpt-5</b>", headers)
    shelf.write_uses(health.used())
    shown = text(olga.get(LIST))
    assert "requests: 4,987 of 5,000 left, whole again" in shown
    assert "tokens: 160,000 of 160,000 left" in shown, "its reset has come"
    assert "<b>gpt-5</b>" not in shown


@pytest.mark.parametrize(
    "quota", [[], {"m": 3}, {"m": [[1], None, ["requests", 1, 1, 1e300], ["requests", 1, 1, "x"]]}]
)
def test_strange_limits_break_no_page(olga, key, quota):
    HealthState.objects.create(subject=f"key:{key.pk}", quota=quota)
    assert olga.get(LIST).status_code == 200


def test_putting_back_ends_it_and_is_written_down(olga, key, page, back):
    out(key)
    assert f'formaction="{back}"' in olga.get(page).content.decode()
    response = olga.post(back, {"name": "not saved"})
    assert response["location"] == page
    assert HealthState.objects.get().kind == ""
    assert "main is put back" in text(olga.get(page))
    assert "Put back main." in LogEntry.objects.get().get_change_message()
    assert UpstreamKey.objects.get().upstream.name == "anthropic"


def test_several_are_put_back_from_the_list(olga, key):
    out(key)
    out(key, "limited", 60, "m", 429)
    shown = text(olga.post(LIST, {"action": "put_back", "_selected_action": [key.pk]}, follow=True))
    assert "1 put back" in shown
    assert not HealthState.objects.exclude(kind="").exists()


def test_who_may_look_sees_it_and_puts_nothing_back(sam, nobody, key, page, back):
    out(key)
    assert "401: It is out." in text(sam.get(page))
    assert "Put back" not in text(sam.get(page))
    assert "Put back" not in text(sam.get(LIST))
    assert sam.post(back).status_code == 403
    sam.post(LIST, {"action": "put_back", "_selected_action": [key.pk]})
    assert nobody.post(back).status_code == 302
    assert HealthState.objects.get().kind == "refused"


def test_the_address_takes_nothing_else(olga, key, back):
    assert olga.get(back).status_code == 405
    assert olga.post("/admin/proxyapp/upstream/put-back/key/999999/").status_code == 404
    assert olga.post(f"/admin/proxyapp/upstream/put-back/proxy/{key.pk}/").status_code == 403


def test_a_key_in_the_list_leads_to_its_upstream(olga, key, page):
    assert olga.get(f"{LIST}{key.pk}/change/")["location"] == page
    assert olga.get(f"{LIST}add/").status_code == 403
    assert olga.get(f"{LIST}999/change/").status_code == 404
