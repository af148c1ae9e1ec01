"""`export_config` from the shell: what it writes is what `apply_config` takes."""

import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.keys import digest
from accounts.models import ApiKey, Client
from proxyapp.config import declare, exporting
from proxyapp.config.document import Document
from proxyapp.config.reading import DeclarationError, read
from proxyapp.models import ModelConfig, OAuthToken, Proxy, ProxyPool, Upstream, UpstreamKey
from tests.config.conftest import OTHER_KEY
from tests.test_docs import keys_of

pytestmark = pytest.mark.django_db

RICH = """
proxy_pools:
  - name: eu west
    strategy: least_used
    on_exhausted: fail
    sticky: true
    cooldown: 7
    check_url: https://check.test/
    proxies:
      - {name: p2, url: "http://user:pass-word@127.0.0.1:3128", enabled: false}
      - {name: p1, url: "socks5://127.0.0.1:1080"}
  - {name: eu-west, proxies: [{name: p2, url: "http://user:other-word@127.0.0.1:3128"}]}
upstreams:
  - name: azure
    kind: azure
    base_url: https://x.openai.azure.com
    api: responses
    api_version: "2024-10-21"
    allow_caller_keys: true
    proxy_pool: eu west
    timeouts: {connect: 1.5, first_byte: 2, idle: 3, total: 4}
    headers: {x-team: blue-secret, X_Team: "literal:env:RED"}
    system_prompt: "literal:env:MEANT_AS_IT_STANDS"
    retries: 5
    enabled: false
    keys:
      - {name: zeta, value: sk-upstream-zeta, weight: 3, enabled: false, proxy_pool: eu-west}
      - {name: alpha, value: "literal:file:name"}
    oauth: {refresh_token: rt-first-token, token_url: "https://t.test/x", client_id: client_1, organization_id: org_1}
  - {name: anthropic, kind: anthropic}
models:
  - name: "claude-*"
    routes: [{upstream: anthropic}]
  - name: off
    aliases: ["Привет, мир", "yes", "1e3", "null"]
    reasoning: xhigh
    system_prompt: "First line\\n\\n  second: #no comment\\n"
    max_output_tokens: 100
    prices: {input: 3, output: 15.5, cache_read: 0.3, cache_write: 0}
    lenient: true
    profile: {thinking: budget, efforts: [low, high]}
    proxy_pool: eu-west
    enabled: false
    routes:
      - {upstream: azure, model: gpt, priority: 2, weight: 5, enabled: false}
      - {upstream: anthropic, model: claude, priority: 1}
clients:
  - name: alice
    note: "of accounts\\u2028and more"
    enabled: false
    limits: {rpm: 1, tpm: 2, concurrency: 3}
    budget: {usd: 20.1234, per: week}
    models: ["claude-*"]
    history_bodies: none
    keys:
      - name: laptop
        value: sk-dg-0123456789012345678901234567890123456789
        scope: admin
        models: [gpt]
        expires: "2031-01-31T12:00:00.5+02:00"
        allowed_ips: [10.0.0.0/8]
        enabled: false
      - {name: imported, value: password1}
"""
SECRETS = ("pass-word", "other-word", "blue-secret", "env:RED", "sk-upstream", "file:name", "rt-first", "password1")


def applied(text, environ=None):
    document = read(text, environ=environ or {}, directory=Path.cwd())
    return declare.apply(document).changes


def empty():
    for model in (ModelConfig, Upstream, ProxyPool, Client):
        model.objects.all().delete()


def test_the_rich_file_of_this_test_says_every_word_there_is():
    """So that a field that is new is not forgotten by the export."""
    raw = read(RICH, environ={}, directory=Path.cwd())
    exported = exporting._given(raw)
    said = set()

    def walk(value, path):
        if isinstance(value, dict):
            for name, inner in value.items():
                said.add(f"{path}{name}")
                walk(inner, f"{path}{name}.")
        elif isinstance(value, list):
            for item in value:
                walk(item, f"{path.removesuffix('.')}[].")

    walk(exported, "")
    assert {word for word in keys_of(Document) if not word.endswith((".digest", ".prefix"))} <= said


def test_with_secrets_it_makes_the_same_elsewhere(run):
    applied(RICH)
    first, told = run("export_config", "--with-secrets")
    assert all(secret in first for secret in SECRETS if secret != "password1")
    assert "Set these" not in told
    assert applied(first) == []
    empty()
    assert len(applied(first)) == 18
    assert run("export_config", "--with-secrets")[0] == first
    assert ApiKey.objects.get(name="imported").digest == digest("password1")
    assert ApiKey.objects.get(name="laptop").prefix == "sk-dg-012345"
    assert Upstream.objects.get(name="azure").headers.reveal() == {"x-team": "blue-secret", "X_Team": "env:RED"}


