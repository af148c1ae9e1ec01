"""`create_key` from the shell: the key alone on standard output."""

from datetime import timedelta

import pytest
from django.core.management import CommandError
from django.utils import timezone

from accounts.keys import digest
from accounts.models import ApiKey, Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return Client.objects.create(name="alice")


def test_the_key_stands_alone_on_standard_output(run, alice):
    out, err = run("create_key", "alice", "--scope", "admin", "--name", "ops")
    key = out.strip()
    assert out == key + "\n"
    assert key.startswith("sk-dg-")
    assert key not in err
    row = ApiKey.objects.get()
    assert (row.digest, row.scope, row.name, row.prefix) == (digest(key), "admin", "ops", key[:12])


def test_a_name_that_is_taken_gets_a_number(run, alice):
    for _ in range(3):
        run("create_key", "alice")
    assert sorted(alice.keys.values_list("name", flat=True)) == ["key", "key-2", "key-3"]


def test_models_may_be_given_with_spaces_or_commas(run, alice):
    run("create_key", "alice", "--models", "claude-*,gpt-*", "o1")
    assert ApiKey.objects.get().models == ["claude-*", "gpt-*", "o1"]


def test_expiry_is_a_date_or_a_time_from_now(run, alice):
    run("create_key", "alice", "--name", "a", "--expires", "2099-01-31")
    run("create_key", "alice", "--name", "b", "--expires", "30d")
    assert ApiKey.objects.get(name="a").expires_at.isoformat() == "2099-01-31T00:00:00+00:00"
    left = ApiKey.objects.get(name="b").expires_at - timezone.now()
    assert timedelta(days=29, hours=23) < left <= timedelta(days=30)


@pytest.mark.parametrize("when", ["soon", "2020-01-01", "99999w9", "30", "9999-12-31T23:59:59-01:00"])
def test_a_wrong_expiry_is_refused(run, alice, when):
    with pytest.raises(CommandError, match="--expires"):
        run("create_key", "alice", "--expires", when)
    assert not ApiKey.objects.exists()


def test_an_unknown_client_is_refused_with_a_hint(run, alice):
    with pytest.raises(CommandError, match=r'No client named "bob" \(there are: alice\). Add --create-client'):
        run("create_key", "bob")
    run("create_key", "bob", "--create-client")
    assert Client.objects.filter(name="bob").exists()


def test_a_wrong_pattern_makes_nothing(run):
    with pytest.raises(CommandError, match="more than one"):
        run("create_key", "bob", "--create-client", "--models", "a*b*")
    assert not Client.objects.exists()


@pytest.mark.parametrize("name", ["", "x" * 101])
def test_a_client_that_cannot_be_made_is_told_in_a_sentence(run, name):
    with pytest.raises(CommandError, match=r"The client cannot be made. name: "):
        run("create_key", name, "--create-client")
    assert not Client.objects.exists()


def test_a_key_that_cannot_be_made_is_told_with_its_field(run, alice):
    with pytest.raises(CommandError, match=r"^models: 'a\*b\*' holds more than one \*\."):
        run("create_key", "alice", "--models", "a*b*")
