"""Keys: how they are made, recognised and checked."""

import hashlib
import re

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts import keys
from accounts.models import ApiKey, Client


def test_a_made_key_says_whose_it_is_and_cannot_be_guessed():
    made = {keys.make_key() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"sk-dg-[A-Za-z0-9_-]{40,}", key) for key in made)


def test_the_digest_is_plain_sha_256():
    assert keys.digest("sk-dg-x") == hashlib.sha256(b"sk-dg-x").hexdigest()


def test_what_is_shown_of_a_key_never_gives_a_short_one_away():
    assert keys.shown_prefix("sk-dg-" + "x" * 43) == "sk-dg-xxxxxx"
    assert keys.shown_prefix("hunter22") == "hu"


@pytest.mark.parametrize("key", ["", "short", "with a space in it", "schlüssel-schlüssel", "line\nbreak-in-it"])
def test_what_cannot_be_a_key_is_said_without_repeating_it(key):
    problem = keys.problem_with(key)
    assert problem
    assert not key or key not in problem


def test_any_other_systems_key_may_be_one():
    assert keys.problem_with("0123456789abcdef") == ""
    assert keys.problem_with("sk-proj-…".replace("…", "abcdefgh")) == ""


@pytest.mark.django_db
def test_a_row_keeps_the_digest_and_no_key():
    row = ApiKey(client=Client.objects.create(name="alice"), name="k")
    row.take("sk-dg-" + "s" * 43)
    row.save()
    assert "ssssssss" not in repr(vars(ApiKey.objects.get()))


@pytest.mark.django_db
def test_an_expired_key_says_so():
    assert ApiKey(expires_at=timezone.now()).is_expired
    assert not ApiKey().is_expired


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "value"),
    [("models", ["a*b*"]), ("models", "claude"), ("models", [""]), ("models", [1]), ("rpm", 0), ("budget_usd", -1)],
)
def test_a_wrong_client_is_refused(field, value):
    with pytest.raises(ValidationError) as caught:
        Client(name="c", **{field: value}).full_clean()
    assert list(caught.value.message_dict) == [field]


@pytest.mark.django_db
@pytest.mark.parametrize("networks", [["home"], "10.0.0.1", [1.5], ["10.0.0.0/99"]])
def test_wrong_addresses_are_refused(networks):
    key = ApiKey(client=Client.objects.create(name="c"), name="k", digest="d", prefix="p", allowed_ips=networks)
    with pytest.raises(ValidationError):
        key.full_clean()
