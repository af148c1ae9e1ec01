"""Who asks for management: carol's admin key, alice's inference key, and people who are signed in or not."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client as Browser

from accounts.issuing import issue
from accounts.models import Client


@pytest.fixture
def alice(db):
    return Client.objects.create(name="alice")


@pytest.fixture
def carol(db):
    return Client.objects.create(name="carol")


@pytest.fixture
def inference_key(alice):
    return issue(alice, "laptop")[1]


@pytest.fixture
def admin_key(carol):
    return issue(carol, "terminal", scope="admin")[1]


@pytest.fixture
def ask(db):
    """`ask("GET", "/auth/keys", key=…, body=…)`: Django's own handler with its middleware, in this process."""
    browser = Browser(enforce_csrf_checks=True)

    def send(method, path, body=None, key=None, browser=browser, **headers):
        if key is not None:
            headers = {"authorization": f"Bearer {key}", **headers}
        media_type = headers.pop("content-type", "application/json")
        raw = json.dumps(body) if isinstance(body, dict) else body or b""
        return browser.generic(method, path, raw, content_type=media_type, headers=headers)

    return send


def signed_in(name, **rights):
    user = get_user_model().objects.create_user(name, password=f"{name}-password-1", is_staff=rights.pop("staff", True))
    user.user_permissions.set(Permission.objects.filter(codename__in=rights.pop("codes", ())))
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)
    return browser
