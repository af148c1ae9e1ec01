"""Who may read the metrics, and that the answer is Prometheus's."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from proxyapp.metrics import meter
from proxyapp.metrics.families import Reading, gauge
from tests.api.management.conftest import signed_in

WAITING = gauge("test_waiting", "Waiting.", "who")


@pytest.fixture(autouse=True)
def source(monkeypatch):
    monkeypatch.setitem(meter.SHARED, "test", lambda: [Reading(WAITING, {('odd "name"\n',): 2})])


def test_an_admin_key_reads_them(ask, admin_key):
    answer = ask("GET", "/metrics", key=admin_key)
    assert answer.status_code == 200
    assert answer["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(answer.content.decode())}
    (sample,) = families["test_waiting"].samples
    assert (sample.labels, sample.value) == ({"who": 'odd "name"\n'}, 2.0)


def test_staff_reads_them_and_others_do_not(ask, inference_key):
    assert ask("GET", "/metrics", browser=signed_in("olga")).status_code == 200
    assert ask("GET", "/metrics", browser=signed_in("sam", staff=False)).status_code == 403
    assert ask("GET", "/metrics", key=inference_key).status_code == 403
    stranger = ask("GET", "/metrics")
    assert (stranger.status_code, stranger["www-authenticate"]) == (401, "Bearer")
    assert stranger.json()["error"]["code"] == "invalid_api_key"


def test_they_are_public_only_when_the_operator_says_so(ask, settings):
    settings.METRICS_PUBLIC = True
    assert ask("GET", "/metrics").status_code == 200
    assert ask("GET", "/metrics", key="sk-dg-wrong").status_code == 200
    assert ask("POST", "/metrics").status_code == 405
