"""One token in one process: what is due, what is stored, what a failure leaves."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from proxyapp.models import OAuthToken, UpstreamKey
from proxyapp.models.config import current_version
from proxyapp.models.tokens import TokenState
from proxyapp.tokens import lease, rows, spool
from proxyapp.tokens.refreshing import Result
from tests.tokens.conftest import go, pair

pytestmark = pytest.mark.django_db


def test_a_new_token_is_refreshed_and_its_rotated_pair_stored(server, make_token):
    token = make_token()
    assert token.state(timezone.now()) is TokenState.DUE
    outcome = go(token)
    assert outcome.result is Result.REFRESHED
    assert outcome.sentence.startswith("Token refreshed successfully, expires at ")
    assert pair(token) == ("at-olga-1-secret", "rt-olga-1-secret")
    assert token.generation == 1
    assert token.expires_at - token.due_at == timedelta(hours=2)
    assert timedelta(hours=7) < token.expires_at - token.refreshed_at < timedelta(hours=9)
    assert token.state(timezone.now()) is TokenState.FRESH
    assert token.lease_holder == ""
    assert list(spool.waiting()) == []


def test_what_is_not_due_is_left_alone_unless_it_is_forced(server, make_token):
    token = make_token()
    go(token)
    assert go(token).result is Result.NOT_DUE
    assert len(server.seen) == 1
    assert go(token, force=True).result is Result.REFRESHED
    assert pair(token) == ("at-olga-2-secret", "rt-olga-2-secret")


def test_the_stored_token_is_used_and_not_the_seed_that_it_grew_from(server, make_token):
    token = make_token()
    for _ in range(3):
        go(token, force=True)
    assert [form["refresh_token"] for form in server.seen] == [f"rt-olga-{n}-secret" for n in range(3)]


def test_a_new_seed_starts_anew(server, make_token):
    token = make_token()
    go(token)
    token.seed = server.account("olga-again").refresh_token
    token.save()
    assert go(token).result is Result.REFRESHED
    assert pair(token) == ("at-olga-again-1-secret", "rt-olga-again-1-secret")


def test_the_old_pair_stays_while_a_new_seed_is_refused(server, make_token):
    token = make_token()
    go(token)
    token.seed = "rt-of-nobody"
    token.save()
    assert go(token).is_failure
    assert pair(token) == ("at-olga-1-secret", "rt-olga-1-secret")
    assert token.is_dead


def test_a_server_that_does_not_rotate_leaves_the_refresh_token_as_it_is(server, make_token):
    token = make_token()
    server.extra["refresh_token"] = None
    go(token)
    assert pair(token) == ("at-olga-1-secret", "rt-olga-0-secret")


def test_the_organization_is_named_when_there_is_one(server, make_token):
    go(make_token(organization_id="org_1"))
    assert server.account().organization == "org_1"


def test_another_organization_makes_the_token_due(server, make_token):
    token = make_token()
    go(token)
    token.organization_id = "org_2"
    token.save()
    assert token.state(timezone.now()) is TokenState.DUE
    assert go(token).result is Result.REFRESHED
    assert server.seen[-1]["refresh_token"] == "rt-olga-1-secret"


def test_who_saves_a_row_that_was_loaded_before_a_refresh_brings_no_old_token_back(server, make_token):
    token = make_token()
    stale = OAuthToken.objects.get(pk=token.pk)
    go(token)
    stale.weight = 5
    stale.save()
    assert pair(token) == ("at-olga-1-secret", "rt-olga-1-secret")
    assert (token.weight, token.generation) == (5, 1)


def test_the_same_seed_entered_again_is_tried_again(server, make_token):
    token = make_token()
    go(token)
    server.account().number += 5
    assert go(token, force=True).is_failure
    server.account().number = 0  # the login was renewed at the server, with the same token
    rows.start_anew(token.pk)
    assert go(token).result is Result.REFRESHED
    assert server.seen[-1]["refresh_token"] == "rt-olga-0-secret"


# --- failures --------------------------------------------------------------------------------------------------------


def test_a_dead_token_is_never_shown_again_until_its_seed_changes(server, make_token):
    token = make_token(seed="rt-of-nobody")
    outcome = go(token)
    assert outcome.is_failure
    assert "invalid_grant" in outcome.sentence
    assert "Log in anew" in outcome.sentence
    assert token.state(timezone.now()) is TokenState.DEAD
    assert go(token, force=True).is_failure
    rows.ask_for(token.pk)
    assert go(token).is_failure
    assert len(server.seen) == 1
    token.seed = server.account().refresh_token
    token.save()
    assert go(token).result is Result.REFRESHED
    assert token.error == ""


def test_an_unknown_client_is_told_and_tried_again_when_it_is_corrected(server, make_token):
    token = make_token(client_id="client_wrong")
    assert "invalid_client" in go(token).sentence
    assert (token.error, token.state(timezone.now())) == ("invalid_client", TokenState.FAILING)
    assert not rows.is_due(token, timezone.now(), patient=True)
    token.client_id = "client_test"
    token.save()
    assert rows.is_due(token, timezone.now(), patient=True)
    assert go(token).result is Result.REFRESHED


def test_a_passing_fault_is_tried_again_at_once(server, make_token):
    server.next_answers.extend([(503, {}, b"<html>"), (429, {"retry-after": "1"}, b"{}")])
    pauses = []
    assert go(make_token(), pause=pauses.append).result is Result.REFRESHED
    assert pauses == [1.0, 2.0]


def test_pauses_grow_while_a_server_stays_broken(server, make_token):
    token = make_token()
    waits = []
    for _ in range(8):
        server.next_answers.append((500, {}, b""))
        assert go(token, waits=False, began=token.attempted_at or rows.database_now()).is_failure
        waits.append((token.due_at - token.attempted_at).total_seconds())
        OAuthToken.objects.filter(pk=token.pk).update(due_at=None, attempted_at=None)
        token.refresh_from_db()
    assert waits == [15, 30, 60, 120, 240, 480, 900, 900]


def test_a_long_retry_after_is_kept_to(server, make_token):
    token = make_token()
    server.next_answers.append((429, {"retry-after": "1200"}, b"{}"))
    assert go(token).is_failure
    assert (token.due_at - token.attempted_at).total_seconds() == 1200
    assert len(server.seen) == 1


def test_a_token_that_fails_keeps_what_it_has(server, make_token):
    token = make_token()
    go(token)
    server.next_answers.extend([(500, {}, b"")] * 3)
    assert go(token, force=True).is_failure
    assert pair(token) == ("at-olga-1-secret", "rt-olga-1-secret")
    assert token.expires_at is not None
    assert token.state(timezone.now()) is TokenState.FAILING


def test_nobody_listening_is_told_and_casts_no_doubt_on_the_token(make_token):
    token = make_token(token_url="http://127.0.0.1:9/token")
    assert "no connection to the token server" in go(token).sentence
    assert (token.error, token.doubt) == ("unreachable", "")


def test_a_lost_answer_is_remembered_when_the_token_turns_out_to_be_spent(server, make_token):
    token = make_token()
    server.next_answers.append((502, {}, b""))
    assert go(token, waits=False).is_failure
    server.account().number += 1  # it had been rotated behind that 502
    outcome = go(token)
    assert "The answer to an earlier refresh was lost" in outcome.sentence
    assert token.is_dead


def test_a_server_with_a_grace_period_gives_a_lost_pair_once_more(server, make_token):
    server.is_graceful = True
    token = make_token()
    go(token)
    server.account().number += 1
    assert go(token, force=True).result is Result.REFRESHED
    assert pair(token)[1] == "rt-olga-2-secret"


def test_a_new_refresh_token_is_kept_also_when_no_access_token_came_with_it(server, make_token):
    token = make_token()
    go(token)
    server.next_answers.append((200, {}, json.dumps({"refresh_token": "rt-kept"}).encode()))
    go(token, force=True)
    assert pair(token) == ("at-olga-1-secret", "rt-kept")


def test_what_a_server_says_of_the_token_never_shows_it(server, make_token, caplog):
    token = make_token()
    echo = {"error": "invalid_grant", "error_description": f"{server.account().refresh_token} is dead"}
    server.next_answers.append((400, {}, json.dumps(echo).encode()))
    outcome = go(token)
    assert "*** is dead" in outcome.sentence
    for text in (outcome.sentence, token.error_message, caplog.text, repr(outcome), repr(rows.opened(token))):
        assert "rt-olga" not in text


def test_a_kind_without_a_token_server_needs_a_token_url(make_token):
    token = make_token(token_url="")
    assert "No token URL is set" in go(token).sentence


def test_a_seed_that_cannot_be_decrypted_is_told(make_token, server, settings):
    token = make_token()
    settings.DRAGOMAN_ENCRYPTION_KEYS = ["b3RoZXIta2V5LTMyLWJ5dGVzLWxvbmctYW5kLW1vcmU="]
    assert "cannot be decrypted" in go(token).sentence
    assert server.seen == []


# --- what rests ------------------------------------------------------------------------------------------------------


def test_a_static_key_lets_the_tokens_rest(server, make_token):
    token = make_token()
    UpstreamKey.objects.create(upstream=token.upstream, name="main", value="sk-1")
    assert go(token).result is Result.RESTING
    assert server.seen == []
    assert go(token, force=True).result is Result.REFRESHED


# --- versions --------------------------------------------------------------------------------------------------------


def test_a_new_pair_is_a_new_configuration_and_a_lease_is_none(server, make_token):
    token = make_token()
    before = current_version()
    token.now = timezone.now()
    holder = lease.take(token, token.now)
    lease.give_back(token.pk, holder)
    rows.ask_for(token.pk)
    assert current_version() == before
    go(token)
    assert current_version() == before + 1


def test_the_same_failure_again_is_no_new_configuration(server, make_token):
    token = make_token()
    server.next_answers.extend([(500, {}, b"")] * 3)
    go(token, waits=False)
    before = current_version()
    go(token, waits=False)
    assert current_version() == before


@pytest.mark.parametrize(
    ("lifetime", "seconds"), [(28_800, 21_600), (3600, 3240), (600, 300), (60, 30), (1, 5), (86_400 * 30, 21_600)]
)
def test_a_short_life_is_renewed_before_its_end(lifetime, seconds):
    assert rows.interval(lifetime) == seconds
