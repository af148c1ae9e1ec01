"""What is out or cooling: credentials and proxies alike, by subject (`key:12`, `token:3`, `proxy:7`), one `Health` a
worker.

In memory, no I/O, the clock comes in. It is used from the worker's event loop; `proxyapp.health` shares it among
workers from a thread of its own, with single assignments, so that nothing here needs a lock. What is well has no state:
a healthy credential costs a request two look-ups.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from math import inf

import msgspec
from msgspec import Struct

from proxyapp.upstreams.quota import Window, spent_until, windows

Place = tuple[str, str]
"""Subject and scope: "" for all it does, else one model of a credential."""

REFUSED = "refused"
"""The kind of state that a new value of the credential ends."""
UNREACHABLE = "unreachable"
"""The kind of a proxy's state."""
LONGEST = 86_400.0
"""Seconds. Whatever somebody asked for, after a day one request looks whether it is well again."""
PROBE_SECONDS = 60.0
"""So long one request alone tries what was out; when it has told nothing by then, another may."""
SCOPES = 64
"""Models of one credential that are remembered as out: names behind a wildcard are the callers' to invent."""
LONGEST_SCOPE = 200
PATIENT_REFUSALS, ASK_AGAIN_SECONDS = 20, 30.0
"""A refused key that is the only one left is asked all the same; after so many refusals in a row once in so long."""
LOOK_EVERY = 2.0
"""Seconds between two looks at the rate-limit headers of one credential."""
_MODELS_SHOWN = 8
_UNTOLD = 10_000
"""Changes that are kept while they cannot be shared."""


class State(Struct, kw_only=True, frozen=True):
    """Of one subject that failed and has not worked since. Also what workers tell each other."""

    subject: str = ""
    scope: str = ""
    kind: str = ""
    """refused | unpaid | forbidden | limited | unreachable; "" = it is well (again)."""
    reason: str = ""
    """A sentence without secrets."""
    status: int | None = None
    """HTTP status that was the cause; None = no answer."""
    since: float = 0.0
    """Unix seconds of the first failure in a row."""
    until: float | None = 0.0
    """Unix seconds; None = until somebody puts it back, or its value changes."""
    failures: int = 1
    """In a row."""
    mark: str = ""
    """Which value of the credential it is about."""
    changed: float = 0.0
    """Unix seconds of this knowledge; of two the newer one counts."""

    @property
    def place(self) -> Place:
        return self.subject, self.scope

    @property
    def back(self) -> float:
        """`until` as a number."""
        return inf if self.until is None else self.until


class Use(Struct, kw_only=True):
    """How a subject is doing, for people to see."""

    used: float = 0.0
    """Unix seconds of the end of the last attempt."""
    worked: float = 0.0
    looked: dict[str, float] = msgspec.field(default_factory=dict)
    """Model -> unix seconds of the last look at its headers."""
    quotas: dict[str, tuple[Window, ...]] = msgspec.field(default_factory=dict)
    """Model -> what the headers of its last answer told; the latest model last."""


def plain(scope: str) -> str:
    """A scope as databases take it: names behind a wildcard are the callers' to invent."""
    if scope.isprintable() and len(scope) <= LONGEST_SCOPE:
        return scope
    return "".join(char if char.isprintable() else "?" for char in scope[:LONGEST_SCOPE])


