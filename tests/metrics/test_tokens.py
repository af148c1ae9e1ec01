"""How tokens do, as numbers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from proxyapp.metrics.exposition import expose
from proxyapp.metrics.meter import Meter
from proxyapp.models import OAuthToken, Upstream

pytestmark = pytest.mark.django_db


def test_tokens_are_measured_by_their_rows(tmp_path):
    upstream = Upstream.objects.create(name="accounts", kind="openai_compatible", base_url="http://127.0.0.1:9")
    now = timezone.now()
    for name, facts in {
        "olga": {"expires_at": now + timedelta(hours=2), "due_at": now + timedelta(hours=1), "generation": 7},
        "dead": {"expires_at": now - timedelta(hours=1), "error": "invalid_grant", "failures_total": 3},
        "new": {"tried_digest": "another"},
        "off": {"enabled": False},
    }.items():
        token = OAuthToken.objects.create(upstream=upstream, name=name, token_url="http://h/t", seed=f"rt-{name}")
        OAuthToken.objects.filter(pk=token.pk).update(**{"tried_digest": token.config_digest, **facts})
    body, _ = expose(Meter(tmp_path).gather(), "")
    lines = dict(line.rsplit(" ", 1) for line in body.decode().splitlines() if line.startswith("dragoman_token"))
    states = {name for name, value in lines.items() if name.startswith("dragoman_token_state")}
    assert {name.partition("token=")[2] for name in states} == {
        '"olga",upstream="accounts"}', '"dead",upstream="accounts"}', '"new",upstream="accounts"}'
    }  # fmt: skip
    assert sorted(name.split('state="')[1].split('"')[0] for name in states) == ["dead", "due", "fresh"]

    def number(family, token):
        return float(lines[f'{family}{{token="{token}",upstream="accounts"}}'])

    assert 7190 < number("dragoman_token_expires_seconds", "olga") <= 7200
    assert number("dragoman_token_expires_seconds", "dead") < -3590
    assert 3590 < number("dragoman_token_next_refresh_seconds", "olga") <= 3600
    assert number("dragoman_token_next_refresh_seconds", "new") == 0
    assert number("dragoman_token_refreshes_total", "olga") == 7
    assert number("dragoman_token_refresh_failures_total", "dead") == 3
    assert "rt-" not in body.decode()
