"""States and uses as rows: written by workers and by the console, read by workers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from proxyapp import models
from proxyapp.engine.health import REFUSED, State, Use
from proxyapp.models import HealthState, HealthVersion
from proxyapp.models.health import ROW

_STATE = ("kind", "reason", "status", "since", "until", "failures", "mark", "changed_at", "version")
_USE = ("last_used", "last_ok", "quota")
_KEEP_SCOPES = timedelta(hours=1)
"""For so long others may want to hear that a model is well again."""
_YOUNG = timedelta(minutes=5)
_TICK = timedelta(milliseconds=1)
_SUBJECTS: Mapping[str, Any] = {"key": models.UpstreamKey, "token": models.OAuthToken, "proxy": models.Proxy}


def current_version() -> int:
    """The version now; 0 before the first state."""
    return HealthVersion.objects.filter(id=ROW).values_list("version", flat=True).first() or 0


def newer_than(version: int) -> list[State]:
    """What has changed since `version`."""
    return [_state(row) for row in HealthState.objects.filter(version__gt=version).defer("quota")]


def write(states: Iterable[State]) -> None:
    """One worker's news. What is known newer stays."""
    states = list(states)
    with transaction.atomic():
        version = _raise_version()
        rows = HealthState.objects.filter(subject__in={state.subject for state in states})
        known = {
            (subject, scope): changed for subject, scope, changed in rows.values_list("subject", "scope", "changed_at")
        }
        news = [state for state in states if _is_news(state, known.get(state.place))]
        HealthState.objects.bulk_create(
            [_row(state, version) for state in news],
            update_conflicts=True,
            unique_fields=["subject", "scope"],
            update_fields=_STATE,
        )
        _ask_for_refresh(news)


def write_uses(uses: Mapping[str, Use]) -> None:
    """When credentials were used last, and what their limits are. Other workers may know something later."""
    known = {row.subject: row for row in HealthState.objects.filter(subject__in=list(uses), scope="")}
    rows = []
    for subject, use in uses.items():
        before = known.get(subject) or HealthState(subject=subject)
        quota = {model: msgspec.to_builtins(windows) for model, windows in use.quotas.items()}
        rows.append(
            HealthState(
                subject=subject,
                last_used=_later(_time(use.used), before.last_used),
                last_ok=_later(_time(use.worked), before.last_ok),
                quota=quota or before.quota,
            )
        )
    if rows:
        HealthState.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["subject", "scope"], update_fields=_USE
        )


def put_back(subject: str) -> int:
    """An operator says that it is well: in force in every worker within a second. How many states that ended."""
    with transaction.atomic():
        version = _raise_version()
        rows = list(HealthState.objects.filter(subject=subject).exclude(kind=""))
        for row in rows:
            # Later than what it ends, also where that was written by a host whose clock is ahead.
            changed = _later(timezone.now(), row.changed_at and row.changed_at + _TICK)
            HealthState.objects.filter(pk=row.pk).update(
                kind="",
                reason="",
                status=None,
                since=None,
                until=None,
                failures=0,
                changed_at=changed,
                version=version,
            )
    return len(rows)


def prune() -> int:
    """Takes away rows of subjects that are gone, and of models that are well again. How many those were."""
    gone = Q(scope__gt="", kind="", changed_at__lt=timezone.now() - _KEEP_SCOPES)
    for word, model in _SUBJECTS.items():
        living = {f"{word}:{pk}" for pk in model.objects.values_list("pk", flat=True)}
        known = HealthState.objects.filter(subject__startswith=f"{word}:").values_list("subject", flat=True)
        strangers = set(known) - living
        if strangers:
            gone |= Q(subject__in=list(strangers)[:500])
    return HealthState.objects.filter(gone).delete()[0]


# --- within


def _raise_version() -> int:
    """In the transaction of the change: the row's lock makes versions visible in their order."""
    if not HealthVersion.objects.filter(id=ROW).update(version=F("version") + 1):
        HealthVersion.objects.get_or_create(id=ROW)
        HealthVersion.objects.filter(id=ROW).update(version=F("version") + 1)
    return HealthVersion.objects.values_list("version", flat=True).get(id=ROW)


def _ask_for_refresh(news: Iterable[State]) -> None:
    """A token that was refused is due, once, also for those who refresh outside of the workers; a new one that is
    refused as well waits for its turn, and so does one that is young: it will not be its age."""
    refused = [
        int(state.subject.partition(":")[2])
        for state in news
        if state.kind == REFUSED and state.failures == 1 and state.subject.startswith("token:")
    ]
    if refused:
        now = timezone.now()
        is_young = Q(refreshed_at__gt=now - _YOUNG)
        models.OAuthToken.objects.filter(pk__in=refused).exclude(is_young).update(due_at=now)


def _is_news(state: State, changed: datetime | None) -> bool:
    told = _time(state.changed)
    return changed is None or told is None or told > changed


def _row(state: State, version: int) -> HealthState:
    return HealthState(
        subject=state.subject,
        scope=state.scope,
        kind=state.kind,
        reason=state.reason,
        status=state.status,
        since=_time(state.since) if state.kind else None,
        until=_time(state.until) if state.kind else None,
        failures=state.failures,
        mark=state.mark,
        changed_at=_time(state.changed),
        version=version,
    )


def _state(row: HealthState) -> State:
    return State(
        subject=row.subject,
        scope=row.scope,
        kind=row.kind,
        reason=row.reason,
        status=row.status,
        since=row.since.timestamp() if row.since else 0.0,
        until=row.until.timestamp() if row.until else None,
        failures=row.failures,
        mark=row.mark,
        changed=row.changed_at.timestamp() if row.changed_at else 0.0,
    )


def _time(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((time for time in (one, other) if time is not None), default=None)
