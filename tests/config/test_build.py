"""Rows to snapshot."""

from datetime import UTC, datetime

import pytest
from django.test import override_settings

from accounts.keys import digest
from accounts.models import ApiKey, Client
from proxyapp.config.build import build, build_snapshot
from proxyapp.models import ModelConfig, OAuthToken, Proxy, ProxyPool, Route, Upstream, UpstreamKey

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def a_key(client, name="laptop", value="sk-dg-test-key-number-1", **fields):
    key = ApiKey(client=client, name=name, **fields)
    key.take(value)
    key.save()
    return key


def test_an_upstream_arrives_decrypted_with_its_keys(anthropic):
    upstream = build_snapshot().upstreams["anthropic"]
    assert upstream.kind == "anthropic"
    assert [(key.name, key.secret, key.weight) for key in upstream.credentials] == [("main", "sk-ant-secret-main", 3)]
    assert upstream.headers == {"x-team": "blue"}
    assert upstream.timeouts.first_byte == 300.0
    assert "secret" not in repr(upstream)
    assert upstream.base_url is None


def test_a_model_is_found_by_name_and_by_alias(sonnet):
    snapshot = build_snapshot()
    assert snapshot.models["sonnet"] is snapshot.models["claude-sonnet-4-5"]
    model = snapshot.models["sonnet"]
    assert [(route.upstream, route.model) for route in model.routes] == [("anthropic", "claude-sonnet-4-5-20250929")]
    assert model.profile == {"efforts": ("low",)}


def test_a_key_is_found_by_digest_with_its_clients_rights(alice):
    a_key(alice, scope="admin", models=["claude-opus-*"], allowed_ips=["10.0.0.0/8"])
    key = build_snapshot().keys[digest("sk-dg-test-key-number-1")]
    assert (key.client, key.name, key.scope) == ("alice", "laptop", "admin")
    assert (key.models, key.client_models) == (("claude-opus-*",), ("claude-*",))
    assert key.allowed_ips == ("10.0.0.0/8",)
    assert key.limits.rpm == 60
    assert key.expires is None


def test_what_is_switched_off_is_left_out(anthropic, sonnet, alice):
    a_key(alice, enabled=False)
    bob = Client.objects.create(name="bob", enabled=False)
    a_key(bob, value="sk-dg-test-key-number-2")
    UpstreamKey.objects.create(upstream=anthropic, name="spare", value="sk-spare", enabled=False)
    ModelConfig.objects.create(name="off", enabled=False)
    Upstream.objects.create(name="off", kind="openai", enabled=False)
    Route.objects.create(model=sonnet, upstream=anthropic, upstream_model="other", enabled=False)
    snapshot = build_snapshot()
    assert [key.revoked for key in snapshot.keys.values()] == [True, True]
    assert set(snapshot.models) == {"claude-sonnet-4-5", "sonnet"}
    assert set(snapshot.upstreams) == {"anthropic"}
    assert [key.name for key in snapshot.upstreams["anthropic"].credentials] == ["main"]
    assert len(snapshot.models["sonnet"].routes) == 1


def test_wildcards_come_most_specific_first(db):
    ModelConfig.objects.create(name="*")
    ModelConfig.objects.create(name="claude-*", aliases=["claude"])
    ModelConfig.objects.create(name="opus", aliases=["claude-opus-*", "o*"])
    snapshot = build_snapshot()
    assert [(model.name, model.aliases) for model in snapshot.wildcards] == [
        ("opus", ("claude-opus-*",)),
        ("claude-*", ("claude",)),
        ("opus", ("o*",)),
        ("*", ()),
    ]
    assert set(snapshot.models) == {"claude", "opus"}


def test_the_number_of_queries_does_not_grow_with_the_rows(anthropic, sonnet, alice, django_assert_num_queries):
    pool = ProxyPool.objects.create(name="eu")
    for number in range(5):
        upstream = Upstream.objects.create(name=f"u{number}", kind="openai", proxy_pool=pool)
        UpstreamKey.objects.create(upstream=upstream, name="k", value=f"sk-{number}")
        Proxy.objects.create(pool=pool, name=f"p{number}", url=f"http://127.0.0.1:{3128 + number}")
        model = ModelConfig.objects.create(name=f"m{number}")
        Route.objects.create(model=model, upstream=upstream, upstream_model="x")
        a_key(alice, name=f"n{number}", value=f"sk-dg-test-key-{number}")
    with django_assert_num_queries(10):
        build_snapshot()


