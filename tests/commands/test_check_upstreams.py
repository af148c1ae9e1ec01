"""`check_upstreams`: one question for each key, over the network, as requests would go out."""

import re

import pytest
from django.core.management import CommandError, call_command

from proxyapp.models import OAuthToken, Proxy, ProxyPool, Upstream, UpstreamKey
from proxyapp.upstreams.contract import Upstream as Configured
from proxyapp.upstreams.inquiries import finding, inquiry
from proxyapp.upstreams.registry import KINDS
from tests.config.conftest import OTHER_KEY
from tests.fakes.upstream import ScriptedUpstream, answer_json, answer_text, hang

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def server():
    server = ScriptedUpstream()
    yield server
    server.close()


@pytest.fixture
def upstream(server):
    server.clear()
    row = Upstream.objects.create(name="main", kind="openai", base_url=server.url, headers={"x-team": "blue"})
    UpstreamKey.objects.create(upstream=row, name="first", value="sk-secret-first")
    return row


@pytest.fixture
def check(capsys):
    """(exit status, standard output, standard error)"""

    def call(*words):
        try:
            call_command("check_upstreams", *words)
            status = 0
        except SystemExit as exc:
            status = exc.code
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


def test_every_key_is_shown_to_its_server_once(check, upstream, server):
    UpstreamKey.objects.create(upstream=upstream, name="second", value="sk-secret-second")
    server.then(answer_json({"data": []}), answer_json({"error": {"message": "sk-secret-second"}}, 401))
    status, out, err = check()
    assert status == 1
    lines = out.splitlines()
    assert lines[0].split() == ["UPSTREAM", "KEY", "STATE", "STATUS", "TIME", "WHAT"]
    assert len(lines) == 3
    assert {seen.headers["authorization"] for seen in server.seen} == {
        "Bearer sk-secret-first", "Bearer sk-secret-second",
    }  # fmt: skip
    assert {seen.path for seen in server.seen} == {"/v1/models"}
    assert {seen.headers["x-team"] for seen in server.seen} == {"blue"}
    assert sorted(line.split()[2] for line in lines[1:]) == ["DOWN", "up"]
    assert "It answers and takes the key." in out
    assert "The key is refused (401)." in out
    assert "sk-secret" not in out + err


def test_the_documents_example_is_true(check, server, example):
    server.clear()
    main = Upstream.objects.create(name="anthropic", kind="anthropic", base_url=server.url)
    for name in ("main", "backup"):
        UpstreamKey.objects.create(upstream=main, name=name, value=f"sk-of-{name}")
    Upstream.objects.create(name="local", kind="openai_compatible", base_url=server.url)
    answers = {"sk-of-main": (200, "{}"), "sk-of-backup": (401, "{}"), "": (404, "<html>")}
    server.default = lambda seen: answer_json(*reversed(answers[seen.headers.get("x-api-key", "")]))

    def told(lines):
        return [re.sub(r" +", " ", re.sub(r"\d+ ms", "N ms", line)) for line in lines]

    assert told(check()[1].splitlines()) == told(example("check_upstreams"))


@pytest.mark.parametrize(
    ("error", "words"),
    [("invalid_grant", "Its refresh token is dead"), ("", "It has not been refreshed yet.")],
    ids=["dead", "not refreshed yet"],
)
def test_an_upstream_whose_access_token_is_not_there_is_down_also_where_no_key_is_needed(check, server, error, words):
    server.clear()
    row = Upstream.objects.create(name="local", kind="openai_compatible", base_url=server.url)
    token = OAuthToken.objects.create(upstream=row, name="oauth", seed="rt-1", token_url=f"{server.url}/token")
    if error:
        OAuthToken.objects.update(error=error, tried_digest=token.config_digest)
    status, out, _ = check()
    assert status == 1
    assert "DOWN" in out
    assert words in out
    assert not server.seen


def test_all_is_well(check, upstream, server):
    server.then(answer_json({"data": []}))
    status, out, err = check()
    assert status == 0
    assert err == ""
    assert "main" in out


@pytest.mark.parametrize(
    ("script", "state", "words"),
    [
        (answer_text("<html>", 404), "up", "not to this question (404)"),
        (answer_json({}, 402), "DOWN", "no money left"),
        (answer_json({}, 429), "up", "limits this key at the moment"),
        (answer_json({}, 503), "DOWN", "It fails (503)."),
        (answer_json({}, 302, location="http://elsewhere.test/"), "DOWN", "redirects are not followed"),
        (hang(), "DOWN", "No answer within 0.3 s."),
    ],
    ids=["no list", "unpaid", "limited", "failing", "elsewhere", "silent"],
)
def test_each_answer_is_told_in_a_sentence(check, upstream, server, script, state, words):
    server.then(script)
    status, out, _ = check("--seconds", "0.3" if "within" in words else "5")
    assert status == (state == "DOWN")
    assert out.splitlines()[1].split()[2] == state
    assert words in out


