"""A token's row: what is in it, whether it is due, and the writes by which its state moves on.

Every write asks for the generation that was read, so that whoever was quicker wins and nobody goes back.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Now
from msgspec import Struct

from proxyapp.fields import Secret, SecretUnreadable
from proxyapp.models import OAuthToken, UpstreamKey
from proxyapp.models.config import bump_version, lock_configuration
from proxyapp.tokens.spool import Kept
from proxyapp.upstreams.oauth import TOKEN_SERVERS, Asking, Grant, RefreshFailed

USUAL_INTERVAL = 6 * 3600.0
"""A token is refreshed this long after the last time, if it lives so long (contract.md 2)."""
LEAST_INTERVAL = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 15.0, 900.0
"""Seconds until the next try after a failure; each further one doubles them."""
STUBBORN_PAUSE = 900.0
"""After an answer that will be the same until the configuration changes."""


class Opened(Struct):
    """The secrets of a row."""

    seed: str
    access_token: str
    refresh_token: str
    """The stored one; "" before the first refresh."""
    is_seed_new: bool
    """Nothing stored grew from the seed that is configured now."""

    @property
    def current(self) -> str:
        """The refresh token to show: what is stored beats the seed that it grew from, for that one is spent."""
        return self.seed if self.is_seed_new or not self.refresh_token else self.refresh_token

    def __repr__(self) -> str:
        return "Opened(…)"


def digest(secret: str) -> str:
    """SHA-256 in hex. Refresh tokens are long and random, so it tells nothing of them."""
    return hashlib.sha256(secret.encode()).hexdigest() if secret else ""


def opened(token: OAuthToken) -> Opened:
    """Raises SecretUnreadable."""
    seed, access, refresh = (
        field.reveal() if isinstance(field, Secret) else ""
        for field in (token.seed, token.access_token, token.refresh_token)
    )
    return Opened(seed, access, refresh, bool(seed) and digest(seed) != token.seed_digest)


def rows() -> QuerySet[OAuthToken]:
    """Tokens with their upstreams; `now` by the database's clock, `has_keys` where a static key makes them rest."""
    keys = UpstreamKey.objects.filter(upstream=OuterRef("upstream"), enabled=True)
    return OAuthToken.objects.select_related("upstream").annotate(now=Now(), has_keys=Exists(keys))


def in_use() -> QuerySet[OAuthToken]:
    return rows().filter(enabled=True, upstream__enabled=True)


def database_now() -> datetime:
    """The database's clock: the only one that all hosts share."""
    from proxyapp.models import ConfigVersion

    found = ConfigVersion.objects.annotate(now=Now()).values_list("now", flat=True).first()
    return found or datetime.now(UTC)


def is_due(token: OAuthToken, now: datetime, *, patient: bool) -> bool:
    """Should it be refreshed? With `patient` also the pauses between failures are kept."""
    if token.is_untried:
        return True
    if token.is_dead:
        return False
    if token.error and not patient:
        return True
    return token.due_at is None or token.due_at <= now


def asking(token: OAuthToken, secrets: Opened) -> Asking:
    """What to ask whom. Raises RefreshFailed where the configuration does not say."""
    own = TOKEN_SERVERS.get(token.upstream.kind)
    url, client_id = token.token_url or (own.url if own else ""), token.client_id or (own.client_id if own else "")
    if not url:
        message = f"No token URL is set, and the kind {token.upstream.kind} has none of its own"
        raise RefreshFailed("not_configured", message)
    if not secrets.current:
        raise RefreshFailed("not_configured", "There is no refresh token; enter one")
    return Asking(url, client_id, secrets.current, token.organization_id)


