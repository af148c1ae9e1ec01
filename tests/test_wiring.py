"""The composition root: what it adds to a snapshot, and which secrets the redactor must be told."""

from __future__ import annotations

from proxyapp import wiring
from proxyapp.engine.snapshot import Credential, Proxy, ProxyPool, Snapshot, Upstream
from proxyapp.history.redaction import Redactor


def a_snapshot(*secrets: str, kind: str = "anthropic") -> Snapshot:
    keys = tuple(Credential(f"k{number}", secret) for number, secret in enumerate(secrets))
    return Snapshot(upstreams={"up": Upstream(name="up", kind=kind, credentials=keys)})


def test_the_redactor_is_told_the_keys_it_would_not_know_by_their_form():
    usual, unusual = "sk-ant-api03-abcdefghij0123456789", "correct horse battery staple"
    told = wiring.unusual_secrets(a_snapshot(usual, unusual))
    assert told == [unusual]
    assert Redactor(told)(b'{"error": "bad key correct horse battery staple"}') == b'{"error": "bad key [redacted]"}'


def test_the_redactor_is_told_the_access_tokens_too():
    token = Credential("oauth", "an opaque access token", subject="token:1")
    assert wiring.unusual_secrets(Snapshot(upstreams={"up": Upstream(name="up", kind="openai", tokens=(token,))})) == [
        "an opaque access token"
    ]


def test_the_demo_upstream_is_this_server_with_a_key_of_its_own(settings):
    settings.HOST, settings.PORT = "0.0.0.0", 8123
    demo = wiring.with_demo(a_snapshot(kind="demo")).upstreams["up"]
    assert demo.base_url == "http://127.0.0.1:8123/_demo"
    assert [key.secret for key in demo.credentials] == [wiring.demo_key()]


def test_other_upstreams_are_left_as_they_are():
    snapshot = a_snapshot("s")
    assert wiring.with_demo(snapshot) is snapshot


def test_a_key_derived_for_one_purpose_is_of_no_use_for_another():
    assert wiring.derived_key("a") != wiring.derived_key("b")
    assert wiring.derived_key("a") == wiring.derived_key("a")
    assert len(wiring.derived_key("a")) == 32


def test_the_redactor_is_told_tokens_passwords_of_proxies_and_headers_that_are_secrets():
    headers = {
        "x-api-token": "blue-whale",
        "x-tenant": "a1b2c3d4e5f6a7b8c9d0",
        "authorization": "Bearer opaque-value",
        "anthropic-beta": "context-1m-2025-08-07",
        "x-title": "Our own gateway number 1",
    }
    token = Credential("oauth", "an-access-token-1")
    pool = ProxyPool(name="eu", proxies=(Proxy("p", "http://user:p%40ss-word-1@127.0.0.1:1"),))
    upstream = Upstream(name="up", kind="anthropic", tokens=(token,), headers=headers)
    told = set(wiring.unusual_secrets(Snapshot(upstreams={"up": upstream}, pools={"eu": pool})))
    assert told == {
        "blue-whale",
        "a1b2c3d4e5f6a7b8c9d0",
        "opaque-value",
        "an-access-token-1",
        "p%40ss-word-1",
        "p@ss-word-1",
    }
