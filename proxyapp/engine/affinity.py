"""Which account made the reasoning proofs of a request, so that they can go back there.

Proofs are bound to the account that made them (reference/translation.md 6.3 "Key affinity"): of several targets of one
priority, and of several keys of one target, the one that made a conversation's proofs is tried first. What is read here
is only a wish; `proofs.sendable` and `patch` decide what really goes to whom. Bodies are searched as bytes: this runs
for every request that has a choice.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import deque
from collections.abc import Sequence

import msgspec

from proxyapp.dialects.signatures import account_hash
from proxyapp.engine.memory import Found, Kept
from proxyapp.engine.routing import Plan, Target
from proxyapp.ir.parts import Reasoning
from proxyapp.upstreams.contract import Credential

_SEALED = re.compile(rb"gwr1\.[a-z]+\.[^\".\\]*\.([0-9a-f]{8})\.")
_WRAPPED = re.compile(rb"\"(Z3dyMS[4-7][A-Za-z0-9+/_-]{40,}=*)\"")
"""The same in base64, as Gemini callers get it."""
_BARE = re.compile(
    rb"\"(?:signature|encrypted_content|thoughtSignature|thought_signature)\"\s*:\s*\"([A-Za-z0-9+/=_-]{40,})\""
)
_LATEST = 8
"""Of a long conversation's proofs, the last ones tell enough."""


def account_of(target: Target, credential: Credential | None) -> str:
    """The stable word for an upstream account."""
    return f"{target.upstream.name}/{credential.name if credential else ''}"


def has_choice(plan: Plan) -> bool:
    """Could the request go to more than one account first?"""
    first = [target for target in plan.targets if target.priority == plan.targets[0].priority]
    return len(first) > 1 or len(first[0].credentials) > 1


def sealed_for(raw: bytes) -> list[str]:
    """Hashes of the accounts named in a body's envelopes, the latest first."""
    found = [match.group(1) for match in deque(_SEALED.finditer(raw), maxlen=_LATEST)]
    for match in deque(_WRAPPED.finditer(raw), maxlen=_LATEST):
        inner = _SEALED.match(_unwrapped(match.group(1)))
        if inner is not None:
            found.append(inner.group(1))
    return list(dict.fromkeys(account.decode() for account in reversed(found)))


_URLSAFE = bytes.maketrans(b"+/", b"-_")


def _unwrapped(word: bytes) -> bytes:
    """b"" for a caller's text that only looks like base64 of an envelope."""
    word = word.rstrip(b"=").translate(_URLSAFE)
    try:
        return base64.urlsafe_b64decode(word + b"=" * (-len(word) % 4))
    except ValueError:
        return b""


def digests(raw: bytes) -> list[str]:
    """Names for the last proofs that stand bare in a body or in a frame, the earliest first."""
    latest = deque(_BARE.finditer(raw), maxlen=_LATEST)
    return [f"proof_{hashlib.sha256(match.group(1)).hexdigest()[:32]}" for match in latest]


def made_by(raw: bytes, account: str) -> Found:
    """What to remember of the bare proofs in an answer: who made them, and nothing of themselves."""
    maker = Kept(Reasoning(meta={"proof": {"account": account_hash(account)}}), is_near=False)
    return {name: [maker] for name in digests(raw)}


def prefer(plan: Plan, accounts: Sequence[str]) -> Plan:
    """The plan with those accounts (hashes, best first) before others of the same priority."""
    if not accounts:
        return plan
    targets = [_with_keys_in_order(target, accounts) for target in plan.targets]
    targets.sort(key=lambda target: (target.priority, _place(target, target.credentials[:1], accounts)))
    return msgspec.structs.replace(plan, targets=tuple(targets))


def _with_keys_in_order(target: Target, accounts: Sequence[str]) -> Target:
    keys = sorted(target.credentials, key=lambda key: (key.is_token, _place(target, (key,), accounts)))
    return msgspec.structs.replace(target, credentials=tuple(keys))


def _place(target: Target, keys: tuple[Credential, ...], accounts: Sequence[str]) -> int:
    """Where in `accounts` the first of `keys` stands; behind all when it does not."""
    account = account_hash(account_of(target, keys[0] if keys else None))
    return accounts.index(account) if account in accounts else len(accounts)
