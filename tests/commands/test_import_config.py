"""`import_config` from the shell."""

import io
import json

import pytest
import yaml
from django.core.management import CommandError

from accounts.keys import digest
from accounts.models import ApiKey
from proxyapp.config.build import build_snapshot
from proxyapp.models import ModelConfig, Proxy, ProxyPool, Upstream, UpstreamKey
from tests.config.importing.test_droid2api import WHOLE as FACTORY
from tests.config.importing.test_litellm import WHOLE
from tests.config.importing.test_oneapi import CHANNELS

pytestmark = pytest.mark.django_db

DROID2API = {
    "port": 3000,
    "endpoint": [{"name": "anthropic", "base_url": "https://api.z.test/api/anthropic/v1/messages"}],
    "proxies": [
        {"name": "good", "url": "http://me:hush-hush@127.0.0.1:3128"},
        {"name": "bad", "url": "gopher://me:hush-hush@127.0.0.1"},
    ],
    "models": [{"id": "glm-4.6", "type": "anthropic", "reasoning": "auto"}],
    "model_redirects": {"claude-sonnet-4-5": "glm-4.6"},
}


LITELLM = yaml.safe_dump(WHOLE)


def identified(key):
    return ApiKey.objects.get(digest=digest(key))


def write(tmp_path, raw, name="config.json"):
    path = tmp_path / name
    path.write_text(raw if isinstance(raw, str) else json.dumps(raw))
    return str(path)


def test_a_file_of_droid2api_is_taken_and_told(run, tmp_path):
    file = write(tmp_path, DROID2API)
    out, err = run("import_config", file)
    assert out.splitlines() == [
        "+ proxy pool droid2api",
        "+ proxy pool droid2api proxy good",
        "+ upstream api.z.test",
        "+ model glm-4.6",
        "+ model glm-4.6 route api.z.test/glm-4.6",
    ]
    lines = err.splitlines()
    assert lines[0] == "A file of droid2api."
    assert "taken: models[0]: model glm-4.6, reasoning auto." in lines
    assert any(line.startswith("left out: proxy pool droid2api: A proxy URL begins with") for line in lines)
    assert "left out: port: the port is a setting here: PORT." in lines
    assert lines[-1] == "5 changes."
    assert "hush-hush" not in out + err
    assert Proxy.objects.get().url.reveal() == "http://me:hush-hush@127.0.0.1:3128"
    assert ModelConfig.objects.get().aliases == ["claude-sonnet-4-5"]


def test_the_documents_example_is_true(run, tmp_path, example):
    raw = {"port": 3000, "models": [{"id": "glm-5", "type": "common"}]}
    told = run("import_config", write(tmp_path, raw))[1].splitlines()
    assert [line for line in told if line in example("import_config")] == example("import_config")


def test_the_second_time_there_is_nothing_to_change(run, tmp_path):
    file = write(tmp_path, DROID2API)
    run("import_config", file)
    out, err = run("import_config", file)
    assert out == ""
    assert err.splitlines()[-1] == "Nothing to change."


def test_a_dry_run_tells_all_and_writes_nothing(run, tmp_path):
    out, err = run("import_config", write(tmp_path, DROID2API), "--dry-run")
    assert "+ upstream api.z.test" in out
    assert err.splitlines()[-1] == "5 changes (dry run, nothing was written)."
    assert not ProxyPool.objects.exists()


def test_a_name_that_another_model_has_costs_only_the_alias(run, tmp_path):
    ModelConfig.objects.create(name="claude-sonnet-4-5")
    _, err = run("import_config", write(tmp_path, DROID2API))
    assert "left out: model glm-4.6: 'claude-sonnet-4-5' already belongs to the model 'claude-sonnet-4-5'." in err
    assert ModelConfig.objects.get(name="glm-4.6").aliases == []


def test_an_upstream_whose_proxies_cannot_be_taken_is_off(run, tmp_path):
    raw = {**DROID2API, "proxies": [{"url": "gopher://x"}]}
    _, err = run("import_config", write(tmp_path, raw))
    assert "decide: proxy pool droid2api: none of its proxies could be taken." in err
    assert Upstream.objects.get().proxy_pool.on_exhausted == "fail"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "none of the files"),
        ("[1, 2]", "none of the files"),
        ("upstreams: [{name: x, kind: openai}]", "A file of our own is for apply_config"),
        ("{" * 100_000, "nested too deeply"),
        ("{'a': !!python/object:os.system {}}", "cannot be read"),
        ("[" * 100_000, "nested too deeply"),
        ("a: [b", "line 1"),
        ('{"endpoint": [], "models": [], "user_agent": "x"}', "Nothing of this file could be taken"),
    ],
)
def test_a_file_that_gives_nothing_is_a_sentence_and_exit_status_1(run, tmp_path, text, sentence):
    with pytest.raises(CommandError, match=sentence) as caught:
        run("import_config", write(tmp_path, text))
    assert caught.value.returncode == 1
    assert not Upstream.objects.exists()