def plain_mark(secret: str) -> str:
    """A word that differs for different secrets and leads back to none."""
    return hashlib.blake2b(secret.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


class Health:
    """States of subjects that are out or were; a subject without a state is well. `clock` gives unix seconds."""

    def __init__(self, clock: Callable[[], float] = time.time, mark_of: Callable[[str], str] = plain_mark) -> None:
        self.clock = clock
        self.mark_of = mark_of
        self.uses: dict[str, Use] = {}
        self._states: dict[Place, State] = {}
        self._probed: dict[Place, float] = {}
        self._marks: Mapping[str, str] = {}
        self._renewed: set[str] = set()
        """Subjects that were refused and have got a new value since, which has not been proven yet."""
        self._changes: deque[State] = deque(maxlen=_UNTOLD)
        """Untold news, the oldest first. Filled from one thread and emptied from another."""
        self._used: set[str] = set()

    # --- asking

    @property
    def is_clear(self) -> bool:
        """Nothing is known to be out."""
        return not self._states

    def state(self, subject: str, scope: str = "") -> State | None:
        return self._states.get((subject, scope))

    def states(self) -> list[State]:
        return list(self._states.values())

    def is_out(self, subject: str, scope: str = "") -> bool:
        """Should it be left alone now? After its time one request may try it again."""
        return bool(self._states) and self.back(subject, scope) > 0

    def back(self, subject: str, scope: str = "") -> float:
        """Unix seconds at which it may be tried again; 0 = now, inf = not by itself."""
        if not self._states:
            return 0.0
        return max(self._back((subject, "")), self._back((subject, scope)) if scope else 0.0)

    def is_hopeless(self, subject: str) -> bool:
        """Refused so often that it is not even worth a request now for want of something better."""
        state = self._states.get((subject, ""))
        if state is None or state.kind != REFUSED or state.failures < PATIENT_REFUSALS:
            return False
        return self.clock() - state.changed < ASK_AGAIN_SECONDS

    # --- telling

    def take(self, subject: str, scope: str = "") -> None:
        """An attempt begins. Where a time out is over, this attempt alone looks whether all is well again."""
        if not self._states:
            return
        now = self.clock()
        for place in ((subject, ""), (subject, scope)):
            state = self._states.get(place)
            if state is not None and state.back <= now:
                self._probed[place] = now + PROBE_SECONDS

    def left(self, subject: str, scope: str = "") -> None:
        """An attempt ended and told nothing of its subject: the next one may look."""
        if self._probed:
            self._probed.pop((subject, ""), None)
            self._probed.pop((subject, scope), None)

    def succeeded(self, subject: str, scope: str = "", began: float = inf) -> None:
        """It worked. `began`: unix seconds at which the attempt was sent; one that was on its way when something went
        out proves nothing."""
        if not subject:
            return
        use = self._use(subject)
        use.used = use.worked = self.clock()
        self._renewed.discard(subject)
        if self._states:
            for place in {(subject, ""), (subject, scope)}:
                state = self._states.get(place)
                if state is not None and began > state.changed:
                    self._close(state)

    def failed(
        self,
        subject: str,
        reason: str,
        seconds: float | None,
        *,
        status: int | None = None,
        kind: str = UNREACHABLE,
        scope: str = "",
        began: float = inf,
        secret: str = "",
    ) -> None:
        """It is out for so long; `seconds` None = until somebody puts it back. "" is nobody's subject. Of another value
        of the credential (`secret`) than the one in force nothing is learned."""
        if not subject or not self._is_in_force(subject, mark := self.mark_of(secret) if secret else ""):
            return
        now = self.clock()
        self._use(subject).used = now
        before = self._states.get((subject, scope))
        until = None if seconds is None else now + min(seconds, LONGEST)
        if before is not None and before.kind == kind and until is not None:
            until = max(until, before.back) if before.until is not None else None
        self._probed.pop((subject, scope), None)
        self._note(
            State(
                subject=subject,
                scope=scope,
                kind=kind,
                reason=reason[:500],
                status=status,
                since=before.since if before else now,
                until=until,
                failures=self._failures(before, subject, began, now),
                mark=mark or self._marks.get(subject, ""),
                changed=_after(before, now),
            )
        )

    def failures_with(self, subject: str, scope: str = "", began: float = inf) -> int:
        """How many failures in a row there will be with one more: what pauses grow by."""
        return self._failures(self._states.get((subject, scope)), subject, began, self.clock())

    def put_back(self, subject: str) -> None:
        """An operator says that it is well."""
        self._renewed.discard(subject)
        for state in self.states():
            if state.subject == subject:
                self._close(state)

    # --- limits that upstreams tell

    def noticed(self, subject: str, model: str, headers: Mapping[str, str]) -> None:
        """An answer came: what its headers say of limits is remembered, now and then."""
        if not subject:
            return
        use, now = self._use(subject), self.clock()
        if now - use.looked.get(model, 0.0) < LOOK_EVERY:
            return
        if len(use.looked) >= SCOPES:
            use.looked.clear()
        use.looked[model] = now
        model = plain(model)
        told = windows(headers, now)
        if told:
            others = {name: quota for name, quota in use.quotas.items() if name != model}
            use.quotas = {**dict(list(others.items())[1 - _MODELS_SHOWN :]), model: told}

    def wait_told(self, headers: Mapping[str, str]) -> float | None:
        """Seconds until the limits that an answer shows as used up are whole again; None when it shows none."""
        now = self.clock()
        until = spent_until(windows(headers, now))
        return None if until is None else max(until - now, 0.0)

    # --- what the configuration says

    def know(self, values: Mapping[str, str]) -> None:
        """The subjects in force and their secrets. States of what is gone or has another value now are forgotten."""
        self._marks = marks = {subject: self.mark_of(secret) for subject, secret in values.items()}
        for state in self.states():
            mark = marks.get(state.subject, "")
            if not mark or (state.mark and state.mark != mark):
                self._close(state)
                if mark and state.kind == REFUSED:
                    self._renewed.add(state.subject)
        for subject in list(self.uses):
            if subject not in marks:
                self.uses.pop(subject, None)
                self._renewed.discard(subject)

    # --- sharing

    def changes(self) -> list[State]:
        """What this worker has learned since it was last asked, the latest of each place."""
        latest: dict[Place, State] = {}
        while self._changes:
            state = self._changes.popleft()
            latest[state.place] = state
        return list(latest.values())

    def give_back(self, changes: Iterable[State]) -> None:
        """They could not be shared, and are to be told again."""
        self._changes.extendleft(list(changes)[: _UNTOLD - len(self._changes)])

    def used(self) -> dict[str, Use]:
        """The subjects that were used since it was last asked."""
        taken, self._used = self._used, set()
        return {subject: self.uses[subject] for subject in taken if subject in self.uses}

    def hear(self, told: Iterable[State]) -> None:
        """What other workers and operators know. The newer knowledge counts; that of another value does not."""
        for state in told:
            known = self._states.get(state.place)
            if known is not None and known.changed >= state.changed:
                continue
            if not state.kind:
                self._drop(state.place)
            elif state.subject in self._marks and self._is_in_force(state.subject, state.mark):
                self._keep(state)

    # --- within

    def _back(self, place: Place) -> float:
        state = self._states.get(place)
        if state is None:
            return 0.0
        now = self.clock()
        if state.back > now:
            return state.back
        probed = self._probed.get(place, 0.0)
        return probed if probed > now else 0.0

    def _is_in_force(self, subject: str, mark: str) -> bool:
        return not mark or self._marks.get(subject, mark) == mark

    def _failures(self, before: State | None, subject: str, began: float, now: float) -> int:
        """Requests that were on their way together fail together, which is one failure; so is one more while it is out
        anyway. Refusals are all counted, to tell how hopeless it is."""
        if before is None:
            return 2 if subject in self._renewed else 1  # 2: not even its new value is taken
        if began <= before.changed:
            return before.failures
        return before.failures + int(now >= before.back or before.kind == REFUSED)

    def _close(self, state: State) -> None:
        self._drop(state.place)
        changed = _after(state, self.clock())
        well = State(subject=state.subject, scope=state.scope, since=changed, failures=0, changed=changed)
        self._changes.append(well)

    def _drop(self, place: Place) -> None:
        self._states.pop(place, None)
        self._probed.pop(place, None)

    def _note(self, state: State) -> None:
        self._changes.append(state)
        self._keep(state)

    def _keep(self, state: State) -> None:
        if state.scope and state.place not in self._states:
            others = [other for other in self.states() if other.subject == state.subject and other.scope]
            if len(others) >= SCOPES:
                self._drop(min(others, key=lambda other: other.back).place)
        self._states[state.place] = state

    def _use(self, subject: str) -> Use:
        self._used.add(subject)
        use = self.uses.get(subject)
        if use is None:
            use = self.uses[subject] = Use()
        return use


def _after(before: State | None, now: float) -> float:
    """When something was learned: later than what it replaces, also where that is of a host whose clock is ahead."""
    return now if before is None else max(now, before.changed + 0.001)
