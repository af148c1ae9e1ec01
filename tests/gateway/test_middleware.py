"""Whom the console believes about addresses and https, and what its pages carry."""

import ipaddress

import pytest
from django.test import override_settings

from accounts.addresses import client_address

PROXIES = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("127.0.0.1")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "1.1.1.1", "192.0.2.1"),
        ("10.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", "6.6.6.6, 192.0.2.7, 10.0.0.2", "192.0.2.7"),
        ("10.0.0.1", "10.1.1.1", "10.1.1.1"),
        ("10.0.0.1", "not an address", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.7:5050", "192.0.2.7"),
        ("10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:10.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("", "192.0.2.7", ""),
    ],
)
def test_the_nearest_untrusted_address_is_the_callers(peer, forwarded, client):
    assert client_address(peer, forwarded, PROXIES) == client


def login_page(client, **headers):
    return client.get("/admin/login/", **headers)


@pytest.mark.django_db
def test_cookies_are_secure_only_over_https(client):
    assert not login_page(client).cookies["dragoman_csrf"]["secure"]
    cookie = client.get("/admin/login/", secure=True).cookies["dragoman_csrf"]
    assert cookie["secure"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


@pytest.mark.django_db
def test_only_a_trusted_proxy_may_say_that_it_was_https(client):
    trusting = override_settings(TRUSTED_PROXIES=PROXIES, SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"))
    with trusting:
        said = {"HTTP_X_FORWARDED_PROTO": "https"}
        assert login_page(client, REMOTE_ADDR="10.0.0.1", **said).cookies["dragoman_csrf"]["secure"]
        client.cookies.clear()
        assert not login_page(client, REMOTE_ADDR="192.0.2.1", **said).cookies["dragoman_csrf"]["secure"]


@pytest.mark.django_db
def test_pages_load_nothing_from_elsewhere(client):
    policy = login_page(client)["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "script-src 'self' 'unsafe-eval'" in policy
    assert "img-src 'self' data:" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy


@pytest.mark.django_db
def test_the_console_never_answers_other_origins(client):
    response = login_page(client, HTTP_ORIGIN="https://evil.example")
    assert "access-control-allow-origin" not in response


@pytest.mark.django_db
def test_the_root_leads_to_the_console(client):
    response = client.get("/")
    assert (response.status_code, response["location"]) == (302, "/admin/")


@pytest.mark.django_db
def test_styles_are_served_without_collectstatic(client):
    response = client.get("/static/unfold/css/styles.css")
    assert response.status_code == 200
    assert response["content-type"].startswith("text/css")
