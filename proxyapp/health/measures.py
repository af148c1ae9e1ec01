"""What `/metrics` says of credentials: who is out, and how much is left of their limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from proxyapp.health.standing import COOLING, OUT, Standing, standings
from proxyapp.metrics.families import Reading, gauge
from proxyapp.models import OAuthToken, UpstreamKey

_LABELS = ("upstream", "kind", "credential")
IS_OUT = gauge("dragoman_credential_out", "1 while a credential is left alone for everything.", *_LABELS)
MODELS_OUT = gauge("dragoman_credential_models_out", "Models for which a credential is left alone.", *_LABELS)
LEFT = gauge(
    "dragoman_credential_limit_left",
    "Share of a limit that is left, 0 to 1, as the upstream last said; of several models the least.",
    *_LABELS,
    "limit",
)


def credentials() -> Iterable[Reading]:
    """Of every credential that is switched on. Models have no label: behind wildcards their names are the callers'."""
    labels = {subject: (upstream, kind, name) for subject, upstream, kind, name in _credentials()}
    found = standings(labels)
    yield Reading(IS_OUT, {labels[subject]: _is_out(standing) for subject, standing in found.items()})
    yield Reading(MODELS_OUT, {labels[subject]: _models_out(standing) for subject, standing in found.items()})
    left: dict[tuple[str, ...], float] = {}
    for subject, standing in found.items():
        for limit in standing.limits:
            if limit.limit and limit.remaining is not None:
                place = (*labels[subject], limit.name)
                left[place] = min(left.get(place, 1.0), limit.remaining / limit.limit)
    yield Reading(LEFT, left)


def _credentials() -> Iterator[tuple[str, str, str, str]]:
    for kind, model in (("key", UpstreamKey), ("token", OAuthToken)):
        rows = model.objects.filter(enabled=True, upstream__enabled=True)
        for pk, upstream, name in rows.values_list("pk", "upstream__name", "name"):
            yield f"{kind}:{pk}", upstream, kind, name


def _is_out(standing: Standing) -> int:
    return int(any(not trouble.scope and trouble.state in (OUT, COOLING) for trouble in standing.troubles))


def _models_out(standing: Standing) -> int:
    return sum(1 for trouble in standing.troubles if trouble.scope and trouble.state in (OUT, COOLING))
