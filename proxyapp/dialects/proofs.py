"""Reasoning proofs on both sides: opened from a caller, checked before they go upstream, sealed for a caller.

Rules: reference/translation.md 6.3 and 6.4. A proof goes back to the family, model group and account that made it
and to nobody else.
"""

from __future__ import annotations

from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.signatures import Sealer, account_hash, is_sealed
from proxyapp.ir.parts import Reasoning

NOBODY = "none"
"""Family word of an envelope for thinking that has no proof. Its payload is the text that was not shown, if any."""


def opened(
    text: str, signature: str | None, sealer: Sealer, *, family: str, redacted: bool = False
) -> Reasoning | None:
    """A caller's thinking as a part; None when there is nothing left of it (forged, or redacted by nobody). `family`:
    whose proofs the caller's dialect bears when they are not sealed."""
    if not signature:
        return None if redacted else Reasoning(text=text)
    if not is_sealed(signature):
        return Reasoning(text=text, signature=signature, family=family, redacted=redacted)
    proof = sealer.open(signature)
    if proof is None:
        return None
    if proof.family == NOBODY:
        return None if redacted else Reasoning(text=text or proof.payload)
    where = {"proof": {"group": proof.group, "account": proof.account}}
    return Reasoning(text=text, signature=proof.payload, family=proof.family, redacted=redacted, meta=where)


def sendable(part: Reasoning, side: UpstreamSide, *, family: str) -> str | None:
    """The signature to send to this upstream, or None when the part's proof is missing or somebody else's.

    `meta["proof"]` names the owner where it is known: with the account's hash when it came in an envelope, with the
    account itself when it comes straight from an answer. Without it the proof is the caller's own (6.4 rule 3).
    """
    if part.family != family or not part.signature:
        return None
    owner = part.meta.get("proof")
    if owner is None:
        return part.signature
    if owner.get("group", "").replace(".", "_") != side.profile.model_group.replace(".", "_"):
        return None
    if owner.get("account") not in (side.account, account_hash(side.account)):
        return None
    return part.signature


def owner(side: UpstreamSide) -> dict[str, dict[str, str]]:
    """What an answer's Reasoning remembers about the upstream that made it."""
    return {"proof": {"group": side.profile.model_group, "account": side.account}}


def for_caller(part: Reasoning, sealer: Sealer, *, family: str, hidden: str = "") -> str:
    """The signature that a caller of the dialect gets: a proof of its own `family` as it is, any other in an
    envelope; `hidden` is text that is not shown and must come back."""
    if part.family == family and part.signature:
        return part.signature
    if not part.signature:
        return sealer.seal(hidden, family=NOBODY)
    origin = part.meta.get("proof", {})
    return sealer.seal(
        part.signature,
        family=part.family or NOBODY,
        group=origin.get("group", ""),
        account=origin.get("account", ""),
    )
