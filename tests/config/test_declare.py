"""A document in the database: all or nothing, nothing the second time, and never a secret in what is told."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.utils import timezone

from accounts.issuing import rotate
from accounts.keys import digest
from accounts.models import ApiKey, Client
from proxyapp.config.build import build_snapshot
from proxyapp.config.declare import apply, plan
from proxyapp.config.reading import DeclarationError, read
from proxyapp.models import ModelConfig, Proxy, ProxyPool, Route, Upstream, UpstreamKey
from proxyapp.models.config import current_version

pytestmark = pytest.mark.django_db

WHOLE = """
proxy_pools:
  - name: eu
    strategy: random
    on_exhausted: fail
    proxies:
      - {name: p1, url: "http://user:pass-word@127.0.0.1:3128"}
      - {name: p2, url: "socks5://127.0.0.1:1080"}
upstreams:
  - name: anthropic
    kind: anthropic
    base_url: https://api.anthropic.com/v1/messages
    keys: [{name: main, value: "env:ANTHROPIC_API_KEY", weight: 2}]
    allow_caller_keys: true
    timeouts: {connect: 5}
    headers: {x-team: blue-secret}
    retries: 1
  - {name: local, kind: openai_compatible, base_url: "http://127.0.0.1:8001"}
models:
  - name: claude-sonnet-4-5
    aliases: [sonnet]
    routes:
      - {upstream: anthropic, model: claude-sonnet-4-5-20250929}
      - {upstream: local, priority: 1, weight: 3}
    max_output_tokens: 4096
    lenient: true
    profile: {sampling: false}
clients:
  - name: alice
    limits: {rpm: 60, concurrency: 10}
    models: ["claude-*"]
    keys:
      - {name: laptop, value: "sk-dg-alices-own-key", expires: 2099-01-31, allowed_ips: [10.0.0.0/8]}
      - {name: made}
