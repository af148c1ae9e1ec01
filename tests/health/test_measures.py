"""Credentials in `/metrics`: who is out, and what is left of limits."""

from __future__ import annotations

import pytest

from proxyapp.engine.health import Health
from proxyapp.health import shelf
from proxyapp.metrics import sources
from proxyapp.models import OAuthToken, Upstream, UpstreamKey


@pytest.fixture
def told(db):
    """What the metrics say after a key went out, another cools for one model, and a third one told its limits."""
    up = Upstream.objects.create(name="up", kind="openai")
    keys = [UpstreamKey.objects.create(upstream=up, name=name, value=name) for name in ("gone", "busy", "well")]
    OAuthToken.objects.create(upstream=up, name="well", seed="s")
    UpstreamKey.objects.create(upstream=up, name="off", value="x", enabled=False)
    health = Health()
    health.failed(f"key:{keys[0].pk}", "no", None, kind="refused")
    health.failed(f"key:{keys[1].pk}", "no", 60, kind="limited", scope="gpt-5")
    for model, left in (("a", "50"), ("b", "20")):
        headers = {"x-ratelimit-limit-requests": "100", "x-ratelimit-remaining-requests": left}
        health.noticed(f"key:{keys[2].pk}", model, headers)
    shelf.write(health.changes())
    shelf.write_uses(health.used())
    return {reading.family.name: dict(reading.values) for reading in sources.SHARED["credentials"]()}


def test_who_is_out_and_for_how_many_models(told):
    out = {labels: value for labels, value in told["dragoman_credential_out"].items() if value}
    assert out == {("up", "key", "gone"): 1}
    models = {labels: value for labels, value in told["dragoman_credential_models_out"].items() if value}
    assert models == {("up", "key", "busy"): 1}
    assert ("up", "token", "well") in told["dragoman_credential_out"]
    assert ("up", "key", "off") not in told["dragoman_credential_out"]


def test_the_least_that_is_left_of_a_limit(told):
    assert told["dragoman_credential_limit_left"] == {("up", "key", "well", "requests"): 0.2}
