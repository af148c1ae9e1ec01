"""Signing in: ten wrong passwords lock a name at an address for five minutes, and nobody else."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.auth import get_user_model
from django.db.models import F
from django.test import Client

pytestmark = pytest.mark.django_db

LOGIN = "/admin/login/"


@pytest.fixture
def olga():
    return get_user_model().objects.create_superuser("olga", password="the-right-one")


def attempt(password="wrong", username="olga", address="192.0.2.1", **headers):
    form = {"username": username, "password": password}
    return Client(REMOTE_ADDR=address).post(LOGIN, form, **headers)


def test_the_right_password_opens_the_console(olga):
    response = attempt("the-right-one")
    assert (response.status_code, response["location"]) == (302, "/admin/")
    assert response.cookies["dragoman_session"]["httponly"]


def test_the_eleventh_attempt_is_locked_even_with_the_right_password(olga):
    statuses = [attempt().status_code for _ in range(10)]
    assert statuses[:9] == [200] * 9
    response = attempt("the-right-one")
    assert response.status_code == 429
    assert "locked for 5 minutes" in response.content.decode()
    assert 'name="password"' not in response.content.decode()
    assert response["retry-after"] == "300"


def test_the_lock_is_for_that_name_at_that_address(olga):
    for _ in range(10):
        attempt()
    assert attempt("the-right-one", address="192.0.2.2").status_code == 302
    get_user_model().objects.create_superuser("otto", password="his-right-one")
    assert attempt("his-right-one", username="otto").status_code == 302


def test_the_lock_opens_after_five_minutes(olga):
    for _ in range(10):
        attempt()
    assert attempt("the-right-one").status_code == 429
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=5, seconds=1))
    assert attempt("the-right-one").status_code == 302


def test_a_forged_forwarded_address_does_not_open_the_lock(olga):
    for number in range(10):
        attempt(HTTP_X_FORWARDED_FOR=f"198.51.100.{number}")
    assert attempt("the-right-one", HTTP_X_FORWARDED_FOR="198.51.100.99").status_code == 429


def test_a_password_is_not_kept_with_the_attempts(olga):
    attempt("my-other-password")
    assert "my-other-password" not in str(AccessAttempt.objects.values())
