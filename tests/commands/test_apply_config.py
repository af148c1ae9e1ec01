"""`apply_config` from the shell."""

import io

import pytest
from django.core.management import CommandError

from proxyapp.models import Upstream, UpstreamKey

pytestmark = pytest.mark.django_db

TEXT = """
upstreams: [{name: u, kind: openai, api_version: x, keys: [{name: k, value: "file:secret"}]}]
clients: [{name: alice, keys: [{name: laptop}]}]
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "secret").write_text("sk-from-a-file")
    path = tmp_path / "dragoman.yaml"
    path.write_text(TEXT)
    return path


def test_changes_and_made_keys_go_to_standard_output(run, file):
    out, err = run("apply_config", str(file))
    lines = out.splitlines()
    assert lines[:4] == ["+ upstream u", "+ upstream u key k", "+ client alice", "+ client alice key laptop"]
    assert lines[4].startswith("key laptop of client alice, shown this once: sk-dg-")
    assert err.splitlines() == [
        "WARNING upstreams[0].api_version: is kept, but has a meaning for the kind azure alone",
        "4 changes.",
    ]
    assert UpstreamKey.objects.get().value.reveal() == "sk-from-a-file"
    out, err = run("apply_config", str(file))
    assert out == ""
    assert err.splitlines()[-1] == "Nothing to change."


def test_a_dry_run_says_so(run, file):
    out, err = run("apply_config", str(file), "--dry-run")
    assert "+ upstream u" in out
    assert "sk-dg-" not in out
    assert err.splitlines()[-1] == "4 changes (dry run, nothing was written)."
    assert not Upstream.objects.exists()


def test_standard_input_is_a_file_too(run, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO('{"upstreams": [{"name": "x", "kind": "openai"}]}'))
    assert run("apply_config", "-")[0] == "+ upstream x\n"


def test_problems_are_sentences_and_exit_status_1(run, tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("upstreams: [{name: u, kind: openai, keys: [{name: k, value: env:NOT_SET_ANYWHERE}]}]\nmodls: []")
    with pytest.raises(CommandError) as caught:
        run("apply_config", str(path))
    assert caught.value.returncode == 1
    assert str(caught.value).splitlines() == [
        "modls: unknown; did you mean 'models'?",
        "upstreams[0].keys[0].value: the environment variable NOT_SET_ANYWHERE is not set",
        "Nothing was changed.",
    ]


def test_a_file_that_is_not_there_is_named(run):
    with pytest.raises(CommandError, match=r"nowhere\.yaml cannot be read"):
        run("apply_config", "nowhere.yaml")
