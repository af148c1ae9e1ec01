"""Doubtful settings are found by `manage.py check`, each with a sentence."""

import pytest
from django.core.checks import run_checks
from django.test import override_settings

from gateway.checks import TAG, is_public

GOOD = "f3k9-Zq81_mmP0x7Lw2-Vt56yRb4cHn8sJd1aGe"


def found(**changes):
    with override_settings(**changes):
        return [message.id for message in run_checks(tags=[TAG])]


def test_the_tests_own_settings_raise_nothing():
    assert found() == []


@pytest.mark.parametrize(
    "secret", ["short", "a" * 64, "django-insecure-" + GOOD, "please-changeme-" + GOOD, "your-secret-key-" + GOOD]
)
def test_a_default_or_short_secret_key_is_an_error(secret):
    assert found(SECRET_KEY=secret) == ["dragoman.E001"]


def test_a_long_random_secret_key_is_fine():
    assert found(SECRET_KEY=GOOD) == []


def test_an_open_door_on_a_public_address_must_be_said():
    assert found(ENABLE_CLIENT_AUTH=False, HOST="0.0.0.0") == ["dragoman.E002"]
    assert found(ENABLE_CLIENT_AUTH=False, HOST="127.0.0.1") == []
    assert found(ENABLE_CLIENT_AUTH=False, ALLOW_ANONYMOUS_ACCESS=True, HOST="0.0.0.0") == ["dragoman.W001"]
    assert found(ALLOW_ANONYMOUS_ACCESS=True, HOST="::") == ["dragoman.W001"]


def test_several_workers_are_told_that_limits_hold_per_process():
    assert found(WEB_CONCURRENCY=2) == ["dragoman.W002"]
    assert found(WEB_CONCURRENCY=2, REDIS_URL="redis://x") == ["dragoman.W002"]


def test_the_remaining_warnings():
    assert found(ALLOWED_HOSTS=["*"]) == ["dragoman.W003"]
    assert found(DEBUG=True, HOST="10.0.0.1") == ["dragoman.W004"]
    assert found(ADMIN_PASSWORD="short") == ["dragoman.W005"]


def test_which_addresses_are_public():
    assert [
        host for host in ("127.0.0.1", "127.8.0.1", "::1", "localhost", "0.0.0.0", "gw.lan") if is_public(host)
    ] == [
        "0.0.0.0",
        "gw.lan",
    ]