def test_a_foreign_file_cannot_refer_to_files_or_variables_of_ours(run, tmp_path, monkeypatch):
    monkeypatch.setenv("OURS", "hush-hush")
    raw = {"endpoint": [], "models": [{"id": "x", "type": "anthropic"}], "proxies": [{"url": "env:OURS"}]}
    err = run("import_config", write(tmp_path, {**raw, "system_prompt": "file:/etc/hostname"}))[1]
    assert "left out: proxy pool droid2api: A proxy URL begins with" in err
    assert Upstream.objects.get().system_prompt == "file:/etc/hostname"
    assert "literal:file:/etc/hostname" in run("export_config")[0]


def test_what_may_not_be_named_so_here_is_left_out_alone(run, tmp_path):
    models = [{"id": "two*of*them", "type": "anthropic"}, *DROID2API["models"]]
    out, err = run("import_config", write(tmp_path, {**DROID2API, "models": models}))
    assert "left out: model two*of*them: 'two*of*them' holds more than one *." in err
    assert "+ model glm-4.6" in out


def test_a_whole_file_of_droid2api_is_one_factory_upstream(run, tmp_path):
    file = write(tmp_path, FACTORY)
    err = run("import_config", file)[1]
    assert "left out: model " not in err
    assert "left out: upstream" not in err
    assert Upstream.objects.get().kind == "factory"
    snapshot = build_snapshot()
    assert snapshot.models["claude-3-5-haiku-20241022"].name == "claude-haiku-4-5-20251001"
    assert snapshot.models["gpt-5.2"].profile == {"api": "responses", "provider": "openai", "fast": True}
    assert snapshot.models["gpt-5.2"].reasoning == "high"
    assert run("import_config", file)[0] == ""


def test_a_file_of_litellm_is_applied_whole(run, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-environment")
    monkeypatch.setenv("TEAM", "blue")
    file = write(tmp_path, LITELLM, "config.yaml")
    out, err = run("import_config", file)
    assert "+ upstream openai key OPENAI_API_KEY" in out
    assert "+ model gpt-4o route ollama.test-11434/llama3.2" in out
    assert "+ client litellm key master_key" in out
    assert "sk-" not in (out + err).replace("sk-team", "")
    assert identified("sk-master-key").scope == "admin"
    assert UpstreamKey.objects.filter(name="OPENAI_API_KEY")[0].value.reveal() == "sk-from-the-environment"
    assert run("import_config", file)[0] == ""


def test_a_list_of_channels_is_applied_whole(run, tmp_path):
    file = write(tmp_path, {"success": True, "message": "", "data": CHANNELS})
    out, err = run("import_config", file)
    assert err.startswith("A file of one-api.\n")
    assert "+ upstream azure-2 key main" in out
    assert not Upstream.objects.get(name="azure").enabled
    assert [route.upstream.name for route in ModelConfig.objects.get(name="gpt-4o").routes.all()] == ["azure", "openai"]
    assert run("import_config", file)[0] == ""


def test_standard_input_is_a_file_too(run, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(DROID2API)))
    assert "+ model glm-4.6" in run("import_config", "-", "--format", "droid2api")[0]


def test_a_file_that_is_not_there_or_no_text_is_named(run, tmp_path):
    with pytest.raises(CommandError, match=r"nowhere\.json cannot be read"):
        run("import_config", "nowhere.json")
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CommandError, match="is not text in UTF-8"):
        run("import_config", str(tmp_path / "x"))


@pytest.mark.parametrize("character", ["\0", "\ud800"])
def test_what_no_database_keeps_is_left_out_and_told(run, tmp_path, character):
    raw = {"models": [{"id": "claude-x", "type": "anthropic"}], "system_prompt": f"a{character}b"}
    with pytest.raises(CommandError, match="Nothing of this file"):
        run("import_config", str(write(tmp_path, json.dumps(raw))))
    assert not Upstream.objects.exists()
