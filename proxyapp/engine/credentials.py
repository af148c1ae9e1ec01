"""Which credentials of a target are tried, in which order, and what their failures mean for them.

contract.md 2 "Which credential goes upstream" is the order; what is out and for how long is here, as a table, and kept
in `engine.health`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from msgspec import structs

from proxyapp.engine import blame
from proxyapp.engine.blame import Reason
from proxyapp.engine.health import Health, plain
from proxyapp.engine.routing import CALLERS_OWN, KEYLESS_KINDS, Plan, Target
from proxyapp.errors import NoCredential, NoHealthyUpstream, UpstreamRefused
from proxyapp.upstreams.contract import Credential, Upstream

KEY_HEADERS = frozenset({"authorization", "api-key", "x-api-key", "x-goog-api-key"})
"""An operator who sets one of these among an upstream's headers has given the credential there."""
PAUSES: Mapping[Reason, tuple[float, float]] = {
    Reason.REFUSED: (inf, inf),
    Reason.UNPAID: (3600.0, 86_400.0),
    Reason.FORBIDDEN: (600.0, 86_400.0),
    Reason.LIMITED: (10.0, 600.0),
}
"""Seconds that a credential is out for the first time, and at most: each failure in a row doubles them."""
_SENTENCES: Mapping[Reason, str] = {
    Reason.REFUSED: "The upstream does not know this credential (any more).",
    Reason.UNPAID: "Its account has no credit or quota left.",
    Reason.FORBIDDEN: "The upstream does not allow this to it.",
    Reason.LIMITED: "Its rate limit is reached.",
}


def is_ours(credential: Credential | None) -> bool:
    """The gateway's own, not the caller's; so is one among the upstream's headers, and having none."""
    return credential is None or credential.name != CALLERS_OWN


def has_key_header(upstream: Upstream) -> bool:
    return any(name.lower() in KEY_HEADERS for name in upstream.headers)


def missing(upstream: Upstream) -> NoCredential:
    """What to do about an upstream that has no credential and wants one."""
    sentence = f"The upstream {upstream.name} has no key. Add one in the console under Upstreams"
    if not upstream.allow_caller_keys:
        return NoCredential(f"{sentence}, or allow callers' own keys there.")
    return NoCredential(f"{sentence}, or send your own in the header X-Factory-API-Key or X-API-Key.")


def scope_of(target: Target, operation: str) -> str:
    """What a limit that was reached there belongs to: upstreams count by model, and some operations apart."""
    return plain(f"{target.model} ({operation})" if operation else target.model)


def in_order(target: Target, health: Health, operation: str = "") -> list[Credential | None]:
    """What to try, best first; never empty. Static keys, then OAuth tokens, each: those that are well as they come, and
    where all that are left are only cooling, the one that is back first all the same. A static key that is out for good
    is for want of everything else, an expired token is never sent. Raises NoCredential where there is nothing at all,
    NoHealthyUpstream where nothing that there is will be taken."""
    if not target.credentials:
        return [target.fallback] if target.fallback is not None else _without(target, health)
    if health.is_clear and all(each.expires is None for each in target.credentials):
        return list(target.credentials)
    scope = scope_of(target, operation)
    back = [(_back(each, health, scope), each) for each in target.credentials]
    order: list[Credential | None] = []
    for group in (False, True):
        order += _best([pair for pair in back if pair[1].is_token is group])
    if order:
        return order
    return [target.fallback] if target.fallback is not None else _last_resort(target, health)


def usable_first(plan: Plan, health: Health, operation: str = "") -> Plan:
    """The plan with the targets at its end that have nothing to show their upstream that is not out."""
    if health.is_clear or len(plan.targets) == 1:
        return plan
    targets = sorted(plan.targets, key=lambda target: _is_out(target, health, operation))
    return structs.replace(plan, targets=tuple(targets))


