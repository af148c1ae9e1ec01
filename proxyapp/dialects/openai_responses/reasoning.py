"""Reasoning items, read and written. The proof travels in `encrypted_content` (reference/translation.md 6.4, 6.5)."""

from __future__ import annotations

from typing import Any

import msgspec

from proxyapp.dialects import proofs
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.openai.fields import as_record, listing, text
from proxyapp.dialects.openai_responses.ids import is_legal
from proxyapp.dialects.openai_responses.tables import FAMILY
from proxyapp.dialects.signatures import Sealer
from proxyapp.ir.parts import Reasoning

_REDACTED = "redacted:"
"""Put before a sealed proof that has no text by its nature: the item's form does not tell it from one whose text was
not shown, and its maker wants each back as what it was."""
_GAP = "\n\n"


def read(item: dict[str, Any], sealer: Sealer, path: str) -> Reasoning | None:
    """A caller's item as a part; None when nothing is left of it (forged, or nobody's and empty). Raises BadRequest."""
    words = [
        text(as_record(entry, f"{path}.{field}.{index}"), "text", f"{path}.{field}.{index}") or ""
        for field in ("summary", "content")
        for index, entry in enumerate(listing(item, field, path) or [])
    ]
    part = proofs.opened(_GAP.join(words), text(item, "encrypted_content", path), sealer, family=FAMILY)
    if part is None or not (part.text or part.signature):
        return None
    if part.family != FAMILY and (part.signature or "").startswith(_REDACTED):
        part.signature, part.redacted = (part.signature or "").removeprefix(_REDACTED), True
    part.item_id = text(item, "id", path)
    return part


def bound(item_id: str, proof: str) -> str:
    """Proof and item id as one signature: OpenAI takes back only both, and other dialects carry only one thing."""
    return f"{item_id}:{proof}" if is_legal("reasoning", item_id) else proof


def unbound(signature: str) -> tuple[str | None, str]:
    """(item id, proof); the proof alone where it came bare from a caller of this dialect."""
    item_id, found, proof = signature.partition(":")
    return (item_id, proof) if found and is_legal("reasoning", item_id) else (None, signature)


def for_caller(part: Reasoning, sealer: Sealer) -> str:
    """`encrypted_content` of an answer's item."""
    if part.family == FAMILY and part.signature:
        return unbound(part.signature)[1]
    if part.redacted and part.signature and part.family != FAMILY:
        part = msgspec.structs.replace(part, signature=_REDACTED + part.signature)
    return proofs.for_caller(part, sealer, family=FAMILY)


def item_text(item: dict[str, Any]) -> str:
    """The summary, or the full text where a server shows that (open models)."""
    for field in ("summary", "content"):
        entries = item.get(field)
        words = [
            entry["text"]
            for entry in (entries if isinstance(entries, list) else ())
            if isinstance(entry, dict) and isinstance(entry.get("text"), str) and entry["text"]
        ]
        if words:
            return _GAP.join(words)
    return ""


def proof_of(item: dict[str, Any]) -> str | None:
    value = item.get("encrypted_content")
    return value if isinstance(value, str) and value else None


def start(item_id: str, side: UpstreamSide) -> Reasoning:
    """An upstream's reasoning as it begins."""
    return Reasoning(family=FAMILY, item_id=item_id or None, meta=proofs.owner(side))