"""
ENVIRON = {"ANTHROPIC_API_KEY": "sk-ant-the-secret", "SECOND": "sk-ant-the-second"}


def a_document(text):
    return read(text, environ=ENVIRON, directory=Path())


def applied(text, **options):
    return apply(a_document(text), **options)


def refused(text, **options):
    with pytest.raises(DeclarationError) as caught:
        applied(text, **options)
    return caught.value.problems


def test_a_whole_file_is_written_and_told():
    result = applied(WHOLE)
    assert result.changes == [
        "+ proxy pool eu",
        "+ proxy pool eu proxy p1",
        "+ proxy pool eu proxy p2",
        "+ upstream anthropic",
        "+ upstream anthropic key main",
        "+ upstream local",
        "+ model claude-sonnet-4-5",
        "+ model claude-sonnet-4-5 route anthropic/claude-sonnet-4-5-20250929",
        "+ model claude-sonnet-4-5 route local/claude-sonnet-4-5",
        "+ client alice",
        "+ client alice key laptop",
        "+ client alice key made",
    ]
    snapshot = build_snapshot()
    upstream = snapshot.upstreams["anthropic"]
    assert upstream.credentials[0].secret == "sk-ant-the-secret"
    assert upstream.headers == {"x-team": "blue-secret"}
    assert (upstream.timeouts.connect, upstream.timeouts.idle, upstream.retries) == (5, 300, 1)
    assert upstream.base_url == "https://api.anthropic.com/v1/messages"
    assert snapshot.models["sonnet"].max_output_tokens == 4096
    key = snapshot.keys[digest("sk-dg-alices-own-key")]
    assert (key.client, key.client_models, key.limits.rpm) == ("alice", ("claude-*",), 60)
    assert [proxy.name for proxy in ProxyPool.objects.get().proxies.all()] == ["p1", "p2"]


def test_the_second_time_nothing_changes():
    applied(WHOLE)
    before = current_version()
    result = applied(WHOLE)
    assert (result.changes, result.made) == ([], [])
    assert current_version() == before


def test_a_key_without_value_is_made_once():
    result = applied(WHOLE)
    assert [(made.client, made.name) for made in result.made] == [("alice", "made")]
    key = result.made[0].key
    assert key.startswith("sk-dg-")
    assert key not in repr(result)
    assert ApiKey.objects.get(name="made").digest == digest(key)
    applied(WHOLE)
    assert ApiKey.objects.get(name="made").digest == digest(key)


def test_a_dry_run_tells_the_same_and_writes_nothing():
    result = applied(WHOLE, dry_run=True)
    assert len(result.changes) == 12
    assert result.made == []
    assert not Upstream.objects.exists()
    assert not Client.objects.exists()
    assert plan(a_document(WHOLE)) == result.changes


def test_only_what_differs_is_told():
    applied(WHOLE)
    changed = (
        WHOLE.replace("retries: 1", "retries: 4")
        .replace("aliases: [sonnet]", "aliases: [sonnet, claude]")
        .replace("weight: 3", "weight: 1")
        .replace("rpm: 60", "rpm: 61")
    )
    assert applied(changed).changes == [
        "~ upstream anthropic: retries",
        "~ model claude-sonnet-4-5: aliases",
        "~ model claude-sonnet-4-5 route local/claude-sonnet-4-5: weight",
        "~ client alice: limits.rpm",
    ]


def test_changed_secrets_are_told_without_their_value():
    applied(WHOLE)
    changed = (
        WHOLE.replace("env:ANTHROPIC_API_KEY", "env:SECOND")
        .replace("blue-secret", "red-secret")
        .replace("pass-word", "other-word")
        .replace("sk-dg-alices-own-key", "sk-dg-alices-new-key")
    )
    result = applied(changed)
    assert result.changes == [
        "~ proxy pool eu proxy p1: url (changed)",
        "~ upstream anthropic: headers (changed)",
        "~ upstream anthropic key main: value (changed)",
        "~ client alice key laptop: value (changed)",
    ]
    assert UpstreamKey.objects.get().value.reveal() == "sk-ant-the-second"
    assert ApiKey.objects.get(name="laptop").digest == digest("sk-dg-alices-new-key")
    assert ApiKey.objects.get(name="laptop").prefix == "sk-dg-"


def test_an_unreadable_secret_counts_as_changed(with_other_encryption_key):
    applied(WHOLE)
    with with_other_encryption_key:
        changes = applied(WHOLE).changes
        assert "~ upstream anthropic key main: value (changed)" in changes
        assert UpstreamKey.objects.get().value.reveal() == "sk-ant-the-secret"


def test_one_problem_leaves_everything_as_it_was():
    applied("upstreams: [{name: u, kind: openai}]")
    problems = refused("upstreams: [{name: u, kind: openai, retries: 9}]\nmodels: [{name: 'a**'}]")
    assert problems == ["models[0].name: 'a**' holds more than one *."]
    assert Upstream.objects.get().retries == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("models: [{name: m, routes: [{upstream: x}]}]", 'models[0].routes[0].upstream: no upstream named "x"'),
        ("upstreams: [{name: u, kind: openai, proxy_pool: p}]", 'upstreams[0].proxy_pool: no proxy pool named "p"'),
        ("upstreams: [{name: u, kind: opnai}]", "upstreams[0].kind: unknown; did you mean 'openai'?"),
        ("upstreams: [{name: u, kind: openai, api: chats}]", "upstreams[0].api: unknown; did you mean 'chat'?"),
        ("upstreams: [{name: u, kind: openai_compatible}]",
         "upstreams[0].base_url: This kind of upstream has no address "
         "of its own; give one."),
        ("upstreams: [{name: u, kind: openai, base_url: 'http://[::1'}]",
         "upstreams[0].base_url: The base URL cannot be read."),
        ("upstreams: [{name: u, kind: openai, keys: [{name: k, value: \"sk-1\\nsk-2\"}]}]",
         "upstreams[0].keys[0].value: A key is one line of text; no header can carry this one."),
        ("proxy_pools: [{name: p, proxies: [{name: a, url: 'http://a b:1'}]}]",
         "proxy_pools[0].proxies[0].url: A proxy URL has no spaces; in name and password they are written %20."),
        ("upstreams: [{name: u, kind: openai, oauth: {refresh_token: x, token_url: 'ftp://h'}}]",
         "upstreams[0].oauth.token_url: This URL must "
         "begin with http:// or https:// and a host, without name and password."),
        ("upstreams: [{name: u, kind: openai, base_url: 'https://u:p@h'}]",
         "upstreams[0].base_url: A base URL holds no "
         "name and password; put the key under keys."),
        ("upstreams: [{name: u, kind: openai}, {name: u, kind: openai}]", "upstreams[1].name: 'u' is listed twice"),
        ("upstreams: [{name: 'a b', kind: openai}]",
         "upstreams[0].name: Use letters, digits, dot, dash and underscore."),
        ("upstreams: [{name: u, kind: openai, keys: [{name: k, value: ''}]}]", "upstreams[0].keys[0].value: This field "
         "cannot be blank."),
        ("models: [{name: m, profile: {api: chats}}]", "models[0].profile: profile field api must be one of "
         "chat, responses, messages, generate_content"),
        ("models: [{name: m, profile: {sampling: x}}]", "models[0].profile: profile field sampling: must be true "
         "or false, not text"),
        ("models: [{name: m}, {name: n, aliases: [m]}]", "models[1].aliases: 'm' already belongs to the model 'm'."),
        ("clients: [{name: c, models: ['a*b*']}]", "clients[0].models: 'a*b*' holds more than one *."),
        ("clients: [{name: c, keys: [{name: k, expires: soon}]}]", "clients[0].keys[0].expires: give a time such as "
         "2027-01-31 or 2027-01-31T12:00:00Z"),
        ("clients: [{name: c, keys: [{name: k, value: short}]}]",
         "clients[0].keys[0].value: A key must have at least 8 "
         "characters."),
        ("clients: [{name: c, keys: [{name: k, allowed_ips: [home]}]}]", "clients[0].keys[0].allowed_ips: 'home' is no "
         "address and no network such as 10.0.0.0/8."),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_with_its_path(text, problem):
    assert problem in refused(text)


def test_an_alias_may_not_take_a_routes_star_away():
    text = "upstreams: [{name: u, kind: openai}]\nmodels: [{name: m-*, routes: [{upstream: u, model: x-*}]}]"
    applied(text)
    told = "A * stands for what the one in the model's name matched, and 'best' has none."
    assert refused(text.replace("name: m-*", "name: m-*, aliases: [best]")) == [f"models[0].routes.model: {told}"]
    new = text.replace("name: m-*", "name: best")
    assert refused(new) == [f"models[0].routes[0].model: {told}"]


def test_one_key_cannot_belong_to_two():
    applied("clients: [{name: a, keys: [{name: k, value: sk-dg-the-same-key}]}]")
    problems = refused("clients: [{name: b, keys: [{name: k, value: sk-dg-the-same-key}]}]")
    assert problems == ["clients[0].keys[0].value: this key already belongs to a/k"]


def test_an_alias_may_move_from_one_model_to_another():
    applied("models: [{name: a, aliases: [x]}, {name: b}]")
    assert applied("models: [{name: b, aliases: [x]}, {name: a}]").changes == [
        "~ model b: aliases",
        "~ model a: aliases",
    ]


def test_parts_are_matched_exactly_where_they_are_listed():
    applied(WHOLE)
    text = """
    upstreams: [{name: anthropic, kind: anthropic, keys: [{name: other, value: sk-other}]}]
    models: [{name: claude-sonnet-4-5, routes: [{upstream: local}]}]
    proxy_pools: [{name: eu, proxies: [{name: p2, url: "socks5://127.0.0.1:1080"}]}]
    """
    changes = applied(text).changes
    assert "- upstream anthropic key main" in changes
    assert "- model claude-sonnet-4-5 route anthropic/claude-sonnet-4-5-20250929" in changes
    assert "- proxy pool eu proxy p1" in changes
    assert Route.objects.count() == Proxy.objects.count() == UpstreamKey.objects.count() == 1


def test_parts_that_are_not_listed_are_left_alone():
    applied(WHOLE)
    applied("upstreams: [{name: anthropic, kind: anthropic}]\nmodels: [{name: claude-sonnet-4-5}]")
    assert UpstreamKey.objects.count() == 1
    assert Route.objects.count() == 2


def test_further_keys_of_a_client_go_with_prune_alone():
    applied(WHOLE)
    text = "clients: [{name: alice, keys: [{name: laptop, value: sk-dg-alices-own-key}]}]"
    applied(text)
    assert ApiKey.objects.count() == 2
    assert "- client alice key made" in applied(text, prune=True).changes
    assert ApiKey.objects.count() == 1


def test_prune_removes_what_the_sections_do_not_name():
    applied(WHOLE)
    assert applied("upstreams: []\nmodels: []", prune=True).changes == [
        "- model claude-sonnet-4-5",
        "- upstream anthropic",
        "- upstream local",
    ]
    assert Client.objects.exists()
    assert ProxyPool.objects.exists()


def test_without_prune_nothing_is_removed():
    applied(WHOLE)
    assert applied("upstreams: []\nmodels: []\nclients: []\nproxy_pools: []").changes == []


def test_an_upstream_in_use_is_not_pruned():
    applied(WHOLE)
    problems = refused("upstreams: []", prune=True)
    assert "upstreams: upstream local cannot be removed, it is still used by" in problems[1]
    assert "claude-sonnet-4-5" in problems[1]
    assert Upstream.objects.count() == 2


def test_a_route_may_not_lead_to_what_prune_removes():
    applied(WHOLE)
    text = "upstreams: [{name: local, kind: openai}]\nmodels: [{name: m, routes: [{upstream: anthropic}]}]"
    assert refused(text, prune=True) == ['models[0].routes[0].upstream: no upstream named "anthropic"']


def test_what_has_no_effect_yet_is_kept_and_said():
    text = """
    upstreams:
    - {name: u, kind: openai, oauth: {refresh_token: x, token_url: "http://h/t"}, proxy_pool: p, api_version: "1"}
    proxy_pools: [{name: p}]
    models: [{name: m, reasoning: high, prices: {input: 3, output: 15}}]
    clients: [{name: c, limits: {tpm: 1000}, budget: {usd: 20.5, per: week}}]
    """
    result = applied(text)
    paths = [warning.partition(":")[0] for warning in result.warnings]
    assert paths == ["upstreams[0].api_version", "models[0].prices", "clients[0].limits.tpm", "clients[0].budget"]
    assert ModelConfig.objects.get().prices == {"input": 3.0, "output": 15.0}
    client = Client.objects.get()
    assert (client.tpm, client.budget_usd, client.budget_per) == (1000, Decimal("20.5"), "week")
    assert applied(text).changes == []


@pytest.mark.parametrize(
    ("upstream", "problem"),
    [
        ("kind: azure", "base_url: This kind of upstream has no address of its own; give one."),
        ("kind: openai, base_url: 'https://h?api-version=2024-10-21'", "base_url: Only an address of Azure has an "
         "api-version; leave out the query."),
        ("kind: azure, base_url: 'https://h?api-version=2024-10-21&key=1'", "base_url: A base URL has no query, no "
         "fragment and no spaces."),
        ("kind: azure, base_url: 'https://h?api-version=2024-10-21', api_version: 2024-06-01",
         "api_version: The base URL names another version; say it once."),
        ("kind: azure, base_url: 'https://h', api_version: '1&x=2'", "api_version: Use letters, digits, dot and dash."),
    ],
)  # fmt: skip
def test_an_azure_upstream_that_cannot_work_is_refused(upstream, problem):
    assert refused(f"upstreams: [{{name: u, {upstream}}}]") == [f"upstreams[0].{problem}"]


def test_an_azure_address_is_taken_with_the_version_that_the_portal_shows():
    base = "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2025-01-01-preview"
    result = applied(f"upstreams: [{{name: u, kind: azure, base_url: '{base}'}}]")
    assert result.warnings == []
    assert Upstream.objects.get().base_url == base


# --- keys by their digest --------------------------------------------------------------------------------------------


def test_a_key_may_be_given_by_its_digest():
    key = "sk-dg-" + "x" * 43
    text = f"clients: [{{name: a, keys: [{{name: k, digest: 'sha256:{digest(key)}', prefix: sk-dg-xxxxxx}}]}}]"
    result = apply(read(text, environ={}, directory=Path.cwd()))
    assert result.changes == ["+ client a", "+ client a key k"]
    assert result.made == []
    row = ApiKey.objects.get()
    assert (row.digest, row.prefix) == (digest(key), "sk-dg-xxxxxx")
    assert apply(read(text, environ={}, directory=Path.cwd())).changes == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("digest: 'sha256:12'", "digest: must be sha256: and 64 hex digits in lower case"),
        ("digest: 'sha256:12', value: sk-dg-abcdefgh", "digest: give the value or its digest, not both"),
        (f"digest: 'sha256:{digest('a-key-of-b')}'", "digest: this key already belongs to b/k"),
    ],
)
def test_a_digest_that_cannot_be_is_refused(words, sentence):
    bob = Client.objects.create(name="b")
    ApiKey.objects.create(client=bob, name="k", digest=digest("a-key-of-b"))
    text = f"clients: [{{name: a, keys: [{{name: k, {words}}}]}}]"
    with pytest.raises(DeclarationError) as caught:
        apply(read(text, environ={}, directory=Path.cwd()))
    assert caught.value.problems == [f"clients[0].keys[0].{sentence}"]


def test_a_file_puts_the_value_back_that_a_rotation_replaced():
    text = "clients: [{name: alice, keys: [{name: laptop, value: sk-dg-of-the-file-0123456789}]}]"
    applied(text)
    row = ApiKey.objects.get(name="laptop")
    rotate(row, timezone.now(), timedelta(days=1))
    taken = "clients: [{name: bob, keys: [{name: k, value: sk-dg-of-the-file-0123456789}]}]"
    assert "already belongs to alice/laptop" in str(refused(taken))
    assert applied(text).changes == ["~ client alice key laptop: value (changed)"]
    row.refresh_from_db()
    assert (row.digest, row.previous_digest) == (digest("sk-dg-of-the-file-0123456789"), None)


def test_a_token_without_a_token_server_is_kept_with_a_warning():
    text = "upstreams: [{name: u, kind: anthropic, oauth: {refresh_token: rt, token_url: null, client_id: null}}]"
    result = apply(read(text, environ={}, directory=Path.cwd()))
    assert result.changes == ["+ upstream u", "+ upstream u token oauth"]
    assert result.warnings == [
        "upstreams[0].oauth.token_url: is needed to refresh the token: this kind has no token server of its own"
    ]


@pytest.mark.parametrize("text", ["clients: []", "clients: [{name: boss, enabled: false}]"])
def test_who_takes_the_last_admin_key_is_told(text):
    apply(read("clients: [{name: boss, keys: [{name: k, scope: admin}]}]", environ={}, directory=Path.cwd()))
    [warning] = apply(read(text, environ={}, directory=Path.cwd()), prune=True).warnings
    assert warning.startswith("clients: no key of scope admin is left")
    assert apply(read(text, environ={}, directory=Path.cwd()), prune=True).warnings == []
