"""Reasoning proofs on this wire: `thoughtSignature`, a field of bytes, so every value must be base64.

Google's own proofs go as they are; those of others travel in a sealed envelope that is encoded once more
(google-genai refuses the dots of an envelope). reference/translation.md 6.4.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from proxyapp.dialects import jsonio, proofs
from proxyapp.dialects.gemini.tables import FAMILY, SENTINELS
from proxyapp.dialects.signatures import PREFIX, Sealer, is_sealed
from proxyapp.ir.parts import Reasoning

MARK = base64.b64encode(PREFIX.encode())[:6]
"""How every encoded envelope begins."""
_REDACTED = "redacted "
"""Before the payload of a proof without text, which its owner wants back in a form of its own."""
_HIDDEN = "hidden "
"""Before a proof and the text that belongs to it: who made both wants both back, unchanged."""
_STANDARD = str.maketrans("-_", "+/")


def opened(text: str, signature: str | None, sealer: Sealer) -> Reasoning | None:
    """A caller's thought with its proof; None when nothing is left of it."""
    if signature in SENTINELS:
        signature = None
    if not signature and not text:
        return None
    part = proofs.opened(text, envelope_in(signature) or signature, sealer, family=FAMILY)
    if part is None or not (part.text or part.signature):
        return None
    if part.family != FAMILY and part.signature:
        _unwrap(part, part.signature)
    return part


def _unwrap(part: Reasoning, payload: str) -> None:
    """Puts back what `for_caller` put beside a proof."""
    if payload.startswith(_REDACTED):
        part.signature, part.redacted = payload.removeprefix(_REDACTED), True
    elif payload.startswith(_HIDDEN):
        told = jsonio.try_object(payload.removeprefix(_HIDDEN)) or {}
        part.signature, part.text = told.get("proof", payload), told.get("text", part.text)


def envelope_in(signature: str | None) -> str | None:
    """The envelope that a `thoughtSignature` holds; None when it is no envelope."""
    if not signature or not signature.startswith(MARK.decode()):
        return None
    try:  # SDKs write bytes back in the URL-safe alphabet
        plain = base64.b64decode(signature.translate(_STANDARD) + "=" * (-len(signature) % 4)).decode()
    except (binascii.Error, ValueError):
        return None
    return plain if is_sealed(plain) else None


def for_caller(part: Reasoning, sealer: Sealer, *, hidden: str = "") -> str:
    """The `thoughtSignature` a caller gets; `hidden` is the thought's text where it is not shown."""
    if is_own(part):
        return part.signature or ""
    if part.redacted and part.signature:
        part = msgspec.structs.replace(part, signature=_REDACTED + part.signature)
    elif hidden and part.signature:
        part = msgspec.structs.replace(part, signature=_HIDDEN + jsonio.text({"proof": part.signature, "text": hidden}))
    return base64.b64encode(proofs.for_caller(part, sealer, family=FAMILY, hidden=hidden).encode()).decode()


def is_own(part: Reasoning) -> bool:
    return part.family == FAMILY and bool(part.signature)
