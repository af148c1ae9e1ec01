"""`rotate_encryption_key`: every secret under the first key, whatever happens in between."""

import os
import stat

import pytest
from cryptography.fernet import Fernet
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.test import override_settings

from gateway.firstkeys import put_first
from proxyapp.config import rekeying
from proxyapp.config.build import build
from proxyapp.models import OAuthToken, Proxy, ProxyPool, Upstream, UpstreamKey
from proxyapp.models.config import current_version

pytestmark = pytest.mark.django_db

OLD, NEW, STRANGE = (Fernet.generate_key().decode() for _ in range(3))


def knowing(*keys):
    return override_settings(DRAGOMAN_ENCRYPTION_KEYS=list(keys))


@pytest.fixture
def secrets():
    """One of every sort, encrypted with OLD: (upstream, number of secrets)."""
    with knowing(OLD):
        upstream = Upstream.objects.create(name="u", kind="openai", headers={"x-team": "blue"})
        for number in range(5):
            UpstreamKey.objects.create(upstream=upstream, name=f"k{number}", value=f"sk-secret-{number}")
        pool = ProxyPool.objects.create(name="p")
        Proxy.objects.create(pool=pool, name="x", url="http://me:pass@127.0.0.1:1")
        OAuthToken.objects.create(upstream=upstream, name="oauth", seed="rt-1", access_token="at", refresh_token="rt-2")
    return upstream


def all_texts():
    token = OAuthToken.objects.get()
    return {
        *(key.value.reveal() for key in UpstreamKey.objects.all()),
        Upstream.objects.get().headers.reveal()["x-team"],
        Proxy.objects.get().url.reveal(),
        *(getattr(token, name).reveal() for name in ("seed", "access_token", "refresh_token")),
    }


def test_every_encrypted_field_of_every_model_is_found():
    found = {model.__name__: {column.name for column in rekeying.encrypted_fields(model)}
             for model in rekeying.encrypted_models()}  # fmt: skip
    assert found["UpstreamKey"] == {"value"}
    assert found["Upstream"] == {"headers"}
    assert found["Proxy"] == {"url"}
    assert {"seed", "access_token", "refresh_token"} <= found["OAuthToken"]


def test_the_new_key_alone_opens_everything_afterwards(run, secrets):
    with knowing(NEW, OLD):
        before, version = all_texts(), current_version()
        out, err = run("rotate_encryption_key", "--batch", "2")
        assert "upstream key: 5 re-encrypted, 0 under the first key" in out
        assert "upstream: 1 re-encrypted, 0 under the first key" in out
        assert "proxy: 1 re-encrypted, 0 under the first key" in out
        assert "The others may go" in err
        assert "sk-secret" not in out + err
        assert current_version() == version
    with knowing(NEW):
        assert all_texts() == before
        out, err = run("rotate_encryption_key")
        assert "upstream key: 0 re-encrypted, 5 under the first key" in out


def test_the_documents_example_is_true(run, example):
    with knowing(OLD):
        upstream = Upstream.objects.create(name="u", kind="openai", headers={"x-team": "blue"})
        for name in "abc":
            UpstreamKey.objects.create(upstream=upstream, name=name, value="sk-secret")
        OAuthToken.objects.create(upstream=upstream, name="oauth", seed="rt-1", access_token="at")
    with knowing(NEW, OLD):
        assert run("rotate_encryption_key")[0].splitlines() == example("rotate_encryption_key")


def test_a_dry_run_counts_and_writes_nothing(run, secrets):
    with knowing(NEW, OLD):
        out, _ = run("rotate_encryption_key", "--dry-run")
        assert "upstream key: 5 to re-encrypt, 0 under the first key" in out
    with knowing(OLD):
        all_texts()


def test_cut_off_in_the_middle_it_goes_on_where_it_was(run, secrets, monkeypatch):
    done = []
    whole = rekeying._replaced

    def until_the_third(*args):
        done.append(args)
        if len(done) == 4:
            raise KeyboardInterrupt
        return whole(*args)

    monkeypatch.setattr(rekeying, "_replaced", until_the_third)
    with knowing(NEW, OLD):
        with pytest.raises(KeyboardInterrupt):
            run("rotate_encryption_key", "--batch", "1")
        all_texts()
        monkeypatch.undo()
        run("rotate_encryption_key")
    with knowing(NEW):
        all_texts()


