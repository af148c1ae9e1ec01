"""The story of one refresh, from finding that it is due to the new pair in the database.

Safe whoever else does the same: one lease, one request, and the new pair is on disk before anything else is done with
it (docs/decisions, "A refresh has one holder and leaves a spool").
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum

import structlog
from django.db import Error
from msgspec import Struct

from gateway.redaction import redact_text
from proxyapp.fields import SecretUnreadable
from proxyapp.models import OAuthToken
from proxyapp.tokens import asking, lease, recovering, rows, spool
from proxyapp.upstreams.oauth import Asking, Grant, RefreshFailed

log = structlog.get_logger(__name__)

WAIT_SECONDS = 0.1
TRIES, TRY_AGAIN_WITHIN = 3, 40.0
"""Attempts in a row for who waits for the outcome, and how long after the first the last may begin: the lease must
outlive them."""
SAVE_TRIES = 5
_MAY_PASS = frozenset({"busy", "unreachable", "unanswered"})


class Result(Enum):
    REFRESHED = "refreshed"
    ELSEWHERE = "refreshed by another process"
    NOT_DUE = "not due"
    RESTING = "resting"
    FAILED = "failed"
    HELD = "held by another process"


class Outcome(Struct, frozen=True):
    """What became of one token."""

    name: str
    """upstream/token"""
    result: Result
    sentence: str
    """For people; without secrets."""

    @property
    def is_failure(self) -> bool:
        return self.result is Result.FAILED


class Manner(Struct, frozen=True):
    """How to go about it."""

    began: datetime
    """By the database's clock: what others did since then counts as done."""
    force: bool = False
    """Also what is not due; never a dead token."""
    waits: bool = True
    """For another holder, and through short outages: a command does, a thread that looks again soon does not."""
    ask: Callable[[Asking, str], Grant] = asking.ask
    pause: Callable[[float], object] = time.sleep


def refresh(pk: int, manner: Manner) -> Outcome | None:
    """Refresh one token if it is due. None when it is not there any more. Raises django.db.Error."""
    while True:
        recovering.recover(pk)
        looked = time.monotonic()
        token = rows.in_use().filter(pk=pk).first()
        if token is None:
            return None
        outcome = _settled(token, manner)
        if outcome is not None:
            return outcome
        if not lease.is_free(token, token.now):
            if not manner.waits:
                return _outcome(token, Result.HELD, "Another process is refreshing it.")
            manner.pause(WAIT_SECONDS)
            continue
        holder = lease.take(token, token.now)
        if not holder:
            continue  # another was quicker
        with lease.held(pk, holder):
            if recovering.recover(pk):
                continue  # what the holder before left, between our look and our turn
            return _as_holder(token, manner, looked)


def _settled(token: OAuthToken, manner: Manner) -> Outcome | None:
    """The outcome when there is nothing to do."""
    if token.has_keys and not manner.force:
        return _outcome(token, Result.RESTING, "Not refreshed: its upstream has a static key, which goes first.")
    if token.is_dead:
        return _outcome(token, Result.FAILED, f"{token.error_message} Not tried again until it changes.")
    if token.refreshed_at is not None and token.refreshed_at >= manner.began:
        return _outcome(token, Result.ELSEWHERE, f"Refreshed by another process, {_until(token)}.")
    was_tried = token.error and not token.is_untried
    if was_tried and token.attempted_at is not None and token.attempted_at >= manner.began:
        return _outcome(token, Result.FAILED, f"Another process tried just now. {token.error_message}")
    if manner.force or rows.is_due(token, token.now, patient=not manner.waits):
        return None
    return _outcome(token, Result.NOT_DUE, f"Not due before {_shown(token.due_at)}, {_until(token)}.")


def _as_holder(token: OAuthToken, manner: Manner, looked: float) -> Outcome:
    if token.lease_holder:
        rows.doubt(token, _unfinished(token.lease_holder))
    try:
        secrets = rows.opened(token)
        granted = _granted(token, rows.asking(token, secrets), manner, looked)
    except RefreshFailed as failure:
        return _failed(token, failure)
    except SecretUnreadable as exc:
        return _failed(token, RefreshFailed("unreadable_secret", str(exc).rstrip(".")))
    read_at = token.now + timedelta(seconds=time.monotonic() - looked)
    pair = rows.kept(token, secrets, granted, read_at)
    path = spool.keep(pair)
    if not _save(pair, manner):
        if path is not None:
            spool.put_aside(path, f"The row of {token} is gone, or has a newer pair.")
        return _outcome(token, Result.ELSEWHERE, "Not saved: the token is gone, or another process has a newer pair.")
    if path is not None:
        spool.forget(path)
    fresh = rows.in_use().filter(pk=token.pk).first() or token
    log.info("token_refreshed", which=str(token), expires_at=_shown(fresh.expires_at), due_at=_shown(fresh.due_at))
    return _outcome(token, Result.REFRESHED, f"Token refreshed successfully, expires at {_shown(fresh.expires_at)}.")


def _granted(token: OAuthToken, question: Asking, manner: Manner, began: float) -> Grant:
    """Raises RefreshFailed, after some tries when somebody waits."""
    tries = TRIES if manner.waits else 1
    for number in range(1, tries + 1):
        try:
            return manner.ask(question, token.upstream.name)
        except RefreshFailed as failure:
            if failure.is_unsure:
                rows.doubt(token, "The answer to an earlier refresh was lost, and with it perhaps the newer token.")
            pause = max(2.0 ** (number - 1), failure.retry_after or 0.0)
            is_late = time.monotonic() - began + pause > TRY_AGAIN_WITHIN
            if failure.code not in _MAY_PASS or number == tries or is_late:
                raise
            manner.pause(pause)
    raise AssertionError("the last try returned or raised")


def _save(pair: spool.Kept, manner: Manner) -> bool:
    """Is it in the database now? Which may be away for a moment; raises django.db.Error when it stays away, and the
    spool has the pair."""
    for number in range(SAVE_TRIES):
        try:
            return rows.store(pair) or rows.has(pair)
        except Error:
            if number == SAVE_TRIES - 1:
                raise
            manner.pause(0.2 * 2**number)
    raise AssertionError("the last try returned or raised")


def _failed(token: OAuthToken, failure: RefreshFailed) -> Outcome:
    sentence = redact_text(f"{failure.message}.")
    if failure.code == OAuthToken.DEAD:
        sentence = (
            f"{sentence} {token.doubt or 'The refresh token is dead.'} Log in anew and enter the new refresh token."
        )
    if not rows.fail(token, failure, sentence):
        return _outcome(token, Result.ELSEWHERE, "Refreshed by another process meanwhile.")
    log.warning("token_refresh_failed", which=str(token), error=failure.code, reason=sentence)
    return _outcome(token, Result.FAILED, sentence)


def _unfinished(holder: str) -> str:
    """Why a token may be spent whose last holder did not come to an end."""
    if lease.is_here(holder):
        return "A refresh that began on this host did not end; if it was answered, the newer token is lost."
    return (
        f"A refresh that began on the host {lease.host_of(holder)} did not end: the newer token may lie in the data "
        "directory there. Start the gateway or refresh_tokens there, and it is taken up."
    )


def _outcome(token: OAuthToken, result: Result, sentence: str) -> Outcome:
    return Outcome(str(token), result, sentence)


def _until(token: OAuthToken) -> str:
    return f"expires at {_shown(token.expires_at)}" if token.expires_at else "no access token yet"


def _shown(when: datetime | None) -> str:
    return when.strftime("%Y-%m-%d %H:%M:%S UTC") if when else "now"
