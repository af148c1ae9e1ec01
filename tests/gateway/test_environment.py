"""Settings are read once, typed, and a bad value stops the start with a sentence that names it."""

import os
import re
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from gateway import database, firstkeys
from gateway.environment import Environment

ROOT = Path(__file__).resolve().parents[2]
FERNET = "dGVzdHMtb25seS1rZXktMzItYnl0ZXMtbG9uZy0tLS0="


def read_settings(tmp_path, expression="None", **variables):
    """Import the settings in a process of their own; (exit code, what it printed)."""
    environment = {
        "PATH": os.environ["PATH"],
        "DRAGOMAN_DATA_DIR": str(tmp_path / "data"),
        "DRAGOMAN_ENV_FILE": os.devnull,
        **variables,
    }
    done = subprocess.run(
        [sys.executable, "-c", f"from gateway import settings as s; print({expression})"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, (done.stdout + done.stderr).strip()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "70000"),
        ("WEB_CONCURRENCY", "0"),
        ("ENABLE_CLIENT_AUTH", "ture"),
        ("LOG_LEVEL", "LOUD"),
        ("HISTORY_BODIES", "some"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,proxy"),
        ("CORS_ALLOWED_ORIGINS", "chat.example.org"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("DATABASE_URL", "sqlite://"),
        ("DRAGOMAN_ENCRYPTION_KEYS", "short"),
        ("SECRET_KEY", ""),
        ("DRAGOMAN_ENCRYPTION_KEYS", ""),
        ("ADMIN_PASSWORD_FILE", "/nowhere/at/all"),
        ("LOG_FILE_PATH", "/proc/nowhere/x.log"),
        ("DRAGOMAN_CA_FILE", "/nowhere.pem"),
    ],
)
def test_a_bad_value_stops_the_start_and_is_named(tmp_path, name, value):
    expression = "__import__('django').setup()" if name == "LOG_FILE_PATH" else "None"
    code, output = read_settings(tmp_path, expression, DJANGO_SETTINGS_MODULE="gateway.settings", **{name: value})
    assert code == 1
    last = output.splitlines()[-1]
    assert last.startswith("django.core.exceptions.ImproperlyConfigured: ")
    assert name in last


def test_a_bad_encryption_key_is_not_repeated(tmp_path):
    _, output = read_settings(tmp_path, DRAGOMAN_ENCRYPTION_KEYS="almost-a-key-but-not-quite")
    assert "almost-a-key" not in output


def test_postgres_wants_both_secrets_given(tmp_path):
    url = "postgres://u:p@db/x"
    code, output = read_settings(tmp_path, DATABASE_URL=url)
    assert code == 1
    assert "SECRET_KEY must be set when DATABASE_URL is not SQLite" in output
    code, output = read_settings(tmp_path, DATABASE_URL=url, SECRET_KEY="x" * 40)
    assert "DRAGOMAN_ENCRYPTION_KEYS must be set" in output
    code, output = read_settings(tmp_path, DATABASE_URL=url, SECRET_KEY="x" * 40, DRAGOMAN_ENCRYPTION_KEYS=FERNET)
    assert code == 0


def test_a_first_start_makes_both_secrets_once_and_privately(tmp_path):
    expression = "s.SECRET_KEY, s.DRAGOMAN_ENCRYPTION_KEYS"
    _, first = read_settings(tmp_path, expression)
    _, second = read_settings(tmp_path, expression)
    assert first == second
    for name in ("secret_key", "encryption_keys"):
        file = tmp_path / "data" / name
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.read_text().strip() in first.replace("\\\\", "\\")


def test_the_secrets_are_made_beside_the_sqlite_file(tmp_path):
    code, _ = read_settings(tmp_path, DATABASE_URL=f"sqlite+aiosqlite:///{tmp_path}/elsewhere/x.sqlite3")
    assert code == 0
    assert (tmp_path / "elsewhere" / "secret_key").exists()
    assert not (tmp_path / "data" / "secret_key").exists()


def test_two_processes_that_start_together_agree(tmp_path):
    values = []
    threads = [
        threading.Thread(target=lambda: values.append(firstkeys.made_once(tmp_path / "key", firstkeys.encryption_key)))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(values) == 16
    assert len(set(values)) == 1


def test_an_empty_secret_file_is_named_and_not_overwritten(tmp_path, monkeypatch):
    monkeypatch.setattr(firstkeys, "WAIT_SECONDS", 0.05)
    (tmp_path / "key").touch()
    with pytest.raises(ImproperlyConfigured, match="is empty"):
        firstkeys.made_once(tmp_path / "key", firstkeys.encryption_key)
    assert (tmp_path / "key").read_text() == ""


def test_a_secret_may_come_from_a_file(tmp_path, monkeypatch):
    (tmp_path / "s").write_text("from-a-file\n")
    monkeypatch.setenv("THING_FILE", str(tmp_path / "s"))
    assert Environment().secret("THING") == "from-a-file"
    monkeypatch.setenv("THING", "direct")
    with pytest.raises(ImproperlyConfigured, match="THING and THING_FILE are both set"):
        Environment().secret("THING")


def test_the_env_file_gives_defaults_only(tmp_path):
    (tmp_path / "env").write_text("PORT=9001\nHOST=0.0.0.0\n")
    _, output = read_settings(tmp_path, "s.HOST, s.PORT", DRAGOMAN_ENV_FILE=str(tmp_path / "env"), PORT="9002")
    assert output == "0.0.0.0 9002"


def test_sqlite_takes_the_write_lock_at_once_and_uses_wal(tmp_path):
    config = database.parse("sqlite:///x.sqlite3", tmp_path)
    assert config["NAME"] == str(tmp_path / "x.sqlite3")
    assert config["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in config["OPTIONS"]["init_command"]


def test_postgres_gets_a_small_pool_and_no_kept_connections():
    config = database.parse("postgresql+asyncpg://u:p@db:5433/x", ROOT)
    assert config["ENGINE"] == database.POSTGRES
    assert (config["HOST"], config["PORT"], config["CONN_MAX_AGE"]) == ("db", 5433, 0)
    assert config["OPTIONS"]["pool"]["max_size"] <= 5


@pytest.mark.parametrize(
    ("host", "hosts"),
    [
        ("127.0.0.1", "['localhost', '127.0.0.1', '[::1]']"),
        ("gw.lan", "['localhost', '127.0.0.1', '[::1]', 'gw.lan']"),
        ("0.0.0.0", "['localhost', '127.0.0.1', '[::1]']"),
    ],
)
def test_the_console_answers_under_loopback_names_and_its_own(tmp_path, host, hosts):
    assert read_settings(tmp_path, "s.ALLOWED_HOSTS", HOST=host) == (0, hosts)


@pytest.mark.parametrize(
    ("variables", "any_origin"),
    [
        ({}, "True"),
        ({"CORS_ALLOWED_ORIGINS": "https://a.example"}, "False"),
        ({"ALLOW_ANONYMOUS_ACCESS": "true"}, "False"),
        ({"ENABLE_CLIENT_AUTH": "false"}, "False"),
        ({"ALLOW_ANONYMOUS_ACCESS": "true", "CORS_ALLOWED_ORIGINS": "*"}, "True"),
    ],
)
def test_any_web_origin_may_call_only_while_keys_are_required(tmp_path, variables, any_origin):
    assert read_settings(tmp_path, "s.CORS_ALLOW_ALL_ORIGINS", **variables) == (0, any_origin)


def test_the_settings_page_lists_exactly_the_variables_that_are_read():
    from gateway import settings

    rows = re.findall(r"^\| `([A-Z0-9_]+)`(?: †)? \|", (ROOT / "docs/settings.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(settings.ENVIRONMENT.names)
    assert len(rows) == len(set(rows))


def test_the_settings_page_marks_exactly_the_secrets_that_may_be_files():
    from gateway import seeds

    source = (ROOT / "gateway/settings.py").read_text()
    secrets = set(re.findall(r'env\.secret\("([A-Z_]+)"', source)) | {"SECRET_KEY", "DRAGOMAN_ENCRYPTION_KEYS"}
    secrets |= set(seeds.SECRET)
    marked = re.findall(r"^\| `([A-Z_]+)` † \|", (ROOT / "docs/settings.md").read_text(), re.MULTILINE)
    assert set(marked) == secrets


def test_nothing_else_reads_the_environment():
    allowed = {ROOT / "gateway/environment.py", ROOT / "gateway/database.py"}
    files = [file for package in ("gateway", "accounts", "proxyapp") for file in (ROOT / package).rglob("*.py")]
    readers = {file for file in files if re.search(r"os\.environ|os\.getenv|environ\.Env", file.read_text())}
    assert {str(file.relative_to(ROOT)) for file in readers - allowed} <= {
        "gateway/asgi.py",  # names the settings module
        "proxyapp/management/commands/apply_config.py",  # resolves the file's `env:NAME`
        "proxyapp/management/commands/import_config.py",  # so does this
        "proxyapp/config/importing/litellm_upstreams.py",  # names LiteLLM's own form of a reference
    }
