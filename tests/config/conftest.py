"""A small configuration that the tests of this folder start from."""

import pytest
from django.test import override_settings

OTHER_KEY = "b3RoZXIta2V5LTMyLWJ5dGVzLWxvbmctYW5kLW1vcmU="


@pytest.fixture
def with_other_encryption_key():
    """A context in which only a key that never encrypted anything is known."""
    return override_settings(DRAGOMAN_ENCRYPTION_KEYS=[OTHER_KEY])


@pytest.fixture
def anthropic(db):
    from proxyapp.models import Upstream, UpstreamKey

    upstream = Upstream.objects.create(name="anthropic", kind="anthropic", headers={"x-team": "blue"})
    UpstreamKey.objects.create(upstream=upstream, name="main", value="sk-ant-secret-main", weight=3)
    return upstream


@pytest.fixture
def sonnet(anthropic):
    from proxyapp.models import ModelConfig, Route

    model = ModelConfig.objects.create(name="claude-sonnet-4-5", aliases=["sonnet"], profile={"efforts": ["low"]})
    Route.objects.create(model=model, upstream=anthropic, upstream_model="claude-sonnet-4-5-20250929")
    return model


@pytest.fixture
def alice(db):
    from accounts.models import Client

    return Client.objects.create(name="alice", rpm=60, models=["claude-*"])
