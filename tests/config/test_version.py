"""Every configuration change raises the version, in the transaction of the change."""

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.models import ApiKey, Client
from proxyapp.models import ModelConfig, Proxy, ProxyPool, Route, Upstream, UpstreamKey
from proxyapp.models.config import ConfigVersion, bump_version, current_version


@pytest.fixture
def raises_version(db):
    """Call something; True when the version moved."""

    def call(action):
        before = current_version()
        action()
        return current_version() > before

    return call


def test_the_first_bump_makes_the_row(db):
    assert current_version() == 0
    bump_version()
    bump_version()
    assert current_version() == 2
    assert ConfigVersion.objects.count() == 1


def test_every_kind_of_row_counts(raises_version):
    made = {}

    def make(kind, /, **fields):
        made[kind] = kind.objects.create(**fields)

    assert raises_version(lambda: make(ProxyPool, name="p"))
    assert raises_version(lambda: make(Proxy, pool=made[ProxyPool], name="x", url="http://h:1"))
    assert raises_version(lambda: make(Upstream, name="u", kind="openai"))
    assert raises_version(lambda: make(UpstreamKey, upstream=made[Upstream], name="k", value="v"))
    assert raises_version(lambda: make(ModelConfig, name="m"))
    assert raises_version(lambda: make(Route, model=made[ModelConfig], upstream=made[Upstream], upstream_model="x"))
    assert raises_version(lambda: make(Client, name="c"))
    assert raises_version(lambda: make(ApiKey, client=made[Client], name="k", digest="d"))
    for row in reversed(made.values()):
        assert raises_version(row.save)
        assert raises_version(row.delete)


def test_bulk_writes_count(raises_version):
    assert raises_version(lambda: ModelConfig.objects.bulk_create([ModelConfig(name="a"), ModelConfig(name="b")]))
    assert raises_version(lambda: ModelConfig.objects.update(enabled=False))
    rows = list(ModelConfig.objects.all())
    assert raises_version(lambda: ModelConfig.objects.bulk_update(rows, ["enabled"]))
    assert raises_version(lambda: ModelConfig.objects.all().delete())
    assert not raises_version(lambda: ModelConfig.objects.update(enabled=True))


def test_the_time_a_key_was_last_used_is_no_configuration(raises_version):
    key = ApiKey.objects.create(client=Client.objects.create(name="c"), name="k", digest="d")
    assert not raises_version(lambda: ApiKey.objects.update(last_used_at=timezone.now()))
    assert not raises_version(lambda: key.save(update_fields=["last_used_at"]))
    assert raises_version(lambda: key.save(update_fields=["enabled"]))


@pytest.mark.django_db(transaction=True)
def test_a_change_that_is_rolled_back_leaves_the_version():
    bump_version()
    before = current_version()
    with transaction.atomic():
        ModelConfig.objects.create(name="x")
        transaction.set_rollback(True)
    assert current_version() == before