def test_without_them_it_holds_no_secret_and_changes_nothing_here(run):
    applied(RICH)
    text, told = run("export_config")
    for secret in (*SECRETS, digest("password1"), "0123456789012345"):
        assert secret not in text + told, secret
    environ = {
        "PROXY_EU_WEST_P2_URL": "http://user:pass-word@127.0.0.1:3128",
        "PROXY_EU_WEST_P2_URL_2": "http://user:other-word@127.0.0.1:3128",
        "UPSTREAM_AZURE_ZETA_KEY": "sk-upstream-zeta",
        "UPSTREAM_AZURE_ALPHA_KEY": "file:name",
        "UPSTREAM_AZURE_REFRESH_TOKEN": "rt-first-token",
        "UPSTREAM_AZURE_HEADER_X_TEAM": "env:RED",
        "UPSTREAM_AZURE_HEADER_X_TEAM_2": "blue-secret",
    }
    for name in environ:
        assert f"  {name}   " in told
        assert f"env:{name}\n" in text
    assert applied(text, environ) == []
    assert "client alice key imported was not made here, so its digest is left out" in told
    assert text == run("export_config")[0]


def test_the_documents_example_is_true(run, example):
    applied("upstreams: [{name: anthropic, kind: anthropic, keys: [{name: main, value: sk-ant-x}]}]")
    assert run("export_config")[1].splitlines() == example("export_config")


def test_a_key_that_is_called_a_key_is_not_called_so_twice(run):
    applied("upstreams: [{name: a, kind: openai, keys: [{name: OPENAI_API_KEY, value: x}, {name: b, value: y}]}]")
    told = run("export_config")[1].split()
    assert {word for word in told if word.startswith("UPSTREAM")} == {"UPSTREAM_A_OPENAI_API_KEY", "UPSTREAM_A_B_KEY"}


def test_json_says_the_same(run):
    applied(RICH)
    yaml_text, json_text = (
        run("export_config", "--with-secrets")[0],
        run("export_config", "--with-secrets", "--format", "json")[0],
    )
    assert json.loads(json_text)["models"][1]["name"] == "off"
    here = Path.cwd()
    assert read(json_text, environ={}, directory=here) == read(yaml_text, environ={}, directory=here)


def test_an_empty_database_gives_empty_sections(run):
    out, err = run("export_config")
    assert out == "proxy_pools: []\nupstreams: []\nmodels: []\nclients: []\n"
    assert err == ""


def test_what_no_key_opens_is_told_and_the_status_is_1(run, capsys):
    applied(RICH)
    with override_settings(DRAGOMAN_ENCRYPTION_KEYS=[OTHER_KEY]), pytest.raises(SystemExit) as caught:
        call_command("export_config", "--with-secrets")
    assert caught.value.code == 1
    told = capsys.readouterr()
    assert "upstream azure key zeta cannot be read: none of DRAGOMAN_ENCRYPTION_KEYS fits." in told.err
    assert "upstream azure headers cannot be read" in told.err
    assert "proxy pool eu west proxy p2 cannot be read" in told.err
    assert "env:UPSTREAM_AZURE_ZETA_KEY" in told.out


def test_headers_that_cannot_be_read_are_not_taken_away_by_the_file(run):
    applied("upstreams: [{name: a, kind: openai, headers: {x-team: blue}}]")
    with override_settings(DRAGOMAN_ENCRYPTION_KEYS=[OTHER_KEY]):
        made = exporting.export()
    assert made.document["upstreams"][0]["headers"] == {"x-unreadable": "env:UPSTREAM_A_HEADERS"}
    with pytest.raises(DeclarationError, match="UPSTREAM_A_HEADERS is not set"):
        applied(exporting.rendered(made.document, "yaml"))


def test_a_change_in_the_middle_starts_it_anew(run, monkeypatch):
    versions = iter([1, 2, 3, 3])
    monkeypatch.setattr(exporting, "current_version", lambda: next(versions))
    assert exporting.export().document["upstreams"] == []
    assert next(versions, None) is None


def test_tokens_that_the_file_cannot_name_or_keep_alive_are_told(run):
    applied("upstreams: [{name: a, kind: anthropic, oauth: {refresh_token: rt, token_url: 'http://h/t'}}]")
    OAuthToken.objects.update(generation=1)
    OAuthToken.objects.create(upstream=Upstream.objects.get(), name="second", seed="rt-2")
    told = run("export_config")[1]
    assert "upstream a token second is not in the file" in told
    assert "upstream a token oauth: the file holds its first refresh token" in told


TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=40)
KEYS = TEXT.filter(lambda text: bool(text) and text.isprintable())


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompt=TEXT, key=KEYS, header=TEXT, form=st.sampled_from(["yaml", "json"]))
def test_any_text_comes_back_as_it_was(prompt, key, header, form):
    empty()
    header = "".join(char for char in header if char not in "\r\n")
    upstream = Upstream.objects.create(name="u", kind="openai", system_prompt=prompt, headers={"x": header})
    UpstreamKey.objects.create(upstream=upstream, name="k", value=key)
    text = exporting.rendered(exporting.export(with_secrets=True).document, form)
    assert applied(text) == []
    empty()
    applied(text)
    row = Upstream.objects.get()
    assert (row.system_prompt, row.headers.reveal(), row.keys.get().value.reveal()) == (prompt, {"x": header}, key)


def test_an_unreadable_proxy_is_not_mistaken_for_an_open_one(run):
    pool = ProxyPool.objects.create(name="p")
    Proxy.objects.create(pool=pool, name="x", url="http://127.0.0.1:1")
    with override_settings(DRAGOMAN_ENCRYPTION_KEYS=[OTHER_KEY]):
        made = exporting.export()
    assert made.document["proxy_pools"][0]["proxies"] == [{"name": "x", "url": "env:PROXY_P_X_URL"}]
    assert made.unreadable == ["proxy pool p proxy x"]