class Trial:
    """One attempt with one credential: what it tells of its health. Of a caller's own, nothing is kept."""

    def __init__(self, credential: Credential | None, target: Target, operation: str, health: Health) -> None:
        self._credential = credential
        self._subject = credential.subject if credential is not None else ""
        self._target, self._operation = target, operation
        self._health = health
        self._headers: Mapping[str, str] = {}
        self._began = health.clock()
        if self._subject and not health.is_clear:
            health.take(self._subject, self._scope)

    def answered(self, headers: Mapping[str, str]) -> None:
        """The head of an answer came, whatever it says."""
        self._headers = headers
        self._health.noticed(self._subject, self._target.model, headers)

    def worked(self) -> None:
        self._health.succeeded(self._subject, "" if self._health.is_clear else self._scope, self._began)

    def refused(self, error: UpstreamRefused) -> None:
        """The upstream said no; if that is about the credential, it is out."""
        found = blame.of(error) if self._subject else None
        if found is None or self._credential is None:
            return
        scope = "" if found.whole else self._scope
        failures = self._health.failures_with(self._subject, scope, self._began)
        self._health.failed(
            self._subject,
            _SENTENCES[found.reason],
            _seconds(found.reason, error, self._health, self._headers, failures),
            status=error.status,
            kind=str(found.reason),
            scope=scope,
            began=self._began,
            secret=self._credential.secret,
        )

    def over(self) -> None:
        """However it ended."""
        if self._subject:  # also where it told of one model, and was to tell of the whole
            self._health.left(self._subject, self._scope)

    @property
    def _scope(self) -> str:
        return scope_of(self._target, self._operation)


def _seconds(
    reason: Reason, error: UpstreamRefused, health: Health, headers: Mapping[str, str], failures: int
) -> float | None:
    first, most = PAUSES[reason]
    if reason is Reason.LIMITED:
        told = error.retry_after if error.retry_after is not None else health.wait_told(headers)
        if told is not None:
            return max(told, 1.0)
    return None if first == inf else min(first * 2.0 ** min(max(failures - 1, 0), 30), most)


def _back(credential: Credential, health: Health, scope: str) -> float:
    if credential.expires is not None and credential.expires <= health.clock():
        return inf
    return health.back(credential.subject, scope)


def _best(some: list[tuple[float, Credential]]) -> list[Credential]:
    """Those that are back by now; else of those that come back by themselves the first."""
    well = [each for back, each in some if back == 0]
    if well:
        return well
    cooling = [pair for pair in some if pair[0] < inf]
    return [min(cooling, key=lambda pair: pair[0])[1]] if cooling else []


def _last_resort(target: Target, health: Health) -> list[Credential | None]:
    """Everything is out for good. A static key may have been put right at its provider; a token that expired or was
    refused waits for its refresh."""
    for credential in target.credentials:
        if not credential.is_token and not health.is_hopeless(credential.subject):
            return [credential]
    _tell_of_tokens(target, health)
    raise NoHealthyUpstream(
        f"The upstream {target.upstream.name} has no credential left that it takes. The operator finds in the console "
        "under Upstreams why, and puts it back there.",
        upstream=target.upstream.name,
    )


def _tell_of_tokens(target: Target, health: Health) -> None:
    """Raises NoHealthyUpstream where it is a token that there ought to be."""
    upstream = target.upstream
    has_expired = any(each.expires is not None and each.expires <= health.clock() for each in target.credentials)
    if has_expired or (upstream.token_trouble and not target.credentials):
        state = "has expired" if has_expired else "is not there"
        raise NoHealthyUpstream(
            f"The access token of the upstream {upstream.name} {state}. {upstream.token_trouble}".rstrip(),
            upstream=upstream.name,
        )


def _without(target: Target, health: Health) -> list[Credential | None]:
    _tell_of_tokens(target, health)
    if target.upstream.kind in KEYLESS_KINDS or has_key_header(target.upstream):
        return [None]
    raise missing(target.upstream)


def _is_out(target: Target, health: Health, operation: str) -> bool:
    scope = scope_of(target, operation)
    return bool(target.credentials) and all(_back(each, health, scope) > 0 for each in target.credentials)