def kept(token: OAuthToken, secrets: Opened, grant: Grant, now: datetime) -> Kept:
    """The pair that the grant makes. `now`: when the answer had been read."""
    at = now.timestamp()
    known = token.expires_at.timestamp() if token.expires_at else at
    return Kept(
        token=token.pk,
        generation=token.generation,
        parent=digest(secrets.current),
        seed_digest=digest(secrets.seed) if secrets.is_seed_new else token.seed_digest,
        config_digest=token.config_digest,
        access_token=grant.access_token or secrets.access_token,
        refresh_token=grant.refresh_token or secrets.current,
        expires_at=at + grant.lifetime if grant.access_token else known,
        due_at=at + interval(grant.lifetime) if grant.access_token else at,
    )


def interval(lifetime: float) -> float:
    """Seconds until the next refresh of a token that lives so long: six hours, or a tenth of its life (at least five
    minutes, at most half of it) before its end."""
    margin = min(max(lifetime / 10, 300.0), lifetime / 2)
    return max(min(USUAL_INTERVAL, lifetime - margin), LEAST_INTERVAL)


def store(pair: Kept) -> bool:
    """The new pair takes the place of the one it replaces. False: it is no longer there. Raises django.db.Error."""
    with transaction.atomic():
        lock_configuration()  # first, as whoever changes the configuration does: no two wait for each other
        replaced = OAuthToken.objects.filter(pk=pair.token, generation=pair.generation).update(
            access_token=pair.access_token,
            refresh_token=pair.refresh_token,
            seed_digest=pair.seed_digest,
            generation=pair.generation + 1,
            expires_at=_time(pair.expires_at),
            due_at=_time(pair.due_at),
            # By the database's clock, as what others compare it with: a refresh is done when all can see it.
            refreshed_at=Now(),
            attempted_at=Now(),
            tried_digest=pair.config_digest,
            failures=0,
            error="",
            error_message="",
            doubt="",
            lease_holder="",
            lease_until=None,
        )
    return bool(replaced)


def has(pair: Kept) -> bool:
    """Another process saved this very pair, from the disk. Raises django.db.Error."""
    token = OAuthToken.objects.filter(pk=pair.token, generation=pair.generation + 1).first()
    try:
        return token is not None and opened(token).refresh_token == pair.refresh_token
    except SecretUnreadable:
        return False


def fail(token: OAuthToken, failure: RefreshFailed, message: str) -> bool:
    """Notes what went wrong and when to try again. False: another process has stored a newer pair meanwhile.

    The configuration's version moves on only when requests would be told something else than before.
    """
    changes = {
        "error": failure.code,
        "error_message": message[:500],
        "failures": token.failures + 1,
        "failures_total": F("failures_total") + 1,
        "attempted_at": Now(),
        "tried_digest": token.config_digest,
        "due_at": None if failure.code == OAuthToken.DEAD else Now() + timedelta(seconds=_pause(token, failure)),
    }
    with transaction.atomic():
        lock_configuration()
        noted = OAuthToken.objects.filter(pk=token.pk, generation=token.generation).update(**changes)
        if noted and (token.error, token.error_message) != (changes["error"], changes["error_message"]):
            bump_version()
    return bool(noted)


def doubt(token: OAuthToken, sentence: str) -> None:
    """From now on the stored refresh token may be spent, and this is why."""
    OAuthToken.objects.filter(pk=token.pk, generation=token.generation).update(doubt=sentence)
    token.doubt = sentence


def ask_for(pk: int) -> None:
    """Due at once, whatever was planned; a dead one stays dead."""
    OAuthToken.objects.filter(pk=pk).update(due_at=None)


def start_anew(pk: int) -> None:
    """A person has entered the refresh token again: it is tried, even if it is the one that was there."""
    OAuthToken.objects.filter(pk=pk).update(seed_digest="", tried_digest="", error="", error_message="", doubt="")


def _pause(token: OAuthToken, failure: RefreshFailed) -> float:
    if failure.code in ("invalid_client", "refused", "not_configured", "unreadable_secret"):
        return STUBBORN_PAUSE
    growing = min(FIRST_PAUSE * 2 ** min(token.failures, 10), LONGEST_PAUSE)
    return max(growing, min(failure.retry_after or 0.0, 3600.0))


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