def test_a_server_that_is_not_there_is_down(check, upstream):
    Upstream.objects.update(base_url="http://127.0.0.1:9")
    status, out, _ = check()
    assert status == 1
    assert out.splitlines()[1].split()[2:4] == ["DOWN", "-"]


def test_it_goes_through_the_pool_and_never_around_it(check, upstream, server):
    upstream.proxy_pool = ProxyPool.objects.create(name="p", on_exhausted="fail")
    upstream.save()
    Proxy.objects.create(pool=upstream.proxy_pool, name="x", url="http://me:hush-hush@127.0.0.1:9")
    status, out, err = check()
    assert status == 1
    assert server.seen == []
    assert "hush-hush" not in out + err


def test_what_no_key_opens_is_red_and_a_failure(check, upstream, settings, server):
    server.then(answer_json({"data": []}))
    settings.DRAGOMAN_ENCRYPTION_KEYS = [OTHER_KEY]
    Upstream.objects.update(headers={})
    status, out, err = check("--upstream", "main")
    assert status == 1
    assert "upstream main, key first: The key is left out." in err
    assert "It has no key." in out


def test_an_upstream_without_a_key_says_so(check, server):
    Upstream.objects.create(name="bare", kind="anthropic")
    Upstream.objects.create(name="off", kind="anthropic", enabled=False)
    status, out, _ = check()
    assert status == 1
    assert out.splitlines()[1:] == ["bare      -    DOWN   -       0 ms  It has no key."]


def test_a_wrong_name_or_patience_is_a_sentence(upstream):
    for words in (["--upstream", "nobody"], ["--seconds", "0"]):
        with pytest.raises(CommandError) as caught:
            call_command("check_upstreams", *words)
        assert caught.value.returncode == 2


def test_with_no_upstream_there_is_nothing_to_ask(check):
    assert check() == (0, "There is no upstream that is switched on.\n", "")


# --- what is asked of each kind --------------------------------------------------------------------------------------

QUESTIONS = [
    ("openai", None, None, "https://api.openai.com/v1/models"),
    ("openai", "https://relay.test/v1/chat/completions", None, "https://relay.test/v1/models"),
    ("openai_compatible", "https://openrouter.ai/api/v1", None, "https://openrouter.ai/api/v1/key"),
    ("anthropic", None, None, "https://api.anthropic.com/v1/models"),
    ("gemini", None, None, "https://generativelanguage.googleapis.com/v1beta/models?pageSize=1"),
    ("azure", "https://x.openai.azure.com", None, "https://x.openai.azure.com/openai/v1/models"),
    ("azure", "https://x.openai.azure.com", "2024-10-21",
     "https://x.openai.azure.com/openai/models?api-version=2024-10-21"),
    ("azure", "https://x.services.ai.azure.com/models", None,
     "https://x.services.ai.azure.com/models/info?api-version=2024-05-01-preview"),
    ("coze", "https://api.coze.cn/v3/chat", None, "https://api.coze.cn/v1/users/me"),
    ("factory", None, None, "https://api.factory.ai/api/llm/a/v1/messages/count_tokens"),
    ("demo", "http://127.0.0.1:8000/_demo", None, "http://127.0.0.1:8000/_demo/v1/messages"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "base_url", "version", "url"), QUESTIONS)
def test_the_question_of_each_kind(kind, base_url, version, url):
    configured = Configured(name="u", kind=kind, base_url=base_url, api_version=version)
    assert inquiry(KINDS[kind], configured).url == url


def test_every_kind_has_a_question():
    for kind in KINDS.values():
        asked = inquiry(kind, Configured(name="u", kind=kind.name, base_url="https://x.test"))
        assert asked.url.startswith("https://x.test/"), kind.name


@pytest.mark.parametrize(
    ("kind", "status", "body", "is_up"),
    [
        ("gemini", 400, b'{"error":{"details":[{"reason":"API_KEY_INVALID"}]}}', False),
        ("gemini", 400, b"{}", True),
        ("coze", 200, b'{"code":4101,"msg":"x"}', False),
        ("coze", 200, b'{"code":0}', True),
        ("coze", 200, b"not json", True),
        ("openai", 403, b"", False),
    ],
)
def test_servers_that_refuse_a_key_in_their_own_way_are_understood(kind, status, body, is_up):
    assert finding(Configured(name="u", kind=kind), status, body, with_key=True).is_up is is_up


def test_a_server_for_callers_own_keys_may_refuse_us():
    open_to_callers = Configured(name="u", kind="anthropic", allow_caller_keys=True)
    assert finding(open_to_callers, 401, b"", with_key=False).is_up
    assert not finding(Configured(name="u", kind="anthropic"), 401, b"", with_key=False).is_up
