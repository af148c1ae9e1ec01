"""Reasoning proofs that travel through a caller of another dialect, in a sealed envelope.

A proof (Anthropic `signature`, OpenAI `encrypted_content`, Gemini `thoughtSignature`) may only return to whoever made
it. The envelope names its owner and is authenticated, so that a caller can neither forge one nor send it elsewhere:

    gwr1.<family>.<model group>.<account hash>.<base64url payload>.<mac>

Form: reference/translation.md 6.4. `family` "none" marks thinking of an upstream that has no proofs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from msgspec import Struct

PREFIX = "gwr1."


class Proof(Struct, frozen=True):
    """An opened envelope."""

    family: str
    group: str
    account: str
    """A short hash of the account, see `account_hash`."""
    payload: str


class Sealer:
    """Seals and opens envelopes with one key (32 bytes or more, derived from the server's secret)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, payload: str, *, family: str, group: str = "", account: str = "") -> str:
        """Printable, URL-safe but for the dots; the same arguments give the same envelope."""
        body = base64.urlsafe_b64encode(payload.encode()).decode().rstrip("=")
        head = f"{PREFIX}{family}.{_safe(group)}.{account_hash(account)}.{body}"
        return f"{head}.{self._mac(head)}"

    def open(self, envelope: str) -> Proof | None:
        """None for anything that is not an envelope of ours, altered ones included. Raises nothing."""
        if not is_sealed(envelope):
            return None
        head, _, mac = envelope.rpartition(".")
        if not hmac.compare_digest(mac.encode("utf-8", "replace"), self._mac(head).encode()):
            return None
        _, family, group, account, body = head.split(".", 4)
        try:
            payload = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode()
        except ValueError:
            return None
        return Proof(family, group, account, payload)

    def unwrap(self, signature: str | None, *, family: str, group: str = "", account: str = "") -> str | None:
        """The proof to send to (family, group, account), or None when it is not theirs.

        A signature that is not an envelope is the caller's own, from a direct connection: it is not unwrapped here.
        """
        proof = self.open(signature) if signature else None
        if proof is None or proof.family != family:
            return None
        if proof.group != _safe(group) or proof.account != account_hash(account):
            return None
        return proof.payload

    def _mac(self, head: str) -> str:
        digest = hmac.new(self._key, head.encode("utf-8", "replace"), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")


def is_sealed(signature: str | None) -> bool:
    """Does it look like an envelope of ours (authentic or not)?"""
    return bool(signature) and signature is not None and signature.startswith(PREFIX) and signature.count(".") == 5


def account_hash(account: str) -> str:
    """Eight hex digits; names an account without telling it."""
    return hashlib.sha256(account.encode()).hexdigest()[:8]


def _safe(word: str) -> str:
    return word.replace(".", "_")