def test_what_is_written_meanwhile_is_kept_and_its_turn_comes_too(run, secrets, monkeypatch):
    """A token that is refreshed between the reading and the writing, by a server that does not know the new key."""
    whole = rekeying._replaced
    refreshed = []

    def after_a_refresh(row, column, ciphertext):
        if isinstance(row, OAuthToken) and column.name == "refresh_token" and not refreshed:
            refreshed.append(row.pk)
            with knowing(OLD):
                OAuthToken.objects.filter(pk=row.pk).update(refresh_token="rt-3")
        return whole(row, column, ciphertext)

    monkeypatch.setattr(rekeying, "_replaced", after_a_refresh)
    with knowing(NEW, OLD):
        run("rotate_encryption_key")
    with knowing(NEW):
        assert OAuthToken.objects.get().refresh_token.reveal() == "rt-3"
    assert refreshed


def test_what_no_key_opens_is_named_in_red_and_the_status_is_1(secrets, capsys):
    with knowing(STRANGE):
        UpstreamKey.objects.create(upstream=secrets, name="lost", value="sk-lost")
    with knowing(NEW, OLD), pytest.raises(SystemExit) as caught:
        call_command("rotate_encryption_key", force_color=True)
    assert caught.value.code == 1
    told = capsys.readouterr()
    assert "upstream key: 5 re-encrypted, 0 under the first key, 1 unreadable" in told.out
    assert "\x1b[31;1mupstream key u/lost: value cannot be read: none of DRAGOMAN_ENCRYPTION_KEYS fits." in told.err
    with knowing(STRANGE):
        assert UpstreamKey.objects.get(name="lost").value.reveal() == "sk-lost"


def test_a_token_that_waits_on_disk_is_not_forgotten(tmp_path, capsys, settings):
    settings.DATA_DIR = tmp_path
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens/1-1-aa.spool").write_bytes(Fernet(OLD).encrypt(b"{}"))
    with knowing(NEW, OLD), pytest.raises(SystemExit):
        call_command("rotate_encryption_key")
    assert "Refreshed tokens that wait on disk for the database: 1. Run refresh_tokens" in capsys.readouterr().err
    (tmp_path / "tokens/1-1-aa.spool").write_bytes(Fernet(NEW).encrypt(b"{}"))
    with knowing(NEW, OLD):
        call_command("rotate_encryption_key")


def test_an_empty_database_is_fine(run):
    out, err = run("rotate_encryption_key")
    assert "upstream key: 0 re-encrypted, 0 under the first key" in out
    assert err == ""


# --- the file beside the SQLite database -----------------------------------------------------------------------------


def test_a_new_key_is_put_first_into_the_file(run, tmp_path):
    path = tmp_path / "encryption_keys"
    path.write_text(f"{OLD}\n")
    path.chmod(0o600)
    with override_settings(ENCRYPTION_KEYS_FILE=path):
        out, err = run("rotate_encryption_key", "--new")
    first, second = path.read_text().strip().split(",")
    assert second == OLD
    Fernet(first)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["encryption_keys"]
    assert "Restart the server" in err
    assert first not in out + err


def test_a_new_key_for_keys_that_are_given_is_only_shown(run):
    with override_settings(ENCRYPTION_KEYS_FILE=None), pytest.raises(CommandError) as caught:
        run("rotate_encryption_key", "--new")
    Fernet(str(caught.value).splitlines()[-1])


def test_a_file_that_cannot_be_written_keeps_what_it_holds(tmp_path):
    from django.core.exceptions import ImproperlyConfigured

    (tmp_path / "encryption_keys").mkdir()
    with pytest.raises(ImproperlyConfigured, match="encryption_keys"):
        put_first(tmp_path / "encryption_keys", NEW)


# --- shown elsewhere -------------------------------------------------------------------------------------------------


def test_the_check_of_the_database_names_what_no_key_opens(secrets):
    with knowing(NEW):
        found = [message for message in run_checks(databases=["default"]) if message.id == "dragoman.W006"]
        assert "upstream key u/k0: value" in found[0].msg
        assert [message.id for message in run_checks()] == []
        assert {finding.what for finding in build()[1]} >= {"upstream u"}
    with knowing(OLD):
        assert [message.id for message in run_checks(databases=["default"])] == []


def test_the_console_says_it_in_red(secrets, admin_client):
    with knowing(NEW):
        page = admin_client.get(f"/admin/proxyapp/upstream/{secrets.pk}/change/").content.decode()
        assert page.count('role="alert"') >= 6
        assert "none of DRAGOMAN_ENCRYPTION_KEYS fits" in page
        listed = admin_client.get("/admin/proxyapp/upstream/").content.decode()
        assert "No key opens upstream u: headers, upstream key u/k0: value" in listed
        assert "No key opens proxy p/x: URL" in admin_client.get("/admin/proxyapp/proxypool/").content.decode()
    with knowing(OLD):
        page = admin_client.get(f"/admin/proxyapp/upstream/{secrets.pk}/change/").content.decode()
        assert "none of DRAGOMAN_ENCRYPTION_KEYS fits" not in page
        assert "No key opens" not in admin_client.get("/admin/proxyapp/upstream/").content.decode()
