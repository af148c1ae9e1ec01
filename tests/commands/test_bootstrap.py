"""The first start: what is missing is made and shown once."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from accounts.keys import digest
from accounts.models import ApiKey, Client
from gateway.seeds import Relay, Seeds, Unified
from proxyapp.config import firststart
from proxyapp.config.build import build_snapshot
from proxyapp.models import ModelConfig, Route, Upstream
from proxyapp.models.config import current_version

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[2]


def test_a_first_start_makes_everything_and_shows_it(run):
    out, _ = run("bootstrap")
    key = re.search(r"Key +(sk-dg-\S+)", out)[1]
    password = re.search(r"Password +(\S+)", out)[1]
    admin = get_user_model().objects.get()
    assert admin.username == "admin"
    assert admin.is_superuser
    assert admin.check_password(password)
    assert "http://127.0.0.1:8000/admin/" in out
    assert (ApiKey.objects.get().digest, Client.objects.get().name) == (digest(key), "default")
    assert current_version() > 0
    snapshot = build_snapshot()
    assert snapshot.models["demo"].routes[0].upstream == "demo"
    assert snapshot.upstreams["demo"].kind == "demo"


def test_the_curl_line_is_one_line_that_a_shell_takes_apart_rightly(run):
    out, _ = run("bootstrap")
    line = next(line for line in out.splitlines() if line.startswith("curl "))
    words = shlex.split(line)
    assert words[1] == "http://127.0.0.1:8000/v1/chat/completions"
    assert re.fullmatch(r"Authorization: Bearer sk-dg-\S+", words[words.index("-H") + 1])
    assert json.loads(words[words.index("-d") + 1])["model"] == "demo"


def test_the_second_time_nothing_is_made_and_nothing_shown(run):
    run("bootstrap")
    before = current_version()
    assert run("bootstrap") == ("", "")
    assert current_version() == before
    assert ApiKey.objects.count() == get_user_model().objects.count() == 1


@override_settings(ADMIN_USERNAME="olga", ADMIN_PASSWORD="from-the-environment")
def test_a_given_password_is_used_and_not_shown(run):
    out, _ = run("bootstrap")
    assert get_user_model().objects.get(username="olga").check_password("from-the-environment")
    assert "from-the-environment" not in out
    assert "olga" in out


@override_settings(HOST="0.0.0.0", PORT=9000)
def test_the_address_is_one_that_can_be_opened(run):
    assert "http://127.0.0.1:9000/admin/" in run("bootstrap")[0]


def test_with_an_upstream_there_is_no_demo(run):
    Upstream.objects.create(name="mine", kind="openai")
    out, _ = run("bootstrap")
    assert not ModelConfig.objects.exists()
    assert "curl" not in out
    assert "Key" in out


SAID = Seeds(unified=Unified(actual_name="gpt-4", api_key="sk-canary", base_url="http://127.0.0.1:9/v1"))


@override_settings(SEEDS=SAID)
def test_what_the_environment_says_is_made_in_the_place_of_the_demo(run):
    out, err = run("bootstrap")
    line = next(line for line in out.splitlines() if line.startswith("curl "))
    words = shlex.split(line)
    assert json.loads(words[words.index("-d") + 1])["model"] == "gpt-4"
    assert "+ upstream env-unified" in out
    assert "canary" not in out + err
    assert list(Upstream.objects.values_list("name", flat=True)) == ["env-unified"]
    assert run("bootstrap") == ("", "")


def test_a_demo_that_was_there_goes_when_the_environment_speaks_and_comes_back(run, settings):
    run("bootstrap")
    settings.SEEDS = SAID
    out, _ = run("bootstrap")
    assert "From the environment:" in out
    assert list(ModelConfig.objects.values_list("name", flat=True)) == ["gpt-4"]
    settings.SEEDS = Seeds()
    run("bootstrap")
    assert list(ModelConfig.objects.values_list("name", flat=True)) == ["demo"]


def test_a_demo_that_somebody_uses_stays(run, settings):
    run("bootstrap")
    Route.objects.create(model=ModelConfig.objects.create(name="mine"), upstream=Upstream.objects.get())
    settings.SEEDS = SAID
    run("bootstrap")
    assert sorted(ModelConfig.objects.values_list("name", flat=True)) == ["demo", "gpt-4", "mine"]


@override_settings(SEEDS=Seeds(unified=Unified(), relay=Relay(base_url="http://127.0.0.1:9")))
def test_a_contradiction_stops_the_start_with_nothing_made(run):
    with pytest.raises(ImproperlyConfigured, match="OPENAI_BASE_URL and ACTUAL_NAME"):
        run("bootstrap")
    assert not get_user_model().objects.exists()


def test_afresh_sets_again_what_was_changed(run, settings):
    settings.SEEDS = SAID
    run("bootstrap")
    Upstream.objects.update(base_url="http://127.0.0.1:10")
    assert run("bootstrap") == ("", "")
    assert "~ upstream env-unified: base_url" in run("bootstrap", "--afresh")[0]


def test_with_a_client_no_key_is_made(run):
    Client.objects.create(name="alice")
    assert "Key" not in run("bootstrap")[0]
    assert not ApiKey.objects.exists()


def test_with_a_superuser_no_other_is_made(run):
    get_user_model().objects.create_superuser("root", password="x")
    assert "Password" not in run("bootstrap")[0]
    assert get_user_model().objects.count() == 1


def test_a_name_that_is_taken_is_left_alone(run):
    ModelConfig.objects.create(name="other", aliases=["demo"])
    run("bootstrap")
    assert ModelConfig.objects.count() == 1


def test_what_was_made_does_not_show_in_its_repr():
    created = firststart.Created(username="a", password="p-secret", key="k-secret")
    assert "secret" not in repr(created)


@pytest.mark.slow
def test_two_first_starts_at_once_on_an_empty_database_are_safe(tmp_path):
    environment = {**os.environ, "DRAGOMAN_DATA_DIR": str(tmp_path), "DATABASE_URL": ""}
    command = [sys.executable, "manage.py", "bootstrap"]
    both = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert sum("Password" in out for out, _ in outputs) == 1