def test_an_unreadable_key_is_left_out_and_reported(anthropic, with_other_encryption_key):
    Upstream.objects.filter(name="anthropic").update(headers={})
    with with_other_encryption_key:
        UpstreamKey.objects.create(upstream=anthropic, name="fresh", value="sk-fresh")
        snapshot, findings = build()
    assert [key.name for key in snapshot.upstreams["anthropic"].credentials] == ["fresh"]
    assert [finding.what for finding in findings] == ["upstream anthropic, key main"]
    assert "DRAGOMAN_ENCRYPTION_KEYS" in findings[0].message


def test_an_upstream_with_unreadable_headers_is_left_out_alone(anthropic, with_other_encryption_key):
    Upstream.objects.create(name="other", kind="openai")
    with with_other_encryption_key:
        snapshot, findings = build()
    assert set(snapshot.upstreams) == {"other"}
    assert findings[-1].what == "upstream anthropic"


def test_proxies_come_in_their_order(db):
    pool = ProxyPool.objects.create(name="eu", strategy="random", on_exhausted="fail")
    Proxy.objects.create(pool=pool, name="second", url="http://u:p@127.0.0.1:2", position=2)
    Proxy.objects.create(pool=pool, name="first", url="socks5://127.0.0.1:1", position=1)
    Upstream.objects.create(name="x", kind="openai", proxy_pool=pool)
    snapshot = build_snapshot()
    built = snapshot.pools[snapshot.upstreams["x"].proxy_pool]
    assert [proxy.url for proxy in built.proxies] == ["socks5://127.0.0.1:1", "http://u:p@127.0.0.1:2"]
    assert (built.strategy, built.on_exhausted, built.sticky, built.cooldown) == ("random", "fail", False, 30)


def test_keys_and_models_name_pools_of_their_own(anthropic, sonnet):
    pool = ProxyPool.objects.create(name="eu")
    anthropic.keys.update(proxy_pool=pool)
    ModelConfig.objects.filter(pk=sonnet.pk).update(proxy_pool=pool)
    snapshot = build_snapshot()
    assert snapshot.upstreams["anthropic"].credentials[0].pool == "eu"
    assert snapshot.upstreams["anthropic"].proxy_pool == ""
    assert snapshot.models[sonnet.name].proxy_pool == "eu"


def test_a_stored_access_token_is_a_credential_for_want_of_keys(anthropic):
    token = OAuthToken.objects.create(
        upstream=anthropic, name="oauth", seed="rt-1", access_token="at-1", refresh_token="rt-2", expires_at=NOW
    )
    OAuthToken.objects.create(upstream=anthropic, name="new", seed="rt-9")
    (built,) = build_snapshot().upstreams["anthropic"].tokens
    assert (built.name, built.secret, built.subject) == ("oauth", "at-1", f"token:{token.pk}")
    assert built.expires == NOW.timestamp()


def test_the_key_from_before_a_rotation_is_taken_until_its_time_is_over(alice):
    row = a_key(alice, name="n", value="sk-dg-test-key-new")
    ApiKey.objects.filter(pk=row.pk).update(previous_digest=digest("sk-dg-test-key-old"), previous_until=NOW)
    keys = build_snapshot().keys
    assert keys[digest("sk-dg-test-key-old")].expires == NOW.timestamp()
    assert keys[digest("sk-dg-test-key-new")].expires is None


def test_a_pool_that_must_not_be_bypassed_is_not_bypassed_when_its_proxies_are_unreadable(
    db, with_other_encryption_key
):
    pool = ProxyPool.objects.create(name="eu", on_exhausted="fail")
    Proxy.objects.create(pool=pool, name="p", url="http://127.0.0.1:1")
    Upstream.objects.create(name="x", kind="openai", proxy_pool=pool)
    with with_other_encryption_key:
        snapshot, findings = build()
    assert snapshot.pools["eu"].proxies == ()
    assert snapshot.pools["eu"].on_exhausted == "fail"
    assert [finding.what for finding in findings] == ["proxy pool eu, proxy p"]


def test_wrong_overrides_are_not_used_and_reported(db):
    ModelConfig.objects.create(name="m", profile={"sampling": "perhaps"})
    snapshot, findings = build()
    assert snapshot.models["m"].profile == {}
    assert "sampling" in findings[0].message


@override_settings(ENABLE_CLIENT_AUTH=False, ALLOW_ANONYMOUS_ACCESS=True)
def test_who_may_call_without_a_key_comes_from_the_settings(db):
    snapshot = build_snapshot()
    assert (snapshot.auth_required, snapshot.anonymous) == (False, True)
