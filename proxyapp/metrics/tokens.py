"""How the OAuth tokens of upstreams do: the same for all workers and hosts, because it is read from their rows."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils import timezone

from proxyapp.metrics.families import Labels, Reading, counter, gauge
from proxyapp.models import OAuthToken

EXPIRES = gauge("dragoman_token_expires_seconds", "Until an access token expires; below 0 it has.", "upstream", "token")
NEXT = gauge("dragoman_token_next_refresh_seconds", "Until a token is refreshed next; 0 = due. None of dead ones.",
             "upstream", "token")  # fmt: skip
STATE = gauge("dragoman_token_state", "1 for the state that a token is in.", "upstream", "token", "state")
REFRESHES = counter("dragoman_token_refreshes", "New pairs that a token has brought.", "upstream", "token")
FAILURES = counter("dragoman_token_refresh_failures", "Refreshes that failed.", "upstream", "token")


def tokens() -> Iterable[Reading]:
    """Raises django.db.Error."""
    now = timezone.now()
    names: dict[Labels, OAuthToken] = {
        (row.upstream.name, row.name): row
        for row in OAuthToken.objects.filter(enabled=True, upstream__enabled=True).select_related("upstream")
    }
    yield Reading(STATE, {(*labels, str(row.state(now).value)): 1 for labels, row in names.items()})
    yield Reading(EXPIRES, {labels: (row.expires_at - now).total_seconds()
                            for labels, row in names.items() if row.expires_at})  # fmt: skip
    yield Reading(NEXT, {labels: max((row.due_at - now).total_seconds(), 0) if row.due_at else 0
                         for labels, row in names.items() if not row.is_dead})  # fmt: skip
    yield Reading(REFRESHES, {labels: row.generation for labels, row in names.items()})
    yield Reading(FAILURES, {labels: row.failures_total for labels, row in names.items()})
