"""Secrets at rest."""

import pytest
from django.core import serializers
from django.core.exceptions import FieldError, ValidationError
from django.db import connection
from django.test import override_settings

from proxyapp.fields import Secret, SecretUnreadable
from proxyapp.models import Proxy, ProxyPool, Upstream, UpstreamKey

pytestmark = pytest.mark.django_db

OLD = "b2xkLWtleS0zMi1ieXRlcy1sb25nLWFuZC1tb3JlLS0="
NEW = "bmV3LWtleS0zMi1ieXRlcy1sb25nLWFuZC1tb3JlLS0="


def stored(table, column):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table}")
        return cursor.fetchone()[0]


@pytest.fixture
def key(anthropic):
    return UpstreamKey.objects.get()


def test_the_database_holds_ciphertext(key):
    assert key.value.reveal() == "sk-ant-secret-main"
    assert "secret" not in stored("proxyapp_upstreamkey", "value")
    assert "blue" not in stored("proxyapp_upstream", "headers")
    assert Upstream.objects.get().headers.reveal() == {"x-team": "blue"}


def test_a_secret_shows_itself_nowhere(key):
    fresh = UpstreamKey(name="x", value="sk-fresh-secret")
    for secret in (key.value, fresh.value):
        assert isinstance(secret, Secret)
        for text in (repr(secret), str(secret), f"{secret}"):
            assert text == "(set)"
    assert "secret" not in repr(key) + str(key) + repr(vars(key))


def test_an_empty_secret_stays_empty(anthropic):
    Upstream.objects.create(name="plain", kind="openai")
    upstream = Upstream.objects.get(name="plain")
    assert upstream.headers == {}
    assert not UpstreamKey(name="x").value


def test_a_wrong_encryption_key_raises_and_never_gives_ciphertext(key, with_other_encryption_key):
    with with_other_encryption_key, pytest.raises(SecretUnreadable) as caught:
        UpstreamKey.objects.get().value.reveal()
    assert "DRAGOMAN_ENCRYPTION_KEYS" in str(caught.value)
    assert "gAAAA" not in str(caught.value)


def test_a_row_whose_secret_is_unreadable_can_still_be_checked_and_saved(key, with_other_encryption_key):
    before = stored("proxyapp_upstreamkey", "value")
    with with_other_encryption_key:
        row = UpstreamKey.objects.get()
        row.weight = 7
        row.full_clean()
        row.save()
    assert stored("proxyapp_upstreamkey", "value") == before
    assert UpstreamKey.objects.get().weight == 7
    assert UpstreamKey.objects.get().value.reveal() == "sk-ant-secret-main"


def test_the_first_key_encrypts_and_all_decrypt(anthropic):
    with override_settings(DRAGOMAN_ENCRYPTION_KEYS=[OLD]):
        UpstreamKey.objects.create(upstream=anthropic, name="old", value="one")
    with override_settings(DRAGOMAN_ENCRYPTION_KEYS=[NEW, OLD]):
        row = UpstreamKey.objects.get(name="old")
        assert row.value.reveal() == "one"
        row.value = "two"
        row.save()
    with override_settings(DRAGOMAN_ENCRYPTION_KEYS=[NEW]):
        assert UpstreamKey.objects.get(name="old").value.reveal() == "two"


def test_an_untouched_secret_keeps_its_ciphertext(key):
    before = stored("proxyapp_upstreamkey", "value")
    key.save()
    assert stored("proxyapp_upstreamkey", "value") == before


def test_updates_and_deferred_rows_are_encrypted_too(key):
    UpstreamKey.objects.update(value="sk-updated")
    row = UpstreamKey.objects.defer("value").get()
    assert row.value.reveal() == "sk-updated"
    assert "updated" not in stored("proxyapp_upstreamkey", "value")


def test_a_secret_cannot_be_searched(key):
    with pytest.raises(FieldError):
        UpstreamKey.objects.filter(value="sk-ant-secret-main").exists()
    with pytest.raises(FieldError):
        UpstreamKey.objects.filter(value__startswith="sk").exists()


def test_a_dump_holds_ciphertext_and_loads_again(key):
    dump = serializers.serialize("json", UpstreamKey.objects.all())
    assert "secret" not in dump
    UpstreamKey.objects.all().delete()
    for row in serializers.deserialize("json", dump):
        row.save()
    assert UpstreamKey.objects.get().value.reveal() == "sk-ant-secret-main"


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://h", "http://", "not a url", "http://h:99999", "http://h/path", "http://h:0", "http://u:p/w@h:1"),
        *("http://a%3Ab:p@h:1", "http://u:p%0Aq@h:1", "http://u:%ff@h:1"),
        *("socks5://u@h:1", "socks5://:p@h:1", "socks5h://u:p%C3%A4@h:1", f"socks5://u:{'p' * 256}@h:1"),
    ],
)
def test_a_wrong_proxy_url_is_refused_without_being_repeated(url):
    proxy = Proxy(pool=ProxyPool.objects.create(name="p"), name="x", url=url)
    with pytest.raises(ValidationError) as caught:
        proxy.full_clean()
    assert url not in str(caught.value).replace("scheme://", "")


@pytest.mark.parametrize("url", ["socks5://u:p@127.0.0.1:1080", "http://u@h", "https://%C3%A4:p%3A%2F@h:8443/"])
def test_a_right_proxy_url_is_taken(url):
    Proxy(pool=ProxyPool.objects.create(name="p"), name="x", url=url).full_clean()


def test_a_proxy_is_not_called_as_the_history_calls_none():
    with pytest.raises(ValidationError, match="history"):
        Proxy(pool=ProxyPool.objects.create(name="p"), name="direct", url="http://h:1").full_clean()


@pytest.mark.parametrize("headers", [["x"], {"x y": "1"}, {"x": "a\r\nb"}, {"x": 1}])
def test_headers_that_cannot_travel_are_refused(headers):
    with pytest.raises(ValidationError):
        Upstream(name="x", kind="openai", headers=headers).full_clean()
